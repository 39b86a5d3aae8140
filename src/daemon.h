/*
 * The daemon's life: start, reload (SIGHUP), end (SIGTERM, SIGINT), and what systemd is told of it.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "cli/options.h"
#include "config/config.h"

/* Watch the targets of `config` (taken over) until a signal ends it. The exit status: 0, or 1 when it could not start.
 */
int daemon_run(const struct options *options, struct config *config);

/* The configuration that the options name: from the file or from mysqld_exporter's flags. As config_load(). */
struct config *daemon_load_config(const struct options *options, struct strbuf *error, struct strbuf *warnings);

#endif
