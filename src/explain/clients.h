/*
 * Aborts by client and cause, by cause and confidence, and how long their sessions had been idle, per target. A client
 * is a user, a host (or its network) and a driver; there is a bound on how many have series of their own, and the rest
 * is `other`. A series that is there stays, and its count never falls: those are counters. They begin at zero with each
 * start of ours.
 *
 * Who has a place: the first that come, but of the places that are bound for strangers (who did not log in, and can
 * make up names and come from anywhere) there are half, and the last quarter is for those that come often.
 */
#ifndef EXPLAIN_CLIENTS_H
#define EXPLAIN_CLIENTS_H

#include "config/config.h"
#include "explain/abort_event.h"
#include "observe/sessions.h"
#include "observe/target.h"

#include <stddef.h>
#include <stdint.h>

struct client_aborts {
    const char *user, *host, *driver; /* UTF-8; "" not known, and `driver` "unknown" then */
    uint64_t counts[CAUSE_COUNT];
};

/* How long sessions had been idle when they were aborted, of those that were seen asleep before. */
struct abort_idleness {
    uint64_t buckets[SESSION_BOUNDS + 1]; /* as session_bound_s; not cumulative */
    int64_t sum_ns;
};

struct clients;

struct clients *clients_new(const struct limits_config *limits); /* NULL when memory is short */
void clients_free(struct clients *clients);                      /* after the last target_removed(); NULL is allowed */
/* For clients not seen yet. */
void clients_set_limits(struct clients *clients, const struct limits_config *limits);
struct abort_sink clients_sink(struct clients *clients);
/* The observer: target_removed. It keeps its books in target->clients. */
struct observer clients_observer(struct clients *clients);

/* The clients of `target` in the order in which they came, `other` the first of them; NULL with *count 0: there are
 * none. Valid until the next event of that target. */
const struct client_aborts *clients_of(const struct target *target, size_t *count);
/* How many aborts went to `other`. */
uint64_t clients_folded(const struct target *target);
/* All aborts, also those of which nobody knows the client. */
uint64_t clients_aborts(const struct target *target, enum cause cause, enum confidence confidence);
/* NULL: no abort with this cause had been seen asleep. */
const struct abort_idleness *clients_idleness(const struct target *target, enum cause cause);

#endif
