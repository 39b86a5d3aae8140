/*
 * Native histograms: bounds as Prometheus has them, what happens when the buckets run out, and what a quantile is
 * worth.
 */
#include "base/native_histogram.h"

#include "base/clock.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* The bounds of schema 3 in [0.5, 1) as client_golang has them in its table, which is up to 3 units of the last place
 * off the true ones: no duration in nanoseconds can lie between. */
static const double client_golang[8] = {0.5,
                                        0.5452538663326288,
                                        0.5946035575013605,
                                        0.6484197773255048,
                                        0.7071067811865475,
                                        0.7711054127039704,
                                        0.8408964152537144,
                                        0.9170040432046711};

static void bounds_are_client_golangs(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) {
        double bound = native_bound(i - 8, 3);
        assert_true(fabs(bound - client_golang[i]) <= 4 * DBL_EPSILON * bound);
    }
    assert_true(native_bound(0, 8) == 1 && native_bound(256, 8) == 2 && native_bound(-512, 8) == 0.25);
    assert_true(native_bound(1, -4) == 65536 && native_bound(-1, -4) == 0x1p-16 && native_bound(0, -4) == 1);
    assert_true(native_bound(1, 0) == 2 && native_bound(-20, 0) == NATIVE_ZERO_THRESHOLD_S);
}

/* A value on a bound belongs below it; the next one up above it. At every schema, over many octaves. */
static void a_bound_belongs_to_its_bucket(void **state) {
    (void)state;
    for (int schema = NATIVE_SCHEMA_MIN; schema <= NATIVE_SCHEMA_MAX; schema++) {
        int last = schema > 0 ? 34 << schema : 34 >> -schema;
        for (int index = -last; index <= last; index++) {
            double bound = native_bound(index, schema);
            assert_true(bound < native_bound(index + 1, schema));
            assert_int_equal(native_index(bound, schema), index);
            assert_int_equal(native_index(nextafter(bound, INFINITY), schema), index + 1);
            assert_int_equal(native_index(nextafter(bound, 0), schema), index);
        }
    }
}

/* The index at one schema gives that at the next coarser: what halving rests on. */
static void schemas_nest(void **state) {
    (void)state;
    srand(1);
    for (int i = 0; i < 100000; i++) {
        double seconds = ldexp(0.5 + rand() / (2.0 * RAND_MAX), rand() % 60 - 30);
        for (int schema = NATIVE_SCHEMA_MAX; schema > NATIVE_SCHEMA_MIN; schema--) {
            double halved = ceil(native_index(seconds, schema) / 2.0);
            assert_int_equal(native_index(seconds, schema - 1), (int)halved);
        }
    }
}

static uint64_t total(const struct native_histogram *h) {
    uint64_t sum = h->zero_count;
    for (int i = 0; i < h->used; i++) {
        sum += h->count[i];
        assert_true(h->count[i] > 0);
        assert_true(i == 0 || h->index[i - 1] < h->index[i]);
    }
    return sum;
}

static void the_limit_halves_the_resolution(void **state) {
    struct native_histogram h = {0};
    (void)state;
    /* One value in each of neighbouring buckets, just below their bounds. */
    for (int i = 1; i <= NATIVE_BUCKETS_MAX; i++)
        native_histogram_add(&h, (int64_t)(native_bound(i, 3) * 1e9) - 1);
    assert_int_equal(native_histogram_schema(&h), 3);
    assert_int_equal(h.used, NATIVE_BUCKETS_MAX);
    native_histogram_add(&h, (int64_t)(native_bound(1, 3) * 1e9) - 1); /* into one that is there */
    assert_int_equal(native_histogram_schema(&h), 3);
    native_histogram_add(&h, (int64_t)(native_bound(NATIVE_BUCKETS_MAX + 1, 3) * 1e9) - 1);
    assert_int_equal(native_histogram_schema(&h), 2);
    assert_int_equal(h.used, NATIVE_BUCKETS_MAX / 2 + 1);
    assert_int_equal(h.index[0], 1);
    assert_int_equal(h.count[0], 3); /* the buckets 1 and 2, and 1 again */
    assert_int_equal(h.count[1], 2);
    assert_int_equal(h.count[h.used - 1], 1);
    assert_int_equal(total(&h), NATIVE_BUCKETS_MAX + 2);
}

/* As if all had been counted at the coarser schema from the start, in whatever order they came. */
static void halving_loses_nothing(void **state) {
    (void)state;
    srand(2);
    for (int round = 0; round < 200; round++) {
        struct native_histogram h = {0};
        static int64_t value[2000];
        for (int i = 0; i < 2000; i++) {
            value[i] = (int64_t)ldexp(1 + rand() / (double)RAND_MAX, 11 + rand() % (1 + round / 5));
            native_histogram_add(&h, value[i]);
        }
        assert_int_equal(total(&h), 2000);
        for (int b = 0; b < h.used; b++) {
            unsigned expected = 0;
            for (int i = 0; i < 2000; i++)
                expected += native_index((double)value[i] / 1e9, native_histogram_schema(&h)) == h.index[b];
            assert_int_equal(h.count[b], expected);
        }
    }
}

static void extremes(void **state) {
    struct native_histogram h = {0};
    (void)state;
    native_histogram_add(&h, INT64_MIN);
    native_histogram_add(&h, -1);
    native_histogram_add(&h, 0);
    native_histogram_add(&h, 953); /* the threshold is 953.67 ns */
    assert_int_equal(h.zero_count, 4);
    assert_int_equal(h.used, 0);
    native_histogram_add(&h, 954);
    native_histogram_add(&h, INT64_MAX);
    assert_int_equal(h.used, 2);
    for (int64_t ns = 1; ns < INT64_MAX / 3; ns = ns * 2 + ns / 3 + 1)
        native_histogram_add(&h, ns);
    assert_true(h.used <= NATIVE_BUCKETS_MAX && native_histogram_schema(&h) < NATIVE_SCHEMA_FIRST);
    uint64_t before = total(&h);
    h.count[0] = UINT32_MAX;
    h.zero_count = UINT32_MAX;
    native_histogram_add(&h, 1000);
    native_histogram_add(&h, 0);
    assert_int_equal(h.count[0], UINT32_MAX);
    assert_int_equal(h.zero_count, UINT32_MAX);
    assert_true(before > 0);
}

static int rising(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Of many durations like a server's (log-normal, some much slower): the bound of the bucket in which a quantile lies is
 * above it by no more than one bucket's width. */
static void quantiles_are_as_good_as_the_schema_says(void **state) {
    enum { COUNT = 20000 };
    static int64_t value[COUNT];
    struct native_histogram h = {0};
    (void)state;
    srand(3);
    for (int i = 0; i < COUNT; i++) {
        double normal = 0;
        for (int j = 0; j < 12; j++)
            normal += rand() / (double)RAND_MAX;
        value[i] = (int64_t)(3e5 * exp(0.3 * (normal - 6)) * (i % 500 == 0 ? 50 : 1));
        native_histogram_add(&h, value[i]);
    }
    qsort(value, COUNT, sizeof value[0], rising);
    double width = exp2(exp2(-native_histogram_schema(&h)));
    assert_true(native_histogram_schema(&h) >= 2);
    for (int permille = 1; permille < 1000; permille++) {
        uint64_t rank = (uint64_t)permille * COUNT / 1000, seen = h.zero_count;
        int b = 0;
        while ((seen += h.count[b]) <= rank)
            b++;
        double said = native_bound(h.index[b], native_histogram_schema(&h)), truth = (double)value[rank] / 1e9;
        assert_true(truth <= said && said < truth * width);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_client_golangs),
        cmocka_unit_test(a_bound_belongs_to_its_bucket),
        cmocka_unit_test(schemas_nest),
        cmocka_unit_test(the_limit_halves_the_resolution),
        cmocka_unit_test(halving_loses_nothing),
        cmocka_unit_test(extremes),
        cmocka_unit_test(quantiles_are_as_good_as_the_schema_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
