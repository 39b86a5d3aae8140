/*
 * What no line tells of: sums of errors, and counters that rose without either; see judge.h.
 */
#include "explain/judge_internal.h"

#include <string.h>

enum { WENT_MAX = 32, WENT_NAMED = 8 };

/* The ledger waits so long for a line before it tells of a KILL that only counters show. */
#define KILL_TOLD_WITHIN_NS (5 * NS_PER_S)

/* How sums are to be read that a KILL may have raised, and whose they are. */
enum reading { AS_KNOWN, OURS, KILLED, NOT_KILLED, PERHAPS_KILLED, SOME_KILLED };

/* --- counters --- */

/* A KILL that only counters tell of was of a session that went meanwhile; where those are few they are named. */
static void add_who_may_be_killed(struct abort_case *c, const struct target *target) {
    const struct session *gone[WENT_NAMED + 1];
    int64_t now = c->event.seen_wall_ns;
    int64_t since =
        now - KILL_TOLD_WITHIN_NS - 2 * target->config->poll.interval_ns - target_sessions_interval_ns(target);
    size_t count =
        sessions_gone(target->sessions, (struct span){0}, (struct span){0}, since, now, gone, WENT_NAMED + 1);
    if (count == 0 || count > WENT_NAMED)
        return;
    struct strbuf *text = abort_case_say(c, FACT_SESSIONS, gone[0]->last_seen_wall_ns);
    strbuf_addstr(text, "it may have been one of those that went: ");
    for (size_t i = 0; i < count; i++)
        strbuf_addf(text, "%s%llu '%s'@'%s'", i ? ", " : "", (unsigned long long)gone[i]->id, gone[i]->user,
                    gone[i]->host);
}

void judge_counter(struct judge *judge, struct target *target, enum abort_counter counter, enum cause cause,
                   uint64_t n) {
    struct abort_case c;
    bool own = cause == CAUSE_SELF;
    abort_case_init(&c, own ? FACT_OWN : FACT_COUNTER);
    c.event.n = n;
    c.event.cause = (struct abort_cause){.cause = counter == COUNTER_PREAUTH && !own ? CAUSE_BEFORE_LOGIN : cause,
                                         .raises = 1U << counter,
                                         .confidence = cause == CAUSE_UNKNOWN  ? CONFIDENCE_UNKNOWN
                                                       : cause == CAUSE_KILLED ? CONFIDENCE_LIKELY
                                                                               : CONFIDENCE_CERTAIN};
    c.event.cause.possible = UINT32_C(1) << c.event.cause.cause;
    if (own)
        strbuf_addstr(abort_case_say(&c, FACT_OWN, c.event.seen_wall_ns), "a connection that we ended badly");
    strbuf_addf(abort_case_say(&c, FACT_COUNTER, c.event.seen_wall_ns), "%s rose by %llu%s",
                abort_counter_name(counter), (unsigned long long)n,
                cause == CAUSE_KILLED ? " when there was a KILL, and no line" : "");
    if (cause == CAUSE_KILLED)
        add_who_may_be_killed(&c, target);
    judge_tell(judge, target, &c);
    abort_case_release(&c);
}

/* --- sums --- */

static void facts_of_sum(struct abort_facts *facts, const struct target *target, const struct untold_aborts *aborts) {
    abort_facts_of_target(facts, target);
    facts->error_number = aborts->number;
    facts->with_number = aborts->with_number;
    facts->untold = aborts->untold;
    facts->doubtful = aborts->doubtful;
    facts->user_known = aborts->user[0] != '\0';
    facts->host_known = aborts->host[0] != '\0';
    const struct judgement *j = target->judgement;
    facts->kills = j->kills_lately;
}

static void add_numbers(struct abort_case *c, const struct untold_aborts *aborts) {
    struct strbuf *text = abort_case_say(c, FACT_ERRORS, aborts->to_wall_ns);
    const unsigned numbers[] = {aborts->number, aborts->with_number};
    for (int i = 0; i < 2 && numbers[i]; i++)
        strbuf_addf(text, "%s%s (%u)", i ? " and " : "", server_error_name(numbers[i]), numbers[i]);
    if (aborts->n > 1)
        strbuf_addf(text, ", %llu times", (unsigned long long)aborts->n);
    strbuf_addstr(text, aborts->untold ? ", and no line" : "");
}

/* A sum tells no connection. Where as many of its account's sessions went since the look before, they may be those, or
 * have ended well while others were never seen: their driver is no guess where they all have the same. */
static void add_who_went(struct abort_case *c, const struct target *target, const struct untold_aborts *aborts) {
    const struct session *gone[WENT_MAX];
    int64_t since = aborts->from_wall_ns - target_sessions_interval_ns(target) - target->config->poll.interval_ns;
    if (c->event.source != FACT_ERRORS || !c->event.user.ptr || !(c->event.cause.raises & 1U << COUNTER_CLIENTS))
        return;
    size_t count =
        sessions_gone(target->sessions, c->event.user, c->event.host, since, aborts->to_wall_ns, gone, WENT_MAX);
    if (count == 0)
        return;
    bool same = true;
    for (size_t i = 1; i < count; i++)
        same &= strcmp(gone[i]->driver, gone[0]->driver) == 0 && strcmp(gone[i]->version, gone[0]->version) == 0;
    struct strbuf *text = abort_case_say(c, FACT_SESSIONS, gone[0]->last_seen_wall_ns);
    strbuf_addstr(text, count == 1 ? "a session that went: " : "sessions that went: ");
    for (size_t i = 0; i < count && i < WENT_NAMED; i++)
        strbuf_addf(text, "%s%llu", i ? ", " : "", (unsigned long long)gone[i]->id);
    strbuf_addstr(text, count > WENT_NAMED ? ", …" : "");
    if (same && count >= c->event.n) {
        c->event.driver = abort_text(gone[0]->driver);
        c->event.driver_version = abort_text(gone[0]->version);
    }
}

static void judge_sum(struct judge *judge, struct target *target, const struct untold_aborts *aborts,
                      enum reading reading) {
    struct abort_case c;
    abort_case_init(&c, FACT_ERRORS);
    facts_of_sum(&c.facts, target, aborts);
    c.facts.kills = reading == NOT_KILLED || reading == OURS ? 0
                    : reading == KILLED                      ? 1
                    : reading == PERHAPS_KILLED              ? -1
                                                             : c.facts.kills;
    c.facts.some_kills = reading == SOME_KILLED;
    c.facts.own = reading == OURS;
    c.event.n = aborts->n;
    c.event.error_number = aborts->number;
    c.event.user = abort_text(aborts->user);
    c.event.host = abort_text(aborts->host);
    c.event.since_wall_ns = aborts->from_wall_ns;
    c.event.cause = cause_of(&c.facts);
    if (c.event.cause.cause == CAUSE_KILLED || c.facts.some_kills)
        kills_take(&((struct judgement *)target->judgement)->kills, aborts->n);
    if (c.event.cause.raises == 0) /* that the counter rose has been seen */
        c.event.cause.raises = c.event.cause.may_raise;
    c.event.cause.may_raise = 0;
    add_numbers(&c, aborts);
    add_who_went(&c, target, aborts);
    if ((c.event.cause.cause != CAUSE_UNKNOWN || c.facts.some_kills) && c.event.cause.cause != CAUSE_NO_ABORT) {
        judge_tell(judge, target, &c);
        if (!aborts->doubtful) /* those have been taken from what was left */
            judge_note_told(target, &c.event, aborts->late);
    }
    abort_case_release(&c);
}

static enum own_abort own_abort_of(const struct target *target, const struct untold_aborts *aborts) {
    struct abort_facts facts;
    if (aborts->user[0] == '\0')
        return OWN_ABORTED_PREAUTH;
    facts_of_sum(&facts, target, aborts);
    return cause_of(&facts).raises & 1U << COUNTER_CLIENTS ? OWN_ABORTED_CLIENT : OWN_ABORTED_CONNECT;
}

/* How many of them we made ourselves. */
static uint64_t own_among(struct target *target, const struct untold_aborts *aborts) {
    struct mono now = mono_now();
    struct mono since = mono_add(now, -(3 * target->config->poll.interval_ns + 5 * NS_PER_S));
    const char *user = target->config->user ? target->config->user : "";
    if (!aborts->account_known || (aborts->user[0] && strcmp(aborts->user, user) != 0))
        return 0;
    enum own_abort own = own_abort_of(target, aborts);
    unsigned max = aborts->n < OWN_CONNECTIONS_KEPT ? (unsigned)aborts->n : OWN_CONNECTIONS_KEPT;
    unsigned n = own_connections_take(&target->own, own, since, now, max);
    if (own == OWN_ABORTED_PREAUTH) /* so that the ledger takes them no more */
        own_connections_take(&target->own, OWN_ABORTED_CONNECT, since, now, n);
    return n;
}

/* Of what is doubtful: as many as the counter has risen by without another explanation, unless that could be
 * somebody else's. */
static uint64_t confirmed(const struct target *target, const struct untold_aborts *aborts) {
    struct abort_facts facts;
    struct ledger_account account = {.pending = 0};
    struct judgement *j = target->judgement;
    if (!aborts->doubtful)
        return aborts->n;
    if (!aborts->untold && j->rows_missing) /* those that come later have raised the counter, too */
        return 0;
    if (aborts->number == WRITE_ERROR && !aborts->untold && j->kills_lately > 0) /* it, or what was told as its pair */
        return 0;
    facts_of_sum(&facts, target, aborts);
    struct abort_cause cause = cause_of(&facts);
    bool clients = (cause.raises | cause.may_raise) & 1U << COUNTER_CLIENTS;
    ledger_account_of(target, clients ? COUNTER_CLIENTS : COUNTER_CONNECTS, &account);
    /* Where lines are waited for, what has risen since the look is all there is. */
    struct balance later = {.left = account.pending}, *balance = aborts->untold ? &later : &j->balances[clients];
    if (aborts->rivals > 0 && aborts->n + aborts->rivals > balance_left(balance))
        return 0;
    return balance_take(balance, aborts->n);
}

static uint64_t judge_some(const struct judge_hearing *h, const struct untold_aborts *aborts, uint64_t n,
                           enum reading reading) {
    struct untold_aborts some = *aborts;
    some.n = n;
    if (n > 0)
        judge_sum(h->judge, h->target, &some, reading);
    return n;
}

/* What a KILL may have raised: all of them were KILLs if there were as many; if there were fewer, no more than those. A
 * KILL that was counted after the look ended nothing of it where the counters had shown all of that before. */
static void judge_killable(const struct judge_hearing *h, const struct untold_aborts *aborts) {
    const struct judgement *j = h->target->judgement;
    int64_t known = j->clients_left < aborts->ended ? j->kills_lately : j->kills_before;
    enum reading others = known >= 0 && known == j->kills_lately ? NOT_KILLED : PERHAPS_KILLED;
    uint64_t kills = known > 0 ? (uint64_t)known : 0, some = kills < aborts->n ? kills : aborts->n;
    if (kills > 0 && kills >= aborts->alike) {
        judge_some(h, aborts, aborts->n, KILLED);
        return;
    }
    judge_some(h, aborts, aborts->n - some, others);
    judge_some(h, aborts, some, SOME_KILLED);
}

uint64_t judge_untold(void *arg, const struct untold_aborts *aborts) {
    const struct judge_hearing *h = arg;
    if (aborts->number == TOO_MANY && !aborts->account_known) { /* from its counter */
        judge_counter(h->judge, h->target, COUNTER_MAX_CONNECTIONS, CAUSE_TOO_MANY_CONNECTIONS, aborts->n);
        return aborts->n;
    }
    struct untold_aborts others = *aborts;
    others.n = confirmed(h->target, aborts);
    uint64_t own = others.n > 0 ? own_among(h->target, &others) : 0;
    others.n -= own;
    judge_some(h, aborts, own, OURS);
    if (aborts->alike > 0 && !aborts->untold)
        judge_killable(h, &others);
    else
        judge_some(h, aborts, others.n, AS_KNOWN);
    return own + others.n;
}
