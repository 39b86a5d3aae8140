/*
 * The last hour of a target; see advice_history.h.
 */
#include "explain/advice_history.h"

#include "explain/advice_window.h"
#include "explain/ledger.h"
#include "observe/host_network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_GREETING_NS NS_PER_S
enum { CLIENT_TEXT_MAX = 1024 };

/* Numbers that only rise, of which the window has the differences. */
enum total {
    TOTAL_CONNECTIONS,
    TOTAL_OWN,
    TOTAL_ABORTED_CONNECTS,
    TOTAL_COUNTED,
    TOTAL_UNEXPLAINED,
    TOTAL_DNS_LINES,
    TOTAL_LOG_GAPS,
    TOTAL_LOG_MISSED,
    TOTAL_SELF_ABORTS,
    TOTAL_PROBES,
    TOTAL_RETRANSMISSIONS,
    TOTAL_PATH_CUTS,
    TOTAL_NAME_ERRORS,
    TOTAL_LISTEN_OVERFLOWS,
    TOTAL_LISTEN_DROPS,
    TOTALS
};

struct advice_history {
    struct advice_window *window;        /* ADVICE_COUNTS, then causes */
    struct advice_window *driver_aborts; /* by row of driver_table; NULL before the first */
    struct {
        bool known;
        uint64_t last;
    } totals[TOTALS];
    uint64_t cause_total[CAUSE_COUNT];
    uint64_t others; /* what is known of poll.others */
    double max_used; /* Max_used_connections at the last poll; NaN none */
    int64_t probed_wall_ns;
    char *last_client[CAUSE_COUNT];
    char (*driver_version)[ADVICE_VERSION_MAX]; /* of the last aborted client, by row; NULL as driver_aborts */
    struct advice_hosts hosts;
};

struct advice_history *advice_history_new(struct mono now) {
    struct advice_history *history = calloc(1, sizeof *history);
    if (history)
        history->window = advice_window_new(ADVICE_COUNTS + CAUSE_COUNT, now);
    if (!history || !history->window) {
        free(history);
        return NULL;
    }
    history->max_used = NAN;
    return history;
}

void advice_history_free(struct advice_history *history) {
    if (!history)
        return;
    advice_window_free(history->window);
    advice_window_free(history->driver_aborts);
    for (size_t i = 0; i < CAUSE_COUNT; i++)
        free(history->last_client[i]);
    free(history->driver_version);
    free(history);
}

/* --- polls --- */

/* By how much it rose since it was last told; a smaller one has begun anew. */
static uint64_t rise(struct advice_history *history, enum total total, uint64_t value) {
    uint64_t before = history->totals[total].last;
    bool known = history->totals[total].known;
    history->totals[total].known = true;
    history->totals[total].last = value;
    if (!known)
        return 0;
    return value >= before ? value - before : value;
}

static bool read_status(const struct target *target, const char *name, uint64_t *out) {
    double value = target_status(target, name);
    if (isnan(value) || value < 0 || value >= 0x1p63)
        return false;
    *out = (uint64_t)value;
    return true;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Those of others that got in. */
static void note_connections(struct advice_history *history, const struct target *target, struct mono now) {
    uint64_t connections, failed = 0, own = target->poll.connects;
    for (size_t i = 0; i < target->probe_count; i++)
        own += target->probes[i].facts.probes;
    own = rise(history, TOTAL_OWN, own);
    if (!read_status(target, "Connections", &connections))
        return;
    connections = rise(history, TOTAL_CONNECTIONS, connections);
    if (read_status(target, "Aborted_connects", &failed))
        failed = rise(history, TOTAL_ABORTED_CONNECTS, failed);
    connections -= least(connections, own + failed);
    advice_window_add(history->window, COUNT_CONNECTIONS, connections, now);
}

static void note_connected(struct advice_history *history, const struct target *target, struct mono now) {
    double connected = target_status(target, "Threads_connected");
    double max_used = target_status(target, "Max_used_connections");
    if (isnan(connected))
        return;
    advice_window_add(history->window, COUNT_POLLS, 1, now);
    advice_window_add(history->window, COUNT_CONNECTED, (uint64_t)fmax(connected, 0), now);
    /* A mark that rose was reached between the polls. */
    bool rose = !isnan(history->max_used) && max_used > history->max_used;
    advice_window_greatest(history->window, rose ? max_used : connected, now);
    history->max_used = max_used;
}

/* What a counter that has one cause rose by, and what is explained of the others. */
static uint64_t aborts_by(const struct target *target, enum cause cause) {
    uint64_t lined =
        ledger_explained(target, COUNTER_CLIENTS, cause) + ledger_explained(target, COUNTER_CONNECTS, cause);
    uint64_t own = 0;
    for (unsigned counter = COUNTER_LINED; counter < COUNTER_COUNT; counter++)
        own += ledger_explained(target, counter, cause);
    return lined > own ? lined : own; /* refused for want of a place: MariaDB counts it twice */
}

static void note_aborts(struct advice_history *history, const struct target *target, struct mono now) {
    struct ledger_account clients, connects;
    for (unsigned cause = 0; cause < CAUSE_COUNT; cause++) {
        uint64_t total = aborts_by(target, cause);
        advice_window_add(history->window, ADVICE_COUNTS + cause, total - least(total, history->cause_total[cause]),
                          now);
        history->cause_total[cause] = total;
    }
    if (!ledger_account_of(target, COUNTER_CLIENTS, &clients) ||
        !ledger_account_of(target, COUNTER_CONNECTS, &connects))
        return;
    uint64_t counted = clients.increase - clients.pending + connects.increase - connects.pending;
    uint64_t unexplained = clients.unexplained + connects.unexplained;
    advice_window_add(history->window, COUNT_COUNTED_ABORTS, rise(history, TOTAL_COUNTED, counted), now);
    advice_window_add(history->window, COUNT_UNEXPLAINED, rise(history, TOTAL_UNEXPLAINED, unexplained), now);
}

static bool greeting_was_slow(const struct probe_facts *facts) {
    int64_t greeting = facts->last_phase_ns[PHASE_GREETING], connect = facts->last_phase_ns[PHASE_CONNECT];
    return greeting >= 0 && connect >= 0 && greeting - connect >= SLOW_GREETING_NS;
}

static void note_log(struct advice_history *history, const struct target *target, struct mono now) {
    advice_window_add(history->window, COUNT_DNS_LINES,
                      rise(history, TOTAL_DNS_LINES, target->log_events[LOG_EVENT_DNS]), now);
    if (!target->error_log)
        return;
    const struct log_source_state *log = log_source_state(target->error_log);
    advice_window_add(history->window, COUNT_LOG_GAPS, rise(history, TOTAL_LOG_GAPS, log->gaps), now);
    advice_window_add(history->window, COUNT_LOG_MISSED, rise(history, TOTAL_LOG_MISSED, log->missed), now);
}

static void note_probes(struct advice_history *history, const struct target *target, struct mono now) {
    uint64_t probes = 0, again = 0, cuts = 0;
    int64_t newest = history->probed_wall_ns;
    for (size_t i = 0; i < target->probe_count; i++) {
        const struct probe_facts *facts = &target->probes[i].facts;
        probes += facts->probes;
        again += facts->tcp_retransmissions;
        for (int end = 0; end < HOLD_END_COUNT; end++)
            cuts += facts->holds[end][CUTTER_PATH];
        if (facts->last_wall_ns <= history->probed_wall_ns)
            continue;
        advice_window_add(history->window, COUNT_SLOW_GREETINGS, greeting_was_slow(facts), now);
        newest = facts->last_wall_ns > newest ? facts->last_wall_ns : newest;
    }
    history->probed_wall_ns = newest;
    advice_window_add(history->window, COUNT_PROBES, rise(history, TOTAL_PROBES, probes), now);
    advice_window_add(history->window, COUNT_RETRANSMISSIONS, rise(history, TOTAL_RETRANSMISSIONS, again), now);
    advice_window_add(history->window, COUNT_PATH_CUTS, rise(history, TOTAL_PATH_CUTS, cuts), now);
}

/* What the server's host_cache shows, and how often it could not look up a name. */
static void note_hosts(struct advice_history *history, const struct target *target, struct mono now) {
    const struct host_cache_facts *facts = target->host_cache ? host_cache_facts(target->host_cache) : NULL;
    static const enum host_cache_kind kinds[] = {HOST_CACHE_NAMEINFO_TRANSIENT, HOST_CACHE_NAMEINFO_PERMANENT,
                                                 HOST_CACHE_ADDRINFO_TRANSIENT, HOST_CACHE_ADDRINFO_PERMANENT,
                                                 HOST_CACHE_FCRDNS};
    uint64_t name_errors = 0;
    history->hosts = (struct advice_hosts){0};
    if (!facts || facts->wall_ns == 0)
        return;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        name_errors += facts->total[kinds[i]];
    advice_window_add(history->window, COUNT_HOST_NAME_ERRORS, rise(history, TOTAL_NAME_ERRORS, name_errors), now);
    if (target->poll.health != TARGET_UP || target->evidence[EVIDENCE_HOST_CACHE] != EVIDENCE_SEEN)
        return;
    history->hosts = (struct advice_hosts){.known = true,
                                           .blocked = facts->blocked,
                                           .near = facts->near,
                                           .max_connect_errors = facts->max_connect_errors,
                                           .nearest_errors = facts->nearest.connect_errors};
    snprintf(history->hosts.nearest, sizeof history->hosts.nearest, "%s", facts->nearest.ip);
}

static void note_network(struct advice_history *history, const struct target *target, struct mono now) {
    const struct host_network_facts *facts = target->port_watch ? host_network_facts(target->network) : NULL;
    if (facts && facts->samples > 0 && facts->counters.known & UINT64_C(1) << NET_LISTEN_OVERFLOWS)
        advice_window_add(history->window, COUNT_LISTEN_OVERFLOWS,
                          rise(history, TOTAL_LISTEN_OVERFLOWS, facts->counters.value[NET_LISTEN_OVERFLOWS]), now);
    const struct port_sockets *sockets = target->port_watch ? port_watch_sockets(target->port_watch) : NULL;
    if (sockets && sockets->queue_limit > 0) /* else nobody listens now, or sock_diag is refused */
        advice_window_add(history->window, COUNT_LISTEN_DROPS, rise(history, TOTAL_LISTEN_DROPS, sockets->drops), now);
}

/* Another server's counters stand elsewhere. */
static void note_other_server(struct advice_history *history, const struct target *target) {
    if (history->others == target->poll.others)
        return;
    history->others = target->poll.others;
    history->totals[TOTAL_CONNECTIONS].known = history->totals[TOTAL_ABORTED_CONNECTS].known = false;
    history->max_used = NAN;
}

void advice_history_poll(struct advice_history *history, const struct target *target, struct mono now) {
    uint64_t ours = target->self_aborts[SELF_POLL] + target->self_aborts[SELF_PROBE];
    note_other_server(history, target);
    advice_window_slide(history->window, now);
    if (history->driver_aborts)
        advice_window_slide(history->driver_aborts, now);
    note_connections(history, target, now);
    note_connected(history, target, now);
    note_aborts(history, target, now);
    note_probes(history, target, now);
    note_hosts(history, target, now);
    note_network(history, target, now);
    advice_window_add(history->window, COUNT_SELF_ABORTS, rise(history, TOTAL_SELF_ABORTS, ours), now);
    note_log(history, target, now);
}

/* --- aborts of clients that are known --- */

static void note_driver_abort(struct advice_history *history, const struct abort_event *event, const char *name,
                              const char *version, struct mono now) {
    const struct driver *d = driver_next(NULL, name, version);
    if (d && !history->driver_aborts)
        history->driver_aborts = advice_window_new(driver_count, now);
    if (d && !history->driver_version)
        history->driver_version = calloc(driver_count, sizeof *history->driver_version);
    if (!history->driver_aborts || !history->driver_version)
        return;
    for (; d; d = driver_next(d, name, version)) {
        if (!(d->causes & UINT32_C(1) << event->cause.cause))
            continue;
        size_t row = (size_t)(d - driver_table);
        advice_window_add(history->driver_aborts, row, event->n, now);
        snprintf(history->driver_version[row], ADVICE_VERSION_MAX, "%s", version);
    }
}

static void note_driver(struct advice_history *history, const struct abort_event *event, struct mono now) {
    struct strbuf name, version;
    strbuf_init(&name, CLIENT_TEXT_MAX);
    strbuf_init(&version, CLIENT_TEXT_MAX);
    strbuf_add(&name, event->driver.ptr, event->driver.len);
    if (event->driver_version.ptr)
        strbuf_add(&version, event->driver_version.ptr, event->driver_version.len);
    note_driver_abort(history, event, strbuf_text(&name), strbuf_text(&version), now);
    strbuf_release(&name);
    strbuf_release(&version);
}

static void add_part(struct strbuf *out, const char *before, struct span part) {
    if (!part.ptr)
        return;
    strbuf_addstr(out, before);
    strbuf_add(out, part.ptr, part.len);
}

/* "app@10.0.0.7, connection 42, pymysql 1.0.2", as far as it is known. */
static void note_client(struct advice_history *history, const struct abort_event *event) {
    enum cause cause = event->cause.cause;
    struct strbuf text;
    strbuf_init(&text, CLIENT_TEXT_MAX);
    add_part(&text, "", event->user);
    add_part(&text, event->user.ptr ? "@" : "", event->host);
    if (event->connection_id)
        strbuf_addf(&text, "%sconnection %llu", text.len ? ", " : "", (unsigned long long)event->connection_id);
    add_part(&text, ", ", event->driver);
    add_part(&text, " ", event->driver_version);
    char *client = text.len > 0 ? strbuf_detach(&text) : NULL;
    if (client) {
        free(history->last_client[cause]);
        history->last_client[cause] = client;
    }
    strbuf_release(&text);
}

void advice_history_abort(struct advice_history *history, const struct abort_event *event, struct mono now) {
    note_client(history, event);
    if (event->driver.ptr)
        note_driver(history, event, now);
}

/* --- reading --- */

void advice_history_recent(struct advice_history *history, struct advice_recent *out, struct mono now) {
    const struct advice_window *window = history->window;
    advice_window_slide(history->window, now);
    out->window_ns = advice_window_ns(window, now);
    for (size_t i = 0; i < ADVICE_COUNTS; i++)
        out->count[i] = advice_window_count(window, i);
    for (size_t i = 0; i < CAUSE_COUNT; i++) {
        out->aborts[i] = advice_window_count(window, ADVICE_COUNTS + i);
        out->last_client[i] = history->last_client[i];
    }
    out->most_connections = advice_window_greatest_of(window);
    out->hosts = history->hosts;
}

void advice_history_driver(const struct advice_history *history, size_t row, struct advice_driver_aborts *out) {
    *out = (struct advice_driver_aborts){0};
    if (!history->driver_aborts || !history->driver_version)
        return;
    out->aborts = advice_window_count(history->driver_aborts, row);
    memcpy(out->version, history->driver_version[row], ADVICE_VERSION_MAX);
}
