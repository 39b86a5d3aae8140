/*
 * What our account may see, found out without being refused: MariaDB counts each refusal as an Access_denied_errors.
 * Roles that are active count as the account's own.
 */
#ifndef OBSERVE_PRIVILEGES_H
#define OBSERVE_PRIVILEGES_H

#include "observe/client.h"

#include <stdbool.h>

/* Tables of performance_schema. */
#define PRIVILEGE_TABLES(X)                                                                                            \
    X(ACCOUNTS, "accounts")                                                                                            \
    X(ERRORS_BY_ACCOUNT, "events_errors_summary_by_account_by_error")                                                  \
    X(ERRORS_GLOBAL, "events_errors_summary_global_by_error")                                                          \
    X(CONNECT_ATTRS, "session_connect_attrs")                                                                          \
    X(HOST_CACHE, "host_cache")

enum privilege_table {
#define PRIVILEGE_TABLE_ENUM(id, name) TABLE_##id,
    PRIVILEGE_TABLES(PRIVILEGE_TABLE_ENUM)
#undef PRIVILEGE_TABLE_ENUM
        TABLE_COUNT
};

struct privileges {
    bool process;
    bool table[TABLE_COUNT]; /* may be read: false too where the server has no such table */
};

/* Inside a coroutine: one to three queries. 0 with *out set, or -1 when they failed. */
int privileges_ask(struct client *client, bool mariadb, struct privileges *out);

/* Whether a line of SHOW GRANTS grants PROCESS. */
bool privileges_grant_process(struct span line);

#endif
