/*
 * From the facts of an abort to its cause; see cause.h.
 *
 * The rules are one table, the first that fits is taken; what else is known then narrows its answer. What each row
 * claims was measured: `../shared/facts/server-behaviour.md`, main table, and error-log-formats.md, 2 to 4.
 */
#include "explain/cause.h"

#include <math.h>
#include <stddef.h>

enum {
    MA = 1 << SERVER_MARIADB,
    MY = 1 << SERVER_MYSQL,
    ANY = MA | MY | 1 << SERVER_UNKNOWN,
    /* From this version on MySQL tells an idle timeout from others. */
    MYSQL_TELLS_INACTIVITY = 80024,
};

enum login { BEFORE = 1, AFTER = 2, EITHER = BEFORE | AFTER };

#define BIT(cause) (UINT32_C(1) << CAUSE_##cause)
#define CLI (1U << COUNTER_CLIENTS)
#define CON (1U << COUNTER_CONNECTS)
#define PRE (1U << COUNTER_PREAUTH)

struct rule {
    enum log_event_kind kind;
    const char *reason; /* NULL: whatever it is */
    unsigned number;    /* the error that stands for the same where there is no line, or two of them WITH(); 0 none */
    unsigned flavours;
    enum login login;
    enum cause cause;
    enum confidence confidence;
    uint32_t others; /* that are possible, too */
    unsigned raises, may_raise;
};

#define NEARLY 0.8 /* of a time that is known in whole seconds */
#define WITH(number, second) ((number) + 65536U * (second))
#define READING "Got an error reading communication packets"
#define READ_TIMEOUT_TEXT "Got timeout reading communication packets"
#define BEFORE_LOGIN_ALL                                                                                               \
    (BIT(HEALTH_CHECK) | BIT(HANDSHAKE_TIMEOUT) | BIT(PROTOCOL_ERROR) | BIT(TLS_FAILURE) | BIT(HOST_NOT_ALLOWED) |     \
     BIT(HOST_BLOCKED))
#define SURE CONFIDENCE_CERTAIN
#define LIKELY CONFIDENCE_LIKELY
#define OPEN CONFIDENCE_UNKNOWN

/* clang-format off */
static const struct rule rules[] = {
    /* before login: MySQL writes the bare reason, MariaDB one line for all */
    {LOG_EVENT_ABORTED, READING, WITH(1043, 1158), MY, BEFORE, CAUSE_HEALTH_CHECK, LIKELY, BIT(TLS_FAILURE), CON, 0},
    {LOG_EVENT_ABORTED, READ_TIMEOUT_TEXT, WITH(1043, 1159), MY, BEFORE, CAUSE_HANDSHAKE_TIMEOUT, SURE, 0, CON, 0},
    {LOG_EVENT_ABORTED, "Got packets out of order", WITH(1043, 1156), MY, BEFORE, CAUSE_PROTOCOL_ERROR, SURE, 0, CON, 0},
    {LOG_EVENT_ABORTED, "Bad handshake", 1043, MY, BEFORE, CAUSE_TLS_FAILURE, LIKELY, BIT(PROTOCOL_ERROR) | BIT(HEALTH_CHECK), CON, 0},
    {LOG_EVENT_ABORTED, NULL, 0, MY, BEFORE, CAUSE_BEFORE_LOGIN, OPEN, BEFORE_LOGIN_ALL, CON, 0},
    {LOG_EVENT_ABORTED, "This connection closed normally without authentication", 0, ANY, EITHER, CAUSE_BEFORE_LOGIN, OPEN, BEFORE_LOGIN_ALL, CON | PRE, 0},
    /* after it; of sums first what they say otherwise than a line: LOAD DATA LOCAL raises 1159 twice, and KILL looks the same as
     * what was left in the middle */
    {LOG_EVENT_NONE, NULL, 1159, ANY, EITHER, CAUSE_IDLE_TIMEOUT, LIKELY, BIT(READ_TIMEOUT) | BIT(NO_ABORT), CLI, 0},
    {LOG_EVENT_NONE, NULL, 1160, ANY, EITHER, CAUSE_LEFT_MID_RESULT, LIKELY, BIT(CLIENT_VANISHED) | BIT(KILLED), CLI, 0},
    {LOG_EVENT_ABORTED, READING, 1158, ANY, EITHER, CAUSE_CLIENT_VANISHED, SURE, 0, CLI, 0},
    {LOG_EVENT_ABORTED, READ_TIMEOUT_TEXT, 1159, ANY, EITHER, CAUSE_IDLE_TIMEOUT, LIKELY, BIT(READ_TIMEOUT), CLI, 0},
    {LOG_EVENT_ABORTED, "Got an error writing communication packets", 1160, MA, EITHER, CAUSE_LEFT_MID_RESULT, LIKELY, BIT(WRITE_TIMEOUT) | BIT(REPLICATION_CLIENT) | BIT(CLIENT_VANISHED), CLI, 0},
    {LOG_EVENT_ABORTED, "Got an error writing communication packets", 1160, ANY, EITHER, CAUSE_LEFT_MID_RESULT, LIKELY, BIT(CLIENT_VANISHED), CLI, 0},
    {LOG_EVENT_ABORTED, "Got timeout writing communication packets", 1161, ANY, EITHER, CAUSE_WRITE_TIMEOUT, SURE, 0, CLI, 0},
    {LOG_EVENT_ABORTED, "The client was disconnected by the server because of inactivity.", 4031, ANY, EITHER, CAUSE_IDLE_TIMEOUT, SURE, 0, CLI, 0},
    {LOG_EVENT_ABORTED, "Got a packet bigger than 'max_allowed_packet' bytes", 1153, ANY, EITHER, CAUSE_PACKET_TOO_LARGE, SURE, 0, CLI, 0},
    {LOG_EVENT_ABORTED, "Got packets out of order", 0, ANY, EITHER, CAUSE_PROTOCOL_ERROR, SURE, 0, CLI, 0},
    {LOG_EVENT_ABORTED, "Couldn't uncompress communication packet", 1157, ANY, EITHER, CAUSE_PROTOCOL_ERROR, SURE, 0, CLI, 0},
    {LOG_EVENT_ABORTED, "failed on flush_net()", WITH(1105, 1160), ANY, EITHER, CAUSE_REPLICATION_CLIENT, SURE, 0, CLI, 0},
    {LOG_EVENT_ABORTED, "KILLED", 0, ANY, EITHER, CAUSE_KILLED, LIKELY, BIT(NO_ABORT) | BIT(SERVER_RESTART), 0, CLI},
    {LOG_EVENT_ABORTED, "RELEASE", 0, ANY, EITHER, CAUSE_RELEASED, SURE, 0, CLI, 0},
    {LOG_EVENT_ABORTED, "CLOSE_CONNECTION", 0, ANY, EITHER, CAUSE_NO_ABORT, SURE, 0, 0, 0},
    {LOG_EVENT_ABORTED, "This connection closed normally", 0, ANY, EITHER, CAUSE_NO_ABORT, SURE, 0, 0, 0},
    {LOG_EVENT_ABORTED, NULL, 0, ANY, EITHER, CAUSE_UNKNOWN, OPEN, 0, CLI, 0},
    {LOG_EVENT_INIT_CONNECT, NULL, 1184, ANY, EITHER, CAUSE_INIT_CONNECT, SURE, 0, CLI, 0},
    {LOG_EVENT_TIMEOUT_NOTE, NULL, 0, ANY, EITHER, CAUSE_IDLE_TIMEOUT, SURE, 0, 0, CLI},
    {LOG_EVENT_FORCED_CLOSE, NULL, 0, ANY, EITHER, CAUSE_SERVER_RESTART, SURE, 0, 0, CLI},
    /* refused */
    {LOG_EVENT_ACCESS_DENIED, NULL, 1045, ANY, EITHER, CAUSE_ACCESS_DENIED, SURE, 0, CON, 0},
    /* by COM_CHANGE_USER */
    {LOG_EVENT_NONE, NULL, WITH(1045, CHANGE_USER_REFUSED), MY, AFTER, CAUSE_ACCESS_DENIED, SURE, 0, CLI, 0},
    /* which statements raise, too */
    {LOG_EVENT_NONE, NULL, 1044, ANY, EITHER, CAUSE_ACCESS_DENIED, LIKELY, BIT(NO_ABORT), 0, CON},
    {LOG_EVENT_NONE, NULL, 1049, ANY, EITHER, CAUSE_UNKNOWN_DATABASE, LIKELY, BIT(NO_ABORT), 0, CON},
    {LOG_EVENT_NONE, NULL, 1130, ANY, EITHER, CAUSE_HOST_NOT_ALLOWED, SURE, 0, CON | PRE, 0},
    {LOG_EVENT_NONE, NULL, 1862, ANY, EITHER, CAUSE_ACCESS_DENIED, SURE, 0, CON, 0},
    {LOG_EVENT_NONE, NULL, 1203, ANY, EITHER, CAUSE_USER_LIMIT, SURE, 0, CON, 0},
    {LOG_EVENT_NONE, NULL, 1226, ANY, EITHER, CAUSE_USER_LIMIT, SURE, 0, CON, 0},
    {LOG_EVENT_NONE, NULL, 1251, ANY, EITHER, CAUSE_ACCESS_DENIED, SURE, 0, CON, 0},
    {LOG_EVENT_NONE, NULL, 3118, ANY, EITHER, CAUSE_ACCESS_DENIED, SURE, 0, CON, 0},
    {LOG_EVENT_NONE, NULL, 3159, ANY, EITHER, CAUSE_TLS_REQUIRED, SURE, 0, CON, 0},
    {LOG_EVENT_NONE, NULL, 3955, ANY, EITHER, CAUSE_ACCESS_DENIED, SURE, 0, CON, 0},
    {LOG_EVENT_NONE, NULL, 1156, ANY, AFTER, CAUSE_PROTOCOL_ERROR, SURE, 0, 0, 0}, /* which is not counted */
    /* RST, or a lost connection over TLS, looks the same as KILL */
    {LOG_EVENT_NONE, NULL, WITH(1158, 1160), ANY, EITHER, CAUSE_CLIENT_VANISHED, LIKELY, BIT(KILLED), CLI, 0},
    {LOG_EVENT_HOST_BLOCKED, NULL, 1129, ANY, EITHER, CAUSE_HOST_BLOCKED, SURE, 0, CON | PRE, 0},
    {LOG_EVENT_NONE, NULL, 1040, ANY, AFTER, CAUSE_TOO_MANY_CONNECTIONS, SURE, 0, CON, 0},
    /* Connection_errors_max_connections tells of these; the lines add who. */
    {LOG_EVENT_TOO_MANY_CONNECTIONS, NULL, 1040, ANY, EITHER, CAUSE_TOO_MANY_CONNECTIONS, SURE, 0, 0, 0},
    /* no connection of its own */
    {LOG_EVENT_DNS, NULL, 0, ANY, EITHER, CAUSE_DNS, SURE, 0, 0, 0},
    {LOG_EVENT_SSL, NULL, 0, ANY, EITHER, CAUSE_TLS_FAILURE, LIKELY, 0, 0, 0},
    {LOG_EVENT_ACCEPT_ERROR, NULL, 0, ANY, EITHER, CAUSE_SERVER_RESOURCES, SURE, 0, 0, 0},
    {LOG_EVENT_OTHER, "Got packets out of order", 0, ANY, EITHER, CAUSE_PROTOCOL_ERROR, SURE, 0, 0, 0},
};
/* clang-format on */

static bool fits(const struct rule *rule, const struct abort_facts *facts) {
    if (facts->kind == LOG_EVENT_NONE
            ? rule->number == 0 || rule->number != WITH(facts->error_number, facts->with_number)
            : rule->kind != facts->kind)
        return false;
    if (facts->kind != LOG_EVENT_NONE && rule->reason && !span_is(facts->reason, rule->reason))
        return false;
    return (rule->flavours & 1U << facts->flavour) && (rule->login & (facts->user_known ? AFTER : BEFORE));
}

static void conclude(struct abort_cause *c, enum cause cause, enum confidence confidence) {
    c->cause = cause;
    c->confidence = confidence;
    c->possible = confidence == SURE ? UINT32_C(1) << cause : c->possible | UINT32_C(1) << cause;
}

static void narrow_timeout(struct abort_cause *c, const struct abort_facts *facts) {
    if (facts->flavour == SERVER_MYSQL && facts->version >= MYSQL_TELLS_INACTIVITY) {
        conclude(c, CAUSE_READ_TIMEOUT, SURE);
        return;
    }
    if (facts->asleep) { /* where wait_timeout counts, which each session may set for itself */
        conclude(c, CAUSE_IDLE_TIMEOUT, LIKELY);
        return;
    }
    if (facts->idle_ns < 0 || isnan(facts->idle_limit_s))
        return;
    /* The process list counts whole seconds, and was seen some time before. */
    bool short_of = (double)facts->idle_ns / NS_PER_S < facts->idle_limit_s - 1.5;
    conclude(c, short_of ? CAUSE_READ_TIMEOUT : CAUSE_IDLE_TIMEOUT, LIKELY);
}

/* What no line tells although a line would. */
static void narrow_untold(struct abort_cause *c) {
    if (c->possible & BIT(KILLED))
        conclude(c, CAUSE_KILLED, SURE);
    else if (c->possible & BIT(NO_ABORT))
        conclude(c, CAUSE_NO_ABORT, SURE);
}

/* MariaDB writes one line for a client that left and one that did not read. */
static void narrow_writing(struct abort_cause *c, const struct abort_facts *facts) {
    if (!(c->possible & BIT(WRITE_TIMEOUT)) || facts->writing_ns < 0 || isnan(facts->write_limit_s))
        return;
    if ((double)facts->writing_ns / NS_PER_S < facts->write_limit_s) {
        c->possible &= ~BIT(WRITE_TIMEOUT);
    } else if (facts->seen_writing) {
        conclude(c, CAUSE_WRITE_TIMEOUT, LIKELY);
    } else {
        c->cause = CAUSE_UNKNOWN;
        c->confidence = OPEN;
    }
}

/* A KILL leaves the same errors behind as a client that is gone. */
static void narrow_killed(struct abort_cause *c, const struct abort_facts *facts) {
    if (facts->some_kills) {
        c->cause = CAUSE_UNKNOWN;
        c->confidence = OPEN;
        return;
    }
    if (c->cause == CAUSE_KILLED || !(c->possible & BIT(KILLED)) || facts->kills < 0)
        return;
    if (facts->kills > 0) {
        conclude(c, CAUSE_KILLED, LIKELY);
        return;
    }
    c->possible &= ~BIT(KILLED);
    if (c->possible == UINT32_C(1) << c->cause)
        c->confidence = SURE;
}

/* MariaDB's one line for all that ends before login: a timeout takes its time. */
static void narrow_login(struct abort_cause *c, const struct abort_facts *facts) {
    if (c->cause != CAUSE_BEFORE_LOGIN || facts->login_at_most_ns < 0 || isnan(facts->login_limit_s))
        return;
    if ((double)facts->login_at_most_ns / NS_PER_S < facts->login_limit_s)
        c->possible &= ~BIT(HANDSHAKE_TIMEOUT);
    else if ((double)facts->login_at_least_ns / NS_PER_S >= NEARLY * facts->login_limit_s)
        conclude(c, CAUSE_HANDSHAKE_TIMEOUT, LIKELY);
}

void abort_cause_of_change_user(struct abort_cause *c) {
    c->raises = CLI;
    c->with_number = CHANGE_USER_REFUSED;
}

/* Who had logged in before changes its user: MySQL ends the connection, MariaDB goes on with the old one. (Measured on
 * 9.7 and 10.11.) */
static void narrow_refused(struct abort_cause *c, const struct abort_facts *facts) {
    if (!facts->logged_in || facts->kind != LOG_EVENT_ACCESS_DENIED)
        return;
    if (facts->flavour == SERVER_MARIADB)
        c->raises = 0;
    else
        abort_cause_of_change_user(c);
}

/* A write error is most often a second one; COMMIT RELEASE raises the counter that confirms it, and nothing else. */
static void widen_doubtful(struct abort_cause *c, const struct abort_facts *facts) {
    if (facts->doubtful && c->possible & BIT(LEFT_MID_RESULT))
        c->possible |= BIT(RELEASED);
}

/* What else is known. */
static void narrow(struct abort_cause *c, const struct abort_facts *facts) {
    if (facts->untold)
        narrow_untold(c);
    narrow_refused(c, facts);
    narrow_login(c, facts);
    narrow_killed(c, facts);
    if (c->cause == CAUSE_IDLE_TIMEOUT && c->confidence == LIKELY)
        narrow_timeout(c, facts);
    if (c->cause == CAUSE_LEFT_MID_RESULT && facts->replication)
        conclude(c, CAUSE_REPLICATION_CLIENT, SURE);
    if (c->cause == CAUSE_LEFT_MID_RESULT)
        narrow_writing(c, facts);
    if (c->cause == CAUSE_KILLED && facts->shutting_down)
        conclude(c, CAUSE_SERVER_RESTART, SURE);
    if (c->cause == CAUSE_BEFORE_LOGIN && facts->flavour == SERVER_MARIADB && !facts->host_known) {
        c->possible = 0; /* seen only where the peer was gone before its address was asked for */
        conclude(c, CAUSE_HEALTH_CHECK, LIKELY);
    }
    if (facts->own && c->cause != CAUSE_KILLED && c->cause != CAUSE_SERVER_RESTART && c->cause != CAUSE_NO_ABORT)
        conclude(c, CAUSE_SELF, SURE);
    else
        widen_doubtful(c, facts);
}

struct abort_cause cause_of(const struct abort_facts *facts) {
    struct abort_cause c = {CAUSE_UNKNOWN, CONFIDENCE_UNKNOWN, BIT(UNKNOWN), 0, 0, 0, 0};
    if (facts->kind == LOG_EVENT_OTHER && facts->db_named && !facts->user_known) { /* MySQL: "Unknown database 'd'" */
        c.raises = CON;
        c.number = 1049;
        conclude(&c, CAUSE_UNKNOWN_DATABASE, SURE);
        narrow(&c, facts);
        return c;
    }
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *rule = &rules[i];
        if (!fits(rule, facts))
            continue;
        c = (struct abort_cause){rule->cause,       rule->confidence, rule->others | UINT32_C(1) << rule->cause,
                                 rule->raises,      rule->may_raise,  rule->number & 0xffff,
                                 rule->number >> 16};
        narrow(&c, facts);
        break;
    }
    return c;
}

/* --- the tables --- */

static const struct {
    const char *name, *meaning, *evidence, *advice, *client, *server;
} causes[] = {
#define CAUSE_ROW(id, name, meaning, evidence, advice, client, server)                                                 \
    {name, meaning, evidence, advice, client, server},
    CAUSES(CAUSE_ROW)
#undef CAUSE_ROW
};

static const struct {
    const char *name;
    enum cause cause;
} counters[] = {
#define COUNTER_ROW(id, name, cause) {name, CAUSE_##cause},
    ABORT_COUNTERS(COUNTER_ROW)
#undef COUNTER_ROW
};

_Static_assert(CAUSE_COUNT <= 32, "a set of causes is 32 bits");

const char *cause_name(enum cause cause) {
    return causes[cause].name;
}

const char *cause_meaning(enum cause cause) {
    return causes[cause].meaning;
}

const char *cause_advice(enum cause cause) {
    return causes[cause].advice;
}

const char *abort_counter_name(enum abort_counter counter) {
    return counters[counter].name;
}

enum cause abort_counter_cause(enum abort_counter counter) {
    return counters[counter].cause;
}

const char *confidence_name(enum confidence confidence) {
    static const char *const names[] = {
        [CONFIDENCE_UNKNOWN] = "unknown", [CONFIDENCE_LIKELY] = "likely", [CONFIDENCE_CERTAIN] = "certain"};
    return names[confidence];
}

void cause_reference(struct strbuf *out) {
    strbuf_addstr(out, "| Cause | What it means | Evidence | The client … | The server … | What to do |\n"
                       "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < CAUSE_COUNT; i++)
        strbuf_addf(out, "| <a id=\"cause-%s\"></a>`%s` | %s | %s | %s | %s | %s |\n", causes[i].name, causes[i].name,
                    causes[i].meaning, causes[i].evidence, causes[i].client, causes[i].server, causes[i].advice);
}
