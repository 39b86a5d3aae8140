/*
 * One abort as it was judged, or several of one kind that came together: whose connection it was, what is known of its
 * client, the cause, and the evidence of it. Made by judge.c; every number and text is there for all readers.
 */
#ifndef EXPLAIN_ABORT_EVENT_H
#define EXPLAIN_ABORT_EVENT_H

#include "explain/cause.h"
#include "observe/log_event.h"

#include <stdint.h>

/*   enum suffix, name, what it is */
#define FACT_SOURCES(X)                                                                                                \
    X(LOG, "error_log", "a line of the error log")                                                                     \
    X(ERRORS, "error_summary", "MySQL's sums of errors by account")                                                    \
    X(COUNTER, "counter", "a counter of the server's that rose")                                                       \
    X(SESSIONS, "sessions", "the process list, and what the client announced")                                         \
    X(HOST_CACHE, "host_cache", "what the server's host cache counted of its host")                                    \
    X(SETTINGS, "settings", "the server's settings")                                                                   \
    X(NETWORK, "host_network", "counters of this machine's network that moved about that time")                        \
    X(OWN, "own", "what we did ourselves")

enum fact_source {
#define FACT_SOURCE_ENUM(id, name, meaning) FACT_##id,
    FACT_SOURCES(FACT_SOURCE_ENUM)
#undef FACT_SOURCE_ENUM
        FACT_SOURCE_COUNT
};

const char *fact_source_name(enum fact_source source);

enum { ABORT_EVIDENCE_MAX = 7, ABORT_EVIDENCE_TEXT_MAX = 160 };

struct abort_evidence {
    enum fact_source source;
    int64_t wall_ns; /* when it was so, or was seen; 0 not known */
    struct span text;
};

enum known { KNOWN_NO, KNOWN_YES, KNOWN_NOT };

/* Texts are the server's and the client's bytes, raw: whoever prints them escapes. ptr NULL: not known. They live as
 * long as the event. */
struct abort_event {
    uint64_t id; /* from 1 on over all targets since our start, in the order in which we learnt of them */
    uint64_t n;  /* how many aborts it stands for: more than 1 only from sums and counters, which tell no connection */
    enum fact_source source;  /* what told of it */
    enum log_event_kind kind; /* of its line; LOG_EVENT_NONE: it has none */
    unsigned error_number;    /* MySQL's, where its sums told of it; 0 none */

    int64_t seen_wall_ns;  /* when we learnt of it */
    int64_t wall_ns;       /* the server's own time of it; 0 not known */
    int64_t since_wall_ns; /* it came after this (the look before at a sum or counter); 0 not known */

    uint64_t connection_id; /* 0 not known */
    struct span user, host, db;
    struct span driver, driver_version, program; /* what its client announced */
    struct span command;                         /* the process list's, when its session was last seen */
    struct span reason;                          /* as an English server words it */
    unsigned port;                               /* the client's; 0 not known */
    int64_t idle_ns;           /* at least what the process list had seen, and the time since then; -1 not known */
    enum known in_transaction; /* when its session was last seen */

    struct abort_cause cause;
    struct abort_evidence evidence[ABORT_EVIDENCE_MAX];
    unsigned evidence_count;
};

/* Its best known time. */
int64_t abort_event_wall_ns(const struct abort_event *event);

/* Who takes the events: any function may be NULL. Nothing that is passed outlives the call. */
struct abort_sink {
    void *arg;
    void (*abort)(void *arg, struct target *target, const struct abort_event *event);
    /* A line with its cause, as it comes: its abort may be told later, with more known of it. */
    void (*line)(void *arg, struct target *target, const struct log_event *line, enum cause cause);
    /* A line that a client forged, which is an event of nothing. */
    void (*forged)(void *arg, struct target *target, const struct log_event *line);
    /* The log says that the server has begun anew: what it tells next is of another life. */
    void (*server_started)(void *arg, struct target *target);
};

#endif
