/*
 * The subcommand `probe`: the daemon's own probe, for people.
 */
#ifndef CLI_PROBE_COMMAND_H
#define CLI_PROBE_COMMAND_H

#include "cli/options.h"

/* Probe until the count is reached or a signal comes, write what comes of it to stdout. The exit status: 0 when all
 * probes succeeded, 1 when some failed or none was made, 2 when the options do not describe a target. */
int probe_command(const struct probe_options *options);

#endif
