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
        .idle_ns = -1,
        .idle_limit_s = fmin(wait_s, interactive_s),
    };
}

/* The number in front of a line is the connection that wrote it: of an abort its own, but for KILLED, where it is the
 * killer's, who is named in no line. */
static uint64_t connection_of(const struct log_event *event) {
    return event->connection_id ? event->connection_id : event->thread;
}

void abort_facts_of_event(struct abort_facts *facts, const struct target *target, const struct log_event *event) {
    abort_facts_of_target(facts, target);
    facts->kind = event->kind;
    facts->reason = log_event_reason(event);
    facts->user_known = event->user.len > 0 && !span_is(event->user, "unauthenticated");
    facts->host_known = event->host.len > 0 && !span_is(event->host, "connecting host");
    facts->db_named = event->db.ptr != NULL;
    facts->own = own_connections_have(&target->own, connection_of(event));
}
