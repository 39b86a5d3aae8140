/*
 * The command line: one table of flags gives parsing and --help.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/log.h"

#include <stdio.h>

enum command {
    COMMAND_RUN,
    COMMAND_CHECK_CONFIG,
    COMMAND_PRINT_CONFIG,
    COMMAND_PRINT_CONFIG_REFERENCE,
    COMMAND_PRINT_METRICS,
    COMMAND_VERSION,
    COMMAND_HELP,
};

struct options {
    enum command command;
    const char *config_file; /* NULL: mysqld_exporter's flags describe the one target */
    const char *mysqld_address, *mysqld_username, *my_cnf;
    const char *listen_address;
    const char *telemetry_path;
    enum log_level log_level;
    enum log_format log_format;
};

/* Fill *options from the arguments, which it then points into. 0, or -EINVAL after saying on stderr what is wrong. */
int options_parse(int argc, char **argv, struct options *options);
void options_help(FILE *out);

#endif
