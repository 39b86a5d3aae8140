/*
 * The process's figures agree with what the process does.
 */
#include "expose/process.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static void open_descriptors_are_counted(void **state) {
    uint64_t before, after;
    int fds[300];
    (void)state;
    assert_int_equal(process_open_fds(&before), 0);
    assert_true(before >= 3);
    for (int i = 0; i < 300; i++)
        assert_true((fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    assert_int_equal(process_open_fds(&after), 0);
    assert_int_equal(after, before + 300);
    for (int i = 0; i < 300; i += 2)
        close(fds[i]);
    assert_int_equal(process_open_fds(&after), 0);
    assert_int_equal(after, before + 150);
    assert_int_equal(process_open_fds_by_poll(&before), 0); /* the way for older kernels says the same */
    assert_int_equal(before, after);
    for (int i = 1; i < 300; i += 2)
        close(fds[i]);
}

static void memory_grows_when_it_is_used(void **state) {
    const size_t size = 64 << 20;
    uint64_t total, resident, total_after, resident_after;
    (void)state;
    assert_int_equal(process_memory(&total, &resident), 0);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    memset(memory, 1, size);
    assert_int_equal(process_memory(&total_after, &resident_after), 0);
    assert_true(total_after >= total + size);
    assert_true(resident_after >= resident + size - size / 8);
    munmap(memory, size);
}

static void cpu_time_rises_with_work(void **state) {
    int64_t start = process_cpu_ns();
    (void)state;
    assert_true(start > 0);
    for (volatile int i = 0; process_cpu_ns() < start + 2000000 && i < 100000000; i++)
        ;
    assert_true(process_cpu_ns() >= start + 2000000);
}

static void the_limit_is_the_kernels(void **state) {
    struct rlimit limit;
    uint64_t max;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(process_max_fds(&max), 0);
    assert_true(max == limit.rlim_cur);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_descriptors_are_counted),
        cmocka_unit_test(memory_grows_when_it_is_used),
        cmocka_unit_test(cpu_time_rises_with_work),
        cmocka_unit_test(the_limit_is_the_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
