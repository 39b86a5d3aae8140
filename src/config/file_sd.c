/*
 * file_sd files; see file_sd.h.
 */
#include "config/file_sd.h"

#include "config/file.h"
#include "config/json_text.h"
#include "config/loading.h"
#include "config/value.h"
#include "config/yaml_reader.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 4 << 20, WHY_MAX = 1024 };

/* What a label chooses that is none of the target's own. */
enum choice { CHOICE_MODULE, CHOICE_AUTH_MODULE, CHOICES };
static const char *const choice_labels[CHOICES] = {"__param_module", "__param_auth_module"};

/* A group as it is read. */
struct group {
    struct mark mark;
    struct place_of_text {
        char *text;
        struct mark mark;
    } * addresses;
    size_t address_count;
    struct label *labels;
    size_t label_count;
    char *chosen[CHOICES]; /* NULL none */
};

struct reading {
    const struct config *config;
    const char *path;
    struct yaml_reader *reader;
    struct target_list list;
    struct strbuf *error;
};

static bool fail(struct reading *r, struct mark mark, const char *what) {
    strbuf_addf(r->error, "%s:%u:%u: %s", r->path, mark.line, mark.column, what);
    return false;
}

static bool next(struct reading *r, struct yaml_item *item) {
    struct strbuf why;
    strbuf_init(&why, WHY_MAX);
    bool ok = yaml_reader_next(r->reader, item, &why) || fail(r, item->mark, strbuf_text(&why));
    strbuf_release(&why);
    return ok;
}

/* Nothing, where something could stand: Prometheus takes it for an empty one. */
static bool is_nothing(const struct yaml_item *item) {
    return item->kind == YAML_SCALAR && value_is_null(item->text, item->quoted);
}

/* The beginning of a list or map; *nothing where none is given. */
static bool enter(struct reading *r, enum yaml_kind kind, const char *what, bool *nothing) {
    struct yaml_item item;
    if (!next(r, &item))
        return false;
    *nothing = is_nothing(&item);
    return *nothing || item.kind == kind || fail(r, item.mark, what);
}

static void group_release(struct group *g) {
    for (size_t i = 0; i < g->address_count; i++)
        free(g->addresses[i].text);
    free(g->addresses);
    for (size_t i = 0; i < g->label_count; i++) {
        free(g->labels[i].name);
        free(g->labels[i].value);
    }
    free(g->labels);
    for (int i = 0; i < CHOICES; i++)
        free(g->chosen[i]);
}

/* A copy of a text; NULL after a report. */
static char *copy_text(struct reading *r, const struct yaml_item *item) {
    if (memchr(item->text.ptr, '\0', item->text.len)) {
        fail(r, item->mark, "must not contain NUL");
        return NULL;
    }
    char *text = strndup(item->text.ptr, item->text.len);
    if (!text)
        fail(r, item->mark, "out of memory");
    return text;
}

/* --- a group --- */

static bool add_address(struct reading *r, struct group *g, const struct yaml_item *item) {
    struct place_of_text *addresses = reallocarray(g->addresses, g->address_count + 1, sizeof *addresses);
    if (!addresses)
        return fail(r, item->mark, "out of memory");
    g->addresses = addresses;
    char *text = copy_text(r, item);
    if (!text)
        return false;
    addresses[g->address_count++] = (struct place_of_text){text, item->mark};
    return true;
}

static bool read_addresses(struct reading *r, struct group *g) {
    struct yaml_item item;
    bool nothing = false;
    if (!enter(r, YAML_LIST, "targets must be a list", &nothing) || nothing)
        return nothing;
    for (;;) {
        if (!next(r, &item))
            return false;
        if (item.kind == YAML_LIST_END)
            return true;
        if (item.kind != YAML_SCALAR)
            return fail(r, item.mark, "a target must be a text, HOST:PORT");
        if (!add_address(r, g, &item))
            return false;
    }
}

/* CHOICES: none. */
static int choice_of(const char *name) {
    int i = 0;
    while (i < CHOICES && strcmp(name, choice_labels[i]) != 0)
        i++;
    return i;
}

static bool has_label(const struct group *g, const char *name) {
    for (size_t i = 0; i < g->label_count; i++)
        if (strcmp(g->labels[i].name, name) == 0)
            return true;
    return false;
}

static bool is_prometheus_own(const char *name) {
    return strncmp(name, "__", 2) == 0 || strcmp(name, "job") == 0 || strcmp(name, "instance") == 0;
}

/* Takes over both texts. */
static bool add_label(struct reading *r, struct group *g, char *name, struct mark mark, char *value) {
    struct strbuf why;
    int choice = choice_of(name);
    if (choice < CHOICES ? g->chosen[choice] != NULL : has_label(g, name)) {
        free(name);
        free(value);
        return fail(r, mark, "this label is already there");
    }
    if (choice < CHOICES || is_prometheus_own(name)) {
        if (choice < CHOICES)
            g->chosen[choice] = value;
        else
            free(value);
        free(name);
        return true;
    }
    strbuf_init(&why, WHY_MAX);
    bool ok = schema_check_label_name(span_of(name), &why) || fail(r, mark, strbuf_text(&why));
    strbuf_release(&why);
    if (ok && g->label_count == LABELS_MAX)
        ok = fail(r, mark, "more than 32 labels");
    struct label *labels = ok ? reallocarray(g->labels, g->label_count + 1, sizeof *labels) : NULL;
    if (!labels) {
        free(name);
        free(value);
        return ok ? fail(r, mark, "out of memory") : false;
    }
    g->labels = labels;
    labels[g->label_count++] = (struct label){name, value};
    return true;
}

static bool read_labels(struct reading *r, struct group *g) {
    struct yaml_item item;
    bool nothing = false;
    if (!enter(r, YAML_MAP, "labels must be a map", &nothing) || nothing)
        return nothing;
    for (;;) {
        if (!next(r, &item))
            return false;
        if (item.kind == YAML_MAP_END)
            return true;
        if (item.kind != YAML_SCALAR)
            return fail(r, item.mark, "a label's name must be a text");
        struct mark mark = item.mark;
        char *name = copy_text(r, &item);
        if (!name)
            return false;
        if (!next(r, &item) || (item.kind != YAML_SCALAR && !fail(r, item.mark, "a label's value must be a text"))) {
            free(name);
            return false;
        }
        if (is_nothing(&item))
            item.text.len = 0;
        bool fits =
            item.text.len <= LABEL_VALUE_MAX || fail(r, item.mark, "a label's value may have 1024 bytes at most");
        char *value = fits ? copy_text(r, &item) : NULL;
        if (!value) {
            free(name);
            return false;
        }
        if (!add_label(r, g, name, mark, value))
            return false;
    }
}

static bool read_group(struct reading *r, struct group *g) {
    static const struct {
        const char *name;
        bool (*read)(struct reading *r, struct group *g);
    } keys[] = {{"targets", read_addresses}, {"labels", read_labels}};
    enum { KEYS = sizeof keys / sizeof keys[0] };
    bool seen[KEYS] = {false};
    struct yaml_item item;
    for (;;) {
        size_t i = 0;
        if (!next(r, &item))
            return false;
        if (item.kind == YAML_MAP_END)
            return true;
        while (i < KEYS && !(item.kind == YAML_SCALAR && span_is(item.text, keys[i].name)))
            i++;
        if (i == KEYS)
            return fail(r, item.mark, "a group has targets and labels only");
        if (seen[i])
            return fail(r, item.mark, "is given twice");
        seen[i] = true;
        if (!keys[i].read(r, g))
            return false;
    }
}

/* --- its targets --- */

static bool append(struct target_list *list, struct target_config *target) {
    struct target_config **targets = reallocarray(list->targets, list->count + 1, sizeof(struct target_config *));
    if (!targets)
        return false;
    list->targets = targets;
    targets[list->count++] = target;
    return true;
}

static bool add_target(struct reading *r, const struct group *g, const struct place_of_text *address) {
    struct target_config *target = NULL;
    struct strbuf why;
    if (r->list.count == FILE_SD_TARGETS_MAX)
        return fail(r, address->mark, "there are more than 10000 targets");
    strbuf_init(&why, WHY_MAX);
    bool ok = config_for_discovered(r->config, address->text, g->chosen[CHOICE_MODULE], g->chosen[CHOICE_AUTH_MODULE],
                                    &target, &why) ||
              fail(r, address->mark, strbuf_text(&why));
    strbuf_release(&why);
    if (!ok)
        return false;
    if (target_labels_copy(target, g->labels, g->label_count) && append(&r->list, target))
        return true;
    target_config_free(target);
    return fail(r, address->mark, "out of memory");
}

static bool read_groups(struct reading *r) {
    struct yaml_item item;
    if (!next(r, &item))
        return false;
    if (item.kind != YAML_LIST) /* an empty file, too: it may be one that is being written */
        return fail(r, item.mark, "the file must be a list of groups, each with targets");
    for (;;) {
        if (!next(r, &item))
            return false;
        if (item.kind == YAML_LIST_END)
            return true;
        struct group g = {.mark = item.mark};
        bool ok = item.kind == YAML_MAP ? read_group(r, &g) : fail(r, item.mark, "a group must be a map");
        for (size_t i = 0; ok && i < g.address_count; i++)
            ok = add_target(r, &g, &g.addresses[i]);
        group_release(&g);
        if (!ok)
            return false;
    }
}

bool file_sd_parse(const struct config *config, const char *path, char *text, size_t len, struct target_list *out,
                   struct strbuf *error) {
    struct reading r = {.config = config, .path = path, .error = error};
    const char *dot = strrchr(path, '.');
    if (dot && strcmp(dot, ".json") == 0)
        len = json_text_to_yaml(text, len);
    r.reader = yaml_reader_new((struct span){text, len});
    bool ok = r.reader ? read_groups(&r) : fail(&r, (struct mark){0, 0}, "out of memory");
    yaml_reader_free(r.reader);
    if (ok)
        *out = r.list;
    else
        target_list_release(&r.list);
    return ok;
}

bool file_sd_read(const struct config *config, const char *path, struct target_list *out, struct strbuf *error) {
    struct file_content content = {0};
    struct strbuf why;
    strbuf_init(&why, WHY_MAX);
    bool ok = file_read(path, FILE_MAX, &content, &why);
    if (ok)
        ok = file_sd_parse(config, path, content.data, content.len, out, error);
    else
        strbuf_addf(error, "%s: %s", path, strbuf_text(&why));
    strbuf_release(&why);
    file_release(&content);
    return ok;
}

void target_list_release(struct target_list *list) {
    for (size_t i = 0; i < list->count; i++)
        target_config_free(list->targets[i]);
    free(list->targets);
    *list = (struct target_list){0};
}

bool target_list_add_copy(struct target_list *list, const struct target_config *target) {
    struct target_config *copy = target_config_copy(target);
    if (copy && append(list, copy))
        return true;
    target_config_free(copy);
    return false;
}

struct named {
    const char *name;
    size_t index;
};

static int by_name(const void *a, const void *b) {
    const struct named *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

bool target_list_make_unique(struct target_list *list) {
    struct named *sorted = calloc(list->count + 1, sizeof *sorted);
    bool *doubled = calloc(list->count + 1, sizeof *doubled);
    size_t kept = 0;
    if (sorted && doubled) {
        for (size_t i = 0; i < list->count; i++)
            sorted[i] = (struct named){list->targets[i]->name, i};
        qsort(sorted, list->count, sizeof *sorted, by_name);
        for (size_t i = 1; i < list->count; i++)
            doubled[sorted[i].index] = strcmp(sorted[i - 1].name, sorted[i].name) == 0;
        for (size_t i = 0; i < list->count; i++)
            if (doubled[i])
                target_config_free(list->targets[i]);
            else
                list->targets[kept++] = list->targets[i];
        list->count = kept;
    }
    bool ok = sorted && doubled;
    free(sorted);
    free(doubled);
    return ok;
}
