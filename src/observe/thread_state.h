/*
 * What a session does, as mysqld_exporter's labels have it, so that its dashboards work.
 */
#ifndef OBSERVE_THREAD_STATE_H
#define OBSERVE_THREAD_STATE_H

#include "base/strbuf.h"

#include <stddef.h>

enum { THREAD_STATE_MAX = 64 };

/* A command or state as a label since 0.14: "Sending data" is "sending_data", nothing is "unknown". Printable ASCII,
 * cut at THREAD_STATE_MAX - 1 bytes. */
void thread_state_label(char out[THREAD_STATE_MAX], struct span text);
/* Before, there was one label for both: "idle", "executing", "waiting for lock", "sending data". States that it did not
 * know are here what they are called, not "other". */
void thread_state_old_label(char out[THREAD_STATE_MAX], struct span command, struct span state);

#endif
