/*
 * JSON for a reader of YAML; see json_text.h.
 */
#include "config/json_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What YAML takes for line breaks inside of a string, and its own words for them. */
static const struct {
    const char *bytes, *word;
} breaks[] = {{"\xC2\x85", "\\N"}, {"\xE2\x80\xA8", "\\L"}, {"\xE2\x80\xA9", "\\P"}};

struct rewriting {
    char *to;               /* at or before `from` */
    const char *from, *end; /* what is left */
};

static void put(struct rewriting *r, const char *text, size_t len, size_t instead_of) {
    memmove(r->to, text, len);
    r->to += len;
    r->from += instead_of;
}

static bool begins(const struct rewriting *r, const char *text) {
    size_t len = strlen(text);
    return (size_t)(r->end - r->from) >= len && memcmp(r->from, text, len) == 0;
}

/* Whether `\uXXXX` stands at `at`. */
static bool read_unit(const struct rewriting *r, size_t at, uint32_t *unit) {
    uint32_t value = 0;
    if ((size_t)(r->end - r->from) < at + 6 || r->from[at] != '\\' || r->from[at + 1] != 'u')
        return false;
    for (size_t i = at + 2; i < at + 6; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF", *digit = strchr(digits, r->from[i]);
        if (!digit || !*digit)
            return false;
        value = value << 4 | ((uint32_t)(digit - digits) & 15);
    }
    *unit = value;
    return true;
}

/* Two UTF-16 units are one character; YAML has one escape for it. Any other escape is as in YAML. */
static void copy_escape(struct rewriting *r) {
    uint32_t high, low;
    if (read_unit(r, 0, &high) && read_unit(r, 6, &low) && high >> 10 == 0xD800 >> 10 && low >> 10 == 0xDC00 >> 10) {
        char word[sizeof "\\U0010FFFF"];
        int len = snprintf(word, sizeof word, "\\U%08X", 0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF));
        put(r, word, (size_t)len, 12);
    } else {
        size_t len = r->end - r->from > 1 ? 2 : 1;
        put(r, r->from, len, len);
    }
}

static bool copy_break(struct rewriting *r) {
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++)
        if (begins(r, breaks[i].bytes)) {
            put(r, breaks[i].word, 2, strlen(breaks[i].bytes));
            return true;
        }
    return false;
}

size_t json_text_to_yaml(char *text, size_t len) {
    struct rewriting r = {.to = text, .from = text, .end = text + len};
    bool in_string = false;
    while (r.from < r.end) {
        if (in_string && *r.from == '\\') {
            copy_escape(&r);
            continue;
        }
        if (in_string && copy_break(&r))
            continue;
        in_string ^= *r.from == '"';
        bool tab = *r.from == '\t' && !in_string; /* JSON indents by them, YAML must not */
        put(&r, tab ? " " : r.from, 1, 1);
    }
    return (size_t)(r.to - text);
}
