/*
 * What the judge's two files share: judge.c hears of lines and polls, judge_untold.c tells what only sums of errors and
 * counters tell of.
 */
#ifndef EXPLAIN_JUDGE_INTERNAL_H
#define EXPLAIN_JUDGE_INTERNAL_H

#include "base/clock.h"
#include "explain/abort_case.h"
#include "explain/balance.h"
#include "explain/held_lines.h"
#include "explain/judge.h"
#include "explain/kills.h"
#include "explain/untold.h"

enum { TOO_MANY = 1040, WRITE_ERROR = 1160, INIT_CONNECT_FAILED = 1184, JUDGE_SINKS_MAX = 8 };

struct judge {
    struct abort_sink sinks[JUDGE_SINKS_MAX];
    size_t sink_count;
    uint64_t last_id;
};

/* What is kept of a target. */
struct judgement {
    struct untold *untold;
    struct kills kills;
    /* Of this poll, before any is taken: KILLs that were counted before the sums that are judged now, and all of late;
     * -1 not known. */
    int64_t kills_before, kills_lately;
    uint64_t clients_left; /* of this poll, before any is told: what Aborted_clients had risen by before those sums */
    struct balance balances[2]; /* of Aborted_connects and Aborted_clients */
    unsigned rows_missing;      /* for so many polls: what is left of the counters' rise has sums that come later */
    struct mono closing;        /* when a line last told of a shutdown; 0 never */
    struct held_lines *held;
    uint64_t disorder; /* the connection of which a line told last that its packets are out of order; 0 none */
};

/* An event is complete: its evidence is, too, and the sinks have it. */
void judge_tell(struct judge *judge, struct target *target, struct abort_case *c);
/* … and the counters that it raises, which is no longer without an explanation; `late`: with the poll before. */
void judge_note_told(struct target *target, const struct abort_event *event, bool late);

/* `counter` rose by `n` for that cause, and nothing else tells of it. */
void judge_counter(struct judge *judge, struct target *target, enum abort_counter counter, enum cause cause,
                   uint64_t n);

/* An untold_fn, whose arg is a struct judge_hearing. */
struct judge_hearing {
    struct judge *judge;
    struct target *target;
};
uint64_t judge_untold(void *arg, const struct untold_aborts *aborts);

#endif
