/*
 * From a target and its last hour to the facts that advice looks at; see advice_facts.h.
 */
#include "explain/advice_facts.h"

#include "base/top.h"
#include "observe/host_network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS_MAX = 64, /* that are told apart */
    CLIENTS_SHOWN = 3,
    CLIENT_TEXT_MAX = 400,
    TEXT_MAX = 4096,
};

void advice_facts_init(struct advice_facts *facts) {
    *facts = (struct advice_facts){.user = "", .log_reason = "", .log_name = ""};
    facts->recent.most_connections = NAN;
#define ADVICE_SETTING_UNKNOWN(name) facts->name = NAN;
    ADVICE_SETTINGS(ADVICE_SETTING_UNKNOWN)
#undef ADVICE_SETTING_UNKNOWN
    strbuf_init(&facts->sleepers, TEXT_MAX);
    strbuf_init(&facts->idlers, TEXT_MAX);
}

void advice_facts_release(struct advice_facts *facts) {
    free(facts->drivers);
    strbuf_release(&facts->sleepers);
    strbuf_release(&facts->idlers);
}

/* Who of the sessions that are there sleeps for long enough, and in a transaction: the most frequent clients. */
struct who {
    int64_t idle_from_ns;
    bool in_transaction; /* only such */
    struct top *clients;
};

static void note_client(void *arg, const struct session *session) {
    const struct who *who = arg;
    struct strbuf text;
    if (strcmp(session->command, "Sleep") != 0 || session->idle_ns < who->idle_from_ns ||
        (who->in_transaction && !session->in_transaction))
        return;
    strbuf_init(&text, CLIENT_TEXT_MAX);
    strbuf_addf(&text, "%s@%s", session->user, session->host);
    if (session->driver[0])
        strbuf_addf(&text, " (%s%s%s)", session->driver, session->version[0] ? " " : "", session->version);
    top_add(who->clients, (struct span){strbuf_text(&text), text.len});
    strbuf_release(&text);
}

static void add_clients(struct strbuf *out, const struct sessions *sessions, int64_t idle_from_ns,
                        bool in_transaction) {
    struct who who = {idle_from_ns, in_transaction, top_new(CLIENTS_MAX, CLIENT_TEXT_MAX)};
    size_t count = 0;
    if (!who.clients)
        return;
    sessions_each(sessions, note_client, &who);
    const struct top_entry *entries = top_sorted(who.clients, &count);
    for (size_t i = 0; i < count && i < CLIENTS_SHOWN; i++)
        strbuf_addf(out, "%s%llu of %.*s", i ? ", " : "", (unsigned long long)entries[i].count,
                    (int)entries[i].text.len, entries[i].text.ptr);
    if (count > CLIENTS_SHOWN)
        strbuf_addf(out, " and %zu other client%s", count - CLIENTS_SHOWN, count == CLIENTS_SHOWN + 1 ? "" : "s");
    top_free(who.clients);
}

static void collect_sessions(struct advice_facts *facts, const struct target *target) {
    facts->sessions_seen = target->sessions && target->evidence[EVIDENCE_SESSIONS] == EVIDENCE_SEEN;
    if (!facts->sessions_seen)
        return;
    facts->transactions_seen = target->evidence[EVIDENCE_TRANSACTIONS] == EVIDENCE_SEEN;
    facts->sessions = *sessions_sums(target->sessions);
    if (facts->sessions.near_timeout > 0)
        add_clients(&facts->sleepers, target->sessions, (int64_t)(facts->wait_timeout * 0.9 * (double)NS_PER_S), false);
    if (facts->transactions_seen && facts->sessions.idle_in_transaction > 0)
        add_clients(&facts->idlers, target->sessions, 0, true);
}

static void collect_connected_drivers(struct advice_facts *facts, const struct target *target) {
    size_t count;
    if (!facts->sessions_seen || target->evidence[EVIDENCE_ATTRIBUTES] != EVIDENCE_SEEN)
        return;
    const struct tally_entry *entries = tally_entries(sessions_tally(target->sessions, SESSIONS_BY_DRIVER), &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = entries[i].text.ptr, *version = name + strlen(name) + 1;
        if (entries[i].count == 0)
            continue;
        for (const struct driver *d = driver_next(NULL, name, version); d; d = driver_next(d, name, version)) {
            struct advice_driver *driver = &facts->drivers[d - driver_table];
            driver->sessions += entries[i].count;
            if (driver->aborts == 0)
                snprintf(driver->version, sizeof driver->version, "%s", version);
        }
    }
}

static void collect_drivers(struct advice_facts *facts, const struct target *target,
                            const struct advice_history *history) {
    facts->drivers = calloc(driver_count, sizeof *facts->drivers);
    if (!facts->drivers)
        return;
    for (size_t i = 0; i < driver_count; i++) {
        struct advice_driver_aborts aborts;
        advice_history_driver(history, i, &aborts);
        facts->drivers[i].aborts = aborts.aborts;
        memcpy(facts->drivers[i].version, aborts.version, ADVICE_VERSION_MAX);
    }
    collect_connected_drivers(facts, target);
}

static void collect_sockets(struct advice_facts *facts, const struct target *target) {
    const struct port_sockets *sockets = target->port_watch ? port_watch_sockets(target->port_watch) : NULL;
    facts->sockets_seen = sockets;
    if (!sockets)
        return;
    facts->time_wait = sockets->states[SOCKETS_TIME_WAIT];
    facts->close_wait = sockets->states[SOCKETS_CLOSE_WAIT];
    facts->accept_queue = sockets->queue;
    facts->accept_queue_limit = sockets->queue_limit;
}

static void collect_log(struct advice_facts *facts, const struct target *target) {
    const struct log_source_state *state = target->error_log ? log_source_state(target->error_log) : NULL;
    facts->log_sight = target_log_sight(target);
    facts->log_configured = state;
    if (!state)
        return;
    facts->log_readable = state->readable;
    facts->log_reason = log_source_reason(state->error);
    facts->log_name = log_source_name(target->error_log);
}

void advice_facts_collect(struct advice_facts *facts, const struct target *target, struct advice_history *history,
                          struct mono now) {
    facts->health = target->poll.health;
    facts->down = target->poll.down;
    facts->flavour = server_flavour_of(target);
    facts->user = target->config->user ? target->config->user : "";
    advice_history_recent(history, &facts->recent, now);
    for (size_t i = 0; i < target->probe_count; i++)
        if (target->probes[i].facts.last_cut_after_ns > 0)
            facts->cut_after_ns = target->probes[i].facts.last_cut_after_ns;
    collect_log(facts, target);
    collect_sockets(facts, target);
    if (facts->health == TARGET_UP) {
#define ADVICE_SETTING_READ(name) facts->name = target_setting(target, #name);
        ADVICE_SETTINGS(ADVICE_SETTING_READ)
#undef ADVICE_SETTING_READ
        memcpy(facts->evidence, target->evidence, sizeof facts->evidence);
        collect_sessions(facts, target);
    }
    collect_drivers(facts, target, history);
}
