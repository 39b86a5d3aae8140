/*
 * The command line: a table of flags for the daemon and one for each subcommand give parsing and --help.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { TEXTS_OPTION_MAX = 16 };

enum command {
    COMMAND_RUN,
    COMMAND_CHECK_CONFIG,
    COMMAND_PRINT_CONFIG,
    COMMAND_PRINT_CONFIG_REFERENCE,
    COMMAND_PRINT_CAUSES,
    COMMAND_PRINT_DRIVERS,
    COMMAND_PRINT_ADVICE,
    COMMAND_PRINT_METRICS,
    COMMAND_PRINT_AGES,
    COMMAND_PRINT_API,
    COMMAND_VERSION,
    COMMAND_HELP,
    COMMAND_PROBE,
    COMMAND_EXPLAIN,
    COMMAND_DOCTOR,
};

/* A flag that may be given several times. */
struct texts_option {
    const char *texts[TEXTS_OPTION_MAX];
    size_t count;
};

struct probe_options {
    const char *host;
    uint64_t count; /* 0: until a signal */
    int64_t interval_ns, timeout_ns, hold_ns;
    const char *close;
    bool get_server_public_key;
    const char *user, *my_cnf;
    const char *tls_mode, *tls_ca, *tls_cert, *tls_key;
    bool json;
};

struct doctor_options {
    struct probe_options look; /* of which count, hold and close are not used */
    int64_t for_ns;
    const char *error_log_file, *error_log_source; /* NULL: auto */
};

struct explain_options {
    const char *const *files; /* "-" is stdin */
    size_t file_count;
    const char *since, *until; /* NULL: no bound */
    const char *time_zone;     /* of times without one; NULL: shown as they are */
    uint64_t top;              /* rows of each list */
    uint64_t line_limit;       /* bytes of a line that are looked at */
    bool events, json;
};

struct subcommand;

struct options {
    enum command command;
    const struct subcommand *subcommand; /* whose flags were parsed; private to options.c */
    const char *config_file;             /* NULL: mysqld_exporter's flags describe the one target */
    const char *mysqld_address, *mysqld_username, *my_cnf;
    struct texts_option listen_addresses; /* at least one */
    bool systemd_socket;
    const char *telemetry_path;
    const char *external_url, *route_prefix; /* NULL: not given */
    const char *web_config_file;             /* NULL: none */
    const char *shard;                       /* "i/n"; NULL: all targets are ours */
    int64_t timeout_offset_ns;               /* /probe answers so long before Prometheus' deadline */
    const char *storage_path;                /* NULL: what should outlive us is kept in memory only */
    enum log_level log_level;
    enum log_format log_format;
    struct probe_options probe;
    struct doctor_options doctor;
    struct explain_options explain;
};

/* Fill *options from the arguments, which it then points into. 0, or -EINVAL after saying on stderr what is wrong. */
int options_parse(int argc, char **argv, struct options *options);
/* Of the subcommand that was named, or of the daemon. */
void options_help(const struct options *options, FILE *out);

#endif
