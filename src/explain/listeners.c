/*
 * One observer made of several; see listeners.h.
 */
#include "explain/listeners.h"

#include <assert.h>

#define EACH(listeners, part)                                                                                          \
    for (const struct observer *part = (listeners)->parts; part < (listeners)->parts + (listeners)->count; part++)

static void on_target_added(void *arg, struct target *target) {
    const struct listeners *listeners = arg;
    EACH(listeners, part)
    if (part->target_added)
        part->target_added(part->arg, target);
}

static void on_target_removed(void *arg, struct target *target) {
    const struct listeners *listeners = arg;
    EACH(listeners, part)
    if (part->target_removed)
        part->target_removed(part->arg, target);
}

static void on_log_event(void *arg, struct target *target, const struct log_event *event) {
    const struct listeners *listeners = arg;
    EACH(listeners, part)
    if (part->log_event)
        part->log_event(part->arg, target, event);
}

static void on_server_error(void *arg, struct target *target, const struct server_error *error) {
    const struct listeners *listeners = arg;
    EACH(listeners, part)
    if (part->server_error)
        part->server_error(part->arg, target, error);
}

static void on_polled(void *arg, struct target *target, struct mono began) {
    const struct listeners *listeners = arg;
    EACH(listeners, part)
    if (part->polled)
        part->polled(part->arg, target, began);
}

static void on_log_save(void *arg, const struct target *target, struct strbuf *out) {
    const struct listeners *listeners = arg;
    EACH(listeners, part)
    if (part->log_save)
        part->log_save(part->arg, target, out);
}

/* Each takes the records that it knows. */
static bool on_log_restore(void *arg, struct target *target, const struct record *record) {
    const struct listeners *listeners = arg;
    bool ok = true;
    EACH(listeners, part)
    if (part->log_restore)
        ok = part->log_restore(part->arg, target, record) && ok;
    return ok;
}

void listeners_add(struct listeners *listeners, struct observer part) {
    assert(listeners->count < LISTENERS_MAX);
    listeners->parts[listeners->count++] = part;
}

struct observer listeners_observer(struct listeners *listeners) {
    return (struct observer){.arg = listeners,
                             .target_added = on_target_added,
                             .target_removed = on_target_removed,
                             .server_error = on_server_error,
                             .log_event = on_log_event,
                             .polled = on_polled,
                             .log_save = on_log_save,
                             .log_restore = on_log_restore};
}
