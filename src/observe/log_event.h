/*
 * What one line of a server's error log says about a connection, as the parser understood it. The spans point into the
 * line and live only as long as the call that hands the event over.
 */
#ifndef OBSERVE_LOG_EVENT_H
#define OBSERVE_LOG_EVENT_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/* A line with the frame "Aborted connection … (REASON)" is ABORTED, but for two reasons that have a kind of their own,
 * because another counter or another part of the server's settings is to blame: "init_connect command failed" and "Too
 * many connections". log_event_is_abort() takes the three together again, without what Percona Server writes of one
 * that was refused, a bare "Too many connections". What MySQL 5.7 and 8 write of one who left before the login ends, a
 * bare reason without a frame, is ABORTED too; it names nobody. */
/*        enum suffix, label,                       what the line reports */
#define LOG_EVENT_KINDS(X)                                                                                             \
    X(ABORTED, "aborted", "Aborted connection …")                                                                      \
    X(ACCESS_DENIED, "access_denied", "Access denied for user …; the account is locked; the host may not log in")      \
    X(TOO_MANY_CONNECTIONS, "too_many_connections", "Too many connections, also as the reason of an abort")            \
    X(HOST_BLOCKED, "host_blocked", "Host … is blocked because of many connection errors")                             \
    X(DNS, "dns", "addresses and host names that do not resolve, or not to each other")                                \
    X(FORCED_CLOSE, "forced_close", "connections that a shutdown had to close")                                        \
    X(SSL, "ssl", "TLS could not be set up, or its certificates are in doubt")                                         \
    X(INIT_CONNECT, "init_connect", "Aborted connection … (init_connect command failed)")                              \
    X(TIMEOUT_NOTE, "timeout_note", "MySQL 8's note of a timeout, where no abort of that connection follows")          \
    X(ACCEPT_ERROR, "accept_error", "Error in accept; Got error … from select")                                        \
    X(SERVER_START, "server_start", "ready for connections")                                                           \
    X(SERVER_STOPPING, "server_stopping", "Normal shutdown, which ends all connections")                               \
    X(SERVER_STOP, "server_stop", "Shutdown complete")                                                                 \
    X(OTHER, "other", "what else concerns connections: packets out of order, no thread for them, …")

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
    uint64_t thread;        /* the number between time and label, 0 where there is none: the connection that wrote
                             * the line in MySQL 5.7 and later and in MariaDB 10.3 and later, a process id in MySQL 5.6 */
    /* As the server wrote them; ptr NULL where the line has no such part. */
    struct span db, user, host, reason;
    /* What an English server would have written in the place of `reason`, whole: a static text, for a reason in another
     * language, one that the server cut short, or one that goes into details. ptr NULL: `reason` itself. */
    struct span english_reason;
    /* The line bears the marks of a forgery: it is not to be counted as its kind, and no claim in it is to be believed.
     * Parts may be missing. */
    bool suspect;
};

/* Whether it tells of an aborted connection: what "aborts by reason" counts. */
bool log_event_is_abort(const struct log_event *event);

/* The reason for labels and tables, the same in every language. */
struct span log_event_reason(const struct log_event *event);

#endif
