/*
 * JSON written member by member. Each function puts a comma in front where one is due, which it sees from the last byte
 * that `out` has: so an object is written whole before the buffer is emptied.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/* `name` NULL: a value of a list, not of an object. Names are constants. `open` is '{' or '['. */
void json_open(struct strbuf *out, const char *name, char open);
void json_close(struct strbuf *out, char close);

/* Any bytes; ptr NULL is null. */
void json_span(struct strbuf *out, const char *name, struct span value);
/* NULL is null. */
void json_text(struct strbuf *out, const char *name, const char *value);
void json_u64(struct strbuf *out, const char *name, uint64_t value);
/* What is not a finite number is null. */
void json_double(struct strbuf *out, const char *name, double value);
void json_bool(struct strbuf *out, const char *name, bool value);
void json_null(struct strbuf *out, const char *name);
/* Nanoseconds as seconds, exact. */
void json_seconds(struct strbuf *out, const char *name, int64_t ns);
/* Unix time as "2026-11-21T06:21:48.123456Z"; 0 is null. */
void json_time(struct strbuf *out, const char *name, int64_t wall_ns);

#endif
