/*
 * Polling; see poll.h.
 *
 * The first poll on a connection asks SHOW GLOBAL VARIABLES which settings this server has; the later ones read just
 * those by SELECT @@GLOBAL.…, which costs the server half as much (`../shared/facts/performance-floors.md`), and only
 * when somebody has executed a SET since, as Com_set_option tells: what else changes a setting is seen within a minute.
 */
#include "observe/poll.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SQL_MAX 16384
#define SESSION_WAIT_TIMEOUT_S 28800 /* well above any poll interval: the server must not close our kept connection */
#define SETTINGS_LAST_NS (60 * NS_PER_S)
#define RESTART_SLACK_NS (3 * NS_PER_S) /* Uptime counts whole seconds, and travels */

struct poll_run {
    struct target *target;
    bool told;       /* the result of this poll is already in the facts: it was late */
    bool sets_moved; /* since the last poll */
    bool settings_asked;
    double value[VARIABLE_MAX];
    int column[VARIABLE_MAX]; /* of the SELECT: row of variable_table */
    unsigned columns;
};

static void clear_values(struct poll_facts *facts) {
    for (size_t i = 0; i < VARIABLE_MAX; i++)
        facts->value[i] = NAN;
}

static void tell_failure(struct poll_run *run, const struct failure *failure) {
    struct poll_facts *facts = &run->target->poll;
    if (run->told)
        return;
    run->told = true;
    facts->health = TARGET_DOWN;
    facts->down = *failure;
    facts->failures++;
    failure_counts_add(&facts->failures_by, failure, 1);
    facts->connection_id = 0;
    clear_values(facts); /* rather nothing than yesterday's values */
}

static void on_late(void *arg, const struct failure *failure) {
    tell_failure(arg, failure);
}

/* --- the queries --- */

static void show_row(struct poll_run *run, enum variable_source source, const struct span *fields, unsigned count) {
    if (count < 2 || !fields[1].ptr)
        return;
    int row = variable_find(source, fields[0]);
    if (row >= 0 && variable_read(row, fields[1], &run->value[row]) < 0)
        run->value[row] = NAN;
}

static void status_row(void *arg, const struct span *fields, unsigned count) {
    show_row(arg, VARIABLE_STATUS, fields, count);
}

static void setting_row(void *arg, const struct span *fields, unsigned count) {
    struct poll_run *run = arg;
    struct poll_facts *facts = &run->target->poll;
    if (count >= 2 && fields[1].ptr && span_is(fields[0], "version_comment"))
        snprintf(facts->version_comment, sizeof facts->version_comment, "%.*s", (int)fields[1].len, fields[1].ptr);
    show_row(run, VARIABLE_SETTING, fields, count);
}

static void select_row(void *arg, const struct span *fields, unsigned count) {
    struct poll_run *run = arg;
    for (unsigned i = 0; i < count && i < run->columns; i++)
        if (!fields[i].ptr || variable_read(run->column[i], fields[i], &run->value[run->column[i]]) < 0)
            run->value[run->column[i]] = NAN;
}

static void add_show(struct strbuf *sql, enum variable_source source, const char *more) {
    strbuf_addf(sql, "SHOW GLOBAL %s WHERE Variable_name IN (%s", source == VARIABLE_STATUS ? "STATUS" : "VARIABLES",
                more);
    const char *between = "'";
    for (size_t i = 0; i < variable_count; i++)
        if (variable_table[i].source == source) {
            strbuf_addstr(sql, between);
            strbuf_addstr(sql, variable_table[i].name);
            between = "','";
        }
    strbuf_addstr(sql, "')");
}

/* The settings that the last poll knew; false where it knew none. */
static bool add_select(struct poll_run *run, struct strbuf *sql) {
    const struct poll_facts *facts = &run->target->poll;
    strbuf_addstr(sql, "SELECT ");
    run->columns = 0;
    for (size_t i = 0; i < variable_count; i++)
        if (variable_table[i].source == VARIABLE_SETTING && !isnan(facts->value[i])) {
            strbuf_addstr(sql, run->columns ? ",@@GLOBAL." : "@@GLOBAL.");
            strbuf_addstr(sql, variable_table[i].name);
            run->column[run->columns++] = (int)i;
        }
    return run->columns > 0;
}

/* A SET counts before it takes effect, so the settings are read again with the poll after that which saw it count, too.
 * NAN differs from all. */
static bool settings_due(struct poll_run *run, bool fresh) {
    const struct poll_facts *facts = &run->target->poll;
    int sets = variable_find(VARIABLE_STATUS, span_of("Com_set_option"));
    run->sets_moved = run->value[sets] != facts->value[sets];
    return fresh || run->sets_moved || facts->sets_moved ||
           mono_between(facts->settings_read, mono_now()) >= SETTINGS_LAST_NS;
}

static void keep_settings(struct poll_run *run) {
    for (size_t i = 0; i < variable_count; i++)
        if (variable_table[i].source == VARIABLE_SETTING)
            run->value[i] = run->target->poll.value[i];
}

static int query_settings(struct poll_run *run, struct client *client, bool fresh, struct failure *failure) {
    struct strbuf sql;
    strbuf_init(&sql, SQL_MAX);
    client_row_fn *on_row = select_row;
    if (fresh || !add_select(run, &sql)) {
        strbuf_reset(&sql);
        add_show(&sql, VARIABLE_SETTING, "'version_comment',");
        on_row = setting_row;
    }
    int rc = client_query(client, strbuf_text(&sql), on_row, run, failure);
    strbuf_release(&sql);
    return rc;
}

/* Always the same. */
static const char *status_sql(void) {
    static struct strbuf sql = {.max = SQL_MAX};
    if (sql.len == 0 || strbuf_failed(&sql)) {
        strbuf_release(&sql);
        add_show(&sql, VARIABLE_STATUS, "");
    }
    return strbuf_text(&sql);
}

static int query_all(struct poll_run *run, struct client *client, bool fresh, struct failure *failure) {
    if (client_query(client, status_sql(), status_row, run, failure) < 0)
        return -1;
    run->settings_asked = settings_due(run, fresh);
    if (run->settings_asked)
        return query_settings(run, client, fresh, failure);
    keep_settings(run);
    return 0;
}

/* --- one poll --- */

static void drop_kept(struct target *target, struct client **kept) {
    target->self_aborts[SELF_POLL] += client_self_aborted(*kept);
    own_connections_ended(&target->own, *kept, client_own_abort(*kept));
    client_free(*kept);
    *kept = NULL;
}

static int open_kept(struct poll_run *run, struct client **kept, const struct client_deadline *deadline,
                     struct failure *failure) {
    struct target *target = run->target;
    char sql[64];
    snprintf(sql, sizeof sql, "SET SESSION wait_timeout=%d", SESSION_WAIT_TIMEOUT_S);
    struct client *client = client_new(target->config);
    if (!client) {
        *failure = (struct failure){FAILURE_LOCAL, PHASE_CONNECT, 0, "out of memory"};
        return -1;
    }
    client_set_deadline(client, deadline);
    own_connections_began(&target->own, client);
    int rc = client_connect(client, failure);
    target->poll.connects += rc == 0;
    if (rc == 0)
        rc = client_query(client, sql, NULL, NULL, failure);
    if (rc == 0) {
        *kept = client;
        target->poll.reconnected = true;
        return 0;
    }
    drop_kept(target, &client);
    return rc;
}

/* A kept connection cannot outlive a restart, so a clock that was set on the server's side is not taken for one. Who
 * started before the last good poll is not the one that answered it. */
static void note_start(struct target *target, const struct client *client, double uptime_s) {
    struct poll_facts *facts = &target->poll;
    struct mono now = mono_now();
    if (isnan(uptime_s))
        return;
    int64_t uptime_ns = (int64_t)uptime_s * NS_PER_S, start = now.ns - uptime_ns;
    int64_t moved = start - facts->start_mono_ns, passed = mono_between(facts->succeeded, now);
    uint64_t id = client_connection_id(client);
    bool known = facts->reconnected && facts->start_wall_ns != 0;
    bool far = moved > RESTART_SLACK_NS || moved < -RESTART_SLACK_NS;
    bool recent = uptime_ns <= passed + RESTART_SLACK_NS;
    bool anew = known && recent && (far || id < facts->succeeded_connection || uptime_ns + NS_PER_S <= passed);
    bool other = known && !recent && far;
    facts->restarts += anew;
    facts->others += other;
    facts->reconnected = false;
    facts->succeeded = now;
    facts->succeeded_connection = id;
    facts->start_mono_ns = start;
    if (facts->start_wall_ns == 0 || anew || other)
        facts->start_wall_ns = wall_now_ns() - uptime_ns;
}

static void tell_success(struct poll_run *run, const struct client *client, int64_t duration_ns) {
    struct poll_facts *facts = &run->target->poll;
    if (run->told)
        return;
    facts->health = TARGET_UP;
    memcpy(facts->value, run->value, sizeof facts->value);
    facts->sets_moved = run->sets_moved;
    if (run->settings_asked)
        facts->settings_read = mono_now();
    facts->connection_id = client_connection_id(client);
    snprintf(facts->version, sizeof facts->version, "%s", client_server_version(client));
    facts->last_success_wall_ns = wall_now_ns();
    facts->last_duration_ns = duration_ns;
    int uptime = variable_find(VARIABLE_STATUS, span_of("Uptime"));
    if (uptime >= 0)
        note_start(run->target, client, facts->value[uptime]);
}

/* The connection was dead when we came to use it, and there is time: the same poll may go on over a new one. */
static bool worth_another(const struct poll_run *run, const struct failure *failure) {
    return !run->told && failure->failure != FAILURE_TIMEOUT && failure->failure != FAILURE_LOCAL;
}

void poll_run(struct target *target, struct client **kept) {
    struct poll_run run = {.target = target};
    struct failure failure;
    struct mono start = mono_now();
    struct mono report = mono_add(start, target->config->poll.timeout_ns);
    struct client_deadline deadline = {report, mono_add(report, target->config->probe_grace_ns), on_late, &run};
    bool fresh = *kept == NULL;
    for (size_t i = 0; i < VARIABLE_MAX; i++)
        run.value[i] = NAN;

    target->poll.polls++;
    if (*kept)
        client_set_deadline(*kept, &deadline);
    int rc = fresh ? open_kept(&run, kept, &deadline, &failure) : query_all(&run, *kept, false, &failure);
    if (rc < 0 && *kept && !client_connected(*kept)) {
        target->poll.losses++;
        drop_kept(target, kept);
        fresh = worth_another(&run, &failure);
        if (fresh)
            rc = open_kept(&run, kept, &deadline, &failure);
    }
    if (rc == 0 && fresh)
        rc = query_all(&run, *kept, true, &failure);
    if (rc == 0)
        tell_success(&run, *kept, mono_between(start, mono_now()));
    else
        tell_failure(&run, &failure);
    if (*kept && !client_connected(*kept))
        drop_kept(target, kept);
}

void poll_used(struct target *target, struct client **kept) {
    if (!*kept || client_connected(*kept))
        return;
    target->poll.losses += !client_self_aborted(*kept);
    target->poll.connection_id = 0;
    drop_kept(target, kept);
}
