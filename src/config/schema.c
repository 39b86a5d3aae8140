/*
 * The schema's table and the look-ups in it; see schema.h.
 */
#include "config/schema.h"

#include "base/clock.h"
#include "config/address.h"
#include "config/allow.h"
#include "config/file.h"

#include <stddef.h>
#include <string.h>

#define DAY_NS (86400 * NS_PER_S)
#define PATH_BYTES_MAX 4095
#define MODULE_NAME_MAX 64
#define QUERY_BYTES_MAX 2000 /* what the client's send buffer has room for */

/* --- tests of text --- */

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* [A-Za-z_][A-Za-z0-9_]*, the form of label names and of environment variables. */
static bool is_identifier(struct span s) {
    for (size_t i = 0; i < s.len; i++)
        if (!is_letter(s.ptr[i]) && s.ptr[i] != '_' && (i == 0 || !is_digit(s.ptr[i])))
            return false;
    return s.len > 0;
}

/* Every address is a name, too. */
static bool check_name(const char *text, struct strbuf *why) {
    for (; *text; text++)
        if (!is_letter(*text) && !is_digit(*text) && !strchr("_.:/@%[]-", *text)) {
            strbuf_addstr(why, "may hold letters, digits and _.:/@%[]- only");
            return false;
        }
    return true;
}

static bool check_address(const char *text, struct strbuf *why) {
    struct address address = {0};
    bool ok = address_parse(text, &address, why);
    address_release(&address);
    return ok;
}

static bool check_variable(const char *text, struct strbuf *why) {
    if (is_identifier(span_of(text)))
        return true;
    strbuf_addstr(why, "must be the name of an environment variable");
    return false;
}

static bool check_path(const char *text, struct strbuf *why) {
    if (text[0] == '/')
        return true;
    strbuf_addstr(why, "must be an absolute path");
    return false;
}

/* A pattern may stand in the last part only. */
static bool check_pattern(const char *text, struct strbuf *why) {
    const char *slash = strrchr(text, '/');
    if (!check_path(text, why))
        return false;
    if (strcspn(text, "*?[") >= (size_t)(slash - text))
        return true;
    strbuf_addstr(why, "may have * ? [ in its last part only");
    return false;
}

static bool check_readable(const char *text, struct strbuf *why) {
    return check_path(text, why) && file_check(text, why);
}

bool schema_check_module_name(struct span name, struct strbuf *why) {
    bool ok = name.len > 0 && name.len <= MODULE_NAME_MAX;
    for (size_t i = 0; ok && i < name.len; i++)
        ok = is_letter(name.ptr[i]) || is_digit(name.ptr[i]) || name.ptr[i] == '_' || name.ptr[i] == '-';
    if (!ok)
        strbuf_addf(why, "a module's name is made of letters, digits, _ and -, at most %d of them", MODULE_NAME_MAX);
    return ok;
}

static bool check_module(const char *text, struct strbuf *why) {
    return schema_check_module_name(span_of(text), why);
}

/* Names that our own families use or that Prometheus adds itself; a target's label of that name would collide. */
static const char *const reserved_labels[] = {
    "target",
    "job",
    "instance",
    "le",
    "quantile",
    "type",
    /* of our own families, now or soon */
    "address",
    "by",
    "cause",
    "cipher",
    "class",
    "client_library",
    "close",
    "code",
    "confidence",
    "counter",
    "device",
    "direction",
    "driver",
    "evidence",
    "host",
    "how",
    "family",
    "kind",
    "module",
    "operation",
    "outcome",
    "path",
    "phase",
    "plugin",
    "privilege",
    "reason",
    "result",
    "rule",
    "severity",
    "source",
    "step",
    "user",
    "verdict",
    "version",
    "version_comment",
    /* of the families that are named as mysqld_exporter's */
    "client",
    "client_host",
    "command",
    "error",
    "innodb_version",
    "mysql_user",
    "state",
};

bool schema_check_label_name(struct span name, struct strbuf *why) {
    if (!is_identifier(name) || name.len > LABEL_NAME_MAX) {
        strbuf_addf(why, "a label's name is made of letters, digits and _, at most %d of them", LABEL_NAME_MAX);
        return false;
    }
    if (name.len >= 2 && memcmp(name.ptr, "__", 2) == 0) {
        strbuf_addstr(why, "label names that start with __ are Prometheus' own");
        return false;
    }
    for (size_t i = 0; i < sizeof reserved_labels / sizeof reserved_labels[0]; i++)
        if (span_is(name, reserved_labels[i])) {
            strbuf_addstr(why, "this label's name is reserved: Prometheus or our own metrics use it");
            return false;
        }
    return true;
}

/* --- the table --- */

static const char *const tls_modes[] = {[TLS_DISABLED] = "disabled",
                                        [TLS_PREFERRED] = "preferred",
                                        [TLS_REQUIRED] = "required",
                                        [TLS_VERIFY_CA] = "verify-ca",
                                        [TLS_VERIFY_IDENTITY] = "verify-identity",
                                        NULL};
static const char *const close_styles[] = {
    [CLOSE_QUIT_WAIT] = "quit_wait", [CLOSE_QUIT_NOW] = "quit_now", [CLOSE_MID_RESULT] = "mid_result",
    [CLOSE_NONE] = "none",           [CLOSE_RST] = "reset",         [CLOSE_STYLE_COUNT] = NULL};
static const char *const client_hosts[] = {[CLIENT_HOSTS_WHOLE] = "whole", [CLIENT_HOSTS_NETWORK] = "network", NULL};
static const char *const answers[] = {[ANSWER_NO] = "false", [ANSWER_YES] = "true", NULL};
static const char *const network_uses[] = {
    [HOST_NETWORK_OFF] = "false", [HOST_NETWORK_ON] = "true", [HOST_NETWORK_AUTO] = "auto", NULL};
static const char *const log_kinds[] = {[LOG_NONE] = "none",         [LOG_AUTO] = "auto",   [LOG_FILE] = "file",
                                        [LOG_JOURNALD] = "journald", [LOG_TABLE] = "table", NULL};
static const char *const log_starts[] = {[LOG_START_END] = "end", [LOG_START_BEGINNING] = "beginning", NULL};

#define CONFIG(field) .offset = offsetof(struct config, field)
#define TARGET(field) .offset = offsetof(struct target_config, field)
#define MODULE(field) .offset = offsetof(struct module_config, field)
#define PATH .min = 1, .max = PATH_BYTES_MAX, .form = "absolute path"

const struct schema_row schema[] = {
    {.path = "limits", .type = VALUE_MAP, .scope = SCOPE_TOP, .meaning = "Bounds of what the metrics may grow to."},
    {.path = "limits.users_per_target",
     .type = VALUE_COUNT,
     .scope = SCOPE_TOP,
     CONFIG(limits.users_per_target),
     .initial = "100",
     .min = 1,
     .max = 10000,
     .meaning = "Distinct user names in the labels of one target; further ones are counted as `other`."},
    {.path = "limits.sessions_per_target",
     .type = VALUE_COUNT,
     .scope = SCOPE_TOP,
     CONFIG(limits.sessions_per_target),
     .initial = "10000",
     .min = 1,
     .max = 1000000,
     .meaning = "Sessions of one target that are remembered one by one, those that went in the last ten minutes "
                "included, at some 300 bytes each. Sums are of all sessions."},
    {.path = "limits.hosts_per_target",
     .type = VALUE_COUNT,
     .scope = SCOPE_TOP,
     CONFIG(limits.hosts_per_target),
     .initial = "100",
     .min = 1,
     .max = 10000,
     .meaning = "Distinct hosts of clients in the labels of one target; further ones are counted as `other`."},
    {.path = "limits.drivers_per_target",
     .type = VALUE_COUNT,
     .scope = SCOPE_TOP,
     CONFIG(limits.drivers_per_target),
     .initial = "50",
     .min = 1,
     .max = 10000,
     .meaning = "Distinct pairs of driver and version in the labels of one target; further ones are counted as "
                "`other`."},
    {.path = "limits.clients_per_target",
     .type = VALUE_COUNT,
     .scope = SCOPE_TOP,
     CONFIG(limits.clients_per_target),
     .initial = "100",
     .min = 1,
     .max = 10000,
     .meaning =
         "Clients of one target (user, host and driver together) whose aborts have series of their own; the rest "
         "is counted as `other`. Half of the places are open to who did not log in, and the last quarter is for "
         "those that come often."},
    {.path = "limits.client_hosts",
     .type = VALUE_CHOICE,
     .scope = SCOPE_TOP,
     CONFIG(limits.client_hosts),
     .initial = "whole",
     .choices = client_hosts,
     .meaning = "Hosts in the labels of clients: `whole`, or the `network` of an address, /24 or /64."},
    {.path = "limits.events_per_target",
     .type = VALUE_COUNT,
     .scope = SCOPE_TOP,
     CONFIG(limits.events_per_target),
     .initial = "200",
     .min = 1,
     .max = 100000,
     .meaning = "Newest aborts of one target that are kept with all that is known of them, at some 600 bytes each and "
                "at most 1 KiB times as many in all."},
    {.path = "limits.host_cache_hosts_per_target",
     .type = VALUE_COUNT,
     .scope = SCOPE_TOP,
     CONFIG(limits.host_cache_hosts_per_target),
     .initial = "10",
     .min = 0,
     .max = 1000,
     .meaning = "Hosts of a target's host cache in its labels: those with the most errors; the rest is counted as "
                "`other`."},

    {.path = "modules",
     .type = VALUE_MODULES,
     .scope = SCOPE_TOP,
     .max = 100,
     .meaning = "Kinds of probes, each under a name of its own; a target says in `probe.modules` which it runs. "
                "`default` exists without being defined."},
    {.path = "modules.NAME.interval",
     .type = VALUE_DURATION,
     .scope = SCOPE_MODULE,
     MODULE(schedule.interval_ns),
     .min = 10 * NS_PER_MS,
     .max = 2 * DAY_NS,
     .meaning = "Time from one probe to the next; the target's `probe.interval` where not given, after the `hold`."},
    {.path = "modules.NAME.timeout",
     .type = VALUE_DURATION,
     .scope = SCOPE_MODULE,
     MODULE(schedule.timeout_ns),
     .min = 10 * NS_PER_MS,
     .max = DAY_NS,
     .meaning = "Time that a probe may take, the `hold` not counted; the target's `probe.timeout` where not given."},
    {.path = "modules.NAME.grace",
     .type = VALUE_DURATION,
     .scope = SCOPE_MODULE,
     MODULE(grace_ns),
     .min = 0,
     .max = DAY_NS,
     .meaning = "As `probe.grace`, which it is where not given."},
    {.path = "modules.NAME.query",
     .type = VALUE_TEXT,
     .scope = SCOPE_MODULE,
     MODULE(query),
     .initial = "SELECT 1",
     .min = 1,
     .max = QUERY_BYTES_MAX,
     .form = "one SQL statement",
     .meaning = "What phase `query` runs. Its rows are dropped."},
    {.path = "modules.NAME.close",
     .type = VALUE_CHOICE,
     .scope = SCOPE_MODULE,
     MODULE(close),
     .initial = "quit_wait",
     .choices = close_styles,
     .meaning = "How the connection is ended: `quit_wait` sends COM_QUIT and waits for the server's end. The others "
                "show what a bad client costs, and only targets that name them in `probe.allow_close` run them."},
    {.path = "modules.NAME.hold",
     .type = VALUE_DURATION,
     .scope = SCOPE_MODULE,
     MODULE(hold_ns),
     .initial = "0s",
     .min = 0,
     .max = DAY_NS,
     .meaning = "Keep the connection idle so long, as a pool does, then use it again: tells who cuts idle connections. "
                "The server counts an aborted client when its own `wait_timeout` ends it first."},

    {.path = "auth_modules",
     .type = VALUE_AUTHS,
     .scope = SCOPE_TOP,
     .max = 100,
     .meaning = "Accounts for `/probe?auth_module=NAME`, each under a name of its own: `poll`, `probe`, `tls`, "
                "`credentials` and `allow_targets`. What one does not say is the top level's, but for "
                "`allow_targets`."},
    {.path = "allow_targets",
     .type = VALUE_TEXTS,
     .scope = SCOPE_DEFAULTS,
     TARGET(allow_targets),
     .min = 1,
     .max = 299,
     .check = allow_check_entry,
     .form = "list of `name*`, `name:port`, `net/bits:from-to`, `[v6]/bits:*`",
     .meaning = "The servers that `/probe?target=…` may look at with this account; none where not given. A name must "
                "match a pattern where there is one, and all its addresses a network where there is one. Port 3306 "
                "where not given."},

    {.path = "file_sd",
     .type = VALUE_MAP,
     .scope = SCOPE_TOP,
     .meaning = "More targets, out of files in the form of Prometheus' `file_sd`."},
    {.path = "file_sd.files",
     .type = VALUE_TEXTS,
     .scope = SCOPE_TOP,
     CONFIG(sd_files),
     .required = true,
     PATH,
     .check = check_pattern,
     .meaning =
         "Files, YAML or JSON (`.json`), each a list of `targets` and `labels`; with `*`, `?` or `[` in the last "
         "part a pattern. They are read again when they change."},
    {.path = "file_sd.refresh_interval",
     .type = VALUE_DURATION,
     .scope = SCOPE_TOP,
     CONFIG(sd_refresh_ns),
     .initial = "5m",
     .min = 100 * NS_PER_MS,
     .max = DAY_NS,
     .meaning = "… and so often, where inotify does not tell (network file systems)."},

    {.path = "targets",
     .type = VALUE_TARGETS,
     .scope = SCOPE_TOP,
     .max = 10000,
     .meaning = "The servers to watch; needed where no `allow_targets` is given."},
    {.path = "name",
     .type = VALUE_TEXT,
     .scope = SCOPE_TARGET,
     TARGET(name),
     .required = true,
     .min = 1,
     .max = 128,
     .check = check_name,
     .form = "letters, digits, `_.:/@%[]-`",
     .meaning = "The `target` label of the metrics. Unique."},
    {.path = "address",
     .type = VALUE_TEXT,
     .scope = SCOPE_TARGET,
     TARGET(address_text),
     .required = true,
     .min = 1,
     .max = 300,
     .check = check_address,
     .form = "`host`, `host:port`, `[v6]:port`, `unix:/path` or `/path`",
     .meaning = "Where the server is. The port is 3306 where not given."},
    {.path = "labels",
     .type = VALUE_LABELS,
     .scope = SCOPE_TARGET,
     .max = LABELS_MAX,
     .meaning = "Labels that all metrics of this target carry on `/metrics`."},

    {.path = "poll",
     .type = VALUE_MAP,
     .scope = SCOPE_BOTH,
     .meaning = "Reading status and variables over one kept connection."},
    {.path = "poll.interval",
     .type = VALUE_DURATION,
     .scope = SCOPE_BOTH,
     TARGET(poll.interval_ns),
     .initial = "15s",
     .min = 10 * NS_PER_MS,
     .max = DAY_NS,
     .meaning = "Time from one poll to the next."},
    {.path = "poll.timeout",
     .type = VALUE_DURATION,
     .scope = SCOPE_BOTH,
     TARGET(poll.timeout_ns),
     .initial = "5s",
     .min = 10 * NS_PER_MS,
     .max = DAY_NS,
     .meaning = "Time that one poll may take, a reconnection included; at most `poll.interval`, which it follows "
                "where that is shorter and no timeout is given."},

    {.path = "sessions", .type = VALUE_MAP, .scope = SCOPE_BOTH, .meaning = "Reading the process list."},
    {.path = "sessions.interval",
     .type = VALUE_DURATION,
     .scope = SCOPE_BOTH,
     TARGET(sessions_interval_ns),
     .min = 10 * NS_PER_MS,
     .max = DAY_NS,
     .meaning =
         "Time from one look at the process list to the next, each with the poll that is nearest; with every poll "
         "where not given."},

    {.path = "host_cache",
     .type = VALUE_MAP,
     .scope = SCOPE_BOTH,
     .meaning = "Reading performance_schema.host_cache: which hosts are refused, and which are blocked."},
    {.path = "host_cache.interval",
     .type = VALUE_DURATION,
     .scope = SCOPE_BOTH,
     TARGET(host_cache_interval_ns),
     .initial = "1m",
     .min = 0,
     .max = DAY_NS,
     .meaning = "Time from one look at it to the next, each with the poll that is nearest; on MariaDB sooner where a "
                "connection ended before its login, for what it tells of that; `0s`: never."},

    {.path = "userstat",
     .type = VALUE_MAP,
     .scope = SCOPE_BOTH,
     .meaning = "Reading the statistics of users and clients that a server with userstat on keeps."},
    {.path = "userstat.interval",
     .type = VALUE_DURATION,
     .scope = SCOPE_BOTH,
     TARGET(userstat_interval_ns),
     .initial = "15s",
     .min = 0,
     .max = DAY_NS,
     .meaning = "Time from one look at them to the next, each with the poll that is nearest; `0s`: never."},

    {.path = "probe",
     .type = VALUE_MAP,
     .scope = SCOPE_BOTH,
     .meaning = "A fresh connection that is timed phase by phase and closed cleanly."},
    {.path = "probe.interval",
     .type = VALUE_DURATION,
     .scope = SCOPE_BOTH,
     TARGET(probe.interval_ns),
     .initial = "15s",
     .min = 10 * NS_PER_MS,
     .max = DAY_NS,
     .meaning = "Time from one probe to the next."},
    {.path = "probe.timeout",
     .type = VALUE_DURATION,
     .scope = SCOPE_BOTH,
     TARGET(probe.timeout_ns),
     .initial = "5s",
     .min = 10 * NS_PER_MS,
     .max = DAY_NS,
     .meaning = "Time that one probe may take before it counts as failed; at most `probe.interval`, which it "
                "follows where that is shorter and no timeout is given."},
    {.path = "probe.grace",
     .type = VALUE_DURATION,
     .scope = SCOPE_BOTH,
     TARGET(probe_grace_ns),
     .initial = "10s",
     .min = 0,
     .max = DAY_NS,
     .meaning = "How long a probe that ran out of time may go on, so that it can still end with COM_QUIT instead of an "
                "aborted connection."},

    {.path = "probe.modules",
     .type = VALUE_TEXTS,
     .scope = SCOPE_BOTH,
     TARGET(module_names),
     .initial = "default",
     .min = 1,
     .max = MODULE_NAME_MAX,
     .check = check_module,
     .form = "list of names",
     .meaning = "The modules that probe the target, each on its own schedule."},
    {.path = "probe.allow_close",
     .type = VALUE_CHOICES,
     .scope = SCOPE_TARGET,
     TARGET(allowed_closes),
     .choices = close_styles,
     .meaning = "Close styles besides `quit_wait` that modules may use on this target. `mid_result`, `none` and "
                "`reset` raise Aborted_clients with every probe, by intent."},

    {.path = "tls", .type = VALUE_MAP, .scope = SCOPE_BOTH, .meaning = "Encryption; not over unix sockets."},
    {.path = "tls.mode",
     .type = VALUE_CHOICE,
     .scope = SCOPE_BOTH,
     TARGET(tls.mode),
     .initial = "preferred",
     .choices = tls_modes,
     .meaning = "`preferred` encrypts where the server can, `required` insists, `verify-ca` also checks who signed the "
                "server's certificate, `verify-identity` also the name in it."},
    {.path = "tls.ca",
     .type = VALUE_TEXT,
     .scope = SCOPE_BOTH,
     TARGET(tls.ca),
     PATH,
     .check = check_readable,
     .meaning = "PEM file of the authorities that `verify-…` trusts; without it the system's."},
    {.path = "tls.cert",
     .type = VALUE_TEXT,
     .scope = SCOPE_BOTH,
     TARGET(tls.cert),
     PATH,
     .check = check_readable,
     .meaning = "PEM file of our own certificate; needs `tls.key`."},
    {.path = "tls.key",
     .type = VALUE_TEXT,
     .scope = SCOPE_BOTH,
     TARGET(tls.key),
     PATH,
     .check = check_readable,
     .meaning = "PEM file of its private key; needs `tls.cert`."},

    {.path = "credentials",
     .type = VALUE_MAP,
     .scope = SCOPE_BOTH,
     .whole = true,
     .meaning =
         "The account; at most one source of the password. A target's `credentials` replace the top level's as a "
         "whole."},
    {.path = "credentials.user",
     .type = VALUE_TEXT,
     .scope = SCOPE_BOTH,
     TARGET(credentials.user),
     .min = 1,
     .max = 512,
     .form = "text",
     .meaning =
         "The account's name; without it that of the option file, or else the name of the operating system's user."},
    {.path = "credentials.password",
     .type = VALUE_SECRET,
     .scope = SCOPE_BOTH,
     TARGET(credentials.password),
     .min = 0,
     .max = 4096,
     .form = "text",
     .meaning = "The password itself; a warning if everybody may read the configuration file."},
    {.path = "credentials.password_file",
     .type = VALUE_TEXT,
     .scope = SCOPE_BOTH,
     TARGET(credentials.password_file),
     PATH,
     .check = check_path,
     .meaning = "A file of at most 4 KiB whose first line is the password."},
    {.path = "credentials.password_env",
     .type = VALUE_TEXT,
     .scope = SCOPE_BOTH,
     TARGET(credentials.password_env),
     .min = 1,
     .max = 128,
     .check = check_variable,
     .form = "name",
     .meaning = "An environment variable that holds the password."},
    {.path = "credentials.my_cnf",
     .type = VALUE_TEXT,
     .scope = SCOPE_BOTH,
     TARGET(credentials.my_cnf),
     PATH,
     .check = check_path,
     .meaning = "An option file of at most 64 KiB. Only `user` and `password` of one group are read; `!include` is not "
                "followed."},
    {.path = "credentials.my_cnf_section",
     .type = VALUE_TEXT,
     .scope = SCOPE_BOTH,
     TARGET(credentials.my_cnf_section),
     .min = 1,
     .max = 128,
     .form = "name",
     .meaning = "The group of `my_cnf`, `client` where not given."},
    {.path = "credentials.get_server_public_key",
     .type = VALUE_CHOICE,
     .scope = SCOPE_BOTH,
     TARGET(credentials.get_server_public_key),
     .initial = "false",
     .choices = answers,
     .meaning = "As MySQL's own clients' option: whether a server without TLS that asks for the password itself "
                "(`caching_sha2_password` that does not know it yet, `sha256_password`) gets it encrypted with an RSA "
                "key that it names."},

    {.path = "host_network",
     .type = VALUE_CHOICE,
     .scope = SCOPE_BOTH,
     TARGET(host_network),
     .initial = "auto",
     .choices = network_uses,
     .meaning = "Whether the counters of this machine's network, and the sockets on the server's port here, tell of "
                "this server: `auto` where the connection to it shows that it is here."},
    {.path = "max_age",
     .type = VALUE_DURATION,
     .scope = SCOPE_BOTH,
     TARGET(max_age_ns),
     .initial = "5m",
     .min = NS_PER_S,
     .max = 2 * DAY_NS,
     .meaning = "Values that say how something is now are left out when the look that they are from is longer ago, and "
                "three of its intervals."},

    {.path = "error_log",
     .type = VALUE_MAP,
     .scope = SCOPE_TARGET,
     .meaning = "The server's error log: who hung up, and why."},
    {.path = "error_log.source",
     .type = VALUE_CHOICE,
     .scope = SCOPE_TARGET,
     TARGET(error_log.source),
     .initial = "none",
     .choices = log_kinds,
     .meaning =
         "Where it is read: a `file` here, the `journald` here, MySQL's `table` performance_schema.error_log, or "
         "`auto`: the server is asked. What the other keys name where not given; `auto` where they name nothing."},
    {.path = "error_log.file",
     .type = VALUE_TEXT,
     .scope = SCOPE_TARGET,
     TARGET(error_log.file),
     PATH,
     .check = check_pattern,
     .meaning = "The file to follow, over rotations; it need not exist yet. With `*`, `?` or `[` in its last part a "
                "pattern: the file that was written last of those that match."},
    {.path = "error_log.unit",
     .type = VALUE_TEXT,
     .scope = SCOPE_TARGET,
     TARGET(error_log.unit),
     .min = 1,
     .max = 256,
     .form = "name",
     .meaning = "The journal's entries of this systemd unit, `mariadb.service` say."},
    {.path = "error_log.identifier",
     .type = VALUE_TEXT,
     .scope = SCOPE_TARGET,
     TARGET(error_log.identifier),
     .min = 1,
     .max = 256,
     .form = "name",
     .meaning = "… of this syslog identifier."},
    {.path = "error_log.journal",
     .type = VALUE_TEXT,
     .scope = SCOPE_TARGET,
     TARGET(error_log.journal),
     PATH,
     .check = check_path,
     .meaning = "A folder of journal files in place of the system's."},
    {.path = "error_log.start",
     .type = VALUE_CHOICE,
     .scope = SCOPE_TARGET,
     TARGET(error_log.start),
     .initial = "end",
     .choices = log_starts,
     .meaning = "Where to begin in what is there when we start for the first time; later we go on where we were, if "
                "there is a `--storage.path`."},
    {.path = "error_log.max_line_bytes",
     .type = VALUE_COUNT,
     .scope = SCOPE_TARGET,
     TARGET(error_log.max_line_bytes),
     .initial = "65536",
     .min = 1024,
     .max = LOG_LINE_MAX,
     .meaning = "A longer line is cut, and counted."},
    {.path = "error_log.poll_interval",
     .type = VALUE_DURATION,
     .scope = SCOPE_TARGET,
     TARGET(error_log.poll_interval_ns),
     .initial = "0s",
     .min = 0,
     .max = 3600 * NS_PER_S,
     .meaning = "How often to look at the file. `0s`: when inotify tells, and each second where that does not work "
                "(network file systems)."},
};
const size_t schema_rows = sizeof schema / sizeof schema[0];
_Static_assert(sizeof schema / sizeof schema[0] <= SCHEMA_MAX_ROWS, "raise SCHEMA_MAX_ROWS");

const char *tls_mode_name(enum tls_mode mode) {
    return tls_modes[mode];
}

const char *close_style_name(enum close_style style) {
    return close_styles[style];
}

const char *log_kind_name(enum log_kind kind) {
    return log_kinds[kind];
}

/* --- look-ups --- */

const char *schema_key(const struct schema_row *row) {
    const char *dot = strrchr(row->path, '.');
    return dot ? dot + 1 : row->path;
}

const struct schema_row *schema_group(const struct schema_row *row) {
    if (!strchr(row->path, '.'))
        return NULL;
    while (row->type != VALUE_MAP && row->type != VALUE_MODULES) /* an auth_module's keys are the top level's */
        row--;
    return row;
}

bool schema_stands_in(const struct schema_row *row, const struct schema_row *group, enum schema_place place) {
    static const unsigned stands[] = {
        [SCOPE_TOP] = 1 << PLACE_TOP,
        [SCOPE_MODULE] = 1 << PLACE_MODULE,
        [SCOPE_TARGET] = 1 << PLACE_TARGET,
        [SCOPE_BOTH] = 1 << PLACE_TOP | 1 << PLACE_TARGET | 1 << PLACE_AUTH,
        [SCOPE_DEFAULTS] = 1 << PLACE_TOP | 1 << PLACE_AUTH,
    };
    return stands[row->scope] & 1U << place && schema_group(row) == group;
}

const struct schema_row *schema_find(const struct schema_row *group, enum schema_place place, struct span key) {
    for (size_t i = 0; i < schema_rows; i++)
        if (schema_stands_in(&schema[i], group, place) && span_is(key, schema_key(&schema[i])))
            return &schema[i];
    return NULL;
}

const struct schema_row *schema_at(const char *path) {
    for (size_t i = 0; i < schema_rows; i++)
        if (strcmp(schema[i].path, path) == 0)
            return &schema[i];
    return NULL;
}

size_t schema_index(const struct schema_row *row) {
    return (size_t)(row - schema);
}

/* Levenshtein's distance; both are short. */
static size_t edit_distance(struct span a, struct span b) {
    enum { LONGEST = 32 };
    size_t row[LONGEST + 1];
    if (a.len > LONGEST || b.len > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.len];
}

void schema_suggest(const struct schema_row *group, enum schema_place place, struct span key, struct strbuf *out) {
    const struct schema_row *nearest = NULL;
    size_t nearest_distance = 3; /* further than two slips is another word */
    for (size_t i = 0; i < schema_rows; i++) {
        if (!schema_stands_in(&schema[i], group, place))
            continue;
        size_t distance = edit_distance(key, span_of(schema_key(&schema[i])));
        if (distance < nearest_distance && distance < key.len) {
            nearest = &schema[i];
            nearest_distance = distance;
        }
    }
    if (nearest) {
        strbuf_addf(out, "did you mean '%s'?", schema_key(nearest));
        return;
    }
    const char *between = "known here: ";
    for (size_t i = 0; i < schema_rows; i++)
        if (schema_stands_in(&schema[i], group, place)) {
            strbuf_addf(out, "%s%s", between, schema_key(&schema[i]));
            between = ", ";
        }
}
