/*
 * The phases of a conversation with a server, and the ways in which one can fail: two tables that drive the structs,
 * the labels, the JSON and the log text.
 */
#ifndef OBSERVE_PHASE_H
#define OBSERVE_PHASE_H

#include <stdint.h>

/*        enum suffix, label,      what it lasts from … to */
#define PHASES(X)                                                                                                      \
    X(RESOLVE, "resolve", "name to addresses")                                                                         \
    X(CONNECT, "connect", "SYN to an established TCP connection, or connect() of a socket")                            \
    X(GREETING, "greeting", "established to the server's greeting packet")                                             \
    X(TLS, "tls", "SSLRequest to the end of the TLS handshake")                                                        \
    X(AUTH, "auth", "first authentication packet to the server's OK")                                                  \
    X(PING, "ping", "COM_PING to its OK: one round trip through everything in between")                                \
    X(QUERY, "query", "the query's first byte out to its last row in; where a module holds, of the one after it")      \
    X(HOLD, "hold", "idle on purpose, where the module asks for it")                                                   \
    X(QUIT, "quit", "COM_QUIT to the server's end of the connection")

enum phase {
#define PHASE_ENUM(id, label, meaning) PHASE_##id,
    PHASES(PHASE_ENUM)
#undef PHASE_ENUM
        PHASE_COUNT
};

/* "resolve", … */
const char *phase_name(enum phase phase);

/*        enum suffix, label,        what it means */
#define FAILURES(X)                                                                                                    \
    X(RESOLVE, "resolve", "the name does not resolve")                                                                 \
    X(NOT_ALLOWED, "not_allowed", "the name leads to an address that allow_targets does not allow")                    \
    X(REFUSED, "refused", "nothing listens there (ECONNREFUSED, ENOENT)")                                              \
    X(UNREACHABLE, "unreachable", "no route to the host or network")                                                   \
    X(TIMEOUT, "timeout", "no answer within the deadline")                                                             \
    X(RESET, "reset", "the connection was reset (RST)")                                                                \
    X(CLOSED, "closed", "the server closed the connection (FIN)")                                                      \
    X(PROTOCOL, "protocol", "what came is not the MySQL protocol, or is malformed")                                    \
    X(TOO_MANY_CONNECTIONS, "too_many_connections", "error 1040")                                                      \
    X(USER_LIMIT, "user_limit", "errors 1203, 1226: a limit of this account")                                          \
    X(HOST_BLOCKED, "host_blocked", "error 1129: too many connection errors from this host")                           \
    X(HOST_NOT_ALLOWED, "host_not_allowed", "error 1130")                                                              \
    X(ACCESS_DENIED, "access_denied", "errors 1045, 1698: wrong user or password")                                     \
    X(PASSWORD_EXPIRED, "password_expired", "errors 1820, 1862")                                                       \
    X(ACCOUNT_LOCKED, "account_locked", "errors 3118, 4151")                                                           \
    X(AUTH_PLUGIN, "auth_plugin", "an authentication plugin that we do not have or do not allow")                      \
    X(PRIVILEGE, "privilege", "errors 1142, 1227, 1370: the account lacks a privilege")                                \
    X(TLS_REQUIRED, "tls_required", "the server takes this account only over TLS (error 3159)")                        \
    X(TLS_UNSUPPORTED, "tls_unsupported", "TLS is required here and the server offers none")                           \
    X(TLS_HANDSHAKE, "tls_handshake", "the TLS handshake failed")                                                      \
    X(CERTIFICATE_EXPIRED, "certificate_expired", "the server's certificate is expired or not yet valid")              \
    X(CERTIFICATE_NAME, "certificate_name", "the server's certificate is for another name")                            \
    X(CERTIFICATE_UNTRUSTED, "certificate_untrusted", "the server's certificate is not signed by a CA that we trust")  \
    X(SHUTDOWN, "shutdown", "error 1053, 1927, 3169: the server shuts down or our connection was killed")              \
    X(IDLE_TIMEOUT, "idle_timeout", "error 4031: the server closed our idle connection")                               \
    X(SERVER_ERROR, "server_error", "another error from the server; its number is in the log line")                    \
    X(LOCAL, "local", "this machine refused: descriptors, memory, a file")

enum failure_class {
    FAILURE_NONE,
#define FAILURE_ENUM(id, label, meaning) FAILURE_##id,
    FAILURES(FAILURE_ENUM)
#undef FAILURE_ENUM
        FAILURE_COUNT
};

/* "refused", …; "" for FAILURE_NONE. */
const char *failure_name(enum failure_class failure);
/* The table's third column. */
const char *failure_meaning(enum failure_class failure);

/* What went wrong, where. `text` never holds a secret; it can hold bytes that a server chose. */
struct failure {
    enum failure_class failure; /* FAILURE_NONE: nothing */
    enum phase phase;
    unsigned code; /* the server's or the client library's error number, 0 where there is none */
    char text[200];
};

/*        enum suffix, label,            what came after COM_QUIT */
#define CLOSES(X)                                                                                                      \
    X(CLEAN, "clean", "the server's FIN and nothing else")                                                             \
    X(RESET, "reset", "an RST")                                                                                        \
    X(UNEXPECTED_DATA, "unexpected_data", "bytes that nobody asked for")                                               \
    X(TIMEOUT, "timeout", "nothing within the deadline")                                                               \
    X(PEER_GONE, "peer_gone", "the server was gone before COM_QUIT")                                                   \
    X(NOT_WATCHED, "not_watched", "closed at once, as the module asks")

enum close_outcome {
#define CLOSE_ENUM(id, label, meaning) CLOSE_##id,
    CLOSES(CLOSE_ENUM)
#undef CLOSE_ENUM
        CLOSE_COUNT
};

const char *close_outcome_name(enum close_outcome outcome);

/* The server's half of the close: what became of the connection there, and how that is known.
 *        enum suffix, verdict,             evidence,   what it means */
#define CLOSE_VERDICTS(X)                                                                                              \
    X(CLEAN_BY_LOG, "confirmed_clean", "error_log", "the error log, which would tell, has no abort of this id")        \
    X(CLEAN_BY_COUNTERS, "confirmed_clean", "counters", "neither Aborted_clients nor Aborted_connects moved")          \
    X(LOGGED, "logged_as_aborted", "error_log", "the error log has an abort of this id")                               \
    X(UNKNOWN, "unknown", "none", "nothing that could be seen can tell")

enum close_verdict {
#define CLOSE_VERDICT_ENUM(id, verdict, evidence, meaning) VERDICT_##id,
    CLOSE_VERDICTS(CLOSE_VERDICT_ENUM)
#undef CLOSE_VERDICT_ENUM
        VERDICT_COUNT
};

const char *close_verdict_name(enum close_verdict verdict);
const char *close_verdict_evidence(enum close_verdict verdict);

/*        enum suffix, label,         how the hold ended */
#define HOLD_ENDS(X)                                                                                                   \
    X(SURVIVED, "survived", "the connection could be used after it")                                                   \
    X(ERROR, "error_packet", "an error packet came, such as 4031")                                                     \
    X(FIN, "fin", "a FIN came")                                                                                        \
    X(RST, "reset", "an RST came")                                                                                     \
    X(RST_ON_USE, "reset_on_use", "nothing that tells came, and the next query was answered by an RST")                \
    X(FIN_ON_USE, "fin_on_use", "nothing that tells came, and the next query was answered by a FIN")                   \
    X(SILENCE, "silence", "nothing that tells came, and the next query was not answered in time")

enum hold_end {
#define HOLD_END_ENUM(id, label, meaning) HOLD_##id,
    HOLD_ENDS(HOLD_END_ENUM)
#undef HOLD_END_ENUM
        HOLD_END_COUNT
};

const char *hold_end_name(enum hold_end end);

/* Who ended it, where there is evidence.
 *        enum suffix, label,     evidence */
#define HOLD_CUTTERS(X)                                                                                                \
    X(NOBODY, "nobody", "it survived")                                                                                 \
    X(SERVER, "server", "its error packet, or its end came just when the session's wait_timeout was over")             \
    X(PATH, "path", "the server's log says that the connection was lost to it, too, before its wait_timeout")          \
    X(UNKNOWN, "unknown", "none")

enum hold_cutter {
#define HOLD_CUTTER_ENUM(id, label, meaning) CUTTER_##id,
    HOLD_CUTTERS(HOLD_CUTTER_ENUM)
#undef HOLD_CUTTER_ENUM
        CUTTER_COUNT
};

const char *hold_cutter_name(enum hold_cutter cutter);

/* What the data of CLOSE_UNEXPECTED_DATA was. Error numbers that servers are known to send at a connection's end; all
 * others share one label, for a server chooses what it sends.
 *        label, number, what it is */
#define CLOSE_CODES(X)                                                                                                 \
    X("unknown", 0, "encrypted, and the keys were gone")                                                               \
    X("no_error_packet", 0, "something else than an error packet")                                                     \
    X("other", 0, "an error packet with another number")                                                               \
    X("1040", 1040, "too many connections")                                                                            \
    X("1043", 1043, "bad handshake")                                                                                   \
    X("1053", 1053, "server shutdown")                                                                                 \
    X("1152", 1152, "aborted connection")                                                                              \
    X("1153", 1153, "packet too large")                                                                                \
    X("1155", 1155, "read error from pipe")                                                                            \
    X("1156", 1156, "packets out of order")                                                                            \
    X("1157", 1157, "cannot uncompress")                                                                               \
    X("1158", 1158, "error reading")                                                                                   \
    X("1159", 1159, "timeout reading")                                                                                 \
    X("1160", 1160, "error writing")                                                                                   \
    X("1161", 1161, "timeout writing")                                                                                 \
    X("1317", 1317, "query interrupted")                                                                               \
    X("1927", 1927, "connection killed")                                                                               \
    X("3169", 3169, "session killed")                                                                                  \
    X("4031", 4031, "idle timeout")

enum { CLOSE_CODE_UNKNOWN, CLOSE_CODE_NO_ERROR_PACKET, CLOSE_CODE_OTHER };
#define CLOSE_CODE_ONE(label, number, meaning) +1
enum { CLOSE_CODE_COUNT = 0 CLOSE_CODES(CLOSE_CODE_ONE) };
#undef CLOSE_CODE_ONE

/* "4031", "other", … */
const char *close_code_name(unsigned place);
/* The place of an error number in the table. */
unsigned close_code_of(unsigned number);

/* How often each failed; the room for it is made at the first: most targets never fail. */
struct failure_counts {
    uint32_t (*by)[FAILURE_COUNT]; /* PHASE_COUNT of them; NULL: none yet */
};

/* Where memory is short it is not counted here. */
void failure_counts_add(struct failure_counts *counts, const struct failure *failure, uint32_t n);
void failure_counts_release(struct failure_counts *counts);

#endif
