/*
 * Walking over a part of a line: the few steps that all readers of log lines share. A span is moved or shortened in
 * place; what does not fit leaves it as it was.
 */
#ifndef OBSERVE_LOG_TEXT_H
#define OBSERVE_LOG_TEXT_H

#include "base/number.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SPAN_LITERAL(s) ((struct span){"" s, sizeof(s) - 1})

static inline struct span span_from(struct span s, size_t skip) {
    return (struct span){s.ptr + skip, s.len - skip};
}

static inline struct span span_until(struct span s, const char *end) {
    return (struct span){s.ptr, (size_t)(end - s.ptr)};
}

static inline bool span_starts(struct span s, struct span with) {
    return s.len >= with.len && memcmp(s.ptr, with.ptr, with.len) == 0;
}

static inline bool span_ends(struct span s, struct span with) {
    return s.len >= with.len && memcmp(s.ptr + s.len - with.len, with.ptr, with.len) == 0;
}

static inline bool span_take(struct span *s, struct span with) {
    if (!span_starts(*s, with))
        return false;
    *s = span_from(*s, with.len);
    return true;
}

static inline bool span_cut_end(struct span *s, struct span with) {
    if (!span_ends(*s, with))
        return false;
    s->len -= with.len;
    return true;
}

static inline const char *span_find_char(struct span s, char c) {
    return s.len ? memchr(s.ptr, c, s.len) : NULL;
}

static inline const char *span_find(struct span s, struct span what) {
    return s.len >= what.len ? memmem(s.ptr, s.len, what.ptr, what.len) : NULL;
}

/* `what` has at least one byte. */
static inline const char *span_find_last(struct span s, struct span what) {
    while (s.len >= what.len) {
        const char *p = memrchr(s.ptr, what.ptr[0], s.len - what.len + 1);
        if (!p || memcmp(p, what.ptr, what.len) == 0)
            return p;
        s.len = (size_t)(p - s.ptr) + what.len - 1;
    }
    return NULL;
}

static inline bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Take the number that `s` begins with. */
static inline bool span_take_number(struct span *s, uint64_t *out) {
    size_t digits = 0;
    while (digits < s->len && is_digit(s->ptr[digits]))
        digits++;
    if (number_parse_u64((struct span){s->ptr, digits}, UINT64_MAX, out) < 0)
        return false;
    *s = span_from(*s, digits);
    return true;
}

/* Take the last word, and the blanks after it. Empty where there is none. */
static inline struct span span_take_last_word(struct span *s) {
    while (s->len && s->ptr[s->len - 1] == ' ')
        s->len--;
    const char *space = s->len ? memrchr(s->ptr, ' ', s->len) : NULL;
    struct span word = space ? span_from(*s, (size_t)(space + 1 - s->ptr)) : *s;
    s->len -= word.len;
    return word;
}

#endif
