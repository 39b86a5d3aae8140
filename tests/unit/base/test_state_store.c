/*
 * Texts that outlive us: the last one put is the one loaded, by us and by who comes after us; files are replaced as a
 * whole; names cannot lead out of the folder; one folder, one program.
 */
#include "base/state_store.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    uv_loop_t loop;
    char parent[64], folder[96];
    struct state_store *store;
};

static void open_store(struct fixture *fx, const char *folder) {
    struct strbuf error;
    strbuf_init(&error, 4096);
    fx->store = state_store_open(&fx->loop, folder, &error);
    assert_string_equal(strbuf_text(&error), "");
    assert_non_null(fx->store);
    strbuf_release(&error);
}

static int setup(void **state) {
    struct fixture *fx = calloc(1, sizeof *fx);
    assert_non_null(fx);
    snprintf(fx->parent, sizeof fx->parent, "/tmp/test_state_store.XXXXXX");
    assert_non_null(mkdtemp(fx->parent));
    snprintf(fx->folder, sizeof fx->folder, "%s/state", fx->parent);
    assert_int_equal(uv_loop_init(&fx->loop), 0);
    *state = fx;
    return 0;
}

static void end_store(struct fixture *fx) {
    state_store_close(fx->store);
    fx->store = NULL;
}

/* Files in the folder, removed. */
static unsigned empty(const char *folder) {
    DIR *dir = opendir(folder);
    char path[512];
    unsigned count = 0;
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        count += e->d_type == DT_REG && unlink(path) == 0;
    }
    if (dir)
        closedir(dir);
    return count;
}

static int teardown(void **state) {
    struct fixture *fx = *state;
    end_store(fx);
    assert_int_equal(uv_loop_close(&fx->loop), 0);
    empty(fx->folder);
    rmdir(fx->folder);
    assert_int_equal(empty(fx->parent), 0); /* nothing was written elsewhere */
    rmdir(fx->parent);
    free(fx);
    return 0;
}

static void put(struct fixture *fx, const char *name, const char *text) {
    struct strbuf sb;
    strbuf_init(&sb, 4096);
    strbuf_addstr(&sb, text);
    state_store_put(fx->store, name, &sb);
}

static void assert_loaded(struct fixture *fx, const char *name, const char *want) {
    size_t len;
    int rc;
    char *text = state_store_load(fx->store, name, &len, &rc);
    assert_int_equal(rc, 0);
    if (!want) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_string_equal(text, want);
    assert_int_equal(len, strlen(want));
    free(text);
}

static void last_text_put_is_the_one_loaded(void **state) {
    struct fixture *fx = *state;
    open_store(fx, fx->folder);
    assert_loaded(fx, "db1", NULL);
    put(fx, "db1", "one");
    assert_loaded(fx, "db1", "one"); /* while the pool has it */
    put(fx, "db1", "two");
    put(fx, "db2", "other");
    assert_loaded(fx, "db1", "two");
    uv_run(&fx->loop, UV_RUN_DEFAULT);
    assert_int_equal(state_store_facts(fx->store)->waiting, 0);
    assert_true(state_store_facts(fx->store)->writes >= 2);
    assert_true(state_store_facts(fx->store)->last_write_wall_ns > 0);
    put(fx, "db1", "three"); /* written by the end */
    end_store(fx);
    open_store(fx, fx->folder);
    assert_loaded(fx, "db1", "three");
    assert_loaded(fx, "db2", "other");
}

static void without_a_folder_texts_live_as_long_as_we(void **state) {
    struct fixture *fx = *state;
    open_store(fx, NULL);
    put(fx, "db1", "one");
    uv_run(&fx->loop, UV_RUN_DEFAULT);
    assert_loaded(fx, "db1", "one");
    assert_false(state_store_facts(fx->store)->persistent);
    assert_int_equal(state_store_facts(fx->store)->waiting, 0);
    assert_string_equal(state_store_file(fx->store, "db1"), "");
}

static void any_name_is_a_file_of_the_folder(void **state) {
    struct fixture *fx = *state;
    char far[400], near[400];
    memset(far, 'x', sizeof far);
    memcpy(near, far, sizeof near);
    far[399] = near[399] = '\0';
    near[398] = 'y';
    const char *const names[] = {"../up", ".hidden", "a/b", "a%2fb", "[::1]:3306", "db.example:3306", "..", far, near};
    const size_t count = sizeof names / sizeof names[0];
    open_store(fx, fx->folder);
    for (size_t i = 0; i < count; i++)
        put(fx, names[i], names[i]);
    end_store(fx);
    open_store(fx, fx->folder);
    for (size_t i = 0; i < count; i++)
        assert_loaded(fx, names[i], names[i]);
    end_store(fx);
    assert_int_equal(empty(fx->folder), count);
    open_store(fx, fx->folder);
}

static void what_is_set_aside_is_there_for_people(void **state) {
    struct fixture *fx = *state;
    struct strbuf kept;
    strbuf_init(&kept, 4096);
    open_store(fx, fx->folder);
    put(fx, "db1", "one");
    uv_run(&fx->loop, UV_RUN_DEFAULT);
    state_store_set_aside(fx->store, "db1", &kept);
    assert_loaded(fx, "db1", NULL);
    assert_int_equal(access(strbuf_text(&kept), R_OK), 0);
    strbuf_release(&kept);
}

static void what_is_no_file_of_ours_is_not_read(void **state) {
    struct fixture *fx = *state;
    size_t len;
    int rc;
    open_store(fx, fx->folder);
    assert_int_equal(mkdir(state_store_file(fx->store, "folder"), 0700), 0);
    assert_null(state_store_load(fx->store, "folder", &len, &rc));
    assert_true(rc < 0);
    assert_int_equal(mkfifo(state_store_file(fx->store, "pipe"), 0600), 0);
    assert_null(state_store_load(fx->store, "pipe", &len, &rc));
    assert_true(rc < 0);
    assert_int_equal(symlink("/etc/passwd", state_store_file(fx->store, "link")), 0);
    assert_null(state_store_load(fx->store, "link", &len, &rc));
    assert_true(rc < 0);
    rmdir(state_store_file(fx->store, "folder"));
    unlink(state_store_file(fx->store, "pipe"));
    unlink(state_store_file(fx->store, "link"));
}

static void failure_is_counted_and_tried_again(void **state) {
    struct fixture *fx = *state;
    open_store(fx, fx->folder);
    assert_int_equal(rmdir(fx->folder), 0); /* no file can be made in it any more, … */
    fclose(fopen(fx->folder, "w"));         /* … nor a folder in its place */
    put(fx, "db1", "one");
    while (state_store_facts(fx->store)->failures == 0)
        uv_run(&fx->loop, UV_RUN_ONCE);
    assert_int_equal(state_store_facts(fx->store)->waiting, 1);
    put(fx, "db1", "two");
    put(fx, "db2", "other");
    assert_int_equal(state_store_facts(fx->store)->waiting, 2);
    assert_loaded(fx, "db1", "two");
    assert_int_equal(unlink(fx->folder), 0);
}

static void folder_that_vanished_is_made_again(void **state) {
    struct fixture *fx = *state;
    open_store(fx, fx->folder);
    put(fx, "db1", "one");
    uv_run(&fx->loop, UV_RUN_DEFAULT);
    assert_int_equal(empty(fx->folder), 1);
    assert_int_equal(rmdir(fx->folder), 0);
    put(fx, "db1", "two");
    uv_run(&fx->loop, UV_RUN_DEFAULT);
    assert_int_equal(state_store_facts(fx->store)->writes, 2);
    assert_loaded(fx, "db1", "two");
    struct strbuf error;
    strbuf_init(&error, 4096);
    assert_null(state_store_open(&fx->loop, fx->folder, &error)); /* it is ours alone, as the first was */
    strbuf_release(&error);
    end_store(fx);
    open_store(fx, fx->folder);
    assert_loaded(fx, "db1", "two");
}

static void what_stands_where_a_file_is_made_is_removed(void **state) {
    struct fixture *fx = *state;
    char path[512];
    open_store(fx, fx->folder);
    snprintf(path, sizeof path, "%s.tmp", state_store_file(fx->store, "pipe"));
    assert_int_equal(mkfifo(path, 0600), 0); /* who opens it waits for a reader */
    snprintf(path, sizeof path, "%s.tmp", state_store_file(fx->store, "link"));
    assert_int_equal(symlink("../up", path), 0);
    put(fx, "pipe", "one");
    put(fx, "link", "two");
    uv_run(&fx->loop, UV_RUN_DEFAULT);
    assert_int_equal(state_store_facts(fx->store)->writes, 2);
    assert_loaded(fx, "pipe", "one");
    assert_loaded(fx, "link", "two");
}

static void text_is_loaded_where_no_descriptor_is_left(void **state) {
    struct fixture *fx = *state;
    struct rlimit limit, none;
    open_store(fx, fx->folder);
    put(fx, "db1", "one");
    uv_run(&fx->loop, UV_RUN_DEFAULT);
    int next = dup(0);
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){(rlim_t)next, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_loaded(fx, "db1", "one");
    assert_loaded(fx, "db2", NULL);
    assert_loaded(fx, "db1", "one");
    assert_int_equal(dup(0), -1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void one_folder_one_program(void **state) {
    struct fixture *fx = *state;
    struct strbuf error;
    strbuf_init(&error, 4096);
    open_store(fx, fx->folder);
    assert_null(state_store_open(&fx->loop, fx->folder, &error));
    assert_non_null(strstr(strbuf_text(&error), "another program"));
    strbuf_reset(&error);
    assert_null(state_store_open(&fx->loop, "/proc/self/no such folder/state", &error));
    assert_non_null(strstr(strbuf_text(&error), "/proc/self/no such folder/state: "));
    strbuf_release(&error);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(last_text_put_is_the_one_loaded),
        TEST(without_a_folder_texts_live_as_long_as_we),
        TEST(any_name_is_a_file_of_the_folder),
        TEST(what_is_set_aside_is_there_for_people),
        TEST(what_is_no_file_of_ours_is_not_read),
        TEST(failure_is_counted_and_tried_again),
        TEST(folder_that_vanished_is_made_again),
        TEST(what_stands_where_a_file_is_made_is_removed),
        TEST(text_is_loaded_where_no_descriptor_is_left),
        TEST(one_folder_one_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
