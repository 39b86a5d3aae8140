/*
 * Why a connection was aborted: one table of causes, and what the facts of an abort prove of them. What they do not
 * tell apart is not guessed: the causes that remain possible are named.
 */
#ifndef EXPLAIN_CAUSE_H
#define EXPLAIN_CAUSE_H

#include "base/strbuf.h"
#include "explain/abort_facts.h"

#include <stdint.h>

/*   enum suffix, name, what it means,
 *       the evidence that makes it,
 *       what to do,
 *       the client's part, the server's part */
#define CAUSES(X)                                                                                                      \
    X(CLIENT_VANISHED, "client_vanished", "a client that was logged in closed without COM_QUIT",                       \
      "Got an error reading communication packets, of a user; error 1158",                                             \
      "Close connections before the program ends, and look for crashes, kills and proxies with shorter timeouts.",     \
      "ended, crashed, was killed, or closed its socket without saying so; or something in between did",               \
      "read the end of the connection where a command was due")                                                        \
    X(LEFT_MID_RESULT, "left_mid_result", "a client left while the server was still writing to it",                    \
      "Got an error writing communication packets; error 1160",                                                        \
      "Read results to their end, or cancel the query, before closing.",                                               \
      "closed, with or without COM_QUIT, before it had read its result", "could not write the rest")                   \
    X(IDLE_TIMEOUT, "idle_timeout", "an idle connection was cut off by wait_timeout or interactive_timeout",           \
      "The client was disconnected by the server because of inactivity; error 4031; on MariaDB a timeout reading",     \
      "Let pools drop idle connections before wait_timeout, or raise it.", "kept a connection without using it",       \
      "cut it off at its limit, on MariaDB by RST")                                                                    \
    X(READ_TIMEOUT, "read_timeout", "a packet was begun and not finished within net_read_timeout",                     \
      "Got timeout reading communication packets; error 1159",                                                         \
      "Look for a client that stalls in the middle of sending, or a network that loses packets.",                      \
      "stopped sending in the middle", "waited for net_read_timeout")                                                  \
    X(WRITE_TIMEOUT, "write_timeout", "a client did not read its result within net_write_timeout",                     \
      "Got timeout writing communication packets; error 1161",                                                         \
      "Fetch rows without long pauses, or buffer the result at the client.", "did not read what it had asked for",     \
      "waited for net_write_timeout")                                                                                  \
    X(PACKET_TOO_LARGE, "packet_too_large", "a client sent a packet above max_allowed_packet",                         \
      "Got a packet bigger than 'max_allowed_packet' bytes; error 1153",                                               \
      "Raise max_allowed_packet on the server, or send less at once.", "sent too much at once",                        \
      "refused it and reset the connection")                                                                           \
    X(PROTOCOL_ERROR, "protocol_error", "what came was not the MySQL protocol, or was broken",                         \
      "Got packets out of order before login, Couldn't uncompress communication packet; errors 1156, 1157",            \
      "Find out what speaks to this port: a scanner, an HTTP check, a driver used by two threads at once.",            \
      "sent what is no packet of its turn", "answered 1156 and closed")                                                \
    X(KILLED, "killed", "a connection was ended by KILL",                                                              \
      "KILLED, on MariaDB with log_warnings from 4 on; on MySQL errors 1158 and 1160, or 1160, of which no line "      \
      "tells",                                                                                                         \
      "Find who kills: a person, pt-kill, an orchestrator.", "none", "ended the connection as it was told")            \
    X(SERVER_RESTART, "server_restart", "a connection was ended by the server's shutdown",                             \
      "Forcing close of thread …; an abort while the server stops", "Drain clients before a restart.",                 \
      "was still connected", "stopped")                                                                                \
    X(INIT_CONNECT, "init_connect", "the statements of init_connect failed for a user", "init_connect command failed", \
      "Correct init_connect, or grant what it needs to all who log in.", "none",                                       \
      "ended the connection right after the login")                                                                    \
    X(REPLICATION_CLIENT, "replication_client", "a reader of the binary log left",                                     \
      "failed on flush_net(); a session in Binlog Dump",                                                               \
      "Expected where change-data-capture clients stop: COM_QUIT is not read while the log is sent.",                  \
      "closed in the middle of the stream, which has no other end", "noticed when it wrote the next event")            \
    X(RELEASED, "released", "a client ended its connection by COMMIT RELEASE or ROLLBACK RELEASE",                     \
      "RELEASE, on MariaDB with log_warnings from 4 on", "Nothing is wrong; COM_QUIT would not be counted.",           \
      "asked for it", "counts it as aborted")                                                                          \
    X(HEALTH_CHECK, "health_check", "somebody connected and left before logging in",                                   \
      "on MySQL an error reading without user; on MariaDB the same from a peer that was gone at once",                 \
      "Let load balancers log in, or check without connecting; else this is noise.",                                   \
      "opened a connection and left: a health check, a port scan, a program that ended", "greeted and found nobody")   \
    X(HANDSHAKE_TIMEOUT, "handshake_timeout", "a client did not finish its login within connect_timeout",              \
      "on MySQL a timeout reading without user; on MariaDB a session that was logging in for nearly as long",          \
      "Look for clients that open connections ahead of use, and for overloaded clients or networks.",                  \
      "said nothing, or half of it", "waited for connect_timeout")                                                     \
    X(TLS_FAILURE, "tls_failure", "the TLS handshake failed", "on MySQL Bad handshake; error 1043",                    \
      "Compare the client's CA, TLS versions and ciphers with the server's certificate and settings.",                 \
      "refused the certificate, or had nothing in common with the server", "gave up the handshake")                    \
    X(BEFORE_LOGIN, "before_login", "a connection ended before login, and the server says no more",                    \
      "on MariaDB This connection closed normally without authentication",                                             \
      "The host in the event, and its rhythm, tell a health check from a scan; host_cache has more.",                  \
      "left, fell silent, sent something else, or was not let in", "writes the same line for all of these")            \
    X(ACCESS_DENIED, "access_denied", "a login was refused",                                                           \
      "Access denied for user …; error 1045, which is also an account's or MariaDB's answer where TLS is required",    \
      "Correct the password, the account or its host, or find who is guessing.", "gave what does not fit",             \
      "refused it")                                                                                                    \
    X(TLS_REQUIRED, "tls_required", "a login without TLS was refused, for the server requires it",                     \
      "on MySQL error 3159", "Switch TLS on in the client, or set require_secure_transport off while clients change.", \
      "did not ask for TLS", "requires it of all (require_secure_transport)")                                          \
    X(UNKNOWN_DATABASE, "unknown_database", "a login asked for a database that does not exist",                        \
      "on MySQL Unknown database; error 1049", "Correct the database's name in the client.", "named a wrong database", \
      "refused the login")                                                                                             \
    X(TOO_MANY_CONNECTIONS, "too_many_connections", "max_connections was reached",                                     \
      "Connection_errors_max_connections; Too many connections; error 1040",                                           \
      "Use pools with limits that together stay below max_connections, or raise it.", "wanted one connection more",    \
      "had none left")                                                                                                 \
    X(USER_LIMIT, "user_limit", "an account's own limit was reached", "errors 1203, 1226",                             \
      "Raise the account's limit, or use fewer connections.", "wanted more than its account may have", "refused it")   \
    X(HOST_BLOCKED, "host_blocked", "a host is blocked by max_connect_errors",                                         \
      "Host … is blocked; error 1129; host_cache", "Stop what fails from that host, then FLUSH HOSTS.",                \
      "failed too often before", "lets nobody in from there")                                                          \
    X(HOST_NOT_ALLOWED, "host_not_allowed", "no account allows this host",                                             \
      "Host … is not allowed to connect; error 1130; Connection_errors_tcpwrap",                                       \
      "Create an account for the host, or find out what wants in from there.", "came from elsewhere", "refused it")    \
    X(DNS, "dns", "the address of a client could not be looked up, or not backwards",                                  \
      "IP address … could not be resolved; Connection_errors_peer_address",                                            \
      "Correct reverse DNS, or set skip_name_resolve.", "has an address without a sound name",                         \
      "could not tell who it is")                                                                                      \
    X(PEER_ADDRESS, "peer_address", "a client was gone before the server could ask for its address",                   \
      "Connection_errors_peer_address", "A check or scan that resets at once; see health_check.",                      \
      "reset the connection at once", "could not tell whence it came")                                                 \
    X(SERVER_RESOURCES, "server_resources", "the server could not accept or serve a connection",                       \
      "Connection_errors_accept, _internal, _select; Error in accept",                                                 \
      "Look for limits on descriptors, threads and memory in the server's log.", "none", "was short of something")     \
    X(SELF, "self", "a connection of mysqlconn_exporter's own", "the connection's id, or an abort that we know of",    \
      "See mysqlconn_self_aborts_total: a close style asked for, a login of ours refused, or a server too slow.",      \
      "is us", "counted it like any other")                                                                            \
    X(NO_ABORT, "no_abort", "a line that looks like an abort and is none",                                             \
      "CLOSE_CONNECTION, closed normally; KILL QUERY on MariaDB with log_warnings from 4 on", "Nothing.", "none",      \
      "logs more than it counts")                                                                                      \
    X(UNKNOWN, "unknown", "nothing that is known tells",                                                               \
      "none; or what several causes leave behind, which the event names as possible",                                  \
      "Raise the log level, and see the event.", "?", "?")

enum cause {
#define CAUSE_ENUM(id, name, meaning, evidence, advice, client, server) CAUSE_##id,
    CAUSES(CAUSE_ENUM)
#undef CAUSE_ENUM
        CAUSE_COUNT
};

const char *cause_name(enum cause cause);
const char *cause_meaning(enum cause cause);
const char *cause_advice(enum cause cause);
/* The README's table. */
void cause_reference(struct strbuf *out);

/* The server's counters of connections that failed. Those before LEDGER_LINED are raised by events that have causes of
 * many kinds; each of the others has one cause.
 *   enum suffix, the server's name, its cause */
#define ABORT_COUNTERS(X)                                                                                              \
    X(CLIENTS, "Aborted_clients", UNKNOWN)                                                                             \
    X(CONNECTS, "Aborted_connects", UNKNOWN)                                                                           \
    X(PREAUTH, "Aborted_connects_preauth", UNKNOWN)                                                                    \
    X(ACCEPT, "Connection_errors_accept", SERVER_RESOURCES)                                                            \
    X(INTERNAL, "Connection_errors_internal", SERVER_RESOURCES)                                                        \
    X(MAX_CONNECTIONS, "Connection_errors_max_connections", TOO_MANY_CONNECTIONS)                                      \
    X(PEER_ADDRESS, "Connection_errors_peer_address", PEER_ADDRESS)                                                    \
    X(SELECT, "Connection_errors_select", SERVER_RESOURCES)                                                            \
    X(TCPWRAP, "Connection_errors_tcpwrap", HOST_NOT_ALLOWED)

enum abort_counter {
#define ABORT_COUNTER_ENUM(id, name, cause) COUNTER_##id,
    ABORT_COUNTERS(ABORT_COUNTER_ENUM)
#undef ABORT_COUNTER_ENUM
        COUNTER_COUNT,
    COUNTER_LINED = COUNTER_ACCEPT,
};

const char *abort_counter_name(enum abort_counter counter);
/* Of those from COUNTER_LINED on. */
enum cause abort_counter_cause(enum abort_counter counter);

/* Certain: the evidence has no other reading. Likely: it has, and this is the usual one. Unknown: it leaves several,
 * and `cause` is no more than what they have in common. */
enum confidence { CONFIDENCE_UNKNOWN, CONFIDENCE_LIKELY, CONFIDENCE_CERTAIN };
const char *confidence_name(enum confidence confidence);

struct abort_cause {
    enum cause cause;
    enum confidence confidence;
    uint32_t possible;            /* a bit for each cause that the facts allow, `cause` among them */
    unsigned raises;              /* a bit for each counter that the server raises for it … */
    unsigned may_raise;           /* … and for each that it raises in some cases, which the facts do not tell apart */
    unsigned number, with_number; /* the errors that MySQL counts for it; 0 none */
};

struct abort_cause cause_of(const struct abort_facts *facts);
/* MySQL refused the login of one who had logged in before: COM_CHANGE_USER, which ends the connection. */
enum { CHANGE_USER_REFUSED = 1873 };
void abort_cause_of_change_user(struct abort_cause *cause);

#endif
