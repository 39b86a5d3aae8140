/*
 * How many there are now of each of many texts, in bounded memory: counted anew each time, by a pass over all of them.
 * The first texts that came have an entry of their own for as long as there are any of them, so that names do not come
 * and go from pass to pass; what came when all entries were taken is counted together.
 */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H

#include "base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

struct tally;

struct tally_entry {
    struct span text; /* and a NUL behind it */
    uint64_t count;   /* of the last pass that ended; 0 when it is new since */
    uint64_t sum;     /* … of what was given with each */
};

/* Of each text the first `text_max` bytes are told apart. NULL when memory is short. */
struct tally *tally_new(size_t text_max);
void tally_free(struct tally *tally); /* NULL is allowed */

/* A pass: all that came in one that did not end is forgotten by the next. At most `capacity` texts get new entries. */
void tally_begin(struct tally *tally, size_t capacity);
void tally_add(struct tally *tally, struct span text, uint64_t amount);
/* From now on this pass is what the readers see. */
void tally_end(struct tally *tally);

/* In the order in which they first came. Valid until the next tally_add() or tally_end(). */
const struct tally_entry *tally_entries(const struct tally *tally, size_t *count);
/* Those that had no entry; without a text. */
struct tally_entry tally_other(const struct tally *tally);

#endif
