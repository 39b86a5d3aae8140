/*
 * Frequent texts; see top.h. The entries are an array in no order, found through a hash table of their places.
 */
#include "base/top.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NOWHERE UINT16_MAX

struct top {
    struct top_entry *entries;
    uint64_t *scratch; /* counts, to find their median */
    uint16_t *slots;   /* places in `entries`; open addressing */
    size_t slot_mask;
    size_t capacity, count, text_max;
    uint64_t total, error;
    uint64_t seed; /* whoever writes the texts must not choose where they collide */
};

struct top *top_new(size_t capacity, size_t text_max) {
    struct top *top = calloc(1, sizeof *top);
    size_t slots = 2;
    if (!top)
        return NULL;
    while (slots < 2 * capacity)
        slots *= 2;
    top->capacity = capacity;
    top->text_max = text_max;
    top->slot_mask = slots - 1;
    top->entries = calloc(capacity, sizeof *top->entries);
    top->scratch = calloc(capacity, sizeof *top->scratch);
    top->slots = malloc(slots * sizeof *top->slots);
    if (!top->entries || !top->scratch || !top->slots) {
        top_free(top);
        return NULL;
    }
    memset(top->slots, 0xFF, slots * sizeof *top->slots);
    if (getrandom(&top->seed, sizeof top->seed, GRND_NONBLOCK) < 0)
        top->seed = (uint64_t)(uintptr_t)top;
    return top;
}

static void free_text(struct top_entry *entry) {
    union {
        const char *ours;
        void *to_free;
    } text = {entry->text.ptr};
    free(text.to_free);
}

void top_free(struct top *top) {
    if (!top)
        return;
    for (size_t i = 0; i < top->count; i++)
        free_text(&top->entries[i]);
    free(top->entries);
    free(top->scratch);
    free(top->slots);
    free(top);
}

static uint64_t hash(uint64_t seed, struct span text) {
    const uint64_t odd = 0x9E3779B97F4A7C15;
    uint64_t h = seed ^ text.len, word;
    for (; text.len >= sizeof word; text.ptr += sizeof word, text.len -= sizeof word) {
        memcpy(&word, text.ptr, sizeof word);
        h = (h ^ word) * odd;
        h ^= h >> 29;
    }
    word = 0;
    memcpy(&word, text.ptr, text.len);
    h = (h ^ word) * odd;
    return h ^ h >> 32;
}

/* The slot that leads to `text`, or the free one where it belongs. */
static uint16_t *find_slot(const struct top *top, struct span text) {
    size_t at = hash(top->seed, text) & top->slot_mask;
    while (top->slots[at] != NOWHERE && !span_equal(top->entries[top->slots[at]].text, text))
        at = (at + 1) & top->slot_mask;
    return &top->slots[at];
}

static void find_all_slots_anew(struct top *top) {
    memset(top->slots, 0xFF, (top->slot_mask + 1) * sizeof *top->slots);
    for (size_t i = 0; i < top->count; i++)
        *find_slot(top, top->entries[i].text) = (uint16_t)i;
}

static int compare_counts(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Take the median from every count, which leaves nothing of half of them at least. */
static void throw_out(struct top *top) {
    size_t kept = 0;
    for (size_t i = 0; i < top->count; i++)
        top->scratch[i] = top->entries[i].count;
    qsort(top->scratch, top->count, sizeof *top->scratch, compare_counts);
    uint64_t median = top->scratch[top->count / 2];
    for (size_t i = 0; i < top->count; i++) {
        if (top->entries[i].count <= median) {
            free_text(&top->entries[i]);
            continue;
        }
        top->entries[kept] = top->entries[i];
        top->entries[kept++].count -= median;
    }
    top->count = kept;
    top->error += median;
    find_all_slots_anew(top);
}

void top_add(struct top *top, struct span text) {
    if (text.len > top->text_max)
        text.len = top->text_max;
    if (!text.ptr)
        text = span_of("");
    top->total++;
    uint16_t *slot = find_slot(top, text);
    if (*slot != NOWHERE) {
        top->entries[*slot].count++;
        return;
    }
    if (top->count == top->capacity) {
        throw_out(top);
        slot = find_slot(top, text);
    }
    char *copy = malloc(text.len + 1);
    if (!copy) {
        top->error++;
        return;
    }
    memcpy(copy, text.ptr, text.len);
    *slot = (uint16_t)top->count;
    struct top_entry *entry = &top->entries[top->count++];
    entry->text.ptr = copy;
    entry->text.len = text.len;
    entry->count = 1;
}

uint64_t top_count(const struct top *top, struct span text) {
    if (text.len > top->text_max)
        text.len = top->text_max;
    uint16_t place = *find_slot(top, text.ptr ? text : span_of(""));
    return place == NOWHERE ? 0 : top->entries[place].count;
}

static int compare_entries(const void *a, const void *b) {
    const struct top_entry *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    size_t shorter = x->text.len < y->text.len ? x->text.len : y->text.len;
    int order = memcmp(x->text.ptr, y->text.ptr, shorter);
    return order ? order : (x->text.len > y->text.len) - (x->text.len < y->text.len);
}

const struct top_entry *top_sorted(struct top *top, size_t *count) {
    qsort(top->entries, top->count, sizeof *top->entries, compare_entries);
    find_all_slots_anew(top);
    *count = top->count;
    return top->entries;
}

uint64_t top_total(const struct top *top) {
    return top->total;
}

uint64_t top_error(const struct top *top) {
    return top->error;
}
