/*
 * The checks behind the rules (advice_rules.inc); see advice_rules.h.
 */
#include "explain/advice_rules.h"

#include "base/number.h"

#include <math.h>
#include <string.h>

#define BIT(cause) (UINT32_C(1) << CAUSE_##cause)

/* Thresholds, which the table's texts name, too. */
#define HEADROOM_WARNING 0.8
#define HEADROOM_CRITICAL 0.95
#define IDLE_TRANSACTION_INFO_NS (10 * NS_PER_S)
#define IDLE_TRANSACTION_WARNING_NS (60 * NS_PER_S)
#define CHURN_RATE_MIN 2.0       /* connections a second … */
#define CHURN_LIFE_MAX_S 10.0    /* … that live no longer on average … */
#define CHURN_CONNECTIONS_MIN 50 /* … and so many of them, at least, to tell */
#define LONG_WAIT_TIMEOUT_S 3600.0
enum {
    RETRANSMISSIONS_MIN = 3,
    RETRANSMISSIONS_WARNING_SHARE = 10, /* one in so many probes */
    ACCEPT_QUEUE_SHARE = 2,             /* one place in so many is taken */
    TIME_WAIT_MIN = 10000,
    CLOSE_WAIT_MIN = 5,
    UNEXPLAINED_MIN = 5,
    UNEXPLAINED_SHARE = 5, /* one in so many aborts */
};

/* --- texts --- */

/* A duration as people read it: whole seconds from one second on. Valid until the third next call. */
static const char *duration(int64_t ns) {
    static char texts[3][32];
    static unsigned next;
    struct strbuf text;
    char *out = texts[next++ % 3];
    strbuf_init(&text, sizeof texts[0] - 1);
    number_add_duration(&text, ns < NS_PER_S ? ns / NS_PER_MS * NS_PER_MS : (ns + NS_PER_S / 2) / NS_PER_S * NS_PER_S);
    memcpy(out, strbuf_text(&text), text.len + 1);
    strbuf_release(&text);
    return out;
}

static const char *seconds(double s) {
    return duration((int64_t)(s * (double)NS_PER_S));
}

static const char *plural(uint64_t n) {
    return n == 1 ? "" : "s";
}

typedef unsigned long long ull; /* for printf */

/* --- aborts by cause --- */

static uint64_t aborts_of(const struct advice_facts *facts, uint32_t causes) {
    uint64_t sum = 0;
    for (unsigned cause = 0; cause < CAUSE_COUNT; cause++)
        if (causes & UINT32_C(1) << cause)
            sum += facts->recent.aborts[cause];
    return sum;
}

/* How many there were of each cause, and whose the last one was. */
static void add_aborts(const struct advice_facts *facts, uint32_t causes, struct finding *finding) {
    for (unsigned cause = 0; cause < CAUSE_COUNT; cause++) {
        uint64_t n = facts->recent.aborts[cause];
        if (!(causes & UINT32_C(1) << cause) || n == 0)
            continue;
        if (facts->recent.last_client[cause])
            finding_add_evidence(finding, "%llu time%s in %s: %s; the last: %s", (ull)n, plural(n),
                                 duration(facts->recent.window_ns), cause_meaning(cause),
                                 facts->recent.last_client[cause]);
        else
            finding_add_evidence(finding, "%llu time%s in %s: %s", (ull)n, plural(n), duration(facts->recent.window_ns),
                                 cause_meaning(cause));
    }
}

static enum advice_severity check_causes(const struct advice_rule *rule, const struct advice_facts *facts,
                                         struct finding *finding) {
    uint64_t n = aborts_of(facts, rule->causes);
    add_aborts(facts, rule->causes, finding);
    if (n == 0)
        return SEVERITY_NONE;
    return rule->warns_from > 0 && n >= rule->warns_from ? SEVERITY_WARNING : SEVERITY_INFO;
}

/* --- the server as a whole --- */

static enum advice_severity check_down(const struct advice_facts *facts, struct finding *finding) {
    if (facts->health != TARGET_DOWN)
        return SEVERITY_NONE;
    finding_add_evidence(finding, "the last poll failed in phase %s: %s (%s)", phase_name(facts->down.phase),
                         failure_name(facts->down.failure), failure_meaning(facts->down.failure));
    if (facts->down.text[0])
        finding_add_evidence(finding, "%s", facts->down.text);
    return SEVERITY_CRITICAL;
}

static enum advice_severity check_headroom(const struct advice_facts *facts, struct finding *finding) {
    uint64_t refused = facts->recent.aborts[CAUSE_TOO_MANY_CONNECTIONS];
    double share = facts->recent.most_connections / facts->max_connections; /* NaN where one is not known */
    bool near = share >= HEADROOM_WARNING;
    if (refused == 0 && !near)
        return SEVERITY_NONE;
    if (refused > 0)
        finding_add_evidence(finding, "%llu connection%s refused in %s for want of a place (error 1040)", (ull)refused,
                             refused == 1 ? " was" : "s were", duration(facts->recent.window_ns));
    if (near)
        finding_add_evidence(finding, "%.0f connections at one time, of max_connections = %.0f (%.0f %%), in %s",
                             facts->recent.most_connections, facts->max_connections, share * 100,
                             duration(facts->recent.window_ns));
    if (facts->sessions_seen)
        finding_add_evidence(finding, "now %llu sessions, of which %llu sleep", (ull)facts->sessions.sessions,
                             (ull)facts->sessions.sleeping);
    return refused > 0 || share >= HEADROOM_CRITICAL ? SEVERITY_CRITICAL : SEVERITY_WARNING;
}

static enum advice_severity check_churn(const struct advice_facts *facts, struct finding *finding) {
    uint64_t connections = facts->recent.count[COUNT_CONNECTIONS], polls = facts->recent.count[COUNT_POLLS];
    double window_s = ns_to_seconds(facts->recent.window_ns);
    if (connections < CHURN_CONNECTIONS_MIN || polls == 0 || window_s <= 0)
        return SEVERITY_NONE;
    double rate = (double)connections / window_s;
    double mean = (double)facts->recent.count[COUNT_CONNECTED] / (double)polls - 1; /* one of them is ours */
    double life_s = fmax(mean, 0) / rate;                                           /* Little's law */
    if (rate < CHURN_RATE_MIN || life_s > CHURN_LIFE_MAX_S)
        return SEVERITY_NONE;
    finding_add_evidence(
        finding,
        "%.0f new connections a second over %s, at %.1f connections on average: each lived for %.2g s on average", rate,
        duration(facts->recent.window_ns), fmax(mean, 0), life_s);
    return SEVERITY_INFO;
}

static enum advice_severity check_timeouts_differ(const struct advice_facts *facts, struct finding *finding) {
    if (isnan(facts->wait_timeout) || isnan(facts->interactive_timeout) ||
        facts->wait_timeout == facts->interactive_timeout)
        return SEVERITY_NONE;
    finding_add_evidence(finding, "wait_timeout = %.0f, interactive_timeout = %.0f", facts->wait_timeout,
                         facts->interactive_timeout);
    return SEVERITY_INFO;
}

/* --- idle connections --- */

static enum advice_severity check_sleepers(const struct advice_facts *facts, struct finding *finding) {
    const struct session_sums *sums = &facts->sessions;
    if (!facts->sessions_seen || sums->near_timeout == 0)
        return SEVERITY_NONE;
    finding_add_evidence(
        finding, "%llu of %llu sleeping session%s had slept for nine tenths of wait_timeout (%s) or longer",
        (ull)sums->near_timeout, (ull)sums->sleeping, plural(sums->sleeping), seconds(facts->wait_timeout));
    if (facts->sleepers.len > 0)
        finding_add_evidence(finding, "%s", strbuf_text(&facts->sleepers));
    return SEVERITY_WARNING;
}

/* A client may have set a limit of its own, which nobody sees. */
static enum advice_severity check_idle_cuts(const struct advice_facts *facts, struct finding *finding) {
    double limit_s = fmin(facts->wait_timeout, facts->interactive_timeout);
    if (facts->recent.aborts[CAUSE_IDLE_TIMEOUT] == 0)
        return SEVERITY_NONE;
    add_aborts(facts, BIT(IDLE_TIMEOUT), finding);
    if (isnan(limit_s))
        return SEVERITY_WARNING;
    finding_add_evidence(finding, "wait_timeout = %.0f, interactive_timeout = %.0f, unless the client set its own",
                         facts->wait_timeout, facts->interactive_timeout);
    if (limit_s >= LONG_WAIT_TIMEOUT_S)
        finding_add_change(
            finding,
            "If it did not, nothing used these connections for %s: look for connections that are forgotten "
            "rather than kept in a pool.",
            seconds(limit_s));
    else
        finding_add_change(
            finding, "Set the pools' idle timeout or maximal lifetime below %s, or raise wait_timeout above theirs.",
            seconds(limit_s));
    return SEVERITY_WARNING;
}

static enum advice_severity check_idle_transactions(const struct advice_facts *facts, struct finding *finding) {
    const struct session_sums *sums = &facts->sessions;
    int64_t longest = sums->longest_idle_in_transaction_ns;
    if (!facts->transactions_seen || sums->idle_in_transaction == 0 || longest < IDLE_TRANSACTION_INFO_NS)
        return SEVERITY_NONE;
    finding_add_evidence(finding, "%llu session%s with an open transaction, the longest for %s",
                         (ull)sums->idle_in_transaction, sums->idle_in_transaction == 1 ? " sleeps" : "s sleep",
                         duration(longest));
    if (facts->idlers.len > 0)
        finding_add_evidence(finding, "%s", strbuf_text(&facts->idlers));
    return longest >= IDLE_TRANSACTION_WARNING_NS ? SEVERITY_WARNING : SEVERITY_INFO;
}

static enum advice_severity check_path_cuts(const struct advice_facts *facts, struct finding *finding) {
    uint64_t cuts = facts->recent.count[COUNT_PATH_CUTS];
    if (cuts == 0)
        return SEVERITY_NONE;
    finding_add_evidence(
        finding, "%llu connection%s that a probe left idle %s cut by neither end in %s, the last after %s", (ull)cuts,
        plural(cuts), cuts == 1 ? "was" : "were", duration(facts->recent.window_ns), duration(facts->cut_after_ns));
    return SEVERITY_WARNING;
}

/* --- packets, timeouts, the network --- */

static enum advice_severity check_packets(const struct advice_facts *facts, struct finding *finding) {
    if (facts->recent.aborts[CAUSE_PACKET_TOO_LARGE] == 0)
        return SEVERITY_NONE;
    add_aborts(facts, BIT(PACKET_TOO_LARGE), finding);
    if (!isnan(facts->max_allowed_packet))
        finding_add_evidence(finding, "max_allowed_packet = %.0f (%.4g MiB)", facts->max_allowed_packet,
                             facts->max_allowed_packet / 0x1p20);
    return SEVERITY_WARNING;
}

static enum advice_severity check_net_timeouts(const struct advice_facts *facts, struct finding *finding) {
    uint32_t causes = BIT(READ_TIMEOUT) | BIT(WRITE_TIMEOUT);
    if (aborts_of(facts, causes) == 0)
        return SEVERITY_NONE;
    add_aborts(facts, causes, finding);
    if (!isnan(facts->net_read_timeout))
        finding_add_evidence(finding, "net_read_timeout = %.0f, net_write_timeout = %.0f", facts->net_read_timeout,
                             facts->net_write_timeout);
    return SEVERITY_WARNING;
}

static enum advice_severity check_packet_loss(const struct advice_facts *facts, struct finding *finding) {
    uint64_t again = facts->recent.count[COUNT_RETRANSMISSIONS], probes = facts->recent.count[COUNT_PROBES];
    if (again < RETRANSMISSIONS_MIN)
        return SEVERITY_NONE;
    finding_add_evidence(finding, "%llu TCP segments were sent again in %llu probe%s over %s", (ull)again, (ull)probes,
                         plural(probes), duration(facts->recent.window_ns));
    return again * RETRANSMISSIONS_WARNING_SHARE >= probes ? SEVERITY_WARNING : SEVERITY_INFO;
}

static enum advice_severity check_accept_queue(const struct advice_facts *facts, struct finding *finding) {
    /* The machine's counter may be another program's; the socket's may be of packets that were no connections. */
    uint64_t drops = facts->recent.count[COUNT_LISTEN_DROPS], overflows = facts->recent.count[COUNT_LISTEN_OVERFLOWS];
    uint64_t refused = drops < overflows ? drops : overflows;
    uint64_t limit = facts->sockets_seen ? facts->accept_queue_limit : 0;
    bool fills = limit > 0 && facts->accept_queue * ACCEPT_QUEUE_SHARE >= limit;
    if (refused == 0 && !fills)
        return SEVERITY_NONE;
    if (fills)
        finding_add_evidence(finding, "%llu connections wait to be accepted, of %llu that may",
                             (ull)facts->accept_queue, (ull)limit);
    if (refused > 0)
        finding_add_evidence(
            finding, "%llu time%s in %s its accept queue was full (%llu dropped by its socket, ListenOverflows %llu)",
            (ull)refused, plural(refused), duration(facts->recent.window_ns), (ull)drops, (ull)overflows);
    if (!isnan(facts->back_log))
        finding_add_evidence(finding, "back_log = %.0f", facts->back_log);
    return SEVERITY_WARNING;
}

static enum advice_severity check_time_wait(const struct advice_facts *facts, struct finding *finding) {
    if (!facts->sockets_seen || facts->time_wait < TIME_WAIT_MIN)
        return SEVERITY_NONE;
    finding_add_evidence(finding, "%llu sockets on the server's port are in TIME_WAIT", (ull)facts->time_wait);
    return SEVERITY_INFO;
}

static enum advice_severity check_close_wait(const struct advice_facts *facts, struct finding *finding) {
    if (!facts->sockets_seen || facts->close_wait < CLOSE_WAIT_MIN)
        return SEVERITY_NONE;
    finding_add_evidence(
        finding, "%llu sockets on the server's port are in CLOSE_WAIT: the client has closed, the server has not",
        (ull)facts->close_wait);
    return SEVERITY_INFO;
}

/* --- hosts and names --- */

static enum advice_severity check_hosts(const struct advice_facts *facts, struct finding *finding) {
    const struct advice_hosts *hosts = &facts->recent.hosts;
    uint64_t refused = facts->recent.aborts[CAUSE_HOST_BLOCKED], blocked = hosts->known ? hosts->blocked : 0;
    uint64_t near = hosts->known ? hosts->near : 0;
    if (refused == 0 && blocked == 0 && near == 0)
        return SEVERITY_NONE;
    add_aborts(facts, BIT(HOST_BLOCKED), finding);
    if (blocked > 0)
        finding_add_evidence(finding, "%llu host%s blocked", (ull)blocked, blocked == 1 ? " is" : "s are");
    if (near > 0)
        finding_add_evidence(finding, "%llu host%s half of max_connect_errors or more behind %s", (ull)near,
                             near == 1 ? " has" : "s have", near == 1 ? "it" : "them");
    if (blocked + near > 0 && hosts->nearest[0])
        finding_add_evidence(finding, "%s has %llu failed handshakes in a row, of max_connect_errors = %llu",
                             hosts->nearest, (ull)hosts->nearest_errors, (ull)hosts->max_connect_errors);
    return refused + blocked > 0 ? SEVERITY_CRITICAL : SEVERITY_WARNING;
}

static enum advice_severity check_names(const struct advice_facts *facts, struct finding *finding) {
    uint64_t lines = facts->recent.count[COUNT_DNS_LINES], slow = facts->recent.count[COUNT_SLOW_GREETINGS];
    uint64_t failed = facts->recent.count[COUNT_HOST_NAME_ERRORS];
    if (facts->skip_name_resolve != 0 || lines + slow + failed == 0) /* not where it is not known either */
        return SEVERITY_NONE;
    finding_add_evidence(
        finding, "skip_name_resolve is off: the server looks up the name of each host that it does not know yet");
    if (lines > 0)
        finding_add_evidence(finding, "%llu line%s of the error log in %s: names that do not resolve, or not back",
                             (ull)lines, plural(lines), duration(facts->recent.window_ns));
    if (failed > 0)
        finding_add_evidence(finding, "%llu failed look-up%s in host_cache in %s", (ull)failed, plural(failed),
                             duration(facts->recent.window_ns));
    if (slow > 0)
        finding_add_evidence(
            finding, "%llu of our probes in %s waited for the greeting for more than a second after the connection",
            (ull)slow, duration(facts->recent.window_ns));
    return lines + failed > 0 ? SEVERITY_WARNING : SEVERITY_INFO;
}

/* --- drivers --- */

static bool is_worth_telling(const struct driver *row, const struct advice_driver *seen) {
    return seen->aborts > 0 || (seen->sessions > 0 && row->fault == DRIVER_CLOSES_BADLY);
}

static enum advice_severity check_drivers(const struct advice_facts *facts, struct finding *finding) {
    enum advice_severity severity = SEVERITY_NONE;
    for (size_t i = 0; facts->drivers && i < driver_count; i++) {
        const struct driver *row = &driver_table[i];
        const struct advice_driver *seen = &facts->drivers[i];
        if (!is_worth_telling(row, seen))
            continue;
        const char *blank = seen->version[0] ? " " : "";
        if (seen->aborts > 0)
            finding_add_evidence(finding, "%llu abort%s of %s%s%s in %s; known of it: %s: %s", (ull)seen->aborts,
                                 plural(seen->aborts), row->library, blank, seen->version,
                                 duration(facts->recent.window_ns), row->calls, row->why);
        else
            finding_add_evidence(finding, "%llu session%s of %s%s%s; known of it: %s: %s", (ull)seen->sessions,
                                 plural(seen->sessions), row->library, blank, seen->version, row->calls, row->why);
        finding_add_change(finding, "%s: %s See %s", row->library, row->remedy, row->source);
        severity = seen->aborts > 0 || severity == SEVERITY_WARNING ? SEVERITY_WARNING : SEVERITY_INFO;
    }
    return severity;
}

/* --- what we cannot see --- */

static void add_unexplained(const struct advice_facts *facts, struct finding *finding) {
    uint64_t n = facts->recent.count[COUNT_UNEXPLAINED];
    if (n > 0)
        finding_add_evidence(finding, "%llu aborted connection%s in %s without a known cause", (ull)n, plural(n),
                             duration(facts->recent.window_ns));
}

static void add_level(const struct advice_facts *facts, struct finding *finding) {
    bool mysql = !isnan(facts->log_error_verbosity); /* 5.7 has both, and obeys this one */
    finding_add_evidence(finding, "%s = %.0f: no line is written of aborted connections",
                         mysql ? "log_error_verbosity" : "log_warnings",
                         mysql ? facts->log_error_verbosity : facts->log_warnings);
    finding_add_change(finding, "SET GLOBAL %s; and the same in the server's configuration",
                       mysql ? "log_error_verbosity = 3" : "log_warnings = 2");
}

static enum advice_severity check_log_level(const struct advice_facts *facts, struct finding *finding) {
    if (facts->health != TARGET_UP || facts->log_sight == LOG_SIGHT_UNKNOWN || facts->log_sight == LOG_SIGHT_GOOD)
        return SEVERITY_NONE;
    if (facts->log_sight == LOG_SIGHT_LEVEL) {
        add_level(facts, finding);
    } else if (facts->log_sight == LOG_SIGHT_SUPPRESSED) {
        finding_add_evidence(finding,
                             "log_error_suppression_list has MY-010914: no line is written of aborted connections");
        finding_add_change(finding, "Take MY-010914 out of log_error_suppression_list.");
    } else {
        finding_add_evidence(
            finding, "log_error_services has a filter with rules of its own, which may drop the lines of aborted "
                     "connections");
        finding_add_change(finding, "Let the filter's rules (dragnet.log_error_filter_rules) pass MY-010914.");
    }
    add_unexplained(facts, finding);
    if (facts->evidence[EVIDENCE_ERRORS] != EVIDENCE_SEEN)
        return SEVERITY_WARNING;
    finding_add_evidence(finding,
                         "user, host and cause are known all the same, from performance_schema's sums of errors; the "
                         "connection's id is not");
    return SEVERITY_INFO;
}

/* MariaDB has nothing in place of its log. */
static enum advice_severity check_log_not_read(const struct advice_facts *facts, struct finding *finding) {
    uint64_t unexplained = facts->recent.count[COUNT_UNEXPLAINED];
    bool summed = facts->evidence[EVIDENCE_ERRORS] == EVIDENCE_SEEN;
    if (facts->health != TARGET_UP || facts->log_configured || (summed && unexplained == 0))
        return SEVERITY_NONE;
    if (facts->flavour == SERVER_MARIADB)
        finding_add_evidence(
            finding, "no error log is configured for this target, and MariaDB counts aborts nowhere else by cause");
    else if (!summed)
        finding_add_evidence(finding,
                             "no error log is configured for this target, and its sums of errors are not seen");
    else
        finding_add_evidence(finding, "no error log is configured for this target");
    add_unexplained(facts, finding);
    return unexplained > 0 ? SEVERITY_WARNING : SEVERITY_INFO;
}

static enum advice_severity check_log_unreadable(const struct advice_facts *facts, struct finding *finding) {
    if (!facts->log_configured || facts->log_readable || facts->log_reason[0] == '\0')
        return SEVERITY_NONE;
    finding_add_evidence(finding, "%s%scannot be read: %s", facts->log_name,
                         facts->log_name[0] ? " " : "the error log ", facts->log_reason);
    return SEVERITY_WARNING;
}

static enum advice_severity check_log_loses_lines(const struct advice_facts *facts, struct finding *finding) {
    uint64_t gaps = facts->recent.count[COUNT_LOG_GAPS], missed = facts->recent.count[COUNT_LOG_MISSED];
    if (missed > 0)
        finding_add_evidence(finding, "%llu line%s of the error log %s dropped before we could read %s, in %s",
                             (ull)missed, plural(missed), missed == 1 ? "was" : "were", missed == 1 ? "it" : "them",
                             duration(facts->recent.window_ns));
    if (gaps > 0)
        finding_add_evidence(finding, "%llu time%s in %s lines of the error log may have been lost", (ull)gaps,
                             plural(gaps), duration(facts->recent.window_ns));
    return missed > 0 ? SEVERITY_WARNING : gaps > 0 ? SEVERITY_INFO : SEVERITY_NONE;
}

/* "SELECT ON performance_schema.accounts and other_table" names two tables. */
static void grant(struct finding *finding, const char *user, const char *privilege) {
    const char *on = strstr(privilege, " ON "), *dot = strchr(privilege, '.'), *and = strstr(privilege, " and ");
    if (!on) {
        finding_add_change(finding, "GRANT %s ON *.* TO '%s'@'…';", privilege, user);
        return;
    }
    int first = and? (int)(and-privilege) : (int)strlen(privilege);
    finding_add_change(finding, "GRANT %.*s TO '%s'@'…';", first, privilege, user);
    if (and&&dot)
        finding_add_change(finding, "GRANT %.*s%s TO '%s'@'…';", (int)(dot + 1 - privilege), privilege,
                           and+strlen(" and "), user);
}

static enum advice_severity check_privileges(const struct advice_facts *facts, struct finding *finding) {
    const char *told = "";
    for (int i = 0; i < EVIDENCE_COUNT; i++) {
        enum evidence_kind kind = (enum evidence_kind)i;
        if (facts->evidence[kind] != EVIDENCE_NO_PRIVILEGE)
            continue;
        finding_add_evidence(finding, "%s: not seen without %s", evidence_name(kind), evidence_privilege(kind));
        if (strcmp(evidence_privilege(kind), told) != 0)
            grant(finding, facts->user, evidence_privilege(kind));
        told = evidence_privilege(kind);
    }
    return finding->evidence.count > 0 ? SEVERITY_INFO : SEVERITY_NONE;
}

static enum advice_severity check_performance_schema(const struct advice_facts *facts, struct finding *finding) {
    if (facts->performance_schema != 0)
        return SEVERITY_NONE;
    finding_add_evidence(finding,
                         "performance_schema = OFF: which driver a client uses is not seen, and host_cache is empty%s",
                         facts->flavour == SERVER_MYSQL ? ", nor are the sums of errors" : "");
    return SEVERITY_INFO;
}

static enum advice_severity check_own(const struct advice_facts *facts, struct finding *finding) {
    uint64_t n = facts->recent.count[COUNT_SELF_ABORTS];
    if (n == 0)
        return SEVERITY_NONE;
    finding_add_evidence(finding, "%llu connection%s of mysqlconn_exporter's own %s aborted in %s, of %llu probes",
                         (ull)n, plural(n), n == 1 ? "was" : "were", duration(facts->recent.window_ns),
                         (ull)facts->recent.count[COUNT_PROBES]);
    return SEVERITY_WARNING;
}

/* Where the log is not read, or has no lines of aborts, that is what is to be changed first. */
static enum advice_severity check_unexplained(const struct advice_facts *facts, struct finding *finding) {
    uint64_t unexplained = facts->recent.count[COUNT_UNEXPLAINED], counted = facts->recent.count[COUNT_COUNTED_ABORTS];
    bool log_tells = facts->log_configured && facts->log_readable && facts->log_sight == LOG_SIGHT_GOOD;
    if (!log_tells || unexplained < UNEXPLAINED_MIN || unexplained * UNEXPLAINED_SHARE < counted)
        return SEVERITY_NONE;
    finding_add_evidence(finding, "%llu of %llu aborted connections in %s are told of by no line of the error log",
                         (ull)unexplained, (ull)counted, duration(facts->recent.window_ns));
    return SEVERITY_INFO;
}

/* --- the table --- */

const struct advice_rule advice_rules[] = {
#include "explain/advice_rules.inc"
};

const size_t advice_rule_count = sizeof advice_rules / sizeof advice_rules[0];

enum advice_severity advice_rule_check(const struct advice_rule *rule, const struct advice_facts *facts,
                                       struct finding *finding) {
    *finding = (struct finding){0};
    return rule->check ? rule->check(facts, finding) : check_causes(rule, facts, finding);
}

const char *advice_severity_name(enum advice_severity severity) {
    static const char *const names[] = {[SEVERITY_NONE] = "none",
                                        [SEVERITY_INFO] = "info",
                                        [SEVERITY_WARNING] = "warning",
                                        [SEVERITY_CRITICAL] = "critical"};
    return names[severity];
}

void advice_reference(struct strbuf *out) {
    strbuf_addstr(out, "| Rule | What is wrong | Raised when | What to change |\n|---|---|---|---|\n");
    for (size_t i = 0; i < advice_rule_count; i++)
        strbuf_addf(out, "| <a id=\"advice-%s\"></a>`%s` | %s. | %s | %s |\n", advice_rules[i].id, advice_rules[i].id,
                    advice_rules[i].problem, advice_rules[i].when, advice_rules[i].change);
}
