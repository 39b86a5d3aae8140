/*
 * Facts and their ages; see knowledge.h. By the wall clock, as whoever reads the page sees them.
 */
#include "expose/knowledge.h"

#include "base/clock.h"
#include "explain/advice.h"
#include "observe/host_network.h"

enum { INTERVALS_MIN = 3 }; /* a look may fail without its facts coming and going */

/* Outside of the rows' range is KNOWN_UNDECLARED. */
const char *knowledge_meaning(enum knowledge known) {
    static const char *const meanings[] = {
#define KNOWLEDGE_MEANING(id, meaning, family) [KNOWN_##id] = meaning,
        KNOWLEDGE(KNOWLEDGE_MEANING)
#undef KNOWLEDGE_MEANING
    };
    return meanings[known];
}

const char *knowledge_time_family(enum knowledge known) {
    static const char *const families[] = {
#define KNOWLEDGE_FAMILY(id, meaning, family) [KNOWN_##id] = family,
        KNOWLEDGE(KNOWLEDGE_FAMILY)
#undef KNOWLEDGE_FAMILY
    };
    return families[known];
}

/* --- of a target --- */

static int64_t poll_time(const struct target *target) {
    return target->poll.last_success_wall_ns;
}

static int64_t sessions_time(const struct target *target) {
    return target->sessions ? sessions_read_wall_ns(target->sessions) : 0;
}

static int64_t server_errors_time(const struct target *target) {
    return target->server_errors ? server_errors_wall_ns(target->server_errors) : 0;
}

static int64_t host_cache_time(const struct target *target) {
    return target->host_cache ? host_cache_facts(target->host_cache)->wall_ns : 0;
}

static int64_t userstat_time(const struct target *target) {
    return target->userstat ? userstat_read_wall_ns(target->userstat) : 0;
}

static int64_t sockets_time(const struct target *target) {
    return target->port_watch ? port_watch_wall_ns(target->port_watch, SOCKETS_ALL) : 0;
}

static int64_t listening_time(const struct target *target) {
    return target->port_watch ? port_watch_wall_ns(target->port_watch, SOCKETS_LISTENING) : 0;
}

static int64_t error_log_time(const struct target *target) {
    return target->error_log ? log_source_seen_wall_ns(target->error_log) : 0;
}

static int64_t poll_interval(const struct target *target) {
    return target->config->poll.interval_ns;
}

static int64_t host_cache_interval(const struct target *target) {
    return target->config->host_cache_interval_ns + poll_interval(target);
}

static int64_t userstat_interval(const struct target *target) {
    return target->config->userstat_interval_ns + poll_interval(target);
}

static int64_t sockets_interval(const struct target *target) {
    return target->port_watch ? port_watch_interval_ns(target->port_watch, SOCKETS_ALL) : 0;
}

static int64_t listening_interval(const struct target *target) {
    return target->port_watch ? port_watch_interval_ns(target->port_watch, SOCKETS_LISTENING) : 0;
}

static int64_t error_log_interval(const struct target *target) {
    return target->config->error_log.poll_interval_ns + poll_interval(target);
}

static const struct {
    int64_t (*time)(const struct target *target);
    int64_t (*interval)(const struct target *target);
} of_target[KNOWN_COUNT] = {
    [KNOWN_POLL] = {poll_time, poll_interval},
    [KNOWN_SESSIONS] = {sessions_time, target_sessions_interval_ns},
    [KNOWN_SERVER_ERRORS] = {server_errors_time, poll_interval},
    [KNOWN_HOST_CACHE] = {host_cache_time, host_cache_interval},
    [KNOWN_USERSTAT] = {userstat_time, userstat_interval},
    [KNOWN_SOCKETS] = {sockets_time, sockets_interval},
    [KNOWN_LISTENING] = {listening_time, listening_interval},
    [KNOWN_ERROR_LOG] = {error_log_time, error_log_interval},
    [KNOWN_ADVICE] = {advice_checked_wall_ns, poll_interval},
};

static bool is_old(const struct target *target, int64_t wall_ns, int64_t interval_ns) {
    int64_t least = INTERVALS_MIN * interval_ns, most = target->config->max_age_ns;
    return wall_ns != 0 && wall_now_ns() - wall_ns > (most > least ? most : least);
}

int64_t knowledge_wall_ns(const struct target *target, enum knowledge known) {
    return of_target[known].time ? of_target[known].time(target) : 0;
}

bool knowledge_is_old(const struct target *target, enum knowledge known) {
    return of_target[known].time && is_old(target, of_target[known].time(target), of_target[known].interval(target));
}

/* --- of a probe --- */

int64_t knowledge_of_probe_wall_ns(const struct probe *probe, enum knowledge known) {
    const int64_t times[KNOWN_COUNT] = {
        [KNOWN_PROBE] = probe->facts.last_wall_ns,
        [KNOWN_LOGIN] = probe->facts.last_success_wall_ns,
        [KNOWN_CERTIFICATE] = probe->facts.cert_wall_ns,
    };
    return times[known];
}

bool knowledge_of_probe_is_old(const struct probe *probe, enum knowledge known) {
    const struct module_config *module = probe->module;
    return is_old(probe->target, knowledge_of_probe_wall_ns(probe, known),
                  module->schedule.interval_ns + module->hold_ns);
}

/* --- for the README --- */

void knowledge_reference(struct strbuf *out) {
    strbuf_addstr(out, "| What values are made from | When it was last looked at |\n|---|---|\n");
    for (int i = KNOWN_UNDECLARED + 1; i < KNOWN_COUNT; i++)
        if (*knowledge_time_family((enum knowledge)i))
            strbuf_addf(out, "| %s | `%s` |\n", knowledge_meaning((enum knowledge)i),
                        knowledge_time_family((enum knowledge)i));
}
