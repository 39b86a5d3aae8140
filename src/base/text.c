/*
 * Escaping; see text.h. One scanner cuts the input into characters, replaces what is not UTF-8 (RFC 3629: no overlong
 * forms, no surrogates), and asks the format's rule how to write those below 0x80.
 */
#include "base/text.h"

#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Length of the well-formed UTF-8 character at `s`, 0 if there is none. */
static size_t utf8_length(const unsigned char *s, size_t len) {
    unsigned char c = s[0];
    size_t need;
    unsigned char low = 0x80, high = 0xBF; /* the allowed range of the second byte */
    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF) {
        need = 2;
    } else if (c >= 0xE0 && c <= 0xEF) {
        need = 3;
        if (c == 0xE0)
            low = 0xA0;
        if (c == 0xED)
            high = 0x9F;
    } else if (c >= 0xF0 && c <= 0xF4) {
        need = 4;
        if (c == 0xF0)
            low = 0x90;
        if (c == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (len < need || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return need;
}

/* How a format writes an ASCII byte: the text to put in its place, or NULL for the byte itself. `scratch` has 8 bytes.
 */
typedef const char *escape_fn(unsigned char c, char *scratch);

/* No format escapes these, and most texts hold nothing else. */
static bool is_plain(unsigned char c) {
    return c >= ' ' && c < 0x7f && c != '"' && c != '\'' && c != '\\' && c != '&' && c != '<' && c != '>';
}

static void add_escaped(struct strbuf *sb, struct span value, escape_fn *escape) {
    const unsigned char *s = (const unsigned char *)value.ptr;
    size_t plain = 0; /* start of the run that can be copied as it is */
    size_t at = 0;
    if (value.len == 0)
        return; /* its address may be NULL */
    while (at < value.len) {
        if (is_plain(s[at])) {
            at++;
            continue;
        }
        size_t step = utf8_length(s + at, value.len - at);
        char scratch[8];
        const char *instead = step == 0 ? REPLACEMENT : step == 1 ? escape(s[at], scratch) : NULL;
        if (instead) {
            strbuf_add(sb, value.ptr + plain, at - plain);
            strbuf_addstr(sb, instead);
            plain = at + 1;
        }
        at += step ? step : 1;
    }
    strbuf_add(sb, value.ptr + plain, at - plain);
}

static const char *escape_nothing(unsigned char c, char *scratch) {
    (void)c;
    (void)scratch;
    return NULL;
}

static const char *escape_label(unsigned char c, char *scratch) {
    (void)scratch;
    return c == '\\' ? "\\\\" : c == '"' ? "\\\"" : c == '\n' ? "\\n" : NULL;
}

static const char *escape_json(unsigned char c, char *scratch) {
    static const char hex[] = "0123456789abcdef";
    if (c == '\n')
        return "\\n";
    if (c == '\t')
        return "\\t";
    if (c == '\r')
        return "\\r";
    if (c >= 0x20 && c != 0x7f)
        return escape_label(c, scratch);
    memcpy(scratch, "\\u00", 4);
    scratch[4] = hex[c >> 4];
    scratch[5] = hex[c & 15];
    scratch[6] = '\0';
    return scratch;
}

static const char *escape_html(unsigned char c, char *scratch) {
    (void)scratch;
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\n':
    case '\t':
        return NULL;
    default:
        return c < 0x20 || c == 0x7f ? REPLACEMENT : NULL;
    }
}

void text_add_utf8(struct strbuf *sb, struct span value) {
    add_escaped(sb, value, escape_nothing);
}

void text_add_label_value(struct strbuf *sb, struct span value) {
    add_escaped(sb, value, escape_label);
}

void text_add_json(struct strbuf *sb, struct span value) {
    add_escaped(sb, value, escape_json);
}

void text_add_html(struct strbuf *sb, struct span value) {
    add_escaped(sb, value, escape_html);
}

void text_add_logfmt(struct strbuf *sb, struct span value) {
    bool bare = value.len > 0;
    for (size_t i = 0; bare && i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        bare = c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
    }
    if (bare) {
        strbuf_add(sb, value.ptr, value.len);
        return;
    }
    strbuf_addch(sb, '"');
    text_add_json(sb, value); /* logfmt's quoting is JSON's */
    strbuf_addch(sb, '"');
}

/* Whether a well-formed character of more than one byte acts instead of being seen: the control characters up to
 * U+009F, line and paragraph separators, and those that turn the direction of writing. */
static bool acts(const unsigned char *s, size_t len) {
    if (len == 2)
        return s[0] == 0xC2 && s[1] < 0xA0;
    if (len != 3 || s[0] != 0xE2)
        return false;
    return (s[1] == 0x80 && ((s[2] >= 0x8E && s[2] <= 0x8F) || (s[2] >= 0xA8 && s[2] <= 0xAE))) ||
           (s[1] == 0x81 && s[2] >= 0xA6 && s[2] <= 0xA9);
}

void text_add_terminal(struct strbuf *sb, struct span value, bool utf8) {
    const unsigned char *s = (const unsigned char *)value.ptr;
    for (size_t at = 0; at < value.len;) {
        size_t step = utf8_length(s + at, value.len - at);
        bool shown = step == 1 ? s[at] >= 0x20 && s[at] != 0x7f : step > 1 && utf8 && !acts(s + at, step);
        if (shown)
            strbuf_add(sb, value.ptr + at, step);
        else
            strbuf_addstr(sb, utf8 ? REPLACEMENT : "?");
        at += step ? step : 1;
    }
}

struct span text_cut(struct span text, size_t max) {
    if (text.len > max) {
        while (max > 0 && ((unsigned char)text.ptr[max] & 0xC0) == 0x80)
            max--;
        text.len = max;
    }
    return text;
}
