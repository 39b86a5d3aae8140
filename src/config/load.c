/*
 * config_load(): YAML items to struct config by the schema. This file knows the form of the file; what must fit
 * together is settle.c's.
 */
#include "config/file.h"
#include "config/loading.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)4 << 20)
#define PATH_MAX_BYTES 512 /* of a key path in a message */

/* Where the descent is. */
struct descent {
    struct loading *loading;
    struct yaml_reader *reader;
    struct strbuf path; /* of the present value, "targets[2].probe" */
    struct strbuf why;
};

/* --- reports --- */

static void add_report(const struct loading *loading, struct strbuf *out, struct mark mark, const char *path,
                       const char *format, va_list ap) __attribute__((format(printf, 5, 0)));

static void add_report(const struct loading *loading, struct strbuf *out, struct mark mark, const char *path,
                       const char *format, va_list ap) {
    strbuf_addstr(out, loading->file);
    if (mark.line > 0)
        strbuf_addf(out, ":%u:%u", mark.line, mark.column);
    strbuf_addf(out, ": %s%s", path, *path ? ": " : "");
    strbuf_addvf(out, format, ap);
}

bool loading_fail(const struct loading *loading, struct mark mark, const char *path, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    add_report(loading, loading->error, mark, path, format, ap);
    va_end(ap);
    return false;
}

void loading_warn(const struct loading *loading, struct mark mark, const char *path, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    add_report(loading, loading->warnings, mark, path, format, ap);
    strbuf_addch(loading->warnings, '\n');
    va_end(ap);
}

static bool fail(struct descent *d, struct mark mark, const char *text) {
    return loading_fail(d->loading, mark, strbuf_text(&d->path), "%s", text);
}

static bool next(struct descent *d, struct yaml_item *item) {
    strbuf_reset(&d->why);
    return yaml_reader_next(d->reader, item, &d->why) || fail(d, item->mark, strbuf_text(&d->why));
}

/* Go into a key or an element; returns what leave() needs. */
static size_t enter(struct descent *d, const char *key) {
    size_t before = d->path.len;
    strbuf_addf(&d->path, "%s%s", before > 0 ? "." : "", key);
    return before;
}

static void leave(struct descent *d, size_t before) {
    strbuf_truncate(&d->path, before);
}

/* A key as it may be shown: what is not printable ASCII as '?', and cut. */
static void add_key(struct strbuf *out, struct span key) {
    enum { SHOWN = 40 };
    for (size_t i = 0; i < key.len && i < SHOWN; i++)
        if (key.ptr[i] >= ' ' && key.ptr[i] <= '~')
            strbuf_addch(out, key.ptr[i]);
        else
            strbuf_addch(out, '?');
    if (key.len > SHOWN)
        strbuf_addstr(out, "...");
}

static bool unknown_key(struct descent *d, const struct yaml_item *item, const struct schema_row *group,
                        enum schema_place place) {
    bool merge = span_is(item->text, "<<") && !item->quoted;
    if (merge)
        return fail(d, item->mark, "merge keys (<<) are not supported");
    strbuf_reset(&d->why);
    strbuf_addstr(&d->why, "unknown key");
    /* Among the credentials it may be a password in the wrong place. */
    if (!group || !group->whole) {
        strbuf_addstr(&d->why, " '");
        add_key(&d->why, item->text);
        strbuf_addch(&d->why, '\'');
    }
    strbuf_addstr(&d->why, "; ");
    schema_suggest(group, place, item->text, &d->why);
    return fail(d, item->mark, strbuf_text(&d->why));
}

/* --- values --- */

static bool expect(struct descent *d, const struct yaml_item *item, enum yaml_kind kind) {
    static const char *const words[] = {[YAML_MAP] = "must be a map (key: value)",
                                        [YAML_LIST] = "must be a list (- ...)",
                                        [YAML_SCALAR] = "must be a single value, neither a map nor a list"};
    if (item->kind == kind)
        return true;
    if (item->kind == YAML_SCALAR && value_is_null(item->text, item->quoted))
        return fail(d, item->mark, "has no value");
    return fail(d, item->mark, words[kind]);
}

static bool add_label(struct descent *d, struct target_config *target, struct span name, struct mark mark) {
    strbuf_reset(&d->why);
    if (!schema_check_label_name(name, &d->why))
        return fail(d, mark, strbuf_text(&d->why));
    for (size_t i = 0; i < target->label_count; i++)
        if (span_is(name, target->labels[i].name))
            return fail(d, mark, "this label is already there");
    if (target->label_count == LABELS_MAX)
        return fail(d, mark, "more than 32 labels");
    _Static_assert(LABELS_MAX == 32, "the message says so");
    struct label *labels = reallocarray(target->labels, target->label_count + 1, sizeof *labels);
    char *copy = labels ? strndup(name.ptr, name.len) : NULL;
    if (labels)
        target->labels = labels;
    if (!copy)
        return fail(d, mark, "out of memory");
    labels[target->label_count++] = (struct label){.name = copy};
    return true;
}

static bool set_label(struct descent *d, struct label *label, const struct yaml_item *item) {
    if (!expect(d, item, YAML_SCALAR))
        return false;
    if (item->text.len == 0 || value_is_null(item->text, item->quoted))
        return fail(d, item->mark, "has no value");
    strbuf_reset(&d->why);
    if (!value_check_text(item->text, LABEL_VALUE_MAX, &d->why))
        return fail(d, item->mark, strbuf_text(&d->why));
    label->value = strndup(item->text.ptr, item->text.len);
    return label->value || fail(d, item->mark, "out of memory");
}

static int compare_labels(const void *a, const void *b) {
    return strcmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static bool load_labels(struct descent *d, struct target_config *target) {
    struct yaml_item item;
    for (;;) {
        if (!next(d, &item))
            return false;
        if (item.kind == YAML_MAP_END)
            break;
        if (!expect(d, &item, YAML_SCALAR) || !add_label(d, target, item.text, item.mark))
            return false;
        struct label *label = &target->labels[target->label_count - 1];
        size_t before = enter(d, label->name);
        if (!next(d, &item) || !set_label(d, label, &item))
            return false;
        leave(d, before);
    }
    if (target->label_count > 0)
        qsort(target->labels, target->label_count, sizeof *target->labels, compare_labels);
    return true;
}

static void *base_of(const struct loading *loading, const struct draft *draft, const struct schema_row *row) {
    if (row->scope == SCOPE_TOP)
        return loading->config;
    return row->scope == SCOPE_MODULE ? (void *)draft->module : (void *)draft->config;
}

static bool load_single(struct descent *d, const struct schema_row *row, const struct yaml_item *item, void *base) {
    strbuf_reset(&d->why);
    return expect(d, item, YAML_SCALAR) &&
           (value_parse(row, item->text, item->quoted, base, &d->why) || fail(d, item->mark, strbuf_text(&d->why)));
}

static bool load_list(struct descent *d, const struct schema_row *row, struct mark mark, void *base) {
    struct yaml_item item;
    size_t before = d->path.len;
    value_empty(row, base);
    for (size_t i = 0;; i++) {
        strbuf_addf(&d->path, "[%zu]", i);
        if (!next(d, &item))
            return false;
        if (item.kind != YAML_LIST_END && !load_single(d, row, &item, base))
            return false;
        leave(d, before);
        if (item.kind == YAML_LIST_END)
            return i > 0 || fail(d, mark, "must have one element at least");
    }
}

static bool load_targets(struct descent *d, const struct schema_row *row);
static bool load_modules(struct descent *d, const struct schema_row *row);
static bool load_auths(struct descent *d, const struct schema_row *row);

/* The keys of one map: of a target, a module, the top level, or of a group in one of them. */
static bool load_map(struct descent *d, struct draft *draft, const struct schema_row *group, enum schema_place place);

static bool load_value(struct descent *d, struct draft *draft, const struct schema_row *row, enum schema_place place) {
    struct yaml_item item;
    if (!next(d, &item))
        return false;
    draft->marks[schema_index(row)] = item.mark;
    if (row->type == VALUE_MAP)
        return expect(d, &item, YAML_MAP) && load_map(d, draft, row, place);
    if (row->type == VALUE_TARGETS)
        return expect(d, &item, YAML_LIST) && load_targets(d, row);
    if (row->type == VALUE_MODULES)
        return expect(d, &item, YAML_MAP) && load_modules(d, row);
    if (row->type == VALUE_AUTHS)
        return expect(d, &item, YAML_MAP) && load_auths(d, row);
    if (row->type == VALUE_LABELS)
        return expect(d, &item, YAML_MAP) && load_labels(d, draft->config);
    void *base = base_of(d->loading, draft, row);
    if (value_is_list(row))
        return expect(d, &item, YAML_LIST) && load_list(d, row, item.mark, base);
    return load_single(d, row, &item, base);
}

static bool load_map(struct descent *d, struct draft *draft, const struct schema_row *group, enum schema_place place) {
    struct yaml_item item;
    for (;;) {
        if (!next(d, &item))
            return false;
        if (item.kind == YAML_MAP_END)
            return true;
        if (item.kind != YAML_SCALAR)
            return fail(d, item.mark, "a key must be a plain word");
        const struct schema_row *row = schema_find(group, place, item.text);
        if (!row)
            return unknown_key(d, &item, group, place);
        size_t before = enter(d, schema_key(row));
        if (draft->marks[schema_index(row)].line > 0)
            return fail(d, item.mark, "this key is already there");
        if (!load_value(d, draft, row, place))
            return false;
        leave(d, before);
    }
}

static struct draft *add_target(struct loading *loading, struct mark mark) {
    if (loading->target_count == loading->target_capacity) {
        size_t capacity = loading->target_capacity ? 2 * loading->target_capacity : 16;
        struct draft *targets = reallocarray(loading->targets, capacity, sizeof *targets);
        if (!targets)
            return NULL;
        loading->targets = targets;
        loading->target_capacity = capacity;
    }
    struct draft *draft = &loading->targets[loading->target_count];
    *draft = (struct draft){.config = target_config_new(), .mark = mark};
    if (!draft->config)
        return NULL;
    loading->target_count++;
    return draft;
}

static bool load_targets(struct descent *d, const struct schema_row *row) {
    struct loading *loading = d->loading;
    struct yaml_item item;
    size_t before = d->path.len;
    for (;;) {
        strbuf_addf(&d->path, "[%zu]", loading->target_count);
        if (!next(d, &item))
            return false;
        if (item.kind == YAML_LIST_END) {
            leave(d, before);
            return true;
        }
        if (loading->target_count == (size_t)row->max) {
            leave(d, before);
            strbuf_reset(&d->why);
            strbuf_addf(&d->why, "there are more than %lld", (long long)row->max);
            return fail(d, item.mark, strbuf_text(&d->why));
        }
        if (!expect(d, &item, YAML_MAP))
            return false;
        struct draft *draft = add_target(loading, item.mark);
        if (!draft)
            return fail(d, item.mark, "out of memory");
        if (!load_map(d, draft, NULL, PLACE_TARGET))
            return false;
        leave(d, before);
    }
}

static bool check_name(struct descent *d, const struct yaml_item *name) {
    strbuf_reset(&d->why);
    if (name->kind != YAML_SCALAR)
        return fail(d, name->mark, "a key must be a plain word");
    return schema_check_module_name(name->text, &d->why) || fail(d, name->mark, strbuf_text(&d->why));
}

/* The draft of a module of this name, which must be a new one. */
static struct draft *add_module(struct descent *d, const struct schema_row *row, const struct yaml_item *name) {
    struct loading *loading = d->loading;
    if (!check_name(d, name))
        return NULL;
    for (size_t i = 0; i < loading->module_count; i++)
        if (span_is(name->text, loading->modules[i].module->name))
            return fail(d, name->mark, "this module is already there"), NULL;
    if (loading->module_count == (size_t)row->max)
        return fail(d, name->mark, "there are too many"), NULL;
    struct draft *modules = reallocarray(loading->modules, loading->module_count + 1, sizeof *modules);
    if (modules)
        loading->modules = modules;
    struct module_config *module = modules ? module_new(name->text) : NULL;
    if (!module)
        return fail(d, name->mark, "out of memory"), NULL;
    struct draft *draft = &loading->modules[loading->module_count++];
    *draft = (struct draft){.module = module, .mark = name->mark};
    return draft;
}

static bool load_modules(struct descent *d, const struct schema_row *row) {
    struct yaml_item item;
    for (;;) {
        if (!next(d, &item))
            return false;
        if (item.kind == YAML_MAP_END)
            return true;
        struct draft *draft = add_module(d, row, &item);
        if (!draft)
            return false;
        size_t before = enter(d, draft->module->name);
        if (!next(d, &item))
            return false;
        if (item.kind == YAML_SCALAR && value_is_null(item.text, item.quoted)) {
            leave(d, before); /* `name:` and nothing else: all defaults */
            continue;
        }
        if (!expect(d, &item, YAML_MAP) || !load_map(d, draft, row, PLACE_MODULE))
            return false;
        leave(d, before);
    }
}

static struct draft *add_auth(struct descent *d, const struct schema_row *row, const struct yaml_item *name) {
    struct loading *loading = d->loading;
    if (!check_name(d, name))
        return NULL;
    for (size_t i = 0; i < loading->auth_count; i++)
        if (span_is(name->text, loading->auths[i].config->name))
            return fail(d, name->mark, "this auth_module is already there"), NULL;
    if (loading->auth_count == (size_t)row->max)
        return fail(d, name->mark, "there are too many"), NULL;
    struct draft *auths = reallocarray(loading->auths, loading->auth_count + 1, sizeof *auths);
    if (auths)
        loading->auths = auths;
    struct target_config *config = auths ? target_config_new() : NULL;
    if (!config || !(config->name = strndup(name->text.ptr, name->text.len))) {
        target_config_free(config);
        return fail(d, name->mark, "out of memory"), NULL;
    }
    struct draft *draft = &loading->auths[loading->auth_count++];
    *draft = (struct draft){.config = config, .mark = name->mark};
    return draft;
}

static bool load_auths(struct descent *d, const struct schema_row *row) {
    struct yaml_item item;
    for (;;) {
        if (!next(d, &item))
            return false;
        if (item.kind == YAML_MAP_END)
            return true;
        struct draft *draft = add_auth(d, row, &item);
        if (!draft)
            return false;
        size_t before = enter(d, draft->config->name);
        if (!next(d, &item) || !expect(d, &item, YAML_MAP) || !load_map(d, draft, NULL, PLACE_AUTH))
            return false;
        leave(d, before);
    }
}

static bool load_document(struct descent *d) {
    struct yaml_item item;
    if (!next(d, &item))
        return false;
    if (item.kind == YAML_END || (item.kind == YAML_SCALAR && value_is_null(item.text, item.quoted)))
        return loading_fail(d->loading, item.mark, "", "the file is empty; it needs 'targets'");
    d->loading->defaults.mark = item.mark;
    return expect(d, &item, YAML_MAP) && load_map(d, &d->loading->defaults, NULL, PLACE_TOP) && next(d, &item);
}

/* --- the whole --- */

static bool load_text(struct loading *loading, struct span text) {
    struct descent d = {.loading = loading, .reader = yaml_reader_new(text)};
    bool ok = false;
    strbuf_init(&d.path, PATH_MAX_BYTES);
    strbuf_init(&d.why, 1024);
    if (!d.reader)
        loading_fail(loading, (struct mark){0, 0}, "", "out of memory");
    else
        ok = load_document(&d);
    yaml_reader_free(d.reader);
    strbuf_release(&d.path);
    strbuf_release(&d.why);
    return ok;
}

static bool set_initials(struct loading *loading) {
    loading->config = calloc(1, sizeof *loading->config);
    loading->defaults.config = target_config_new();
    if (!loading->config || !loading->defaults.config)
        return false;
    for (size_t i = 0; i < schema_rows; i++)
        if (schema[i].scope == SCOPE_TOP && !value_set_initial(&schema[i], loading->config))
            return false;
    return true;
}

struct config *config_load(const char *path, struct strbuf *error, struct strbuf *warnings) {
    struct loading loading = {.file = path, .error = error, .warnings = warnings};
    struct file_content content = {0};
    struct strbuf why;
    bool ok = false;

    strbuf_init(&why, 256);
    if (!file_read(path, FILE_BYTES_MAX, &content, &why)) {
        loading_fail(&loading, (struct mark){0, 0}, "", "%s", strbuf_text(&why));
        goto out;
    }
    loading.readable_by_others = content.readable_by_others;
    if (!set_initials(&loading)) {
        loading_fail(&loading, (struct mark){0, 0}, "", "out of memory");
        goto out;
    }
    ok = load_text(&loading, (struct span){content.data, content.len}) && loading_settle(&loading);
out:
    if (!ok) {
        config_free(loading.config);
        loading.config = NULL;
    }
    for (size_t i = 0; i < loading.target_count; i++)
        target_config_free(loading.targets[i].config);
    free(loading.targets);
    for (size_t i = 0; i < loading.module_count; i++)
        module_free(loading.modules[i].module);
    free(loading.modules);
    for (size_t i = 0; i < loading.auth_count; i++)
        target_config_free(loading.auths[i].config);
    free(loading.auths);
    target_config_free(loading.defaults.config);
    file_release(&content);
    strbuf_release(&why);
    return loading.config;
}
