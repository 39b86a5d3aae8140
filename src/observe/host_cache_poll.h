/*
 * Asking for the server's host cache: a part of session_poll.h with an interval of its own. The server adds the sums
 * up: one row for each age comes, and a few hosts.
 */
#ifndef OBSERVE_HOST_CACHE_POLL_H
#define OBSERVE_HOST_CACHE_POLL_H

#include "observe/client.h"
#include "observe/target.h"

/* Into target->host_cache and ->evidence; nothing where it is not yet due. Nothing is logged. */
void host_cache_poll(struct target *target, struct client *client);

#endif
