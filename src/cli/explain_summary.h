/*
 * What the events of all files give together: how many of each kind, who was aborted and why, and when; in bounded
 * memory. Suspect ones are counted as such and nowhere else.
 */
#ifndef CLI_EXPLAIN_SUMMARY_H
#define CLI_EXPLAIN_SUMMARY_H

#include "base/timeline.h"
#include "base/top.h"
#include "observe/log_event.h"

#include <stdint.h>

/*     enum suffix, JSON's name, heading for people, of events that …, an event's text */
#define EXPLAIN_LISTS(X)                                                                                               \
    X(REASON, "reason", "aborts by reason", log_event_is_abort, log_event_reason(event))                               \
    X(USER, "user", "aborts by user", log_event_is_abort, event->user)                                                 \
    X(HOST, "host", "aborts by host", log_event_is_abort, event->host)                                                 \
    X(DATABASE, "database", "aborts by database", log_event_is_abort, event->db)                                       \
    X(CLIENT, "client", "noisiest clients", log_event_is_abort, client_of(event, client))                              \
    X(REFUSED, "client", "refused logins by client", is_refused, client_of(event, client))

#define EXPLAIN_STEPS_MAX 24 /* of the course over time */

enum explain_list {
#define EXPLAIN_LIST_ENUM(id, name, heading, counts, text) EXPLAIN_LIST_##id,
    EXPLAIN_LISTS(EXPLAIN_LIST_ENUM)
#undef EXPLAIN_LIST_ENUM
        EXPLAIN_LIST_COUNT
};

/* A time as the log has it, or in UTC where the zone is known. */
struct explain_time {
    enum log_time zone; /* LOG_TIME_NONE: none was seen */
    int64_t ns;
};

struct explain_kind {
    uint64_t count, suspect;
    struct explain_time first, last; /* of those that are counted and have a time */
};

struct explain_file {
    const char *name;
    uint64_t lines, cut_lines, bytes; /* of the log, decompressed */
    char error[128];                  /* "" none */
};

struct explain_summary {
    struct explain_kind kinds[LOG_EVENT_KIND_COUNT];
    struct explain_kind aborts; /* those of all kinds that are aborted connections */
    struct top *lists[EXPLAIN_LIST_COUNT];
    uint64_t unnamed[EXPLAIN_LIST_COUNT];   /* events whose line had no such part */
    struct timeline when;                   /* the aborts that have a time */
    uint64_t with_time[LOG_TIME_LOCAL + 1]; /* events that are counted, by what their time says */
    uint64_t outside, without_time;         /* events that --since and --until left out, and those that had no time */
};

/* NULL when memory is short. */
struct explain_summary *explain_summary_new(void);
void explain_summary_free(struct explain_summary *summary); /* NULL is allowed */
void explain_summary_add(struct explain_summary *summary, const struct log_event *event);

/* What clock the times of the counted events are of: "utc", "server" (local time; no zone is known), "mixed", or NULL
 * where there are none. */
const char *explain_summary_clock(const struct explain_summary *summary);

/* Whether events of that kind are told: what a shutdown begins with is not, as that it ended is. */
bool explain_tells(enum log_event_kind kind);

const char *explain_list_name(enum explain_list list);
const char *explain_list_heading(enum explain_list list);
/* Whether its texts are clients, see below. */
bool explain_list_of_clients(enum explain_list list);
/* A client in a list: its user (ptr NULL: none was named) and its host. */
void explain_client_split(struct span client, struct span *user, struct span *host);

#endif
