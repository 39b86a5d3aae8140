/*
 * All watched targets; see fleet.h.
 */
#include "observe/fleet.h"

#include "observe/target_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Every new target begins within a second; many take longer, so that the start is no storm: on the servers, and in our
 * own memory, where what a thousand beginnings need at once would lie scattered between what stays. */
#define FIRST_WITHIN_NS NS_PER_S
#define FIRST_EACH_NS (5 * NS_PER_MS)

struct fleet {
    uv_loop_t *loop;
    struct coroutines *coroutines;
    struct observer observer;
    struct state_store *store;
    struct host_network *network;
    struct target **targets;
    size_t count;
    uint64_t generation;     /* of the configuration that was applied last */
    struct target **leaving; /* stopped, not yet gone */
    size_t leaving_count, leaving_cap;

    uv_timer_t deadline_timer; /* of fleet_stop() */
    bool stopping;
    void (*done)(void *arg);
    void *done_arg;
};

struct fleet *fleet_new(uv_loop_t *loop, struct coroutines *coroutines, const struct observer *observer) {
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (!fleet)
        return NULL;
    fleet->loop = loop;
    fleet->coroutines = coroutines;
    fleet->observer = *observer;
    uv_timer_init(loop, &fleet->deadline_timer);
    fleet->deadline_timer.data = fleet;
    return fleet;
}

void fleet_set_store(struct fleet *fleet, struct state_store *store) {
    fleet->store = store;
}

void fleet_set_network(struct fleet *fleet, struct host_network *network) {
    fleet->network = network;
}

static void timer_closed(uv_handle_t *handle) {
    struct fleet *fleet = handle->data;
    fleet->done(fleet->done_arg);
}

static void end_if_all_left(struct fleet *fleet) {
    uv_handle_t *timer = (uv_handle_t *)&fleet->deadline_timer;
    if (fleet->stopping && fleet->leaving_count == 0 && !uv_is_closing(timer))
        uv_close(timer, timer_closed);
}

static void target_left(void *arg, struct target *target) {
    struct fleet *fleet = arg;
    for (size_t i = 0; i < fleet->leaving_count; i++)
        if (fleet->leaving[i] == target) {
            fleet->leaving[i] = fleet->leaving[--fleet->leaving_count];
            break;
        }
    target_unref(target);
    end_if_all_left(fleet);
}

/* Room for `more` that leave; so that stopping them cannot fail. */
static int leaving_reserve(struct fleet *fleet, size_t more) {
    size_t need = fleet->leaving_count + more;
    if (need <= fleet->leaving_cap)
        return 0;
    struct target **leaving = realloc(fleet->leaving, need * sizeof(struct target *));
    if (!leaving)
        return -ENOMEM;
    fleet->leaving = leaving;
    fleet->leaving_cap = need;
    return 0;
}

static void leave(struct fleet *fleet, struct target *target) {
    fleet->leaving[fleet->leaving_count++] = target;
    target_stop(target, target_left, fleet);
}

void fleet_retire(struct fleet *fleet, struct target *target) {
    if (leaving_reserve(fleet, 1) == 0)
        leave(fleet, target);
    else
        target_stop(target, target_left, fleet); /* only the fleet's own end will not wait for it */
}

static int by_name(const void *a, const void *b) {
    const struct target *const *left = a, *const *right = b;
    return strcmp((*left)->config->name, (*right)->config->name);
}

static int name_to_target(const void *name, const void *element) {
    const struct target *const *target = element;
    return strcmp(name, (*target)->config->name);
}

/* The running target that can go on under `config`, or NULL. `sorted` by name. */
static struct target *unchanged(struct target **sorted, size_t count, const struct target_config *config) {
    struct target **found =
        count ? bsearch(config->name, sorted, count, sizeof(struct target *), name_to_target) : NULL;
    return found && target_config_equal((*found)->config, config) ? *found : NULL;
}

static void run_new(struct target **targets, const bool *is_new, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!is_new[i])
            continue;
        int64_t interval = targets[i]->config->poll.interval_ns;
        int64_t within = (int64_t)count * FIRST_EACH_NS;
        int64_t first = within > FIRST_WITHIN_NS ? within : FIRST_WITHIN_NS;
        first = first < interval ? first : interval;
        target_run(targets[i], first / (int64_t)count * (int64_t)i, i, count);
    }
}

int fleet_apply(struct fleet *fleet, struct config *config) {
    size_t count = config->target_count, old_count = fleet->count;
    struct target **targets = calloc(count, sizeof(struct target *));
    struct target **sorted = calloc(old_count + 1, sizeof(struct target *));
    bool *is_new = calloc(count, sizeof *is_new);
    int rc = -ENOMEM;
    if (!targets || !sorted || !is_new || leaving_reserve(fleet, old_count) < 0)
        goto out;
    if (old_count > 0)
        memcpy(sorted, fleet->targets, old_count * sizeof(struct target *));
    qsort(sorted, old_count, sizeof(struct target *), by_name);

    for (size_t i = 0; i < count; i++) {
        targets[i] = unchanged(sorted, old_count, config->targets[i]);
        if (targets[i])
            continue;
        targets[i] = target_new(fleet->loop, fleet->coroutines, &fleet->observer, config->targets[i]);
        if (!targets[i])
            goto out_new;
        targets[i]->store = fleet->store;
        targets[i]->network = fleet->network;
        is_new[i] = true;
    }
    /* Nothing can fail from here on. */
    fleet->generation++;
    for (size_t i = 0; i < count; i++) {
        targets[i]->generation = fleet->generation;
        targets[i]->limits = config->limits;
        if (is_new[i])
            config->targets[i] = NULL;
    }
    for (size_t i = 0; i < old_count; i++)
        if (fleet->targets[i]->generation != fleet->generation)
            leave(fleet, fleet->targets[i]);
    free(fleet->targets);
    fleet->targets = targets;
    fleet->count = count;
    run_new(targets, is_new, count);
    targets = NULL;
    rc = 0;
    goto out;

out_new:
    for (size_t i = 0; i < count; i++)
        if (is_new[i]) {
            targets[i]->config = NULL; /* still the configuration's */
            target_unref(targets[i]);
        }
out:
    free(targets);
    free(sorted);
    free(is_new);
    return rc;
}

static void deadline_passed(uv_timer_t *timer) {
    struct fleet *fleet = timer->data;
    for (size_t i = 0; i < fleet->leaving_count; i++)
        target_cancel(fleet->leaving[i]);
}

void fleet_stop(struct fleet *fleet, struct mono deadline, void (*done)(void *arg), void *arg) {
    fleet->stopping = true;
    fleet->done = done;
    fleet->done_arg = arg;
    int64_t left = mono_between(mono_now(), deadline);
    uv_timer_start(&fleet->deadline_timer, deadline_passed, left > 0 ? (uint64_t)(left / NS_PER_MS) : 0, 0);
    if (leaving_reserve(fleet, fleet->count) == 0)
        while (fleet->count > 0)
            leave(fleet, fleet->targets[--fleet->count]);
    end_if_all_left(fleet);
}

void fleet_free(struct fleet *fleet) {
    if (!fleet)
        return;
    free(fleet->targets);
    free(fleet->leaving);
    free(fleet);
}

size_t fleet_count(const struct fleet *fleet) {
    return fleet->count;
}

struct target *fleet_target(const struct fleet *fleet, size_t index) {
    return fleet->targets[index];
}

/* A module that holds its connection is tried for as long as that lasts: nobody waits for it. */
static bool all_tried(const struct target *target) {
    for (size_t i = 0; i < target->probe_count; i++)
        if (target->probes[i].facts.health == TARGET_UNTRIED && target->probes[i].module->hold_ns == 0)
            return false;
    return target->poll.health != TARGET_UNTRIED;
}

bool fleet_logs_caught_up(const struct fleet *fleet) {
    for (size_t i = 0; i < fleet->count; i++)
        if (fleet->targets[i]->error_log && !log_source_caught_up(fleet->targets[i]->error_log))
            return false;
    return true;
}

bool fleet_all_tried(const struct fleet *fleet) {
    for (size_t i = 0; i < fleet->count; i++)
        if (!all_tried(fleet->targets[i]))
            return false;
    return true;
}
