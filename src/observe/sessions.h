/*
 * The sessions of one server as the polls see them: who is connected by which driver and has been idle for how long, in
 * sums for the metrics and one by one by connection id, so that what the log says of an id later can be tied to its
 * client. Knows nothing of how they are asked for; see session_poll.h.
 *
 * Memory: one session takes some 250 bytes, and no more than the given number is remembered, those that went included.
 * The sums are of all sessions.
 */
#ifndef OBSERVE_SESSIONS_H
#define OBSERVE_SESSIONS_H

#include "base/strbuf.h"
#include "base/tally.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_COMMAND_MAX 24
#define SESSION_REMEMBERED_NS (600 * NS_PER_S) /* after it went */
#define SESSION_BOUNDS 10

struct target;

struct session {
    uint64_t id;
    /* The server's and the client's bytes, raw, cut at sensible lengths; "" none. Driver, version and program are what
     * the client announced (_client_name, _client_version, program_name). */
    const char *user, *host, *db, *driver, *version, *program;
    char command[SESSION_COMMAND_MAX];
    unsigned port;        /* of the client; 0 a socket, or not told */
    int64_t idle_ns;      /* sleeping: how long, when it was last seen; else 0 */
    int64_t writing_ns;   /* writing to its client when it was last seen: how old its statement was; -1 it was not */
    int64_t login_ns;     /* logging in when it was last seen: for how long; -1 it was not */
    bool in_transaction;  /* when it was last seen; false too where that is not known */
    bool attributes_read; /* what it announced was asked for: "" means that it announced nothing */
    bool gone;
    bool before_restart; /* of a run of the server that is over: its id may be another's now */
    int64_t first_seen_wall_ns, last_seen_wall_ns;
};

/* A row of the process list. */
struct session_row {
    uint64_t id;
    struct span user, host /* with the port */, db, command, state;
    int64_t time_ns; /* in this state */
    bool own;        /* it is the connection that asks */
};

/* Upper bounds of the histogram of how long sleepers have slept; what is above the last falls into +Inf. */
extern const int64_t session_bound_s[SESSION_BOUNDS];

/* Of the last pass that ended. */
struct session_sums {
    uint64_t sessions, sleeping, idle_in_transaction;
    uint64_t slept[SESSION_BOUNDS + 1]; /* not cumulative */
    int64_t slept_ns, longest_idle_in_transaction_ns;
    uint64_t near_timeout, past_timeout; /* sleepers: 90 to 100 % of wait_timeout, and more than it */
    uint64_t not_remembered;             /* the bound was reached */
};

struct session_limits {
    size_t sessions, users, hosts, drivers;
};

/* How many there are of each, and for how many seconds they have been in their state. */
enum session_tally {
    SESSIONS_BY_COMMAND,
    SESSIONS_BY_USER,
    /* The texts are the driver, a NUL and its version; "unknown" and "" for those that announced none, or had no place.
     */
    SESSIONS_BY_DRIVER,
    /* Without the connection that asks, as mysqld_exporter has them (observe/thread_state.h): */
    SESSIONS_BY_HOST,
    SESSIONS_BY_STATE, /* command, a NUL and the state */
    SESSIONS_BY_OLD_STATE,
    SESSION_TALLY_COUNT
};

struct sessions;

struct sessions *sessions_new(void); /* NULL when memory is short */
void sessions_free(struct sessions *sessions);

/* A pass over the process list, begun anew where one did not come to its end. wait_timeout_ns: 0 not known. */
void sessions_begin(struct sessions *sessions, const struct session_limits *limits, int64_t wait_timeout_ns,
                    int64_t wall_ns);
/* Session `id` has a transaction open. Before the rows. */
void sessions_transaction(struct sessions *sessions, uint64_t id);
void sessions_add(struct sessions *sessions, const struct session_row *row);
/* Those that were not among the rows have gone. */
void sessions_end(struct sessions *sessions);
/* The server was started anew: all have gone, and ids begin again. */
void sessions_restarted(struct sessions *sessions);

/* Ids of this pass whose attributes were not asked for yet: how many there are; at most `max` of them into `ids`. */
size_t sessions_unasked(const struct sessions *sessions, uint64_t *ids, size_t max);
/* One attribute of a session; others than the three are ignored. */
void sessions_attribute(struct sessions *sessions, uint64_t id, struct span name, struct span value);
/* All that those of this pass announced was told. Before sessions_end(). */
void sessions_attributes_read(struct sessions *sessions);

const struct session_sums *sessions_sums(const struct sessions *sessions);
const struct tally *sessions_tally(const struct sessions *sessions, enum session_tally which);
const char *sessions_own_user(const struct sessions *sessions);
/* When the last pass that ended began; 0 none did. */
int64_t sessions_read_wall_ns(const struct sessions *sessions);
/* … of the last one that began before an instant, of those that are still known; 0 none of them did. */
int64_t sessions_read_before(const struct sessions *sessions, int64_t wall_ns);
/* How many are remembered now, those that went included. */
size_t sessions_remembered(const struct sessions *sessions);

/* Calls `each` with every session that is there and remembered. */
void sessions_each(const struct sessions *sessions, void (*each)(void *arg, const struct session *session), void *arg);
/* The session of that connection id, or NULL. Valid until the next turn of the loop. */
const struct session *sessions_find(const struct sessions *sessions, uint64_t id);
const struct session *session_find(const struct target *target, uint64_t id);
/* Sessions of an account (user.ptr NULL: of any) that went, and were seen last from `since_wall_ns` to `until_wall_ns`:
 * at most `max` of them into `out`, the last that went first; returns how many. Looks at the last few hundred that
 * went. Valid as above. */
size_t sessions_gone(const struct sessions *sessions, struct span user, struct span host, int64_t since_wall_ns,
                     int64_t until_wall_ns, const struct session **out, size_t max);

#endif
