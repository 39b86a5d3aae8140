/*
 * The server's host cache: which hosts it refused, for what, and which it blocks or soon will. Knows nothing of how it
 * is asked; see host_cache_poll.h.
 *
 * The server keeps a row of counts for each host and forgets rows: the oldest when the cache is full, all of them by
 * FLUSH HOSTS and when the cache's size is set. So its sums are no counters. Ours add up what came, by what is known of
 * rows that stay: those first seen before an instant are the same ones at the next look, less those that went, which
 * are counted; those first seen later are new. A total is never too high, and too low only when hosts were lost. (Of
 * hosts first seen in the very second of a look, a loss shows only where no others came for them.)
 */
#ifndef OBSERVE_HOST_CACHE_H
#define OBSERVE_HOST_CACHE_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kinds of errors, in the order of the table's columns: COUNT_…_ERRORS, and its name here. Not every server has
 * all of them. */
#define HOST_CACHE_KINDS(X)                                                                                            \
    X(HOST_BLOCKED, "host_blocked")                                                                                    \
    X(NAMEINFO_TRANSIENT, "nameinfo_transient")                                                                        \
    X(NAMEINFO_PERMANENT, "nameinfo_permanent")                                                                        \
    X(FORMAT, "format")                                                                                                \
    X(ADDRINFO_TRANSIENT, "addrinfo_transient")                                                                        \
    X(ADDRINFO_PERMANENT, "addrinfo_permanent")                                                                        \
    X(FCRDNS, "fcrdns")                                                                                                \
    X(HOST_ACL, "host_acl")                                                                                            \
    X(NO_AUTH_PLUGIN, "no_auth_plugin")                                                                                \
    X(AUTH_PLUGIN, "auth_plugin")                                                                                      \
    X(HANDSHAKE, "handshake")                                                                                          \
    X(PROXY_USER, "proxy_user")                                                                                        \
    X(PROXY_USER_ACL, "proxy_user_acl")                                                                                \
    X(AUTHENTICATION, "authentication")                                                                                \
    X(SSL, "ssl")                                                                                                      \
    X(MAX_USER_CONNECTIONS, "max_user_connections")                                                                    \
    X(MAX_USER_CONNECTIONS_PER_HOUR, "max_user_connections_per_hour")                                                  \
    X(DEFAULT_DATABASE, "default_database")                                                                            \
    X(INIT_CONNECT, "init_connect")                                                                                    \
    X(LOCAL, "local")                                                                                                  \
    X(UNKNOWN, "unknown")                                                                                              \
    X(ACCOUNT_LOCKED, "account_locked")                                                                                \
    X(TEMPORARY_ACCOUNT_LOCKED, "temporary_account_locked")

enum host_cache_kind {
#define HOST_CACHE_ENUM(id, label) HOST_CACHE_##id,
    HOST_CACHE_KINDS(HOST_CACHE_ENUM)
#undef HOST_CACHE_ENUM
        HOST_CACHE_KIND_COUNT
};

enum { HOST_CACHE_IP_MAX = 64 };

struct host_cache_host {
    char ip[HOST_CACHE_IP_MAX + 1]; /* as the server has it, raw */
    uint64_t errors;                /* of all kinds, in its row now */
    uint64_t connect_errors;        /* handshakes that failed since the last that went well: what blocks it */
};

struct host_cache_facts {
    int64_t from_wall_ns, wall_ns; /* the look before the last, and the last; 0 there was none */

    /* The last look. */
    uint64_t hosts, hosts_with_errors, errors;
    uint64_t max_connect_errors;
    uint64_t blocked;                  /* hosts with as many connect_errors as that, or more */
    uint64_t near;                     /* those with half as many or more, and not blocked */
    struct host_cache_host nearest;    /* the host with the most connect_errors; "" none has any. Its `errors` is 0 */
    const struct host_cache_host *top; /* those with the most errors, most first */
    size_t top_count;

    unsigned kinds;                           /* 1 << kind for each that this server has */
    uint64_t increase[HOST_CACHE_KIND_COUNT]; /* between those two looks */
    uint64_t total[HOST_CACHE_KIND_COUNT];    /* since our start */
    uint64_t hosts_lost;                      /* that were there at one look and not at the next, since our start */
};

/* A row belongs to one of these, by when its host was first seen: before the instant of the last look, before that of
 * this look, or later (server's clock, whole seconds). */
enum host_cache_age { HOST_CACHE_OLD, HOST_CACHE_NEW, HOST_CACHE_NEWEST, HOST_CACHE_AGE_COUNT };

/* The sums over the rows of one age. */
struct host_cache_rows {
    enum host_cache_age age;
    uint64_t instant; /* of this look: Unix seconds by the server's clock, never before that of the last look */
    uint64_t hosts, hosts_with_errors, blocked, near;
    struct host_cache_host nearest;
    uint64_t errors[HOST_CACHE_KIND_COUNT];
};

struct host_cache;

struct host_cache *host_cache_new(void); /* NULL when memory is short */
void host_cache_free(struct host_cache *cache);

/* The instant of the last look; 0 before the first. */
uint64_t host_cache_instant(const struct host_cache *cache);
/* A look: the sums of each age that has rows; at most `top_max` hosts, those with the most errors first; then the end,
 * and only from then on is it what the readers see. One that is not ended is forgotten with the next. */
void host_cache_begin(struct host_cache *cache, uint64_t max_connect_errors, unsigned kinds, size_t top_max);
void host_cache_add(struct host_cache *cache, const struct host_cache_rows *rows);
void host_cache_add_host(struct host_cache *cache, struct span ip, uint64_t errors, uint64_t connect_errors);
void host_cache_end(struct host_cache *cache, int64_t wall_ns);
/* Whether it has found any errors so far. */
bool host_cache_found_errors(const struct host_cache *cache);

/* The server was started anew: the cache began empty. */
void host_cache_restarted(struct host_cache *cache);
/* Another server answers: the next look only says where its sums stand. */
void host_cache_forget(struct host_cache *cache);

const struct host_cache_facts *host_cache_facts(const struct host_cache *cache);
/* Hosts with errors that are not in the list, and their errors. */
void host_cache_other(const struct host_cache_facts *facts, uint64_t *hosts, uint64_t *errors);
/* connect_errors of the nearest host against the limit: 1 and more is blocked; 0 where the limit is not known. */
double host_cache_nearest_ratio(const struct host_cache_facts *facts);

const char *host_cache_kind_name(enum host_cache_kind kind);   /* "handshake" */
const char *host_cache_kind_column(enum host_cache_kind kind); /* "COUNT_HANDSHAKE_ERRORS" */

#endif
