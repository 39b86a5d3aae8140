/*
 * The ledger of a target: each counter of connections that failed rises by as much as is explained, by cause, and what
 * is not. For any stretch without a step (FLUSH STATUS, a restart, another server; a gap in polling moves nothing)
 *
 *     increase = Σ explained by cause + unexplained + pending
 *
 * exactly, where `pending` is what waits for its line: a few seconds, up to the poll after them. Lines may come before
 * their counter, too; evidence for which no counter rises by the second poll after it is counted apart.
 *
 * It begins with the first poll that succeeds, and anew whenever we start or the target's configuration changes: what
 * the counters had before belongs to nobody, and Prometheus sees a counter that began at zero.
 */
#ifndef EXPLAIN_LEDGER_H
#define EXPLAIN_LEDGER_H

#include "explain/abort_event.h"
#include "observe/target.h"

#include <stdbool.h>
#include <stdint.h>

/*   enum suffix, name, what it means */
#define LEDGER_STEPS(X)                                                                                                \
    X(FLUSH, "flush_status", "FLUSH STATUS set counters to zero; what they gained since the poll before is lost")      \
    X(RESTART, "restart", "the server started anew, with all counters at zero; the same is lost")                      \
    X(OTHER, "other_server",                                                                                           \
      "another server answers than before, or its clock was set; where its counters stand now is nobody's")            \
    X(GAP, "gap", "polls failed; the counters went on, and nothing is lost unless another step fell into it")

enum ledger_step {
#define LEDGER_STEP_ENUM(id, name, meaning) LEDGER_##id,
    LEDGER_STEPS(LEDGER_STEP_ENUM)
#undef LEDGER_STEP_ENUM
        LEDGER_STEP_COUNT
};

const char *ledger_step_name(enum ledger_step step);

/* Who is told what the counters themselves tell: that `counter` rose by `n` for which no evidence came from elsewhere.
 * `cause` is SELF where we know of an abort of ours, the counter's own where it has one (COUNTER_LINED and on; told at
 * once), or UNKNOWN. */
struct ledger_listener {
    void *arg;
    void (*rose)(void *arg, struct target *target, enum abort_counter counter, enum cause cause, uint64_t n);
};

/* The observer: target_removed and polled. It keeps its books in target->ledger, about 3 KB from the first good poll
 * on. Where memory is short the target has no ledger. `listener` is borrowed; NULL: nobody listens. */
struct observer ledger_observer(struct ledger_listener *listener);
/* Takes the aborts that raise counters. To be told before the poll's end is (struct observer's polled). */
struct abort_sink ledger_sink(void);

struct ledger_account {
    bool known; /* the server has this counter */
    uint64_t increase, unexplained, pending;
};

/* False: there is no ledger (yet). */
bool ledger_account_of(const struct target *target, enum abort_counter counter, struct ledger_account *out);
/* What the counter rose by and is judged, and how much of that is open: unexplained, or of a cause that says no more.
 * False: there is no ledger, or nothing was judged yet. */
bool ledger_settled(const struct target *target, enum abort_counter counter, uint64_t *settled, uint64_t *open);
uint64_t ledger_explained(const struct target *target, enum abort_counter counter, enum cause cause);
/* Evidence for which the counter did not rise. */
uint64_t ledger_unmatched(const struct target *target, enum abort_counter counter, enum cause cause);
uint64_t ledger_steps(const struct target *target, enum ledger_step step);
int64_t ledger_began_wall_ns(const struct target *target); /* 0: there is no ledger yet */

#endif
