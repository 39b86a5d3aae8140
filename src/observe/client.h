/*
 * One conversation with a server, in straight-line code on a coroutine: connect, ping, query, quit, with each phase
 * timed, each failure classed and the close watched. The only user of <mysql.h>; how libmariadb is kept from ever
 * blocking the loop is in client.c and `../shared/facts/server-behaviour.md`, last section.
 *
 * All functions but client_new(), client_free() and the getters must run inside a coroutine.
 */
#ifndef OBSERVE_CLIENT_H
#define OBSERVE_CLIENT_H

#include "base/clock.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "observe/own_connections.h"
#include "observe/phase.h"
#include "observe/resolve.h"
#include "observe/tcp_facts.h"
#include "observe/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct client;

/* A conversation has two deadlines. At the first (`report`) `on_late(arg)` is called, once, with the phase that is
 * under way: the result is a timeout, and may be told. The operation itself goes on until the second (`give_up`), so
 * that it can still end with COM_QUIT; only then is the socket dropped, which the server counts as an abort. */
struct client_deadline {
    struct mono report, give_up;
    void (*on_late)(void *arg, const struct failure *failure);
    void *arg;
};

/* What was learnt on the way. Texts are static; NULL where there was nothing to learn. */
struct client_facts {
    unsigned ipv4, ipv6;            /* addresses of the name */
    unsigned addresses_failed;      /* those that were left for the next one */
    char address[RESOLVE_TEXT_MAX]; /* the one that was tried last; "" a socket, or none */
    const char *auth_plugin, *tls_version, *tls_cipher;
    int64_t cert_expiry_s; /* Unix time of the earliest not-after in the server's chain, also of one that was refused; 0
                              none seen */
    struct tcp_facts tcp;  /* just before COM_QUIT, or when time was up; retransmissions until the server's end */
    uint32_t violations[WIRE_VIOLATION_COUNT];
    unsigned close_code;   /* CLOSE_UNEXPECTED_DATA: a place in CLOSE_CODES */
    unsigned close_number; /* … and the error packet's own number, 0 none */
};

/* Once, before anything else. 0, or -ENOSYS when this libmariadb lacks what we need. */
int client_library_init(void);
void client_library_end(void);
/* "libmariadb 3.3.20" */
const char *client_library_name(void);

/* Nothing is opened yet. `config` is borrowed. NULL when memory is short. */
struct client *client_new(const struct target_config *config);
/* A client that still has a connection drops it (see client_drop()). NULL is allowed. */
void client_free(struct client *client);

/* Applies to all waits from now on. */
void client_set_deadline(struct client *client, const struct client_deadline *deadline);

/* Resolve, connect, TLS, log in. Addresses of a name are tried in the resolver's order. 0, or -1 with *failure filled;
 * the connection is closed then. */
int client_connect(struct client *client, struct failure *failure);
/* COM_PING. 0 or -1. After a failure that lost the connection client_connected() is false. */
int client_ping(struct client *client, struct failure *failure);
/* Run one statement and hand each row to `on_row` (NULL to drop the rows); a field is NULL-pointer for SQL NULL.
 * Between rows the loop may have its turn. 0 or -1: also after some of the rows. */
typedef void client_row_fn(void *arg, const struct span *fields, unsigned count);
int client_query(struct client *client, const char *sql, client_row_fn *on_row, void *arg, struct failure *failure);
/* Leave the connection idle for `ns`. 0 when that is over, 1 when coroutine_wake() or _cancel() ended it, and nothing
 * came; else -1 with *failure filled and *end saying what came. Bytes that came are left for the next query to read,
 * which is what a pool's client does: *end is then HOLD_ERROR, 0 is returned, and *failure is what they say where that
 * can be read, else FAILURE_NONE. */
int client_hold(struct client *client, int64_t ns, enum hold_end *end, struct failure *failure);
/* End the connection in this style; see config.h. CLOSE_QUIT_WAIT and CLOSE_NONE wait for the server's end until
 * `give_up`, the others for nothing. */
enum close_outcome client_close(struct client *client, enum close_style style);
/* Close without COM_QUIT: the server will count an abort. Only when client_close() cannot be waited for. */
void client_drop(struct client *client);

bool client_connected(const struct client *client);
/* Whether it leads over TCP to this machine. */
bool client_peer_is_here(struct client *client);
/* Whether the server has counted, or will count, an abort for what we did: we gave up, or it refused our login. */
bool client_self_aborted(const struct client *client);
/* Whether the close style was one that makes the server count an abort, and could be carried out. */
bool client_aborted_on_purpose(const struct client *client);
/* What the server counts for either of the two. */
enum own_abort client_own_abort(const struct client *client);
/* Whether a server counts a login that failed in this way as an aborted connect. */
bool client_failure_counts(const struct failure *failure);
/* How long the phase lasted the last time, -1 where it did not happen or did not end. */
int64_t client_phase_ns(const struct client *client, enum phase phase);
/* From the greeting; 0 and "" before it. */
uint64_t client_connection_id(const struct client *client);
const char *client_server_version(const struct client *client);
/* The process that listens at the unix socket; 0 where there is none, or systemd listens in the server's place. */
pid_t client_server_pid(struct client *client);
const struct client_facts *client_facts(const struct client *client);

#endif
