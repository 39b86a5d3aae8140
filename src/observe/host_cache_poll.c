/*
 * Asking for the host cache; see host_cache_poll.h. Each query copies the whole cache inside the server, so there is
 * one for all sums, and one more for the hosts only where any has errors.
 *
 * Which columns there are, and whether we may read them, is asked of information_schema: MariaDB counts a table that is
 * refused as an Access_denied_errors.
 */
#include "observe/host_cache_poll.h"

#include "base/number.h"

#include <math.h>
#include <string.h>

#define TABLE "performance_schema.host_cache"

enum {
    SQL_MAX = 8192,
    NEAREST_DIGITS = 20, /* of a uint64_t: then the order of the texts is that of the numbers */
    SUMS_BEFORE_KINDS = 7,
};

struct host_cache_poll {
    struct target *target;
    struct client *client;
    bool may_read; /* the columns without which nothing else can be made of it */
    unsigned kinds;
    uint64_t limit;
};

static enum evidence_state query(struct host_cache_poll *poll, const char *sql, client_row_fn *on_row) {
    struct failure failure = {0};
    if (client_query(poll->client, sql, on_row, poll, &failure) == 0)
        return EVIDENCE_SEEN;
    return failure.code > 0 ? evidence_of_error((unsigned)failure.code) : EVIDENCE_FAILED;
}

/* Where addresses are not resolved the server makes no rows, and blocks nobody. */
static bool filled(const struct target *target) {
    return target_setting(target, "performance_schema") == 1 && target_setting(target, "skip_name_resolve") != 1 &&
           target_setting(target, "host_cache_size") != 0;
}

/* A poll comes a little earlier or later than the one before. */
static bool due(const struct target *target) {
    struct mono nearest = mono_add(target->host_cache_due, -target->config->poll.interval_ns / 2);
    enum evidence_state state = target->evidence[EVIDENCE_HOST_CACHE];
    return state == EVIDENCE_UNTRIED || state == EVIDENCE_FAILED ||
           (state == EVIDENCE_SEEN && (target->host_cache_wanted || !mono_before(mono_now(), nearest)));
}

/* --- which columns there are --- */

static void column_row(void *arg, const struct span *fields, unsigned count) {
    struct host_cache_poll *poll = arg;
    if (count < 1 || !fields[0].ptr)
        return;
    poll->may_read = poll->may_read || span_is(fields[0], "FIRST_SEEN");
    for (int i = 0; i < HOST_CACHE_KIND_COUNT; i++)
        if (span_is(fields[0], host_cache_kind_column((enum host_cache_kind)i)))
            poll->kinds |= 1U << i;
}

static enum evidence_state query_columns(struct host_cache_poll *poll) {
    enum evidence_state state = query(poll,
                                      "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE "
                                      "TABLE_SCHEMA='performance_schema' AND TABLE_NAME='host_cache' AND "
                                      "PRIVILEGES LIKE '%select%'",
                                      column_row);
    if (state == EVIDENCE_SEEN && (!poll->may_read || poll->kinds == 0))
        return EVIDENCE_NO_PRIVILEGE;
    return state;
}

/* --- sums --- */

static uint64_t number(struct span text) {
    uint64_t value;
    return text.ptr && number_parse_u64(text, UINT64_MAX, &value) == 0 ? value : 0;
}

/* "00000000000000000003192.0.2.7" */
static struct host_cache_host nearest(struct span text) {
    struct host_cache_host host = {.errors = 0};
    if (!text.ptr || text.len < NEAREST_DIGITS)
        return host;
    host.connect_errors = number((struct span){text.ptr, NEAREST_DIGITS});
    text = (struct span){text.ptr + NEAREST_DIGITS, text.len - NEAREST_DIGITS};
    memcpy(host.ip, text.ptr, text.len < HOST_CACHE_IP_MAX ? text.len : HOST_CACHE_IP_MAX);
    return host;
}

static void sums_row(void *arg, const struct span *f, unsigned count) {
    struct host_cache_poll *poll = arg;
    unsigned column = SUMS_BEFORE_KINDS;
    uint64_t age = count >= SUMS_BEFORE_KINDS ? number(f[0]) : HOST_CACHE_AGE_COUNT;
    if (age >= HOST_CACHE_AGE_COUNT)
        return;
    struct host_cache_rows rows = {
        .age = (enum host_cache_age)age,
        .instant = number(f[1]),
        .hosts = number(f[2]),
        .hosts_with_errors = number(f[3]),
        .blocked = number(f[4]),
        .near = number(f[5]),
        .nearest = nearest(f[6]),
    };
    for (int i = 0; i < HOST_CACHE_KIND_COUNT; i++)
        if (poll->kinds & 1U << i && column < count)
            rows.errors[i] = number(f[column++]);
    host_cache_add(poll->target->host_cache, &rows);
}

static void add_kinds(const struct host_cache_poll *poll, struct strbuf *sql, const char *between, const char *before,
                      const char *after) {
    const char *first = "";
    for (int i = 0; i < HOST_CACHE_KIND_COUNT; i++)
        if (poll->kinds & 1U << i) {
            strbuf_addf(sql, "%s%s%s%s", first, before, host_cache_kind_column((enum host_cache_kind)i), after);
            first = between;
        }
}

static enum evidence_state query_sums(struct host_cache_poll *poll) {
    unsigned long long limit = poll->limit, half = limit / 2 + limit % 2;
    unsigned long long instant = host_cache_instant(poll->target->host_cache);
    struct strbuf sql;
    strbuf_init(&sql, SQL_MAX);
    strbuf_addf(&sql,
                "SELECT CASE WHEN UNIX_TIMESTAMP(FIRST_SEEN)<%llu THEN %d WHEN "
                "UNIX_TIMESTAMP(FIRST_SEEN)<GREATEST(UNIX_TIMESTAMP(),%llu) THEN %d ELSE %d END age,"
                "GREATEST(UNIX_TIMESTAMP(),%llu),COUNT(*),SUM(",
                instant, HOST_CACHE_OLD, instant, HOST_CACHE_NEW, HOST_CACHE_NEWEST, instant);
    add_kinds(poll, &sql, "+", "", "");
    strbuf_addf(&sql,
                ">0),SUM(SUM_CONNECT_ERRORS>=%llu),SUM(SUM_CONNECT_ERRORS>=%llu AND SUM_CONNECT_ERRORS<%llu),"
                "MAX(CONCAT(LPAD(SUM_CONNECT_ERRORS,%d,'0'),IP)),",
                limit, half, limit, NEAREST_DIGITS);
    add_kinds(poll, &sql, ",", "SUM(", ")");
    strbuf_addstr(&sql, " FROM " TABLE " GROUP BY age");
    enum evidence_state state = query(poll, strbuf_text(&sql), sums_row);
    strbuf_release(&sql);
    return state;
}

/* --- the hosts with the most errors --- */

static void host_row(void *arg, const struct span *fields, unsigned count) {
    const struct host_cache_poll *poll = arg;
    if (count >= 3 && fields[0].ptr)
        host_cache_add_host(poll->target->host_cache, fields[0], number(fields[1]), number(fields[2]));
}

static enum evidence_state query_hosts(struct host_cache_poll *poll) {
    uint64_t max = poll->target->limits.host_cache_hosts_per_target;
    struct strbuf sql;
    if (!host_cache_found_errors(poll->target->host_cache) || max == 0)
        return EVIDENCE_SEEN;
    strbuf_init(&sql, SQL_MAX);
    strbuf_addstr(&sql, "SELECT IP,");
    add_kinds(poll, &sql, "+", "", "");
    strbuf_addf(&sql, " errors,SUM_CONNECT_ERRORS FROM " TABLE " HAVING errors>0 ORDER BY errors DESC,IP LIMIT %llu",
                (unsigned long long)max);
    enum evidence_state state = query(poll, strbuf_text(&sql), host_row);
    strbuf_release(&sql);
    return state;
}

/* --- a look --- */

static enum evidence_state look(struct host_cache_poll *poll) {
    struct host_cache *cache = poll->target->host_cache;
    double limit = target_setting(poll->target, "max_connect_errors");
    enum evidence_state state = EVIDENCE_SEEN;
    poll->limit = limit >= 1 ? (uint64_t)(limit < 0x1p63 ? limit : 0x1p63) : UINT64_MAX;
    poll->kinds = host_cache_facts(cache)->kinds;
    if (poll->target->evidence[EVIDENCE_HOST_CACHE] != EVIDENCE_SEEN) {
        poll->kinds = 0;
        state = query_columns(poll);
    }
    if (state != EVIDENCE_SEEN)
        return state;
    host_cache_begin(cache, poll->limit, poll->kinds, poll->target->limits.host_cache_hosts_per_target);
    state = query_sums(poll);
    if (state == EVIDENCE_SEEN)
        state = query_hosts(poll);
    if (state == EVIDENCE_SEEN)
        host_cache_end(cache, wall_now_ns());
    return state;
}

void host_cache_poll(struct target *target, struct client *client) {
    struct host_cache_poll poll = {.target = target, .client = client};
    enum evidence_state *state = &target->evidence[EVIDENCE_HOST_CACHE];
    if (target->config->host_cache_interval_ns == 0 || !filled(target)) {
        *state = EVIDENCE_DISABLED;
        return;
    }
    if (*state == EVIDENCE_DISABLED)
        *state = EVIDENCE_UNTRIED;
    if (!due(target))
        return;
    if (!target->host_cache)
        target->host_cache = host_cache_new();
    if (!target->host_cache)
        return;
    if (target->host_cache_restarts != target->poll.restarts)
        host_cache_restarted(target->host_cache);
    if (target->host_cache_others != target->poll.others)
        host_cache_forget(target->host_cache);
    target->host_cache_restarts = target->poll.restarts;
    target->host_cache_others = target->poll.others;
    *state = look(&poll);
    target->host_cache_wanted = false;
    target->host_cache_due = mono_add(mono_now(), target->config->host_cache_interval_ns);
}
