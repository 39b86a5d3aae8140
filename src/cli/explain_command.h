/*
 * `mysqlconn_exporter explain FILE…`: what error logs say of connections, offline.
 */
#ifndef CLI_EXPLAIN_COMMAND_H
#define CLI_EXPLAIN_COMMAND_H

#include "cli/options.h"

/* Runs it; the exit status. */
int explain_command(const struct explain_options *options);

#endif
