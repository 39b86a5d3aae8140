/*
 * Counting what there is; see tally.h. A few hundred entries at most are usual: they are searched one after the other
 * by their hashes.
 */
#include "base/tally.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

struct counted {
    uint64_t count, sum;
};

struct tally {
    struct tally_entry *entries;
    struct counted *next; /* what the pass that runs counted; as entries */
    uint32_t *hashes;     /* as entries */
    size_t count, allocated, capacity, text_max;
    struct counted other, next_other;
};

struct tally *tally_new(size_t text_max) {
    struct tally *tally = calloc(1, sizeof *tally);
    if (tally)
        tally->text_max = text_max;
    return tally;
}

static void free_text(struct tally_entry *entry) {
    union {
        const char *ours;
        void *to_free;
    } text = {entry->text.ptr};
    free(text.to_free);
}

void tally_free(struct tally *tally) {
    if (!tally)
        return;
    for (size_t i = 0; i < tally->count; i++)
        free_text(&tally->entries[i]);
    free(tally->entries);
    free(tally->next);
    free(tally->hashes);
    free(tally);
}

void tally_begin(struct tally *tally, size_t capacity) {
    tally->capacity = capacity;
    tally->next_other = (struct counted){0};
    if (tally->count > 0)
        memset(tally->next, 0, tally->count * sizeof *tally->next);
}

static bool grow(struct tally *tally) {
    size_t more = tally->allocated ? 2 * tally->allocated : 8;
    struct tally_entry *entries = reallocarray(tally->entries, more, sizeof *entries);
    if (entries)
        tally->entries = entries;
    struct counted *next = reallocarray(tally->next, more, sizeof *next);
    if (next)
        tally->next = next;
    uint32_t *hashes = reallocarray(tally->hashes, more, sizeof *hashes);
    if (hashes)
        tally->hashes = hashes;
    if (!entries || !next || !hashes)
        return false;
    tally->allocated = more;
    return true;
}

static struct counted *add_entry(struct tally *tally, struct span text, uint32_t hash) {
    if (tally->count >= tally->capacity || (tally->count == tally->allocated && !grow(tally)))
        return NULL;
    char *copy = tally->next ? malloc(text.len + 1) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    struct tally_entry *entry = &tally->entries[tally->count];
    *entry = (struct tally_entry){.text.len = text.len};
    entry->text.ptr = copy;
    tally->hashes[tally->count] = hash;
    tally->next[tally->count] = (struct counted){0};
    return &tally->next[tally->count++];
}

static struct counted *find(struct tally *tally, struct span text, uint32_t hash) {
    for (size_t i = 0; i < tally->count; i++)
        if (tally->hashes[i] == hash && span_equal(tally->entries[i].text, text))
            return &tally->next[i];
    return NULL;
}

void tally_add(struct tally *tally, struct span text, uint64_t amount) {
    if (!text.ptr)
        text = span_of("");
    text = text_cut(text, tally->text_max);
    uint32_t hash = span_hash(text);
    struct counted *next = find(tally, text, hash);
    if (!next)
        next = add_entry(tally, text, hash);
    if (!next)
        next = &tally->next_other;
    next->count++;
    next->sum += amount;
}

void tally_end(struct tally *tally) {
    size_t kept = 0;
    for (size_t i = 0; i < tally->count; i++) {
        if (tally->next[i].count == 0) {
            free_text(&tally->entries[i]);
            continue;
        }
        tally->entries[kept] = (struct tally_entry){tally->entries[i].text, tally->next[i].count, tally->next[i].sum};
        tally->hashes[kept] = tally->hashes[i];
        tally->next[kept++] = tally->next[i];
    }
    tally->count = kept;
    tally->other = tally->next_other;
}

const struct tally_entry *tally_entries(const struct tally *tally, size_t *count) {
    *count = tally->count;
    return tally->entries;
}

struct tally_entry tally_other(const struct tally *tally) {
    return (struct tally_entry){.count = tally->other.count, .sum = tally->other.sum};
}
