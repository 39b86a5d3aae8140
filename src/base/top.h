/*
 * How often each of many texts came, in bounded memory: exact while there are few different ones, and beyond that for
 * those that come often (Misra and Gries; thrown out by halves, as in "A High-Performance Algorithm for Identifying
 * Frequent Items in Data Streams", Anderson et al. 2017). A count is never too high, and at most top_error() too low.
 */
#ifndef BASE_TOP_H
#define BASE_TOP_H

#include "base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

struct top;

struct top_entry {
    struct span text;
    uint64_t count;
};

/* Keeps at most `capacity` texts (2 to 65535), of each the first `text_max` bytes. NULL when memory is short. */
struct top *top_new(size_t capacity, size_t text_max);
void top_free(struct top *top); /* NULL is allowed */

/* One more of `text`. When memory is short it counts among those that are not listed. */
void top_add(struct top *top, struct span text);

/* How often, as far as is known. */
uint64_t top_count(const struct top *top, struct span text);
/* Those that are kept, the most frequent first, equal ones by their bytes; *count may be 0. Valid until the next
 * top_add(). */
const struct top_entry *top_sorted(struct top *top, size_t *count);
uint64_t top_total(const struct top *top);
/* 0 while all counts are exact. */
uint64_t top_error(const struct top *top);

#endif
