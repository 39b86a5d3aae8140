/*
 * Asking for the statistics of users and clients: a part of session_poll.h with an interval of its own, where the
 * server keeps them (userstat). What is asked is bounded: the rows with the most connections, as many as the limits let
 * be seen.
 */
#ifndef OBSERVE_USERSTAT_POLL_H
#define OBSERVE_USERSTAT_POLL_H

#include "observe/client.h"
#include "observe/target.h"

/* Into target->userstat and ->evidence; nothing where it is not yet due. After our privileges are known. Nothing is
 * logged. */
void userstat_poll(struct target *target, struct client *client);

#endif
