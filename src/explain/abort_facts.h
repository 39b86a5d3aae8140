/*
 * What is known of one abort, from whatever source: the facts from which cause.h tells the cause. A source that learns
 * more (the process list, performance_schema) fills in more of them.
 */
#ifndef EXPLAIN_ABORT_FACTS_H
#define EXPLAIN_ABORT_FACTS_H

#include "observe/target.h"

#include <stdbool.h>
#include <stdint.h>

enum server_flavour { SERVER_UNKNOWN, SERVER_MARIADB, SERVER_MYSQL };

struct abort_facts {
    enum log_event_kind kind; /* of the line that tells of it; LOG_EVENT_NONE: no line, `error_number` tells */
    struct span reason;       /* as an English server words it; ptr NULL none */
    unsigned error_number;    /* MySQL's, where its sums of errors are the evidence; 0 none … */
    unsigned with_number;     /* … and the one that was raised with it; 0 none */
    bool untold;              /* the log would have told of it, and did not */
    bool doubtful;            /* no more than a counter's rise tells that it was an abort */
    enum server_flavour flavour;
    unsigned version;     /* 101119 is 10.11.19; 0 unknown */
    bool user_known;      /* it had logged in, or the server knew at least who wanted to */
    bool host_known;      /* the server knew whence it came */
    bool db_named;        /* the line names a database */
    bool logged_in;       /* its session had, when it was last seen */
    bool own;             /* a connection of ours */
    bool shutting_down;   /* the server was about to end */
    bool replication;     /* the session was a replication client's */
    bool seen_writing;    /* the server was writing to it when its session was last seen */
    int64_t writing_ns;   /* … and had been for so long at most, when it was aborted; -1 unknown */
    double write_limit_s; /* net_write_timeout; NaN unknown */
    int64_t login_at_least_ns, login_at_most_ns; /* so long it had been logging in; -1 unknown: only `at_most` */
    double login_limit_s;                        /* connect_timeout; NaN unknown */
    int64_t kills;                               /* how many KILLs there were lately; -1 unknown */
    bool some_kills;                             /* … of which this may be one, and not all that may be are */
    int64_t idle_ns;                             /* how long its session had been idle at most; -1 unknown */
    bool asleep;                                 /* its session waited for a command when it was last seen */
    double idle_limit_s; /* the session's wait_timeout where it is known, else the lower of the server's two limits for
                          * idle clients; NaN unknown */
};

/* What the line and the target tell. The spans live as long as the event's. */
void abort_facts_of_event(struct abort_facts *facts, const struct target *target, const struct log_event *event);
/* What the target alone tells: flavour, version, limits; everything else is unknown. */
void abort_facts_of_target(struct abort_facts *facts, const struct target *target);
/* The connection that a line is about: the one that it names, or else the one that wrote it, where the number in front
 * of it is that; 0 none. */
uint64_t abort_facts_connection(const struct target *target, const struct log_event *event);

bool abort_facts_log_is_readable(const struct target *target);
/* Whether there is a line of each abort, but for those of KILL. */
bool abort_facts_log_tells(const struct target *target);

enum server_flavour server_flavour_of(const struct target *target);

#endif
