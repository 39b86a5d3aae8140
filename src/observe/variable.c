/*
 * The table of the server variables that concern connections, and finding one in it.
 */
#include "observe/variable.h"

#include "base/number.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* mysqld_exporter's rules: a status variable is untyped, a setting is a gauge, Connection_errors_* are one counter. */
#define STATUS(lower, server, text)                                                                                    \
    {                                                                                                                  \
        VARIABLE_STATUS, VARIABLE_UNTYPED, server, "mysql_global_status_" #lower, NULL, NULL,                          \
            "SHOW GLOBAL STATUS " server ": " text, NULL                                                               \
    }
#define COM_HELP "SHOW GLOBAL STATUS Com_*: statements executed, by command; of them KILL and SET alone."
#define CONNECTION_ERROR(error)                                                                                        \
    {                                                                                                                  \
        VARIABLE_STATUS, VARIABLE_COUNTER, "Connection_errors_" error, "mysql_global_status_connection_errors_total",  \
            "error", error,                                                                                            \
            "SHOW GLOBAL STATUS Connection_errors_*: connections that failed in the server before they had a user, "   \
            "by cause.",                                                                                               \
            NULL                                                                                                       \
    }
#define SETTING(lower, text)                                                                                           \
    {                                                                                                                  \
        VARIABLE_SETTING, VARIABLE_GAUGE, #lower, "mysql_global_variables_" #lower, NULL, NULL,                        \
            "SHOW GLOBAL VARIABLES " #lower ": " text, NULL                                                            \
    }

/* --- settings that are texts --- */

/* The next item of a list, without spaces around it; false at the end. */
static bool next_item(struct span *list, const char *separators, struct span *out) {
    static const char spaces[] = " \t";
    while (list->len > 0 && (strchr(spaces, *list->ptr) || strchr(separators, *list->ptr)))
        *list = (struct span){list->ptr + 1, list->len - 1};
    size_t len = 0;
    while (len < list->len && !strchr(separators, list->ptr[len]))
        len++;
    *out = (struct span){list->ptr, len};
    *list = (struct span){list->ptr + len, list->len - len};
    while (out->len > 0 && strchr(spaces, out->ptr[out->len - 1]))
        out->len--;
    return out->len > 0;
}

static bool is_word(struct span text, const char *word) {
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

static int parse_log_services(struct span text, double *out) {
    struct span item;
    *out = LOG_FILTER_NONE;
    while (next_item(&text, ";,", &item))
        if (item.len > strlen("log_filter_") && strncasecmp(item.ptr, "log_filter_", strlen("log_filter_")) == 0 &&
            *out < LOG_FILTER_OTHER)
            *out = is_word(item, "log_filter_internal") ? LOG_FILTER_OWN : LOG_FILTER_OTHER;
    return 0;
}

/* MY-010914, 10914 or its symbol. */
static bool is_abort_code(struct span item) {
    enum { ABORTED = 10914 };
    uint64_t code;
    if (is_word(item, "ER_ABORTING_USER_CONNECTION"))
        return true;
    if (item.len > 3 && strncasecmp(item.ptr, "MY-", 3) == 0)
        item = (struct span){item.ptr + 3, item.len - 3};
    return number_parse_u64(item, UINT64_MAX, &code) == 0 && code == ABORTED;
}

static int parse_suppression_list(struct span text, double *out) {
    struct span item;
    *out = 0;
    while (next_item(&text, ",", &item))
        if (is_abort_code(item))
            *out = 1;
    return 0;
}

#define TEXT_SETTING(name, parse)                                                                                      \
    { VARIABLE_SETTING, VARIABLE_GAUGE, #name, NULL, NULL, NULL, NULL, parse }

/* --- the table --- */

/* clang-format off */
const struct variable variable_table[] = {
    STATUS(aborted_clients, "Aborted_clients", "connections that ended without a clean close after login."),
    STATUS(aborted_connects, "Aborted_connects", "failed attempts to connect."),
    STATUS(aborted_connects_preauth, "Aborted_connects_preauth", "attempts to connect that failed before authentication (MariaDB)."),
    STATUS(access_denied_errors, "Access_denied_errors", "refused logins and refused access (MariaDB)."),
    STATUS(bytes_received, "Bytes_received", "bytes received from all clients."),
    STATUS(bytes_sent, "Bytes_sent", "bytes sent to all clients."),
    {VARIABLE_STATUS, VARIABLE_COUNTER, "Com_kill", "mysql_global_status_commands_total", "command", "kill",
     COM_HELP, NULL},
    {VARIABLE_STATUS, VARIABLE_COUNTER, "Com_set_option", "mysql_global_status_commands_total", "command", "set_option",
     COM_HELP, NULL},
    CONNECTION_ERROR("accept"),
    CONNECTION_ERROR("internal"),
    CONNECTION_ERROR("max_connections"),
    CONNECTION_ERROR("peer_address"),
    CONNECTION_ERROR("select"),
    CONNECTION_ERROR("tcpwrap"),
    STATUS(connections, "Connections", "attempts to connect, successful or not."),
    STATUS(global_connection_memory, "Global_connection_memory", "bytes used by all user connections (MySQL)."),
    STATUS(locked_connects, "Locked_connects", "attempts to connect to locked accounts (MySQL)."),
    STATUS(max_execution_time_exceeded, "Max_execution_time_exceeded", "statements that ran into max_execution_time (MySQL)."),
    STATUS(max_statement_time_exceeded, "Max_statement_time_exceeded", "statements that ran into max_statement_time (MariaDB)."),
    STATUS(max_used_connections, "Max_used_connections", "the most connections at one time since the start or FLUSH STATUS."),
    STATUS(queries, "Queries", "statements executed, those inside stored programs included."),
    STATUS(questions, "Questions", "statements that clients sent."),
    STATUS(slow_launch_threads, "Slow_launch_threads", "threads that took longer than slow_launch_time to start."),
    STATUS(slow_queries, "Slow_queries", "statements that took longer than long_query_time."),
    STATUS(ssl_accepts, "Ssl_accepts", "TLS handshakes begun by clients."),
    STATUS(ssl_client_connects, "Ssl_client_connects", "TLS connections that this server began as a replica."),
    STATUS(ssl_finished_accepts, "Ssl_finished_accepts", "TLS handshakes that clients finished."),
    STATUS(threadpool_idle_threads, "Threadpool_idle_threads", "idle threads of the thread pool (MariaDB)."),
    STATUS(threadpool_threads, "Threadpool_threads", "threads of the thread pool (MariaDB)."),
    STATUS(threads_cached, "Threads_cached", "threads kept for the next connections."),
    STATUS(threads_connected, "Threads_connected", "connections open now."),
    STATUS(threads_created, "Threads_created", "threads made for connections since the start."),
    STATUS(threads_running, "Threads_running", "connections that execute a statement now."),
    STATUS(uptime, "Uptime", "seconds since the server started."),
    STATUS(uptime_since_flush_status, "Uptime_since_flush_status", "seconds since the last FLUSH STATUS, which sets counters to zero."),

    SETTING(admin_port, "port of the administrative interface (MySQL)."),
    SETTING(back_log, "connections that may wait to be accepted."),
    SETTING(connect_timeout, "seconds that the server waits for the client's part of the handshake."),
    SETTING(extra_max_connections, "connections allowed on extra_port (MariaDB)."),
    SETTING(extra_port, "port that takes connections when max_connections is reached, 0 none (MariaDB)."),
    SETTING(host_cache_size, "hosts kept in the host cache."),
    SETTING(idle_readonly_transaction_timeout, "seconds after which a client idle in a read-only transaction is cut off, 0 never (MariaDB)."),
    SETTING(idle_transaction_timeout, "seconds after which a client idle in a transaction is cut off, 0 never (MariaDB)."),
    SETTING(idle_write_transaction_timeout, "seconds after which a client idle in a writing transaction is cut off, 0 never (MariaDB)."),
    SETTING(interactive_timeout, "seconds after which an idle interactive client is cut off."),
    SETTING(lock_wait_timeout, "seconds that a statement waits for a metadata lock."),
    TEXT_SETTING(log_error_services, parse_log_services),
    TEXT_SETTING(log_error_suppression_list, parse_suppression_list),
    SETTING(log_error_verbosity, "what the error log holds: aborted connections from 3 on (MySQL)."),
    SETTING(log_warnings, "what the error log holds: aborted connections from 2 on (MariaDB)."),
    SETTING(max_allowed_packet, "bytes of the largest packet; a larger one aborts the connection."),
    SETTING(max_connect_errors, "interrupted attempts after which a host is blocked."),
    SETTING(max_connections, "connections allowed at one time."),
    SETTING(max_execution_time, "milliseconds that a SELECT may take, 0 without limit (MySQL)."),
    SETTING(max_password_errors, "wrong passwords after which a user is blocked (MariaDB)."),
    SETTING(max_statement_time, "seconds that a statement may take, 0 without limit (MariaDB)."),
    SETTING(max_user_connections, "connections allowed to one account, 0 without limit."),
    SETTING(net_read_timeout, "seconds that the server waits for more of a packet."),
    SETTING(net_write_timeout, "seconds that the server waits for a client to take what it sends."),
    SETTING(open_files_limit, "file descriptors that the server may use."),
    SETTING(performance_schema, "1 when the performance schema is on."),
    SETTING(port, "TCP port that the server listens on."),
    SETTING(require_secure_transport, "1 when connections must use TLS or a socket."),
    SETTING(skip_name_resolve, "1 when the server does not look up the names of client addresses."),
    SETTING(slow_launch_time, "seconds from which the start of a thread counts as slow."),
    SETTING(tcp_keepalive_time, "seconds of idleness before TCP keepalive probes, 0 the system's default (MariaDB)."),
    SETTING(thread_cache_size, "threads kept for the next connections at most."),
    SETTING(thread_pool_max_threads, "threads of the thread pool at most (MariaDB)."),
    SETTING(thread_pool_size, "thread groups of the thread pool."),
    SETTING(userstat, "1 when the server keeps statistics of users and clients (MariaDB)."),
    SETTING(wait_timeout, "seconds after which an idle client is cut off."),
};
/* clang-format on */

const size_t variable_count = sizeof(variable_table) / sizeof(variable_table[0]);
static_assert(sizeof(variable_table) / sizeof(variable_table[0]) <= VARIABLE_MAX, "VARIABLE_MAX is too small");

/* Below, at or above zero, as the row comes before the one looked for, is it, or comes after it. */
static int compare_row(const struct variable *row, enum variable_source source, struct span name) {
    if (row->source != source)
        return row->source < source ? -1 : 1;
    int order = strncasecmp(row->name, name.ptr, name.len);
    return order == 0 && row->name[name.len] != '\0' ? 1 : order;
}

static int search(enum variable_source source, struct span name) {
    size_t low = 0, high = variable_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_row(&variable_table[middle], source, name);
        if (order == 0)
            return (int)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* The same few names are looked for with each poll of each target, so where one like it was found last is tried first.
 * Hardly two of the table's are alike by this, and those take turns. */
int variable_find(enum variable_source source, struct span name) {
    static uint8_t found[256];
    if (name.len == 0 || memchr(name.ptr, '\0', name.len))
        return -1;
    unsigned char first = (unsigned char)name.ptr[0], last = (unsigned char)name.ptr[name.len - 1];
    uint8_t *place = &found[(3 * name.len + 27U * first + 19U * last + source) % sizeof found];
    if (compare_row(&variable_table[*place], source, name) == 0)
        return *place;
    int row = search(source, name);
    if (row >= 0)
        *place = (uint8_t)row;
    return row;
}

int variable_parse(struct span text, double *out) {
    static const struct {
        const char *word;
        double value;
    } words[] = {{"ON", 1}, {"OFF", 0}, {"YES", 1}, {"NO", 0}, {"TRUE", 1}, {"FALSE", 0}, {"DISABLED", 0}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text.len == strlen(words[i].word) && strncasecmp(text.ptr, words[i].word, text.len) == 0) {
            *out = words[i].value;
            return 0;
        }
    /* What is out of range for a double is no value that we could show either. */
    return number_parse_double(text, out) == 0 ? 0 : -EINVAL;
}

int variable_read(int row, struct span text, double *out) {
    return variable_table[row].parse ? variable_table[row].parse(text, out) : variable_parse(text, out);
}
