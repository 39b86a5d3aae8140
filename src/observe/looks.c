/*
 * Looks at servers that are not watched; see looks.h.
 */
#include "observe/looks.h"

#include "observe/target_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What runs out of time tells that itself, by a deadline that began a moment after ours. */
#define TELL_STEP_MS 2
#define TELL_SLACK_NS (100 * NS_PER_MS)

struct waiter {
    look_fn *fn;
    void *arg;
    struct waiter *next;
};

struct look {
    struct looks *looks;
    struct look *next;
    struct target *target;
    uv_timer_t timer;
    struct mono until;
    struct waiter *waiters;
};

struct looks {
    uv_loop_t *loop;
    struct coroutines *coroutines;
    struct fleet *fleet;
    struct observer observer;
    uint64_t self_aborts[SELF_OPERATION_COUNT];
    struct look *first;
    unsigned count;
    bool stopping;
};

/* All its connections are closed. */
static void on_target_removed(void *arg, struct target *target) {
    struct looks *looks = arg;
    for (int i = 0; i < SELF_OPERATION_COUNT; i++)
        looks->self_aborts[i] += target->self_aborts[i];
}

struct looks *looks_new(uv_loop_t *loop, struct coroutines *coroutines, struct fleet *fleet) {
    struct looks *looks = calloc(1, sizeof *looks);
    if (looks)
        *looks = (struct looks){.loop = loop,
                                .coroutines = coroutines,
                                .fleet = fleet,
                                .observer = {.arg = looks, .target_removed = on_target_removed}};
    return looks;
}

const uint64_t *looks_self_aborts(const struct looks *looks) {
    return looks->self_aborts;
}

void looks_free(struct looks *looks) {
    free(looks);
}

static bool complete(const struct target *target) {
    bool polled = target->poll.ended > 0 || target->poll.health == TARGET_DOWN;
    return polled && target->probes[0].facts.health != TARGET_UNTRIED;
}

static void look_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void forget(struct look *look) {
    struct look **at = &look->looks->first;
    while (*at != look)
        at = &(*at)->next;
    *at = look->next;
    look->looks->count--;
    uv_close((uv_handle_t *)&look->timer, look_closed);
}

/* The fleet sees to the end of its connections, and keeps it for as long. */
static void tell(struct look *look) {
    struct target *target = look->target;
    struct waiter *next;
    for (struct waiter *w = look->waiters; w; w = next) {
        next = w->next;
        w->fn(w->arg, target);
        free(w);
    }
    look->waiters = NULL;
    fleet_retire(look->looks->fleet, target);
    forget(look);
}

static void on_timer(uv_timer_t *timer) {
    struct look *look = timer->data;
    if (complete(look->target) || mono_before(mono_add(look->until, TELL_SLACK_NS), mono_now()))
        tell(look);
    else
        uv_timer_start(timer, on_timer, TELL_STEP_MS, 0);
}

/* From within the coroutine of what ended. */
static void looked(void *arg, struct target *target) {
    struct look *look = arg;
    if (complete(target))
        uv_timer_start(&look->timer, on_timer, 0, 0);
}

static bool add_waiter(struct look *look, look_fn *fn, void *arg) {
    struct waiter *w = malloc(sizeof *w);
    if (!w)
        return false;
    *w = (struct waiter){fn, arg, look->waiters};
    look->waiters = w;
    return true;
}

static struct look *find_same(struct looks *looks, const struct target_config *config, struct mono until) {
    for (struct look *look = looks->first; look; look = look->next)
        if (!mono_before(until, look->until) && target_config_equal(look->target->config, config))
            return look;
    return NULL;
}

/* On /probe nobody carries the target's name: Prometheus adds it. */
static void drop_target_label(struct target *target) {
    labels_drop_front(&target->probes[0].labels, &target->labels);
    labels_drop_front(&target->labels, &target->labels);
}

static struct look *begin(struct looks *looks, struct target_config *config, const struct limits_config *limits,
                          int64_t lasts_ns, struct mono until) {
    struct look *look = calloc(1, sizeof *look);
    struct target *target = look ? target_new(looks->loop, looks->coroutines, &looks->observer, config) : NULL;
    if (!target) {
        free(look);
        return NULL;
    }
    drop_target_label(target);
    target->limits = *limits;
    *look = (struct look){.looks = looks, .next = looks->first, .target = target, .until = until};
    looks->first = look;
    looks->count++;
    uv_timer_init(looks->loop, &look->timer);
    look->timer.data = look;
    uv_update_time(looks->loop);
    uv_timer_start(&look->timer, on_timer, (uint64_t)(lasts_ns / NS_PER_MS), 0);
    target_look(target, looked, look); /* where memory is short what did not begin is told as not tried */
    return look;
}

static void cut(int64_t *timeout_ns, int64_t most_ns) {
    if (*timeout_ns > most_ns)
        *timeout_ns = most_ns;
}

int looks_begin(struct looks *looks, struct target_config *config, const struct limits_config *limits,
                int64_t timeout_ns, look_fn *fn, void *arg) {
    struct module_config *module = &config->modules[0];
    if (looks->stopping || looks->count >= LOOKS_MAX) {
        target_config_free(config);
        return -EBUSY;
    }
    if (module->hold_ns >= timeout_ns) {
        target_config_free(config);
        return -EINVAL;
    }
    cut(&config->poll.timeout_ns, timeout_ns);
    cut(&module->schedule.timeout_ns, timeout_ns - module->hold_ns);
    int64_t probe_ns = module->schedule.timeout_ns + module->hold_ns;
    int64_t lasts_ns = probe_ns > config->poll.timeout_ns ? probe_ns : config->poll.timeout_ns;
    struct mono until = mono_add(mono_now(), lasts_ns);
    struct look *look = find_same(looks, config, until);
    if (look)
        target_config_free(config);
    else if (!(look = begin(looks, config, limits, lasts_ns, until))) {
        target_config_free(config);
        return -ENOMEM;
    }
    if (add_waiter(look, fn, arg))
        return 0;
    return -ENOMEM; /* the look goes on for nobody */
}

void looks_stop(struct looks *looks) {
    if (!looks)
        return;
    looks->stopping = true;
    while (looks->first)
        tell(looks->first);
}
