/*
 * MySQL's own count of the errors that it raised, by account, and what of it has come since the last look: for the
 * errors that end connections or refuse them. The server counts them at every log level. Knows nothing of how it is
 * asked; see session_poll.h.
 *
 * The server's sums begin again with each start and each TRUNCATE: a sum that is smaller than it was is all new.
 * The sum over all accounts is the truth; what no account that we know accounts for (the server's table of accounts was
 * full, or ours is, or we may not read it) is told without an account, some looks later.
 */
#ifndef OBSERVE_SERVER_ERRORS_H
#define OBSERVE_SERVER_ERRORS_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers that are looked at: see ../shared/facts/server-behaviour.md for which end of a connection raises which.
 */
#define SERVER_ERROR_CODES(X)                                                                                          \
    X(1040, "ER_CON_COUNT_ERROR")                                                                                      \
    X(1043, "ER_HANDSHAKE_ERROR")                                                                                      \
    X(1044, "ER_DBACCESS_DENIED_ERROR")                                                                                \
    X(1045, "ER_ACCESS_DENIED_ERROR")                                                                                  \
    X(1049, "ER_BAD_DB_ERROR")                                                                                         \
    X(1105, "ER_UNKNOWN_ERROR")                                                                                        \
    X(1129, "ER_HOST_IS_BLOCKED")                                                                                      \
    X(1130, "ER_HOST_NOT_PRIVILEGED")                                                                                  \
    X(1153, "ER_NET_PACKET_TOO_LARGE")                                                                                 \
    X(1156, "ER_NET_PACKETS_OUT_OF_ORDER")                                                                             \
    X(1157, "ER_NET_UNCOMPRESS_ERROR")                                                                                 \
    X(1158, "ER_NET_READ_ERROR")                                                                                       \
    X(1159, "ER_NET_READ_INTERRUPTED")                                                                                 \
    X(1160, "ER_NET_ERROR_ON_WRITE")                                                                                   \
    X(1161, "ER_NET_WRITE_INTERRUPTED")                                                                                \
    X(1184, "ER_NEW_ABORTING_CONNECTION")                                                                              \
    X(1203, "ER_TOO_MANY_USER_CONNECTIONS")                                                                            \
    X(1226, "ER_USER_LIMIT_REACHED")                                                                                   \
    X(1862, "ER_MUST_CHANGE_PASSWORD_LOGIN")                                                                           \
    X(1873, "ER_ACCESS_DENIED_CHANGE_USER_ERROR")                                                                      \
    X(1251, "ER_NOT_SUPPORTED_AUTH_MODE")                                                                              \
    X(3118, "ER_ACCOUNT_HAS_BEEN_LOCKED")                                                                              \
    X(3159, "ER_SECURE_TRANSPORT_REQUIRED")                                                                            \
    X(3955, "ER_USER_ACCESS_DENIED_FOR_USER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK")                                         \
    X(4031, "ER_CLIENT_INTERACTION_TIMEOUT")

enum {
#define SERVER_ERROR_ONE(code, name) +1
    SERVER_ERROR_CODE_COUNT = 0 SERVER_ERROR_CODES(SERVER_ERROR_ONE),
#undef SERVER_ERROR_ONE
    SERVER_ERROR_LOOKS = 3,          /* so many more are waited for an account */
    SERVER_ERROR_ACCOUNTS_MAX = 1000 /* pairs of an account and an error that are kept */
};

/* What came between two looks. */
struct server_error {
    unsigned code;
    bool account_known;      /* false: user and host are "" */
    const char *user, *host; /* the server's bytes, raw; "" for connections that had not logged in */
    uint64_t increase;
    int64_t from_wall_ns, to_wall_ns;
};

/* What came since our start. */
struct server_error_count {
    unsigned code;
    const char *user, *host;
    uint64_t total;
};

struct server_errors;

struct server_errors *server_errors_new(void); /* NULL when memory is short */
void server_errors_free(struct server_errors *errors);

/* A look: the sums over all accounts; then, of the codes that moved, those by account; then the end, which tells what
 * came. The very first look only says where the sums stand. */
void server_errors_global(struct server_errors *errors, unsigned code, uint64_t sum);
/* Which codes the accounts are to be asked for: all at the first time; returns how many. */
size_t server_errors_asked(const struct server_errors *errors, unsigned codes[SERVER_ERROR_CODE_COUNT]);
void server_errors_account(struct server_errors *errors, struct span user, struct span host, unsigned code,
                           uint64_t sum);
/* accounts_told: all rows by account came. Where they did not but may the next time, what came is told then:
 * `wait`. */
typedef void server_error_fn(void *arg, const struct server_error *error);
void server_errors_end(struct server_errors *errors, bool accounts_told, bool wait, int64_t wall_ns,
                       server_error_fn *on_error, void *arg);
/* The server was started anew: all sums began at 0. */
void server_errors_restarted(struct server_errors *errors);
/* Another server answers: the next look only says where its sums stand. */
void server_errors_forget(struct server_errors *errors);

const char *server_error_name(unsigned code); /* NULL for a code that is not looked at */
const struct server_error_count *server_errors_counts(const struct server_errors *errors, size_t *count);
/* What came without an account, by code. */
uint64_t server_errors_without_account(const struct server_errors *errors, unsigned code);
/* Whether the last look found more over all accounts than among them: their rows come later, or not at all. */
bool server_errors_missing(const struct server_errors *errors);
/* When they were last looked at; 0 never. */
int64_t server_errors_wall_ns(const struct server_errors *errors);
/* How often a sum had become smaller. */
uint64_t server_errors_steps(const struct server_errors *errors);

extern const unsigned server_error_codes[SERVER_ERROR_CODE_COUNT];

#endif
