/*
 * The kinds of evidence that polls collect beyond counters, the privilege that each needs, and whether it can be had
 * from a server: what is not seen is said, never shown as zero.
 */
#ifndef OBSERVE_EVIDENCE_H
#define OBSERVE_EVIDENCE_H

/*        enum suffix, label, privilege */
#define EVIDENCE_KINDS(X)                                                                                              \
    X(SESSIONS, "sessions", "PROCESS")                                                                                 \
    X(TRANSACTIONS, "transactions", "PROCESS")                                                                         \
    X(USERSTAT, "userstat", "PROCESS")                                                                                 \
    X(ATTRIBUTES, "client_attributes", "SELECT ON performance_schema.session_connect_attrs")                           \
    X(ERRORS, "error_summary", "SELECT ON performance_schema.events_errors_summary_global_by_error")                   \
    X(ERROR_ACCOUNTS, "error_summary_by_account",                                                                      \
      "SELECT ON performance_schema.accounts and events_errors_summary_by_account_by_error")                           \
    X(HOST_CACHE, "host_cache", "SELECT ON performance_schema.host_cache")

enum evidence_kind {
#define EVIDENCE_ENUM(id, label, privilege) EVIDENCE_##id,
    EVIDENCE_KINDS(EVIDENCE_ENUM)
#undef EVIDENCE_ENUM
        EVIDENCE_COUNT
};

enum evidence_state {
    EVIDENCE_UNTRIED, /* on this connection */
    EVIDENCE_SEEN,
    EVIDENCE_NO_PRIVILEGE, /* not tried again before the next connection */
    EVIDENCE_UNSUPPORTED,  /* this server has no such thing; nor is this */
    EVIDENCE_DISABLED,     /* it has, but its settings have switched it off */
    EVIDENCE_FAILED,       /* the last try; the next poll tries again */
};

const char *evidence_name(enum evidence_kind kind);
/* Without the word GRANT: "PROCESS". */
const char *evidence_privilege(enum evidence_kind kind);
/* "no_privilege" …; NULL where nothing is missing, or nobody knows yet. */
const char *evidence_missing(enum evidence_state state);
/* What a query that failed with this error number says. */
enum evidence_state evidence_of_error(unsigned code);

#endif
