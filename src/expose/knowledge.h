/*
 * The facts that families are made from, and how old they are: what was learnt at one look stays until the next, and is
 * no longer told once it is too old.
 */
#ifndef EXPOSE_KNOWLEDGE_H
#define EXPOSE_KNOWLEDGE_H

#include "observe/target.h"

#include <stdbool.h>

/* enum suffix, what it is, the family that has the Unix time of its last look ("" none: it is never old) */
#define KNOWLEDGE(X)                                                                                                   \
    X(OWN, "what we count ourselves, and how our last tries went", "")                                                 \
    X(POLL, "status and settings, and what is judged with each poll", "mysqlconn_poll_last_success_timestamp_seconds") \
    X(SESSIONS, "the process list", "mysqlconn_sessions_read_timestamp_seconds")                                       \
    X(SERVER_ERRORS, "MySQL's summary of errors", "mysqlconn_server_errors_last_success_timestamp_seconds")            \
    X(HOST_CACHE, "the host cache", "mysqlconn_host_cache_last_look_timestamp_seconds")                                \
    X(USERSTAT, "statistics of users and clients", "mysqlconn_userstat_last_success_timestamp_seconds")                \
    X(SOCKETS, "the sockets on the server's port", "mysqlconn_server_sockets_last_success_timestamp_seconds")          \
    X(LISTENING, "the queue of the server's listening socket",                                                         \
      "mysqlconn_server_accept_queue_last_success_timestamp_seconds")                                                  \
    X(PROBE, "the last probe", "mysqlconn_probe_last_timestamp_seconds")                                               \
    X(LOGIN, "the last probe that succeeded", "mysqlconn_probe_last_success_timestamp_seconds")                        \
    X(CERTIFICATE, "the server's certificate", "mysqlconn_probe_tls_certificate_seen_timestamp_seconds")               \
    X(ERROR_LOG, "the error log", "mysqlconn_error_log_last_success_timestamp_seconds")                                \
    X(ADVICE, "the rules of advice", "mysqlconn_advice_last_check_timestamp_seconds")                                  \
    X(NETWORK, "the network of this machine", "mysqlconn_host_network_last_sample_timestamp_seconds")                  \
    X(FILE_SD, "the files that name targets", "mysqlconn_exporter_file_sd_last_success_timestamp_seconds")

enum knowledge {
    KNOWN_UNDECLARED,
#define KNOWLEDGE_ENUM(id, meaning, family) KNOWN_##id,
    KNOWLEDGE(KNOWLEDGE_ENUM)
#undef KNOWLEDGE_ENUM
        KNOWN_COUNT
};

const char *knowledge_meaning(enum knowledge known);
const char *knowledge_time_family(enum knowledge known);

/* When it was last learnt, on the wall clock; 0 never, or not a fact of targets (of probes). */
int64_t knowledge_wall_ns(const struct target *target, enum knowledge known);
int64_t knowledge_of_probe_wall_ns(const struct probe *probe, enum knowledge known);
/* Whether it was learnt longer ago than the target's `max_age` and three of the intervals at which it should be. */
bool knowledge_is_old(const struct target *target, enum knowledge known);
bool knowledge_of_probe_is_old(const struct probe *probe, enum knowledge known);

/* The README's table: what it is, the family. */
void knowledge_reference(struct strbuf *out);

#endif
