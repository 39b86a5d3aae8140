/*
 * What follows once the whole file is read: targets inherit, what must fit together is checked, secrets are read. See
 * loading.h.
 */
#include "config/address.h"
#include "config/credentials.h"
#include "config/loading.h"
#include "config/value.h"

#include "base/number.h"

#include <stdlib.h>
#include <string.h>

#define KEY_PATH_MAX 128

/* Where the value of a key comes from: the target, the top level, or (the default) neither. */
struct place {
    struct mark mark;
    char path[KEY_PATH_MAX];
};

static bool is_given(const struct draft *draft, const char *path) {
    return draft->marks[schema_index(schema_at(path))].line > 0;
}

static bool inherits(const struct loading *l, const struct draft *draft, const struct schema_row *row) {
    const struct schema_row *group = schema_group(row);
    if (row->scope != SCOPE_BOTH || draft->marks[schema_index(row)].line > 0)
        return false;
    if (group && group->whole && draft->marks[schema_index(group)].line > 0)
        return false;
    return l->defaults.marks[schema_index(row)].line > 0;
}

static bool is_auth(const struct loading *l, const struct draft *draft) {
    return draft >= l->auths && draft < l->auths + l->auth_count;
}

/* The row of `path` (NULL: the target itself). What is given nowhere is placed at its group, or at the target. */
static struct place place_of(const struct loading *l, const struct draft *draft, const char *path) {
    const struct schema_row *row = path ? schema_at(path) : NULL, *group = row ? schema_group(row) : NULL;
    const struct draft *origin = row && inherits(l, draft, row) ? &l->defaults : draft;
    struct place place = {.mark = draft->mark};
    struct strbuf text;

    if (row && origin->marks[schema_index(row)].line > 0)
        place.mark = origin->marks[schema_index(row)];
    else if (group && origin->marks[schema_index(group)].line > 0)
        place.mark = origin->marks[schema_index(group)];
    strbuf_init(&text, sizeof place.path - 1);
    if (is_auth(l, origin))
        strbuf_addf(&text, "auth_modules.%s%s", origin->config->name, path ? "." : "");
    else if (origin != &l->defaults)
        strbuf_addf(&text, "targets[%zu]%s", (size_t)(origin - l->targets), path ? "." : "");
    if (path)
        strbuf_addstr(&text, path);
    memcpy(place.path, strbuf_text(&text), text.len + 1);
    strbuf_release(&text);
    return place;
}

static bool fail_at(const struct loading *l, const struct draft *draft, const char *path, const char *text) {
    struct place place = place_of(l, draft, path);
    return loading_fail(l, place.mark, place.path, "%s", text);
}

static void warn_at(const struct loading *l, const struct draft *draft, const char *path, const char *text) {
    struct place place = place_of(l, draft, path);
    loading_warn(l, place.mark, place.path, "%s", text);
}

/* --- one target --- */

/* What is required in a group is so where the group is given. */
static bool check_required(const struct loading *l, const struct draft *draft, enum schema_place place) {
    for (size_t i = 0; i < schema_rows; i++) {
        const struct schema_row *row = &schema[i], *group = schema_group(row);
        bool stands_here = schema_stands_in(row, group, place) && (!group || is_given(draft, group->path));
        if (row->required && stands_here && draft->marks[i].line == 0)
            return fail_at(l, draft, row->path, "is missing");
    }
    return true;
}

static bool inherit(const struct loading *l, struct draft *draft) {
    for (size_t i = 0; i < schema_rows; i++)
        if (inherits(l, draft, &schema[i]) && !value_copy(&schema[i], draft->config, l->defaults.config))
            return fail_at(l, draft, NULL, "out of memory");
    return true;
}

/* A timeout that nobody gave follows an interval that is shorter than the default. */
static bool settle_timeout(const struct loading *l, const struct draft *draft, const char *interval_path,
                           const char *timeout_path, struct schedule_config *schedule) {
    if (schedule->timeout_ns <= schedule->interval_ns)
        return true;
    if (!is_given(draft, timeout_path) && !is_given(&l->defaults, timeout_path)) {
        schedule->timeout_ns = schedule->interval_ns;
        return true;
    }
    /* What is nearest to the target is what to change. */
    const char *nearest =
        is_given(draft, interval_path) && !is_given(draft, timeout_path) ? interval_path : timeout_path;
    struct strbuf why;
    strbuf_init(&why, 256);
    strbuf_addstr(&why, "the timeout (");
    number_add_duration(&why, schedule->timeout_ns);
    strbuf_addstr(&why, ") must not be longer than the interval (");
    number_add_duration(&why, schedule->interval_ns);
    strbuf_addch(&why, ')');
    fail_at(l, draft, nearest, strbuf_text(&why));
    strbuf_release(&why);
    return false;
}

static bool settle_schedules(const struct loading *l, struct draft *draft) {
    struct target_config *t = draft->config;
    return settle_timeout(l, draft, "poll.interval", "poll.timeout", &t->poll) &&
           settle_timeout(l, draft, "probe.interval", "probe.timeout", &t->probe);
}

static const struct module_config *find_module(const struct loading *l, const char *name) {
    for (size_t i = 0; i < l->module_count; i++)
        if (strcmp(l->modules[i].module->name, name) == 0)
            return l->modules[i].module;
    return NULL;
}

static bool settle_modules(const struct loading *l, struct draft *draft) {
    struct target_config *t = draft->config;
    struct strbuf why;
    bool ok = true;
    strbuf_init(&why, 512);
    for (size_t i = 0; ok && i < t->module_names.count; i++) {
        const char *name = t->module_names.texts[i];
        const struct module_config *definition = find_module(l, name);
        strbuf_reset(&why);
        strbuf_addf(&why, "module '%s': ", name);
        ok = definition || strcmp(name, MODULE_DEFAULT) == 0;
        if (!ok)
            strbuf_addstr(&why, "is not defined in modules");
        ok = ok && module_add(t, name, definition, &why);
    }
    if (!ok)
        fail_at(l, draft, "probe.modules", strbuf_text(&why));
    strbuf_release(&why);
    return ok;
}

/* A socket never leaves the machine: TLS that was asked for it by name is a mistake, TLS that was inherited is not
 * meant. */
static bool settle_socket_tls(const struct loading *l, struct draft *draft) {
    static const char *const files[] = {"tls.ca", "tls.cert", "tls.key"};
    struct target_config *t = draft->config;
    if (is_given(draft, "tls.mode") && t->tls.mode != TLS_DISABLED)
        return fail_at(l, draft, "tls.mode", "TLS has no use over a unix socket");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (is_given(draft, files[i]))
            return fail_at(l, draft, files[i], "TLS has no use over a unix socket");
        value_release(schema_at(files[i]), t);
    }
    t->tls.mode = TLS_DISABLED;
    return true;
}

/* Who names an authority may think that it is asked. Said once where the top level says both. */
static void warn_unused_ca(struct loading *l, const struct draft *draft) {
    const struct tls_config *tls = &draft->config->tls;
    bool own = is_given(draft, "tls.ca") || is_given(draft, "tls.mode");
    if (!tls->ca || tls->mode == TLS_DISABLED || tls->mode >= TLS_VERIFY_CA || (!own && l->ca_warned))
        return;
    struct place place = place_of(l, draft, "tls.ca");
    loading_warn(l, place.mark, place.path, "not used: tls.mode is %s, which does not check certificates",
                 tls_mode_name(tls->mode));
    l->ca_warned |= !own;
}

static bool settle_tls(struct loading *l, struct draft *draft) {
    struct target_config *t = draft->config;
    if (t->address.socket)
        return settle_socket_tls(l, draft);
    if (t->tls.cert && !t->tls.key)
        return fail_at(l, draft, "tls.cert", "needs tls.key");
    if (t->tls.key && !t->tls.cert)
        return fail_at(l, draft, "tls.key", "needs tls.cert");
    warn_unused_ca(l, draft);
    return true;
}

/* --- the error log --- */

/* What is given says which source is meant. */
static bool settle_error_log(const struct loading *l, struct draft *draft) {
    struct error_log_config *log = &draft->config->error_log;
    if (!is_given(draft, "error_log"))
        return true;
    if (!is_given(draft, "error_log.source"))
        log->source = log->file ? LOG_FILE : log->unit || log->identifier || log->journal ? LOG_JOURNALD : LOG_AUTO;
    if (log->source == LOG_FILE && !log->file)
        return fail_at(l, draft, "error_log.file", "is missing");
    if (log->source != LOG_FILE && log->file)
        return fail_at(l, draft, "error_log.file", "goes with source: file only");
    if (log->source == LOG_JOURNALD && !log->unit && !log->identifier)
        return fail_at(l, draft, "error_log.unit", "is missing, and so is error_log.identifier");
    if (log->source != LOG_JOURNALD && (log->unit || log->identifier || log->journal))
        return fail_at(l, draft, "error_log.source", "unit, identifier and journal go with source: journald only");
    return true;
}

/* --- credentials --- */

static void warn_exposed(const struct loading *l, const struct draft *draft, const char *key, bool exposed) {
    if (strcmp(key, "credentials.password") == 0) {
        if (l->readable_by_others)
            warn_at(l, draft, key, "everybody on this machine may read the password in this file");
    } else if (exposed) {
        warn_at(l, draft, key, "everybody on this machine may read this file");
    }
}

static bool read_credentials(const struct loading *l, struct draft *draft) {
    struct target_config *t = draft->config;
    struct credentials_report report;
    strbuf_init(&report.why, 256);
    bool ok = credentials_resolve(&t->credentials, &t->user, &t->password, &report);
    if (!ok)
        fail_at(l, draft, report.key, strbuf_text(&report.why));
    else
        warn_exposed(l, draft, report.key, report.exposed);
    strbuf_release(&report.why);
    return ok;
}

/* Those of the top level are read once, for all who inherit them. */
static bool settle_credentials(const struct loading *l, struct draft *draft) {
    struct target_config *t = draft->config;
    if (is_given(draft, "credentials"))
        return read_credentials(l, draft);
    t->user = strdup(l->defaults.config->user);
    t->password = strdup(l->defaults.config->password);
    return (t->user && t->password) || fail_at(l, draft, NULL, "out of memory");
}

/* --- all targets --- */

struct named {
    const char *name;
    size_t target;
};

static int compare_names(const void *a, const void *b) {
    const struct named *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->target > y->target) - (x->target < y->target);
}

static bool check_names(const struct loading *l) {
    struct named *sorted = calloc(l->target_count + 1, sizeof *sorted);
    bool ok = true;
    if (!sorted)
        return loading_fail(l, l->defaults.mark, "", "out of memory");
    for (size_t i = 0; i < l->target_count; i++)
        sorted[i] = (struct named){l->targets[i].config->name, i};
    qsort(sorted, l->target_count, sizeof *sorted, compare_names);
    for (size_t i = 1; ok && i < l->target_count; i++)
        if (strcmp(sorted[i - 1].name, sorted[i].name) == 0) {
            struct place place = place_of(l, &l->targets[sorted[i].target], "name");
            ok = loading_fail(l, place.mark, place.path, "targets[%zu] has this name already", sorted[i - 1].target);
        }
    free(sorted);
    return ok;
}

static bool settle_target(struct loading *l, struct draft *draft) {
    struct target_config *t = draft->config;
    struct strbuf why;
    if (!check_required(l, draft, PLACE_TARGET) || !inherit(l, draft))
        return false;
    strbuf_init(&why, 256);
    bool ok = address_parse(t->address_text, &t->address, &why) || fail_at(l, draft, "address", strbuf_text(&why));
    strbuf_release(&why);
    return ok && settle_schedules(l, draft) && settle_modules(l, draft) && settle_tls(l, draft) &&
           settle_error_log(l, draft) && settle_credentials(l, draft);
}

/* As a target, but for the address, which comes with the request, and the module. */
static bool settle_auth(struct loading *l, struct draft *draft) {
    return inherit(l, draft) && settle_schedules(l, draft) && settle_tls(l, draft) && settle_credentials(l, draft);
}

/* What targets are made from when a request names them; the drafts keep nothing. */
static bool hand_over_auths(struct loading *l) {
    bool used = is_given(&l->defaults, "allow_targets") || is_given(&l->defaults, "file_sd");
    if (used && !(settle_schedules(l, &l->defaults) && settle_tls(l, &l->defaults)))
        return false;
    l->config->auth_modules = calloc(l->auth_count + 1, sizeof(struct target_config *));
    if (!l->config->auth_modules)
        return loading_fail(l, l->defaults.mark, "", "out of memory");
    for (size_t i = 0; i < l->auth_count; i++) {
        if (!settle_auth(l, &l->auths[i]))
            return false;
        l->config->auth_modules[i] = l->auths[i].config;
        l->auths[i].config = NULL;
        l->config->auth_module_count++;
    }
    l->config->defaults = l->defaults.config;
    l->defaults.config = NULL;
    return true;
}

/* Somebody must be able to be watched. */
static bool any_target(const struct loading *l) {
    bool allowed = is_given(&l->defaults, "allow_targets") || is_given(&l->defaults, "file_sd");
    for (size_t i = 0; i < l->auth_count; i++)
        allowed |= is_given(&l->auths[i], "allow_targets");
    if (l->target_count > 0 || allowed)
        return true;
    if (is_given(&l->defaults, "targets"))
        return fail_at(l, &l->defaults, "targets", "must have one element at least");
    return loading_fail(l, l->defaults.mark, "targets", "is missing, and neither allow_targets nor file_sd is given");
}

/* For those who want to see the configuration. */
static bool hand_over_modules(struct loading *l) {
    l->config->modules = calloc(l->module_count + 1, sizeof(struct module_config *));
    if (!l->config->modules)
        return loading_fail(l, l->defaults.mark, "", "out of memory");
    for (size_t i = 0; i < l->module_count; i++) {
        l->config->modules[i] = l->modules[i].module;
        l->modules[i].module = NULL;
    }
    l->config->module_count = l->module_count;
    return true;
}

bool loading_settle(struct loading *l) {
    if (!check_required(l, &l->defaults, PLACE_TOP))
        return false;
    if (!any_target(l))
        return false;
    if (!read_credentials(l, &l->defaults))
        return false;
    for (size_t i = 0; i < l->target_count; i++)
        if (!settle_target(l, &l->targets[i]))
            return false;
    if (!check_names(l))
        return false;
    l->config->targets = calloc(l->target_count + 1, sizeof(struct target_config *));
    if (!l->config->targets)
        return loading_fail(l, l->defaults.mark, "", "out of memory");
    for (size_t i = 0; i < l->target_count; i++) {
        l->config->targets[i] = l->targets[i].config;
        l->targets[i].config = NULL;
    }
    l->config->target_count = l->target_count;
    return hand_over_modules(l) && hand_over_auths(l);
}
