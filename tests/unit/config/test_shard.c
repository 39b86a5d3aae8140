/*
 * Shards: each target is in one, always the same.
 */
#include "config/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void texts(void **state) {
    static const char *const bad[] = {"", "/", "1", "1/", "/2", "3/2", "0/0", "-1/2", "1/2/3", "a/b", "1/1001", " 1/2"};
    struct shard shard = {7, 7};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (shard_parse(bad[i], &shard))
            fail_msg("'%s' is taken", bad[i]);
    assert_int_equal(shard.index, 7);
    assert_true(shard_parse("1/3", &shard) && shard.index == 1 && shard.count == 3);
    assert_true(shard_parse("3/3", &shard) && shard.index == 0); /* counted from 1 */
    assert_true(shard_parse("0/1", &shard) && shard.index == 0);
}

static void each_target_is_in_one(void **state) {
    enum { TARGETS = 10000, SHARDS = 7 };
    unsigned in[SHARDS] = {0};
    (void)state;
    for (int i = 0; i < TARGETS; i++) {
        char name[32];
        unsigned owners = 0;
        snprintf(name, sizeof name, "db%d.example:3306", i);
        for (uint32_t s = 0; s < SHARDS; s++)
            if (shard_has(&(struct shard){s, SHARDS}, name)) {
                in[s]++;
                owners++;
            }
        assert_int_equal(owners, 1);
    }
    for (int s = 0; s < SHARDS; s++)
        assert_in_range(in[s], TARGETS / SHARDS * 8 / 10, TARGETS / SHARDS * 12 / 10);
    assert_true(shard_has(&(struct shard){0, 0}, "any"));
}

/* For ever: who updates one exporter after the other must not lose a target in between. zlib.crc32(name) % 997. */
static void it_is_the_same_in_every_version(void **state) {
    static const struct {
        const char *name;
        uint32_t index;
    } known[] = {{"db1", 619}, {"db2.example:3306", 887}, {"[::1]:3306", 19}, {"/run/mysqld/mysqld.sock", 743}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_true(shard_has(&(struct shard){known[i].index, 997}, known[i].name));
}

/* (The sanitizer sees that the others are freed.) */
static void a_configuration_keeps_its_own(void **state) {
    struct target_config *targets[10];
    struct config config = {.targets = targets, .target_count = 10};
    const struct shard shard = {1, 2};
    size_t expected = 0;
    (void)state;
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "db%d", i);
        targets[i] = calloc(1, sizeof *targets[i]);
        targets[i]->name = strdup(name);
        expected += shard_has(&shard, name);
    }
    shard_keep(&shard, &config);
    assert_int_equal(config.target_count, expected);
    assert_in_range(expected, 1, 9);
    for (size_t i = 0; i < config.target_count; i++) {
        assert_true(shard_has(&shard, targets[i]->name));
        assert_true(i == 0 || strcmp(targets[i - 1]->name, targets[i]->name) < 0);
        if (i > 0)
            target_config_free(targets[i - 1]);
    }
    target_config_free(targets[expected - 1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(each_target_is_in_one),
        cmocka_unit_test(it_is_the_same_in_every_version),
        cmocka_unit_test(a_configuration_keeps_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
