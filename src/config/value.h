/*
 * The value of one key, by its type in the schema: read from text, printed, compared, copied, freed. `base` is the
 * struct that the row's offset refers to.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/schema.h"

/* Set the field from `text`, or add it to a list. False with what is wrong in `why` (never the text itself); the field
 * is then as before. */
bool value_parse(const struct schema_row *row, struct span text, bool quoted, void *base, struct strbuf *why);
/* Set the field to the row's default; false when memory is short. */
bool value_set_initial(const struct schema_row *row, void *base);
/* False for text that is not given. */
bool value_is_set(const struct schema_row *row, const void *base);
/* Whether the field takes any number of values, each by value_parse(). */
bool value_is_list(const struct schema_row *row);
/* Make a list empty, as it is before its first value. */
void value_empty(const struct schema_row *row, void *base);
/* A value as YAML on one line, secrets as "<secret>"; the value must be set. */
void value_print(const struct schema_row *row, const void *base, struct strbuf *out);
/* Groups, targets and labels are made of other values: they are equal, and copying or freeing them does nothing. */
bool value_equal(const struct schema_row *row, const void *a, const void *b);
/* False when memory is short. */
bool value_copy(const struct schema_row *row, void *to, const void *from);
void value_release(const struct schema_row *row, void *base);

/* What a text must fulfil wherever it stands: at most `max` bytes, no line breaks or other control characters. */
bool value_check_text(struct span text, size_t max, struct strbuf *why);
/* A plain scalar that YAML takes for "no value". */
bool value_is_null(struct span text, bool quoted);
/* Wipe and free; NULL is allowed. */
void secret_free(char *secret);

/* The row's type and range as words, for messages and the reference. */
const char *value_type_name(const struct schema_row *row);
void value_describe_range(const struct schema_row *row, struct strbuf *out);

#endif
