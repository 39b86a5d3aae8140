/*
 * How many things happened when, in bounded memory: counts in equal steps of time, which become wider (1 s, 10 s, 1 min
 * and so on up to years) as what they span does.
 */
#ifndef BASE_TIMELINE_H
#define BASE_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_STEPS 2048

/* Start with all zero. */
struct timeline {
    uint64_t total;
    unsigned width;                  /* index into the table of widths */
    int64_t first, last;             /* the steps that have counts, as multiples of the width since 1970 */
    uint64_t counts[TIMELINE_STEPS]; /* of the steps from `first` on */
};

/* Seconds since 1970, within ±10^12. */
void timeline_add(struct timeline *timeline, int64_t second);

/* The whole in at most `rows_max` steps (8 to 64), as wide as people like them. */
struct timeline_rows {
    int64_t width_s;
    int64_t first_s; /* where the first row begins */
    unsigned count;  /* 0: nothing was added */
    uint64_t counts[64];
};
void timeline_rows(const struct timeline *timeline, unsigned rows_max, struct timeline_rows *out);

#endif
