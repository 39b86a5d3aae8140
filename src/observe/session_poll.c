/*
 * Asking for sessions and errors; see session_poll.h. What the queries cost the server is in the README.
 */
#include "observe/session_poll.h"

#include "base/number.h"

#include <math.h>
#include <string.h>

enum {
    SQL_MAX = 4096,
    IDS_MAX = 32, /* new sessions that are asked for one by one; for more of them all rows come cheaper */
    TIME_MAX = 1000000000,
};

struct session_poll {
    struct target *target;
    struct client *client;
    const struct observer *observer;
    bool mariadb;
};

static enum evidence_state query(const struct session_poll *poll, const char *sql, client_row_fn *on_row) {
    struct failure failure = {0};
    if (client_query(poll->client, sql, on_row, poll->target, &failure) == 0)
        return EVIDENCE_SEEN;
    return failure.code > 0 ? evidence_of_error((unsigned)failure.code) : EVIDENCE_FAILED;
}

static double setting(const struct target *target, const char *name) {
    int row = variable_find(VARIABLE_SETTING, span_of(name));
    return row < 0 ? NAN : target->poll.value[row];
}

static bool performance_schema_on(const struct target *target) {
    return setting(target, "performance_schema") == 1;
}

/* Whether there is a point in asking. */
static bool worth_asking(const struct target *target, enum evidence_kind kind) {
    enum evidence_state state = target->evidence[kind];
    return state == EVIDENCE_UNTRIED || state == EVIDENCE_SEEN || state == EVIDENCE_FAILED;
}

/* --- the process list --- */

static bool parse_id(struct span text, uint64_t *out) {
    return text.ptr && number_parse_u64(text, UINT64_MAX, out) == 0;
}

/* In seconds, or milliseconds with a fraction; below 0 after the server's clock was set. */
static int64_t parse_time(struct span text, double unit_ns) {
    double value = 0;
    if (!text.ptr || number_parse_double(text, &value) < 0 || value <= 0)
        return 0;
    value *= unit_ns;
    return value < (double)TIME_MAX * (double)NS_PER_S ? (int64_t)value : TIME_MAX * NS_PER_S;
}

static void session_row(struct target *target, const struct span *f, unsigned count, double unit_ns) {
    struct session_row row = {0};
    if (count < 7 || !parse_id(f[0], &row.id))
        return;
    row.user = f[1];
    row.host = f[2];
    row.db = f[3];
    row.command = f[4];
    row.time_ns = parse_time(f[5], unit_ns);
    row.in_transaction = span_is(f[6], "1");
    sessions_add(target->sessions, &row);
}

static void row_in_seconds(void *arg, const struct span *fields, unsigned count) {
    session_row(arg, fields, count, (double)NS_PER_S);
}

static void row_in_milliseconds(void *arg, const struct span *fields, unsigned count) {
    session_row(arg, fields, count, (double)NS_PER_MS);
}

static enum evidence_state query_list(const struct session_poll *poll, const char *table, bool transactions) {
    struct target *target = poll->target;
    struct strbuf sql;
    struct session_limits limits = {target->limits.sessions_per_target, target->limits.users_per_target,
                                    target->limits.drivers_per_target};
    double wait_timeout_s = setting(target, "wait_timeout");
    sessions_begin(target->sessions, &limits, wait_timeout_s > 0 ? (int64_t)(wait_timeout_s * (double)NS_PER_S) : 0,
                   wall_now_ns());
    strbuf_init(&sql, SQL_MAX);
    strbuf_addf(&sql, "SELECT p.ID,p.USER,p.HOST,p.DB,p.COMMAND,p.%s,%s FROM %s p%s",
                poll->mariadb ? "TIME_MS" : "TIME", transactions ? "t.trx_id IS NOT NULL" : "0", table,
                transactions ? " LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id=p.ID" : "");
    enum evidence_state state = query(poll, strbuf_text(&sql), poll->mariadb ? row_in_milliseconds : row_in_seconds);
    strbuf_release(&sql);
    return state;
}

/* Without PROCESS the list is of our own sessions only, which the transactions' refusal tells. */
static enum evidence_state query_sessions(const struct session_poll *poll) {
    struct target *target = poll->target;
    enum evidence_state *transactions = &target->evidence[EVIDENCE_TRANSACTIONS];
    static const char *const tables[] = {"performance_schema.processlist", "information_schema.PROCESSLIST"};
    enum evidence_state state = EVIDENCE_UNSUPPORTED;
    /* MySQL's newer table holds no lock that new connections wait for. */
    if (!poll->mariadb && performance_schema_on(target) && !target->old_process_list)
        state = query_list(poll, tables[0], worth_asking(target, EVIDENCE_TRANSACTIONS));
    target->old_process_list = state == EVIDENCE_UNSUPPORTED;
    if (target->old_process_list)
        state = query_list(poll, tables[1], worth_asking(target, EVIDENCE_TRANSACTIONS));
    if (state == EVIDENCE_UNSUPPORTED && worth_asking(target, EVIDENCE_TRANSACTIONS)) { /* a server without InnoDB */
        *transactions = EVIDENCE_UNSUPPORTED;
        state = query_list(poll, tables[1], false);
    } else if (*transactions != EVIDENCE_UNSUPPORTED) {
        *transactions = state;
    }
    return state;
}

/* --- what clients announced --- */

static void attribute_row(void *arg, const struct span *fields, unsigned count) {
    struct target *target = arg;
    uint64_t id;
    if (count >= 3 && parse_id(fields[0], &id))
        sessions_attribute(target->sessions, id, fields[1], fields[2]);
}

static void ask_attributes(const struct session_poll *poll) {
    struct target *target = poll->target;
    /* Where the sessions are not seen, none's: to know whether we might. */
    bool seen = target->evidence[EVIDENCE_SESSIONS] == EVIDENCE_SEEN;
    uint64_t ids[IDS_MAX] = {0};
    size_t count = seen ? sessions_unasked(target->sessions, ids, IDS_MAX)
                        : target->evidence[EVIDENCE_ATTRIBUTES] == EVIDENCE_UNTRIED;
    struct strbuf sql;
    if (!performance_schema_on(target))
        target->evidence[EVIDENCE_ATTRIBUTES] = EVIDENCE_DISABLED;
    if (count == 0 || !worth_asking(target, EVIDENCE_ATTRIBUTES))
        return;
    strbuf_init(&sql, SQL_MAX);
    strbuf_addstr(&sql, "SELECT PROCESSLIST_ID,ATTR_NAME,ATTR_VALUE FROM performance_schema.session_connect_attrs "
                        "WHERE ATTR_NAME IN ('_client_name','_client_version','program_name')");
    for (size_t i = 0; i < count && count <= IDS_MAX; i++)
        strbuf_addf(&sql, "%s%llu", i ? "," : " AND PROCESSLIST_ID IN (", (unsigned long long)ids[i]);
    if (count <= IDS_MAX)
        strbuf_addch(&sql, ')');
    target->evidence[EVIDENCE_ATTRIBUTES] = query(poll, strbuf_text(&sql), attribute_row);
    strbuf_release(&sql);
    if (seen && target->evidence[EVIDENCE_ATTRIBUTES] == EVIDENCE_SEEN)
        sessions_attributes_read(target->sessions);
}

static void poll_sessions(const struct session_poll *poll) {
    struct target *target = poll->target;
    if (!worth_asking(target, EVIDENCE_SESSIONS))
        return;
    if (!target->sessions)
        target->sessions = sessions_new();
    if (!target->sessions)
        return;
    if (target->restarts_seen != target->poll.restarts)
        sessions_restarted(target->sessions);
    target->evidence[EVIDENCE_SESSIONS] = query_sessions(poll);
    if (client_connected(poll->client))
        ask_attributes(poll);
    if (target->evidence[EVIDENCE_SESSIONS] == EVIDENCE_SEEN)
        sessions_end(target->sessions);
}

/* --- errors --- */

static void global_error_row(void *arg, const struct span *fields, unsigned count) {
    struct target *target = arg;
    uint64_t code, sum;
    if (count >= 2 && parse_id(fields[0], &code) && parse_id(fields[1], &sum))
        server_errors_global(target->server_errors, (unsigned)code, sum);
}

static void account_error_row(void *arg, const struct span *fields, unsigned count) {
    struct target *target = arg;
    uint64_t code, sum;
    if (count >= 4 && parse_id(fields[2], &code) && parse_id(fields[3], &sum))
        server_errors_account(target->server_errors, fields[0], fields[1], (unsigned)code, sum);
}

static void add_codes(struct strbuf *sql, const unsigned *codes, size_t count, const char *before) {
    for (size_t i = 0; i < count; i++)
        strbuf_addf(sql, "%s%u", i ? before : "", codes[i]);
}

static enum evidence_state query_errors(const struct session_poll *poll) {
    struct strbuf sql;
    strbuf_init(&sql, SQL_MAX);
    strbuf_addstr(&sql, "SELECT ERROR_NUMBER,SUM_ERROR_RAISED FROM "
                        "performance_schema.events_errors_summary_global_by_error WHERE ERROR_NUMBER IN (");
    add_codes(&sql, server_error_codes, SERVER_ERROR_CODE_COUNT, ",");
    strbuf_addch(&sql, ')');
    enum evidence_state state = query(poll, strbuf_text(&sql), global_error_row);
    strbuf_release(&sql);
    return state;
}

/* The summary by account has a row for each account and each of 5000 errors, each of which the server adds up over all
 * threads when it is read: so it is read by its index, row for row. */
static enum evidence_state query_accounts(const struct session_poll *poll, const unsigned *codes, size_t count) {
    struct strbuf sql;
    strbuf_init(&sql, SQL_MAX);
    strbuf_addstr(&sql, "SELECT STRAIGHT_JOIN e.USER,e.HOST,e.ERROR_NUMBER,e.SUM_ERROR_RAISED FROM "
                        "performance_schema.accounts a JOIN (SELECT 0 code UNION ALL SELECT ");
    add_codes(&sql, codes, count, " UNION ALL SELECT ");
    strbuf_addstr(&sql, ") c JOIN performance_schema.events_errors_summary_by_account_by_error e ON "
                        "e.USER<=>a.USER AND e.HOST<=>a.HOST AND e.ERROR_NUMBER=c.code WHERE e.SUM_ERROR_RAISED>0");
    enum evidence_state state = query(poll, strbuf_text(&sql), account_error_row);
    strbuf_release(&sql);
    return state;
}

static void on_error(void *arg, const struct server_error *error) {
    const struct session_poll *poll = arg;
    if (poll->observer->server_error)
        poll->observer->server_error(poll->observer->arg, poll->target, error);
}

static void poll_errors(struct session_poll *poll) {
    struct target *target = poll->target;
    enum evidence_state *accounts = &target->evidence[EVIDENCE_ERROR_ACCOUNTS];
    unsigned codes[SERVER_ERROR_CODE_COUNT];
    if (!worth_asking(target, EVIDENCE_ERRORS))
        return;
    if (poll->mariadb || !performance_schema_on(target)) {
        *accounts = target->evidence[EVIDENCE_ERRORS] = poll->mariadb ? EVIDENCE_UNSUPPORTED : EVIDENCE_DISABLED;
        return;
    }
    if (!target->server_errors)
        target->server_errors = server_errors_new();
    if (!target->server_errors)
        return;
    if (target->restarts_seen != target->poll.restarts)
        server_errors_restarted(target->server_errors);
    target->evidence[EVIDENCE_ERRORS] = query_errors(poll);
    size_t count = server_errors_asked(target->server_errors, codes);
    /* Once on each connection in any case, to know whether we may. */
    if (worth_asking(target, EVIDENCE_ERROR_ACCOUNTS) && (count > 0 || *accounts != EVIDENCE_SEEN))
        *accounts = count > 0 ? query_accounts(poll, codes, count) : query_accounts(poll, server_error_codes, 1);
    if (target->evidence[EVIDENCE_ERRORS] != EVIDENCE_SEEN)
        return;
    server_errors_end(target->server_errors, *accounts == EVIDENCE_SEEN, *accounts == EVIDENCE_FAILED, wall_now_ns(),
                      on_error, poll);
}

void session_poll(struct target *target, struct client *client, const struct observer *observer) {
    const struct target_config *config = target->config;
    struct session_poll poll = {target, client, observer, strstr(target->poll.version, "MariaDB") != NULL};
    struct mono report = mono_add(mono_now(), config->poll.timeout_ns);
    client_set_deadline(client,
                        &(struct client_deadline){report, mono_add(report, config->probe_grace_ns), NULL, NULL});
    if (target->evidence_connection != client_connection_id(client)) {
        memset(target->evidence, 0, sizeof target->evidence);
        target->old_process_list = false;
        target->evidence_connection = client_connection_id(client);
    }
    poll_sessions(&poll);
    if (client_connected(client))
        poll_errors(&poll);
    target->restarts_seen = target->poll.restarts;
}
