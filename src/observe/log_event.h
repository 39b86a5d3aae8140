/*
 * What one line of a server's error log says about a connection, as the parser understood it. The spans point into the
 * line and live only as long as the call that hands the event over.
 */
#ifndef OBSERVE_LOG_EVENT_H
#define OBSERVE_LOG_EVENT_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/*        enum suffix, label,         what the line reports */
#define LOG_EVENT_KINDS(X)                                                                                             \
    X(ABORTED, "aborted", "Aborted connection …")                                                                      \
    X(ACCESS_DENIED, "access_denied", "Access denied for user …")                                                      \
    X(SERVER_START, "server_start", "ready for connections")                                                           \
    X(SERVER_STOP, "server_stop", "Shutdown complete")

enum log_event_kind {
    LOG_EVENT_NONE, /* a line of no interest */
#define LOG_EVENT_ENUM(id, label, meaning) LOG_EVENT_##id,
    LOG_EVENT_KINDS(LOG_EVENT_ENUM)
#undef LOG_EVENT_ENUM
        LOG_EVENT_KIND_COUNT
};

const char *log_event_kind_name(enum log_event_kind kind);

/* What a line's own time says. */
enum log_time {
    LOG_TIME_NONE,  /* it has none that can be read */
    LOG_TIME_UTC,   /* it names its zone */
    LOG_TIME_LOCAL, /* the server's local time: wall_ns is as if that clock showed UTC */
};

struct log_event {
    enum log_event_kind kind;
    enum log_time time;
    int64_t wall_ns;        /* Unix time, as `time` says */
    uint64_t line;          /* where its message begins, counted from 1 over all lines of the decoder */
    uint64_t connection_id; /* 0 where the line names none */
    /* As the server wrote them; ptr NULL where the line has no such part. */
    struct span db, user, host, reason;
    /* The line bears the marks of a forgery: it is not to be counted as its kind, and no claim in it is to be believed.
     * Parts may be missing. */
    bool suspect;
};

#endif
