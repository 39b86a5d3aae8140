/*
 * The command line; see options.h.
 */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <string.h>

/* What a flag does: sets a text, chooses a command, or (for the two log flags) is parsed. */
enum flag_kind { FLAG_TEXT, FLAG_COMMAND, FLAG_LOG_LEVEL, FLAG_LOG_FORMAT };

static const struct flag {
    const char *name;
    enum flag_kind kind;
    size_t offset; /* FLAG_TEXT: of the field */
    enum command command;
    const char *argument; /* NULL: takes none */
    const char *help;
} flags[] = {
#define TEXT(name, field, argument, help)                                                                              \
    { name, FLAG_TEXT, offsetof(struct options, field), COMMAND_RUN, argument, help }
#define COMMAND(name, command, help)                                                                                   \
    { name, FLAG_COMMAND, 0, command, NULL, help }
    TEXT("config.file", config_file, "FILE", "the configuration (YAML)"),
    COMMAND("config.check", COMMAND_CHECK_CONFIG, "check the configuration and exit"),
    COMMAND("print-config", COMMAND_PRINT_CONFIG, "print it with all defaults, without secrets"),
    TEXT("web.listen-address", listen_address, "HOST:PORT", "where to serve (default :9704)"),
    TEXT("web.telemetry-path", telemetry_path, "PATH", "path of the metrics (default /metrics)"),
    {"log.level", FLAG_LOG_LEVEL, 0, COMMAND_RUN, "LEVEL", "debug, info (default), warn or error"},
    {"log.format", FLAG_LOG_FORMAT, 0, COMMAND_RUN, "FORMAT", "logfmt (default) or json"},
    TEXT("mysqld.address", mysqld_address, "HOST:PORT", "one target without a configuration file …"),
    TEXT("mysqld.username", mysqld_username, "USER", "… its user; password: MYSQLD_EXPORTER_PASSWORD"),
    TEXT("config.my-cnf", my_cnf, "FILE", "… or both from the [client] group of FILE"),
    COMMAND("print-metrics", COMMAND_PRINT_METRICS, "print the table of metrics (Markdown)"),
    COMMAND("print-config-reference", COMMAND_PRINT_CONFIG_REFERENCE, "print the table of settings (Markdown)"),
    COMMAND("version", COMMAND_VERSION, "print the version"),
    COMMAND("help", COMMAND_HELP, "print this"),
#undef TEXT
#undef COMMAND
};
enum { FLAG_COUNT = sizeof flags / sizeof flags[0] };

static int bad_value(const struct flag *flag, const char *value) {
    fprintf(stderr, "mysqlconn_exporter: --%s: '%s' is not one of: %s\n", flag->name, value, flag->help);
    return -EINVAL;
}

static int take(const struct flag *flag, const char *value, struct options *options) {
    switch (flag->kind) {
    case FLAG_TEXT:
        memcpy((char *)options + flag->offset, &value, sizeof value);
        return 0;
    case FLAG_COMMAND:
        options->command = flag->command;
        return 0;
    case FLAG_LOG_LEVEL:
        return log_level_parse(value, &options->log_level) < 0 ? bad_value(flag, value) : 0;
    case FLAG_LOG_FORMAT:
        return log_format_parse(value, &options->log_format) < 0 ? bad_value(flag, value) : 0;
    }
    return -EINVAL;
}

static int check(const struct options *options) {
    bool needs_target = options->command == COMMAND_RUN || options->command == COMMAND_CHECK_CONFIG ||
                        options->command == COMMAND_PRINT_CONFIG;
    bool flags_name_target = options->mysqld_address || options->mysqld_username || options->my_cnf;
    const char *wrong = NULL;
    if (options->config_file && flags_name_target)
        wrong = "--config.file cannot be given together with --mysqld.address, --mysqld.username or --config.my-cnf";
    else if (needs_target && !options->config_file && !flags_name_target)
        wrong = "what to watch? Give --config.file=FILE, or --mysqld.address=HOST:PORT (see --help)";
    else if (options->telemetry_path[0] != '/')
        wrong = "--web.telemetry-path must begin with '/'";
    if (wrong)
        fprintf(stderr, "mysqlconn_exporter: %s\n", wrong);
    return wrong ? -EINVAL : 0;
}

int options_parse(int argc, char **argv, struct options *options) {
    struct option longs[FLAG_COUNT + 1] = {0};
    for (int i = 0; i < FLAG_COUNT; i++)
        longs[i] = (struct option){flags[i].name, flags[i].argument ? required_argument : no_argument, NULL, i};
    *options = (struct options){.listen_address = ":9704",
                                .telemetry_path = "/metrics",
                                .log_level = LOG_LEVEL_INFO,
                                .log_format = LOG_FORMAT_LOGFMT};
    for (;;) {
        int i = getopt_long(argc, argv, "", longs, NULL);
        if (i == -1)
            break;
        if (i < 0 || i >= FLAG_COUNT)
            return -EINVAL; /* getopt has said why */
        int rc = take(&flags[i], optarg, options);
        if (rc < 0)
            return rc;
    }
    if (optind < argc) {
        fprintf(stderr, "mysqlconn_exporter: unexpected argument '%s' (see --help)\n", argv[optind]);
        return -EINVAL;
    }
    return check(options);
}

void options_help(FILE *out) {
    fputs("mysqlconn_exporter watches the health of MySQL and MariaDB connections: who hung\n"
          "up, how, and why. It serves Prometheus metrics and a status page.\n\n"
          "usage: mysqlconn_exporter --config.file=FILE [FLAGS]\n\n",
          out);
    for (int i = 0; i < FLAG_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "--%s%s%s", flags[i].name, flags[i].argument ? "=" : "",
                 flags[i].argument ? flags[i].argument : "");
        fprintf(out, "  %-30s %s\n", name, flags[i].help);
    }
    fputs("\nSIGHUP reloads the configuration; SIGTERM and SIGINT end.\n", out);
}
