/*
 * A growing text buffer with a mandatory maximum and a sticky error: after the first append that does not fit (or an
 * allocation that fails) all further appends are ignored and strbuf_failed() is true, so callers check once, at the
 * end. (The idea is curl's dynbuf.)
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct strbuf {
    char *data; /* NUL-terminated once anything was added; NULL before */
    size_t len; /* without the NUL */
    size_t cap;
    size_t max; /* `len` never exceeds this */
    bool failed;
};

/* A part of a text that somebody else owns; not NUL-terminated. */
struct span {
    const char *ptr;
    size_t len;
};

/* Start empty. Nothing is allocated before the first append. */
void strbuf_init(struct strbuf *sb, size_t max);
/* Free the memory and start empty again with the same maximum. NULL is allowed. */
void strbuf_release(struct strbuf *sb);
/* Forget the content and the error, keep the memory. */
void strbuf_reset(struct strbuf *sb);
static inline bool strbuf_failed(const struct strbuf *sb) {
    return sb->failed;
}
/* The content as a C string; "" when empty. Valid until the next change. */
const char *strbuf_text(const struct strbuf *sb);
/* Hand the content over to the caller, who free()s it; NULL if the buffer failed. The buffer is empty afterwards. */
char *strbuf_detach(struct strbuf *sb);

static inline void strbuf_add(struct strbuf *sb, const void *data, size_t len);
static inline void strbuf_addstr(struct strbuf *sb, const char *text);
static inline void strbuf_addch(struct strbuf *sb, char c);
void strbuf_addf(struct strbuf *sb, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_addvf(struct strbuf *sb, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
/* Decimal without printf's cost: the renderers write millions of these. */
void strbuf_addu64(struct strbuf *sb, uint64_t value);
/* Cut off what is after `len`. */
void strbuf_truncate(struct strbuf *sb, size_t len);

/* Make room for `len` bytes more and return where they may be written, or NULL; strbuf_grew() then says how many were.
 */
static inline char *strbuf_room(struct strbuf *sb, size_t len);
static inline void strbuf_grew(struct strbuf *sb, size_t len);

struct span span_of(const char *text);
bool span_equal(struct span a, struct span b);
bool span_is(struct span s, const char *text);
/* For finding texts among few; whoever writes them may make them collide. */
uint32_t span_hash(struct span s);

/* What is called for each piece of a page of megabytes is in place. */

char *strbuf_grow(struct strbuf *sb, size_t len); /* strbuf_room() where there is none yet */

static inline char *strbuf_room(struct strbuf *sb, size_t len) {
    return len < sb->cap - sb->len && !sb->failed ? sb->data + sb->len : strbuf_grow(sb, len);
}

static inline void strbuf_grew(struct strbuf *sb, size_t len) {
    sb->len += len;
    sb->data[sb->len] = '\0';
}

static inline void strbuf_add(struct strbuf *sb, const void *data, size_t len) {
    char *room = strbuf_room(sb, len);
    if (!room)
        return;
    if (len > 0)
        memcpy(room, data, len);
    strbuf_grew(sb, len);
}

static inline void strbuf_addstr(struct strbuf *sb, const char *text) {
    strbuf_add(sb, text, strlen(text));
}

static inline void strbuf_addch(struct strbuf *sb, char c) {
    char *room = strbuf_room(sb, 1);
    if (!room)
        return;
    *room = c;
    strbuf_grew(sb, 1);
}

#endif
