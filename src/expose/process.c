/*
 * The process's own figures; see process.h.
 */
#include "expose/process.h"

#include "base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int64_t process_cpu_ns(void) {
    struct timespec t;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) < 0)
        return 0;
    return (int64_t)t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* The file's first bytes as a text; its length or a negative errno. */
static ssize_t read_text(const char *path, char *text, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t len = read(fd, text, size - 1);
    int error = errno;
    close(fd);
    if (len < 0)
        return -error;
    text[len] = '\0';
    return len;
}

/* The number at *at, which is moved past it and the space after it. */
static int next_number(const char **at, uint64_t *out) {
    *at += strspn(*at, " \t");
    size_t len = strspn(*at, "0123456789");
    int error = number_parse_u64((struct span){*at, len}, UINT64_MAX, out);
    *at += len;
    return error;
}

int process_memory(uint64_t *virtual_bytes, uint64_t *resident_bytes) {
    char text[128];
    const char *at = text;
    uint64_t total = 0, resident = 0, page = (uint64_t)sysconf(_SC_PAGESIZE);

    ssize_t len = read_text("/proc/self/statm", text, sizeof text);
    if (len < 0)
        return (int)len;
    int error = next_number(&at, &total);
    if (error == 0)
        error = next_number(&at, &resident);
    if (error < 0)
        return error;
    *virtual_bytes = total * page;
    *resident_bytes = resident * page;
    return 0;
}

/* How many entries the descriptor table has, open or not. */
static int table_size(uint64_t *out) {
    char text[4096];

    ssize_t len = read_text("/proc/self/status", text, sizeof text);
    if (len < 0)
        return (int)len;
    const char *at = strstr(text, "\nFDSize:");
    if (!at)
        return -ENOENT;
    at += strlen("\nFDSize:");
    return next_number(&at, out);
}

/* poll() without events tells of many descriptors at once which are not open. */
int process_open_fds_by_poll(uint64_t *out) {
    struct pollfd fds[256];
    uint64_t size, open = 0;

    int error = table_size(&size);
    if (error < 0)
        return error;
    for (uint64_t first = 0; first < size; first += 256) {
        for (int i = 0; i < 256; i++)
            fds[i] = (struct pollfd){.fd = (int)first + i};
        if (poll(fds, 256, 0) < 0)
            return -errno;
        for (int i = 0; i < 256; i++)
            open += !(fds[i].revents & POLLNVAL);
    }
    *out = open;
    return 0;
}

int process_open_fds(uint64_t *out) {
    struct stat st;

    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
        *out = (uint64_t)st.st_size;
        return 0;
    }
    return process_open_fds_by_poll(out);
}

int process_max_fds(uint64_t *out) {
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    *out = limit.rlim_cur;
    return 0;
}
