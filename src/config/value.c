/*
 * The value of one key, by its type in the schema; see value.h.
 */
#include "config/value.h"

#include "base/number.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 32

/* What a type can do; the parse functions set the field only on success. */
struct value_ops {
    const char *name;
    bool (*parse)(const struct schema_row *row, struct span text, bool quoted, void *field, struct strbuf *why);
    void (*print)(const struct schema_row *row, const void *field, struct strbuf *out);
    bool (*equal)(const void *a, const void *b);
    bool (*copy)(void *to, const void *from);
    void (*release)(void *field);
};

/* The field of an enum; gcc and clang give those of ours this type. */
typedef unsigned choice;
_Static_assert(sizeof(enum tls_mode) == sizeof(choice) && sizeof(enum log_start) == sizeof(choice) &&
                   sizeof(enum answer) == sizeof(choice) && sizeof(enum close_style) == sizeof(choice),
               "enums differ");

void secret_free(char *secret) {
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

/* --- text and secrets --- */

/* Characters that libyaml would not read back from a quoted scalar, or that break lines. The text is valid UTF-8. */
static bool is_control(const unsigned char *at, size_t left) {
    if (at[0] < 0x20 || at[0] == 0x7F)
        return true;
    if (at[0] == 0xC2)
        return left > 1 && at[1] < 0xA0; /* U+0080 to U+009F */
    if (at[0] == 0xE2)
        return left > 2 && at[1] == 0x80 && (at[2] == 0xA8 || at[2] == 0xA9); /* U+2028, U+2029 */
    if (at[0] == 0xEF)
        return left > 2 &&
               ((at[1] == 0xBB && at[2] == 0xBF) || (at[1] == 0xBF && at[2] >= 0xBE)); /* U+FEFF, U+FFFE, F */
    return false;
}

bool value_check_text(struct span text, size_t max, struct strbuf *why) {
    if (text.len > max) {
        strbuf_addf(why, "must have at most %zu bytes", max);
        return false;
    }
    for (size_t i = 0; i < text.len; i++)
        if (is_control((const unsigned char *)text.ptr + i, text.len - i)) {
            strbuf_addstr(why, "must not hold line breaks or other control characters");
            return false;
        }
    return true;
}

bool value_is_null(struct span text, bool quoted) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; !quoted && i < sizeof nulls / sizeof nulls[0]; i++)
        if (span_is(text, nulls[i]))
            return true;
    return false;
}

static bool text_parse(const struct schema_row *row, struct span text, bool quoted, void *field, struct strbuf *why) {
    char **slot = field;
    (void)quoted;
    if (!value_check_text(text, (size_t)row->max, why))
        return false;
    if ((int64_t)text.len < row->min) {
        strbuf_addstr(why, "must not be empty");
        return false;
    }
    char *copy = strndup(text.ptr, text.len);
    if (!copy || (row->check && !row->check(copy, why))) {
        if (!copy)
            strbuf_addstr(why, "out of memory");
        secret_free(copy);
        return false;
    }
    secret_free(*slot);
    *slot = copy;
    return true;
}

static void text_print(const struct schema_row *row, const void *field, struct strbuf *out) {
    const char *const *slot = field;
    strbuf_addch(out, '"');
    text_add_json(out, span_of(row->type == VALUE_SECRET ? "<secret>" : *slot));
    strbuf_addch(out, '"');
}

static bool text_equal(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;
    return *x && *y ? strcmp(*x, *y) == 0 : *x == *y;
}

static bool text_copy(void *to, const void *from) {
    char **slot = to;
    const char *const *source = from;
    char *copy = *source ? strdup(*source) : NULL;
    if (*source && !copy)
        return false;
    secret_free(*slot);
    *slot = copy;
    return true;
}

static void text_release(void *field) {
    char **slot = field;
    secret_free(*slot);
    *slot = NULL;
}

static bool texts_parse(const struct schema_row *row, struct span text, bool quoted, void *field, struct strbuf *why) {
    struct text_list *list = field;
    char *copy = NULL;
    if (!text_parse(row, text, quoted, &copy, why))
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->texts[i], copy) == 0) {
            strbuf_addstr(why, "is already in this list");
            secret_free(copy);
            return false;
        }
    char **texts = list->count < LIST_MAX ? reallocarray(list->texts, list->count + 1, sizeof(char *)) : NULL;
    if (!texts) {
        strbuf_addf(why, list->count < LIST_MAX ? "out of memory" : "there are more than %d", LIST_MAX);
        secret_free(copy);
        return false;
    }
    texts[list->count++] = copy;
    list->texts = texts;
    return true;
}

static void texts_print(const struct schema_row *row, const void *field, struct strbuf *out) {
    const struct text_list *list = field;
    for (size_t i = 0; i < list->count; i++) {
        strbuf_addstr(out, i == 0 ? "[" : ", ");
        text_print(row, &list->texts[i], out);
    }
    strbuf_addch(out, ']');
}

static bool texts_equal(const void *a, const void *b) {
    const struct text_list *x = a, *y = b;
    bool equal = x->count == y->count;
    for (size_t i = 0; equal && i < x->count; i++)
        equal = strcmp(x->texts[i], y->texts[i]) == 0;
    return equal;
}

static void texts_release(void *field) {
    struct text_list *list = field;
    for (size_t i = 0; i < list->count; i++)
        free(list->texts[i]);
    free(list->texts);
    *list = (struct text_list){NULL, 0};
}

static bool texts_copy(void *to, const void *from) {
    const struct text_list *source = from;
    struct text_list copy = {calloc(source->count, sizeof(char *)), 0};
    bool ok = copy.texts || source->count == 0;
    for (; ok && copy.count < source->count; copy.count++)
        ok = (copy.texts[copy.count] = strdup(source->texts[copy.count])) != NULL;
    texts_release(ok ? to : &copy);
    if (ok)
        *(struct text_list *)to = copy;
    return ok;
}

/* --- numbers --- */

static bool outside(const struct schema_row *row, struct strbuf *why) {
    strbuf_addstr(why, "must be ");
    value_describe_range(row, why);
    return false;
}

static bool count_parse(const struct schema_row *row, struct span text, bool quoted, void *field, struct strbuf *why) {
    uint64_t value;
    bool leading_zero = text.len > 1 && text.ptr[0] == '0'; /* octal to some, decimal to others */
    int rc = number_parse_u64(text, (uint64_t)row->max, &value);
    if (rc == -EINVAL || quoted || leading_zero) {
        strbuf_addstr(why, "must be a whole number, without quotes, sign or leading zeros");
        return false;
    }
    if (rc < 0 || value < (uint64_t)row->min)
        return outside(row, why);
    *(uint64_t *)field = value;
    return true;
}

static void count_print(const struct schema_row *row, const void *field, struct strbuf *out) {
    (void)row;
    strbuf_addu64(out, *(const uint64_t *)field);
}

static bool duration_parse(const struct schema_row *row, struct span text, bool quoted, void *field,
                           struct strbuf *why) {
    int64_t ns;
    (void)quoted;
    int rc = number_parse_duration(text, row->max, &ns);
    if (rc == -EINVAL) {
        strbuf_addstr(why, "must be a duration with its unit, such as 15s, 500ms or 1m30s");
        return false;
    }
    if (rc < 0 || ns < row->min)
        return outside(row, why);
    *(int64_t *)field = ns;
    return true;
}

static void duration_print(const struct schema_row *row, const void *field, struct strbuf *out) {
    (void)row;
    number_add_duration(out, *(const int64_t *)field);
}

static bool number_equal(const void *a, const void *b) {
    return memcmp(a, b, sizeof(int64_t)) == 0;
}

static bool number_copy(void *to, const void *from) {
    memcpy(to, from, sizeof(int64_t));
    return true;
}

/* --- choices --- */

static bool choice_parse(const struct schema_row *row, struct span text, bool quoted, void *field, struct strbuf *why) {
    (void)quoted;
    for (choice i = 0; row->choices[i]; i++)
        if (span_is(text, row->choices[i])) {
            memcpy(field, &i, sizeof i);
            return true;
        }
    return outside(row, why);
}

static void choice_print(const struct schema_row *row, const void *field, struct strbuf *out) {
    choice value;
    memcpy(&value, field, sizeof value);
    strbuf_addstr(out, row->choices[value]);
}

static bool choice_equal(const void *a, const void *b) {
    return memcmp(a, b, sizeof(choice)) == 0;
}

static bool choice_copy(void *to, const void *from) {
    memcpy(to, from, sizeof(choice));
    return true;
}

static bool choices_parse(const struct schema_row *row, struct span text, bool quoted, void *field,
                          struct strbuf *why) {
    choice one, all;
    if (!choice_parse(row, text, quoted, &one, why))
        return false;
    memcpy(&all, field, sizeof all);
    all |= 1U << one;
    memcpy(field, &all, sizeof all);
    return true;
}

static void choices_print(const struct schema_row *row, const void *field, struct strbuf *out) {
    const char *between = "[";
    choice all;
    memcpy(&all, field, sizeof all);
    for (choice i = 0; row->choices[i]; i++)
        if (all & 1U << i) {
            strbuf_addf(out, "%s%s", between, row->choices[i]);
            between = ", ";
        }
    strbuf_addch(out, ']');
}

/* --- the table --- */

/* In the order of enum value_type. */
static const struct value_ops ops[] = {
    {"map", NULL, NULL, NULL, NULL, NULL},
    {"list of maps", NULL, NULL, NULL, NULL, NULL},
    {"map of maps", NULL, NULL, NULL, NULL, NULL},
    {"map of maps", NULL, NULL, NULL, NULL, NULL},
    {"map of texts", NULL, NULL, NULL, NULL, NULL},
    {"text", text_parse, text_print, text_equal, text_copy, text_release},
    {"secret text", text_parse, text_print, text_equal, text_copy, text_release},
    {"number", count_parse, count_print, number_equal, number_copy, NULL},
    {"duration", duration_parse, duration_print, number_equal, number_copy, NULL},
    {"choice", choice_parse, choice_print, choice_equal, choice_copy, NULL},
    {"list of texts", texts_parse, texts_print, texts_equal, texts_copy, texts_release},
    {"list of choices", choices_parse, choices_print, choice_equal, choice_copy, NULL},
};
_Static_assert(sizeof ops / sizeof ops[0] == VALUE_CHOICES + 1, "a row for each type");

static void *field_of(const struct schema_row *row, void *base) {
    return (char *)base + row->offset;
}

static const void *const_field_of(const struct schema_row *row, const void *base) {
    return (const char *)base + row->offset;
}

bool value_parse(const struct schema_row *row, struct span text, bool quoted, void *base, struct strbuf *why) {
    if (value_is_null(text, quoted)) {
        strbuf_addstr(why, "has no value");
        return false;
    }
    return ops[row->type].parse(row, text, quoted, field_of(row, base), why);
}

bool value_set_initial(const struct schema_row *row, void *base) {
    if (!row->initial && row->type == VALUE_DURATION)
        *(int64_t *)field_of(row, base) = DURATION_NOT_GIVEN;
    if (!row->initial)
        return true;
    struct strbuf why;
    strbuf_init(&why, 256);
    bool ok = ops[row->type].parse(row, span_of(row->initial), false, field_of(row, base), &why);
    strbuf_release(&why);
    return ok;
}

bool value_is_set(const struct schema_row *row, const void *base) {
    const void *field = const_field_of(row, base);
    choice none = 0;
    if (ops[row->type].release) /* texts, and lists of them, begin with a pointer */
        return *(const char *const *)field != NULL;
    if (row->type == VALUE_CHOICES)
        return !choice_equal(field, &none);
    if (row->type == VALUE_DURATION)
        return *(const int64_t *)field != DURATION_NOT_GIVEN;
    return ops[row->type].parse != NULL;
}

bool value_is_list(const struct schema_row *row) {
    return row->type == VALUE_TEXTS || row->type == VALUE_CHOICES;
}

void value_print(const struct schema_row *row, const void *base, struct strbuf *out) {
    ops[row->type].print(row, const_field_of(row, base), out);
}

bool value_equal(const struct schema_row *row, const void *a, const void *b) {
    return !ops[row->type].equal || ops[row->type].equal(const_field_of(row, a), const_field_of(row, b));
}

bool value_copy(const struct schema_row *row, void *to, const void *from) {
    return !ops[row->type].copy || ops[row->type].copy(field_of(row, to), const_field_of(row, from));
}

void value_release(const struct schema_row *row, void *base) {
    if (ops[row->type].release)
        ops[row->type].release(field_of(row, base));
}

void value_empty(const struct schema_row *row, void *base) {
    value_release(row, base);
    if (row->type == VALUE_CHOICES)
        memset(field_of(row, base), 0, sizeof(choice));
}

/* --- words --- */

const char *value_type_name(const struct schema_row *row) {
    return ops[row->type].name;
}

void value_describe_range(const struct schema_row *row, struct strbuf *out) {
    switch (row->type) {
    case VALUE_COUNT:
        strbuf_addf(out, "%lld to %lld", (long long)row->min, (long long)row->max);
        break;
    case VALUE_DURATION:
        number_add_duration(out, row->min);
        strbuf_addstr(out, " to ");
        number_add_duration(out, row->max);
        break;
    case VALUE_CHOICE:
    case VALUE_CHOICES:
        for (size_t i = 0; row->choices[i]; i++)
            strbuf_addf(out, "%s%s", i == 0 ? "" : row->choices[i + 1] ? ", " : " or ", row->choices[i]);
        break;
    case VALUE_TARGETS:
    case VALUE_MODULES:
    case VALUE_AUTHS:
    case VALUE_LABELS:
        strbuf_addf(out, "at most %lld", (long long)row->max);
        break;
    case VALUE_TEXT:
    case VALUE_SECRET:
    case VALUE_TEXTS:
        if (row->form)
            strbuf_addstr(out, row->form);
        break;
    case VALUE_MAP:
        break;
    }
}
