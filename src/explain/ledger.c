/*
 * The ledger; see ledger.h.
 *
 * Increases and evidence meet in two heaps: increases that wait, by poll, and evidence that waits, by cause. Evidence
 * is matched as soon as it can be; an increase that has waited long enough is given to our own aborts of which no line
 * told, then to what only *may* have raised it, and the rest is unexplained, for good: these are counters.
 */
#include "explain/ledger.h"

#include "base/log.h"
#include "explain/kills.h"
#include "explain/server_life.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How long an abort may take from the server's decision to our reading its line. */
#define LOG_WITHIN_NS (5 * NS_PER_S)

enum {
    WAITS_MAX = 8, /* polls come at most about once a second */
    /* Sums of errors that a look did not find are told two polls later, and in this many looks if ever. */
    ROWS_LATE = 2,
    LOOKS_MAX = SERVER_ERROR_LOOKS + ROWS_LATE,
    /* Polls that a ledger's begin is put off for while the error log's past is still being read. */
    CATCH_UP_POLLS = 4,
};

struct wait {
    struct mono since, before; /* before: the good poll before it */
    uint64_t open[COUNTER_LINED];
    /* What came with the same poll, or somewhat before it, from `hinted` on, and may be the reason where nothing else
     * is. */
    uint64_t kills, no_place;
    struct mono hinted;
};

/* Evidence that waits for its counter. What came before the end of the last poll is old. */
struct evidence {
    uint32_t fresh, old;
    uint32_t maybe, old_maybe; /* that need not have raised the counter at all */
};

struct ledger {
    bool known[COUNTER_COUNT];
    uint64_t value[COUNTER_COUNT]; /* at the last good poll */
    uint64_t increase[COUNTER_COUNT], unexplained[COUNTER_LINED];
    uint64_t explained[COUNTER_LINED][CAUSE_COUNT], unmatched[COUNTER_LINED][CAUSE_COUNT];
    struct evidence evidence[COUNTER_LINED][CAUSE_COUNT];
    struct mono maybes_aged;
    struct mono counted_from; /* aborts of ours before it are in nothing that we have seen rise */
    struct wait waits[WAITS_MAX];
    unsigned wait_count;
    uint64_t steps[LEDGER_STEP_COUNT];
    struct server_life life; /* at the last good poll */
    struct mono before;      /* the good poll before it */
    bool in_gap;
    unsigned rows_late;     /* for so many polls sums may still come of what rose before */
    int64_t errors_wall_ns; /* when they were last looked at */
    int64_t began_wall_ns;
    struct kills kills;
    const struct ledger_listener *listener; /* NULL none */
};

/* --- matching --- */

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t pending(const struct ledger *ledger, unsigned counter) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < ledger->wait_count; i++)
        sum += ledger->waits[i].open[counter];
    return sum;
}

/* `n` of what waits, the oldest first; there is as much. */
static void take_open(struct ledger *ledger, unsigned counter, uint64_t n) {
    for (unsigned i = 0; i < ledger->wait_count; i++) {
        uint64_t part = least(n, ledger->waits[i].open[counter]);
        ledger->waits[i].open[counter] -= part;
        n -= part;
    }
}

static void match(struct ledger *ledger, unsigned counter) {
    uint64_t open = pending(ledger, counter);
    for (unsigned cause = 0; open > 0 && cause < CAUSE_COUNT; cause++) {
        struct evidence *e = &ledger->evidence[counter][cause];
        uint32_t old = (uint32_t)least(e->old, open), fresh = (uint32_t)least(e->fresh, open - old);
        e->old -= old;
        e->fresh -= fresh;
        ledger->explained[counter][cause] += old + fresh;
        take_open(ledger, counter, old + fresh);
        open -= old + fresh;
    }
}

/* Evidence that two polls did not confirm. */
static void let_go(struct ledger *ledger, unsigned counter) {
    for (unsigned cause = 0; cause < CAUSE_COUNT; cause++) {
        struct evidence *e = &ledger->evidence[counter][cause];
        ledger->unmatched[counter][cause] += e->old;
        e->old = e->fresh;
        e->fresh = 0;
    }
}

/* --- what has waited long enough --- */

static uint64_t give_to_maybes(struct ledger *ledger, unsigned counter, uint64_t n) {
    for (unsigned cause = 0; n > 0 && cause < CAUSE_COUNT; cause++) {
        struct evidence *e = &ledger->evidence[counter][cause];
        uint32_t old = (uint32_t)least(e->old_maybe, n), part = (uint32_t)least(e->maybe, n - old);
        e->old_maybe -= old;
        e->maybe -= part;
        ledger->explained[counter][cause] += old + part;
        n -= old + part;
    }
    return n;
}

/* An abort of ours is counted when the server notices: at once, or when it is no longer stuck. */
static uint64_t give_to_self(struct ledger *ledger, struct target *target, unsigned counter, uint64_t n,
                             const struct wait *w) {
    static const enum own_abort own[COUNTER_LINED] = {[COUNTER_CLIENTS] = OWN_ABORTED_CLIENT,
                                                      [COUNTER_CONNECTS] = OWN_ABORTED_CONNECT,
                                                      [COUNTER_PREAUTH] = OWN_ABORTED_PREAUTH};
    struct mono since = mono_add(w->since, -(2 * target->config->poll.interval_ns + LOG_WITHIN_NS));
    if (mono_before(w->before, since)) /* a gap */
        since = w->before;
    if (mono_before(since, ledger->counted_from))
        since = ledger->counted_from;
    unsigned max = (unsigned)least(n, OWN_CONNECTIONS_KEPT);
    unsigned part = own_connections_take(&target->own, own[counter], since, w->since, max);
    ledger->explained[counter][CAUSE_SELF] += part;
    return n - part;
}

static void tell(struct ledger *ledger, struct target *target, enum abort_counter counter, enum cause cause,
                 uint64_t n) {
    if (n > 0 && ledger->listener)
        ledger->listener->rose(ledger->listener->arg, target, counter, cause, n);
}

/* Who is counted before the login is counted among the aborted connects, too: that is one abort. */
static void tell_of_each_once(struct ledger *ledger, struct target *target, enum cause cause,
                              const uint64_t n[COUNTER_LINED]) {
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++) {
        uint64_t twice = counter == COUNTER_CONNECTS ? least(n[COUNTER_CONNECTS], n[COUNTER_PREAUTH]) : 0;
        tell(ledger, target, counter, cause, n[counter] - twice);
    }
}

static uint64_t give_to(struct ledger *ledger, unsigned counter, enum cause cause, uint64_t n, uint64_t *left) {
    uint64_t part = least(n, *left);
    ledger->explained[counter][cause] += part;
    *left -= part;
    return part;
}

/* Evidence is matched with the oldest rise, not always its own: so what may be the reason goes on to the rises that
 * came soon after. */
static void pass_on(const struct wait *w, struct wait *next) {
    if (mono_between(w->hinted, next->since) >= LOG_WITHIN_NS)
        return;
    next->kills += w->kills;
    next->no_place += w->no_place;
    if (w->kills + w->no_place > 0)
        next->hinted = w->hinted;
}

static void close_wait(struct ledger *ledger, struct target *target, struct wait *w) {
    uint64_t own[COUNTER_LINED] = {0}, left[COUNTER_LINED], killed = 0;
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++) {
        left[counter] = w->open[counter];
        if (left[counter] > 0)
            own[counter] = left[counter] - give_to_self(ledger, target, counter, left[counter], w);
        left[counter] -= own[counter];
        if (left[counter] > 0)
            left[counter] = give_to_maybes(ledger, counter, left[counter]);
        if (counter == COUNTER_CLIENTS)
            w->kills -= killed = give_to(ledger, counter, CAUSE_KILLED, w->kills, &left[counter]);
        if (counter == COUNTER_CONNECTS) /* told of with the counter of its own */
            w->no_place -= give_to(ledger, counter, CAUSE_TOO_MANY_CONNECTIONS, w->no_place, &left[counter]);
        ledger->unexplained[counter] += left[counter];
    }
    tell_of_each_once(ledger, target, CAUSE_SELF, own);
    tell(ledger, target, COUNTER_CLIENTS, CAUSE_KILLED, killed);
    tell_of_each_once(ledger, target, CAUSE_UNKNOWN, left);
}

static bool is_over(const struct ledger *ledger, const struct target *target, const struct wait *w) {
    int64_t age_ns = mono_between(w->since, mono_now()), looks_ns = LOOKS_MAX * target->config->poll.interval_ns;
    return age_ns >= LOG_WITHIN_NS + (ledger->rows_late > 0 ? looks_ns : 0);
}

static void close_waits(struct ledger *ledger, struct target *target, bool all) {
    unsigned done = 0;
    while (done < ledger->wait_count && (all || is_over(ledger, target, &ledger->waits[done]))) {
        close_wait(ledger, target, &ledger->waits[done++]);
        if (done < ledger->wait_count)
            pass_on(&ledger->waits[done - 1], &ledger->waits[done]);
    }
    ledger->wait_count -= done;
    memmove(ledger->waits, ledger->waits + done, ledger->wait_count * sizeof *ledger->waits);
}

/* --- evidence --- */

static void add(uint32_t *to, uint32_t n) {
    *to = *to > UINT32_MAX - n ? UINT32_MAX : *to + n;
}

static void sure(struct target *target, enum abort_counter counter, enum cause cause, uint32_t n) {
    struct ledger *ledger = target->ledger;
    if (!ledger->known[counter])
        return;
    add(&ledger->evidence[counter][cause].fresh, n);
    match(ledger, counter);
}

static void maybe(struct target *target, enum abort_counter counter, enum cause cause, uint32_t n) {
    struct ledger *ledger = target->ledger;
    if (!ledger->known[counter])
        return;
    add(&ledger->evidence[counter][cause].maybe, n);
}

static void forget_maybes(struct ledger *ledger) {
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++)
        for (unsigned cause = 0; cause < CAUSE_COUNT; cause++)
            ledger->evidence[counter][cause].maybe = ledger->evidence[counter][cause].old_maybe = 0;
}

/* What was waiting for its counter to rise waits in vain. */
static void forget_evidence(struct ledger *ledger) {
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++) {
        let_go(ledger, counter);
        let_go(ledger, counter);
    }
    forget_maybes(ledger);
}

static void age_maybes(struct ledger *ledger, const struct target *target) {
    int64_t within_ns = 3 * target->config->poll.interval_ns + 2 * LOG_WITHIN_NS;
    if (mono_between(ledger->maybes_aged, mono_now()) < within_ns)
        return;
    ledger->maybes_aged = mono_now();
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++)
        for (unsigned cause = 0; cause < CAUSE_COUNT; cause++) {
            struct evidence *e = &ledger->evidence[counter][cause];
            e->old_maybe = e->maybe;
            e->maybe = 0;
        }
}

static void on_abort(void *arg, struct target *target, const struct abort_event *event) {
    const struct abort_cause *c = &event->cause;
    uint32_t n = (uint32_t)least(event->n, UINT32_MAX);
    (void)arg;
    if (!target->ledger || event->source == FACT_COUNTER || event->source == FACT_OWN)
        return; /* from the ledger itself */
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++) {
        if (c->raises & 1U << counter)
            sure(target, counter, c->cause, n);
        if (c->may_raise & 1U << counter)
            maybe(target, counter, c->cause, n);
    }
}

/* What the lines before it tell of was counted by another life. */
static void on_server_started(void *arg, struct target *target) {
    struct ledger *ledger = target->ledger;
    (void)arg;
    if (!ledger)
        return;
    ledger->life.start_told = true;
    close_waits(ledger, target, true);
    forget_evidence(ledger);
}

struct abort_sink ledger_sink(void) {
    return (struct abort_sink){.abort = on_abort, .server_started = on_server_started};
}

/* --- polls --- */

static bool read_counter(const struct target *target, unsigned counter, uint64_t *out) {
    double value = target_status(target, abort_counter_name(counter));
    if (isnan(value) || value < 0 || value >= 0x1p63)
        return false;
    *out = (uint64_t)value;
    return true;
}

/* FLUSH STATUS sets them all to zero on MariaDB; MySQL keeps those of connections that did not log in. (Measured on
 * 10.11 and 9.7.) */
static bool is_flushed(const struct target *target, unsigned counter) {
    return server_flavour_of(target) == SERVER_MARIADB || counter == COUNTER_CLIENTS;
}

/* Whether a counter fell: what the clocks' whole seconds hide. */
static bool any_fell(const struct target *target, const struct ledger *ledger) {
    uint64_t value;
    for (unsigned counter = 0; counter < COUNTER_COUNT; counter++)
        if (ledger->known[counter] && read_counter(target, counter, &value) && value < ledger->value[counter])
            return true;
    return false;
}

static enum ledger_step find_step(const struct target *target, const struct ledger *ledger) {
    static const enum ledger_step steps[] = {[LIFE_SAME] = LEDGER_STEP_COUNT,
                                             [LIFE_FLUSHED] = LEDGER_FLUSH,
                                             [LIFE_RESTARTED] = LEDGER_RESTART,
                                             [LIFE_OTHER] = LEDGER_OTHER};
    struct server_life now = server_life_now(target);
    return steps[server_life_since(&ledger->life, &now, any_fell(target, ledger))];
}

/* When the counters began anew, by the server's clock of whole seconds. */
static struct mono step_instant(const struct target *target, enum ledger_step step) {
    double ago_s = target_status(target, step == LEDGER_RESTART ? "Uptime" : "Uptime_since_flush_status");
    return isnan(ago_s) || step == LEDGER_OTHER ? mono_now() : mono_add(mono_now(), -(int64_t)(ago_s + 1) * NS_PER_S);
}

static void take_step(struct ledger *ledger, struct target *target, enum ledger_step step) {
    ledger->steps[step]++;
    log_info("the server's counters began anew", LF_STR("target", target->config->name),
             LF_STR("step", ledger_step_name(step)));
    if (step == LEDGER_RESTART)
        own_connections_forget(&target->own, (struct mono){target->poll.start_mono_ns - NS_PER_S});
    close_waits(ledger, target, true);
    if (step != LEDGER_FLUSH)
        forget_maybes(ledger);
    ledger->counted_from = step_instant(target, step);
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++)
        if (step != LEDGER_FLUSH || is_flushed(target, counter))
            let_go(ledger, counter); /* what is older than the last poll; what is younger may be of either side */
}

static uint64_t increase_of(const struct target *target, const struct ledger *ledger, unsigned counter, uint64_t value,
                            enum ledger_step step) {
    if (step == LEDGER_OTHER)
        return 0;
    bool anew = step == LEDGER_RESTART || (step == LEDGER_FLUSH && is_flushed(target, counter));
    return anew || value < ledger->value[counter] ? value : value - ledger->value[counter];
}

static struct wait *new_wait(struct ledger *ledger) {
    if (ledger->wait_count == WAITS_MAX)
        return &ledger->waits[WAITS_MAX - 1];
    struct wait *w = &ledger->waits[ledger->wait_count++];
    *w = (struct wait){.since = mono_now(), .before = ledger->before};
    w->hinted = w->since;
    return w;
}

static void read_counters(struct ledger *ledger, struct target *target, enum ledger_step step) {
    uint64_t delta[COUNTER_COUNT] = {0};
    bool any = false;
    for (unsigned counter = 0; counter < COUNTER_COUNT; counter++) {
        uint64_t value;
        if (!read_counter(target, counter, &value))
            continue;
        if (ledger->known[counter]) {
            delta[counter] = increase_of(target, ledger, counter, value, step);
            ledger->increase[counter] += delta[counter];
            any |= counter < COUNTER_LINED && delta[counter] > 0;
            if (counter >= COUNTER_LINED)
                tell(ledger, target, counter, abort_counter_cause(counter), delta[counter]);
        }
        ledger->known[counter] = true;
        ledger->value[counter] = value;
    }
    /* Who is refused for want of a place is counted twice: on MariaDB always, on MySQL if it was let in first. */
    if (delta[COUNTER_MAX_CONNECTIONS] > 0 && server_flavour_of(target) == SERVER_MARIADB)
        sure(target, COUNTER_CONNECTS, CAUSE_TOO_MANY_CONNECTIONS,
             (uint32_t)least(delta[COUNTER_MAX_CONNECTIONS], UINT32_MAX));
    kills_polled(&ledger->kills, target);
    if (!any)
        return;
    struct wait *w = new_wait(ledger);
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++)
        w->open[counter] += delta[counter];
    if (abort_facts_log_tells(target)) /* else it might have been anything */
        w->kills += kills_take(&ledger->kills, delta[COUNTER_CLIENTS]);
    if (server_flavour_of(target) != SERVER_MARIADB)
        w->no_place += delta[COUNTER_MAX_CONNECTIONS];
}

static bool log_is_catching_up(const struct target *target) {
    return target->error_log && !log_source_caught_up(target->error_log) && target->poll.polls < CATCH_UP_POLLS;
}

static void begin(const struct ledger_listener *listener, struct target *target, struct mono began) {
    struct ledger *ledger = log_is_catching_up(target) ? NULL : calloc(1, sizeof *ledger);
    if (!ledger)
        return;
    target->ledger = ledger;
    ledger->listener = listener;
    ledger->began_wall_ns = wall_now_ns();
    ledger->counted_from = began;
    ledger->life = server_life_now(target);
    read_counters(ledger, target, LEDGER_STEP_COUNT);
}

/* The look has not found all that the server knows of, or there was none. */
static void note_late_rows(struct ledger *ledger, const struct target *target) {
    const struct server_errors *errors = target->server_errors;
    int64_t wall_ns = errors ? server_errors_wall_ns(errors) : 0;
    if (errors && (wall_ns == ledger->errors_wall_ns || server_errors_missing(errors)))
        ledger->rows_late = ROWS_LATE;
    else if (ledger->rows_late > 0)
        ledger->rows_late--;
    ledger->errors_wall_ns = wall_ns;
}

static void on_polled(void *arg, struct target *target, struct mono began) {
    struct ledger *ledger = target->ledger;
    if (target->poll.health != TARGET_UP) {
        if (ledger)
            ledger->in_gap = true;
        return;
    }
    if (!ledger) {
        begin(arg, target, began);
        return;
    }
    ledger->steps[LEDGER_GAP] += ledger->in_gap;
    ledger->in_gap = false;
    enum ledger_step step = find_step(target, ledger);
    if (step != LEDGER_STEP_COUNT)
        take_step(ledger, target, step);
    ledger->before = ledger->life.polled;
    ledger->life = server_life_now(target);
    read_counters(ledger, target, step);
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++) {
        match(ledger, counter);
        let_go(ledger, counter);
    }
    note_late_rows(ledger, target);
    close_waits(ledger, target, false);
    age_maybes(ledger, target);
}

static void on_target_removed(void *arg, struct target *target) {
    (void)arg;
    free(target->ledger);
    target->ledger = NULL;
}

struct observer ledger_observer(struct ledger_listener *listener) {
    return (struct observer){.arg = listener, .target_removed = on_target_removed, .polled = on_polled};
}

/* --- the readers --- */

const char *ledger_step_name(enum ledger_step step) {
    static const char *const names[] = {
#define STEP_NAME(id, name, meaning) name,
        LEDGER_STEPS(STEP_NAME)
#undef STEP_NAME
    };
    return names[step];
}

bool ledger_account_of(const struct target *target, enum abort_counter counter, struct ledger_account *out) {
    const struct ledger *ledger = target->ledger;
    if (!ledger)
        return false;
    *out = (struct ledger_account){.known = ledger->known[counter], .increase = ledger->increase[counter]};
    if (counter < COUNTER_LINED) {
        out->unexplained = ledger->unexplained[counter];
        out->pending = pending(ledger, counter);
    }
    return true;
}

uint64_t ledger_explained(const struct target *target, enum abort_counter counter, enum cause cause) {
    const struct ledger *ledger = target->ledger;
    if (!ledger)
        return 0;
    if (counter < COUNTER_LINED)
        return ledger->explained[counter][cause];
    return cause == abort_counter_cause(counter) ? ledger->increase[counter] : 0;
}

bool ledger_settled(const struct target *target, enum abort_counter counter, uint64_t *settled, uint64_t *open) {
    struct ledger_account account;
    if (!ledger_account_of(target, counter, &account) || account.increase == account.pending)
        return false;
    *settled = account.increase - account.pending;
    *open = account.unexplained + ledger_explained(target, counter, CAUSE_UNKNOWN) +
            ledger_explained(target, counter, CAUSE_BEFORE_LOGIN);
    return true;
}

uint64_t ledger_unmatched(const struct target *target, enum abort_counter counter, enum cause cause) {
    const struct ledger *ledger = target->ledger;
    return ledger && counter < COUNTER_LINED ? ledger->unmatched[counter][cause] : 0;
}

uint64_t ledger_steps(const struct target *target, enum ledger_step step) {
    const struct ledger *ledger = target->ledger;
    return ledger ? ledger->steps[step] : 0;
}

int64_t ledger_began_wall_ns(const struct target *target) {
    const struct ledger *ledger = target->ledger;
    return ledger ? ledger->began_wall_ns : 0;
}
