/*
 * The schema: one table that says what may stand in the configuration file. It drives loading, defaults, ranges,
 * inheritance, printing, comparison, freeing and the reference; a new key is one row here and one field in config.h.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config/config.h"

/* value.c has a row for each, in this order. */
enum value_type {
    VALUE_MAP,      /* a group of keys; it has no field of its own */
    VALUE_TARGETS,  /* the list of targets */
    VALUE_MODULES,  /* a map of names to modules: a group whose keys stand in each of them */
    VALUE_AUTHS,    /* a map of names to what stands for the top level's settings there */
    VALUE_LABELS,   /* a map of label names to label values */
    VALUE_TEXT,     /* char *, NULL where not given */
    VALUE_SECRET,   /* char *, never printed, wiped before it is freed */
    VALUE_COUNT,    /* uint64_t */
    VALUE_DURATION, /* int64_t nanoseconds */
    VALUE_CHOICE,   /* an enum whose values index `choices` */
    VALUE_TEXTS,    /* struct text_list; min, max and check are each text's */
    VALUE_CHOICES,  /* unsigned: 1 << index of each of the `choices` that is in the list */
};

enum schema_scope {
    SCOPE_TOP,    /* at the top level only; a field of struct config */
    SCOPE_MODULE, /* in a module only; a field of struct module_config */
    SCOPE_TARGET, /* in a target only; a field of struct target_config */
    SCOPE_BOTH,   /* in a target, or at the top level as the default of all targets; a field of struct target_config */
    SCOPE_DEFAULTS, /* at the top level, or in an auth_module: of what is made for requests; the same */
};

/* Where a key stands. */
enum schema_place { PLACE_TOP, PLACE_MODULE, PLACE_TARGET, PLACE_AUTH };

struct schema_row {
    const char *path; /* "probe.timeout"; the keys of a group follow the group's own row */
    enum value_type type;
    enum schema_scope scope;
    size_t offset;
    const char *initial;        /* the default, as it would be written; NULL none */
    int64_t min, max;           /* of the number or the nanoseconds; of text: its length in bytes */
    const char *const *choices; /* NULL-terminated */
    bool required;              /* in a group: where the group is given */
    bool whole;                 /* a group that a target replaces as a whole instead of key by key */
    /* A further test of text. False with what is wrong in `why`, which never contains the text itself. */
    bool (*check)(const char *text, struct strbuf *why);
    const char *form; /* what text looks like, for the reference */
    const char *meaning;
};

#define SCHEMA_MAX_ROWS 80
extern const struct schema_row schema[];
extern const size_t schema_rows;

/* The last part of the row's path. */
const char *schema_key(const struct schema_row *row);
/* The row of the group that `row` is in; NULL at the top. */
const struct schema_row *schema_group(const struct schema_row *row);
/* Whether `row` may stand in the group `group` (NULL: outside of any) there. */
bool schema_stands_in(const struct schema_row *row, const struct schema_row *group, enum schema_place place);
/* The row of `key` there, or NULL. */
const struct schema_row *schema_find(const struct schema_row *group, enum schema_place place, struct span key);
const struct schema_row *schema_at(const char *path);
size_t schema_index(const struct schema_row *row);
/* Say which keys may stand there: the one that `key` was probably meant to be, or else all of them. */
void schema_suggest(const struct schema_row *group, enum schema_place place, struct span key, struct strbuf *out);

/* False with what is wrong in `why`. */
bool schema_check_module_name(struct span name, struct strbuf *why);

/* Labels are checked by these: false with what is wrong in `why`. */
bool schema_check_label_name(struct span name, struct strbuf *why);
#define LABELS_MAX 32
#define LABEL_NAME_MAX 128
#define LABEL_VALUE_MAX 1024

#endif
