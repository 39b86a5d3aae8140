/*
 * Shards: each target is in one, always the same.
 */
#include "config/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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

/* For ever: who updates one exporter after the other must not lose a target in between. zlib.crc32(b"db1") % 5 is 0. */
static void it_is_the_same_in_every_version(void **state) {
    (void)state;
    assert_true(shard_has(&(struct shard){0, 5}, "db1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(each_target_is_in_one),
        cmocka_unit_test(it_is_the_same_in_every_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
