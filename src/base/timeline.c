/*
 * Counts over time; see timeline.h.
 */
#include "base/timeline.h"

#include <stddef.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define MINUTE INT64_C(60)
#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)

/* Of the counts that are kept; each a multiple of the one before. The last spans more than any calendar. */
static const int64_t widths[] = {1,   10,      MINUTE,   10 * MINUTE, HOUR,        6 * HOUR,
                                 DAY, 7 * DAY, 28 * DAY, 364 * DAY,   36400 * DAY, 3640000 * DAY};

/* Of the rows for people. Each is a multiple of the widest of the widths above that is no wider. */
static const int64_t pretty[] = {
    1,          2,          5,           10,          20,          30,           MINUTE,
    2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE, HOUR,         2 * HOUR,
    3 * HOUR,   6 * HOUR,   12 * HOUR,   DAY,         2 * DAY,     7 * DAY,      14 * DAY,
    28 * DAY,   84 * DAY,   364 * DAY,   3640 * DAY,  36400 * DAY, 364000 * DAY, 3640000 * DAY};

/* Division that rounds down, below zero too. */
static int64_t step_of(int64_t second, int64_t width) {
    return second / width - (second % width < 0);
}

static void widen(struct timeline *t) {
    int64_t factor = widths[t->width + 1] / widths[t->width];
    int64_t first = step_of(t->first, factor), steps = t->last - t->first + 1;
    for (int64_t i = 0; i < steps; i++) {
        uint64_t count = t->counts[i];
        t->counts[i] = 0;
        t->counts[step_of(t->first + i, factor) - first] += count; /* never behind i */
    }
    t->last = step_of(t->last, factor);
    t->first = first;
    t->width++;
}

void timeline_add(struct timeline *t, int64_t second) {
    int64_t step = step_of(second, widths[t->width]);
    if (t->total++ == 0)
        t->first = t->last = step;
    for (;;) {
        int64_t first = step < t->first ? step : t->first, last = step > t->last ? step : t->last;
        if (last - first < TIMELINE_STEPS) {
            if (first < t->first)
                memmove(t->counts + (t->first - first), t->counts,
                        (size_t)(t->last - t->first + 1) * sizeof *t->counts);
            if (first < t->first)
                memset(t->counts, 0, (size_t)(t->first - first) * sizeof *t->counts);
            t->first = first;
            t->last = last;
            t->counts[step - first]++;
            return;
        }
        widen(t);
        step = step_of(second, widths[t->width]);
    }
}

void timeline_rows(const struct timeline *t, unsigned rows_max, struct timeline_rows *out) {
    *out = (struct timeline_rows){0};
    if (t->total == 0)
        return;
    int64_t kept = widths[t->width];
    for (size_t i = 0; i < COUNT_OF(pretty); i++) {
        int64_t wide = pretty[i];
        if (wide % kept != 0)
            continue;
        int64_t first = step_of(t->first * kept, wide), last = step_of(t->last * kept, wide);
        if (last - first >= rows_max || last - first >= (int64_t)COUNT_OF(out->counts))
            continue;
        out->width_s = wide;
        out->first_s = first * wide;
        out->count = (unsigned)(last - first + 1);
        for (int64_t step = t->first; step <= t->last; step++)
            out->counts[step_of(step * kept, wide) - first] += t->counts[step - t->first];
        return;
    }
}
