/*
 * All of explain behind one observer, as the daemon wires it.
 */
#ifndef EXPLAINING_H
#define EXPLAINING_H

#include "explain/aborts.h"
#include "explain/advice.h"
#include "explain/clients.h"
#include "explain/event_ring.h"
#include "explain/judge.h"
#include "explain/listeners.h"

#include <stdlib.h>

struct explaining {
    struct judge *judge;
    struct ledger_listener ledger_listener;
    struct aborts *aborts;
    struct event_ring *ring;
    struct clients *clients;
    struct listeners listeners;
    struct observer observer;
};

static inline struct explaining *explaining_new(uint64_t users, uint64_t events) {
    struct explaining *x = calloc(1, sizeof *x);
    x->judge = judge_new();
    x->aborts = aborts_new(users);
    x->ring = event_ring_new(events);
    x->clients = clients_new(&(struct limits_config){.clients_per_target = users});
    x->ledger_listener = judge_ledger_listener(x->judge);
    judge_add_sink(x->judge, ledger_sink());
    judge_add_sink(x->judge, aborts_sink(x->aborts));
    judge_add_sink(x->judge, event_ring_sink(x->ring));
    judge_add_sink(x->judge, clients_sink(x->clients));
    judge_add_sink(x->judge, advice_sink());
    listeners_add(&x->listeners, judge_observer(x->judge));
    listeners_add(&x->listeners, ledger_observer(&x->ledger_listener));
    listeners_add(&x->listeners, aborts_observer(x->aborts));
    listeners_add(&x->listeners, event_ring_observer(x->ring));
    listeners_add(&x->listeners, clients_observer(x->clients));
    listeners_add(&x->listeners, advice_observer());
    x->observer = listeners_observer(&x->listeners);
    return x;
}

/* After the last target_removed(). */
static inline void explaining_free(struct explaining *x) {
    clients_free(x->clients);
    event_ring_free(x->ring);
    aborts_free(x->aborts);
    judge_free(x->judge);
    free(x);
}

static inline void explaining_line(struct explaining *x, struct target *target, const struct log_event *line) {
    x->observer.log_event(x->observer.arg, target, line);
}

static inline void explaining_removed(struct explaining *x, struct target *target) {
    x->observer.target_removed(x->observer.arg, target);
}

#endif
