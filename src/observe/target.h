/*
 * One watched server: its settings, its schedule and its latest facts. A target polls over one kept connection, probes
 * over fresh ones and follows the error log; what it learns it keeps here for the readers and hands to the observer.
 */
#ifndef OBSERVE_TARGET_H
#define OBSERVE_TARGET_H

#include "base/clock.h"
#include "base/coroutine.h"
#include "base/histogram.h"
#include "base/labels.h"
#include "base/native_histogram.h"
#include "config/config.h"
#include "observe/evidence.h"
#include "observe/host_cache.h"
#include "observe/log_event.h"
#include "observe/log_source.h"
#include "observe/own_connections.h"
#include "observe/phase.h"
#include "observe/probe_history.h"
#include "observe/resolve.h"
#include "observe/server_errors.h"
#include "observe/sessions.h"
#include "observe/tcp_facts.h"
#include "observe/userstat.h"
#include "observe/variable.h"
#include "observe/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct target;
struct client;
struct host_network;
struct port_watch;
struct record;
struct state_store;

/* Who is told of facts; given at start. Any function may be NULL. observe knows nothing else of who listens. */
struct observer {
    void *arg;
    void (*target_added)(void *arg, struct target *target);
    void (*target_removed)(void *arg,
                           struct target *target); /* last call for this target: drop what was kept in ->listener */
    /* What MySQL's summary of errors has more of than at the last look. */
    void (*server_error)(void *arg, struct target *target, const struct server_error *error);
    void (*log_event)(void *arg, struct target *target, const struct log_event *event);
    /* A poll has ended, well or not: target->poll is what it gave. It began at `began`. */
    void (*polled)(void *arg, struct target *target, struct mono began);
    /* What was made of the log's events, to outlive us: add records (base/records.h) to `out`; take one of them again,
     * before the first event, or say false where it cannot be right. */
    void (*log_save)(void *arg, const struct target *target, struct strbuf *out);
    bool (*log_restore)(void *arg, struct target *target, const struct record *record);
};

enum target_health { TARGET_UNTRIED, TARGET_UP, TARGET_DOWN };

/* Which operation of ours aborted a connection because no clean close was possible any more. */
enum self_operation {
    SELF_POLL,
    SELF_PROBE,
    SELF_CLOSE_STYLE, /* a module that closes badly on purpose */
    SELF_HOLD,        /* a module that held its connection until it was cut */
    SELF_OPERATION_COUNT
};
const char *self_operation_name(enum self_operation operation);

struct poll_facts {
    enum target_health health;
    struct failure down; /* why, when TARGET_DOWN */
    uint64_t polls, failures;
    uint64_t ended; /* of the polls: with all that they look at besides */
    struct failure_counts failures_by;
    uint64_t connects;          /* connections that polling opened */
    uint64_t losses;            /* kept connections that were found dead */
    uint64_t restarts;          /* the server started anew since the poll before */
    uint64_t others;            /* another server answered than before, or its clock had been set meanwhile */
    double value[VARIABLE_MAX]; /* by row of variable_table; NaN where the server has no such variable */
    struct mono settings_read;  /* by a poll that succeeded */
    bool sets_moved;            /* SET had been executed since the poll before the last */
    char version[64];           /* "10.11.19-MariaDB-…"; "" unknown */
    char version_comment[64];
    uint64_t connection_id;                         /* of the kept connection; 0 none */
    int64_t last_success_wall_ns, last_duration_ns; /* 0 never */
    int64_t start_mono_ns;         /* of start_wall_ns, on the monotonic clock, to notice restarts by; so are these: */
    struct mono succeeded;         /* the last poll that did; 0 none */
    uint64_t succeeded_connection; /* the connection that it had */
    bool reconnected;              /* since then: perhaps by a poll that was late, and told nothing else */
    int64_t start_wall_ns;         /* when the server started: poll time - Uptime; 0 unknown */
};

/* What a TLS handshake made of the server's certificate. */
enum tls_verdict { TLS_VERDICT_NONE, TLS_NOT_CHECKED, TLS_VERIFIED, TLS_REFUSED };

struct probe_facts {
    enum target_health health;
    struct failure down;
    uint64_t probes, failures;
    struct failure_counts failures_by;
    uint64_t skipped; /* due while the one before was still being ended politely */
    uint64_t closes[CLOSE_COUNT];
    struct histogram phase[PHASE_COUNT];
    struct native_histogram phase_native[PHASE_COUNT], lateness_native; /* the same, for later */
    struct histogram lateness;          /* start of a probe after the instant it was due */
    int64_t last_phase_ns[PHASE_COUNT]; /* of the last probe; -1 where the phase did not happen or did not end */
    int64_t last_success_wall_ns, last_wall_ns;
    uint64_t connection_id; /* of the last probe's connection; 0 none */

    unsigned ipv4, ipv6;            /* addresses that the name had at the last probe */
    char address[RESOLVE_TEXT_MAX]; /* the one that the last probe used; "" none */
    uint64_t addresses_failed;      /* tries at an address that were given up for the name's next */
    uint32_t violations[WIRE_VIOLATION_COUNT];
    uint32_t closes_unexpected[CLOSE_CODE_COUNT];
    unsigned close_number; /* error number of what came after the last such probe's COM_QUIT; 0 none */
    struct tcp_facts tcp;  /* of the last probe; not known: a socket, or no connection */
    uint64_t tcp_retransmissions, tcp_sent_bytes, tcp_received_bytes; /* of all probes */
    const char *auth_plugin, *tls_version, *tls_cipher;               /* of the last probe that succeeded; NULL none */
    int64_t cert_expiry_s; /* earliest in the last chain that a probe was shown, also one that was refused; 0 none */
    int64_t cert_wall_ns;  /* when that was known last */
    enum tls_verdict tls_verdict;
    enum failure_class tls_refusal; /* why, when TLS_REFUSED */

    uint64_t verdicts[VERDICT_COUNT];
    uint32_t holds[HOLD_END_COUNT][CUTTER_COUNT];
    int64_t last_cut_after_ns; /* how long the last connection that was cut had been idle; 0 none was */
    struct probe_history history;
};

/* One of a target's probes. */
struct probe {
    struct target *target;
    const struct module_config *module; /* in target->config */
    struct labels labels;               /* the target's, and module="…",close="…" */
    struct probe_facts facts;
};

struct target {
    struct target_config *config; /* owned */
    unsigned refs;                /* fleet's one, and one for each page that is being written */
    int64_t since_wall_ns;        /* we have watched it */
    uint64_t generation;          /* of the configuration that named it last; the fleet's */
    void *listener;               /* the observer's, who also frees it */
    void *ledger;                 /* the same, for its other parts: explain/ledger.h, … */
    void *judgement;              /* … explain/judge.h, … */
    void *events;                 /* … explain/event_ring.h, … */
    void *clients;                /* … and explain/clients.h */
    struct state_store *store;    /* where what outlives us is kept; NULL nowhere; the fleet's */
    struct labels labels;         /* target="db1",env="prod": before each sample's own */

    struct poll_facts poll;
    struct probe *probes; /* as many as the configuration has modules */
    size_t probe_count;
    struct close_check *close_check; /* the server's half of their closes */
    struct log_source *error_log;    /* NULL where none is configured */
    uint64_t log_events[LOG_EVENT_KIND_COUNT];
    uint64_t self_aborts[SELF_OPERATION_COUNT];
    struct own_connections own;
    void *advice; /* explain/advice.h's, who also frees it */

    struct limits_config limits;         /* the configuration's */
    struct sessions *sessions;           /* NULL before there was a look at them */
    struct server_errors *server_errors; /* NULL where there is none */
    enum evidence_state evidence[EVIDENCE_COUNT];
    uint64_t evidence_connection;  /* on which connection that was found; 0 none yet */
    struct mono sessions_due;      /* the next look at the process list */
    struct mono look_after;        /* no look at all before this: the last one took too long */
    uint64_t restarts_seen;        /* what sessions and errors know of poll.restarts … */
    uint64_t others_seen;          /* … and of poll.others */
    struct host_cache *host_cache; /* NULL before there was a look at it */
    struct mono host_cache_due;
    bool host_cache_wanted;       /* the next poll is to look at it, due or not: explain's wish */
    uint64_t host_cache_restarts; /* what it knows of poll.restarts … */
    uint64_t host_cache_others;   /* … and of poll.others */
    struct userstat *userstat;    /* NULL before there was a look at it */
    struct mono userstat_due;
    bool old_process_list; /* there is no performance_schema.processlist */

    struct host_network *network;  /* the fleet's; NULL there is none */
    struct port_watch *port_watch; /* NULL: the server is not known to be on this machine */

    struct target_schedule *schedule; /* timers and running operations; private to target.c */
};

/* The target is about to go: a probe that holds its connection ends it. */
bool target_stopping(const struct target *target);

/* What the last poll read of a variable of variable_table; NaN where the server has none of that name, or is down. */
double target_status(const struct target *target, const char *name);
double target_setting(const struct target *target, const char *name);
/* From one look at the process list to the next. */
int64_t target_sessions_interval_ns(const struct target *target);

/* Whether the server's settings let it write aborted connections to its log, and else which do not.
 *        enum suffix, label, meaning */
#define LOG_SIGHTS(X)                                                                                                  \
    X(UNKNOWN, "unknown", "it was not asked yet, or is down")                                                          \
    X(GOOD, "", "they are written")                                                                                    \
    X(LEVEL, "level", "log_warnings below 2, log_error_verbosity below 3")                                             \
    X(SUPPRESSED, "suppressed", "log_error_suppression_list has their code, MY-010914")                                \
    X(FILTERED, "filtered", "log_error_services has a filter with rules of its own, which may drop them")

enum log_sight {
#define LOG_SIGHT_ENUM(id, label, meaning) LOG_SIGHT_##id,
    LOG_SIGHTS(LOG_SIGHT_ENUM)
#undef LOG_SIGHT_ENUM
};

const char *log_sight_name(enum log_sight sight);
enum log_sight target_log_sight(const struct target *target);
/* The same in short: 1, 0, or -1 not known. */
int target_log_level_suffices(const struct target *target);

/* The last reader gone frees it. */
struct target *target_ref(struct target *target);
void target_unref(struct target *target); /* NULL is allowed */

#endif
