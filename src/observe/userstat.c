/*
 * Rows of the statistics of users and clients; see userstat.h.
 */
#include "observe/userstat.h"

#include "base/number.h"
#include "base/text.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 256 };

struct look {
    struct userstat_row *rows;
    size_t count, max, came;
};

struct table {
    uint32_t columns;
    struct look seen, next;
    uint64_t left_out;
};

struct userstat {
    struct table tables[USERSTAT_TABLE_COUNT];
    int64_t read_wall_ns;
};

static_assert(USERSTAT_COLUMN_COUNT <= 32, "the set of columns is too small");

const char *userstat_table_name(enum userstat_table table) {
    static const char *const names[] = {"USER_STATISTICS", "CLIENT_STATISTICS"};
    return names[table];
}

const char *userstat_key(enum userstat_table table) {
    static const char *const keys[] = {"USER", "CLIENT"};
    return keys[table];
}

const char *userstat_column_name(enum userstat_column column) {
#define USERSTAT_NAME(id, name, type, text) #id,
    static const char *const names[] = {USERSTAT_COLUMNS(USERSTAT_NAME) "MAX_STATEMENT_TIME_EXCEEDED"};
#undef USERSTAT_NAME
    return names[column];
}

static void look_clear(struct look *look) {
    for (size_t i = 0; i < look->count; i++)
        free(look->rows[i].name);
    free(look->rows);
    *look = (struct look){.rows = NULL};
}

struct userstat *userstat_new(void) {
    return calloc(1, sizeof(struct userstat));
}

void userstat_free(struct userstat *userstat) {
    if (!userstat)
        return;
    for (int i = 0; i < USERSTAT_TABLE_COUNT; i++) {
        look_clear(&userstat->tables[i].seen);
        look_clear(&userstat->tables[i].next);
    }
    free(userstat);
}

void userstat_set_columns(struct userstat *userstat, enum userstat_table table, uint32_t columns) {
    userstat->tables[table].columns = columns;
}

uint32_t userstat_columns(const struct userstat *userstat, enum userstat_table table) {
    return userstat->tables[table].columns;
}

void userstat_begin(struct userstat *userstat, enum userstat_table table, size_t max) {
    struct look *next = &userstat->tables[table].next;
    look_clear(next);
    next->max = max;
}

/* Two names that would be one label value are one name. */
static char *safe_name(struct span name) {
    struct strbuf safe;
    strbuf_init(&safe, 4 * NAME_MAX_BYTES);
    text_add_utf8(&safe, text_cut(name, NAME_MAX_BYTES));
    return strbuf_detach(&safe);
}

static void read_values(struct userstat_row *row, uint32_t columns, const struct span *values, size_t count) {
    size_t next = 0;
    for (int i = 0; i < USERSTAT_COLUMN_COUNT; i++) {
        row->value[i] = NAN;
        if (!(columns & UINT32_C(1) << i) || next >= count)
            continue;
        if (!values[next].ptr || number_parse_double(values[next], &row->value[i]) < 0)
            row->value[i] = NAN;
        next++;
    }
}

/* As many as there are, not as many as there might be: 200 bytes a row. */
static bool has_room(struct look *next) {
    if (next->count >= next->max)
        return false;
    if (next->count % 64 != 0)
        return true;
    struct userstat_row *more = reallocarray(next->rows, next->count + 64, sizeof *more);
    if (more)
        next->rows = more;
    return more != NULL;
}

void userstat_add(struct userstat *userstat, enum userstat_table table, struct span name, const struct span *values,
                  size_t count) {
    struct look *next = &userstat->tables[table].next;
    next->came++;
    if (!name.ptr || !has_room(next))
        return;
    struct userstat_row *row = &next->rows[next->count];
    row->name = safe_name(name);
    if (!row->name)
        return;
    read_values(row, userstat->tables[table].columns, values, count);
    next->count++;
}

size_t userstat_came(const struct userstat *userstat, enum userstat_table table) {
    return userstat->tables[table].next.came;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct userstat_row *)a)->name, ((const struct userstat_row *)b)->name);
}

void userstat_end(struct userstat *userstat, enum userstat_table table, uint64_t rows, int64_t wall_ns) {
    struct table *t = &userstat->tables[table];
    struct look *next = &t->next;
    size_t kept = 0;
    if (next->count > 0)
        qsort(next->rows, next->count, sizeof next->rows[0], by_name);
    for (size_t i = 0; i < next->count; i++) {
        if (kept > 0 && strcmp(next->rows[i].name, next->rows[kept - 1].name) == 0)
            free(next->rows[i].name);
        else
            next->rows[kept++] = next->rows[i];
    }
    next->count = kept;
    look_clear(&t->seen);
    t->seen = *next;
    *next = (struct look){.rows = NULL};
    t->left_out = rows > kept ? rows - kept : 0;
    userstat->read_wall_ns = wall_ns;
}

const struct userstat_row *userstat_rows(const struct userstat *userstat, enum userstat_table table, size_t *count) {
    *count = userstat->tables[table].seen.count;
    return userstat->tables[table].seen.rows;
}

uint64_t userstat_left_out(const struct userstat *userstat, enum userstat_table table) {
    return userstat->tables[table].left_out;
}

int64_t userstat_read_wall_ns(const struct userstat *userstat) {
    return userstat->read_wall_ns;
}
