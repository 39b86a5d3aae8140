/*
 * Which connections of a server are our own, so that what its error log says of them is known for what it is: those
 * that are open, from the greeting on, and the last ones that were.
 */
#ifndef OBSERVE_OWN_CONNECTIONS_H
#define OBSERVE_OWN_CONNECTIONS_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;

enum { OWN_CONNECTIONS_KEPT = 16 };

/* What the server counts when we leave it badly. */
enum own_abort { OWN_NO_ABORT, OWN_ABORTED_CLIENT, OWN_ABORTED_CONNECT, OWN_ABORTED_PREAUTH };

struct own_connection {
    const struct client *client; /* NULL once it is closed; borrowed */
    uint64_t id;                 /* once it is closed; 0 none */
    struct mono began, ended;
    enum own_abort abort; /* OWN_ABORTED_PREAUTH: counted as an aborted connect, too */
    bool logged;          /* a line told of its abort */
    bool taken_client, taken_connect, taken_preauth;
};

/* All zero is none. */
struct own_connections {
    struct own_connection ring[OWN_CONNECTIONS_KEPT];
    unsigned next;
};

/* From now on, until it is told that it ended, the connection that this client has is ours. Where more are open than
 * are kept the oldest is forgotten. */
void own_connections_began(struct own_connections *own, const struct client *client);
void own_connections_ended(struct own_connections *own, const struct client *client, enum own_abort abort);
/* The server started anew then, and counts its connections from 1 on: those that were begun before are forgotten. */
void own_connections_forget(struct own_connections *own, struct mono start);

bool own_connections_have(const struct own_connections *own, uint64_t id);
/* The log told of the abort of `id`, if that is ours. */
void own_connections_logged(struct own_connections *own, uint64_t id);
/* Up to `max` aborts from `since` to `until`, or under way, that a counter rose for (OWN_ABORTED_CONNECT takes those of
 * OWN_ABORTED_PREAUTH, too) and of which no line told; each is taken once for each counter. Returns how many. */
unsigned own_connections_take(struct own_connections *own, enum own_abort counter, struct mono since, struct mono until,
                              unsigned max);

#endif
