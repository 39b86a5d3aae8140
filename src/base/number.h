/*
 * Text to number and back, bounded: the whole text must be a number, inside the range that the caller gives.
 * Nothing else in the tree may use atoi, strtol or their kin.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "base/strbuf.h"

#include <stdint.h>

/* All return 0 or a negative errno: -EINVAL (not a number of this form), -ERANGE (outside). *out is set only on
 * success. */
int number_parse_u64(struct span text, uint64_t max, uint64_t *out);
int number_parse_i64(struct span text, int64_t min, int64_t max, int64_t *out);
/* Decimal with optional fraction and exponent, as servers print them; "inf" and "nan" are not numbers here. */
int number_parse_double(struct span text, double *out);
/* Go/Prometheus style: "15s", "1m30s", "500ms", "250us", "1h", "2d"; units d h m s ms us ns in falling order, each at
 * most once; "0" needs no unit. Result in nanoseconds, at most `max_ns`. */
int number_parse_duration(struct span text, int64_t max_ns, int64_t *out_ns);

/* The shortest such duration text: 90 s is "1m30s", 0 is "0s". */
void number_add_duration(struct strbuf *sb, int64_t ns);
/* A double that reads back the same (shortest of %.15g and %.17g; integers without exponent up to 2^53); NaN, +Inf and
 * -Inf in Prometheus' spelling. */
void number_add_double(struct strbuf *sb, double value);

#endif
