/*
 * What a poll sees beyond counters: the process list with its transactions, what the clients announced, and MySQL's
 * summary of errors. Runs inside a coroutine, over the kept connection, after a poll that succeeded.
 *
 * At every poll, or each `sessions.interval`, two queries for the sessions, and one more where new ones came; on MySQL
 * one at each poll for the errors, and one more where some came. On a new connection we ask first what our account may,
 * and what it may not is left alone until the next: MySQL and MariaDB apply a change of global privileges to new
 * connections only.
 */
#ifndef OBSERVE_SESSION_POLL_H
#define OBSERVE_SESSION_POLL_H

#include "observe/client.h"
#include "observe/target.h"

/* Into target->sessions, ->server_errors and ->evidence; increases of errors to `observer`. Nothing is logged. The
 * connection may be lost afterwards: see poll_used(). */
void session_poll(struct target *target, struct client *client, const struct observer *observer);

#endif
