/*
 * Where a server writes its error log; see log_finder.h.
 */
#include "observe/log_finder.h"

#include "base/number.h"
#include "observe/client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>

enum { HOST_BYTES = 256, VERSION_BYTES = 64, SERVICES_BYTES = 512, TABLE_SINCE = 80022 };

/* What the server said. */
struct server_answer {
    char log_error[PATH_MAX], datadir[PATH_MAX], pid_file[PATH_MAX];
    char hostname[HOST_BYTES], version[VERSION_BYTES], services[SERVICES_BYTES];
    bool complete;
};

void log_finding_release(struct log_finding *finding) {
    free(finding->name);
    *finding = (struct log_finding){0};
}

/* --- asking --- */

static bool take(struct span field, char *out, size_t size) {
    if (field.len >= size)
        return false;
    if (field.ptr)
        memcpy(out, field.ptr, field.len);
    out[field.ptr ? field.len : 0] = '\0';
    return true;
}

static void answer_row(void *arg, const struct span *f, unsigned count) {
    struct server_answer *a = arg;
    a->complete = count == 5 && take(f[0], a->log_error, sizeof a->log_error) &&
                  take(f[1], a->datadir, sizeof a->datadir) && take(f[2], a->pid_file, sizeof a->pid_file) &&
                  take(f[3], a->hostname, sizeof a->hostname) && take(f[4], a->version, sizeof a->version);
}

static void services_row(void *arg, const struct span *f, unsigned count) {
    struct server_answer *a = arg;
    if (count == 1)
        take(f[0], a->services, sizeof a->services);
}

static bool ask(struct client *client, struct server_answer *a) {
    struct failure failure;
    int rc = client_query(client,
                          "SELECT @@GLOBAL.log_error,@@GLOBAL.datadir,@@GLOBAL.pid_file,@@GLOBAL.hostname,"
                          "@@GLOBAL.version",
                          answer_row, a, &failure);
    if (rc < 0 || !a->complete)
        return false;
    /* Of MySQL 8 and later only; the others refuse to answer. */
    client_query(client, "SELECT @@GLOBAL.log_error_services", services_row, a, &failure);
    return client_connected(client);
}

/* --- judging --- */

/* "8.0.41-debug" to 80041; 0 where that is no such version, or MariaDB's. */
static unsigned mysql_version(const char *text) {
    unsigned value = 0;
    if (strstr(text, "MariaDB"))
        return 0;
    for (int part = 0; part < 3; part++) {
        size_t len = strspn(text, "0123456789");
        uint64_t number;
        if (number_parse_u64((struct span){text, len}, 99, &number) < 0)
            return 0;
        value = value * 100 + (unsigned)number;
        text += len + (text[len] == '.');
    }
    return value;
}

static bool is_our_host(const char *hostname) {
    char ours[HOST_BYTES];
    return gethostname(ours, sizeof ours) == 0 && strcmp(ours, hostname) == 0;
}

/* `path` as the server means it. */
static bool absolute(const struct server_answer *a, const char *path, const char *ending, char out[PATH_MAX]) {
    bool relative = path[0] != '/';
    size_t len = strlen(a->datadir);
    const char *between = relative && (len == 0 || a->datadir[len - 1] != '/') ? "/" : "";
    if (relative && strncmp(path, "./", 2) == 0)
        path += 2;
    int n = snprintf(out, PATH_MAX, "%s%s%s%s", relative ? a->datadir : "", between, path, ending);
    return n > 0 && n < PATH_MAX && out[0] == '/';
}

static bool has_sink(const struct server_answer *a, const char *name) {
    return strstr(a->services, name) != NULL;
}

/* Whether what is logged goes to log_error and to the table. A server that knows no services does it always. */
static bool is_written(const struct server_answer *a) {
    return a->services[0] == '\0' || has_sink(a, "log_sink_internal") || has_sink(a, "log_sink_json");
}

static bool log_path(const struct server_answer *a, char out[PATH_MAX]) {
    bool json = has_sink(a, "log_sink_json") && !has_sink(a, "log_sink_internal");
    if (!is_written(a) || a->log_error[0] == '\0' || strcmp(a->log_error, "stderr") == 0)
        return false;
    return absolute(a, a->log_error, json ? ".00.json" : "", out);
}

static int read_pid(const char *path, pid_t *out) {
    char text[32];
    uint64_t pid;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    int rc = n < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    if (n <= 0 || number_parse_u64((struct span){text, (size_t)n}, INT_MAX, &pid) < 0 || pid == 0)
        return rc < 0 ? rc : -ENODATA;
    *out = (pid_t)pid;
    return 0;
}

/* The systemd unit of the server, whose standard error goes to the journal; malloc()ed. -EACCES where we may not know
 * its process (Debian's MariaDB closes its pid file to others) or not see it (ProtectProc=), -ENODATA where it is none.
 */
static int unit_of(const struct server_answer *a, pid_t pid, char **out) {
    char path[PATH_MAX];
    int rc = pid > 0 ? 0 : absolute(a, a->pid_file, "", path) ? read_pid(path, &pid) : -ENODATA;
    if (rc == 0)
        rc = sd_pid_get_unit(pid, out);
    return rc >= 0 ? 0 : rc == -EACCES || rc == -EPERM || rc == -ESRCH ? -EACCES : -ENODATA;
}

static void found(struct log_finding *out, enum log_kind kind, char *name) {
    out->kind = name ? kind : LOG_NONE;
    out->name = name;
    out->error = name ? 0 : -ENOMEM;
}

bool log_finder_ask(struct client *client, bool local, const char *reads, struct log_finding *out) {
    struct server_answer *a = calloc(1, sizeof *a);
    char path[PATH_MAX];
    if (!a || !ask(client, a)) {
        free(a);
        return false;
    }
    bool here = local && is_our_host(a->hostname), file = here && log_path(a, path);
    char *unit = NULL;
    int no_unit = !here ? -EREMOTE : file ? -ENODATA : unit_of(a, client_server_pid(client), &unit);
    bool table = mysql_version(a->version) >= TABLE_SINCE && is_written(a);
    if (file && (!table || (reads && strcmp(path, reads) == 0) || euidaccess(path, R_OK) == 0))
        found(out, LOG_FILE, strdup(path));
    else if (unit)
        found(out, LOG_JOURNALD, unit);
    else if (table)
        found(out, LOG_TABLE, strdup("performance_schema.error_log"));
    else
        *out = (struct log_finding){.kind = LOG_NONE, .error = no_unit, .over = !is_written(a)};
    free(a);
    return true;
}
