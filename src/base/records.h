/*
 * What we keep in files of our own, as text: one record a line, its fields separated by spaces, any bytes in them
 * percent-escaped. The first line names the format, the last one bears a checksum. So it can be read by people, and a
 * file that is cut, torn or somebody else's is told from ours.
 */
#ifndef BASE_RECORDS_H
#define BASE_RECORDS_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/* --- writing --- */

/* Begin the text in the empty `out`. `format` is a word and a version, "our-state 1". */
void records_begin(struct strbuf *out, const char *format);
void records_end(struct strbuf *out);

/* A record: its name, its fields, its end. */
void record_begin(struct strbuf *out, const char *name);
void record_add(struct strbuf *out, struct span field);
void record_add_u64(struct strbuf *out, uint64_t field);
void record_end(struct strbuf *out);

/* --- reading --- */

enum { RECORD_FIELDS_MAX = 20 };

struct record {
    unsigned line;  /* of the text, from 1 */
    unsigned count; /* of its fields, the name not among them */
    struct span name, field[RECORD_FIELDS_MAX];
};

struct records {
    char *at, *end;
    unsigned line; /* of the last record, or where the text is wrong */
    const char *wrong;
};

/* Check the text's first and last line and begin. The text is changed while it is read and must stay until then. False
 * where it is not of this format and whole; `wrong` and `line` say so. */
bool records_open(struct records *records, char *text, size_t len, const char *format);
/* The next one; its spans point into the text. False at the end, or (`wrong` is set then) where the text is wrong. */
bool records_next(struct records *records, struct record *out);
/* Whether the record has such a field and it is such a number. */
bool record_u64(const struct record *record, unsigned index, uint64_t *out);

/* FNV-1a, 64 bits: tells what differs by accident, not by intent. */
uint64_t hash_bytes(const void *data, size_t len);

#endif
