/*
 * The configuration as the program uses it. It is made by config_load() from YAML through the one schema table in
 * config/schema.c, which also gives defaults, ranges, --print-config and the README's reference.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_mode { TLS_DISABLED, TLS_PREFERRED, TLS_REQUIRED, TLS_VERIFY_CA, TLS_VERIFY_IDENTITY };

struct tls_config {
    enum tls_mode mode;
    char *ca, *cert, *key; /* PEM files; NULL where not given */
};

enum answer { ANSWER_NO, ANSWER_YES };

/* Whether the network of this machine tells of a target: AUTO where its server is proven to be here. */
enum host_network_use { HOST_NETWORK_OFF, HOST_NETWORK_ON, HOST_NETWORK_AUTO };

/* Where the account comes from; at most one source of the password. */
struct credentials_config {
    char *user;
    char *password;       /* in the file itself: allowed, warned about when the file is readable by others */
    char *password_file;  /* its first line */
    char *password_env;   /* name of an environment variable */
    char *my_cnf;         /* an option file … */
    char *my_cnf_section; /* … and the group in it, "client" by default */
    enum answer get_server_public_key;
};

struct schedule_config {
    int64_t interval_ns;
    int64_t timeout_ns;
};

/* How a probe ends its connection. All but the first are what bad clients do; the last three make the server count an
 * abort. */
enum close_style {
    CLOSE_QUIT_WAIT,  /* COM_QUIT, and wait for the server's end */
    CLOSE_QUIT_NOW,   /* COM_QUIT, and close at once */
    CLOSE_MID_RESULT, /* COM_QUIT, and close at once while a result is still being written */
    CLOSE_NONE,       /* FIN without COM_QUIT */
    CLOSE_RST,        /* RST without COM_QUIT */
    CLOSE_STYLE_COUNT
};

/* The module that exists without being defined. */
#define MODULE_DEFAULT "default"

/* Texts in the order of a file; NULL and 0 where there are none. */
struct text_list {
    char **texts;
    size_t count;
};

enum log_start { LOG_START_END, LOG_START_BEGINNING };

/* Where the error log is read. */
enum log_kind { LOG_NONE, LOG_AUTO, LOG_FILE, LOG_JOURNALD, LOG_TABLE };

#define LOG_LINE_MAX (1024 * 1024) /* the most that max_line_bytes may be */

struct error_log_config {
    enum log_kind source;
    char *file;              /* LOG_FILE: a path, or a pattern in whose last part * ? [ stand */
    char *unit, *identifier; /* LOG_JOURNALD: one of them at least */
    char *journal;           /* its folder; NULL: the system's */
    enum log_start start;    /* where to begin in what is already there when we start for the first time */
    uint64_t max_line_bytes;
    int64_t poll_interval_ns; /* look so often; 0: when inotify tells, and each second where it does not work */
};

/* One kind of probe: what it does on its connection, and when. In a definition a duration that it leaves to the target
 * is DURATION_NOT_GIVEN. */
#define DURATION_NOT_GIVEN INT64_MIN

struct module_config {
    char *name; /* the `module` label */
    struct schedule_config schedule;
    int64_t grace_ns; /* how long a probe that ran out of time may go on so that it can still end with COM_QUIT */
    char *query;
    enum close_style close;
    int64_t hold_ns; /* how long the connection is kept idle before it is used again and closed; 0 not at all */
};

/* How to reach a server: host and port, or a socket path. */
struct address {
    char *host; /* name or address without brackets; NULL for a socket */
    uint16_t port;
    char *socket; /* path of a unix socket; NULL for TCP */
};

struct label {
    char *name, *value;
};

struct target_config {
    char *name;
    char *address_text; /* as it was written */
    struct address address;
    struct label *labels; /* sorted by name */
    size_t label_count;
    enum host_network_use host_network;
    int64_t max_age_ns; /* what is older is no longer told */
    struct schedule_config poll;
    struct schedule_config probe; /* with the grace: what its modules have where they say nothing themselves */
    int64_t probe_grace_ns;
    int64_t sessions_interval_ns;   /* DURATION_NOT_GIVEN: with every poll */
    int64_t host_cache_interval_ns; /* 0 never */
    int64_t userstat_interval_ns;   /* 0 never */
    struct text_list module_names;  /* of the probes that it runs */
    unsigned allowed_closes;        /* 1 << style for each bad close style that its modules may use */
    struct tls_config tls;
    struct credentials_config credentials;
    struct error_log_config error_log;
    struct text_list allow_targets; /* of what stands for targets that others name: config/allow.h */

    /* Its modules with everything filled in; at least one. */
    struct module_config *modules;
    size_t module_count;

    /* What the credentials gave when the file was read: */
    char *user;     /* never NULL; "" means the library's default */
    char *password; /* never NULL; wiped before it is freed */
};

/* What of a client's host is its own in the labels. */
enum client_hosts { CLIENT_HOSTS_WHOLE, CLIENT_HOSTS_NETWORK };

struct limits_config {
    uint64_t users_per_target;    /* distinct user names in the labels of one target; more are folded into "other" */
    uint64_t sessions_per_target; /* remembered, those that went a while ago included */
    uint64_t hosts_per_target;    /* distinct hosts of clients in the labels of one target */
    uint64_t events_per_target;   /* the newest aborts that are kept with all that is known of them */
    uint64_t clients_per_target; /* users, hosts and drivers together in the labels of one target, for its aborts … */
    uint64_t host_cache_hosts_per_target; /* those with the most errors */
    enum client_hosts client_hosts;       /* … with hosts or their networks */
    uint64_t drivers_per_target;          /* distinct pairs of driver and version in the labels of one target */
};

struct config {
    struct limits_config limits;
    struct text_list sd_files;      /* patterns of files with more targets: config/file_sd.h */
    int64_t sd_refresh_ns;          /* looked at anew so often, beside each time that inotify tells */
    struct module_config **modules; /* as defined in the file, for config_print() */
    size_t module_count;
    struct target_config **targets; /* in the order of the file; names are unique */
    size_t target_count;
    /* What a target that a request names is made from, without name and address: the top level's settings, and those
     * of each auth_module, under its name. */
    struct target_config *defaults;
    struct target_config **auth_modules;
    size_t auth_module_count;
};

/* Read and check `path`. NULL on failure, with `error` holding one line "file:line:column: targets[2].probe.timeout:
 * what is wrong"; `warnings` gets such lines too, one a line, also on success. Bounded in time and memory whatever the
 * file holds. Reads the password files and option files that it names; only regular files are opened. Values of the
 * file are never repeated in errors and warnings, as they may be secrets in the wrong place. Touches nothing that is
 * shared: may run in another thread. */
struct config *config_load(const char *path, struct strbuf *error, struct strbuf *warnings);

/* The configuration that mysqld_exporter's flags describe: one target, named as its address. Any argument may be NULL.
 * As there, what [client] in `my_cnf` says (user, password, host, port, socket, ssl-ca, ssl-cert, ssl-key) goes before
 * the flags and before the environment's MYSQLD_EXPORTER_PASSWORD; ssl-ca means verify-identity; the address is
 * localhost:3306 by default; a user is needed. With neither `username` nor `my_cnf`, ~/.my.cnf is read if it is there.
 * NULL on failure with one line in `error`. */
struct config *config_from_flags(const char *address, const char *username, const char *my_cnf, struct strbuf *error);

/* What the command line of `probe` or `doctor` says; NULL where it says nothing. */
struct probe_flags {
    const char *address, *user, *my_cnf;
    const char *tls_mode, *tls_ca, *tls_cert, *tls_key;
    const char *close; /* a close style */
    bool get_server_public_key;
    int64_t interval_ns, timeout_ns, hold_ns;
    const char *error_log_file, *error_log_source; /* `doctor`'s */
    /* Called last, when `user` is given and nothing gives its password. What it returns is malloc()ed; NULL with a line
     * in `error`. */
    char *(*ask_password)(const char *user, struct strbuf *error);
};

/* The target that these flags describe. [client] of `my_cnf` gives user, password, ssl-ca, ssl-cert and ssl-key where
 * the flags do not; the password may also come from the environment's MYSQL_PWD; with neither `user` nor `my_cnf`,
 * ~/.my.cnf is read if it is there. A CA means verify-identity where no mode is given. NULL on failure with one line in
 * `error`. */
struct target_config *config_for_probe(const struct probe_flags *flags, struct strbuf *error);

/* The same target as the only one of a configuration, polled and probed at `interval_ns`, with its error log: the file,
 * or the source (auto, table or none; auto where neither is given). NULL on failure with one line in `error`. */
struct config *config_for_doctor(const struct probe_flags *flags, struct strbuf *error);

/* The target that a file of discovered ones names: as config_for_request(), but whatever its address, which may be a
 * socket's, too. False with the reason in `why`. */
bool config_for_discovered(const struct config *config, const char *address, const char *module,
                           const char *auth_module, struct target_config **out, struct strbuf *why);

enum request_error { REQUEST_OK, REQUEST_UNKNOWN, REQUEST_MALFORMED, REQUEST_NOT_ALLOWED, REQUEST_NO_MEMORY };

/* The target that a request names: `address` with the settings of `auth_module` (NULL or "": the top level's), for one
 * probe by `module` (NULL or "": default). On success *out is the caller's; else `why` has the reason, which does not
 * repeat what the request said. REQUEST_UNKNOWN: there is no such module; REQUEST_NOT_ALLOWED: it is not for this
 * address, or not for requests at all. */
enum request_error config_for_request(const struct config *config, const char *address, const char *module,
                                      const char *auth_module, struct target_config **out, struct strbuf *why);

/* NULL is allowed. Frees the targets that are still in it; a slot set to NULL was taken over by somebody else. */
void config_free(struct config *config);
void target_config_free(struct target_config *target);

/* NULL when memory is short. */
struct target_config *target_config_copy(const struct target_config *target);
/* Whether a running target can go on with `b` in place of `a`: all settings and the resolved secrets are equal. */
bool target_config_equal(const struct target_config *a, const struct target_config *b);

/* The whole configuration as YAML with every default filled in, secrets as "<secret>"; loading it again (with the
 * secrets put back) gives the same configuration. */
void config_print(const struct config *config, struct strbuf *out);
/* The same in pieces: all before `targets:`, and each target below that. */
void config_print_head(const struct config *config, struct strbuf *out);
void config_print_listed(const struct target_config *target, struct strbuf *out);
/* One target alone, or what stands for one, with its modules. */
void config_print_target(const struct target_config *target, struct strbuf *out);
/* The README's reference: one Markdown table, a row a key (key, type, default, range, meaning). */
void config_reference(struct strbuf *out);

const char *tls_mode_name(enum tls_mode mode);
const char *close_style_name(enum close_style style);
const char *log_kind_name(enum log_kind kind);

#endif
