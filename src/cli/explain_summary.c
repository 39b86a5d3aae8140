/*
 * Events, added up; see explain_summary.h.
 */
#include "cli/explain_summary.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    LIST_MAX = 2048, /* texts in a list */
    TEXT_MAX = 256,  /* bytes of one: longer than what servers cut names, hosts and reasons to */
    CLIENT_MAX = 2 * TEXT_MAX + 2,
    NO_USER = 'N',
};

struct explain_summary *explain_summary_new(void) {
    struct explain_summary *summary = calloc(1, sizeof *summary);
    for (int i = 0; summary && i < EXPLAIN_LIST_COUNT; i++) {
        summary->lists[i] = top_new(LIST_MAX, CLIENT_MAX);
        if (!summary->lists[i]) {
            explain_summary_free(summary);
            return NULL;
        }
    }
    return summary;
}

void explain_summary_free(struct explain_summary *summary) {
    if (!summary)
        return;
    for (int i = 0; i < EXPLAIN_LIST_COUNT; i++)
        top_free(summary->lists[i]);
    free(summary);
}

static bool is_refused(const struct log_event *event) {
    return event->kind == LOG_EVENT_ACCESS_DENIED;
}

static struct span cut(struct span s) {
    return (struct span){s.ptr, s.len < TEXT_MAX ? s.len : TEXT_MAX};
}

/* The user's length in two bytes, the user, the host. `to` has CLIENT_MAX bytes. */
static struct span client_of(const struct log_event *event, char *to) {
    struct span user = cut(event->user), host = cut(event->host);
    size_t len = 2;
    if (!user.ptr && !host.ptr)
        return (struct span){0};
    to[0] = user.ptr ? (char)(user.len >> 8) : NO_USER;
    to[1] = (char)(user.len & 0xFF);
    if (user.ptr)
        memcpy(to + len, user.ptr, user.len);
    len += user.len;
    if (host.ptr)
        memcpy(to + len, host.ptr, host.len);
    return (struct span){to, len + host.len};
}

void explain_client_split(struct span client, struct span *user, struct span *host) {
    size_t len = client.ptr[0] == NO_USER ? 0 : (size_t)(client.ptr[0] << 8 | (unsigned char)client.ptr[1]);
    *user = (struct span){client.ptr[0] == NO_USER ? NULL : client.ptr + 2, len};
    *host = (struct span){client.ptr + 2 + len, client.len - 2 - len};
}

static void add_to_list(struct explain_summary *summary, enum explain_list list, struct span text) {
    if (text.ptr)
        top_add(summary->lists[list], text);
    else
        summary->unnamed[list]++;
}

static void add_to_kind(struct explain_kind *kind, struct explain_time time) {
    kind->count++;
    if (time.zone == LOG_TIME_NONE)
        return;
    if (kind->first.zone == LOG_TIME_NONE || time.ns < kind->first.ns)
        kind->first = time;
    if (kind->last.zone == LOG_TIME_NONE || time.ns >= kind->last.ns)
        kind->last = time;
}

void explain_summary_add(struct explain_summary *summary, const struct log_event *event) {
    const struct explain_time time = {event->time, event->wall_ns};
    char client[CLIENT_MAX];
    if (event->suspect) {
        summary->kinds[event->kind].suspect++;
        return;
    }
    summary->with_time[event->time]++;
    add_to_kind(&summary->kinds[event->kind], time);
#define ADD_TO_LIST(id, name, heading, counts, text)                                                                   \
    if (counts(event))                                                                                                 \
        add_to_list(summary, EXPLAIN_LIST_##id, text);
    EXPLAIN_LISTS(ADD_TO_LIST)
#undef ADD_TO_LIST
    if (!log_event_is_abort(event))
        return;
    add_to_kind(&summary->aborts, time);
    if (time.zone != LOG_TIME_NONE)
        timeline_add(&summary->when, time.ns / NS_PER_S);
}

bool explain_tells(enum log_event_kind kind) {
    return kind != LOG_EVENT_SERVER_STOPPING;
}

const char *explain_list_name(enum explain_list list) {
#define LIST_NAME(id, name, heading, counts, text) [EXPLAIN_LIST_##id] = (name),
    static const char *const names[EXPLAIN_LIST_COUNT] = {EXPLAIN_LISTS(LIST_NAME)};
#undef LIST_NAME
    return names[list];
}

const char *explain_list_heading(enum explain_list list) {
#define LIST_HEADING(id, name, heading, counts, text) [EXPLAIN_LIST_##id] = (heading),
    static const char *const headings[EXPLAIN_LIST_COUNT] = {EXPLAIN_LISTS(LIST_HEADING)};
#undef LIST_HEADING
    return headings[list];
}

bool explain_list_of_clients(enum explain_list list) {
    return list == EXPLAIN_LIST_CLIENT || list == EXPLAIN_LIST_REFUSED;
}

const char *explain_summary_clock(const struct explain_summary *summary) {
    bool utc = summary->with_time[LOG_TIME_UTC] > 0, local = summary->with_time[LOG_TIME_LOCAL] > 0;
    return utc && local ? "mixed" : utc ? "utc" : local ? "server" : NULL;
}
