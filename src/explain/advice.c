/*
 * From polls and events to the rules that are raised; see advice.h.
 */
#include "explain/advice.h"

#include <stdlib.h>
#include <string.h>

struct target_advice {
    struct advice_history *history;
    struct advice *raised; /* the most severe first */
    size_t count;
    int64_t checked_wall_ns;
};

static struct target_advice *state_of(struct target *target) {
    struct target_advice *ta = target->advice;
    if (ta)
        return ta;
    ta = calloc(1, sizeof *ta);
    if (ta)
        ta->history = advice_history_new(mono_now());
    if (!ta || !ta->history) {
        free(ta);
        return NULL;
    }
    target->advice = ta;
    return ta;
}

static void release_raised(struct advice *raised, size_t count) {
    for (size_t i = 0; i < count; i++)
        finding_release(&raised[i].finding);
    free(raised);
}

static int64_t since(const struct target_advice *ta, const struct advice_rule *rule, int64_t now) {
    for (size_t i = 0; i < ta->count; i++)
        if (ta->raised[i].rule == rule)
            return ta->raised[i].since_wall_ns;
    return now;
}

/* Behind those that are as severe. */
static void insert(struct advice *raised, size_t count, const struct advice *advice) {
    size_t place = count;
    while (place > 0 && raised[place - 1].severity < advice->severity)
        place--;
    memmove(&raised[place + 1], &raised[place], (count - place) * sizeof *raised);
    raised[place] = *advice;
}

static void check_rules(struct target_advice *ta, const struct advice_facts *facts) {
    struct advice *raised = calloc(advice_rule_count, sizeof *raised), *fitting = NULL;
    size_t count = 0;
    int64_t now = wall_now_ns();
    if (!raised)
        return;
    for (size_t i = 0; i < advice_rule_count; i++) {
        struct advice advice = {.rule = &advice_rules[i], .since_wall_ns = since(ta, &advice_rules[i], now)};
        advice.severity = advice_rule_check(advice.rule, facts, &advice.finding);
        if (advice.severity == SEVERITY_NONE)
            finding_release(&advice.finding);
        else
            insert(raised, count++, &advice);
    }
    if (count > 0)
        fitting = realloc(raised, count * sizeof *raised);
    release_raised(ta->raised, ta->count);
    if (count == 0)
        free(raised);
    ta->raised = count == 0 || fitting ? fitting : raised;
    ta->count = count;
    ta->checked_wall_ns = now;
}

static void on_polled(void *arg, struct target *target, struct mono began) {
    struct target_advice *ta = state_of(target);
    struct advice_facts facts;
    struct mono now = mono_now();
    (void)arg;
    (void)began;
    if (!ta)
        return;
    advice_history_poll(ta->history, target, now);
    advice_facts_init(&facts);
    advice_facts_collect(&facts, target, ta->history, now);
    check_rules(ta, &facts);
    advice_facts_release(&facts);
}

static void on_abort(void *arg, struct target *target, const struct abort_event *event) {
    struct target_advice *ta = state_of(target);
    (void)arg;
    if (ta)
        advice_history_abort(ta->history, event, mono_now());
}

static void on_target_removed(void *arg, struct target *target) {
    struct target_advice *ta = target->advice;
    (void)arg;
    if (!ta)
        return;
    advice_history_free(ta->history);
    release_raised(ta->raised, ta->count);
    free(ta);
    target->advice = NULL;
}

struct observer advice_observer(void) {
    return (struct observer){.target_removed = on_target_removed, .polled = on_polled};
}

struct abort_sink advice_sink(void) {
    return (struct abort_sink){.abort = on_abort};
}

int64_t advice_checked_wall_ns(const struct target *target) {
    const struct target_advice *ta = target->advice;
    return ta ? ta->checked_wall_ns : 0;
}

const struct advice *advice_of(const struct target *target, size_t *count) {
    const struct target_advice *ta = target->advice;
    *count = ta ? ta->count : 0;
    return ta ? ta->raised : NULL;
}

bool advice_lately(const struct target *target, struct advice_recent *out) {
    const struct target_advice *ta = target->advice;
    if (ta)
        advice_history_recent(ta->history, out, mono_now());
    return ta != NULL;
}
