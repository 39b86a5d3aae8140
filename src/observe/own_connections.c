/*
 * Our own connections; see own_connections.h.
 */
#include "observe/own_connections.h"

#include "observe/client.h"

static uint64_t id_of(const struct own_connection *c) {
    return c->client ? client_connection_id(c->client) : c->id;
}

void own_connections_began(struct own_connections *own, const struct client *client) {
    /* An open one is overwritten only where all are. */
    for (unsigned tries = 0; tries < OWN_CONNECTIONS_KEPT && own->ring[own->next].client; tries++)
        own->next = (own->next + 1) % OWN_CONNECTIONS_KEPT;
    own->ring[own->next] = (struct own_connection){.client = client, .began = mono_now()};
    own->next = (own->next + 1) % OWN_CONNECTIONS_KEPT;
}

void own_connections_ended(struct own_connections *own, const struct client *client, enum own_abort abort) {
    for (unsigned i = 0; i < OWN_CONNECTIONS_KEPT; i++) {
        struct own_connection *c = &own->ring[i];
        if (c->client != client)
            continue; /* or it is forgotten */
        c->id = client_connection_id(client);
        c->client = NULL;
        c->ended = mono_now();
        c->abort = abort;
        return;
    }
}

void own_connections_forget(struct own_connections *own, struct mono start) {
    for (unsigned i = 0; i < OWN_CONNECTIONS_KEPT; i++)
        if (mono_before(own->ring[i].began, start))
            own->ring[i] = (struct own_connection){0};
}

static const struct own_connection *find(const struct own_connections *own, uint64_t id) {
    for (unsigned i = 0; id != 0 && i < OWN_CONNECTIONS_KEPT; i++)
        if (id_of(&own->ring[i]) == id)
            return &own->ring[i];
    return NULL;
}

bool own_connections_have(const struct own_connections *own, uint64_t id) {
    return find(own, id) != NULL;
}

void own_connections_logged(struct own_connections *own, uint64_t id) {
    const struct own_connection *c = find(own, id);
    if (c)
        own->ring[c - own->ring].logged = true;
}

static bool *place_of(struct own_connection *c, enum own_abort counter) {
    /* The server may have counted one that still waits for its end. */
    enum own_abort abort = c->client ? client_own_abort(c->client) : c->abort;
    if (counter == OWN_ABORTED_CLIENT)
        return abort == OWN_ABORTED_CLIENT ? &c->taken_client : NULL;
    if (counter == OWN_ABORTED_CONNECT)
        return abort == OWN_ABORTED_CONNECT || abort == OWN_ABORTED_PREAUTH ? &c->taken_connect : NULL;
    return abort == OWN_ABORTED_PREAUTH ? &c->taken_preauth : NULL;
}

unsigned own_connections_take(struct own_connections *own, enum own_abort counter, struct mono since, struct mono until,
                              unsigned max) {
    unsigned taken = 0;
    for (unsigned i = 0; i < OWN_CONNECTIONS_KEPT && taken < max; i++) {
        struct own_connection *c = &own->ring[i];
        bool *place = c->logged ? NULL : place_of(c, counter);
        bool too_old = !c->client && mono_before(c->ended, since);
        if (!place || *place || too_old || mono_before(until, c->client ? c->began : c->ended))
            continue;
        *place = true;
        taken++;
    }
    return taken;
}
