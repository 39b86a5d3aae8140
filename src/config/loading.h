/*
 * A configuration that is being loaded: what the file said, where it said it, and how to complain about it. Private to
 * load.c (the file's form) and settle.c (inheritance and what must fit together).
 */
#ifndef CONFIG_LOADING_H
#define CONFIG_LOADING_H

#include "config/schema.h"
#include "config/yaml_reader.h"

/* One target, the defaults of all, one auth_module, or one module, with the place of each value that was given. */
struct draft {
    struct target_config *config;
    struct module_config *module;       /* the other is NULL */
    struct mark mark;                   /* where it begins */
    struct mark marks[SCHEMA_MAX_ROWS]; /* by row of the schema; line 0: not given here */
};

struct loading {
    const char *file;
    struct strbuf *error, *warnings;
    bool readable_by_others; /* the file */
    struct config *config;   /* gets the targets at the very end */
    struct draft defaults;
    struct draft *targets;
    size_t target_count, target_capacity;
    struct draft *modules;
    size_t module_count;
    struct draft *auths;
    size_t auth_count;
    bool ca_warned; /* that the top level's tls.ca is not used */
};

/* Report "file:line:column: path: what is wrong", without the position where the line is 0, without the path where it
 * is empty. Loading ends with the first report. Always false. */
bool loading_fail(const struct loading *loading, struct mark mark, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same as a line of the warnings. */
void loading_warn(const struct loading *loading, struct mark mark, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Fill in what targets inherit, check what must fit together, read the secrets, and move the targets to
 * loading->config. False after a report. */
bool loading_settle(struct loading *loading);

/* All defaults; NULL when memory is short. */
struct target_config *target_config_new(void);
struct module_config *module_new(struct span name);
/* NULL is allowed. */
void module_free(struct module_config *module);
/* Give the target copies of these labels, sorted; false when memory is short. */
bool target_labels_copy(struct target_config *to, const struct label *labels, size_t count);
/* Those of another; false when memory is short. */
bool target_modules_copy(struct target_config *to, const struct target_config *from);
/* All of target->modules. */
void target_modules_free(struct target_config *target);
bool module_equal(const struct module_config *a, const struct module_config *b);

/* What module `name` means for a target whose `probe` settings are known: add it to target->modules. `definition` is
 * NULL for `default` where nobody defined it. False with what is wrong in `why`. */
bool module_add(struct target_config *target, const char *name, const struct module_config *definition,
                struct strbuf *why);

#endif
