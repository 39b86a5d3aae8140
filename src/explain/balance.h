/*
 * What a counter rose by between two polls, less what was told of in between: what is left has no explanation yet.
 */
#ifndef EXPLAIN_BALANCE_H
#define EXPLAIN_BALANCE_H

#include <stdint.h>

/* All zero is one that has seen nothing. */
struct balance {
    uint64_t polls, value;
    uint64_t told; /* since the last poll was settled */
    uint64_t owed; /* told of, before the counter's rise was read */
    uint64_t left; /* of the last poll that was settled … */
    uint64_t old;  /* … and of the one before it */
};

void balance_tell(struct balance *balance, uint64_t n);
/* The same of what the last poll that was settled may have counted already. */
void balance_tell_late(struct balance *balance, uint64_t n);
/* A poll read `value`, and all that it explains has been told. A value that is not a number is ignored; one that is
 * smaller than before leaves nothing. */
void balance_settle(struct balance *balance, double value);
/* What is left of the poll before the last is nobody's. */
void balance_forget_old(struct balance *balance);
uint64_t balance_left(const struct balance *balance);
/* At most `n` of what is left, the old first; returns how many. */
uint64_t balance_take(struct balance *balance, uint64_t n);

#endif
