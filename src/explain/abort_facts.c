/*
 * The facts of one abort; see abort_facts.h.
 */
#include "explain/abort_facts.h"

#include <math.h>
#include <string.h>

/* Forks and proxies may leave the name out of the version; a counter that only MariaDB has does not lie. */
enum server_flavour server_flavour_of(const struct target *target) {
    const struct poll_facts *poll = &target->poll;
    if (strstr(poll->version, "MariaDB") || strcasestr(poll->version_comment, "mariadb") ||
        !isnan(target_status(target, "Aborted_connects_preauth")))
        return SERVER_MARIADB;
    return poll->version[0] ? SERVER_MYSQL : SERVER_UNKNOWN;
}

/* "10.11.19-MariaDB" is 101119; also behind the "5.5.5-" that MariaDB puts in front for old replicas. */
static unsigned version_of(const char *text) {
    unsigned version = 0;
    if (strncmp(text, "5.5.5-10.", 9) == 0 || strncmp(text, "5.5.5-11.", 9) == 0)
        text += 6;
    for (int part = 0; part < 3; part++) {
        unsigned number = 0;
        while (*text >= '0' && *text <= '9' && number < 100)
            number = number * 10 + (unsigned)(*text++ - '0');
        version = version * 100 + (number < 100 ? number : 99);
        text += *text == '.';
    }
    return version;
}

void abort_facts_of_target(struct abort_facts *facts, const struct target *target) {
    double wait_s = target_setting(target, "wait_timeout");
    double interactive_s = target_setting(target, "interactive_timeout");
    *facts = (struct abort_facts){
        .flavour = server_flavour_of(target),
        .version = version_of(target->poll.version),
        .writing_ns = -1,
        .write_limit_s = target_setting(target, "net_write_timeout"),
        .login_at_most_ns = -1,
        .login_limit_s = target_setting(target, "connect_timeout"),
        .kills = -1,
        .idle_ns = -1,
        .idle_limit_s = fmin(wait_s, interactive_s),
    };
}

/* MySQL up to 5.6 has its process id in front of a line, MariaDB up to 10.2 the number of a POSIX thread. */
static bool thread_is_connection(const struct target *target) {
    unsigned version = version_of(target->poll.version);
    return version == 0 || version >= (server_flavour_of(target) == SERVER_MARIADB ? 100300 : 50700);
}

/* Of an abort that is its own connection, but for KILLED, where it is the killer's, who is named in no line. */
uint64_t abort_facts_connection(const struct target *target, const struct log_event *event) {
    if (event->connection_id)
        return event->connection_id;
    return thread_is_connection(target) ? event->thread : 0;
}

void abort_facts_of_event(struct abort_facts *facts, const struct target *target, const struct log_event *event) {
    abort_facts_of_target(facts, target);
    facts->kind = event->kind;
    facts->reason = log_event_reason(event);
    facts->user_known = event->user.len > 0 && !span_is(event->user, "unauthenticated");
    facts->host_known = event->host.len > 0 && !span_is(event->host, "connecting host");
    facts->db_named = event->db.ptr != NULL;
    facts->own = own_connections_have(&target->own, abort_facts_connection(target, event));
}

bool abort_facts_log_is_readable(const struct target *target) {
    const struct log_source_state *log = target->error_log ? log_source_state(target->error_log) : NULL;
    return log && log->readable;
}

bool abort_facts_log_tells(const struct target *target) {
    return abort_facts_log_is_readable(target) && target_log_level_suffices(target) == 1;
}
