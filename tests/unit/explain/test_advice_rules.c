/*
 * The rules of advice, each against facts that raise it and facts that just do not: of a server where all is well none
 * is raised, and what is changed in its facts raises that rule alone, with the numbers in its evidence.
 */
#include "explain/advice_rules.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A MariaDB where all can be seen and nothing is wrong. */
static void make_well(struct advice_facts *f) {
    advice_facts_init(f);
    f->health = TARGET_UP;
    f->flavour = SERVER_MARIADB;
    f->user = "mysqlconn";
    f->recent.window_ns = 60 * NS_PER_S;
    f->drivers = calloc(driver_count, sizeof *f->drivers);
    assert_non_null(f->drivers);
    f->wait_timeout = f->interactive_timeout = 600;
    f->max_connections = 100;
    f->max_allowed_packet = 16 * 0x1p20;
    f->net_read_timeout = 30;
    f->net_write_timeout = 60;
    f->skip_name_resolve = 1;
    f->performance_schema = 1;
    f->log_warnings = 2;
    f->recent.most_connections = 50;
    f->recent.count[COUNT_POLLS] = 4;
    f->recent.count[COUNT_CONNECTED] = 4 * 21;
    f->recent.count[COUNT_CONNECTIONS] = 30;
    f->recent.count[COUNT_PROBES] = 100;
    f->sessions_seen = f->transactions_seen = true;
    f->sessions = (struct session_sums){.sessions = 21, .sleeping = 20};
    for (int i = 0; i < EVIDENCE_COUNT; i++)
        f->evidence[i] = EVIDENCE_SEEN;
    f->evidence[EVIDENCE_ERRORS] = f->evidence[EVIDENCE_ERROR_ACCOUNTS] = EVIDENCE_UNSUPPORTED;
    f->log_configured = f->log_readable = true;
    f->log_name = "/var/log/mysql/error.log";
    f->log_sight = LOG_SIGHT_GOOD;
    f->recent.hosts = (struct advice_hosts){.known = true, .max_connect_errors = 100, .nearest_errors = 3};
}

static void make_mysql(struct advice_facts *f) {
    f->flavour = SERVER_MYSQL;
    f->log_warnings = NAN;
    f->log_error_verbosity = 3;
    f->evidence[EVIDENCE_ERRORS] = f->evidence[EVIDENCE_ERROR_ACCOUNTS] = EVIDENCE_SEEN;
}

static size_t row_of(const char *id) {
    for (size_t i = 0; i < driver_count; i++)
        if (strcmp(driver_table[i].id, id) == 0)
            return i;
    fail_msg("no driver %s", id);
    return 0;
}

/* clang-format off */
#define CHANGE(name) static void name(struct advice_facts *f)
CHANGE(down) {
    f->health = TARGET_DOWN;
    f->down = (struct failure){FAILURE_REFUSED, PHASE_CONNECT, 2002, "Can't connect to 'db1'"};
    f->log_sight = LOG_SIGHT_UNKNOWN;
    f->performance_schema = f->wait_timeout = f->interactive_timeout = f->max_connections = NAN;
    f->sessions_seen = f->transactions_seen = false;
    memset(f->evidence, 0, sizeof f->evidence);
}
CHANGE(untried) { down(f); f->health = TARGET_UNTRIED; }
CHANGE(refused_1040) { f->recent.aborts[CAUSE_TOO_MANY_CONNECTIONS] = 3; }
CHANGE(nearly_full) { f->recent.most_connections = 80; }
CHANGE(full) { f->recent.most_connections = 95; }
CHANGE(room) { f->recent.most_connections = 79; }
CHANGE(room_unknown) { f->recent.most_connections = 95; f->max_connections = NAN; }
CHANGE(host_blocked) {
    f->recent.hosts.blocked = 1;
    f->recent.hosts.nearest_errors = 100;
    snprintf(f->recent.hosts.nearest, sizeof f->recent.hosts.nearest, "10.0.0.7");
}
CHANGE(host_refused) { f->recent.hosts.known = false; f->recent.aborts[CAUSE_HOST_BLOCKED] = 2; }
CHANGE(host_near) { f->recent.hosts.near = 2; }
CHANGE(hosts_unknown) { f->recent.hosts = (struct advice_hosts){.blocked = 1}; }
CHANGE(resources) { f->recent.aborts[CAUSE_SERVER_RESOURCES] = 1; }
CHANGE(idle_cut) { f->recent.aborts[CAUSE_IDLE_TIMEOUT] = 7; f->recent.last_client[CAUSE_IDLE_TIMEOUT] = "app@10.0.0.7, connection 42"; }
CHANGE(idle_cut_after_hours) { f->recent.aborts[CAUSE_IDLE_TIMEOUT] = 1; f->wait_timeout = f->interactive_timeout = 28800; }
CHANGE(near_timeout) { f->sessions.near_timeout = 2; strbuf_addstr(&f->sleepers, "2 of app@10.0.0.7 (pymysql 1.0.2)"); }
CHANGE(near_timeout_unseen) { near_timeout(f); f->sessions_seen = f->transactions_seen = false; }
CHANGE(idle_transaction) { f->sessions.idle_in_transaction = 2; f->sessions.longest_idle_in_transaction_ns = 10 * NS_PER_S; }
CHANGE(long_idle_transaction) { f->sessions.idle_in_transaction = 1; f->sessions.longest_idle_in_transaction_ns = 60 * NS_PER_S; }
CHANGE(short_idle_transaction) { f->sessions.idle_in_transaction = 9; f->sessions.longest_idle_in_transaction_ns = 10 * NS_PER_S - 1; }
CHANGE(path_cut) { f->recent.count[COUNT_PATH_CUTS] = 1; f->cut_after_ns = 300 * NS_PER_S; }
CHANGE(old_path_cut) { f->cut_after_ns = 300 * NS_PER_S; }
CHANGE(some_vanish) { f->recent.aborts[CAUSE_CLIENT_VANISHED] = 9; }
CHANGE(many_vanish) { f->recent.aborts[CAUSE_CLIENT_VANISHED] = 10; }
CHANGE(self_only) { f->recent.aborts[CAUSE_SELF] = 100; f->recent.aborts[CAUSE_NO_ABORT] = 100; f->recent.aborts[CAUSE_RELEASED] = 5; }
CHANGE(mid_result) { f->recent.aborts[CAUSE_LEFT_MID_RESULT] = 1; }
CHANGE(too_large) { f->recent.aborts[CAUSE_PACKET_TOO_LARGE] = 1; }
CHANGE(stalls_sending) { f->recent.aborts[CAUSE_READ_TIMEOUT] = 1; }
CHANGE(stalls_reading) { f->recent.aborts[CAUSE_WRITE_TIMEOUT] = 2; }
CHANGE(lossy) { f->recent.count[COUNT_RETRANSMISSIONS] = 10; }
CHANGE(a_little_lossy) { f->recent.count[COUNT_RETRANSMISSIONS] = 3; }
CHANGE(not_lossy) { f->recent.count[COUNT_RETRANSMISSIONS] = 2; }
CHANGE(queue_full) { f->sockets_seen = true; f->accept_queue = 64; f->accept_queue_limit = 128; f->back_log = 151; }
CHANGE(queue_overflows) { f->recent.count[COUNT_LISTEN_OVERFLOWS] = 5; f->recent.count[COUNT_LISTEN_DROPS] = 3; }
CHANGE(queue_of_another_overflows) { f->recent.count[COUNT_LISTEN_OVERFLOWS] = 3; f->sockets_seen = true; f->accept_queue_limit = 128; }
CHANGE(socket_drops_something_else) { f->recent.count[COUNT_LISTEN_DROPS] = 3; }
CHANGE(queue_short) { f->sockets_seen = true; f->accept_queue = 63; f->accept_queue_limit = 128; }
CHANGE(queue_of_unknown_limit) { f->sockets_seen = true; f->accept_queue = 63; }
CHANGE(many_wait) { f->sockets_seen = true; f->time_wait = 10000; }
CHANGE(some_wait) { f->sockets_seen = true; f->time_wait = 9999; f->close_wait = 4; }
CHANGE(clients_gone) { f->sockets_seen = true; f->close_wait = 5; }
CHANGE(sockets_unseen) { f->time_wait = 20000; f->close_wait = 50; f->accept_queue = f->accept_queue_limit = 9; }
CHANGE(churn) { f->recent.count[COUNT_CONNECTIONS] = 600; } /* 10 a second, 20 at a time: 2 s each */
CHANGE(churn_of_few) { f->recent.count[COUNT_CONNECTIONS] = 119; } /* less than 2 a second */
CHANGE(long_lived) { f->recent.count[COUNT_CONNECTIONS] = 600; f->recent.count[COUNT_CONNECTED] = 4 * 102; }
CHANGE(churn_too_soon_to_tell) { f->recent.count[COUNT_CONNECTIONS] = 49; f->recent.window_ns = NS_PER_S; }
CHANGE(mysql2_connected) { f->drivers[row_of("node-mysql2-close")] = (struct advice_driver){.sessions = 4, .version = "3.11.0"}; }
CHANGE(mysql2_aborted) { f->drivers[row_of("node-mysql2-close")] = (struct advice_driver){.aborts = 2, .version = "3.11.0"}; }
CHANGE(pymysql_connected) { f->drivers[row_of("pymysql-not-closed")] = (struct advice_driver){.sessions = 4, .version = "1.0.2"}; }
CHANGE(pymysql_aborted) { f->drivers[row_of("pymysql-not-closed")] = (struct advice_driver){.aborts = 1, .version = "1.0.2"}; }
CHANGE(denied) { f->recent.aborts[CAUSE_ACCESS_DENIED] = 1; }
CHANGE(denied_often) { f->recent.aborts[CAUSE_ACCESS_DENIED] = 5; f->recent.aborts[CAUSE_UNKNOWN_DATABASE] = 5; }
CHANGE(user_limit) { f->recent.aborts[CAUSE_USER_LIMIT] = 1; }
CHANGE(init_connect) { f->recent.aborts[CAUSE_INIT_CONNECT] = 1; }
CHANGE(tls) { f->recent.aborts[CAUSE_TLS_FAILURE] = 1; }
CHANGE(health_checks) { f->recent.aborts[CAUSE_HEALTH_CHECK] = 1000; }
CHANGE(before_login) { f->recent.aborts[CAUSE_BEFORE_LOGIN] = 1; }
CHANGE(protocol) { f->recent.aborts[CAUSE_PROTOCOL_ERROR] = 10; }
CHANGE(killed) { f->recent.aborts[CAUSE_KILLED] = 1; }
CHANGE(names_fail) { f->skip_name_resolve = 0; f->recent.count[COUNT_DNS_LINES] = 3; }
CHANGE(names_fail_in_cache) { f->skip_name_resolve = 0; f->recent.count[COUNT_HOST_NAME_ERRORS] = 3; }
CHANGE(names_slow) { f->skip_name_resolve = 0; f->recent.count[COUNT_SLOW_GREETINGS] = 2; }
CHANGE(names_well) { f->skip_name_resolve = 0; }
CHANGE(slow_without_names) { f->recent.count[COUNT_SLOW_GREETINGS] = 2; f->recent.count[COUNT_DNS_LINES] = 1; }
CHANGE(timeouts_differ) { f->interactive_timeout = 28800; }
CHANGE(timeout_unknown) { f->interactive_timeout = NAN; }
CHANGE(own) { f->recent.count[COUNT_SELF_ABORTS] = 1; }
CHANGE(no_log) { f->log_configured = f->log_readable = false; }
CHANGE(no_log_unexplained) { no_log(f); f->recent.count[COUNT_UNEXPLAINED] = 4; f->recent.count[COUNT_COUNTED_ABORTS] = 4; }
CHANGE(no_log_on_mysql) { make_mysql(f); no_log(f); }
CHANGE(no_log_on_mysql_unseen) { no_log_on_mysql(f); f->evidence[EVIDENCE_ERRORS] = EVIDENCE_UNTRIED; }
CHANGE(no_log_on_mysql_unexplained) { no_log_on_mysql(f); f->recent.count[COUNT_UNEXPLAINED] = 1; }
CHANGE(log_dropped) { f->recent.count[COUNT_LOG_MISSED] = 1; }
CHANGE(log_gaps) { f->recent.count[COUNT_LOG_GAPS] = 2; }
CHANGE(log_unreadable) { f->log_readable = false; f->log_reason = "permission"; }
CHANGE(log_not_tried_yet) { f->log_readable = false; }
CHANGE(level_low) { f->log_warnings = 1; f->log_sight = LOG_SIGHT_LEVEL; }
CHANGE(level_low_on_mysql) { make_mysql(f); f->log_error_verbosity = 2; f->log_sight = LOG_SIGHT_LEVEL; }
CHANGE(level_low_on_mysql_unseen) { level_low_on_mysql(f); f->evidence[EVIDENCE_ERRORS] = EVIDENCE_FAILED; }
CHANGE(level_low_unexplained) { level_low(f); f->recent.count[COUNT_UNEXPLAINED] = 3; }
CHANGE(log_suppressed) { make_mysql(f); f->log_sight = LOG_SIGHT_SUPPRESSED; }
CHANGE(log_filtered) { make_mysql(f); f->log_sight = LOG_SIGHT_FILTERED; }
CHANGE(level_unknown) { f->log_sight = LOG_SIGHT_UNKNOWN; }
CHANGE(unexplained) { f->recent.count[COUNT_UNEXPLAINED] = 5; f->recent.count[COUNT_COUNTED_ABORTS] = 25; }
CHANGE(few_unexplained) { f->recent.count[COUNT_UNEXPLAINED] = 4; f->recent.count[COUNT_COUNTED_ABORTS] = 4; }
CHANGE(small_share_unexplained) { f->recent.count[COUNT_UNEXPLAINED] = 5; f->recent.count[COUNT_COUNTED_ABORTS] = 26; }
CHANGE(no_process) { f->evidence[EVIDENCE_SESSIONS] = f->evidence[EVIDENCE_TRANSACTIONS] = EVIDENCE_NO_PRIVILEGE; f->sessions_seen = f->transactions_seen = false; }
CHANGE(no_accounts) { make_mysql(f); f->evidence[EVIDENCE_ERROR_ACCOUNTS] = EVIDENCE_NO_PRIVILEGE; }
CHANGE(evidence_failed) { f->evidence[EVIDENCE_SESSIONS] = EVIDENCE_FAILED; }
CHANGE(schema_off) { f->performance_schema = 0; f->evidence[EVIDENCE_ATTRIBUTES] = EVIDENCE_DISABLED; }
CHANGE(schema_unknown) { f->performance_schema = NAN; }

static const struct row {
    const char *rule;
    void (*change)(struct advice_facts *f);
    enum advice_severity severity; /* SEVERITY_NONE: nothing at all is raised */
    const char *evidence, *to_do;  /* parts of a text; NULL: none looked for */
} rows[] = {
    {"server_down", down, SEVERITY_CRITICAL, "in phase connect: refused", NULL},
    {"server_down", down, SEVERITY_CRITICAL, "Can't connect to 'db1'", NULL},
    {"server_down", untried, SEVERITY_NONE, NULL, NULL},
    {"max_connections", refused_1040, SEVERITY_CRITICAL, "3 connections were refused in 1m", NULL},
    {"max_connections", nearly_full, SEVERITY_WARNING, "80 connections at one time, of max_connections = 100 (80 %)", NULL},
    {"max_connections", full, SEVERITY_CRITICAL, "now 21 sessions, of which 20 sleep", NULL},
    {"max_connections", room, SEVERITY_NONE, NULL, NULL},
    {"max_connections", room_unknown, SEVERITY_NONE, NULL, NULL},
    {"hosts_blocked", host_blocked, SEVERITY_CRITICAL, "10.0.0.7 has 100 failed handshakes in a row, of max_connect_errors = 100", NULL},
    {"hosts_blocked", host_refused, SEVERITY_CRITICAL, "2 times in 1m: a host is blocked", NULL},
    {"hosts_blocked", host_near, SEVERITY_WARNING, "2 hosts have half of max_connect_errors or more behind them", NULL},
    {"hosts_blocked", hosts_unknown, SEVERITY_NONE, NULL, NULL},
    {"server_resources", resources, SEVERITY_WARNING, "1 time in 1m", NULL},
    {"server_resources", self_only, SEVERITY_NONE, NULL, NULL},
    {"idle_cut", idle_cut, SEVERITY_WARNING, "7 times in 1m: an idle connection was cut off by wait_timeout or interactive_timeout; the last: app@10.0.0.7, connection 42", "below 10m, or raise"},
    {"idle_cut", idle_cut_after_hours, SEVERITY_WARNING, "wait_timeout = 28800", "If it did not, nothing used these connections for 8h"},
    {"idle_cut", self_only, SEVERITY_NONE, NULL, NULL},
    {"sleepers_near_timeout", near_timeout, SEVERITY_WARNING, "2 of 20 sleeping sessions had slept for nine tenths of wait_timeout (10m) or longer", NULL},
    {"sleepers_near_timeout", near_timeout, SEVERITY_WARNING, "2 of app@10.0.0.7 (pymysql 1.0.2)", NULL},
    {"sleepers_near_timeout", near_timeout_unseen, SEVERITY_NONE, NULL, NULL},
    {"idle_transactions", idle_transaction, SEVERITY_INFO, "2 sessions sleep with an open transaction, the longest for 10s", NULL},
    {"idle_transactions", long_idle_transaction, SEVERITY_WARNING, "1 session sleeps with an open transaction, the longest for 1m", NULL},
    {"idle_transactions", short_idle_transaction, SEVERITY_NONE, NULL, NULL},
    {"path_cuts_idle", path_cut, SEVERITY_WARNING, "the last after 5m", NULL},
    {"path_cuts_idle", old_path_cut, SEVERITY_NONE, NULL, NULL},
    {"clients_vanish", some_vanish, SEVERITY_INFO, "9 times in 1m: a client that was logged in closed without COM_QUIT", NULL},
    {"clients_vanish", many_vanish, SEVERITY_WARNING, "10 times", NULL},
    {"clients_vanish", self_only, SEVERITY_NONE, NULL, NULL},
    {"results_not_read", mid_result, SEVERITY_INFO, "1 time in 1m", NULL},
    {"results_not_read", self_only, SEVERITY_NONE, NULL, NULL},
    {"packet_too_large", too_large, SEVERITY_WARNING, "max_allowed_packet = 16777216 (16 MiB)", NULL},
    {"packet_too_large", self_only, SEVERITY_NONE, NULL, NULL},
    {"net_timeouts", stalls_sending, SEVERITY_WARNING, "net_read_timeout = 30, net_write_timeout = 60", NULL},
    {"net_timeouts", stalls_reading, SEVERITY_WARNING, "2 times in 1m: a client did not read its result", NULL},
    {"net_timeouts", self_only, SEVERITY_NONE, NULL, NULL},
    {"packet_loss", lossy, SEVERITY_WARNING, "10 TCP segments were sent again in 100 probes over 1m", NULL},
    {"packet_loss", a_little_lossy, SEVERITY_INFO, NULL, NULL},
    {"packet_loss", not_lossy, SEVERITY_NONE, NULL, NULL},
    {"accept_queue", queue_full, SEVERITY_WARNING, "64 connections wait to be accepted, of 128 that may", NULL},
    {"accept_queue", queue_full, SEVERITY_WARNING, "back_log = 151", NULL},
    {"accept_queue", queue_overflows, SEVERITY_WARNING, "3 times in 1m its accept queue was full (3 dropped by its socket, ListenOverflows 5)", NULL},
    {"accept_queue", queue_of_another_overflows, SEVERITY_NONE, NULL, NULL},
    {"accept_queue", socket_drops_something_else, SEVERITY_NONE, NULL, NULL},
    {"accept_queue", queue_short, SEVERITY_NONE, NULL, NULL},
    {"accept_queue", queue_of_unknown_limit, SEVERITY_NONE, NULL, NULL},
    {"accept_queue", sockets_unseen, SEVERITY_NONE, NULL, NULL},
    {"time_wait", many_wait, SEVERITY_INFO, "10000 sockets", NULL},
    {"time_wait", some_wait, SEVERITY_NONE, NULL, NULL},
    {"close_wait", clients_gone, SEVERITY_INFO, "5 sockets", NULL},
    {"close_wait", some_wait, SEVERITY_NONE, NULL, NULL},
    {"connection_churn", churn, SEVERITY_INFO, "10 new connections a second over 1m, at 20.0 connections on average: each lived for 2 s on average", NULL},
    {"connection_churn", churn_of_few, SEVERITY_NONE, NULL, NULL},
    {"connection_churn", long_lived, SEVERITY_NONE, NULL, NULL},
    {"connection_churn", churn_too_soon_to_tell, SEVERITY_NONE, NULL, NULL},
    {"drivers", mysql2_connected, SEVERITY_INFO, "4 sessions of mysql2 (Node.js) 3.11.0", "`connection.end()`"},
    {"drivers", mysql2_aborted, SEVERITY_WARNING, "2 aborts of mysql2 (Node.js) 3.11.0 in 1m", "https://github.com/sidorares/node-mysql2/issues/670"},
    {"drivers", pymysql_aborted, SEVERITY_WARNING, "1 abort of PyMySQL 1.0.2", "closing"},
    {"drivers", pymysql_connected, SEVERITY_NONE, NULL, NULL},
    {"logins_refused", denied, SEVERITY_INFO, "1 time in 1m: a login was refused", NULL},
    {"logins_refused", denied_often, SEVERITY_WARNING, "5 times in 1m: a login asked for a database", NULL},
    {"logins_refused", self_only, SEVERITY_NONE, NULL, NULL},
    {"user_limits", user_limit, SEVERITY_WARNING, "an account's own limit", NULL},
    {"user_limits", self_only, SEVERITY_NONE, NULL, NULL},
    {"init_connect", init_connect, SEVERITY_WARNING, "init_connect failed", NULL},
    {"init_connect", self_only, SEVERITY_NONE, NULL, NULL},
    {"tls_failures", tls, SEVERITY_WARNING, "the TLS handshake failed", NULL},
    {"tls_failures", self_only, SEVERITY_NONE, NULL, NULL},
    {"logins_not_finished", health_checks, SEVERITY_INFO, "1000 times", NULL},
    {"logins_not_finished", before_login, SEVERITY_INFO, "1 time", NULL},
    {"logins_not_finished", self_only, SEVERITY_NONE, NULL, NULL},
    {"protocol_errors", protocol, SEVERITY_WARNING, "10 times", NULL},
    {"protocol_errors", self_only, SEVERITY_NONE, NULL, NULL},
    {"killed", killed, SEVERITY_INFO, "ended by KILL", NULL},
    {"killed", self_only, SEVERITY_NONE, NULL, NULL},
    {"reverse_dns", names_fail, SEVERITY_WARNING, "3 lines of the error log in 1m", NULL},
    {"reverse_dns", names_fail_in_cache, SEVERITY_WARNING, "3 failed look-ups in host_cache in 1m", NULL},
    {"reverse_dns", names_slow, SEVERITY_INFO, "2 of our probes in 1m waited", NULL},
    {"reverse_dns", names_well, SEVERITY_NONE, NULL, NULL},
    {"reverse_dns", slow_without_names, SEVERITY_NONE, NULL, NULL},
    {"timeouts_differ", timeouts_differ, SEVERITY_INFO, "wait_timeout = 600, interactive_timeout = 28800", NULL},
    {"timeouts_differ", timeout_unknown, SEVERITY_NONE, NULL, NULL},
    {"own_aborts", own, SEVERITY_WARNING, "1 connection of mysqlconn_exporter's own was aborted in 1m, of 100 probes", NULL},
    {"own_aborts", self_only, SEVERITY_NONE, NULL, NULL}, /* on purpose: close styles and holds */
    {"error_log_not_read", no_log, SEVERITY_INFO, "MariaDB counts aborts nowhere else by cause", NULL},
    {"error_log_not_read", no_log_unexplained, SEVERITY_WARNING, "4 aborted connections in 1m without a known cause", NULL},
    {"error_log_not_read", no_log_on_mysql, SEVERITY_NONE, NULL, NULL},
    {"error_log_not_read", no_log_on_mysql_unseen, SEVERITY_INFO, "its sums of errors are not seen", NULL},
    {"error_log_not_read", no_log_on_mysql_unexplained, SEVERITY_WARNING, "1 aborted connection in 1m", NULL},
    {"error_log_unreadable", log_unreadable, SEVERITY_WARNING, "/var/log/mysql/error.log cannot be read: permission", NULL},
    {"error_log_unreadable", log_not_tried_yet, SEVERITY_NONE, NULL, NULL},
    {"error_log_loses_lines", log_dropped, SEVERITY_WARNING, "1 line of the error log was dropped", NULL},
    {"error_log_loses_lines", log_gaps, SEVERITY_INFO, "2 times in 1m lines of the error log may have been lost", NULL},
    {"error_log_loses_lines", self_only, SEVERITY_NONE, NULL, NULL},
    {"log_level", level_low, SEVERITY_WARNING, "log_warnings = 1", "SET GLOBAL log_warnings = 2;"},
    {"log_level", level_low_unexplained, SEVERITY_WARNING, "3 aborted connections in 1m without a known cause", NULL},
    {"log_level", level_low_on_mysql, SEVERITY_INFO, "log_error_verbosity = 2", "SET GLOBAL log_error_verbosity = 3;"},
    {"log_level", level_low_on_mysql_unseen, SEVERITY_WARNING, NULL, NULL},
    {"log_level", log_suppressed, SEVERITY_INFO, "log_error_suppression_list has MY-010914", "Take MY-010914 out"},
    {"log_level", log_filtered, SEVERITY_INFO, "log_error_services has a filter", "dragnet"},
    {"log_level", level_unknown, SEVERITY_NONE, NULL, NULL},
    {"unexplained_aborts", unexplained, SEVERITY_INFO, "5 of 25 aborted connections in 1m", NULL},
    {"unexplained_aborts", few_unexplained, SEVERITY_NONE, NULL, NULL},
    {"unexplained_aborts", small_share_unexplained, SEVERITY_NONE, NULL, NULL},
    {"privileges_missing", no_process, SEVERITY_INFO, "sessions: not seen without PROCESS", "GRANT PROCESS ON *.* TO 'mysqlconn'@'…';"},
    {"privileges_missing", no_accounts, SEVERITY_INFO, NULL, "GRANT SELECT ON performance_schema.accounts TO 'mysqlconn'@'…';"},
    {"privileges_missing", no_accounts, SEVERITY_INFO, NULL, "GRANT SELECT ON performance_schema.events_errors_summary_by_account_by_error TO 'mysqlconn'@'…';"},
    {"privileges_missing", evidence_failed, SEVERITY_NONE, NULL, NULL},
    {"performance_schema_off", schema_off, SEVERITY_INFO, "performance_schema = OFF", NULL},
    {"performance_schema_off", schema_unknown, SEVERITY_NONE, NULL, NULL},
};
/* clang-format on */

static bool any_has(const struct advice_texts *texts, const char *part) {
    for (size_t i = 0; part && i < texts->count; i++)
        if (strstr(texts->texts[i], part))
            return true;
    return !part;
}

static void print_texts(const struct advice_texts *texts) {
    for (size_t i = 0; i < texts->count; i++)
        print_error("    %s\n", texts->texts[i]);
}

static void check_one(const struct row *row, const struct advice_rule *rule, const struct advice_facts *facts,
                      bool meant) {
    struct finding finding;
    enum advice_severity severity = advice_rule_check(rule, facts, &finding);
    enum advice_severity expected = meant ? row->severity : SEVERITY_NONE;
    bool texts_fit = !meant || (any_has(&finding.evidence, row->evidence) && any_has(&finding.changes, row->to_do));
    if (severity != expected || !texts_fit || (severity != SEVERITY_NONE) != (finding.evidence.count > 0)) {
        print_error("row %td, %s: rule %s is %s\n", row - rows, row->rule, rule->id, advice_severity_name(severity));
        print_texts(&finding.evidence);
        print_texts(&finding.changes);
        fail();
    }
    finding_release(&finding);
}

static void each_row_raises_its_rule_alone(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct advice_facts facts;
        make_well(&facts);
        rows[i].change(&facts);
        for (size_t k = 0; k < advice_rule_count; k++)
            check_one(&rows[i], &advice_rules[k], &facts, strcmp(advice_rules[k].id, rows[i].rule) == 0);
        advice_facts_release(&facts);
    }
}

static void nothing_is_raised_where_all_is_well(void **state) {
    (void)state;
    for (int mysql = 0; mysql < 2; mysql++) {
        struct advice_facts facts;
        make_well(&facts);
        if (mysql)
            make_mysql(&facts);
        for (size_t k = 0; k < advice_rule_count; k++)
            check_one(&(struct row){.rule = "none"}, &advice_rules[k], &facts, false);
        advice_facts_release(&facts);
    }
}

/* Before the first poll nothing is known, and nothing is said. */
static void nothing_is_raised_where_nothing_is_known(void **state) {
    struct advice_facts facts;
    (void)state;
    advice_facts_init(&facts);
    for (size_t k = 0; k < advice_rule_count; k++)
        check_one(&(struct row){.rule = "none"}, &advice_rules[k], &facts, false);
    advice_facts_release(&facts);
}

static void a_privilege_is_granted_once(void **state) {
    struct advice_facts facts;
    struct finding finding;
    (void)state;
    make_well(&facts);
    no_process(&facts);
    for (size_t k = 0; k < advice_rule_count; k++) {
        advice_rule_check(&advice_rules[k], &facts, &finding);
        if (strcmp(advice_rules[k].id, "privileges_missing") == 0) {
            assert_int_equal(finding.evidence.count, 2); /* sessions and transactions */
            assert_int_equal(finding.changes.count, 1);
        }
        finding_release(&finding);
    }
    advice_facts_release(&facts);
}

static void every_rule_has_a_row_that_raises_it_and_one_that_does_not(void **state) {
    (void)state;
    for (size_t k = 0; k < advice_rule_count; k++) {
        int raising = 0, silent = 0;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            if (strcmp(rows[i].rule, advice_rules[k].id) == 0)
                *(rows[i].severity == SEVERITY_NONE ? &silent : &raising) += 1;
        if (raising == 0 || silent == 0)
            fail_msg("%s: %d rows raise it, %d do not", advice_rules[k].id, raising, silent);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool known = false;
        for (size_t k = 0; k < advice_rule_count; k++)
            known |= strcmp(rows[i].rule, advice_rules[k].id) == 0;
        if (!known)
            fail_msg("there is no rule %s", rows[i].rule);
    }
}

static void every_rule_is_whole(void **state) {
    (void)state;
    for (size_t k = 0; k < advice_rule_count; k++) {
        const struct advice_rule *rule = &advice_rules[k];
        const char *const texts[] = {rule->id, rule->problem, rule->when, rule->change};
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
            if (!texts[i] || !texts[i][0] || strchr(texts[i], '|') || strchr(texts[i], '\n'))
                fail_msg("%s: text %zu", rule->id, i);
        assert_true(strspn(rule->id, "abcdefghijklmnopqrstuvwxyz_") == strlen(rule->id));
        assert_true(rule->problem[strlen(rule->problem) - 1] != '.');
        assert_true((rule->check != NULL) != (rule->causes != 0));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_raised_where_all_is_well),
        cmocka_unit_test(nothing_is_raised_where_nothing_is_known),
        cmocka_unit_test(each_row_raises_its_rule_alone),
        cmocka_unit_test(a_privilege_is_granted_once),
        cmocka_unit_test(every_rule_has_a_row_that_raises_it_and_one_that_does_not),
        cmocka_unit_test(every_rule_is_whole),
    };
    return cmocka_run_group_tests_name("advice_rules", tests, NULL, NULL);
}
