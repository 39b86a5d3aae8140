/*
 * /api/v1/targets: how each target is, and what is known of its server.
 */
#include "base/clock.h"
#include "base/json.h"
#include "explain/abort_facts.h"
#include "expose/api_internal.h"
#include "expose/knowledge.h"

#include <math.h>
#include <string.h>

/* --- polls and probes --- */

static void add_health(struct strbuf *out, enum target_health health, const struct failure *down) {
    static const char *const names[] = {[TARGET_UNTRIED] = "untried", [TARGET_UP] = "up", [TARGET_DOWN] = "down"};
    json_text(out, "health", names[health]);
    if (health != TARGET_DOWN) {
        json_null(out, "down");
        return;
    }
    json_open(out, "down", '{');
    json_text(out, "phase", phase_name(down->phase));
    json_text(out, "reason", failure_name(down->failure));
    json_u64(out, "code", down->code);
    json_text(out, "text", down->text);
    json_close(out, '}');
}

/* When it was last learnt, how long ago that is, and whether that is so long ago that it is no longer told as metrics.
 */
static void add_age(struct strbuf *out, const char *key, int64_t wall_ns, bool old) {
    json_time(out, key, wall_ns);
    if (wall_ns == 0)
        json_null(out, "age_seconds");
    else
        json_seconds(out, "age_seconds", wall_now_ns() - wall_ns);
    json_bool(out, "old", old);
}

static void add_poll(struct strbuf *out, const struct target *target) {
    const struct poll_facts *poll = &target->poll;
    json_open(out, "poll", '{');
    add_health(out, poll->health, &poll->down);
    add_age(out, "last_success", poll->last_success_wall_ns, knowledge_is_old(target, KNOWN_POLL));
    json_seconds(out, "duration_seconds", poll->last_duration_ns);
    json_u64(out, "polls", poll->polls);
    json_u64(out, "failures", poll->failures);
    json_u64(out, "connection_id", poll->connection_id);
    json_close(out, '}');
}

static void add_probe(struct strbuf *out, const struct probe *probe) {
    const struct probe_facts *facts = &probe->facts;
    json_open(out, NULL, '{');
    json_text(out, "module", probe->module->name);
    add_health(out, facts->health, &facts->down);
    add_age(out, "last_success", facts->last_success_wall_ns, knowledge_of_probe_is_old(probe, KNOWN_LOGIN));
    json_u64(out, "probes", facts->probes);
    json_u64(out, "failures", facts->failures);
    json_text(out, "address", facts->address[0] ? facts->address : NULL);
    json_open(out, "phase_seconds", '{');
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        if (facts->health != TARGET_UNTRIED && facts->last_phase_ns[phase] >= 0)
            json_seconds(out, phase_name((enum phase)phase), facts->last_phase_ns[phase]);
    json_close(out, '}');
    json_close(out, '}');
}

/* --- the server --- */

static void add_server(struct strbuf *out, const struct target *target) {
    static const char *const flavours[] = {
        [SERVER_UNKNOWN] = NULL, [SERVER_MARIADB] = "MariaDB", [SERVER_MYSQL] = "MySQL"};
    const struct poll_facts *poll = &target->poll;
    json_open(out, "server", '{');
    json_text(out, "flavour", flavours[server_flavour_of(target)]);
    json_text(out, "version", poll->version[0] ? poll->version : NULL);
    json_text(out, "version_comment", poll->version_comment[0] ? poll->version_comment : NULL);
    json_time(out, "started", poll->start_wall_ns);
    json_u64(out, "restarts_seen", poll->restarts);
    json_open(out, "settings", '{');
    for (size_t i = 0; i < variable_count; i++)
        if (variable_table[i].source == VARIABLE_SETTING && poll->health == TARGET_UP && !isnan(poll->value[i]))
            json_double(out, variable_table[i].name, poll->value[i]);
    json_close(out, '}');
    json_close(out, '}');
}

static void add_error_log(struct strbuf *out, const struct target *target) {
    const struct log_source_state *log = target->error_log ? log_source_state(target->error_log) : NULL;
    int suffices = target_log_level_suffices(target);
    if (!log) {
        json_null(out, "error_log");
        return;
    }
    json_open(out, "error_log", '{');
    json_text(out, "source", log_kind_name(log->kind));
    json_text(out, "path", log_source_name(target->error_log));
    json_bool(out, "readable", log->readable);
    json_text(out, "reason", log->readable || !log->error ? NULL : log_source_reason(log->error));
    if (suffices < 0)
        json_null(out, "level_tells_aborts");
    else
        json_bool(out, "level_tells_aborts", suffices == 1);
    json_u64(out, "lines", log->lines);
    json_u64(out, "behind_bytes", log->behind_bytes);
    json_u64(out, "gaps", log->gaps);
    json_u64(out, "missed_lines", log->missed);
    json_time(out, "last_read", log->last_read_wall_ns);
    json_time(out, "last_success", knowledge_wall_ns(target, KNOWN_ERROR_LOG));
    json_close(out, '}');
}

static void add_sessions(struct strbuf *out, const struct target *target) {
    if (target->poll.health != TARGET_UP || target->evidence[EVIDENCE_SESSIONS] != EVIDENCE_SEEN) {
        json_null(out, "sessions");
        return;
    }
    const struct session_sums *sums = sessions_sums(target->sessions);
    json_open(out, "sessions", '{');
    json_u64(out, "sessions", sums->sessions);
    json_u64(out, "sleeping", sums->sleeping);
    json_u64(out, "idle_in_transaction", sums->idle_in_transaction);
    json_u64(out, "near_timeout", sums->near_timeout);
    json_u64(out, "past_timeout", sums->past_timeout);
    json_u64(out, "remembered", sessions_remembered(target->sessions));
    add_age(out, "read", knowledge_wall_ns(target, KNOWN_SESSIONS), knowledge_is_old(target, KNOWN_SESSIONS));
    json_close(out, '}');
}

static void add_evidence(struct strbuf *out, const struct target *target) {
    json_open(out, "evidence", '{');
    for (int kind = 0; kind < EVIDENCE_COUNT; kind++) {
        enum evidence_state state = target->evidence[kind];
        const char *missing = evidence_missing(state);
        json_text(out, evidence_name((enum evidence_kind)kind),
                  missing                  ? missing
                  : state == EVIDENCE_SEEN ? "seen"
                                           : "untried");
    }
    json_close(out, '}');
}

static bool item(const struct api_page *page, struct strbuf *out) {
    if (page->item >= page->target_count)
        return false;
    const struct target *target = page->targets[page->item];
    strbuf_addch(out, '{');
    json_text(out, "target", target->config->name);
    json_text(out, "address", target->config->address_text);
    json_open(out, "labels", '{');
    for (size_t i = 0; i < target->config->label_count; i++)
        json_text(out, target->config->labels[i].name, target->config->labels[i].value);
    json_close(out, '}');
    add_poll(out, target);
    json_open(out, "probes", '[');
    for (size_t i = 0; i < target->probe_count; i++)
        add_probe(out, &target->probes[i]);
    json_close(out, ']');
    add_server(out, target);
    add_error_log(out, target);
    add_sessions(out, target);
    add_evidence(out, target);
    json_open(out, "events", '{');
    json_u64(out, "kept", event_ring_count(target));
    json_u64(out, "dropped", event_ring_dropped(target));
    json_close(out, '}');
    json_close(out, '}');
    return true;
}

const struct api_resource api_targets = {
    .path = "/api/v1/targets",
    .list = "targets",
    .meaning = "How each target is: the last poll and probes, with phase and reason where they failed, the server with "
               "its settings, the error log, the sums of the sessions, and which evidence can be seen.",
    .item = item,
};
