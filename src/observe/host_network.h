/*
 * The network of this machine, while there are targets on it: the kernel's counters are sampled at an interval and kept
 * for a while, so that what moved about the time of an abort can be told, as one would with `netstat -s` before and
 * after; and the sockets on the servers' ports are counted. One for all targets.
 *
 * The counters come from small files, at once; the sockets from the kernel by a job in libuv's pool: those that listen
 * each time, which costs next to nothing, all of them only so often that the walk takes no more than a 5000th of a
 * core's time, though once a minute in any case.
 */
#ifndef OBSERVE_HOST_NETWORK_H
#define OBSERVE_HOST_NETWORK_H

#include "observe/net_counters.h"
#include "observe/port_sockets.h"

#include <uv.h>

/*   enum suffix, name */
#define NETWORK_SOURCES(X)                                                                                             \
    X(NETSTAT, "netstat")                                                                                              \
    X(SNMP, "snmp")                                                                                                    \
    X(DEV, "dev")                                                                                                      \
    X(SOCKETS, "sockets")

enum network_source {
#define NETWORK_SOURCE_ENUM(id, name) NETWORK_##id,
    NETWORK_SOURCES(NETWORK_SOURCE_ENUM)
#undef NETWORK_SOURCE_ENUM
        NETWORK_SOURCE_COUNT
};

const char *network_source_name(enum network_source source);

struct host_network_facts {
    size_t watches; /* 0: nobody wants to know, and the rest is of before */
    uint64_t samples;
    int64_t last_wall_ns;                    /* of the last sample; 0 there was none */
    uint64_t failures[NETWORK_SOURCE_COUNT]; /* times that it could not be read */
    struct net_counters counters;            /* the last sample */
    struct net_interfaces interfaces;
};

struct host_network;
struct port_watch; /* one target's interest */

struct host_network *host_network_new(uv_loop_t *loop); /* NULL when memory is short */
/* Waits for a job that runs. No watch may be left. NULL is allowed. */
void host_network_close(struct host_network *network);

/* Sample from now on, at the shortest interval of all watches, though not below a second; and count the sockets on
 * `port`, all of them with the next sample. NULL when memory is short. */
struct port_watch *host_network_watch(struct host_network *network, uint16_t port, int64_t interval_ns);
void port_watch_end(struct port_watch *watch); /* NULL is allowed */
uint16_t port_watch_port(const struct port_watch *watch);
/* What was counted last; NULL: nothing yet, or it could not be. */
const struct port_sockets *port_watch_sockets(const struct port_watch *watch);
/* When that part of it was; 0 never. And how long it may be between two times. */
int64_t port_watch_wall_ns(const struct port_watch *watch, enum sockets_part part);
int64_t port_watch_interval_ns(const struct port_watch *watch, enum sockets_part part);

const struct host_network_facts *host_network_facts(const struct host_network *network);

/* Take a sample now, out of turn: to be called when something happened that the counters may tell of. At most a
 * hundred a second are taken, and none where nobody watches. */
void host_network_look(struct host_network *network);

/* What moved in a stretch of time, by the samples next around it. */
struct host_network_moves {
    int64_t from_wall_ns, to_wall_ns; /* of these samples: they may lie further apart, or, at the ends of what is kept,
                                         nearer together than what was asked for */
    size_t count;
    struct {
        enum net_counter counter;
        uint64_t increase;
    } moves[NET_COUNTER_COUNT]; /* in the order of the table: the most telling first */
};

/* 0, or -ENODATA when no two samples tell of it: it is before or after what is kept. About two minutes are, and more
 * where the interval is longer than a second. */
int host_network_moved(const struct host_network *network, int64_t from_wall_ns, int64_t to_wall_ns,
                       struct host_network_moves *out);

/* How long it is from one walk through all sockets to the next when it took the processor so long. */
int64_t host_network_pause_ns(int64_t cost_ns);

/* Keep a sample as if it had been read at `wall_ns`; for tests. */
void host_network_keep(struct host_network *network, const struct net_counters *counters, int64_t wall_ns);

#endif
