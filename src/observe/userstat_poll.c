/*
 * Asking for the statistics of users and clients; see userstat_poll.h.
 *
 * MariaDB gives who lacks PROCESS no rows and no error, and counts an Access_denied_errors: so none is asked without.
 */
#include "observe/userstat_poll.h"

#include "base/number.h"

#include <math.h>

enum { SQL_MAX = 2048 };

struct userstat_poll {
    struct target *target;
    struct client *client;
    enum userstat_table table;
    uint32_t columns[USERSTAT_TABLE_COUNT];
    uint64_t rows;
};

static enum evidence_state query(struct userstat_poll *poll, const char *sql, client_row_fn *on_row) {
    struct failure failure = {0};
    if (client_query(poll->client, sql, on_row, poll, &failure) == 0)
        return EVIDENCE_SEEN;
    return failure.code > 0 ? evidence_of_error((unsigned)failure.code) : EVIDENCE_FAILED;
}

/* Whether there is a point in asking; else what is missing. EVIDENCE_SEEN: there is. */
static enum evidence_state why_not(const struct target *target) {
    double on = target_setting(target, "userstat");
    if (isnan(on))
        return EVIDENCE_UNSUPPORTED;
    if (on != 1 || target->config->userstat_interval_ns == 0)
        return EVIDENCE_DISABLED;
    return target->evidence[EVIDENCE_SESSIONS] == EVIDENCE_NO_PRIVILEGE ? EVIDENCE_NO_PRIVILEGE : EVIDENCE_SEEN;
}

/* A poll comes a little earlier or later than the one before. */
static bool due(const struct target *target) {
    struct mono nearest = mono_add(target->userstat_due, -target->config->poll.interval_ns / 2);
    return target->evidence[EVIDENCE_USERSTAT] != EVIDENCE_SEEN || !mono_before(mono_now(), nearest);
}

/* --- which columns there are --- */

static void column_row(void *arg, const struct span *fields, unsigned count) {
    struct userstat_poll *poll = arg;
    if (count < 2 || !fields[0].ptr || !fields[1].ptr)
        return;
    for (int table = 0; table < USERSTAT_TABLE_COUNT; table++)
        for (int i = 0; i < USERSTAT_COLUMN_COUNT; i++)
            if (span_is(fields[0], userstat_table_name((enum userstat_table)table)) &&
                span_is(fields[1], userstat_column_name((enum userstat_column)i)))
                poll->columns[table] |= UINT32_C(1) << i;
}

static enum evidence_state query_columns(struct userstat_poll *poll) {
    enum evidence_state state =
        query(poll,
              "SELECT TABLE_NAME,COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='information_schema' "
              "AND TABLE_NAME IN ('USER_STATISTICS','CLIENT_STATISTICS')",
              column_row);
    uint32_t needed = UINT32_C(1) << USERSTAT_TOTAL_CONNECTIONS;
    for (int table = 0; state == EVIDENCE_SEEN && table < USERSTAT_TABLE_COUNT; table++) {
        if (!(poll->columns[table] & needed))
            return EVIDENCE_UNSUPPORTED;
        userstat_set_columns(poll->target->userstat, (enum userstat_table)table, poll->columns[table]);
    }
    return state;
}

/* --- rows --- */

static void statistics_row(void *arg, const struct span *fields, unsigned count) {
    const struct userstat_poll *poll = arg;
    if (count >= 1)
        userstat_add(poll->target->userstat, poll->table, fields[0], fields + 1, count - 1);
}

static void count_row(void *arg, const struct span *fields, unsigned count) {
    struct userstat_poll *poll = arg;
    uint64_t rows;
    if (count >= 1 && fields[0].ptr && number_parse_u64(fields[0], UINT64_MAX, &rows) == 0)
        poll->rows = rows;
}

/* One more than is kept, to see whether there are more. */
static enum evidence_state query_rows(struct userstat_poll *poll, uint64_t max) {
    uint32_t columns = userstat_columns(poll->target->userstat, poll->table);
    struct strbuf sql;
    strbuf_init(&sql, SQL_MAX);
    strbuf_addf(&sql, "SELECT %s", userstat_key(poll->table));
    for (int i = 0; i < USERSTAT_COLUMN_COUNT; i++)
        if (columns & UINT32_C(1) << i)
            strbuf_addf(&sql, ",%s", userstat_column_name((enum userstat_column)i));
    strbuf_addf(&sql, " FROM information_schema.%s ORDER BY TOTAL_CONNECTIONS DESC,1 LIMIT %llu",
                userstat_table_name(poll->table), (unsigned long long)max + 1);
    enum evidence_state state = query(poll, strbuf_text(&sql), statistics_row);
    strbuf_release(&sql);
    return state;
}

static enum evidence_state query_count(struct userstat_poll *poll) {
    struct strbuf sql;
    strbuf_init(&sql, SQL_MAX);
    strbuf_addf(&sql, "SELECT COUNT(*) FROM information_schema.%s", userstat_table_name(poll->table));
    enum evidence_state state = query(poll, strbuf_text(&sql), count_row);
    strbuf_release(&sql);
    return state;
}

static enum evidence_state look(struct userstat_poll *poll, uint64_t max) {
    struct userstat *userstat = poll->target->userstat;
    userstat_begin(userstat, poll->table, (size_t)max);
    enum evidence_state state = query_rows(poll, max);
    poll->rows = userstat_came(userstat, poll->table);
    if (state == EVIDENCE_SEEN && poll->rows > max)
        state = query_count(poll);
    if (state == EVIDENCE_SEEN)
        userstat_end(userstat, poll->table, poll->rows, wall_now_ns());
    return state;
}

static enum evidence_state look_at_both(struct userstat_poll *poll) {
    const struct limits_config *limits = &poll->target->limits;
    const uint64_t max[USERSTAT_TABLE_COUNT] = {limits->users_per_target, limits->hosts_per_target};
    enum evidence_state state = EVIDENCE_SEEN;
    if (poll->target->evidence[EVIDENCE_USERSTAT] != EVIDENCE_SEEN)
        state = query_columns(poll);
    for (int table = 0; state == EVIDENCE_SEEN && table < USERSTAT_TABLE_COUNT; table++) {
        poll->table = (enum userstat_table)table;
        state = look(poll, max[table]);
    }
    return state;
}

void userstat_poll(struct target *target, struct client *client) {
    struct userstat_poll poll = {.target = target, .client = client};
    enum evidence_state *state = &target->evidence[EVIDENCE_USERSTAT], missing = why_not(target);
    if (missing != EVIDENCE_SEEN) {
        *state = missing;
        return;
    }
    if (!due(target))
        return;
    if (!target->userstat)
        target->userstat = userstat_new();
    if (!target->userstat)
        return;
    *state = look_at_both(&poll);
    target->userstat_due = mono_add(mono_now(), target->config->userstat_interval_ns);
}
