/*
 * The error log of one target; see target_log.h.
 */
#include "observe/target_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "base/state_store.h"
#include "observe/client.h"
#include "observe/close_check.h"
#include "observe/log_state.h"
#include "observe/log_text.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAVE_MS = 5000, /* the state is kept so long after the first line that it lacks, at most */
    STATE_MAX = 8 * 1024 * 1024,
    FIRST_POLL_MS = 1000, /* what needs the first poll waits for it so long */
};
#define CLOCK_GOOD_NS (600 * NS_PER_S) /* the server is asked again after so long: summer time may have begun */

struct target_log {
    struct target *target;
    const struct observer *observer;
    struct log_source *source;
    uv_timer_t save_timer;
    bool clock_known;          /* the server's, by which lines are dated that name no zone; also from the last run */
    int64_t ahead_s;           /* of UTC is that clock */
    uint64_t clock_connection; /* over which the server was asked for it, 0: it was not yet … */
    struct mono clock_asked;   /* … and when */
};

/* --- keeping --- */

static void save(struct target_log *log) {
    struct target *target = log->target;
    struct log_state state = {.clock_known = log->clock_known, .ahead_s = log->ahead_s};
    struct strbuf text;
    uv_timer_stop(&log->save_timer);
    log_source_save(log->source, &state.saved);
    memcpy(state.events, target->log_events, sizeof state.events);
    strbuf_init(&text, STATE_MAX);
    log_state_print(&text, target->config->name, &state);
    if (log->observer->log_save)
        log->observer->log_save(log->observer->arg, target, &text);
    records_end(&text);
    state_store_put(target->store, target->config->name, &text);
    log_state_release(&state);
}

static void on_save_timer(uv_timer_t *timer) {
    save(timer->data);
}

/* Without a disk it is kept when the target ends, for the one that follows it after a reload. */
static bool is_persistent(const struct target_log *log) {
    return log->target->store && state_store_facts(log->target->store)->persistent;
}

static void on_moved(void *arg) {
    struct target_log *log = arg;
    if (is_persistent(log) && !uv_is_active((uv_handle_t *)&log->save_timer))
        uv_timer_start(&log->save_timer, on_save_timer, SAVE_MS, 0);
}

/* What the listener made of the log. A record that nobody knows is of another version, and no harm. */
static bool on_other_record(void *arg, const struct record *record) {
    const struct target_log *log = arg;
    return !log->observer->log_restore || log->observer->log_restore(log->observer->arg, log->target, record);
}

static void set_aside(const struct target_log *log, const char *file, unsigned line, const char *wrong) {
    struct strbuf kept;
    strbuf_init(&kept, 8192);
    state_store_set_aside(log->target->store, log->target->config->name, &kept);
    log_error("state file cannot be used: it is kept aside, and the error log read from the configured start",
              LF_STR("target", log->target->config->name), LF_STR("file", file), LF_NUM("line", line),
              LF_STR("error", wrong), LF_STR("kept_as", strbuf_text(&kept)));
    strbuf_release(&kept);
}

/* False where there is none that could be used. */
static bool load(struct target_log *log, struct log_state *state) {
    struct target *target = log->target;
    struct records records;
    size_t len;
    int rc;
    char *text = state_store_load(target->store, target->config->name, &len, &rc);
    if (!text && rc < 0)
        set_aside(log, state_store_file(target->store, target->config->name), 0, strerror(-rc));
    if (!text)
        return false;
    /* First to see whether it is right, then to take what is not ours: of a text that is torn nothing is taken. */
    char *copy = malloc(len + 1);
    bool ok = copy != NULL;
    if (ok) {
        memcpy(copy, text, len + 1);
        ok = log_state_parse(&records, copy, len, target->config->name, state, NULL, NULL);
    }
    if (ok) {
        log_state_release(state);
        ok = log_state_parse(&records, text, len, target->config->name, state, on_other_record, log);
    }
    if (!ok && copy)
        set_aside(log, state_store_file(target->store, target->config->name), records.line, records.wrong);
    free(copy);
    free(text);
    return ok;
}

/* --- what the source tells --- */

/* The time of a line that names no zone is the server's system time, whatever its time_zone is set to. */
static void make_utc(const struct target_log *log, struct log_event *event) {
    if (event->time != LOG_TIME_LOCAL || !log->clock_known)
        return;
    event->time = LOG_TIME_UTC;
    event->wall_ns -= log->ahead_s * NS_PER_S;
}

static void on_event(void *arg, const struct log_event *read) {
    struct target_log *log = arg;
    struct target *target = log->target;
    struct log_event utc = *read, *event = &utc;
    make_utc(log, event);
    target->log_events[event->kind] += !event->suspect; /* what a forged line claims has not happened */
    if (!event->suspect)
        close_check_event(target->close_check, event);
    if (log->observer->log_event)
        log->observer->log_event(log->observer->arg, target, event);
}

static void on_changed(void *arg) {
    struct target_log *log = arg;
    const struct target *target = log->target;
    const struct log_source_state *state = log_source_state(log->source);
    const struct log_field name = LF_STR("target", target->config->name),
                           kind = LF_STR("source", log_kind_name(state->kind)),
                           what = LF_STR("name", log_source_name(log->source));
    if (state->readable)
        log_info("error log is readable", name, kind, what, LF_NUM("rotations", state->rotations),
                 LF_NUM("gaps", state->gaps));
    else if (state->error)
        log_warn("error log cannot be read", name, kind, what, LF_STR("reason", log_source_reason(state->error)),
                 LF_STR("error", strerror(-state->error)));
    /* What was just left may be gone the next time: a good moment to know where we are. */
    if (is_persistent(log))
        save(log);
}

/* --- the server --- */

static bool is_own_address(const char *text) {
    struct ifaddrs *all = NULL;
    char name[NI_MAXHOST];
    bool own = false;
    if (getifaddrs(&all) < 0)
        return false;
    for (const struct ifaddrs *a = all; a && !own; a = a->ifa_next) {
        if (!a->ifa_addr || (a->ifa_addr->sa_family != AF_INET && a->ifa_addr->sa_family != AF_INET6))
            continue;
        socklen_t len = a->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        own = getnameinfo(a->ifa_addr, len, name, sizeof name, NULL, 0, NI_NUMERICHOST) == 0 && strcmp(name, text) == 0;
    }
    freeifaddrs(all);
    return own;
}

static bool is_local(const struct target *target, const struct client *client) {
    const char *address = client_facts(client)->address;
    return target->config->address.socket || strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           (address[0] && is_own_address(address));
}

struct clock_answer {
    bool there;
    int64_t ahead_s;
};

static void clock_row(void *arg, const struct span *fields, unsigned count) {
    struct clock_answer *answer = arg;
    struct span text = count > 0 && fields[0].ptr ? fields[0] : (struct span){"", 0};
    bool behind = span_take(&text, SPAN_LITERAL("-"));
    uint64_t seconds;
    answer->there = number_parse_u64(text, 24 * 3600, &seconds) == 0;
    if (answer->there)
        answer->ahead_s = behind ? -(int64_t)seconds : (int64_t)seconds;
}

static bool wants_clock(const struct target_log *log, const struct client *client) {
    enum log_kind kind = log_source_state(log->source)->kind;
    return (kind == LOG_FILE || kind == LOG_AUTO) && (log->clock_connection != client_connection_id(client) ||
                                                      mono_between(log->clock_asked, mono_now()) >= CLOCK_GOOD_NS);
}

/* The variable system_time_zone is an abbreviation that may mean anything: let the server reckon. Where the target is
 * stopped meanwhile the log is gone when this returns. */
static void ask_clock(struct target_log *log, struct client *client) {
    static const char sql[] =
        "SELECT TIMESTAMPDIFF(SECOND,UTC_TIMESTAMP(),CONVERT_TZ(UTC_TIMESTAMP(),'+00:00','SYSTEM'))";
    const struct target *target = log->target;
    struct clock_answer answer = {false, 0};
    struct failure failure;
    if (client_query(client, sql, clock_row, &answer, &failure) < 0 || !answer.there || target_stopping(target))
        return;
    log->clock_known = true;
    log->ahead_s = answer.ahead_s;
    log->clock_connection = client_connection_id(client);
    log->clock_asked = mono_now();
}

static void ask_server(struct target_log *log, struct client *client) {
    const struct target *target = log->target;
    const struct target_config *config = target->config;
    bool clock = wants_clock(log, client);
    if ((!clock && !log_source_wants_poll(log->source)) || !client_connected(client))
        return;
    struct mono report = mono_add(mono_now(), config->poll.timeout_ns);
    client_set_deadline(client,
                        &(struct client_deadline){report, mono_add(report, config->probe_grace_ns), NULL, NULL});
    if (clock)
        ask_clock(log, client);
    if (!target_stopping(target) && client_connected(client) && log_source_wants_poll(log->source))
        log_source_poll(log->source, client, is_local(log->target, client), target->poll.settings_read);
}

void target_log_poll(struct target_log *log, struct client *client) {
    const struct target *target = log->target;
    if (client)
        ask_server(log, client);
    if (!target_stopping(target))
        log_source_go(log->source);
}

/* --- begin and end --- */

struct target_log *target_log_start(uv_loop_t *loop, const struct observer *observer, struct target *target) {
    struct target_log *log;
    struct log_state state = {0};
    bool loaded = false;
    if (target->config->error_log.source == LOG_NONE)
        return NULL;
    log = calloc(1, sizeof *log);
    if (log) {
        *log = (struct target_log){.target = target, .observer = observer};
        struct log_source_listener listener = {log, on_event, on_changed, on_moved};
        loaded = target->store && load(log, &state);
        if (loaded)
            memcpy(target->log_events, state.events, sizeof state.events);
        log->clock_known = loaded && state.clock_known;
        log->ahead_s = state.ahead_s;
        log->source = log_source_start(loop, &target->config->error_log, &listener, loaded ? &state.saved : NULL);
        log_state_release(&state);
    }
    if (!log || !log->source) {
        log_error("no memory to follow the error log", LF_STR("target", target->config->name));
        free(log);
        return NULL;
    }
    uv_timer_init(loop, &log->save_timer);
    log->save_timer.data = log;
    target->error_log = log->source;
    if (log_source_state(log->source)->kind == LOG_TABLE ? loaded : !log->clock_known)
        log_source_wait(log->source, FIRST_POLL_MS);
    if (is_persistent(log) && !loaded) /* from now on no line is lost */
        save(log);
    return log;
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

void target_log_stop(struct target_log *log) {
    if (!log)
        return;
    /* What is held back is not told: the server may be in the middle of it, and the next one reads it again. */
    if (log->target->store)
        save(log);
    log_source_close(log->source);
    log->target->error_log = NULL;
    uv_close((uv_handle_t *)&log->save_timer, on_closed);
}
