/*
 * Advice for each target: which rules are raised, looked at anew after each poll, well or not. A rule is raised for as
 * long as what it speaks of is there, or was within the last hour; then it goes away.
 */
#ifndef EXPLAIN_ADVICE_H
#define EXPLAIN_ADVICE_H

#include "explain/advice_rules.h"
#include "observe/target.h"

#include <stddef.h>
#include <stdint.h>

struct advice {
    const struct advice_rule *rule;
    enum advice_severity severity;
    int64_t since_wall_ns; /* raised since then, whatever its severity was meanwhile */
    struct finding finding;
};

/* The listener: target_removed and polled, which must come after the ledger's. It keeps its state in target->advice,
 * some 2 KB. Where memory is short there is no advice. */
struct observer advice_observer(void);
/* Takes the aborts, for whose they were. */
struct abort_sink advice_sink(void);

/* When the rules were last checked; 0 never. */
int64_t advice_checked_wall_ns(const struct target *target);
/* Of the last poll, the most severe first; *count may be 0. Valid until the next poll of that target. */
const struct advice *advice_of(const struct target *target, size_t *count);
/* What there was in the last hour at most. False: there was no poll yet. Valid as above. */
bool advice_lately(const struct target *target, struct advice_recent *out);

#endif
