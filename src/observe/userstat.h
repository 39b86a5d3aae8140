/*
 * What a server with userstat on keeps of its users and of its clients' hosts: rows of the tables USER_STATISTICS and
 * CLIENT_STATISTICS (MariaDB, Percona Server), those with the most connections. Knows nothing of how they are asked
 * for; see userstat_poll.h.
 */
#ifndef OBSERVE_USERSTAT_H
#define OBSERVE_USERSTAT_H

#include "base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

enum userstat_table { USERSTAT_USERS, USERSTAT_CLIENTS, USERSTAT_TABLE_COUNT };

/* Columns of both tables; not every server has all of them.
 *        column, mysqld_exporter's name without its front, type, meaning */
#define USERSTAT_COLUMNS(X)                                                                                            \
    X(TOTAL_CONNECTIONS, "total_connections", UNTYPED, "connections made.")                                            \
    X(CONCURRENT_CONNECTIONS, "concurrent_connections", GAUGE, "connections open now.")                                \
    X(CONNECTED_TIME, "connected_time_seconds_total", COUNTER, "seconds that connections lasted, summed.")             \
    X(BUSY_TIME, "busy_seconds_total", COUNTER, "seconds in which there was activity on them.")                        \
    X(CPU_TIME, "cpu_time_seconds_total", COUNTER, "seconds of CPU time spent on them.")                               \
    X(BYTES_RECEIVED, "bytes_received_total", COUNTER, "bytes received.")                                              \
    X(BYTES_SENT, "bytes_sent_total", COUNTER, "bytes sent.")                                                          \
    X(BINLOG_BYTES_WRITTEN, "binlog_bytes_written_total", COUNTER, "bytes written to the binary log.")                 \
    X(ROWS_READ, "rows_read_total", COUNTER, "rows read.")                                                             \
    X(ROWS_SENT, "rows_sent_total", COUNTER, "rows sent.")                                                             \
    X(ROWS_DELETED, "rows_deleted_total", COUNTER, "rows deleted.")                                                    \
    X(ROWS_INSERTED, "rows_inserted_total", COUNTER, "rows inserted.")                                                 \
    X(ROWS_FETCHED, "rows_fetched_total", COUNTER, "rows fetched (Percona).")                                          \
    X(ROWS_UPDATED, "rows_updated_total", COUNTER, "rows updated.")                                                    \
    X(TABLE_ROWS_READ, "table_rows_read_total", COUNTER, "rows read from tables (Percona).")                           \
    X(SELECT_COMMANDS, "select_commands_total", COUNTER, "SELECT statements.")                                         \
    X(UPDATE_COMMANDS, "update_commands_total", COUNTER, "statements that change data.")                               \
    X(OTHER_COMMANDS, "other_commands_total", COUNTER, "other statements.")                                            \
    X(COMMIT_TRANSACTIONS, "commit_transactions_total", COUNTER, "transactions committed.")                            \
    X(ROLLBACK_TRANSACTIONS, "rollback_transactions_total", COUNTER, "transactions rolled back.")                      \
    X(DENIED_CONNECTIONS, "denied_connections_total", COUNTER, "connections refused.")                                 \
    X(LOST_CONNECTIONS, "lost_connections_total", COUNTER, "connections that were not closed cleanly.")                \
    X(ACCESS_DENIED, "access_denied_total", COUNTER, "statements refused for want of a privilege.")                    \
    X(EMPTY_QUERIES, "empty_queries_total", COUNTER, "statements that gave no rows.")                                  \
    X(TOTAL_SSL_CONNECTIONS, "total_ssl_connections_total", COUNTER, "connections made over TLS.")

enum userstat_column {
#define USERSTAT_ENUM(id, name, type, text) USERSTAT_##id,
    USERSTAT_COLUMNS(USERSTAT_ENUM)
#undef USERSTAT_ENUM
        USERSTAT_MAX_STATEMENT_TIME_EXCEEDED, /* its type, and so its name, is not the same for both */
    USERSTAT_COLUMN_COUNT
};

struct userstat_row {
    char *name;                          /* the user or the host, raw */
    double value[USERSTAT_COLUMN_COUNT]; /* NaN where the server has no such column */
};

struct userstat;

/* "USER_STATISTICS"; the column with the name in it; "BUSY_TIME". */
const char *userstat_table_name(enum userstat_table table);
const char *userstat_key(enum userstat_table table);
const char *userstat_column_name(enum userstat_column column);

struct userstat *userstat_new(void);           /* NULL when memory is short */
void userstat_free(struct userstat *userstat); /* NULL is allowed */

/* Which columns the server's tables have: 1 << column each; 0 not known yet. */
void userstat_set_columns(struct userstat *userstat, enum userstat_table table, uint32_t columns);
uint32_t userstat_columns(const struct userstat *userstat, enum userstat_table table);

/* A look at a table, begun anew where one did not come to its end. At most `max` rows are kept. */
void userstat_begin(struct userstat *userstat, enum userstat_table table, size_t max);
/* `values`: of the columns that there are, in their order, `count` of them. A second row of one name is not taken. */
void userstat_add(struct userstat *userstat, enum userstat_table table, struct span name, const struct span *values,
                  size_t count);
/* How many rows came in this look, those beyond `max` included. */
size_t userstat_came(const struct userstat *userstat, enum userstat_table table);
/* From now on this look is what readers see; `rows`: how many the server has. */
void userstat_end(struct userstat *userstat, enum userstat_table table, uint64_t rows, int64_t wall_ns);

/* Of the last look that ended, sorted by name. Valid until the next turn of the loop. */
const struct userstat_row *userstat_rows(const struct userstat *userstat, enum userstat_table table, size_t *count);
/* Rows that are not among them, because there were too many. */
uint64_t userstat_left_out(const struct userstat *userstat, enum userstat_table table);
int64_t userstat_read_wall_ns(const struct userstat *userstat); /* 0 never */

#endif
