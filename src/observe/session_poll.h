/*
 * What a poll sees beyond counters: the process list with its transactions, what the clients announced, and MySQL's
 * summary of errors. Runs inside a coroutine, over the kept connection, after a poll that succeeded.
 *
 * One query at each poll for the sessions, and one on MySQL for the errors; one more where new sessions came, and where
 * errors did. What a privilege is missing for is left alone until the next connection: MySQL and MariaDB apply a change
 * of global privileges to new connections only.
 */
#ifndef OBSERVE_SESSION_POLL_H
#define OBSERVE_SESSION_POLL_H

#include "observe/client.h"
#include "observe/target.h"

/* Into target->sessions, ->server_errors and ->evidence; increases of errors to `observer`. Nothing is logged. */
void session_poll(struct target *target, struct client *client, const struct observer *observer);

#endif
