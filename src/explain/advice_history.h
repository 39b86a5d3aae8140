/*
 * What a target has had in the last hour at most, as far as advice asks for it: aborts by cause and by driver, and some
 * other counts. It is fed with each poll and with the aborts whose client is known.
 */
#ifndef EXPLAIN_ADVICE_HISTORY_H
#define EXPLAIN_ADVICE_HISTORY_H

#include "base/clock.h"
#include "explain/abort_event.h"
#include "explain/driver.h"
#include "observe/target.h"

#include <stdbool.h>
#include <stdint.h>

/* What is counted in the window besides aborts by cause. */
enum advice_count {
    COUNT_POLLS,            /* that succeeded */
    COUNT_CONNECTED,        /* Σ Threads_connected over them */
    COUNT_CONNECTIONS,      /* Connections, without our own and without those that failed */
    COUNT_COUNTED_ABORTS,   /* Aborted_clients and Aborted_connects, less what may still be explained … */
    COUNT_UNEXPLAINED,      /* … of which so many without evidence */
    COUNT_DNS_LINES,        /* of the error log … */
    COUNT_LOG_GAPS,         /* … where lines may have been lost … */
    COUNT_LOG_MISSED,       /* … and so many were dropped before they were read */
    COUNT_SELF_ABORTS,      /* ours, not asked for */
    COUNT_PROBES,           /* … and their … */
    COUNT_RETRANSMISSIONS,  /* TCP segments sent again */
    COUNT_SLOW_GREETINGS,   /* the greeting came more than a second after the connection */
    COUNT_PATH_CUTS,        /* idle connections that were cut by neither end */
    COUNT_HOST_NAME_ERRORS, /* host_cache: look-ups of names that failed */
    COUNT_LISTEN_OVERFLOWS, /* of this machine, where the server is on it: a full accept queue, of whatever port … */
    COUNT_LISTEN_DROPS,     /* … and what the server's own listening socket dropped, for that or another reason */
    ADVICE_COUNTS
};

enum { ADVICE_VERSION_MAX = 32 };

/* Clients of one row of driver_table whose connections were aborted with one of the row's causes. */
struct advice_driver_aborts {
    uint64_t aborts;
    char version[ADVICE_VERSION_MAX]; /* of the last one */
};

/* Of the server's host_cache. */
struct advice_hosts {
    bool known;
    uint64_t blocked, near; /* hosts; near: half of max_connect_errors and more */
    uint64_t max_connect_errors, nearest_errors;
    char nearest[HOST_CACHE_IP_MAX + 1]; /* the host with the most; "" none */
};

/* What there was in the window that ends now. Borrowed from the history until its next change. */
struct advice_recent {
    int64_t window_ns;
    uint64_t count[ADVICE_COUNTS];
    uint64_t aborts[CAUSE_COUNT];
    const char *last_client[CAUSE_COUNT]; /* of the last of them that we know of; NULL none */
    double most_connections;              /* at one time; NaN not known */
    struct advice_hosts hosts;            /* at the last look */
};

struct advice_history;

struct advice_history *advice_history_new(struct mono now); /* NULL when memory is short */
void advice_history_free(struct advice_history *history);   /* NULL is allowed */
/* After each poll, well or not. */
void advice_history_poll(struct advice_history *history, const struct target *target, struct mono now);
/* Whose aborts they were, and of which driver. How many there are of each cause is the ledger's. */
void advice_history_abort(struct advice_history *history, const struct abort_event *event, struct mono now);

void advice_history_recent(struct advice_history *history, struct advice_recent *out, struct mono now);
/* Of one row of driver_table. */
void advice_history_driver(const struct advice_history *history, size_t row, struct advice_driver_aborts *out);

#endif
