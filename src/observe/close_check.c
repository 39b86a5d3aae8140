/*
 * The server's half of a close; see close_check.h.
 */
#include "observe/close_check.h"

#include "base/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_MAX 256
/* How long an abort may take from the server's decision to our reading its line. */
#define LOG_WITHIN_NS (5 * NS_PER_S)
/* How long the server may take to count an abort. Measured: 2 to 6 ms. */
#define COUNTED_WITHIN_NS (100 * NS_PER_MS)
/* Beyond two polls; then they do not come, and nothing more will be known. */
#define UNKNOWN_AFTER_NS (5 * NS_PER_S)

/* What all aborts move, and what sets it to zero. */
struct counters {
    double aborted, start_s, flushed_s;
};

struct pending {
    struct probe *probe;
    uint64_t id;
    struct counters before; /* as of the last poll before it was opened */
    uint64_t losses;        /* of the log, when it was opened */
    struct mono closed;     /* MONO_NEVER while it is open */
    enum close_end end;
    bool mistakable;         /* the id is another connection's, too */
    bool logged;             /* an abort of it is in the log … */
    enum hold_cutter cutter; /* … which says who ended it */
    enum hold_end cut;
};

struct close_check {
    struct target *target;
    struct counters now; /* of the last poll; NaN unknown */
    struct mono began;   /* when that began */
    struct pending *pending;
    size_t count, capacity;
};

struct close_check *close_check_new(struct target *target) {
    struct close_check *check = calloc(1, sizeof *check);
    if (check) {
        check->target = target;
        check->now.aborted = NAN;
    }
    return check;
}

void close_check_free(struct close_check *check) {
    if (check)
        free(check->pending);
    free(check);
}

/* --- what the server says --- */

static struct counters counters_of(const struct target *target) {
    double wall_s = (double)target->poll.last_success_wall_ns / NS_PER_S;
    return (struct counters){
        .aborted = target_status(target, "Aborted_clients") + target_status(target, "Aborted_connects"),
        .start_s = wall_s - target_status(target, "Uptime"),
        .flushed_s = wall_s - target_status(target, "Uptime_since_flush_status"),
    };
}

/* The server's clock counts whole seconds, and its answer travels. */
static bool same_instant(double a_s, double b_s) {
    return fabs(a_s - b_s) < 2;
}

static bool stood_still(const struct counters *before, const struct counters *after) {
    return before->aborted == after->aborted && same_instant(before->start_s, after->start_s) &&
           same_instant(before->flushed_s, after->flushed_s);
}

#define LOG_TELLS_NOTHING UINT64_MAX

/* How often the log lost lines; LOG_TELLS_NOTHING where it cannot be read, or does not hold aborts. */
static uint64_t log_losses(const struct target *target) {
    const struct log_source_state *state = target->error_log ? log_source_state(target->error_log) : NULL;
    bool tells = state && state->readable && target_log_level_suffices(target) == 1;
    return tells ? state->gaps + state->missed : LOG_TELLS_NOTHING;
}

/* Whether an abort would be in the log, and nothing that came since it was opened was lost. */
static bool log_would_tell(const struct close_check *check, const struct pending *p) {
    uint64_t losses = log_losses(check->target);
    return losses != LOG_TELLS_NOTHING && losses == p->losses;
}

/* A table is read with each poll. More may have come than one step reads. */
static bool log_was_read(const struct close_check *check, const struct pending *p) {
    const struct log_source *log = check->target->error_log;
    return !log_source_is_behind(log) &&
           (!log_source_wants_poll(log) || mono_between(p->closed, check->began) >= COUNTED_WITHIN_NS);
}

/* --- telling --- */

static void tell(const struct pending *p, enum close_verdict verdict) {
    struct probe_facts *facts = &p->probe->facts;
    facts->verdicts[verdict]++;
    if (p->cut != HOLD_SURVIVED)
        facts->holds[p->cut][p->cutter]++;
    if (verdict == VERDICT_LOGGED && p->end == END_WITH_QUIT)
        log_warn("the server logged our probe's connection as aborted, although it was closed with COM_QUIT",
                 LF_STR("target", p->probe->target->config->name), LF_STR("module", p->probe->module->name),
                 LF_NUM("connection_id", p->id));
}

/* False while it is too early. */
static bool settle(const struct close_check *check, const struct pending *p) {
    if (p->closed.ns == MONO_NEVER.ns)
        return false;
    int64_t age = mono_between(p->closed, mono_now());
    if (p->logged) {
        tell(p, VERDICT_LOGGED);
        return true;
    }
    if (p->mistakable) {
        tell(p, VERDICT_UNKNOWN);
        return true;
    }
    bool doubt = p->end == END_IN_DOUBT;
    if (log_would_tell(check, p)) {
        if (age < LOG_WITHIN_NS || !log_was_read(check, p))
            return false;
        tell(p, doubt ? VERDICT_UNKNOWN : VERDICT_CLEAN_BY_LOG);
        return true;
    }
    bool counted = mono_between(p->closed, check->began) >= COUNTED_WITHIN_NS;
    if (!counted && age < 2 * check->target->config->poll.interval_ns + UNKNOWN_AFTER_NS)
        return false;
    bool clean = counted && !doubt && stood_still(&p->before, &check->now);
    tell(p, clean ? VERDICT_CLEAN_BY_COUNTERS : VERDICT_UNKNOWN);
    return true;
}

void close_check_polled(struct close_check *check, struct mono began) {
    check->now = counters_of(check->target);
    check->began = began;
}

void close_check_settle(struct close_check *check) {
    size_t kept = 0;
    for (size_t i = 0; i < check->count; i++)
        if (!settle(check, &check->pending[i]))
            check->pending[kept++] = check->pending[i];
    check->count = kept;
}

/* --- what is waited for --- */

static struct pending *find(struct close_check *check, uint64_t id) {
    for (size_t i = check->count; i-- > 0;)
        if (check->pending[i].id == id)
            return &check->pending[i];
    return NULL;
}

static struct pending *add(struct close_check *check) {
    if (check->count == check->capacity) {
        size_t capacity = check->capacity ? 2 * check->capacity : 8;
        struct pending *pending =
            capacity <= PENDING_MAX ? reallocarray(check->pending, capacity, sizeof *pending) : NULL;
        if (!pending)
            return NULL;
        check->pending = pending;
        check->capacity = capacity;
    }
    return &check->pending[check->count++];
}

void close_check_opened(struct close_check *check, struct probe *probe, uint64_t connection_id) {
    struct pending *p = add(check);
    if (p)
        *p = (struct pending){.probe = probe,
                              .id = connection_id,
                              .before = check->now,
                              .losses = log_losses(check->target),
                              .closed = MONO_NEVER,
                              .cutter = CUTTER_UNKNOWN};
    else
        probe->facts.verdicts[VERDICT_UNKNOWN]++;
}

void close_check_closed(struct close_check *check, struct probe *probe, uint64_t connection_id, enum close_end end,
                        enum hold_end cut) {
    struct pending *p = find(check, connection_id);
    if (p) {
        p->closed = mono_now();
        p->end = end;
        p->cut = cut;
    } else if (cut != HOLD_SURVIVED) {
        probe->facts.holds[cut][CUTTER_UNKNOWN]++;
    }
}

/* Who ended an idle connection of ours, by the reason that the server gives. */
static enum hold_cutter cutter_by(struct span reason) {
    static const struct {
        const char *reason;
        enum hold_cutter cutter;
    } known[] = {
        {"Got an error reading communication packets", CUTTER_PATH},
        {"Got timeout reading communication packets", CUTTER_SERVER},
        {"The client was disconnected by the server because of inactivity.", CUTTER_SERVER},
        {"KILLED", CUTTER_SERVER},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (span_is(reason, known[i].reason))
            return known[i].cutter;
    return CUTTER_UNKNOWN;
}

/* A server that starts counts its connections anew: what closed before is no longer to be told by its id. */
static void note_restart(struct close_check *check) {
    for (size_t i = 0; i < check->count; i++)
        check->pending[i].mistakable |= check->pending[i].closed.ns != MONO_NEVER.ns;
}

void close_check_event(struct close_check *check, const struct log_event *event) {
    if (event->kind == LOG_EVENT_SERVER_START)
        note_restart(check);
    struct pending *p = log_event_is_abort(event) && event->connection_id ? find(check, event->connection_id) : NULL;
    if (!p || p->mistakable)
        return;
    if (event->user.ptr && !span_is(event->user, check->target->config->user)) {
        p->mistakable = true; /* another server's log, or one of its earlier lives */
        return;
    }
    p->logged = true;
    p->cutter = cutter_by(log_event_reason(event));
}
