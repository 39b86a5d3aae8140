/*
 * What the rules of advice look at: the facts of one target, of now and of the last hour at most, as plain numbers and
 * texts. Collected from a target after each poll.
 */
#ifndef EXPLAIN_ADVICE_FACTS_H
#define EXPLAIN_ADVICE_FACTS_H

#include "explain/abort_facts.h"
#include "explain/advice_history.h"
#include "explain/cause.h"
#include "explain/driver.h"
#include "observe/target.h"

#include <stdbool.h>
#include <stdint.h>

/* Settings that the rules look at, with the server's names. NaN: not known. */
#define ADVICE_SETTINGS(X)                                                                                             \
    X(wait_timeout)                                                                                                    \
    X(interactive_timeout)                                                                                             \
    X(back_log)                                                                                                        \
    X(max_connections)                                                                                                 \
    X(max_allowed_packet)                                                                                              \
    X(net_read_timeout)                                                                                                \
    X(net_write_timeout)                                                                                               \
    X(skip_name_resolve)                                                                                               \
    X(performance_schema)                                                                                              \
    X(log_warnings)                                                                                                    \
    X(log_error_verbosity)

/* Of one row of driver_table. */
struct advice_driver {
    uint64_t sessions;                /* connected now */
    char version[ADVICE_VERSION_MAX]; /* of the last that was aborted, or of one of them */
    uint64_t aborts;                  /* in the window, with one of the row's causes */
};

struct advice_facts {
    enum target_health health; /* of polling: unless it is up, settings and sessions are not known */
    struct failure down;       /* why, when TARGET_DOWN */
    enum server_flavour flavour;
    const char *user; /* our account */
    struct advice_recent recent;
    struct advice_driver *drivers; /* as driver_table; owned */
    int64_t cut_after_ns;          /* the last idle connection of ours that was cut */

#define ADVICE_SETTING_FIELD(name) double name;
    ADVICE_SETTINGS(ADVICE_SETTING_FIELD)
#undef ADVICE_SETTING_FIELD

    bool sessions_seen, transactions_seen;
    struct session_sums sessions;
    struct strbuf sleepers, idlers; /* who sleeps near wait_timeout, and in a transaction: the most frequent clients */
    enum evidence_state evidence[EVIDENCE_COUNT];

    bool sockets_seen; /* the server is on this machine, and the sockets on its port are counted: */
    uint64_t time_wait, close_wait, accept_queue, accept_queue_limit; /* the limit is 0 where it is not known */

    bool log_configured, log_readable;
    const char *log_reason, *log_name; /* why it is not readable; what is read */
    enum log_sight log_sight;          /* whether it has lines of aborted connections */
};

/* All not known. To be released. */
void advice_facts_init(struct advice_facts *facts);
void advice_facts_release(struct advice_facts *facts);

/* `facts` as after advice_facts_init(); they borrow from target and history, and live until the next poll or event. */
void advice_facts_collect(struct advice_facts *facts, const struct target *target, struct advice_history *history,
                          struct mono now);

#endif
