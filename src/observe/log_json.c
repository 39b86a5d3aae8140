/*
 * A flat reader of JSON objects; see log_json.h.
 */
#include "observe/log_json.h"

#include "observe/log_text.h"

#include <stdint.h>

enum { DEPTH_MAX = 32 };

static void skip_blanks(struct span *s) {
    while (s->len && (s->ptr[0] == ' ' || s->ptr[0] == '\t' || s->ptr[0] == '\n' || s->ptr[0] == '\r'))
        *s = span_from(*s, 1);
}

static bool take_byte(struct span *s, char c) {
    skip_blanks(s);
    if (!s->len || s->ptr[0] != c)
        return false;
    *s = span_from(*s, 1);
    return true;
}

/* *raw is what is between the quotes. */
static bool take_string(struct span *s, struct span *raw) {
    if (!take_byte(s, '"'))
        return false;
    for (size_t at = 0;;) {
        const char *quote = span_find_char(span_from(*s, at), '"');
        if (!quote)
            return false;
        size_t end = (size_t)(quote - s->ptr), backslashes = 0;
        while (backslashes < end && s->ptr[end - 1 - backslashes] == '\\')
            backslashes++;
        if (backslashes % 2 == 0) {
            *raw = span_until(*s, quote);
            *s = span_from(*s, end + 1);
            return true;
        }
        at = end + 1;
    }
}

/* A number, true, false, null. */
static bool take_word(struct span *s, struct span *raw) {
    size_t len = 0;
    while (len < s->len && (is_digit(s->ptr[len]) || (s->ptr[len] >= 'a' && s->ptr[len] <= 'z') ||
                            (len && s->ptr[len] == 'E') || (s->ptr[len] && strchr("+-.", s->ptr[len]))))
        len++;
    *raw = (struct span){s->ptr, len};
    *s = span_from(*s, len);
    return len > 0;
}

/* { … } or [ … ], of which only the brackets and strings are looked at. */
static bool skip_nested(struct span *s) {
    char open[DEPTH_MAX] = {0};
    size_t depth = 0;
    struct span raw;
    do {
        skip_blanks(s);
        if (!s->len)
            return false;
        char c = s->ptr[0];
        if (c == '"') {
            if (!take_string(s, &raw))
                return false;
            continue;
        }
        *s = span_from(*s, 1);
        if (c == '{' || c == '[') {
            if (depth == DEPTH_MAX)
                return false;
            open[depth++] = c;
        } else if (c == '}' || c == ']') {
            if (open[--depth] != (c == '}' ? '{' : '['))
                return false;
        }
    } while (depth);
    return true;
}

static bool take_value(struct span *s, struct log_json_member *value) {
    skip_blanks(s);
    value->is_string = s->len && s->ptr[0] == '"';
    if (value->is_string)
        return take_string(s, &value->raw);
    if (s->len && (s->ptr[0] == '{' || s->ptr[0] == '[')) {
        struct span begin = *s;
        if (!skip_nested(s))
            return false;
        value->raw = span_until(begin, s->ptr);
        return true;
    }
    return take_word(s, &value->raw);
}

bool log_json_read(struct span text, struct log_json_member *members, size_t count) {
    struct span name;
    for (size_t i = 0; i < count; i++)
        members[i] = (struct log_json_member){.name = members[i].name};
    if (!take_byte(&text, '{'))
        return false;
    bool whole = take_byte(&text, '}');
    while (!whole) {
        struct log_json_member value = {0};
        if (!take_string(&text, &name) || !take_byte(&text, ':') || !take_value(&text, &value))
            return false;
        for (size_t i = 0; i < count; i++)
            if (!members[i].raw.ptr && span_is(name, members[i].name)) {
                members[i].raw = value.raw;
                members[i].is_string = value.is_string;
            }
        whole = take_byte(&text, '}');
        if (!whole && !take_byte(&text, ','))
            return false;
    }
    skip_blanks(&text);
    return text.len == 0;
}

/* --- strings --- */

static bool take_hex4(struct span *s, uint32_t *out) {
    static const char digits[] = "0123456789abcdef";
    uint32_t value = 0;
    if (s->len < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        char c = s->ptr[i];
        const char *p = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
        if (!p)
            return false;
        value = value * 16 + (uint32_t)(p - digits);
    }
    *s = span_from(*s, 4);
    *out = value;
    return true;
}

static void add_utf8(struct strbuf *out, uint32_t c) {
    if (c < 0x80) {
        strbuf_addch(out, (char)c);
        return;
    }
    if (c < 0x800) {
        strbuf_addch(out, (char)(0xc0 | (c >> 6)));
    } else {
        if (c < 0x10000) {
            strbuf_addch(out, (char)(0xe0 | (c >> 12)));
        } else {
            strbuf_addch(out, (char)(0xf0 | (c >> 18)));
            strbuf_addch(out, (char)(0x80 | ((c >> 12) & 0x3f)));
        }
        strbuf_addch(out, (char)(0x80 | ((c >> 6) & 0x3f)));
    }
    strbuf_addch(out, (char)(0x80 | (c & 0x3f)));
}

/* Behind "\u". */
static void add_unicode(struct strbuf *out, struct span *s) {
    uint32_t c, low;
    if (!take_hex4(s, &c)) {
        add_utf8(out, 0xfffd);
        return;
    }
    struct span rest = *s;
    if (c >= 0xd800 && c < 0xdc00 && span_take(&rest, SPAN_LITERAL("\\u")) && take_hex4(&rest, &low) && low >= 0xdc00 &&
        low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        *s = rest;
    }
    add_utf8(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
}

void log_json_add_text(struct strbuf *out, struct span raw) {
    static const char escapes[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    while (raw.len) {
        const char *backslash = span_find_char(raw, '\\');
        struct span plain = backslash ? span_until(raw, backslash) : raw;
        strbuf_add(out, plain.ptr, plain.len);
        raw = span_from(raw, plain.len);
        if (raw.len < 2)
            break;
        char c = raw.ptr[1];
        raw = span_from(raw, 2);
        const char *escape = c ? strchr(escapes, c) : NULL;
        if (c == 'u')
            add_unicode(out, &raw);
        else
            strbuf_addch(out, escape ? meanings[escape - escapes] : c);
    }
}

bool log_json_add_bytes(struct strbuf *out, struct span raw) {
    uint64_t byte;
    char end = '[';
    while (take_byte(&raw, end) && end != ']') {
        skip_blanks(&raw);
        if (!span_take_number(&raw, &byte) || byte > UINT8_MAX)
            return false;
        strbuf_addch(out, (char)(unsigned char)byte);
        skip_blanks(&raw);
        end = raw.len && raw.ptr[0] == ']' ? ']' : ',';
    }
    return end == ']' && raw.len == 0;
}
