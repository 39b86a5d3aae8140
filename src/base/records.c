/*
 * Records as text; see records.h.
 */
#include "base/records.h"

#include "base/number.h"

#include <string.h>

static const char end_mark[] = "end ";
enum { HASH_DIGITS = 16 };

uint64_t hash_bytes(const void *data, size_t len) {
    const unsigned char *bytes = data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* --- writing --- */

void records_begin(struct strbuf *out, const char *format) {
    strbuf_addstr(out, format);
    strbuf_addch(out, '\n');
}

void records_end(struct strbuf *out) {
    if (!strbuf_failed(out))
        strbuf_addf(out, "%s%016llx\n", end_mark, (unsigned long long)hash_bytes(out->data, out->len));
}

void record_begin(struct strbuf *out, const char *name) {
    strbuf_addstr(out, name);
}

static bool is_plain(unsigned char c) {
    return c > ' ' && c < 0x7F && c != '%';
}

void record_add(struct strbuf *out, struct span field) {
    strbuf_addch(out, ' ');
    for (size_t i = 0; i < field.len; i++) {
        unsigned char c = (unsigned char)field.ptr[i];
        if (is_plain(c))
            strbuf_addch(out, (char)c);
        else
            strbuf_addf(out, "%%%02x", c);
    }
}

void record_add_u64(struct strbuf *out, uint64_t field) {
    strbuf_addch(out, ' ');
    strbuf_addu64(out, field);
}

void record_end(struct strbuf *out) {
    strbuf_addch(out, '\n');
}

/* --- reading --- */

static bool fail(struct records *r, const char *wrong) {
    r->wrong = wrong;
    return false;
}

static int hex_value(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool checksum_is(const char *digits, uint64_t sum) {
    for (int i = 0; i < HASH_DIGITS; i++)
        if (hex_value(digits[i]) != (int)(sum >> (4 * (HASH_DIGITS - 1 - i)) & 15))
            return false;
    return true;
}

bool records_open(struct records *r, char *text, size_t len, const char *format) {
    const size_t head = strlen(format), tail = sizeof end_mark - 1 + HASH_DIGITS + 1;
    *r = (struct records){.at = text, .line = 1};
    if (len < head + 1 || memcmp(text, format, head) != 0 || text[head] != '\n')
        return fail(r, "the first line is not that of this format");
    for (size_t i = 0; i < len; i++)
        r->line += text[i] == '\n' && i + 1 < len;
    if (len < head + 1 + tail || text[len - 1] != '\n' || text[len - tail - 1] != '\n' ||
        memcmp(text + len - tail, end_mark, sizeof end_mark - 1) != 0)
        return fail(r, "the last line is missing: the file was cut");
    if (!checksum_is(text + len - 1 - HASH_DIGITS, hash_bytes(text, len - tail)))
        return fail(r, "the checksum is not that of the text: the file was changed or torn");
    r->line = 1;
    r->at = text + head + 1;
    r->end = text + len - tail;
    return true;
}

/* Unescape the field that ends at `end` in place. Its length, or -1 where an escape is wrong. */
static ptrdiff_t unescape(char *field, const char *end) {
    char *to = field;
    for (const char *from = field; from < end; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = end - from > 2 ? hex_value(from[1]) : -1, low = high < 0 ? -1 : hex_value(from[2]);
        if (low < 0)
            return -1;
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    return to - field;
}

bool records_next(struct records *r, struct record *out) {
    if (r->wrong || r->at >= r->end)
        return false;
    char *line_end = memchr(r->at, '\n', (size_t)(r->end - r->at));
    *out = (struct record){.line = ++r->line};
    if (!line_end) /* cannot be: what is before the last line ends in a newline */
        return fail(r, "a line without an end");
    for (unsigned i = 0; r->at <= line_end; i++) {
        char *field = r->at, *space = memchr(field, ' ', (size_t)(line_end - field));
        char *end = space ? space : line_end;
        ptrdiff_t len = unescape(field, end);
        if (len < 0)
            return fail(r, "a % that is no escape");
        if (i > RECORD_FIELDS_MAX)
            return fail(r, "too many fields");
        if (i == 0)
            out->name = (struct span){field, (size_t)len};
        else
            out->field[out->count++] = (struct span){field, (size_t)len};
        r->at = end + 1;
    }
    return true;
}

bool record_u64(const struct record *record, unsigned index, uint64_t *out) {
    return index < record->count && number_parse_u64(record->field[index], UINT64_MAX, out) == 0;
}
