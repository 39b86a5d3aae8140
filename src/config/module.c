/*
 * Modules: made with defaults, freed, compared by the schema; and what one means for a target: its own settings, the
 * target's where it has none, and whether both fit together.
 */
#include "config/loading.h"
#include "config/value.h"

#include "base/number.h"

#include <stdlib.h>
#include <string.h>

static bool copy_fields(struct module_config *to, const struct module_config *from) {
    for (size_t i = 0; i < schema_rows; i++)
        if (schema[i].scope == SCOPE_MODULE && !value_copy(&schema[i], to, from))
            return false;
    return true;
}

static void release(struct module_config *module) {
    for (size_t i = 0; i < schema_rows; i++)
        if (schema[i].scope == SCOPE_MODULE)
            value_release(&schema[i], module);
    free(module->name);
}

struct module_config *module_new(struct span name) {
    struct module_config *module = calloc(1, sizeof *module);
    bool ok = module && (module->name = strndup(name.ptr, name.len));
    for (size_t i = 0; ok && i < schema_rows; i++)
        if (schema[i].scope == SCOPE_MODULE)
            ok = value_set_initial(&schema[i], module);
    if (!ok) {
        module_free(module);
        module = NULL;
    }
    return module;
}

void module_free(struct module_config *module) {
    if (module)
        release(module);
    free(module);
}

void target_modules_free(struct target_config *target) {
    for (size_t i = 0; i < target->module_count; i++)
        release(&target->modules[i]);
    free(target->modules);
}

bool target_modules_copy(struct target_config *to, const struct target_config *from) {
    to->modules = calloc(from->module_count + 1, sizeof *to->modules);
    for (size_t i = 0; to->modules && i < from->module_count; i++) {
        struct module_config *copy = module_new(span_of(from->modules[i].name));
        if (!copy || !copy_fields(copy, &from->modules[i])) {
            module_free(copy);
            return false;
        }
        to->modules[to->module_count++] = *copy;
        free(copy);
    }
    return to->modules != NULL;
}

bool module_equal(const struct module_config *a, const struct module_config *b) {
    for (size_t i = 0; i < schema_rows; i++)
        if (schema[i].scope == SCOPE_MODULE && !value_equal(&schema[i], a, b))
            return false;
    return strcmp(a->name, b->name) == 0;
}

/* --- a module and a target --- */

static bool too_long(struct strbuf *why, const char *what, int64_t ns, int64_t interval_ns) {
    strbuf_addf(why, "%s (", what);
    number_add_duration(why, ns);
    strbuf_addstr(why, ") must not be longer than its interval (");
    number_add_duration(why, interval_ns);
    strbuf_addch(why, ')');
    return false;
}

/* What the module does not say is the target's; an interval that nobody gave leaves room for the hold. */
static bool fill_in(struct module_config *m, const struct target_config *target, struct strbuf *why) {
    bool own_interval = m->schedule.interval_ns != DURATION_NOT_GIVEN;
    bool own_timeout = m->schedule.timeout_ns != DURATION_NOT_GIVEN;
    if (!own_interval)
        m->schedule.interval_ns = target->probe.interval_ns + m->hold_ns;
    if (!own_timeout)
        m->schedule.timeout_ns = target->probe.timeout_ns;
    if (m->grace_ns == DURATION_NOT_GIVEN)
        m->grace_ns = target->probe_grace_ns;
    if (own_interval && m->hold_ns > m->schedule.interval_ns)
        return too_long(why, "the hold", m->hold_ns, m->schedule.interval_ns);
    if (m->schedule.timeout_ns <= m->schedule.interval_ns)
        return true;
    if (own_timeout)
        return too_long(why, "the timeout", m->schedule.timeout_ns, m->schedule.interval_ns);
    m->schedule.timeout_ns = m->schedule.interval_ns;
    return true;
}

static bool close_fits(const struct module_config *m, const struct target_config *target, struct strbuf *why) {
    const char *style = close_style_name(m->close);
    if (m->close == CLOSE_QUIT_WAIT)
        return true;
    if (!(target->allowed_closes & 1U << m->close)) {
        strbuf_addf(why, "closes by %s, which the target must allow: probe.allow_close: [%s]", style, style);
        return false;
    }
    if (m->close == CLOSE_RST && target->address.socket) {
        strbuf_addstr(why, "closes by reset, which a unix socket does not know");
        return false;
    }
    return true;
}

bool module_add(struct target_config *target, const char *name, const struct module_config *definition,
                struct strbuf *why) {
    struct module_config *modules = reallocarray(target->modules, target->module_count + 1, sizeof *modules);
    if (modules)
        target->modules = modules;
    struct module_config *fresh = modules ? module_new(span_of(name)) : NULL;
    bool ok = fresh && (!definition || copy_fields(fresh, definition));
    if (!ok)
        strbuf_addstr(why, "out of memory");
    ok = ok && fill_in(fresh, target, why) && close_fits(fresh, target, why);
    if (ok)
        target->modules[target->module_count++] = *fresh;
    else if (fresh)
        release(fresh);
    free(fresh);
    return ok;
}
