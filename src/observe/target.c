/*
 * One watched server: when it is polled and probed, and how that is begun and ended; see target.h and target_run.h.
 */
#include "observe/target_run.h"

#include "base/log.h"
#include "observe/client.h"
#include "observe/close_check.h"
#include "observe/local_network.h"
#include "observe/poll.h"
#include "observe/probe.h"
#include "observe/session_poll.h"
#include "observe/target_log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RETRY_FIRST_NS                                                                                                 \
    NS_PER_S /* a lost server is looked for again soon, then at doubling pauses up to the poll interval */
#define RETRY_DOUBLINGS_MAX 16

struct probe_schedule {
    struct probe *probe;
    uv_timer_t timer;
    struct mono due, grid; /* as for polls */
    struct coroutine *running;
    bool probing;
    enum target_health said;
};

struct target_schedule {
    struct target *target;
    uv_loop_t *loop;
    struct coroutines *coroutines;
    const struct observer *observer;

    uv_timer_t poll_timer;
    size_t open_timers;
    struct mono poll_due;
    struct mono poll_grid;  /* an instant at which one is due; the others follow at whole intervals */
    struct coroutine *poll; /* the one that runs */
    bool polling;
    struct probe_schedule *probes; /* as target->probes */
    struct client *kept;
    struct target_log *log; /* NULL where no error log is followed */
    unsigned failures_in_row;
    enum target_health poll_said; /* what the log was last told */

    bool once;                                        /* target_look(): no schedule, and nothing is logged */
    void (*looked)(void *arg, struct target *target); /* one of its two operations has ended */
    void *looked_arg;

    bool stopping;
    void (*stopped)(void *arg, struct target *target);
    void *stopped_arg;
};

const char *self_operation_name(enum self_operation operation) {
    static const char *const names[] = {
        [SELF_POLL] = "poll", [SELF_PROBE] = "probe", [SELF_CLOSE_STYLE] = "close_style", [SELF_HOLD] = "hold"};
    return names[operation];
}

/* --- life --- */

static void make_labels(struct target *target) {
    const struct target_config *config = target->config;
    labels_init(&target->labels);
    labels_add(&target->labels, "target", config->name);
    for (size_t i = 0; i < config->label_count; i++)
        labels_add(&target->labels, config->labels[i].name, config->labels[i].value);
}

static void make_probe_labels(struct probe *probe, const struct labels *of_target) {
    labels_init(&probe->labels);
    labels_add_all(&probe->labels, of_target);
    labels_add(&probe->labels, "module", probe->module->name);
    labels_add(&probe->labels, "close", close_style_name(probe->module->close));
}

static bool make_probes(struct target *target) {
    const struct target_config *config = target->config;
    struct target_schedule *s = target->schedule;
    target->probes = calloc(config->module_count, sizeof *target->probes);
    s->probes = calloc(config->module_count, sizeof *s->probes);
    target->close_check = close_check_new(target);
    if (!target->probes || !s->probes || !target->close_check)
        return false;
    for (; target->probe_count < config->module_count; target->probe_count++) {
        struct probe *probe = &target->probes[target->probe_count];
        *probe = (struct probe){.target = target, .module = &config->modules[target->probe_count]};
        make_probe_labels(probe, &target->labels);
        for (int i = 0; i < PHASE_COUNT; i++)
            probe->facts.last_phase_ns[i] = -1;
        s->probes[target->probe_count].probe = probe;
        if (labels_failed(&probe->labels))
            return false;
    }
    return true;
}

static void probe_release(struct probe *probe) {
    labels_release(&probe->labels);
    failure_counts_release(&probe->facts.failures_by);
}

static void target_free(struct target *target) {
    for (size_t i = 0; i < target->probe_count; i++)
        probe_release(&target->probes[i]);
    free(target->probes);
    close_check_free(target->close_check);
    sessions_free(target->sessions);
    server_errors_free(target->server_errors);
    host_cache_free(target->host_cache);
    userstat_free(target->userstat);
    labels_release(&target->labels);
    failure_counts_release(&target->poll.failures_by);
    free(target->schedule->probes);
    free(target->schedule);
    free(target);
}

struct target *target_new(uv_loop_t *loop, struct coroutines *coroutines, const struct observer *observer,
                          struct target_config *config) {
    struct target *target = calloc(1, sizeof *target);
    struct target_schedule *schedule = calloc(1, sizeof *schedule);
    if (!target || !schedule) {
        free(target);
        free(schedule);
        return NULL;
    }
    *schedule =
        (struct target_schedule){.target = target, .loop = loop, .coroutines = coroutines, .observer = observer};
    target->schedule = schedule;
    target->config = config;
    make_labels(target);
    if (labels_failed(&target->labels) || !make_probes(target)) {
        target_free(target);
        return NULL;
    }
    target->refs = 1;
    target->since_wall_ns = wall_now_ns();
    for (size_t i = 0; i < VARIABLE_MAX; i++)
        target->poll.value[i] = NAN;
    return target;
}

bool target_stopping(const struct target *target) {
    return target->schedule->stopping;
}

struct target *target_ref(struct target *target) {
    target->refs++;
    return target;
}

void target_unref(struct target *target) {
    if (!target || --target->refs > 0)
        return;
    if (target->schedule->observer->target_removed)
        target->schedule->observer->target_removed(target->schedule->observer->arg, target);
    if (target->config)
        target_config_free(target->config);
    target_free(target);
}

/* --- what a poll read --- */

static double value_of(const struct target *target, enum variable_source source, const char *name) {
    int row = variable_find(source, span_of(name));
    return row < 0 ? NAN : target->poll.value[row];
}

double target_status(const struct target *target, const char *name) {
    return value_of(target, VARIABLE_STATUS, name);
}

double target_setting(const struct target *target, const char *name) {
    return value_of(target, VARIABLE_SETTING, name);
}

int64_t target_sessions_interval_ns(const struct target *target) {
    const struct target_config *config = target->config;
    return config->sessions_interval_ns > config->poll.interval_ns ? config->sessions_interval_ns
                                                                   : config->poll.interval_ns;
}

const char *log_sight_name(enum log_sight sight) {
    static const char *const names[] = {
#define LOG_SIGHT_NAME(id, label, meaning) label,
        LOG_SIGHTS(LOG_SIGHT_NAME)
#undef LOG_SIGHT_NAME
    };
    return names[sight];
}

/* MySQL 5.7 has both levels, and obeys the newer one. In MySQL 8 level and list belong to a filter, which may be left
 * out. */
enum log_sight target_log_sight(const struct target *target) {
    enum { LOG_WARNINGS_MIN = 2, LOG_ERROR_VERBOSITY_MIN = 3 };
    double verbosity = target_setting(target, "log_error_verbosity"), warnings = target_setting(target, "log_warnings");
    double filter = target_setting(target, "log_error_services");
    if (filter == LOG_FILTER_OTHER)
        return LOG_SIGHT_FILTERED;
    if (filter == LOG_FILTER_NONE)
        return LOG_SIGHT_GOOD;
    if (isnan(verbosity) && isnan(warnings))
        return LOG_SIGHT_UNKNOWN;
    if (isnan(verbosity) ? warnings < LOG_WARNINGS_MIN : verbosity < LOG_ERROR_VERBOSITY_MIN)
        return LOG_SIGHT_LEVEL;
    return target_setting(target, "log_error_suppression_list") == 1 ? LOG_SIGHT_SUPPRESSED : LOG_SIGHT_GOOD;
}

int target_log_level_suffices(const struct target *target) {
    enum log_sight sight = target_log_sight(target);
    return sight == LOG_SIGHT_UNKNOWN ? -1 : sight == LOG_SIGHT_GOOD;
}

/* --- what the log is told --- */

/* A failure each time (the log suppresses repeats), the recovery once. */
static void say(const struct target *target, const char *operation, const char *module, enum target_health health,
                const struct failure *failure, enum target_health *said) {
    if (health == TARGET_DOWN)
        log_warn("target is down", LF_STR("target", target->config->name),
                 LF_STR("address", target->config->address_text), LF_STR("operation", operation),
                 LF_STR("module", module), LF_STR("phase", phase_name(failure->phase)),
                 LF_STR("reason", failure_name(failure->failure)), LF_NUM("code", failure->code),
                 LF_STR("error", failure->text));
    else if (health == TARGET_UP && *said != TARGET_UP)
        log_info("target is up", LF_STR("target", target->config->name), LF_STR("operation", operation),
                 LF_STR("module", module));
    *said = health;
}

static void say_self_aborts(const struct target *target, enum self_operation operation, uint64_t before) {
    if (target->self_aborts[operation] > before)
        log_warn("the server will count an aborted connection of ours", LF_STR("target", target->config->name),
                 LF_STR("operation", self_operation_name(operation)));
}

static void say_unexpected(const struct probe *probe, uint64_t before) {
    bool unasked = probe->module->close == CLOSE_QUIT_WAIT;
    if (unasked && probe->facts.closes[CLOSE_UNEXPECTED_DATA] > before)
        log_warn("the server sent something after COM_QUIT", LF_STR("target", probe->target->config->name),
                 LF_STR("module", probe->module->name), LF_NUM("code", probe->facts.close_number));
}

static void say_cut(const struct probe *probe, int64_t before) {
    if (probe->facts.last_cut_after_ns != before)
        log_warn("an idle connection of ours was cut", LF_STR("target", probe->target->config->name),
                 LF_STR("module", probe->module->name),
                 LF_NUM("after_ms", (uint64_t)(probe->facts.last_cut_after_ns / NS_PER_MS)));
}

/* --- when --- */

static void poll_timer_fired(uv_timer_t *timer);
static void probe_timer_fired(uv_timer_t *timer);

static void timer_at(uv_timer_t *timer, uv_timer_cb fired, struct mono due) {
    int64_t left = mono_between(mono_now(), due);
    uv_update_time(timer->loop);
    uv_timer_start(timer, fired, left > 0 ? (uint64_t)((left + NS_PER_MS - 1) / NS_PER_MS) : 0, 0);
}

/* The first instant of the grid that lies in the future. */
static struct mono next_on_grid(struct mono grid, int64_t interval_ns) {
    int64_t since = mono_between(grid, mono_now());
    return since < 0 ? grid : mono_add(grid, (since / interval_ns + 1) * interval_ns);
}

/* Between half of `ns` and `ns`, so that many exporters (or targets) do not come back in step. */
static int64_t jittered(int64_t ns) {
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint32_t)mono_now().ns;
    double half = (double)ns / 2;
    return (int64_t)(half + half * ((double)random / (double)UINT32_MAX));
}

static void schedule_poll(struct target *target) {
    struct target_schedule *s = target->schedule;
    int64_t interval = target->config->poll.interval_ns;
    s->poll_due = next_on_grid(s->poll_grid, interval);
    /* A server that refuses our login counts each try as an abort: no hurry there. */
    if (target->poll.health == TARGET_DOWN && !client_failure_counts(&target->poll.down)) {
        unsigned doublings = s->failures_in_row < RETRY_DOUBLINGS_MAX ? s->failures_in_row : RETRY_DOUBLINGS_MAX;
        int64_t pause = RETRY_FIRST_NS << doublings;
        s->poll_due = mono_earlier(s->poll_due, mono_add(mono_now(), jittered(pause < interval ? pause : interval)));
        s->failures_in_row++;
    }
    if (target->poll.health == TARGET_UP)
        s->failures_in_row = 0;
    timer_at(&s->poll_timer, poll_timer_fired, s->poll_due);
}

static void schedule_probe(struct probe_schedule *p) {
    p->due = next_on_grid(p->grid, p->probe->module->schedule.interval_ns);
    timer_at(&p->timer, probe_timer_fired, p->due);
}

/* --- what --- */

static void end_if_stopped(struct target *target);

static void quit_kept(struct target_schedule *s) {
    struct mono until = mono_add(mono_now(), s->target->config->poll.timeout_ns);
    client_set_deadline(s->kept, &(struct client_deadline){until, until, NULL, NULL});
    client_close(s->kept, CLOSE_QUIT_WAIT);
    own_connections_ended(&s->target->own, s->kept, client_own_abort(s->kept));
    client_free(s->kept);
    s->kept = NULL;
}

/* The first probes need not wait for its turn: people look at a daemon that they have just started. It comes after the
 * first poll, not beside it, so that the kept connection's memory is not scattered between the probe's. */
static void probe_soon(struct target *target) {
    for (size_t i = 0; i < target->probe_count; i++) {
        struct probe_schedule *p = &target->schedule->probes[i];
        p->due = mono_now();
        timer_at(&p->timer, probe_timer_fired, p->due);
    }
}

static bool probed_before(const struct target *target) {
    uint64_t probes = 0;
    for (size_t i = 0; i < target->probe_count; i++)
        probes += target->probes[i].facts.probes;
    return probes > 0;
}

static void poll_body(void *arg) {
    struct target *target = arg;
    struct target_schedule *s = target->schedule;
    uint64_t before = target->self_aborts[SELF_POLL];
    if (!s->stopping) {
        struct mono began = mono_now();
        poll_run(target, &s->kept);
        if (s->log) /* before it is judged what the log does not say */
            target_log_poll(s->log, target->poll.health == TARGET_UP ? s->kept : NULL);
        poll_used(target, &s->kept);
        close_check_polled(target->close_check, began);
        close_check_settle(target->close_check);
        if (!s->stopping && s->kept && target->poll.health == TARGET_UP)
            session_poll(target, s->kept, s->observer);
        poll_used(target, &s->kept);
        if (!s->stopping && s->kept && target->poll.health == TARGET_UP)
            local_network_poll(target, s->kept);
        target->poll.ended++;
        if (s->observer->polled && !s->stopping)
            s->observer->polled(s->observer->arg, target, began);
        if (!s->stopping && !s->once) /* a poll that was cut short by our own end says nothing of the server */
            say(target, "poll", "", target->poll.health, &target->poll.down, &s->poll_said);
        say_self_aborts(target, SELF_POLL, before);
    }
    if (s->stopping && s->kept)
        quit_kept(s);
    s->polling = false;
    if (s->once && !s->stopping) {
        s->looked(s->looked_arg, target);
    } else if (!s->stopping) {
        schedule_poll(target);
        if (target->poll.polls == 1 && !probed_before(target))
            probe_soon(target);
    }
    end_if_stopped(target);
}

static void probe_body(void *arg) {
    struct probe_schedule *p = arg;
    struct probe *probe = p->probe;
    struct target *target = probe->target;
    struct target_schedule *s = target->schedule;
    uint64_t before = target->self_aborts[SELF_PROBE];
    uint64_t unexpected = probe->facts.closes[CLOSE_UNEXPECTED_DATA];
    int64_t cut = probe->facts.last_cut_after_ns;
    probe_run(probe);
    if (!s->stopping && !s->once)
        say(target, "probe", probe->module->name, probe->facts.health, &probe->facts.down, &p->said);
    say_unexpected(probe, unexpected);
    say_cut(probe, cut);
    say_self_aborts(target, SELF_PROBE, before);
    close_check_settle(target->close_check);
    p->probing = false;
    if (s->once && !s->stopping)
        s->looked(s->looked_arg, target);
    end_if_stopped(target);
}

static void begin(struct target *target, coroutine_fn *body, void *arg, bool *flag, struct coroutine **handle) {
    *flag = true;
    if (coroutine_start(target->schedule->coroutines, body, arg, handle) < 0) {
        *flag = false;
        log_error("no memory for a coroutine", LF_STR("target", target->config->name));
    }
}

static void poll_timer_fired(uv_timer_t *timer) {
    struct target *target = timer->data;
    struct target_schedule *s = target->schedule;
    if (mono_before(mono_now(), s->poll_due)) {
        timer_at(timer, poll_timer_fired, s->poll_due);
        return;
    }
    begin(target, poll_body, target, &s->polling, &s->poll); /* schedules the next one when it has ended */
    if (!s->polling && !uv_is_active((uv_handle_t *)timer))
        schedule_poll(target);
}

static void probe_timer_fired(uv_timer_t *timer) {
    struct probe_schedule *p = timer->data;
    if (mono_before(mono_now(), p->due)) {
        timer_at(timer, probe_timer_fired, p->due);
        return;
    }
    int64_t late_ns = mono_between(p->due, mono_now());
    histogram_add(&p->probe->facts.lateness, late_ns);
    native_histogram_add(&p->probe->facts.lateness_native, late_ns);
    schedule_probe(p);
    if (p->probing)
        p->probe->facts.skipped++;
    else
        begin(p->probe->target, probe_body, p, &p->probing, &p->running);
}

/* --- start and stop --- */

/* `place` of `places` equal parts of an interval. */
static int64_t part_of(int64_t interval_ns, size_t place, size_t places) {
    return (int64_t)((double)interval_ns * (double)place / (double)places);
}

void target_run(struct target *target, int64_t first_ns, size_t place, size_t places) {
    struct target_schedule *s = target->schedule;
    struct mono now = mono_now();
    uv_timer_init(s->loop, &s->poll_timer);
    s->poll_timer.data = target;
    s->poll_due = mono_add(now, first_ns);
    s->poll_grid = mono_add(now, part_of(target->config->poll.interval_ns, place, places));
    timer_at(&s->poll_timer, poll_timer_fired, s->poll_due);
    for (size_t i = 0; i < target->probe_count; i++) {
        struct probe_schedule *p = &s->probes[i];
        int64_t interval = p->probe->module->schedule.interval_ns;
        p->grid = mono_add(now, part_of(interval, (2 * place + places) % (2 * places), 2 * places));
        uv_timer_init(s->loop, &p->timer);
        p->timer.data = p;
        schedule_probe(p);
    }
    s->open_timers = 1 + target->probe_count;
    s->log = target_log_start(s->loop, s->observer, target);
    if (s->observer->target_added)
        s->observer->target_added(s->observer->arg, target);
}

static bool probing(const struct target *target) {
    for (size_t i = 0; i < target->probe_count; i++)
        if (target->schedule->probes[i].probing)
            return true;
    return false;
}

bool target_look(struct target *target, void (*looked)(void *arg, struct target *target), void *arg) {
    struct target_schedule *s = target->schedule;
    uv_timer_init(s->loop, &s->poll_timer);
    s->poll_timer.data = target;
    s->once = true;
    s->looked = looked;
    s->looked_arg = arg;
    for (size_t i = 0; i < target->probe_count; i++) {
        uv_timer_init(s->loop, &s->probes[i].timer);
        s->probes[i].timer.data = &s->probes[i];
    }
    s->open_timers = 1 + target->probe_count;
    begin(target, poll_body, target, &s->polling, &s->poll);
    for (size_t i = 0; i < target->probe_count; i++)
        begin(target, probe_body, &s->probes[i], &s->probes[i].probing, &s->probes[i].running);
    return s->polling && probing(target);
}

static void timer_closed(struct target *target) {
    struct target_schedule *s = target->schedule;
    if (--s->open_timers == 0)
        s->stopped(s->stopped_arg, target);
}

static void poll_timer_closed(uv_handle_t *handle) {
    timer_closed(handle->data);
}

static void probe_timer_closed(uv_handle_t *handle) {
    const struct probe_schedule *p = handle->data;
    timer_closed(p->probe->target);
}

static void end_if_stopped(struct target *target) {
    struct target_schedule *s = target->schedule;
    if (!s->stopping || s->polling || probing(target) || uv_is_closing((uv_handle_t *)&s->poll_timer))
        return;
    uv_close((uv_handle_t *)&s->poll_timer, poll_timer_closed);
    for (size_t i = 0; i < target->probe_count; i++)
        uv_close((uv_handle_t *)&s->probes[i].timer, probe_timer_closed);
}

void target_stop(struct target *target, void (*stopped)(void *arg, struct target *target), void *arg) {
    struct target_schedule *s = target->schedule;
    s->stopping = true;
    s->stopped = stopped;
    s->stopped_arg = arg;
    uv_timer_stop(&s->poll_timer);
    for (size_t i = 0; i < target->probe_count; i++) {
        uv_timer_stop(&s->probes[i].timer);
        if (s->probes[i].running)
            coroutine_wake(s->probes[i].running); /* it may hold an idle connection */
    }
    target_log_stop(s->log);
    s->log = NULL;
    local_network_end(target);
    if (!s->polling && s->kept)
        begin(target, poll_body, target, &s->polling, &s->poll);
    end_if_stopped(target);
}

void target_cancel(struct target *target) {
    struct target_schedule *s = target->schedule;
    if (s->poll)
        coroutine_cancel(s->poll);
    for (size_t i = 0; i < target->probe_count; i++)
        if (s->probes[i].running)
            coroutine_cancel(s->probes[i].running);
}
