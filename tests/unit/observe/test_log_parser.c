/*
 * The parser against what servers write: every version's frame, names that look like frames, forgeries, quotations, and
 * lines that end anywhere or hold anything.
 */
#include "observe/log_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define READ_ERROR "Got an error reading communication packets"
#define READ_TIMEOUT "Got timeout reading communication packets"
#define WITHOUT_LOGIN "This connection closed normally without authentication"

/* A line alone, with nothing known of what wrapped it. */
static void parse(struct span line, struct log_event *event) {
    struct log_parsed parsed;
    log_frame_init();
    log_parse(line, (struct log_stamp){LOG_TIME_NONE, 0}, &parsed);
    *event = parsed.event;
}

/* Parse a copy of exactly the line's size, so that the sanitizer sees a read past either end. */
static struct span copy_of(const char *line, size_t len) {
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, line, len);
    return (struct span){copy, len};
}

static void drop(struct span line) {
    free((void *)(uintptr_t)line.ptr);
}

static void check_span(const char *line, const char *part, struct span got, const char *want) {
    if (want ? got.ptr && span_is(got, want) : !got.ptr)
        return;
    fail_msg("%s\n  %s: got %s%.*s, want %s", line, part, got.ptr ? "" : "(none)", (int)got.len, got.ptr ? got.ptr : "",
             want ? want : "(none)");
}

/* --- what must be understood --- */

struct expectation {
    const char *line;
    enum log_event_kind kind;
    uint64_t id;
    const char *db, *user, *host, *reason;
};
#define ABORTED(id, db, user, host, reason) LOG_EVENT_ABORTED, id, db, user, host, reason
#define INIT_CONNECT(id, db, user, host, reason) LOG_EVENT_INIT_CONNECT, id, db, user, host, reason
#define TOO_MANY(id, db, user, host, reason) LOG_EVENT_TOO_MANY_CONNECTIONS, id, db, user, host, reason
#define DENIED(user, host) LOG_EVENT_ACCESS_DENIED, 0, NULL, user, host, NULL
#define DENIED_DB(user, host, db) LOG_EVENT_ACCESS_DENIED, 0, db, user, host, NULL
#define START LOG_EVENT_SERVER_START, 0, NULL, NULL, NULL, NULL
#define STOPPING LOG_EVENT_SERVER_STOPPING, 0, NULL, NULL, NULL, NULL
#define STOP LOG_EVENT_SERVER_STOP, 0, NULL, NULL, NULL, NULL

/* clang-format off */
static const struct expectation understood[] = {
    /* MariaDB 10.11.19, log_warnings=2 and 4 */
    {"2026-11-21  1:51:41 5 [Warning] Aborted connection 5 to db: 'mysql' user: 'app' host: '127.0.0.1' (" READ_ERROR ")",
     ABORTED(5, "mysql", "app", "127.0.0.1", READ_ERROR)},
    {"2026-11-21  1:51:42 6 [Warning] Aborted connection 6 to db: 'unconnected' user: 'app' host: '127.0.0.1' "
     "(" READ_ERROR ")",
     ABORTED(6, "unconnected", "app", "127.0.0.1", READ_ERROR)},
    {"2026-11-21  1:51:42 7 [Warning] Access denied for user 'app'@'localhost' (using password: YES)",
     DENIED("app", "localhost")},
    {"2026-11-21  1:51:44 8 [Warning] Aborted connection 8 to db: 'unconnected' user: 'app' host: '127.0.0.1' "
     "(" READ_TIMEOUT ")",
     ABORTED(8, "unconnected", "app", "127.0.0.1", READ_TIMEOUT)},
    {"2026-11-21  1:51:45 9 [Warning] Aborted connection 9 to db: 'unconnected' user: 'unauthenticated' host: '127.0.0.1' "
     "(" WITHOUT_LOGIN ")",
     ABORTED(9, "unconnected", "unauthenticated", "127.0.0.1", WITHOUT_LOGIN)},
    {"2026-11-21  1:51:51 14 [Warning] Access denied for user 'app'@'127.0.0.1' (using password: NO)",
     DENIED("app", "127.0.0.1")},
    {"2026-11-21  1:51:54 18 [Warning] Aborted connection 18 to db: 'mysql' user: 'app' host: '127.0.0.1' (Got a packet "
     "bigger than 'max_allowed_packet' bytes)",
     ABORTED(18, "mysql", "app", "127.0.0.1", "Got a packet bigger than 'max_allowed_packet' bytes")},
    {"2026-11-21  1:51:56 34 [Warning] Aborted connection 34 to db: 'unconnected' user: 'app' host: '127.0.0.1' "
     "(init_connect command failed)",
     INIT_CONNECT(34, "unconnected", "app", "127.0.0.1", "init_connect command failed")},
    {"2026-11-21  1:51:56 35 [Warning] Aborted connection 35 to db: 'we'i(r)d: db' user: 'we) ird (u: 'x' host: "
     "'127.0.0.1' (" READ_ERROR ")",
     ABORTED(35, "we'i(r)d: db", "we) ird (u: 'x", "127.0.0.1", READ_ERROR)},
    {"2026-11-21  1:51:57 36 [Warning] Aborted connection 36 to db: 'unconnected' user: 'ünï ✓' host: '127.0.0.1' "
     "(" READ_ERROR ")",
     ABORTED(36, "unconnected", "ünï ✓", "127.0.0.1", READ_ERROR)},
    {"2026-11-21  1:51:57 37 [Warning] Access denied for user 'a'@'10.0.0.1' (using password: NO)'@'127.0.0.1' (using "
     "password: YES)",
     DENIED("a'@'10.0.0.1' (using password: NO)", "127.0.0.1")},
    {"2026-11-21  1:51:58 38 [Warning] Aborted connection 38 to db: 'unconnected' user: 'unauthenticated' host: "
     "'192.0.2.7' real ip: '127.0.0.1' (" WITHOUT_LOGIN ")",
     ABORTED(38, "unconnected", "unauthenticated", "192.0.2.7", WITHOUT_LOGIN)},
    {"2026-11-21  1:52:03 50 [Warning] Aborted connection 50 to db: 'mysql' user: 'app' host: '127.0.0.1' (통신 패킷을 "
     "읽는 중 오류가 발생하였습니다.)",
     ABORTED(50, "mysql", "app", "127.0.0.1", "통신 패킷을 읽는 중 오류가 발생하였습니다.")},
    {"2026-11-21  1:52:16 3 [Warning] Aborted connection 16 to db: 'mysql' user: 'app' host: '127.0.0.1' (KILLED)",
     ABORTED(16, "mysql", "app", "127.0.0.1", "KILLED")},
    {"2026-11-21  1:52:18 19 [Warning] Aborted connection 19 to db: 'unconnected' user: 'app' host: '127.0.0.1' (RELEASE)",
     ABORTED(19, "unconnected", "app", "127.0.0.1", "RELEASE")},
    {"2026-11-21  1:53:10 0 [Warning] Aborted connection 0 to db: 'unconnected' user: 'unauthenticated' host: 'connecting "
     "host' (Too many connections)",
     TOO_MANY(0, "unconnected", "unauthenticated", "connecting host", "Too many connections")},
    {"2026-11-21  1:53:12 16 [Warning] Aborted connection 16 to db: 'unconnected' user: 'app' host: '::1' (" READ_ERROR
     ")",
     ABORTED(16, "unconnected", "app", "::1", READ_ERROR)},
    {"2026-11-21  1:52:04 0 [Note] /usr/sbin/mariadbd (initiated by: root[root] @ localhost []): Normal shutdown",
     STOPPING},
    {"2026-11-21  1:52:04 0 [Note] mariadbd (initiated by: unknown): Normal shutdown",
     STOPPING},
    {"2026-11-21  1:52:04 0 [Note] /usr/sbin/mariadbd (initiated by: a): b (c[d: e] @ h [127.0.0.1]): Normal shutdown",
     STOPPING},
    {"2026-11-21  1:52:04 0 [Note] /usr/sbin/mariadbd (unknown): Normal heruntergefahren",
     STOPPING},
    {"2026-11-21  1:52:04 0 [Note] /usr/sbin/mariadbd（unknown）:正常关闭",
     STOPPING},
    {"2026-11-21  1:52:04 0 [Note] /usr/sbin/mysqld: Normal shutdown",
     STOPPING},
    {"2026-11-21  1:52:04 0 [Note] /usr/sbin/mariadbd: Shutdown complete",
     STOP},
    {"2026-11-21  1:51:40 0 [Note] /usr/sbin/mariadbd: ready for connections.",
     START},

    /* MariaDB 11.8 in Swahili, which 10.11 does not speak */
    {"2026-11-21  1:51:41 5 [Warning] Muunganisho ulioghairishwa 5 kwa db: mtumiaji wa 'd': 'u' mwenyeji: 'h' (Nimepata "
     "hitilafu ya kusoma pakiti za mawasiliano)",
     ABORTED(5, "d", "u", "h", "Nimepata hitilafu ya kusoma pakiti za mawasiliano")},
    {"2026-11-21  1:51:41 5 [Warning] Ufikiaji umekataliwa kwa mtumiaji 'u'@'h' (kwa kutumia nenosiri: NDIYO)",
     DENIED("u", "h")},
    /* texts that end with a blank */
    {"2026-11-21  1:52:04 0 [Note] mariadbd (initiated by: unknown): Normaal afgesloten ",
     STOPPING},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] Получен таймаут ожидания пакета через коммуникационный "
     "протокол ",
     ABORTED(0, NULL, NULL, NULL, "Получен таймаут ожидания пакета через коммуникационный протокол ")},
    /* 3.23 to 5.0 */
    {"010301 14:38:23  Aborted connection 854 to db: 'users' user: 'josh'",
     ABORTED(854, "users", "josh", NULL, NULL)},
    {"010301 14:38:23 Aborted connection 854 to db: 'users' user: 'josh'",
     ABORTED(854, "users", "josh", NULL, NULL)},
    {"010301 14:38:23  Aborted connection 854 to db: 'users' user: 'josh' (" READ_TIMEOUT ")",
     ABORTED(854, "users", "josh", NULL, READ_TIMEOUT)},
    {"060103 14:46:12 [Warning] Aborted connection 1 to db: 'unconnected' user: 'root' host: `localhost' (" READ_ERROR ")",
     ABORTED(1, "unconnected", "root", "localhost", READ_ERROR)},
    /* MySQL 5.1, MariaDB up to 10.1.4 */
    {"130324  0:04:00 [Warning] Aborted connection 2619503 to db: 'd' user: 'u' host: 'web1.example' (Unknown error)",
     ABORTED(2619503, "d", "u", "web1.example", "Unknown error")},
    {"130324  0:04:00 [Note] /usr/sbin/mysqld: ready for connections.",
     START},
    {"130324  0:04:05 [Note] /usr/sbin/mysqld: Shutdown complete",
     STOP},
    /* 5.6, with the process id */
    {"2014-03-24 00:04:00 4711 [Warning] Aborted connection 77 to db: 'd' user: 'u' host: 'h' (" READ_ERROR ")",
     ABORTED(77, "d", "u", "h", READ_ERROR)},
    {"2014-03-24 00:04:00 4711 [Warning] Access denied for user 'u'@'h' (using password: YES)",
     DENIED("u", "h")},
    /* MariaDB 10.1, with a pthread's address */
    {"2017-03-24  0:04:00 140454900524800 [Warning] Aborted connection 77 to db: 'd' user: 'u' host: 'h' (CLOSE_CONNECTION)",
     ABORTED(77, "d", "u", "h", "CLOSE_CONNECTION")},
    {"2017-03-24  0:04:00 1 [Warning] Aborted connection 9223372036854775807 to db: 'd' user: 'u' host: '' (x)",
     ABORTED(INT64_MAX, "d", "u", "", "x")},
    /* 5.7 */
    {"2021-03-30T07:35:58.101612Z 29 [Note] Aborted connection 29 to db: 'd' user: 'u' host: '10.0.0.7' (failed on "
     "flush_net())",
     ABORTED(29, "d", "u", "10.0.0.7", "failed on flush_net()")},
    {"2021-03-30T07:35:58.101612+08:00 29 [Note] Aborted connection 29 to db: 'd' user: 'u' host: '10.0.0.7' (" READ_ERROR
     ")",
     ABORTED(29, "d", "u", "10.0.0.7", READ_ERROR)},
    {"2021-03-30T07:35:58.101612Z 29 [Note] Access denied for user 'u'@'h' (using password: NO)",
     DENIED("u", "h")},
    {"2021-03-30T07:35:58.101612Z 29 [Note] Access denied for user 'u'@'h'",
     DENIED("u", "h")},
    {"2021-03-30T07:35:58.101612Z 29 [Warning] Access denied for user 'u'@'h' to database 'd'",
     DENIED_DB("u", "h", "d")},
    {"2021-03-30T07:35:58.101612Z 0 [Note] mysqld: ready for connections.",
     START},
    {"2021-03-30T07:35:58.101612Z 0 [Note] C:\\Program Files\\MySQL\\MySQL Server 5.7\\bin\\mysqld.exe: ready for "
     "connections.",
     START},
    {"2021-03-30T07:35:58.101612Z 0 [Note] /usr/sbin/mysqld: Shutdown complete",
     STOP},
    /* 8.0, 8.4 */
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] Aborted connection 5 to db: 'd' user: 'u' host: 'h' (The "
     "client was disconnected by the server because of inactivity.).",
     ABORTED(5, "d", "u", "h", "The client was disconnected by the server because of inactivity.")},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] Aborted connection 5 to db: 'unconnected' user: 'u' host: "
     "'h' (" READ_ERROR ").",
     ABORTED(5, "unconnected", "u", "h", READ_ERROR)},
    {"2026-11-21T01:51:41.123456Z 9 [Warning] [MY-013130] [Server] Aborted connection 9 to db: 'unconnected' user: 'u' "
     "host: 'h' (init_connect command failed; diagnostics area: MY-001064 - You have an error in your SQL syntax near 'x "
     "(y')",
     INIT_CONNECT(9, "unconnected", "u", "h", "init_connect command failed; diagnostics area: MY-001064 - You have an error in your SQL syntax near 'x (y'")},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010926] [Server] Access denied for user 'u'@'h' (using password: YES).",
     DENIED("u", "h")},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010925] [Server] Access denied for user 'u'@'h'.",
     DENIED("u", "h")},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010927] [Server] Access denied for user 'u'@'h'. Account is locked.",
     DENIED("u", "h")},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-013851] [Server] Password for the account 'u'@'h' has expired. To log in, "
     "either change it using a client that supports expired passwords or send the change request to an administrator.",
     LOG_EVENT_OTHER, 0, NULL, "u", "h", NULL},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-013525] [Server] Access denied for user 'u'@'h'. Account is blocked for 3 "
     "day(s) (3 day(s) remaining) due to 3 consecutive failed logins. Use FLUSH PRIVILEGES or ALTER USER to reset.",
     DENIED("u", "h")},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] Access denied for user 'u'@'%' to database 'd'.",
     DENIED_DB("u", "%", "d")},
    {"2026-11-21T01:51:41.123456Z 0 [System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. Version: "
     "'8.0.41'  socket: '/run/mysqld/mysqld.sock'  port: 3306  MySQL Community Server - GPL.",
     START},
    {"2026-11-21T01:51:41.123456Z 0 [System] [MY-010910] [Server] /usr/sbin/mysqld: Shutdown complete (mysqld 8.0.41)  "
     "MySQL Community Server - GPL.",
     STOP},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] Unbekannte Datenbank 'd'",
     LOG_EVENT_OTHER, 0, "d", NULL, NULL, NULL},
    {"2026-11-21T01:51:41.123456Z 5 [Warning] [MY-000000] [Server] Zu viele Verbindungen",
     TOO_MANY(0, NULL, NULL, NULL, NULL)},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-013417] [Server] The wait_timeout period was exceeded, the idle time since "
     "last command was too long.",
     LOG_EVENT_TIMEOUT_NOTE, 0, NULL, NULL, NULL, NULL},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] Access denied for user 'u'@'h', missing proxy privilege to "
     "'v'.",
     DENIED("u", "h")},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] Access denied for user 'u'@'h', proxied user doesn't "
     "exist.",
     DENIED("u", "h")},
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-013380] [Server] Access denied for AuthId `u`@`h` to database 'd'.",
     DENIED_DB("u", "h", "d")},
    {"2026-11-21T01:51:41.123456Z 0 [Warning] [MY-015011] [Server] Failed to validate certificate server-cert.pem because "
     "certificate has expired",
     LOG_EVENT_SSL, 0, NULL, NULL, NULL, "certificate has expired"},
    {"2026-11-21T01:51:41.123456Z 0 [Warning] [MY-015010] [Server] Server certificate server-cert.pem verification has "
     "failed. Check logs for more details",
     LOG_EVENT_SSL, 0, NULL, NULL, NULL, NULL},
    {"2026-11-21T01:51:41.123456Z 12 [Note] [MY-015123] [Server] A connection from `ap`p`@`%` was closed by the server due to "
     "a timeout in the communication layer (vio:1, packet:0) 1 seconds after the last command started.",
     LOG_EVENT_TIMEOUT_NOTE, 0, NULL, "ap`p", "%", NULL},
    {"2026-11-21T01:51:41.123456Z 10 [Warning] [MY-010288] [Server] Connection attributes of length 167 were truncated (121 "
     "bytes lost) for connection 10, user a@b@localhost (as app), auth: yes",
     LOG_EVENT_OTHER, 10, NULL, "a@b", "localhost", NULL},
    {"2026-11-21 23:38:34 5 [Warning] Connection attributes of length 167 were truncated",
     LOG_EVENT_OTHER, 0, NULL, NULL, NULL, NULL},
    {"2026-11-21T01:51:41.123456Z 11 [Warning] [MY-010055] [Server] IP address '127.0.0.2' could not be resolved: Name or "
     "service not known",
     LOG_EVENT_DNS, 0, NULL, NULL, "127.0.0.2", "Name or service not known"},
    {"2014-03-24 00:04:00 4711 [ERROR] Can't create thread to handle request (errno= 11)",
     LOG_EVENT_OTHER, 0, NULL, NULL, NULL, NULL},
    /* the newline in a refused name is a space here */
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010926] [Server] Access denied for user 'x 2026-11-21  1:51:41 5 [Warning] "
     "Aborted connection 1 to db: 'a' user: 'b' host: 'c' (x)'@'127.0.0.1' (using password: YES).",
     DENIED("x 2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' user: 'b' host: 'c' (x)", "127.0.0.1")},
    /* Aurora, Cloud SQL, syslog, an index of lines without their time */
    {"2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] Aborted connection 5 to db: 'd' user: 'u' host: 'h' "
     "(" READ_TIMEOUT "). (sql_connect.cc:842)",
     ABORTED(5, "d", "u", "h", READ_TIMEOUT)},
    {"INFO 2026-11-21T01:51:41.123456Z 2026-11-21T01:51:41.123456Z 5 [Note] Aborted connection 5 to db: 'd' user: 'u' "
     "host: 'h' (" READ_ERROR ")",
     ABORTED(5, "d", "u", "h", READ_ERROR)},
    {"Nov 21 03:15:01 db1 mysqld[123]: [Warning] Aborted connection 5 to db: 'd' user: 'u' host: 'h' (x)",
     ABORTED(5, "d", "u", "h", "x")},
    {"Nov 21 03:15:01 db1 mysqld[123]: 2026-11-21  3:15:01 5 [Warning] Aborted connection 5 to db: 'd' user: 'u' host: 'h' "
     "(x)",
     ABORTED(5, "d", "u", "h", "x")},
    {"[Note] Aborted connection 854 to db: 'employees' user: 'josh'",
     ABORTED(854, "employees", "josh", NULL, NULL)},
    /* names that hold frames: the last place that fits */
    {"2026-11-21  1:51:41 5 [Warning] Aborted connection 5 to db: 'd' user: 'u' host: 'evil' (no)' host: 'h' (" READ_ERROR
     ")",
     ABORTED(5, "d", "u' host: 'evil' (no)", "h", READ_ERROR)},
    {"2026-11-21  1:51:41 5 [Warning] Aborted connection 5 to db: 'd' user: 'x' user: 'y' host: 'h' (r)",
     ABORTED(5, "d' user: 'x", "y", "h", "r")},
    {"2026-11-21  1:51:41 5 [Warning] Aborted connection 5 to db: 'd' user: 'a'@'b' host: 'h' (r)",
     ABORTED(5, "d", "a'@'b", "h", "r")},
    {"2026-11-21  1:51:41 5 [Warning] Access denied for user '' to database 'd'@'h' (using password: NO)",
     DENIED("' to database 'd", "h")},
    {"2026-11-21  1:51:41 5 [Warning] Aborted connection 5 to db: 'd' user: 'u' host: 'h' (x)  \r",
     ABORTED(5, "d", "u", "h", "x")},
};
/* clang-format on */

static void check(const struct expectation *want, const struct log_event *got, bool suspect) {
    if (got->kind != want->kind || got->connection_id != want->id || got->suspect != suspect)
        fail_msg("%s\n  got %s, id %llu, suspect %d", want->line, log_event_kind_name(got->kind),
                 (unsigned long long)got->connection_id, got->suspect);
    check_span(want->line, "db", got->db, want->db);
    check_span(want->line, "user", got->user, want->user);
    check_span(want->line, "host", got->host, want->host);
    check_span(want->line, "reason", got->reason, want->reason);
}

static void every_version_is_understood(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof understood / sizeof *understood; i++) {
        struct span line = copy_of(understood[i].line, strlen(understood[i].line));
        struct log_event event;
        parse(line, &event);
        check(&understood[i], &event, false);
        drop(line);
    }
}

/* --- what must not be taken for an event --- */

static const char *const of_no_interest[] = {
    "",
    " ",
    "[",
    "[Note] ",
    "[Warning] Aborted connection ",
    "Version: '10.11.19-MariaDB'  socket: '/run/mysqld/mysqld.sock'  port: 3306  Debian 12",
    /* NOLINTNEXTLINE(bugprone-suspicious-missing-comma) */
    "2026-11-21  1:51:56 34 [Warning] You have an error in your SQL syntax; check the manual that corresponds to your "
    "MariaDB server version for the right syntax to use near 'nonsense' at line 1",
    "2026-11-21  1:52:04 0 [Note] /usr/sbin/mariadbd (initiated by: root[root] @ localhost []): Normal shutdowns",
    "2026-11-21  1:52:04 0 [Note] /usr/sbin/mariadbd (initiated by: root[root] @ localhost []): Shutdown complete",
    "2026-11-21  1:52:04 0 [Note] /usr/sbin/mariadbd (initiated by: root[root] @ localhost []: Normal shutdown",
    "2026-11-21  1:52:04 0 [Note] not a mariadbd (initiated by: root[root] @ localhost []): Normal shutdown",
    "2026-11-21  1:52:04 0 [Note]  (initiated by: root[root] @ localhost []): Normal shutdown",
    "2026-11-21  1:52:04 0 [Note] InnoDB: FTS optimize thread exiting.",
    "2026-11-21  1:52:04 0 [Note] InnoDB: Starting shutdown...",
    "2026-11-21  1:52:04 0 [Note] InnoDB: Dumping buffer pool(s) to /var/lib/mysql/ib_buffer_pool",
    "2026-11-21  1:52:04 0 [Note] InnoDB: Buffer pool(s) dump completed at 261121  1:52:04",
    "2026-11-21  1:52:04 0 [Note] InnoDB: Removed temporary tablespace data file: \"./ibtmp1\"",
    "2026-11-21  1:52:04 0 [Note] Shutdown completed; log sequence number 44776; transaction id 15",
    "2026-11-21  1:52:16 16 [ERROR] mariadbd: Connection was killed",
    "2026-11-21  1:53:10 4 [Warning] Access denied for user 'x",
    "   client: attempt 10: (1040, 'ny connections')",
    /* quotations */
    "2026-11-21T01:51:41.123456Z\t    5 Query\tSELECT '2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' "
    "user: 'b' host: 'c' (x)",
    "2026-11-21 01:51:41 5 Query SELECT '2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' user: 'b' "
    "host: "
    "'c' (x)",
    "2026-11-21T01:51:41.123456Z\t    5 Query\t-- 2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' "
    "user: "
    "'b' host: 'c' (x)",
    "2026-11-21  1:51:41 5 [Warning] You have an error near '2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to "
    "db: "
    "'a' user: 'b' host: 'c' (x)",
    "2026-11-21  1:51:41 5 [ERROR] mariadbd: Access denied for user 'u'@'h' (using password: YES)",
    "ERROR 1045 (28000): Access denied for user 'u'@'h' (using password: YES)",
    "mysqladmin: connect to server at 'localhost' failed [Warning] Access denied for user 'u'@'h' (using password: "
    "YES)",
    "Query (0x7f00): [Warning] Aborted connection 1 to db: 'a' user: 'b' host: 'c' (x)",
    "select 5 [Warning] Aborted connection 1 to db: 'a' user: 'b' host: 'c' (x)",
    "Aborted connection 1 to db: 'a' user: 'b' host: 'c' (x)",
    "{\"log\":\"2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' user: 'b' host: 'c' (x)",
    "2026-11-21  1:51:41 5 [Note] X Plugin ready for connections. Bind-address: '::' port: 33060",
    "2026-11-21  1:51:41 5 [Warning] Unsafe statement written to the log. Statement: ready for connections.",
    "2026-11-21  1:51:41 5 [Warning] Event says /x: ready for connections again",
    "2026-11-21  1:51:41 5 [Note] /usr/sbin/mysqld: Shutdown completed",
    /* frames that do not fit */
    "2026-11-21  1:51:41 5 [Warning] Aborted connection x to db: 'a' user: 'b' host: 'c' (x)",
    "2026-11-21  1:51:41 5 [Warning] Aborted connection -1 to db: 'a' user: 'b' host: 'c' (x)",
    "2026-11-21  1:51:41 5 [Warning] Aborted connection 18446744073709551616 to db: 'a' user: 'b' host: 'c' (x)",
    "2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' user: 'b' host: 'c' (x",
    "2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' user: 'b' host: 'c'",
    "2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' user: 'b' host: 'c'(x)",
    "2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a'",
    "2026-11-21  1:51:41 5 [Warning] Access denied for user 'u'@'h' (using password: YES",
    "2026-11-21  1:51:41 5 [Warning] Access denied for user 'u' (using password: YES)",
    "2026-11-21  1:51:41 5 [Warning] Access denied for user '",
};

static void nothing_else_is(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof of_no_interest / sizeof *of_no_interest; i++) {
        struct span line = copy_of(of_no_interest[i], strlen(of_no_interest[i]));
        struct log_event event;
        parse(line, &event);
        if (event.kind != LOG_EVENT_NONE || event.suspect || event.user.ptr)
            fail_msg("%s\n  is no event, got %s", of_no_interest[i], log_event_kind_name(event.kind));
        drop(line);
    }
}

/* --- forgeries --- */

/* What follows a newline in a refused user name, and the end of the message, which is the mark. */
/* clang-format off */
static const struct expectation forged[] = {
    {"2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' user: 'b' host: 'c' (" READ_TIMEOUT
     "'@'127.0.0.1' (using password: YES)",
     ABORTED(1, "a", "b", "c", READ_TIMEOUT "'@'127.0.0.1' (using password: YES")},
    {"2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' user: 'b' host: 'c' (x)'@'127.0.0.1' (using "
     "password: NO)",
     ABORTED(1, "a", "b", "c", "x)'@'127.0.0.1' (using password: NO")},
    {"010301 14:38:23  Aborted connection 1 to db: 'a' user: 'b'@'127.0.0.1' (using password: YES)",
     ABORTED(1, "a", "b'@'127.0.0.1", NULL, "using password: YES")},
    {"2026-11-21  1:51:41 5 [Warning] Access denied for user 'root'@'10.0.0.1' to database 'x'@'127.0.0.1'",
     DENIED("root'@'10.0.0.1' to database 'x", "127.0.0.1")},
    {"2026-11-21  1:51:41 0 [Note] /usr/sbin/mariadbd: ready for connections.'@'127.0.0.1' (using password: YES)",
     START},
};
/* clang-format on */

static void forged_line_is_suspect(void **state) {
    (void)state;
    struct log_event event;
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        parse(span_of(forged[i].line), &event);
        check(&forged[i], &event, true);
    }
    /* also where the claims make no sense, and where the mark is in another language */
    const char *const senseless[] = {
        "2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' user: 'b' host: 'c'@'127.0.0.1' (using "
        "password: NO)",
        "2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a'@'127.0.0.1' (using password: NO)",
        "2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' user: 'b' host: 'c' (x)'@'127.0.0.1' hat "
        "keine "
        "Zugriffsberechtigung (verwendetes Passwort: Ja)",
    };
    for (size_t i = 0; i < sizeof senseless / sizeof *senseless; i++) {
        parse(span_of(senseless[i]), &event);
        assert_int_equal(event.kind, LOG_EVENT_ABORTED);
        assert_true(event.suspect);
    }
}

/* --- anything at all --- */

static bool inside(struct span part, struct span line) {
    return !part.ptr || (part.ptr >= line.ptr && part.ptr + part.len <= line.ptr + line.len);
}

static void check_sane(struct span line) {
    struct log_event event;
    parse(line, &event);
    assert_true((unsigned)event.kind < LOG_EVENT_KIND_COUNT);
    assert_true(inside(event.db, line) && inside(event.user, line) && inside(event.host, line) &&
                inside(event.reason, line));
    if (event.kind == LOG_EVENT_NONE)
        assert_true(!event.suspect && !event.user.ptr && !event.connection_id);
}

static void every_prefix_and_suffix_is_safe(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof understood / sizeof *understood + sizeof forged / sizeof *forged; i++) {
        const size_t n = sizeof understood / sizeof *understood;
        const char *text = i < n ? understood[i].line : forged[i - n].line;
        size_t len = strlen(text);
        for (size_t cut = 0; cut <= len; cut++) {
            struct span head = copy_of(text, cut), tail = copy_of(text + cut, len - cut);
            check_sane(head);
            check_sane(tail);
            drop(head);
            drop(tail);
        }
    }
}

static uint32_t next_random(uint32_t *seed) {
    return *seed = *seed * 1664525 + 1013904223;
}

/* Random bytes, and true lines with pieces of frames thrown in at random. */
static void random_lines_are_safe(void **state) {
    (void)state;
    static const char *const pieces[] = {"' host: '", "' user: '", "'@'", "' (", ")",  "'",           "[Note] ", "[",
                                         "]",         ".cc:1)",    "\n",  "\r",  ": ", " real ip: '", "`"};
    uint32_t seed = 20261121;
    for (int round = 0; round < 50000; round++) {
        char text[600];
        size_t len = 0;
        if (round % 2) {
            while (len < next_random(&seed) >> 24)
                text[len++] = (char)(next_random(&seed) >> 24);
        } else {
            const char *line = understood[(next_random(&seed) >> 8) % (sizeof understood / sizeof *understood)].line;
            const char *piece = pieces[(next_random(&seed) >> 8) % (sizeof pieces / sizeof *pieces)];
            size_t at = (next_random(&seed) >> 8) % (strlen(line) + 1), gone = (next_random(&seed) >> 8) % 8;
            memcpy(text, line, at);
            len = at + strlen(piece);
            memcpy(text + at, piece, strlen(piece));
            for (const char *p = line + at; *p; p++)
                if (!gone || !gone--)
                    text[len++] = *p;
        }
        struct span line = copy_of(text, len);
        check_sane(line);
        drop(line);
    }
}

/* A line of the longest length, made of nothing but places where a name could end, costs no more than time in
 * proportion. */
static void hostile_line_is_cheap(void **state) {
    (void)state;
    enum { SIZE = 64 * 1024 };
    static const char *const fillings[] = {"' host: '", "' host: '' (", "' user: '", "'", "'@'",
                                           "[",         "[Note]",       "' (",       " "};
    static const char front[] = "2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: '";
    clock_t begin = clock();
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof fillings / sizeof *fillings; i++) {
        memcpy(text, front, sizeof front - 1);
        for (size_t at = sizeof front - 1; at < SIZE; at++)
            text[at] = fillings[i][at % strlen(fillings[i])];
        memcpy(text + SIZE - 4, "' ()", 4);
        for (int round = 0; round < 20; round++)
            check_sane((struct span){text, SIZE});
    }
    assert_true(clock() < begin + 2 * CLOCKS_PER_SEC);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_is_understood), cmocka_unit_test(nothing_else_is),
        cmocka_unit_test(forged_line_is_suspect),      cmocka_unit_test(every_prefix_and_suffix_is_safe),
        cmocka_unit_test(random_lines_are_safe),       cmocka_unit_test(hostile_line_is_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
