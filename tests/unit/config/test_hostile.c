/*
 * Files that mean harm or are no configuration at all: each must end in an error, soon, and hurt nothing. The tests run
 * under the sanitizers too, so the bound on the time is in CPU seconds and generous; the real figures are some
 * milliseconds.
 */
#include "config_fixture.h"

#include <time.h>

#define MIB ((size_t)1 << 20)

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What a load may take; valgrind is some thirty times slower than the processor. */
static double cpu_seconds_max(void) {
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload") ? 30 : 1;
}

/* The file must fail with the text, and in time. */
static void expect_failure(const char *path, const char *expected) {
    double start = cpu_seconds();
    struct config *config = load_path(path);
    double took = cpu_seconds() - start;
    if (config)
        fail_msg("taken without an error, expected %s", expected);
    expect_error(path, expected);
    if (took >= cpu_seconds_max())
        fail_msg("%s: took %.2f s", expected, took);
}

static void expect_bytes(const void *data, size_t len, const char *expected) {
    expect_failure(write_file("hostile.yml", data, len, 0600), expected);
}

/* `head`, then `part` again and again up to `size` bytes, then `tail`. */
static void expect_repeated(const char *head, const char *part, const char *tail, size_t size, const char *expected) {
    struct strbuf text;
    strbuf_init(&text, 8 * MIB);
    strbuf_addstr(&text, head);
    while (text.len < size)
        strbuf_addstr(&text, part);
    strbuf_addstr(&text, tail);
    assert_false(strbuf_failed(&text));
    expect_bytes(strbuf_text(&text), text.len, expected);
    strbuf_release(&text);
}

static void deep_nesting(void **state) {
    static const char no_map[] = ":1:1: must be a map (key: value)";
    static const char map_in_name[] = ":1:17: targets[0].name: must be a single value, neither a map nor a list";
    (void)state;
    expect_repeated("", "[", "", 100000, no_map);
    expect_repeated("", "{", "", 100000, ":1:2: a key must be a plain word");
    expect_repeated("", "- ", "", 200000, no_map);
    expect_repeated("", "? ", "", 200000, ":1:3: a key must be a plain word");
    expect_repeated("", "{a: ", "", 400000, ":1:2: unknown key 'a'; known here: " TOP_KEYS);
    expect_repeated("targets: ", "[", "", 100000, ":1:11: targets[0]: must be a map (key: value)");
    expect_repeated("targets: ", "[\n", "", 200000, ":2:1: targets[0]: must be a map (key: value)");
    expect_repeated("targets: [{name: ", "[", "", 100000,
                    ":1:18: targets[0].name: must be a single value, neither a map nor a list");
    expect_repeated("targets: [name: ", "{a: ", "", 400000, map_in_name);
    expect_repeated("targets: [{labels: {a: ", "{a: ", "", 400000,
                    ":1:24: targets[0].labels.a: must be a single value, neither a map nor a list");
}

static void deep_indentation(void **state) {
    struct strbuf text;
    (void)state;
    strbuf_init(&text, 4 * MIB);
    for (int depth = 0; depth < 2000; depth++) {
        for (int i = 0; i < depth; i++)
            strbuf_addch(&text, ' ');
        strbuf_addstr(&text, "a:\n");
    }
    expect_bytes(strbuf_text(&text), text.len, ":1:1: unknown key 'a'; known here: " TOP_KEYS);
    strbuf_release(&text);
}

/* Aliases that would expand to gigabytes, and tag directives, which libyaml checks in quadratic time. */
static void bombs(void **state) {
    struct strbuf text;
    (void)state;
    expect_repeated("a: &a [x, x]\n", "b: &b [*a, *a, *a, *a]\n", "", 2 * MIB,
                    ":1:1: unknown key 'a'; known here: " TOP_KEYS);
    expect_repeated("targets: &a\n", "  - *a\n", "", 2 * MIB, ":1:10: targets: anchors are not supported");
    expect_repeated("targets:\n", "  - *a\n", "", 2 * MIB, ":2:5: targets[0]: aliases are not supported");

    static const struct {
        const char *bytes, *error;
    } breaks[] = {
        {"\n", ":2:1: directives (%) are not supported"},
        {"\r", ":1:11: directives (%) are not supported"},
        {"\xC2\x85", ":1:11: directives (%) are not supported"},
        {"\xE2\x80\xA8", ":1:11: directives (%) are not supported"},
        {"\xE2\x80\xA9", ":1:11: directives (%) are not supported"},
    };
    for (size_t b = 0; b < sizeof breaks / sizeof breaks[0]; b++) {
        strbuf_init(&text, 4 * MIB);
        strbuf_addf(&text, "# comment%s", breaks[b].bytes);
        for (int i = 0; i < 100000; i++)
            strbuf_addf(&text, "%%TAG !a%d! x%s", i, breaks[b].bytes);
        expect_bytes(strbuf_text(&text), text.len, breaks[b].error);
        strbuf_release(&text);
    }
    expect_repeated("\xEF\xBB\xBF", "%TAG ! x\n", "", MIB, ":1:2: directives (%) are not supported");
}

static void large_files(void **state) {
    const char *path = write_text("hostile.yml", "");
    (void)state;
    assert_int_equal(truncate(path, (off_t)1 << 30), 0); /* 1 GB */
    expect_failure(path, ": the file is larger than 4096 KiB");
    assert_int_equal(truncate(path, (off_t)1 << 42), 0);
    expect_failure(path, ": the file is larger than 4096 KiB");
    assert_int_equal(truncate(path, (off_t)4 * MIB + 1), 0);
    expect_failure(path, ": the file is larger than 4096 KiB");
    assert_int_equal(truncate(path, (off_t)4 * MIB), 0); /* so many NUL bytes */
    expect_failure(path, ":1:1: this is no valid YAML: control characters are not allowed");

    expect_repeated("#", "x", "", 4 * MIB, ":2:1: the file is empty; it needs 'targets'");
    expect_repeated("", "# comment\n", "", 4 * MIB - 16, ":419430:1: the file is empty; it needs 'targets'");
    expect_repeated("", "\n", "", 4 * MIB, ":4194305:1: the file is empty; it needs 'targets'");
    expect_repeated("", " ", "", 4 * MIB, ":2:1: the file is empty; it needs 'targets'");
    expect_repeated("", "x", "", 4 * MIB, ":1:1: must be a map (key: value)");
    expect_repeated("", "x\n", "", 4 * MIB, ":1:1: must be a map (key: value)");
    expect_repeated("targets: [{name: '", "x", "'", 4 * MIB - 16,
                    ":1:18: targets[0].name: must have at most 128 bytes");
    expect_repeated("targets: [{name: \"", "x\\\n ", "\"", 4 * MIB - 16,
                    ":1:18: targets[0].name: must have at most 128 bytes");
    expect_repeated("targets: [{name: a, address: ", "x", "}]", 4 * MIB - 16,
                    ":1:30: targets[0].address: must have at most 300 bytes");
    expect_repeated("targets: [{labels: {a: ", "x", "}}]", 4 * MIB - 16,
                    ":1:24: targets[0].labels.a: must have at most 1024 bytes");
    expect_repeated("credentials: {password: ", "x", "}", 4 * MIB - 16,
                    ":1:25: credentials.password: must have at most 4096 bytes");
    expect_repeated("", "x", ": 1\n", 1000,
                    ":1:1: unknown key 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'; known here: " TOP_KEYS);
    expect_repeated("", "x", ": 1\n", 4 * MIB - 16, ":1:1: must be a map (key: value)");
}

static void not_text(void **state) {
    (void)state;
    expect_bytes("targets: \0", 10, ":1:10: this is no valid YAML: control characters are not allowed");
    expect_bytes("a\0b: c\n", 7, ":1:2: this is no valid YAML: control characters are not allowed");
    expect_bytes("targets: [\xFF]\n", 13, ":1:11: this is no valid YAML: invalid leading UTF-8 octet");
    expect_bytes("#\n# \xC3\xA9\xE9xx\n", 10, ":2:5: this is no valid YAML: invalid trailing UTF-8 octet");
    expect_bytes("a: \xED\xA0\x80\n", 7, ":1:4: this is no valid YAML: invalid Unicode character");
    expect_bytes("a: \xC0\x80\n", 6, ":1:4: this is no valid YAML: invalid length of a UTF-8 sequence");
    expect_bytes("a: \xE2\x82", 5, ":1:4: this is no valid YAML: incomplete UTF-8 octet sequence");
    expect_bytes("\xFF\xFEt\0a\0", 6, ":1:1: this is no valid YAML: invalid leading UTF-8 octet"); /* UTF-16 */
    expect_bytes("\x7F"
                 "ELF\x02\x01\x01\0",
                 8, ":1:1: this is no valid YAML: control characters are not allowed");
    /* Escapes can make what the file itself may not hold. */
    expect_bytes("targets: [{name: \"a\\0b\"}]", 25,
                 ":1:18: targets[0].name: must not hold line breaks or other control characters");
    expect_bytes("credentials: {user: \"a\\nb\"}", 27,
                 ":1:21: credentials.user: must not hold line breaks or other control characters");
    expect_bytes("credentials: {user: \"\\uD800\"}", 29,
                 ":1:24: credentials.user: this is no valid YAML: found invalid Unicode character escape code");
}

/* Whatever it is, opening it must not wait. */
static void not_files(void **state) {
    const char *fifo = path_of("fifo");
    (void)state;
    assert_int_equal(mkfifo(fifo, 0600), 0);
    expect_failure(fifo, ": this is not a regular file");
    expect_failure("/dev/zero", ": this is not a regular file");
    expect_failure(folder, ": this is not a regular file");
    expect_failure(path_of("missing.yml"), ": the file cannot be opened: No such file or directory");
    assert_int_equal(symlink(path_of("loop"), path_of("loop")), 0);
    expect_failure(path_of("loop"), ": the file cannot be opened: Too many levels of symbolic links");
}

static void many(void **state) {
    struct strbuf text;
    (void)state;
    strbuf_init(&text, 4 * MIB);
    strbuf_addstr(&text, "targets:\n");
    for (int i = 0; i < 10000; i++)
        strbuf_addf(&text, "- {name: db%d, address: db%d, labels: {a: b, c: d}, probe: {interval: 10s}}\n", i, i);
    double start = cpu_seconds();
    struct config *config = load_path(write_file("many.yml", text.data, text.len, 0600));
    assert_non_null(config);
    assert_int_equal(config->target_count, 10000);
    assert_string_equal(config->targets[9999]->name, "db9999");
    config_free(config);
    assert_true(cpu_seconds() - start < cpu_seconds_max());

    size_t full = text.len;
    strbuf_addstr(&text, "- {name: db1, address: db1}\n");
    expect_bytes(text.data, text.len, ":10002:3: targets: there are more than 10000");
    strbuf_truncate(&text, full);
    char *last = memmem(text.data, text.len, "name: db9999", 12);
    assert_non_null(last);
    last[11] = '8'; /* the name of the line before */
    expect_bytes(text.data, text.len, ":10001:10: targets[9999].name: targets[9998] has this name already");
    strbuf_release(&text);

    expect_repeated("targets: [", "{},", "]", 4 * MIB - 16, ":1:30011: targets: there are more than 10000");
    strbuf_init(&text, MIB);
    strbuf_addstr(&text, "targets: [{labels: {");
    for (int i = 0; i < 33; i++)
        strbuf_addf(&text, "l%02d: x, ", i);
    expect_bytes(text.data, text.len, ":1:277: targets[0].labels: more than 32 labels");
    strbuf_release(&text);
}

/* The last error counts for nothing if a buffer is too small for it. */
static void small_buffers(void **state) {
    struct strbuf small, none;
    (void)state;
    strbuf_init(&small, 10);
    strbuf_init(&none, 0);
    assert_null(config_load(write_text("hostile.yml", "a: b\n"), &small, &none));
    strbuf_release(&small);
    strbuf_release(&none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deep_nesting), cmocka_unit_test(deep_indentation), cmocka_unit_test(bombs),
        cmocka_unit_test(large_files),  cmocka_unit_test(not_text),         cmocka_unit_test(not_files),
        cmocka_unit_test(many),         cmocka_unit_test(small_buffers),
    };
    return cmocka_run_group_tests_name("config/hostile", tests, make_folder, remove_folder);
}
