/*
 * The text buffer; see strbuf.h.
 */
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strbuf_init(struct strbuf *sb, size_t max) {
    *sb = (struct strbuf){.max = max};
}

void strbuf_release(struct strbuf *sb) {
    if (!sb)
        return;
    free(sb->data);
    strbuf_init(sb, sb->max);
}

void strbuf_reset(struct strbuf *sb) {
    sb->len = 0;
    sb->failed = false;
    if (sb->data)
        sb->data[0] = '\0';
}

const char *strbuf_text(const struct strbuf *sb) {
    return sb->data ? sb->data : "";
}

char *strbuf_detach(struct strbuf *sb) {
    char *text = NULL;
    if (!sb->failed && strbuf_room(sb, 0)) {
        text = sb->data;
        sb->data = NULL;
    }
    strbuf_release(sb);
    return text;
}

char *strbuf_grow(struct strbuf *sb, size_t len) {
    if (sb->failed)
        return NULL;
    if (len > sb->max - sb->len) {
        sb->failed = true;
        return NULL;
    }
    size_t need = sb->len + len + 1;
    if (need > sb->cap) {
        size_t cap = sb->cap ? sb->cap : 64;
        while (cap < need)
            cap *= 2;
        if (cap > sb->max + 1)
            cap = sb->max + 1;
        char *data = realloc(sb->data, cap);
        if (!data) {
            sb->failed = true;
            return NULL;
        }
        sb->data = data;
        sb->cap = cap;
        sb->data[sb->len] = '\0';
    }
    return sb->data + sb->len;
}

void strbuf_addvf(struct strbuf *sb, const char *format, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, format, ap);
    char *room = len >= 0 ? strbuf_room(sb, (size_t)len) : NULL;
    if (room) {
        vsnprintf(room, (size_t)len + 1, format, again);
        strbuf_grew(sb, (size_t)len);
    } else if (len < 0) {
        sb->failed = true;
    }
    va_end(again);
}

void strbuf_addf(struct strbuf *sb, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    strbuf_addvf(sb, format, ap);
    va_end(ap);
}

void strbuf_addu64(struct strbuf *sb, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    strbuf_add(sb, digits + at, sizeof digits - at);
}

void strbuf_truncate(struct strbuf *sb, size_t len) {
    if (len >= sb->len)
        return;
    sb->len = len;
    sb->data[len] = '\0';
}

struct span span_of(const char *text) {
    return (struct span){text, text ? strlen(text) : 0};
}

bool span_equal(struct span a, struct span b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_is(struct span s, const char *text) {
    return span_equal(s, span_of(text));
}

uint32_t span_hash(struct span s) {
    uint32_t hash = 2166136261; /* FNV-1a */
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * 16777619;
    return hash;
}
