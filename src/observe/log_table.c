/*
 * The error log as MySQL's table performance_schema.error_log (8.0.22 and later), read over the kept connection when a
 * poll has succeeded; see log_backend.h.
 *
 * The table is a ring in the server's memory. The place is the time of the last row that was read (LOGGED, which MySQL
 * keeps unique) and how many rows of that microsecond were. What the ring dropped before we came is told by two of the
 * server's counters: all that was ever written to it is what it holds and what it dropped, and what of that we have not
 * handed over after a look is missed.
 */
#include "base/clock.h"
#include "base/number.h"
#include "observe/client.h"
#include "observe/log_backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_A_QUERY = 500,
    QUERIES_A_POLL = 20,
    HELD_MAX = 64,
    START_SLACK_S = 5,   /* Uptime counts whole seconds, and travels */
    NO_PRIVILEGE = 1142, /* ER_TABLEACCESS_DENIED_ERROR */
    NO_DATABASE = 1044,  /* ER_DBACCESS_DENIED_ERROR */
};

/* The numbers of the place. */
enum { TABLE_LOGGED, TABLE_SAME, TABLE_WRITTEN, TABLE_START };

struct log_table {
    const struct error_log_config *config;
    const struct log_sink *sink;
    struct log_source_state *state;

    bool placed; /* there is a place: else the first look makes one */
    uint64_t logged_us, same;
    uint64_t written; /* of all that was ever written to the ring, how much we have handed over or know to be missed */
    uint64_t start_s; /* when the server started that counts so; 0 none yet */
    struct {
        uint64_t logged_us, bytes;
    } last[HELD_MAX]; /* rows, in a ring */
    unsigned next_last, last_count;

    /* Of the look that runs: */
    struct strbuf line;
    uint64_t buffered, expired, uptime, oldest_us;
    bool counted;
    uint64_t connection; /* whose session is set up */
    uint64_t skip;       /* rows at the place that we have */
    unsigned rows;       /* of the query */
    uint64_t taken;      /* of the look */
};

void *log_table_begin(uv_loop_t *loop, const struct error_log_config *config, const char *name,
                      const struct log_sink *sink, struct log_source_state *state, const struct log_saved *saved) {
    struct log_table *t = calloc(1, sizeof *t);
    (void)loop, (void)name;
    if (!t)
        return NULL;
    t->config = config;
    t->sink = sink;
    t->state = state;
    state->error = -ENOTCONN;
    strbuf_init(&t->line, config->max_line_bytes);
    /* A time in the future would never come to an end. */
    if (saved && saved->count > 0 &&
        saved->places[0].number[TABLE_LOGGED] < (uint64_t)(wall_now_ns() / NS_PER_US) + 86400 * UINT64_C(1000000)) {
        const uint64_t *place = saved->places[0].number;
        t->placed = true;
        t->logged_us = place[TABLE_LOGGED];
        t->same = place[TABLE_SAME];
        t->written = place[TABLE_WRITTEN];
        t->start_s = place[TABLE_START];
    }
    return t;
}

/* --- what the server counts --- */

static void counter_row(void *arg, const struct span *fields, unsigned count) {
    struct log_table *t = arg;
    uint64_t value;
    if (count < 2 || !fields[1].ptr || number_parse_u64(fields[1], UINT64_MAX, &value) < 0)
        return;
    if (span_is(fields[0], "Error_log_buffered_events")) {
        t->buffered = value;
        t->counted = true;
    } else if (span_is(fields[0], "Error_log_expired_events")) {
        t->expired = value;
    } else if (span_is(fields[0], "Uptime")) {
        t->uptime = value;
    }
}

/* "1790000000.123456" to microseconds. */
static bool parse_time(struct span text, uint64_t *out_us) {
    const char *dot = text.ptr ? memchr(text.ptr, '.', text.len) : NULL;
    uint64_t seconds, fraction = 0;
    if (!text.ptr || number_parse_u64((struct span){text.ptr, dot ? (size_t)(dot - text.ptr) : text.len},
                                      UINT64_MAX / 2000000, &seconds) < 0)
        return false;
    if (dot && (text.ptr + text.len - dot != 7 || number_parse_u64((struct span){dot + 1, 6}, 999999, &fraction) < 0))
        return false;
    *out_us = seconds * 1000000 + fraction;
    return true;
}

static void bounds_row(void *arg, const struct span *fields, unsigned count) {
    struct log_table *t = arg;
    uint64_t newest_us = 0;
    if (count < 2 || !parse_time(fields[0], &t->oldest_us) || !parse_time(fields[1], &newest_us))
        return;
    if (t->placed)
        return;
    t->logged_us = t->config->start == LOG_START_END ? newest_us : 0;
    t->same = t->config->start == LOG_START_END ? UINT32_MAX : 0; /* all of that instant */
}

/* --- rows --- */

/* The line as the file would have it. A row of the JSON sink is one by itself. */
static void make_line(struct strbuf *line, const struct span *f, uint64_t us) {
    struct span data = f[5].ptr ? f[5] : (struct span){"", 0};
    strbuf_reset(line);
    if (data.len == 0 || data.ptr[0] != '{') {
        time_t seconds = (time_t)(us / 1000000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        strbuf_addf(line, "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ %.*s [%.*s] [%.*s] [%.*s] ", tm.tm_year + 1900,
                    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(us % 1000000),
                    (int)f[1].len, f[1].ptr, (int)f[2].len, f[2].ptr, (int)f[3].len, f[3].ptr, (int)f[4].len, f[4].ptr);
    }
    size_t room = line->max - line->len;
    strbuf_add(line, data.ptr, data.len < room ? data.len : room);
    for (size_t i = 0; i < line->len; i++)
        if (line->data[i] == '\n')
            line->data[i] = ' ';
}

static void note_row(struct log_table *t, uint64_t us, uint64_t bytes) {
    t->same = us == t->logged_us ? t->same + 1 : 1;
    t->logged_us = us;
    t->last[t->next_last].logged_us = us;
    t->last[t->next_last].bytes = bytes;
    t->next_last = (t->next_last + 1) % HELD_MAX;
    t->last_count += t->last_count < HELD_MAX;
}

static void log_row(void *arg, const struct span *fields, unsigned count) {
    struct log_table *t = arg;
    uint64_t us;
    t->rows++;
    if (count < 6 || !parse_time(fields[0], &us))
        return;
    if (us == t->logged_us && t->skip > 0) {
        t->skip--;
        return;
    }
    make_line(&t->line, fields, us);
    note_row(t, us, t->line.len);
    t->taken++;
    t->state->lines++;
    t->state->bytes += t->line.len;
    t->state->cut_lines += t->line.len == t->line.max;
    t->state->last_read_wall_ns = wall_now_ns();
    t->sink->line(t->sink->arg, (struct span){strbuf_text(&t->line), t->line.len}, true);
}

static int query_rows(struct log_table *t, struct client *client, struct failure *failure) {
    char sql[512];
    t->rows = 0;
    t->skip = t->same;
    /* Rows of the place's own instant come again, and are skipped. */
    snprintf(sql, sizeof sql,
             "SELECT UNIX_TIMESTAMP(LOGGED),IFNULL(THREAD_ID,0),IF(PRIO='Error','ERROR',PRIO),IFNULL(ERROR_CODE,''),"
             "IFNULL(SUBSYSTEM,''),DATA FROM performance_schema.error_log WHERE LOGGED>=FROM_UNIXTIME(%llu.%06llu) "
             "ORDER BY LOGGED LIMIT %d",
             (unsigned long long)(t->logged_us / 1000000), (unsigned long long)(t->logged_us % 1000000), ROWS_A_QUERY);
    return client_query(client, sql, log_row, t, failure);
}

/* --- a look --- */

/* What was written since the last look, which ended at `place_us` (UINT64_MAX: there was none), and did not come.
 * Before the rows were read `total` had been written. */
static void count_missed(struct log_table *t, uint64_t total, uint64_t start_s, uint64_t place_us) {
    uint64_t apart = start_s > t->start_s ? start_s - t->start_s : t->start_s - start_s;
    if (t->start_s == 0 || apart > START_SLACK_S) {
        /* Another run of the server, which counts anew and has read the end of its log into the ring. */
        t->state->gaps += t->oldest_us > place_us;
        t->start_s = start_s;
        t->written = total > t->taken ? total : t->taken;
        return;
    }
    t->written += t->taken;
    if (total > t->written) {
        t->state->missed += total - t->written;
        t->written = total;
    }
}

/* In UTC there is no hour that comes twice. */
static int set_up(struct log_table *t, struct client *client, struct failure *failure) {
    if (t->connection == client_connection_id(client))
        return 0;
    int rc = client_query(client, "SET SESSION time_zone='+00:00'", NULL, NULL, failure);
    if (rc == 0)
        t->connection = client_connection_id(client);
    return rc;
}

/* 0, -EOPNOTSUPP, or -1 with *failure. */
static int look(struct log_table *t, struct client *client, struct failure *failure) {
    uint64_t place_us = t->placed ? t->logged_us : UINT64_MAX;
    t->counted = false;
    t->taken = 0;
    t->oldest_us = 0;
    if (set_up(t, client, failure) < 0 ||
        client_query(client,
                     "SHOW GLOBAL STATUS WHERE Variable_name IN "
                     "('Error_log_buffered_events','Error_log_expired_events','Uptime')",
                     counter_row, t, failure) < 0)
        return -1;
    if (!t->counted)
        return -EOPNOTSUPP;
    uint64_t total = t->buffered + t->expired, start_s = (uint64_t)(wall_now_ns() / NS_PER_S) - t->uptime;
    if (client_query(client,
                     "SELECT UNIX_TIMESTAMP(MIN(LOGGED)),UNIX_TIMESTAMP(MAX(LOGGED)) FROM "
                     "performance_schema.error_log",
                     bounds_row, t, failure) < 0)
        return -1;
    t->placed = true;
    for (unsigned i = 0; i < QUERIES_A_POLL; i++) {
        if (query_rows(t, client, failure) < 0)
            return -1;
        if (t->rows < ROWS_A_QUERY)
            break;
    }
    t->state->behind = t->rows == ROWS_A_QUERY;
    if (!t->state->behind)
        count_missed(t, total, start_s, place_us);
    else /* there is more: what is missed is not known yet */
        t->written += t->taken;
    return 0;
}

static int error_of(int rc, const struct failure *failure) {
    if (rc != -1)
        return rc;
    return failure->code == NO_PRIVILEGE || failure->code == NO_DATABASE ? -EACCES : -EIO;
}

static void table_poll(void *self, struct client *client) {
    struct log_table *t = self;
    struct failure failure = {0};
    int rc = look(t, client, &failure);
    t->state->error = rc == 0 ? 0 : error_of(rc, &failure);
    t->state->readable = rc == 0;
    t->sink->stepped(t->sink->arg, t->taken > 0);
}

/* --- the place --- */

static void table_save(const void *self, struct log_saved *out) {
    const struct log_table *t = self;
    uint64_t place[LOG_PLACE_NUMBERS] = {0};
    unsigned held = t->sink->held(t->sink->arg);
    if (!t->placed)
        return;
    held = held < t->last_count ? held : t->last_count;
    place[TABLE_LOGGED] = t->logged_us;
    place[TABLE_SAME] = t->same;
    place[TABLE_WRITTEN] = t->written - held;
    place[TABLE_START] = t->start_s;
    for (unsigned back = 1; back <= held; back++) {
        unsigned i = (t->next_last + HELD_MAX - back) % HELD_MAX;
        place[TABLE_LOGGED] = t->last[i].logged_us - 1; /* in front of it; that time may be no row's */
        place[TABLE_SAME] = 1;
        out->state.bytes -= t->last[i].bytes;
    }
    out->state.lines -= held;
    log_saved_add(out, place, NULL);
}

static void table_close(void *self) {
    struct log_table *t = self;
    strbuf_release(&t->line);
    free(t);
}

const struct log_backend log_table_backend = {.poll = table_poll, .save = table_save, .close = table_close};
