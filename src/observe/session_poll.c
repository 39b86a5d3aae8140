/*
 * Asking for sessions and errors; see session_poll.h. What the queries cost the server is in the README.
 */
#include "observe/session_poll.h"

#include "base/number.h"
#include "observe/host_cache_poll.h"
#include "observe/privileges.h"
#include "observe/userstat_poll.h"

#include <string.h>

enum {
    SQL_MAX = 4096,
    IDS_MAX = 32, /* new sessions that are asked for one by one; for more of them all rows come cheaper */
    TIME_MAX = 1000000000,
};

#define LOOK_AGAIN_NS (600 * NS_PER_S)

struct session_poll {
    struct target *target;
    struct client *client;
    const struct observer *observer;
    bool mariadb, has_error_summary;
};

static bool version_from(const char *version, uint64_t major) {
    uint64_t found;
    struct span number = {version, strspn(version, "0123456789")};
    return number_parse_u64(number, UINT32_MAX, &found) == 0 && found >= major;
}

static enum evidence_state query(const struct session_poll *poll, const char *sql, client_row_fn *on_row) {
    struct failure failure = {0};
    if (client_query(poll->client, sql, on_row, poll->target, &failure) == 0)
        return EVIDENCE_SEEN;
    return failure.code > 0 ? evidence_of_error((unsigned)failure.code) : EVIDENCE_FAILED;
}

static bool may_go_on(const struct session_poll *poll) {
    return client_connected(poll->client) && !target_stopping(poll->target);
}

static bool performance_schema_on(const struct target *target) {
    return target_setting(target, "performance_schema") == 1;
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

/* Below 0 after the server's clock was set. */
static int64_t parse_seconds(struct span text) {
    double value = 0;
    if (!text.ptr || number_parse_double(text, &value) < 0 || value <= 0)
        return 0;
    return value < TIME_MAX ? (int64_t)(value * (double)NS_PER_S) : TIME_MAX * NS_PER_S;
}

static void transaction_row(void *arg, const struct span *fields, unsigned count) {
    struct target *target = arg;
    uint64_t id;
    if (count >= 1 && parse_id(fields[0], &id))
        sessions_transaction(target->sessions, id);
}

static void session_row(void *arg, const struct span *f, unsigned count) {
    struct target *target = arg;
    struct session_row row = {0};
    if (count < 7 || !parse_id(f[0], &row.id))
        return;
    row.user = f[1];
    row.host = f[2];
    row.db = f[3];
    row.command = f[4];
    row.time_ns = parse_seconds(f[5]);
    row.state = f[6];
    row.own = row.id == target->evidence_connection;
    sessions_add(target->sessions, &row);
}

/* MySQL's newer table holds no lock that new connections wait for. Elsewhere SHOW costs a tenth of
 * information_schema.PROCESSLIST, for which the server makes a table each time. */
static enum evidence_state query_list(const struct session_poll *poll) {
    struct target *target = poll->target;
    enum evidence_state state = EVIDENCE_UNSUPPORTED;
    if (!poll->mariadb && performance_schema_on(target) && !target->old_process_list)
        state =
            query(poll, "SELECT ID,USER,HOST,DB,COMMAND,TIME,STATE FROM performance_schema.processlist", session_row);
    target->old_process_list = state == EVIDENCE_UNSUPPORTED;
    return target->old_process_list ? query(poll, "SHOW PROCESSLIST", session_row) : state;
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
    uint64_t ids[IDS_MAX] = {0};
    size_t count = sessions_unasked(target->sessions, ids, IDS_MAX);
    struct strbuf sql;
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
    if (target->evidence[EVIDENCE_ATTRIBUTES] == EVIDENCE_SEEN)
        sessions_attributes_read(target->sessions);
}

/* At every poll, or at some: the nearest one to when it is due. */
static bool sessions_due(const struct target *target) {
    return mono_before(target->sessions_due, mono_add(mono_now(), target->config->poll.interval_ns / 2));
}

static void begin_pass(struct target *target) {
    const struct limits_config *l = &target->limits;
    struct session_limits limits = {l->sessions_per_target, l->users_per_target, l->hosts_per_target,
                                    l->drivers_per_target};
    double wait_timeout_s = target_setting(target, "wait_timeout");
    sessions_begin(target->sessions, &limits, wait_timeout_s > 0 ? (int64_t)(wait_timeout_s * (double)NS_PER_S) : 0,
                   wall_now_ns());
}

static void poll_sessions(const struct session_poll *poll) {
    struct target *target = poll->target;
    enum evidence_state *transactions = &target->evidence[EVIDENCE_TRANSACTIONS];
    if (!worth_asking(target, EVIDENCE_SESSIONS) || !sessions_due(target))
        return;
    if (!target->sessions)
        target->sessions = sessions_new();
    if (!target->sessions)
        return;
    if (target->config->sessions_interval_ns != DURATION_NOT_GIVEN)
        target->sessions_due = mono_add(mono_now(), target->config->sessions_interval_ns);
    begin_pass(target);
    if (worth_asking(target, EVIDENCE_TRANSACTIONS))
        *transactions = query(poll, "SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX", transaction_row);
    if (!may_go_on(poll)) /* else nobody would be there */
        return;
    target->evidence[EVIDENCE_SESSIONS] = query_list(poll);
    if (target->evidence[EVIDENCE_SESSIONS] != EVIDENCE_SEEN)
        return;
    if (may_go_on(poll))
        ask_attributes(poll);
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
    if (!target->server_errors)
        target->server_errors = server_errors_new();
    if (!target->server_errors)
        return;
    target->evidence[EVIDENCE_ERRORS] = query_errors(poll);
    size_t count = server_errors_asked(target->server_errors, codes);
    if (!may_go_on(poll))
        return;
    /* Once on each connection in any case, to know whether we may. */
    if (worth_asking(target, EVIDENCE_ERROR_ACCOUNTS) && (count > 0 || *accounts != EVIDENCE_SEEN))
        *accounts = count > 0 ? query_accounts(poll, codes, count) : query_accounts(poll, server_error_codes, 1);
    if (target->evidence[EVIDENCE_ERRORS] != EVIDENCE_SEEN)
        return;
    server_errors_end(target->server_errors, *accounts == EVIDENCE_SEEN, *accounts == EVIDENCE_FAILED, wall_now_ns(),
                      on_error, poll);
}

/* --- what we may --- */

static void need(struct target *target, enum evidence_kind kind, bool allowed) {
    if (!allowed)
        target->evidence[kind] = EVIDENCE_NO_PRIVILEGE;
}

/* A query that is refused would be counted, so none is sent that would be. */
static bool ask_privileges(const struct session_poll *poll) {
    struct target *target = poll->target;
    struct privileges may;
    bool known = privileges_ask(poll->client, poll->mariadb, &may) == 0;
    for (int i = 0; i < EVIDENCE_COUNT; i++)
        target->evidence[i] = known ? EVIDENCE_UNTRIED : EVIDENCE_FAILED;
    if (!known)
        return false;
    need(target, EVIDENCE_SESSIONS, may.process);
    need(target, EVIDENCE_TRANSACTIONS, may.process);
    need(target, EVIDENCE_ATTRIBUTES, may.table[TABLE_CONNECT_ATTRS]);
    need(target, EVIDENCE_ERRORS, may.table[TABLE_ERRORS_GLOBAL]);
    need(target, EVIDENCE_HOST_CACHE, may.table[TABLE_HOST_CACHE]);
    need(target, EVIDENCE_ERROR_ACCOUNTS, may.table[TABLE_ACCOUNTS] && may.table[TABLE_ERRORS_BY_ACCOUNT]);
    target->old_process_list = false;
    target->sessions_due = mono_now();
    target->evidence_connection = client_connection_id(poll->client);
    return true;
}

/* Performance schema off, or a server without such tables: that is what is missing, not a privilege. */
static void note_settings(const struct session_poll *poll) {
    enum evidence_state *evidence = poll->target->evidence;
    if (!performance_schema_on(poll->target))
        evidence[EVIDENCE_ATTRIBUTES] = evidence[EVIDENCE_ERRORS] = evidence[EVIDENCE_ERROR_ACCOUNTS] =
            EVIDENCE_DISABLED;
    if (!poll->has_error_summary)
        evidence[EVIDENCE_ERRORS] = evidence[EVIDENCE_ERROR_ACCOUNTS] = EVIDENCE_UNSUPPORTED;
}

static void look(struct session_poll *poll) {
    struct target *target = poll->target;
    if (target->evidence_connection != client_connection_id(poll->client) && !ask_privileges(poll))
        return;
    note_settings(poll);
    /* In this order: whose abort the sums have is most often in the list no more. */
    if (may_go_on(poll))
        poll_errors(poll);
    if (may_go_on(poll))
        poll_sessions(poll);
    if (may_go_on(poll))
        host_cache_poll(target, poll->client);
    if (may_go_on(poll))
        userstat_poll(target, poll->client);
}

/* Ids and sums begin again with each start of the server; another server has its own. */
static void note_other_lives(struct target *target) {
    bool other = target->others_seen != target->poll.others, anew = target->restarts_seen != target->poll.restarts;
    target->restarts_seen = target->poll.restarts;
    target->others_seen = target->poll.others;
    if (!anew && !other)
        return;
    if (target->sessions)
        sessions_restarted(target->sessions);
    if (target->server_errors)
        (other ? server_errors_forget : server_errors_restarted)(target->server_errors);
    target->sessions_due = mono_now();
}

void session_poll(struct target *target, struct client *client, const struct observer *observer) {
    const struct target_config *config = target->config;
    struct session_poll poll = {.target = target, .client = client, .observer = observer};
    struct mono report = mono_add(mono_now(), config->poll.timeout_ns);
    if (mono_before(mono_now(), target->look_after))
        return;
    poll.mariadb = strstr(target->poll.version, "MariaDB") != NULL;
    poll.has_error_summary = !poll.mariadb && version_from(target->poll.version, 8);
    client_set_deadline(client,
                        &(struct client_deadline){report, mono_add(report, config->probe_grace_ns), NULL, NULL});
    note_other_lives(target);
    look(&poll);
    if (client_self_aborted(client)) /* it took too long: each such look costs the server an aborted connection */
        target->look_after = mono_add(mono_now(), LOOK_AGAIN_NS);
}
