/*
 * When a line was written: every form of time that servers, container engines and syslog write, and the thread that a
 * server names behind it.
 */
#ifndef OBSERVE_LOG_TIME_H
#define OBSERVE_LOG_TIME_H

#include "observe/log_event.h"

struct log_stamp {
    enum log_time time;
    int64_t wall_ns; /* as enum log_time says */
};

/* One ISO 8601 time, "2026-11-21T01:51:41.123456Z" or with "+08:00", "+0800" or no zone. False: it is none. */
bool log_time_iso(struct span word, struct log_stamp *out);

/* What stands in front of a message (in front of its label, if it has one). Whether that is the front of a server's own
 * line, and not of something that quotes one: nothing; … time; … time thread; or syslog's "… mysqld[123]:", "… time
 * host mysqld:". Quotes and tabs belong to statements (the general log) and to quotations. */
bool log_front_is_plausible(struct span front);

/* What stands in front of the server's own part of a plausible front, its time and its thread; all of the front where
 * it wrote neither. */
struct span log_front_wrapper(struct span front);

/* The time in a plausible front, as exactly as it can be told: the server's own, the last one in the front, goes before
 * those in front of it; where it names no zone, one that does tells which it is. `outer` is the time of whoever wrapped
 * the line (LOG_TIME_NONE: nobody did). A time without a year is taken as the latest such one that is not in the
 * future. *thread is 0 where there is none. */
struct log_stamp log_front_time(struct span front, struct log_stamp outer, uint64_t *thread);

#endif
