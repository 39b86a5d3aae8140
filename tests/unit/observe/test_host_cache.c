/*
 * From the host cache's sums to counts: what came, over rows that go, FLUSH HOSTS and restarts, and never too high.
 */
#include "observe/host_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 100, ALL_KINDS = (1 << HOST_CACHE_KIND_COUNT) - 1 };

/* A look that finds so many hosts of each age, and so many handshake errors of theirs. */
static const struct host_cache_facts *look(struct host_cache *c, uint64_t instant,
                                           const uint64_t found[HOST_CACHE_AGE_COUNT][2]) {
    static int64_t wall_ns;
    host_cache_begin(c, LIMIT, ALL_KINDS, 0);
    for (int age = 0; age < HOST_CACHE_AGE_COUNT; age++) {
        struct host_cache_rows rows = {.age = (enum host_cache_age)age, .instant = instant, .hosts = found[age][0]};
        rows.errors[HOST_CACHE_HANDSHAKE] = found[age][1];
        if (rows.hosts > 0)
            host_cache_add(c, &rows);
    }
    host_cache_end(c, ++wall_ns);
    return host_cache_facts(c);
}
#define LOOK(c, instant, ...) look(c, instant, (const uint64_t[HOST_CACHE_AGE_COUNT][2]){__VA_ARGS__})

static void what_was_there_before_us_is_not_counted(void **state) {
    (void)state;
    struct host_cache *c = host_cache_new();
    assert_int_equal(host_cache_instant(c), 0);
    const struct host_cache_facts *f = LOOK(c, 1000, {0, 0}, {3, 30}, {1, 1});
    assert_int_equal(host_cache_instant(c), 1000);
    assert_int_equal(f->hosts, 4);
    assert_int_equal(f->errors, 31);
    assert_int_equal(f->total[HOST_CACHE_HANDSHAKE], 0);
    assert_int_equal(f->max_connect_errors, LIMIT);
    assert_int_equal(f->from_wall_ns, 0);

    /* The newest of then is among the new; each host has one error more, and two have come. */
    f = LOOK(c, 1060, {3, 33}, {2, 3}, {1, 7});
    assert_int_equal(f->total[HOST_CACHE_HANDSHAKE], 3 + 2 + 7);
    assert_int_equal(f->increase[HOST_CACHE_HANDSHAKE], 12);
    assert_int_equal(f->wall_ns - f->from_wall_ns, 1);
    assert_int_equal(f->hosts_lost, 0);
    f = LOOK(c, 1120, {5, 36}, {1, 7}, {0, 0});
    assert_int_equal(f->increase[HOST_CACHE_HANDSHAKE], 0);
    assert_int_equal(f->total[HOST_CACHE_HANDSHAKE], 12);
    assert_int_equal(f->increase[HOST_CACHE_AUTHENTICATION], 0);
    host_cache_free(c);
}

static void hosts_that_went_are_counted_and_take_nothing_away(void **state) {
    (void)state;
    struct host_cache *c = host_cache_new();
    LOOK(c, 1000, {0, 0}, {10, 100}, {0, 0});
    /* Three old ones with 30 went, as many new ones with 6 came in their place: a sum of rows alone would see none of
     * it. */
    const struct host_cache_facts *f = LOOK(c, 1060, {7, 70}, {3, 6}, {0, 0});
    assert_int_equal(f->hosts_lost, 3);
    assert_int_equal(f->total[HOST_CACHE_HANDSHAKE], 6);
    /* FLUSH HOSTS, and one came again. */
    f = LOOK(c, 1120, {0, 0}, {1, 2}, {0, 0});
    assert_int_equal(f->hosts_lost, 13);
    assert_int_equal(f->total[HOST_CACHE_HANDSHAKE], 8);
    /* … and nobody came. */
    f = LOOK(c, 0, {0, 0}, {0, 0}, {0, 0});
    assert_int_equal(f->hosts_lost, 14);
    assert_int_equal(f->total[HOST_CACHE_HANDSHAKE], 8);
    assert_int_equal(f->hosts, 0);
    assert_int_equal(host_cache_instant(c), 1120);
    /* Of an old one that stays the rise is told though others went; as the loss hides a part, the count is too low. */
    LOOK(c, 1200, {0, 0}, {2, 50}, {0, 0});
    f = LOOK(c, 1260, {1, 45}, {0, 0}, {0, 0});
    assert_int_equal(f->hosts_lost, 15);
    assert_int_equal(f->increase[HOST_CACHE_HANDSHAKE], 0);
    host_cache_free(c);
}

static void a_restart_is_no_loss(void **state) {
    (void)state;
    struct host_cache *c = host_cache_new();
    LOOK(c, 1000, {0, 0}, {10, 100}, {1, 1});
    host_cache_restarted(c);
    const struct host_cache_facts *f = LOOK(c, 1060, {0, 0}, {2, 5}, {0, 0});
    assert_int_equal(f->hosts_lost, 0);
    assert_int_equal(f->total[HOST_CACHE_HANDSHAKE], 5);
    host_cache_free(c);
}

static void a_look_that_did_not_end_is_forgotten(void **state) {
    (void)state;
    struct host_cache *c = host_cache_new();
    LOOK(c, 1000, {0, 0}, {1, 10}, {0, 0});
    host_cache_begin(c, LIMIT, ALL_KINDS, 0);
    host_cache_add(c, &(struct host_cache_rows){.age = HOST_CACHE_OLD, .instant = 1030, .hosts = 1, .blocked = 1});
    assert_int_equal(host_cache_instant(c), 1000);
    const struct host_cache_facts *f = LOOK(c, 1060, {1, 12}, {0, 0}, {0, 0});
    assert_int_equal(f->hosts, 1);
    assert_int_equal(f->blocked, 0);
    assert_int_equal(f->total[HOST_CACHE_HANDSHAKE], 2);
    host_cache_free(c);
}

static void the_nearest_of_all_ages(void **state) {
    (void)state;
    struct host_cache *c = host_cache_new();
    struct host_cache_rows rows = {.age = HOST_CACHE_OLD, .hosts = 2, .near = 1, .blocked = 1};
    memcpy(rows.nearest.ip, "192.0.2.1", sizeof "192.0.2.1");
    rows.nearest.connect_errors = 60;
    host_cache_begin(c, 80, ALL_KINDS, 0);
    host_cache_add(c, &rows);
    rows.age = HOST_CACHE_NEW;
    rows.nearest.ip[0] = 'x';
    rows.nearest.connect_errors = 20;
    host_cache_add(c, &rows);
    host_cache_end(c, 1);
    const struct host_cache_facts *f = host_cache_facts(c);
    assert_string_equal(f->nearest.ip, "192.0.2.1");
    assert_true(host_cache_nearest_ratio(f) == 0.75);
    assert_int_equal(f->near, 2);
    assert_int_equal(f->blocked, 2);
    host_cache_free(c);
}

/* A look that finds 4 hosts with 20 errors, and lists as many of these as there are. */
static void list(struct host_cache *c, size_t max, const char *const *names, const uint64_t *errors) {
    struct host_cache_rows rows = {.age = HOST_CACHE_OLD, .hosts = 5, .hosts_with_errors = 4};
    rows.errors[HOST_CACHE_SSL] = 20;
    host_cache_begin(c, LIMIT, ALL_KINDS, max);
    assert_false(host_cache_found_errors(c));
    host_cache_add(c, &rows);
    assert_true(host_cache_found_errors(c));
    for (size_t i = 0; names[i]; i++)
        host_cache_add_host(c, span_of(names[i]), errors[i], i);
}

static void the_list_is_bounded(void **state) {
    (void)state;
    struct host_cache *c = host_cache_new();
    const struct host_cache_facts *f = host_cache_facts(c);
    uint64_t hosts, errors;
    char name[HOST_CACHE_IP_MAX + 10];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    list(c, 2, (const char *const[]){name, "b", "c", NULL}, (const uint64_t[]){9, 5, 4});
    assert_int_equal(f->top_count, 0);
    host_cache_end(c, 1);
    assert_int_equal(f->top_count, 2);
    assert_int_equal(strlen(f->top[0].ip), HOST_CACHE_IP_MAX);
    assert_string_equal(f->top[1].ip, "b");
    assert_int_equal(f->top[1].errors, 5);
    assert_int_equal(f->top[1].connect_errors, 1);
    host_cache_other(f, &hosts, &errors);
    assert_int_equal(hosts, 2);
    assert_int_equal(errors, 6);

    list(c, 0, (const char *const[]){"d", NULL}, (const uint64_t[]){4}); /* a reload set it so */
    assert_string_equal(f->top[1].ip, "b");                              /* not ended yet */
    host_cache_end(c, 2);
    host_cache_other(f, &hosts, &errors);
    assert_int_equal(hosts, 4);
    assert_int_equal(errors, 20);
    /* More errors than the sums had a moment before. */
    list(c, 3, (const char *const[]){"e", "f", "g", NULL}, (const uint64_t[]){100, 100, 100});
    host_cache_end(c, 3);
    host_cache_other(f, &hosts, &errors);
    assert_int_equal(hosts, 1);
    assert_int_equal(errors, 0);
    list(c, 3, (const char *const[]){"h", NULL}, (const uint64_t[]){1}); /* freed though not ended */
    host_cache_free(c);
}

static void hostile_sums_do_not_wrap(void **state) {
    (void)state;
    struct host_cache *c = host_cache_new();
    LOOK(c, 1, {0, 0}, {1, 1}, {0, 0});
    LOOK(c, 2, {1, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}, {UINT64_MAX, UINT64_MAX});
    const struct host_cache_facts *f = LOOK(c, UINT64_MAX, {1, 0}, {0, 0}, {1, UINT64_MAX});
    assert_int_equal(f->total[HOST_CACHE_HANDSHAKE], UINT64_MAX);
    assert_int_equal(f->hosts_lost, UINT64_MAX);
    host_cache_free(c);
}

static void kinds_have_names_and_columns(void **state) {
    (void)state;
    assert_string_equal(host_cache_kind_name(HOST_CACHE_HOST_ACL), "host_acl");
    assert_string_equal(host_cache_kind_column(HOST_CACHE_HOST_ACL), "COUNT_HOST_ACL_ERRORS");
    host_cache_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_there_before_us_is_not_counted),
        cmocka_unit_test(hosts_that_went_are_counted_and_take_nothing_away),
        cmocka_unit_test(a_restart_is_no_loss),
        cmocka_unit_test(a_look_that_did_not_end_is_forgotten),
        cmocka_unit_test(the_nearest_of_all_ages),
        cmocka_unit_test(the_list_is_bounded),
        cmocka_unit_test(hostile_sums_do_not_wrap),
        cmocka_unit_test(kinds_have_names_and_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
