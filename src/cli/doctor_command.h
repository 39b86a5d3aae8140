/*
 * The subcommand `doctor HOST`: looks at a server for a while, as the daemon would, and tells what is wrong with its
 * connections.
 */
#ifndef CLI_DOCTOR_COMMAND_H
#define CLI_DOCTOR_COMMAND_H

#include "cli/options.h"

/* The exit status: 0 when nothing worse than an info was found, 1 when something was, or the server was not reached, 2
 * when it was called wrongly. */
int doctor_command(const struct doctor_options *options);

#endif
