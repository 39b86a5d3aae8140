/*
 * How many KILLs a server executed lately, by its own count (Com_kill, which KILL QUERY raises, too): no line and no
 * counter of aborts names them.
 */
#ifndef EXPLAIN_KILLS_H
#define EXPLAIN_KILLS_H

#include "observe/target.h"

#include <stdbool.h>
#include <stdint.h>

enum { KILLS_POLLS = 3 };

/* Zeros begin it. */
struct kills {
    bool begun;
    double value;
    uint64_t came[KILLS_POLLS]; /* with the last poll, the one before it, … */
};

/* At the end of each good poll. */
void kills_polled(struct kills *kills, const struct target *target);
/* Of the last polls: what a KILL ends may be counted somewhat after it, and its errors are judged a poll later. -1: not
 * known. */
int64_t kills_lately(const struct kills *kills);
/* … but for what came with the last poll: what the look of the poll before saw has nothing to do with those. */
int64_t kills_before(const struct kills *kills);
/* As many of them as there are, at most `n`: they are then no longer among those. Returns how many. */
uint64_t kills_take(struct kills *kills, uint64_t n);

#endif
