/*
 * The table of drivers: versions compare as people read them, and a client fits the rows that are meant for it.
 */
#include "explain/driver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { NO_VERSION = 99 };

static int compare(const char *a, const char *b) {
    int order;
    if (!driver_version_compare(a, b, &order))
        return NO_VERSION;
    return (order > 0) - (order < 0);
}

static void versions(void **state) {
    static const struct {
        const char *a, *b;
        int order;
    } rows[] = {
        {"3.9.7", "3.11.0", -1},
        {"3.11.0", "3.9.7", 1},
        {"3.5.2", "3.5.2", 0},
        {"3.5", "3.5.0", 0},
        {"3.5.0.1", "3.5", 1},
        {"10", "9.99.99", 1},
        {"0.44.0", "0.5.0", 1},
        {"v1.9.1", "1.9.1", 0},
        {"v1.9.1", "v1.10.0", -1},
        {"1.1.0-rc.1", "1.1.0", -1},
        {"1.1.0", "1.1.0-rc.1", 1},
        {"1.1.0-beta", "1.1.0-rc", -1},
        {"1.1.0-rc", "1.1.0-rc.1", -1},
        {"1.1.0-rc", "1.1.0-rc", 0},
        {"1.1.0+build5", "1.1.0", 0},
        {"8.0.33 (Revision: abc)", "8.0.33", 0},
        {"v1.9.2-0.20250101120000-abcdef", "1.9.2", -1},
        {"", "1.0", NO_VERSION},
        {"1.0", "", NO_VERSION},
        {"(devel)", "1.0", NO_VERSION},
        {"1.", "1.0", NO_VERSION},
        {".1", "1.0", NO_VERSION},
        {"1..2", "1.0", NO_VERSION},
        {"1.x", "1.0", NO_VERSION},
        {"-1", "1.0", NO_VERSION},
        {"vv1", "1.0", NO_VERSION},
        {"1.99999999999999999999", "1.0", NO_VERSION},
        {"1.2.3.4.5.6.7", "1.2.3.4.5.6", NO_VERSION},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int order = compare(rows[i].a, rows[i].b);
        if (order != rows[i].order)
            print_error("'%s' and '%s'\n", rows[i].a, rows[i].b);
        assert_int_equal(order, rows[i].order);
    }
}

/* The ids of all rows that fit, with blanks between. */
static const char *rows_of(const char *name, const char *version) {
    static char text[1024];
    size_t len = 0;
    text[0] = '\0';
    for (const struct driver *d = driver_next(NULL, name, version); d; d = driver_next(d, name, version))
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len ? " " : "", d->id);
    return text;
}

static void a_client_fits_its_rows(void **state) {
    (void)state;
    assert_string_equal(rows_of("Node-MySQL-2", "2.3.3"),
                        "node-mysql2-close node-mysql2-out-of-order node-mysql2-closed-state");
    assert_string_equal(
        rows_of("Node-MySQL-2", "3.0.1"),
        "node-mysql2-close node-mysql2-out-of-order node-mysql2-out-of-order-queued node-mysql2-closed-state");
    assert_string_equal(rows_of("Node-MySQL-2", "3.11.0"),
                        "node-mysql2-close node-mysql2-out-of-order-queued node-mysql2-closed-state");
    assert_string_equal(rows_of("Node-MySQL-2", ""), "node-mysql2-close node-mysql2-closed-state");
    assert_string_equal(rows_of("Node-MySQL-2", "x"), "node-mysql2-close node-mysql2-closed-state");
    assert_string_equal(rows_of("MySqlConnector", "0.43.9"), "mysqlconnector-exit");
    assert_string_equal(rows_of("MySqlConnector", "0.44.0"), "");
    assert_string_equal(rows_of("go-mysql", "v1.16.0"), "go-mysql-close");
    assert_string_equal(rows_of("libmariadb", "3.3.20"), "libmariadb-not-closed");
    assert_string_equal(rows_of("Libmariadb", "3.3.20"), "");
    assert_string_equal(rows_of("", ""), "");
    assert_string_equal(rows_of("unknown", ""), "");
}

static void every_row_is_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < driver_count; i++) {
        const struct driver *d = &driver_table[i];
        const char *const texts[] = {d->id,          d->library, d->calls,  d->users_see,
                                     d->server_sees, d->why,     d->remedy, d->source};
        int order;
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
            assert_true(texts[k] && texts[k][0] && !strchr(texts[k], '|') && !strchr(texts[k], '\n'));
        assert_true(strncmp(d->source, "https://", 8) == 0);
        assert_true(!d->announced_from || driver_version_compare(d->announced_from, d->announced_from, &order));
        assert_true(!d->announced_from || d->client_name);
        assert_true(!d->from || driver_version_compare(d->from, d->from, &order));
        assert_true(!d->before || driver_version_compare(d->before, d->before, &order));
        assert_true(!d->from || !d->before || (driver_version_compare(d->from, d->before, &order) && order < 0));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(d->id, driver_table[k].id);
    }
}

static void the_reference_has_a_line_for_each(void **state) {
    struct strbuf out;
    size_t lines = 0;
    (void)state;
    strbuf_init(&out, 1024 * 1024);
    driver_reference(&out);
    for (const char *p = strbuf_text(&out); (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, driver_count + 2);
    assert_non_null(strstr(strbuf_text(&out), "| from 0.3.15, before 0.4.0 |"));
    assert_non_null(strstr(strbuf_text(&out), "| `Node-MySQL-2` from 3.2.0 on | before 3.5.2 |"));
    assert_non_null(strstr(strbuf_text(&out), "| `asyncmy` | all |"));
    strbuf_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions),
        cmocka_unit_test(a_client_fits_its_rows),
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(the_reference_has_a_line_for_each),
    };
    return cmocka_run_group_tests_name("driver", tests, NULL, NULL);
}
