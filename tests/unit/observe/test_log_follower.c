/*
 * The follower against everything that happens to log files: each line once, in order, whatever is done to the file,
 * and no step that holds the loop. Waits are for events, within WAIT_S.
 */
#include "base/number.h"
#include "observe/log_file.h"
#include "observe/log_follower.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_S 60
#define LIMIT (64 * 1024)
#define STEP (256 * 1024)

/* --- libuv as the test wants it --- */

static bool no_watches;         /* there is no inotify, as where its limits are reached */
static bool timers;             /* the follower's timers run, 50 times as fast; else the watches alone must do */
static uint64_t clock_ahead_ms; /* uv_now() is ahead of the time by this */
/* Runs once, right after the follower saw the size of the file with this inode. */
static ino_t hooked;
static void (*hook)(void *arg);
static void *hook_arg;

#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

int inotify_init1(int flags) {
    if (no_watches)
        errno = EMFILE;
    return no_watches ? -1 : REAL(inotify_init1)(flags);
}

int uv_timer_start(uv_timer_t *handle, uv_timer_cb cb, uint64_t timeout, uint64_t repeat) {
    if (timers)
        return REAL(uv_timer_start)(handle, cb, timeout < 1000 ? timeout : timeout / 50,
                                    repeat < 1000 ? repeat : repeat / 50);
    return 0;
}

int fstat(int fd, struct stat *st) {
    int rc = REAL(fstat)(fd, st);
    if (rc == 0 && hooked && st->st_ino == hooked) {
        hooked = 0;
        hook(hook_arg);
    }
    return rc;
}

uint64_t uv_now(const uv_loop_t *loop) {
    return REAL(uv_now)(loop) + clock_ahead_ms;
}

/* --- a follower in a folder of its own --- */

struct fixture {
    uv_loop_t loop;
    char folder[64], path[96], old[96], other[96];
    struct error_log_config config;
    struct log_sink sink;
    struct log_source_state state, told;
    struct log_follower *follower;
    struct strbuf text; /* the lines, each with a newline */
    size_t lines;
    unsigned states;
    unsigned held;   /* of the last lines, says the sink */
    bool rest_tells; /* the beginning of a line tells something */
    size_t rests;
    const struct log_saved *saved;
    size_t close_at;  /* close the follower at this line; 0 never */
    unsigned dear_ms; /* so long the sink is busy with each line */
};

static bool on_line(void *arg, struct span line, bool whole) {
    struct fixture *fx = arg;
    fx->rests += !whole;
    if (!whole && !fx->rest_tells)
        return false;
    strbuf_add(&fx->text, line.ptr, line.len);
    strbuf_addch(&fx->text, '\n');
    for (uint64_t began = uv_hrtime(); uv_hrtime() - began < fx->dear_ms * UINT64_C(1000000);)
        ;
    if (++fx->lines == fx->close_at) {
        log_follower_close(fx->follower);
        fx->follower = NULL;
    }
    return true;
}

static unsigned on_held(void *arg) {
    const struct fixture *fx = arg;
    return fx->held;
}

static void on_step(void *arg, bool moved) {
    struct fixture *fx = arg;
    (void)moved;
    fx->states += fx->state.readable != fx->told.readable || fx->state.error != fx->told.error;
    fx->told = fx->state;
}

static int setup(void **state) {
    struct fixture *fx = calloc(1, sizeof *fx);
    assert_non_null(fx);
    no_watches = timers = false;
    hooked = 0;
    clock_ahead_ms = 0;
    snprintf(fx->folder, sizeof fx->folder, "/tmp/test_log_follower.XXXXXX");
    assert_non_null(mkdtemp(fx->folder));
    assert_int_equal(chmod(fx->folder, 0755), 0);
    snprintf(fx->path, sizeof fx->path, "%s/error.log", fx->folder);
    snprintf(fx->old, sizeof fx->old, "%s/error.log.1", fx->folder);
    snprintf(fx->other, sizeof fx->other, "%s/other", fx->folder);
    fx->config.file = fx->path;
    fx->config.max_line_bytes = LIMIT;
    fx->sink = (struct log_sink){.arg = fx, .line = on_line, .held = on_held, .stepped = on_step};
    assert_int_equal(uv_loop_init(&fx->loop), 0);
    strbuf_init(&fx->text, 64 << 20);
    *state = fx;
    return 0;
}

static void remove_folder(const char *folder) {
    DIR *dir = opendir(folder);
    char path[512];
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (unlink(path) < 0)
            rmdir(path);
    }
    closedir(dir);
    rmdir(folder);
}

static void stop(struct fixture *fx) {
    log_follower_close(fx->follower);
    fx->follower = NULL;
    while (uv_run(&fx->loop, UV_RUN_DEFAULT))
        ;
}

static int teardown(void **state) {
    struct fixture *fx = *state;
    stop(fx);
    assert_int_equal(uv_loop_close(&fx->loop), 0);
    strbuf_release(&fx->text);
    remove_folder(fx->folder);
    free(fx);
    return 0;
}

static void start(struct fixture *fx, enum log_start from) {
    fx->config.start = from;
    fx->state = fx->told = (struct log_source_state){0};
    fx->follower = log_follower_start(&fx->loop, &fx->config, fx->config.file, &fx->sink, &fx->state, fx->saved);
    assert_non_null(fx->follower);
}

static const struct log_source_state *now(const struct fixture *fx) {
    return &fx->state;
}

/* One turn of the loop, once something happened, within a second. */
static void turn(struct fixture *fx) {
    struct pollfd pfd = {.fd = uv_backend_fd(&fx->loop), .events = POLLIN};
    int timeout = uv_backend_timeout(&fx->loop);
    poll(&pfd, 1, timeout < 0 || timeout > 1000 ? 1000 : timeout);
    uv_run(&fx->loop, UV_RUN_NOWAIT);
}

#define WAIT_FOR(fx, condition)                                                                                        \
    do {                                                                                                               \
        uint64_t end = uv_hrtime() + WAIT_S * UINT64_C(1000000000);                                                    \
        while (!(condition)) {                                                                                         \
            if (uv_hrtime() > end)                                                                                     \
                fail_msg("waited in vain for %s; lines so far:\n%.2000s", #condition, strbuf_text(&(fx)->text));       \
            turn(fx);                                                                                                  \
        }                                                                                                              \
    } while (0)

/* What has been caused already has happened after this. */
static void settle(struct fixture *fx) {
    for (int i = 0; i < 20; i++)
        uv_run(&fx->loop, UV_RUN_NOWAIT);
}

/* Exactly these lines have come since the last call. */
static void expect(struct fixture *fx, const char *text) {
    WAIT_FOR(fx, fx->text.len >= strlen(text));
    settle(fx);
    assert_string_equal(strbuf_text(&fx->text), text);
    strbuf_reset(&fx->text);
}

/* Past the first look, so that what follows happens to a file that is followed. */
static void begin(struct fixture *fx, enum log_start from) {
    start(fx, from);
    WAIT_FOR(fx, now(fx)->readable);
    settle(fx);
}

/* --- files --- */

/* What is written after this is younger than what was written before. */
static void let_file_clock_tick(void) {
    struct timespec before, now;
    clock_gettime(CLOCK_REALTIME_COARSE, &before);
    do {
        usleep(1000);
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
    } while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

static int open_log(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    return fd;
}

static void write_all(int fd, const char *text, size_t len) {
    assert_int_equal(write(fd, text, len), len);
}

static void write_text(int fd, const char *text) {
    write_all(fd, text, strlen(text));
}

static void append(const char *path, const char *text) {
    int fd = open_log(path);
    write_text(fd, text);
    close(fd);
}

static void move(const char *from, const char *to) {
    assert_int_equal(rename(from, to), 0);
}

static int open_descriptors(void) {
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* --- where it begins --- */

static void starts_at_the_end(void **state) {
    struct fixture *fx = *state;
    append(fx->path, "old 1\nold 2\n");
    start(fx, LOG_START_END);
    append(fx->path, "new 1\n"); /* after the call, before the loop ran */
    assert_int_equal(fx->lines, 0);
    expect(fx, "new 1\n");
    append(fx->path, "new 2\n");
    expect(fx, "new 2\n");
    assert_int_equal(now(fx)->lines, 2);
    assert_int_equal(now(fx)->bytes, 12);
    assert_int_equal(now(fx)->behind_bytes, 0);
    assert_true(now(fx)->last_read_wall_ns > 0);
    assert_int_equal(now(fx)->rotations, 0);
}

static void start_inside_a_line_skips_its_rest(void **state) {
    struct fixture *fx = *state;
    append(fx->path, "old 1\nhalf of");
    begin(fx, LOG_START_END);
    append(fx->path, " a line\nnew\n");
    expect(fx, "new\n");
}

static void starts_at_the_beginning(void **state) {
    struct fixture *fx = *state;
    append(fx->path, "1\n2\n");
    start(fx, LOG_START_BEGINNING);
    assert_int_equal(fx->lines, 0); /* never from inside the call */
    expect(fx, "1\n2\n");
    assert_int_equal(fx->states, 1);
}

static void missing_file_is_waited_for(void **state) {
    struct fixture *fx = *state;
    start(fx, LOG_START_END);
    WAIT_FOR(fx, now(fx)->error == -ENOENT);
    assert_false(now(fx)->readable);
    assert_int_equal(fx->states, 1);
    settle(fx);
    append(fx->path, "1\n2\n");
    expect(fx, "1\n2\n");
    assert_true(now(fx)->readable);
    assert_int_equal(now(fx)->error, 0);
    assert_int_equal(now(fx)->rotations, 0);
    assert_int_equal(fx->states, 2);
}

static void file_that_comes_right_after_the_start_is_new(void **state) {
    struct fixture *fx = *state;
    start(fx, LOG_START_END);
    append(fx->path, "1\n");
    expect(fx, "1\n");
}

static void missing_folder_is_waited_for(void **state) {
    struct fixture *fx = *state;
    char folder[96], path[128];
    snprintf(folder, sizeof folder, "%s/log", fx->folder);
    snprintf(path, sizeof path, "%s/log/error.log", fx->folder);
    fx->config.file = path;
    start(fx, LOG_START_END);
    WAIT_FOR(fx, now(fx)->error == -ENOENT);
    assert_int_equal(mkdir(folder, 0755), 0);
    append(path, "1\n");
    expect(fx, "1\n");
    unlink(path);
    stop(fx);
}

static void make_folders(const char *outer, const char *inner) {
    assert_int_equal(mkdir(outer, 0755), 0);
    assert_int_equal(mkdir(inner, 0755), 0);
}

/* Not the log's own folder: one above it. */
static void folder_on_the_way_is_moved(void **state) {
    struct fixture *fx = *state;
    char outer[96], inner[128], path[160], away[96], moved[160];
    snprintf(outer, sizeof outer, "%s/server", fx->folder);
    snprintf(inner, sizeof inner, "%s/log", outer);
    snprintf(path, sizeof path, "%s/error.log", inner);
    snprintf(away, sizeof away, "%s/server.old", fx->folder);
    snprintf(moved, sizeof moved, "%s/log/error.log", away);
    make_folders(outer, inner);
    append(path, "");
    fx->config.file = path;
    begin(fx, LOG_START_END);
    assert_true(now(fx)->watched);
    move(outer, away);
    append(moved, "1\n");
    expect(fx, "1\n");
    make_folders(outer, inner);
    append(path, "2\n");
    expect(fx, "2\n");
    assert_int_equal(now(fx)->rotations, 1);
    stop(fx);
    unlink(moved);
    unlink(path);
    snprintf(moved, sizeof moved, "%s/log", away);
    assert_int_equal(rmdir(moved), 0);
    assert_int_equal(rmdir(inner), 0);
}

/* --- lines --- */

static void pieces_are_joined(void **state) {
    struct fixture *fx = *state;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    write_text(fd, "a");
    settle(fx);
    write_text(fd, "b");
    settle(fx);
    assert_int_equal(fx->lines, 0);
    assert_int_equal(now(fx)->behind_bytes, 0);
    write_text(fd, "c\nd");
    expect(fx, "abc\n");
    write_text(fd, "\n");
    expect(fx, "d\n");
    close(fd);
}

static void line_ends_and_odd_bytes(void **state) {
    struct fixture *fx = *state;
    static const char bytes[] = "dos\r\n\n\r\n\0\0\0hole\na\0b\n\r\r\n";
    static const char want[] = "dos\n\n\nhole\na\0b\n\r\n";
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    write_all(fd, bytes, sizeof bytes - 1);
    WAIT_FOR(fx, fx->lines == 6);
    assert_int_equal(fx->text.len, sizeof want - 1);
    assert_memory_equal(fx->text.data, want, sizeof want - 1);
    close(fd);
}

static void add_fill(struct strbuf *sb, char c, size_t count) {
    char *room = strbuf_room(sb, count);
    assert_non_null(room);
    memset(room, c, count);
    strbuf_grew(sb, count);
}

static void over_long_line_is_cut(void **state) {
    struct fixture *fx = *state;
    struct strbuf in, want;
    strbuf_init(&in, 1 << 20);
    strbuf_init(&want, 1 << 20);
    strbuf_addstr(&in, "before\n");
    add_fill(&in, 'l', 3 * LIMIT + 5); /* cut, its rest skipped */
    strbuf_addstr(&in, "\nbetween\n");
    add_fill(&in, 'm', LIMIT - 1); /* just fits with its newline */
    strbuf_addstr(&in, "\n");
    add_fill(&in, 'n', LIMIT); /* just does not */
    strbuf_addstr(&in, "\nafter\n");

    strbuf_addstr(&want, "before\n");
    add_fill(&want, 'l', LIMIT);
    strbuf_addstr(&want, "\nbetween\n");
    add_fill(&want, 'm', LIMIT - 1);
    strbuf_addstr(&want, "\n");
    add_fill(&want, 'n', LIMIT);
    strbuf_addstr(&want, "\nafter\n");

    append(fx->path, strbuf_text(&in));
    start(fx, LOG_START_BEGINNING);
    WAIT_FOR(fx, fx->lines >= 6);
    settle(fx);
    assert_int_equal(fx->lines, 6);
    assert_true(span_equal((struct span){fx->text.data, fx->text.len}, (struct span){want.data, want.len}));
    assert_int_equal(now(fx)->cut_lines, 2);
    assert_int_equal(now(fx)->bytes, in.len);
    strbuf_release(&in);
    strbuf_release(&want);
}

/* --- rotation --- */

static void rename_and_create(void **state) {
    struct fixture *fx = *state;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    write_text(fd, "1\n");
    expect(fx, "1\n");

    /* as logrotate does, with the server writing on into the old file until it is told */
    move(fx->path, fx->old);
    write_text(fd, "2\n");
    close(open_log(fx->path));
    write_text(fd, "3\n");
    WAIT_FOR(fx, now(fx)->rotations == 1);
    expect(fx, "2\n3\n");
    write_text(fd, "4\nrest");
    expect(fx, "4\n");
    write_text(fd, " of 5"); /* never completed; both before the loop runs: the old one is read first */
    append(fx->path, "6\n");
    expect(fx, "rest of 5\n6\n");

    /* and somebody who has still not heard of it: late, not lost, also in pieces */
    write_text(fd, "late\nla");
    expect(fx, "late\n");
    append(fx->path, "7\n");
    expect(fx, "7\n");
    write_text(fd, "ter\n");
    expect(fx, "later\n");
    close(fd);
    assert_int_equal(now(fx)->rotations, 1);
    assert_int_equal(now(fx)->lines, 9);
    assert_true(now(fx)->readable);
}

static void rotate_again(void *arg) {
    const struct fixture *fx = arg;
    char two[128];
    snprintf(two, sizeof two, "%s.2", fx->path);
    move(fx->old, two);
    move(fx->path, fx->old);
    append(fx->path, "3\n");
}

static void each_rotation_is_counted_once_and_in_order(void **state) {
    struct fixture *fx = *state;
    struct stat st;
    append(fx->path, "1\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "1\n");
    move(fx->path, fx->old);
    append(fx->path, "2\n");
    /* Once more when the second file was just opened: the third is found in the folder before it is seen by name. */
    assert_int_equal(stat(fx->path, &st), 0);
    hook = rotate_again;
    hook_arg = fx;
    hooked = st.st_ino;
    expect(fx, "2\n3\n");
    assert_int_equal(now(fx)->rotations, 2);
}

static void switch_to_the_higher_number(void *arg) {
    const struct fixture *fx = arg;
    char link[128], second[128];
    struct stat st;
    snprintf(link, sizeof link, "%s/link", fx->folder);
    snprintf(second, sizeof second, "%s/server-1.err.2", fx->folder);
    append(second, "2\n");
    assert_int_equal(stat(fx->path, &st), 0); /* still the first one */
    assert_int_equal(utimensat(AT_FDCWD, second, (struct timespec[2]){st.st_mtim, st.st_mtim}, 0), 0);
    assert_int_equal(symlink(second, link), 0);
    move(link, fx->path);
}

/* … whatever its name and age say. */
static void file_that_a_link_leads_to_now_is_the_younger_one(void **state) {
    struct fixture *fx = *state;
    struct stat st;
    char first[128];
    snprintf(first, sizeof first, "%s/server-1.err", fx->folder);
    fx->config.poll_interval_ns = 300000000; /* so that the name is looked at later */
    timers = true;
    append(first, "");
    assert_int_equal(symlink(first, fx->path), 0);
    begin(fx, LOG_START_END);
    assert_int_equal(stat(first, &st), 0);
    hook = switch_to_the_higher_number; /* right before the first line is read */
    hook_arg = fx;
    hooked = st.st_ino;
    append(first, "1\n");
    expect(fx, "1\n2\n");
}

struct two_files {
    int old, new;
};

static void write_both(void *arg) {
    const struct two_files *files = arg;
    write_text(files->old, "last of the old\n");
    write_text(files->new, "first of the new\n");
}

static void writer_is_not_overtaken(void **state) {
    struct fixture *fx = *state;
    struct stat st;
    struct two_files files = {.old = open_log(fx->path)};
    begin(fx, LOG_START_END);
    move(fx->path, fx->old);
    files.new = open_log(fx->path);
    WAIT_FOR(fx, now(fx)->rotations == 1);
    settle(fx);
    /* The writer changes over between our look at the old file's size and our next look at the new one's. */
    hook = write_both;
    hook_arg = &files;
    assert_int_equal(stat(fx->old, &st), 0);
    hooked = st.st_ino;
    assert_int_equal(fchmod(files.old, 0600), 0); /* a cause to look */
    expect(fx, "last of the old\nfirst of the new\n");
    close(files.old);
    close(files.new);
}

static void server_that_ignores_the_rotation_is_followed(void **state) {
    struct fixture *fx = *state;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    move(fx->path, fx->old);
    close(open_log(fx->path));
    WAIT_FOR(fx, now(fx)->rotations == 1);
    clock_ahead_ms = 3600 * 1000; /* an hour without a line, a second rotation: the new ones stay empty */
    move(fx->path, fx->other);
    close(open_log(fx->path));
    WAIT_FOR(fx, now(fx)->rotations == 2);
    settle(fx);
    clock_ahead_ms *= 2;
    assert_int_equal(chmod(fx->path, 0600), 0); /* a cause to look */
    settle(fx);
    write_text(fd, "still the first file\n");
    expect(fx, "still the first file\n");
    close(fd);
}

static void rename_without_create(void **state) {
    struct fixture *fx = *state;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    move(fx->path, fx->old);
    settle(fx);
    write_text(fd, "1\n");
    expect(fx, "1\n");
    assert_true(now(fx)->readable);
    write_text(fd, "2\n");
    append(fx->path, "3\n");
    expect(fx, "2\n3\n");
    assert_int_equal(now(fx)->rotations, 1);
    close(fd);
}

static void rename_away_and_back(void **state) {
    struct fixture *fx = *state;
    append(fx->path, "1\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "1\n");
    move(fx->path, fx->old);
    settle(fx);
    move(fx->old, fx->path);
    append(fx->path, "2\n");
    expect(fx, "2\n");
    assert_int_equal(now(fx)->rotations, 0);
}

static void prepared_file_is_renamed_over_it(void **state) {
    struct fixture *fx = *state;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    append(fx->other, "3\n4\n");
    write_text(fd, "1\n2\n");
    move(fx->other, fx->path);
    expect(fx, "1\n2\n3\n4\n");
    assert_int_equal(now(fx)->rotations, 1);
    close(fd);
}

static void copy_file(const char *from, const char *to) {
    char data[4096];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open_log(to);
    ssize_t n;
    while ((n = read(in, data, sizeof data)) > 0)
        write_all(out, data, (size_t)n);
    close(in);
    close(out);
}

/* An editor, or `sed -i`: what is told is not told again, and the server goes on in the file that has no name. */
static void copy_is_put_in_its_place(void **state) {
    struct fixture *fx = *state;
    struct strbuf lines;
    strbuf_init(&lines, 1 << 16);
    for (int i = 0; i < 20; i++)
        strbuf_addf(&lines, "%d lines that were told already\n", i);
    append(fx->path, strbuf_text(&lines));
    int fd = open_log(fx->path);
    begin(fx, LOG_START_BEGINNING);
    expect(fx, strbuf_text(&lines));
    strbuf_release(&lines);
    copy_file(fx->path, fx->other); /* this one is older than what is read next */
    write_text(fd, "read\n");
    expect(fx, "read\n");
    move(fx->other, fx->path);
    write_text(fd, "into the one without a name\n");
    expect(fx, "into the one without a name\n");
    append(fx->path, "into the copy\n");
    expect(fx, "into the copy\n");
    close(fd);
    fd = open_log(fx->path);
    write_text(fd, "not read yet\n"); /* both have it */
    copy_file(fx->path, fx->other);
    append(fx->other, "into the next copy\n");
    move(fx->other, fx->path);
    expect(fx, "not read yet\ninto the next copy\n");
    assert_int_equal(now(fx)->rotations, 2);
    assert_int_equal(now(fx)->gaps, 0);
    close(fd);
}

static void deletion_and_new_file(void **state) {
    struct fixture *fx = *state;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    assert_int_equal(unlink(fx->path), 0);
    settle(fx);
    write_text(fd, "into the deleted file\n");
    expect(fx, "into the deleted file\n");
    append(fx->path, "new\n");
    expect(fx, "new\n");
    assert_int_equal(now(fx)->rotations, 1);
    close(fd);
}

static void deleted_file_lingers_from_its_replacement(void **state) {
    struct fixture *fx = *state;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    clock_ahead_ms = 3600 * 1000; /* quiet for an hour */
    assert_int_equal(unlink(fx->path), 0);
    settle(fx);
    close(open_log(fx->path));
    WAIT_FOR(fx, now(fx)->rotations == 1);
    settle(fx);
    write_text(fd, "1\n");
    expect(fx, "1\n");
    int before = open_descriptors();
    clock_ahead_ms *= 2; /* and for another: then it would only hold disk space */
    assert_int_equal(chmod(fx->path, 0600), 0);
    WAIT_FOR(fx, open_descriptors() == before - 1);
    append(fx->path, "2\n");
    expect(fx, "2\n");
    close(fd);
}

static void symlink_switch(void **state) {
    struct fixture *fx = *state;
    char link[128];
    snprintf(link, sizeof link, "%s/link", fx->folder);
    append(fx->old, "");
    append(fx->other, "b 1\n");
    assert_int_equal(symlink(fx->old, fx->path), 0);
    begin(fx, LOG_START_END);
    append(fx->old, "a 1\n");
    expect(fx, "a 1\n");
    assert_int_equal(symlink(fx->other, link), 0);
    move(link, fx->path);
    expect(fx, "b 1\n");
    append(fx->other, "b 2\n");
    expect(fx, "b 2\n");
    assert_int_equal(symlink(fx->old, link), 0); /* and back: nothing is read twice */
    move(link, fx->path);
    WAIT_FOR(fx, now(fx)->rotations == 2);
    append(fx->old, "a 2\n");
    expect(fx, "a 2\n");
}

static void quiet_old_file_is_closed(void **state) {
    struct fixture *fx = *state;
    timers = true;
    int before = open_descriptors();
    append(fx->path, "1\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "1\n");
    int with_one = open_descriptors();
    assert_true(with_one > before);
    clock_ahead_ms = 3600 * 1000; /* it was quiet for an hour before the rotation: that does not count */
    move(fx->path, fx->old);
    append(fx->path, "2\n");
    expect(fx, "2\n");
    assert_int_equal(open_descriptors(), with_one + 1);
    append(fx->old, "late\nrest");
    expect(fx, "late\n");
    clock_ahead_ms += 61 * 1000;
    WAIT_FOR(fx, open_descriptors() == with_one);
    expect(fx, "rest\n"); /* nobody will complete it */
    append(fx->path, "3\n");
    expect(fx, "3\n");
}

static void descriptors_are_bounded(void **state) {
    struct fixture *fx = *state;
    char name[128];
    append(fx->path, "");
    begin(fx, LOG_START_END);
    int with_one = open_descriptors(), fd = open_log(fx->path);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%s.%d", fx->path, i);
        move(fx->path, name);
        append(fx->path, i % 2 ? "" : "x\n");
        WAIT_FOR(fx, now(fx)->rotations == (uint64_t)i + 1);
        settle(fx);
        assert_true(open_descriptors() <= with_one + 1 + 13);
    }
    assert_int_equal(fx->lines, 20);
    close(fd);
}

/* --- truncation --- */

static void truncation_begins_again(void **state) {
    struct fixture *fx = *state;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    write_text(fd, "1\n2\nbeginning of a line");
    expect(fx, "1\n2\n");
    assert_int_equal(ftruncate(fd, 0), 0);
    write_text(fd, "3\n");
    expect(fx, "3\n");
    assert_int_equal(now(fx)->truncations, 1);
    assert_int_equal(now(fx)->rotations, 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    WAIT_FOR(fx, now(fx)->truncations == 2);
    write_text(fd, "4, and longer than all before it\n");
    expect(fx, "4, and longer than all before it\n");
    close(fd);
}

static void truncation_to_the_same_length_is_seen(void **state) {
    struct fixture *fx = *state;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    write_text(fd, "1 line of some length\n");
    expect(fx, "1 line of some length\n");
    let_file_clock_tick();
    assert_int_equal(ftruncate(fd, 0), 0);
    write_text(fd, "2 line of some length\n");
    expect(fx, "2 line of some length\n");
    assert_int_equal(now(fx)->truncations, 1);
    close(fd);
}

/* logrotate's `shred` writes three times over what it has compressed, and then removes it. */
static void rotated_file_that_is_written_over_is_no_log(void **state) {
    static const char first[] = "1 line that is secret\n", rest[] = "2 lines\n";
    struct fixture *fx = *state;
    int fd = open_log(fx->path), over = open(fx->path, O_WRONLY | O_CLOEXEC);
    begin(fx, LOG_START_END);
    for (unsigned overtaken = 0; overtaken < 2; overtaken++) {
        write_text(fd, first);
        expect(fx, first);
        move(fx->path, fx->old);
        close(fd);
        fd = open_log(fx->path);
        if (overtaken) {
            write_text(fd, rest);
            expect(fx, rest);
        }
        WAIT_FOR(fx, now(fx)->rotations == overtaken + 1);
        let_file_clock_tick();
        for (int pass = 0; pass < 3; pass++) {
            assert_int_equal(pwrite(over, "\n no line \n \n no line \n", strlen(first), 0), strlen(first));
            settle(fx);
        }
        assert_int_equal(unlink(fx->old), 0);
        close(over);
        over = open(fx->path, O_WRONLY | O_CLOEXEC);
    }
    write_text(fd, "3 lines\n");
    expect(fx, "3 lines\n");
    assert_int_equal(now(fx)->truncations, 0);
    assert_int_equal(now(fx)->gaps, 1); /* the first had not been left for the next, which had nothing yet */
    close(over);
    close(fd);
}

static void writer_goes_on_behind_a_hole(void **state) {
    struct fixture *fx = *state;
    int fd = open(fx->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644); /* without O_APPEND it keeps its place */
    assert_true(fd >= 0);
    struct strbuf line;
    strbuf_init(&line, 1 << 20);
    add_fill(&line, 'x', LIMIT - 10);
    strbuf_addstr(&line, "\n");
    begin(fx, LOG_START_END);
    for (int i = 0; i < 10; i++)
        write_all(fd, line.data, line.len);
    strbuf_release(&line);
    WAIT_FOR(fx, fx->lines == 10);
    strbuf_reset(&fx->text);
    assert_int_equal(ftruncate(fd, 0), 0);
    WAIT_FOR(fx, now(fx)->truncations == 1);
    write_text(fd, "behind the hole\n");
    expect(fx, "behind the hole\n");
    assert_int_equal(now(fx)->cut_lines, 0);
    close(fd);
}

/* To read all of it would take minutes. */
static void hole_in_a_line_is_leapt_over(void **state) {
    struct fixture *fx = *state;
    append(fx->path, "");
    begin(fx, LOG_START_END);
    append(fx->path, "before\na line that is cut");
    assert_int_equal(truncate(fx->path, 1LL << 38), 0);
    append(fx->path, "its end\nafter\n");
    WAIT_FOR(fx, fx->lines >= 3);
    settle(fx);
    assert_int_equal(fx->lines, 3);
    assert_int_equal(now(fx)->cut_lines, 1);
    assert_int_equal(now(fx)->bytes, (1LL << 38) + 14);
    assert_memory_equal(fx->text.data + fx->text.len - 7, "\nafter\n", 7);
}

/* --- over restarts --- */

/* What the next one begins with. */
static void stop_and_save(struct fixture *fx, struct log_saved *saved) {
    *saved = (struct log_saved){.state = fx->state};
    log_follower_save(fx->follower, saved);
    stop(fx);
    fx->saved = saved;
}

static void begin_again(struct fixture *fx) {
    struct log_saved *saved = (struct log_saved *)(uintptr_t)fx->saved;
    uint64_t gaps = fx->state.gaps;
    begin(fx, LOG_START_END);
    fx->saved = NULL;
    log_saved_release(saved);
    fx->state.gaps += gaps;
}

static void goes_on_where_it_was(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    append(fx->path, "0\n");
    begin(fx, LOG_START_END);
    append(fx->path, "1\nbeginning of");
    expect(fx, "1\n");
    stop_and_save(fx, &saved);
    append(fx->path, " 2\n3\n");
    begin_again(fx);
    expect(fx, "beginning of 2\n3\n");
    assert_int_equal(now(fx)->gaps, 0);
}

static void regrown_past_the_place_while_stopped(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    append(fx->path, "a line that was there\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "a line that was there\n");
    stop_and_save(fx, &saved);
    assert_int_equal(truncate(fx->path, 0), 0);
    append(fx->path, "another that is there now\nand one more\n");
    begin_again(fx);
    expect(fx, "another that is there now\nand one more\n");
    assert_int_equal(now(fx)->gaps, 1);
    assert_int_equal(now(fx)->truncations, 1);
}

static void regrown_past_the_place_between_two_looks(void **state) {
    struct fixture *fx = *state;
    append(fx->path, "a line that was there\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "a line that was there\n");
    assert_int_equal(truncate(fx->path, 0), 0);
    append(fx->path, "another that is there now\nand one more\n");
    expect(fx, "another that is there now\nand one more\n");
    assert_int_equal(now(fx)->truncations, 1);
    assert_int_equal(now(fx)->gaps, 1);
}

static void inode_that_is_used_again(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    struct stat st;
    append(fx->path, "the first file has this\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "the first file has this\n");
    stop_and_save(fx, &saved);
    assert_int_equal(unlink(fx->path), 0);
    append(fx->path, "a new one has that\nlonger than what was there before\n");
    /* Whether the file system gives the number again is its own choice: say that it did. */
    assert_int_equal(stat(fx->path, &st), 0);
    for (unsigned i = 0; i < saved.count; i++) {
        saved.places[i].number[FILE_INO] = st.st_ino;
        saved.places[i].number[FILE_BIRTH] = 0;
    }
    begin_again(fx);
    expect(fx, "a new one has that\nlonger than what was there before\n");
    assert_int_equal(now(fx)->gaps, 1);
}

/* Nothing of it was read: what tells that it is another one is when its inode was made. */
static void inode_that_is_used_again_before_anything_was_read(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    append(fx->path, "");
    begin(fx, LOG_START_END);
    stop_and_save(fx, &saved);
    append(fx->path, "a line that is in a new file, says its time\n");
    uint64_t *birth = &saved.places[saved.count - 1].number[FILE_BIRTH];
    const bool known = *birth > 0;
    *birth -= known;
    begin_again(fx);
    expect(fx, "a line that is in a new file, says its time\n");
    assert_int_equal(now(fx)->gaps, known); /* what came into the old one is gone */
}

static void rotations_that_nobody_saw(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    char gz[128], two[128];
    snprintf(gz, sizeof gz, "%s.3.gz", fx->path);
    snprintf(two, sizeof two, "%s.2", fx->path);
    append(fx->old, "older than all\n");
    append(fx->path, "1 line\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "1 line\n");
    stop_and_save(fx, &saved);
    append(fx->path, "2 lines\n");
    append(gz, "not to be read\n");
    move(fx->path, two);
    append(fx->path, "3 lines\n");
    move(fx->path, fx->old); /* over the oldest */
    append(fx->path, "4 lines\n");
    begin_again(fx);
    expect(fx, "2 lines\n3 lines\n4 lines\n");
    assert_int_equal(now(fx)->gaps, 0);
    append(fx->path, "5 lines\n");
    expect(fx, "5 lines\n");
}

/* By its time the file in between might be an older one: that lines may be lost is told. */
static void clock_is_set_back_while_stopped(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    char two[128];
    snprintf(two, sizeof two, "%s.2", fx->path);
    append(fx->path, "1 line\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "1 line\n");
    stop_and_save(fx, &saved);
    for (unsigned rotated = 0; rotated < 2; rotated++) {
        for (unsigned i = 0; i < saved.count; i++)
            saved.places[i].number[FILE_SINCE] += 3600 * (uint64_t)NS_PER_S;
        if (rotated) {
            move(fx->path, two);
            append(fx->path, "2 lines\n");
            move(fx->path, fx->old);
            append(fx->path, "3 lines\n");
        }
        begin_again(fx);
        assert_int_equal(now(fx)->gaps, rotated);
        if (!rotated)
            stop_and_save(fx, &saved);
    }
    WAIT_FOR(fx, strstr(strbuf_text(&fx->text), "3 lines\n"));
}

static void copy_and_truncation_that_nobody_saw(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    append(fx->path, "1 line\n2 lines\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "1 line\n2 lines\n");
    stop_and_save(fx, &saved);
    append(fx->old, "1 line\n2 lines\n3 lines\n"); /* the copy */
    assert_int_equal(truncate(fx->path, 0), 0);
    append(fx->path, "4 lines\n");
    begin_again(fx);
    expect(fx, "3 lines\n4 lines\n");
    assert_int_equal(now(fx)->gaps, 0);
}

/* As logrotate's copytruncate under a busy writer, of which we read faster than it truncates. */
static void copy_that_is_shorter_than_what_was_read_is_not_read_again(void **state) {
    struct fixture *fx = *state;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    write_text(fd, "1 line\n2 lines\n");
    expect(fx, "1 line\n2 lines\n");
    append(fx->old, "1 line\n2 lines\n"); /* the copy */
    write_text(fd, "3 lines\n");
    expect(fx, "3 lines\n");
    assert_int_equal(ftruncate(fd, 0), 0);
    write_text(fd, "4 lines, of which the follower knows nothing yet\n");
    expect(fx, "4 lines, of which the follower knows nothing yet\n");
    assert_int_equal(now(fx)->truncations, 1);
    assert_int_equal(now(fx)->gaps, 1); /* it cannot know that there was nothing behind the third line */
    close(fd);
}

static void copy_of_what_is_there_now_is_not_read_before_it(void **state) {
    struct fixture *fx = *state;
    char two[128];
    snprintf(two, sizeof two, "%s.2", fx->path);
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    write_text(fd, "1 line of the first life\n");
    expect(fx, "1 line of the first life\n");
    append(two, "1 line of the first life\n2 lines\n"); /* a copy, a truncation, another copy */
    assert_int_equal(ftruncate(fd, 0), 0);
    write_text(fd, "3 lines, in the second life\n");
    append(fx->old, "3 lines, in the second life\n");
    write_text(fd, "4 lines\n");
    expect(fx, "2 lines\n3 lines, in the second life\n4 lines\n");
    assert_int_equal(ftruncate(fd, 0), 0);
    WAIT_FOR(fx, now(fx)->truncations == 2);
    write_text(fd, "5 lines\n");
    expect(fx, "5 lines\n");
    close(fd);
}

static void copy_and_truncate_again(void *arg) {
    const struct fixture *fx = arg;
    append(fx->other, "3 lines, and nobody saw this life but as a size\n");
    move(fx->other, fx->old);
    let_file_clock_tick();
    assert_int_equal(truncate(fx->path, 0), 0);
    append(fx->path, "4 lines\n");
}

/* Truncated once more while what was copied before is searched: no event tells of it after that. */
static void copies_are_read_to_the_file_that_became_shorter_meanwhile(void **state) {
    struct fixture *fx = *state;
    struct stat st;
    char two[128];
    snprintf(two, sizeof two, "%s.2", fx->path);
    append(fx->path, "");
    begin(fx, LOG_START_END);
    append(fx->path, "1 line of the first life\n");
    expect(fx, "1 line of the first life\n");
    append(two, "1 line of the first life\n2 lines\n");
    assert_int_equal(stat(two, &st), 0);
    let_file_clock_tick();
    assert_int_equal(truncate(fx->path, 0), 0);
    append(fx->path, "3 lines, and nobody saw this life but as a size\n");
    hook = copy_and_truncate_again;
    hook_arg = fx;
    hooked = st.st_ino;
    expect(fx, "2 lines\n3 lines, and nobody saw this life but as a size\n4 lines\n");
    assert_int_equal(now(fx)->gaps, 0);
}

static void copy_from_before_what_was_read_is_not_read_after_a_stop(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    write_text(fd, "1 line of some length\n");
    append(fx->old, "1 line of some length\n"); /* the copy */
    write_text(fd, "2 lines\n");
    expect(fx, "1 line of some length\n2 lines\n");
    assert_int_equal(utimensat(AT_FDCWD, fx->old, NULL, 0), 0); /* however long the copying took */
    stop_and_save(fx, &saved);
    assert_int_equal(ftruncate(fd, 0), 0);
    write_text(fd, "3 lines, in another life\n");
    begin_again(fx);
    expect(fx, "3 lines, in another life\n");
    assert_int_equal(now(fx)->truncations, 1);
    assert_int_equal(now(fx)->gaps, 1);
    close(fd);
}

/* Longer ago than the clock of the files lags behind. */
static void life_that_nobody_saw_is_found_in_its_copy_whenever_that_was_made(void **state) {
    struct fixture *fx = *state;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    write_text(fd, "1 line of the first life\n");
    expect(fx, "1 line of the first life\n");
    assert_int_equal(ftruncate(fd, 0), 0);
    append(fx->old, "2 lines, in the second life\n");
    usleep(50000);
    write_text(fd, "3 lines, in the third life, which is longer\n");
    expect(fx, "2 lines, in the second life\n3 lines, in the third life, which is longer\n");
    close(fd);
}

/* As InnoDB's monitor begins, each time. */
static void lives_that_begin_with_the_same_line_are_told_apart(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    append(fx->path, "=====================================\n1 line of the first life\n2 lines of it\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "=====================================\n1 line of the first life\n2 lines of it\n");
    stop_and_save(fx, &saved);
    append(fx->old, "=====================================\n3 lines, in the second life\n");
    assert_int_equal(truncate(fx->path, 0), 0);
    append(fx->path, "4 lines, in the third life\n");
    begin_again(fx);
    expect(fx, "=====================================\n3 lines, in the second life\n4 lines, in the third life\n");
}

/* A long line, with nothing but its beginning to tell it from another. */
static void lives_that_end_with_the_same_long_line_are_told_apart(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    struct strbuf line;
    char second[128];
    strbuf_init(&line, 4096);
    add_fill(&line, 'y', LOG_TAIL + 10);
    strbuf_addstr(&line, "\n");
    append(fx->path, "");
    begin(fx, LOG_START_END);
    append(fx->path, "1 ");
    append(fx->path, strbuf_text(&line));
    WAIT_FOR(fx, fx->lines == 1);
    stop_and_save(fx, &saved);
    let_file_clock_tick();
    snprintf(second, sizeof second, "%s.2", fx->path);
    move(fx->path, second);
    append(fx->old, "2 ");
    append(fx->old, strbuf_text(&line));
    let_file_clock_tick();
    append(fx->path, "last\n");
    strbuf_reset(&fx->text);
    begin_again(fx);
    WAIT_FOR(fx, strstr(strbuf_text(&fx->text), "last\n"));
    assert_int_equal(fx->lines, 3);
    assert_int_equal(strncmp(strbuf_text(&fx->text), "2 y", 3), 0);
    assert_int_equal(now(fx)->gaps, 0);
    strbuf_release(&line);
}

/* With both sinks MySQL 8 writes each line twice. */
static void what_the_json_sink_writes_beside_it_is_another_log(void **state) {
    struct fixture *fx = *state;
    char json[128], old_json[128];
    snprintf(json, sizeof json, "%s.00.json", fx->path);
    snprintf(old_json, sizeof old_json, "%s.00.json.1", fx->path);
    append(fx->path, "");
    begin(fx, LOG_START_END);
    append(fx->path, "1 line of text\n");
    append(old_json, "1 line of JSON\n");
    expect(fx, "1 line of text\n");
    move(fx->path, fx->old);
    append(json, "2 lines of JSON\n");
    append(fx->path, "2 lines of text\n");
    expect(fx, "2 lines of text\n");
    stop(fx);
    fx->config.file = json;
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "2 lines of JSON\n");
    move(json, old_json);
    append(json, "3 lines of JSON\n");
    expect(fx, "3 lines of JSON\n");
    assert_int_equal(now(fx)->rotations, 1);
}

/* Written an hour ago, and again after the newest line of ours. */
static void logs_of_other_servers_beside_it_are_others(void **state) {
    static const char *const names[] = {"error-3307.log", "error_2.log",    "error.33060.log",
                                        "error.log.3307", "error.log-3307", "error.log.3307.1"};
    struct fixture *fx = *state;
    struct timespec hour_ago[2] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", fx->folder, names[i]);
        append(path, "of another server\n");
        assert_int_equal(utimensat(AT_FDCWD, path, hour_ago, 0), 0);
    }
    append(fx->path, "");
    begin(fx, LOG_START_END);
    append(fx->path, "1\n");
    expect(fx, "1\n");
    let_file_clock_tick();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", fx->folder, names[i]);
        append(path, "of another server, too\n");
    }
    move(fx->path, fx->old);
    append(fx->path, "2\n");
    expect(fx, "2\n");
    assert_int_equal(now(fx)->rotations, 1);
}

/* By number, date, or both. */
static void whatever_rotation_makes_of_the_name_is_found(void **state) {
    static const char *const names[] = {"error.log.12",         "error.log-1121", "error.log-20261121",
                                        "error.log.2026-11-21", "error.12.log",   "error-20261121.log",
                                        "error-2026-11-21.log", "error.log.old",  "error.log-1795249187"};
    struct fixture *fx = *state;
    char path[128], line[64];
    append(fx->path, "");
    begin(fx, LOG_START_END);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", fx->folder, names[i]);
        snprintf(line, sizeof line, "%zu in what nobody saw\n", i);
        let_file_clock_tick();
        append(path, line);
        move(fx->path, fx->old);
        append(fx->path, "next\n");
        WAIT_FOR(fx, fx->lines == 2 * (i + 1));
        assert_non_null(strstr(strbuf_text(&fx->text), line));
    }
}

static void more_rotations_than_can_be_open_while_stopped(void **state) {
    enum { MANY = 40 };
    struct fixture *fx = *state;
    struct log_saved saved;
    struct strbuf want;
    char name[128];
    strbuf_init(&want, 1 << 16);
    append(fx->path, "");
    begin(fx, LOG_START_END);
    stop_and_save(fx, &saved);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%s-20261122%02d", fx->path, i);
        strbuf_addf(&want, "%d lines, in a file of its own\n", i);
        struct timespec at = {.tv_sec = time(NULL) + 1 + i};
        FILE *file = fopen(name, "w");
        assert_non_null(file);
        fprintf(file, "%d lines, in a file of its own\n", i);
        fclose(file);
        assert_int_equal(utimensat(AT_FDCWD, name, (struct timespec[2]){at, at}, 0), 0);
    }
    append(fx->path, "last\n");
    strbuf_addstr(&want, "last\n");
    begin_again(fx);
    expect(fx, strbuf_text(&want));
    assert_int_equal(now(fx)->gaps, 0);
    assert_int_equal(now(fx)->rotations, MANY);
    strbuf_release(&want);
}

static void file_that_could_not_be_opened_at_the_start_goes_on_where_it_was(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    bool root = geteuid() == 0;
    append(fx->path, "1 line\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "1 line\n");
    stop_and_save(fx, &saved);
    assert_int_equal(chmod(fx->path, 0), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    start(fx, LOG_START_BEGINNING);
    WAIT_FOR(fx, now(fx)->error == -EACCES);
    log_saved_release(&saved);
    fx->saved = NULL;
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(fx->path, 0644), 0);
    append(fx->path, "2 lines\n");
    expect(fx, "2 lines\n");
}

static void file_that_came_while_we_were_away_is_new(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    append(fx->old, "0, older than all\n");
    assert_int_equal(utimensat(AT_FDCWD, fx->old, (struct timespec[2]){{.tv_sec = 1000}, {.tv_sec = 1000}}, 0), 0);
    start(fx, LOG_START_END);
    WAIT_FOR(fx, now(fx)->error == -ENOENT);
    stop_and_save(fx, &saved);
    append(fx->path, "1 line\n");
    begin_again(fx);
    expect(fx, "1 line\n");
    assert_int_equal(now(fx)->rotations, 0);
    assert_int_equal(now(fx)->gaps, 0);
}

static void file_that_came_after_the_lost_one_while_we_were_away_is_new(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    append(fx->path, "1 line\n");
    begin(fx, LOG_START_END);
    stop_and_save(fx, &saved);
    assert_int_equal(unlink(fx->path), 0);
    start(fx, LOG_START_END);
    log_saved_release(&saved);
    WAIT_FOR(fx, now(fx)->error == -ENOENT);
    assert_int_equal(now(fx)->gaps, 1);
    stop_and_save(fx, &saved);
    append(fx->path, "2 lines\n");
    begin_again(fx);
    expect(fx, "2 lines\n");
    assert_int_equal(now(fx)->gaps, 1);
}

static void place_is_in_front_of_what_is_held_back(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    append(fx->path, "1\n2\n3\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "1\n2\n3\n");
    fx->held = 2;
    stop_and_save(fx, &saved);
    assert_int_equal(saved.state.lines, 1);
    assert_int_equal(saved.state.bytes, 2);
    fx->held = 0;
    begin_again(fx);
    expect(fx, "2\n3\n");
}

/* A refused name may hold so many newlines: a place inside it would make its lines true ones. */
static void place_is_in_front_of_a_name_of_128_lines(void **state) {
    enum { LINES = 200, HELD = 130 };
    struct fixture *fx = *state;
    struct log_saved saved;
    struct strbuf all, held;
    strbuf_init(&all, 1 << 16);
    strbuf_init(&held, 1 << 16);
    for (int i = 0; i < LINES; i++) {
        strbuf_addf(&all, "%d\n", i);
        if (i >= LINES - HELD)
            strbuf_addf(&held, "%d\n", i);
    }
    append(fx->path, strbuf_text(&all));
    begin(fx, LOG_START_BEGINNING);
    expect(fx, strbuf_text(&all));
    fx->held = HELD;
    stop_and_save(fx, &saved);
    fx->held = 0;
    assert_int_equal(saved.state.lines, LINES - HELD);
    assert_int_equal(saved.state.bytes, all.len - held.len);
    begin_again(fx);
    expect(fx, strbuf_text(&held));
    strbuf_release(&all);
    strbuf_release(&held);
}

static void line_without_an_end_is_used_after_a_while(void **state) {
    struct fixture *fx = *state;
    timers = true;
    int fd = open_log(fx->path);
    begin(fx, LOG_START_END);
    write_text(fd, "no end");
    settle(fx);
    clock_ahead_ms = 6000;
    WAIT_FOR(fx, fx->rests == 1); /* tells nothing */
    settle(fx);
    assert_int_equal(now(fx)->lines, 0);
    write_text(fd, " yet\n");
    expect(fx, "no end yet\n");
    fx->rest_tells = true;
    write_text(fd, "all told");
    settle(fx);
    clock_ahead_ms *= 2;
    expect(fx, "all told\n");
    write_text(fd, ", the rest is not wanted\nnext\n");
    expect(fx, "next\n");
    assert_int_equal(now(fx)->lines, 3);
    assert_int_equal(fx->rests, 2);
    close(fd);
}

static void hostile_places_do_no_harm(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved = {0};
    struct stat st;
    append(fx->path, "1\n2\n");
    assert_int_equal(stat(fx->path, &st), 0);
    const uint64_t values[] = {0, 1, 4, UINT64_MAX, INT64_MAX, st.st_dev, st.st_ino};
    for (unsigned i = 0; i < LOG_PLACES_MAX; i++) {
        uint64_t place[LOG_PLACE_NUMBERS];
        for (unsigned n = 0; n < LOG_PLACE_NUMBERS; n++)
            place[n] = values[(i * 7 + n * (i + 3)) % (sizeof values / sizeof values[0])];
        place[FILE_DEV] = st.st_dev;
        place[FILE_INO] = st.st_ino;
        assert_true(log_saved_add(&saved, place, i % 3 ? "/" : NULL));
    }
    fx->saved = &saved;
    begin_again(fx);
    append(fx->path, "last\n");
    WAIT_FOR(fx, strstr(strbuf_text(&fx->text), "last\n"));
}

static void pattern_means_the_newest(void **state) {
    struct fixture *fx = *state;
    char pattern[128], first[128], second[128];
    snprintf(pattern, sizeof pattern, "%s/host-*.err", fx->folder);
    snprintf(first, sizeof first, "%s/host-1.err", fx->folder);
    snprintf(second, sizeof second, "%s/host-2.err", fx->folder);
    fx->config.file = pattern;
    start(fx, LOG_START_END);
    WAIT_FOR(fx, now(fx)->error == -ENOENT);
    append(first, "1\n");
    expect(fx, "1\n");
    let_file_clock_tick(); /* else it may be the names that tell */
    append(second, "2\n");
    expect(fx, "2\n");
    assert_int_equal(now(fx)->rotations, 1);
}

/* The clock of the files ticks slowly. */
static void of_a_pattern_s_files_of_the_same_tick_the_later_one_is_meant(void **state) {
    struct fixture *fx = *state;
    const struct timespec tick[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    char pattern[128], name[128];
    snprintf(pattern, sizeof pattern, "%s/host-*.err", fx->folder);
    for (int i = 1; i <= 5; i++) {
        snprintf(name, sizeof name, "%s/host-%d.err", fx->folder, i);
        append(name, i == 5 ? "the later one\n" : "an earlier one\n");
        assert_int_equal(utimensat(AT_FDCWD, name, tick, 0), 0);
    }
    fx->config.file = pattern;
    start(fx, LOG_START_BEGINNING);
    expect(fx, "the later one\n");
}

static void file_that_is_written_in_the_tick_of_another_is_read(void **state) {
    struct fixture *fx = *state;
    char pattern[128], first[128], second[128];
    struct stat st;
    snprintf(pattern, sizeof pattern, "%s/host-*.err", fx->folder);
    snprintf(first, sizeof first, "%s/host-1.err", fx->folder);
    snprintf(second, sizeof second, "%s/host-2.err", fx->folder);
    fx->config.file = pattern;
    append(first, "was there\n");
    append(second, "1\n");
    begin(fx, LOG_START_BEGINNING);
    append(second, "2\n");
    expect(fx, "1\n2\n");
    append(first, "3\n");
    assert_int_equal(stat(second, &st), 0);
    assert_int_equal(utimensat(AT_FDCWD, first, (struct timespec[2]){st.st_atim, st.st_mtim}, 0), 0);
    expect(fx, "3\n");
    append(second, "4\n");
    expect(fx, "4\n");
}

/* As after a power failure: the place was kept on the disk, the end of the log was not. */
static void file_that_lost_its_end_while_we_were_stopped(void **state) {
    struct fixture *fx = *state;
    struct log_saved saved;
    append(fx->path, "1 is the first line\n2 is the second line\n3 is the third line\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "1 is the first line\n2 is the second line\n3 is the third line\n");
    stop_and_save(fx, &saved);
    assert_int_equal(truncate(fx->path, 50), 0); /* in the midst of the third */
    begin_again(fx);
    settle(fx);
    append(fx->path, " is lost, and what goes on with it\n4\n");
    expect(fx, "4\n");
    assert_int_equal(now(fx)->gaps, 1);
}

/* A file that was not the newest when it came, or not any more, is as soon as it is written. */
static void pattern_means_another_as_soon_as_it_is_written(void **state) {
    struct fixture *fx = *state;
    char pattern[128], first[128], second[128];
    snprintf(pattern, sizeof pattern, "%s/host-*.err", fx->folder);
    snprintf(first, sizeof first, "%s/host-1.err", fx->folder);
    snprintf(second, sizeof second, "%s/host-2.err", fx->folder);
    fx->config.file = pattern;
    append(first, "1\n");
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "1\n");
    append(fx->other, "");
    assert_int_equal(utimensat(AT_FDCWD, fx->other, (struct timespec[2]){{.tv_sec = 1000}, {.tv_sec = 1000}}, 0), 0);
    move(fx->other, second);
    settle(fx);
    append(second, "2\n");
    expect(fx, "2\n");
    int before = open_descriptors();
    clock_ahead_ms = 61 * 1000; /* the first one is closed */
    append(second, "3\n");
    expect(fx, "3\n");
    WAIT_FOR(fx, open_descriptors() == before - 1);
    settle(fx);
    append(first, "4\n");
    expect(fx, "4\n");
    append(second, "5\n");
    expect(fx, "5\n");
    assert_int_equal(now(fx)->gaps, 0);
}

static void pattern_matches_a_link(void **state) {
    struct fixture *fx = *state;
    char pattern[128], link[128];
    snprintf(pattern, sizeof pattern, "%s/host-*.err", fx->folder);
    snprintf(link, sizeof link, "%s/host-1.err", fx->folder);
    fx->config.file = pattern;
    append(fx->path, "1\n");
    assert_int_equal(symlink(fx->path, link), 0);
    begin(fx, LOG_START_BEGINNING);
    expect(fx, "1\n");
    move(fx->path, fx->old); /* what it leads to is rotated */
    append(fx->old, "2\n");
    append(fx->path, "3\n");
    expect(fx, "2\n3\n");
    append(fx->other, "4\n");
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink(fx->other, link), 0);
    expect(fx, "4\n");
    assert_int_equal(now(fx)->rotations, 2);
}

/* --- what is no file that we can read --- */

static void directory_or_pipe_in_its_place(void **state) {
    struct fixture *fx = *state;
    assert_int_equal(mkdir(fx->path, 0755), 0);
    start(fx, LOG_START_BEGINNING);
    WAIT_FOR(fx, now(fx)->error == -EISDIR);
    assert_false(now(fx)->readable);
    settle(fx);
    assert_int_equal(rmdir(fx->path), 0);
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    char event[512];
    assert_int_equal(mkfifo(fx->other, 0644), 0);
    assert_true(inotify_add_watch(watch, fx->other, IN_OPEN) >= 0);
    move(fx->other, fx->path);
    WAIT_FOR(fx, now(fx)->error == -ESPIPE);
    settle(fx);
    /* We do not even open it: whoever waits to write to it must not take us for his reader. */
    assert_int_equal(read(watch, event, sizeof event), -1);
    assert_int_equal(errno, EAGAIN);
    close(watch);
    assert_int_equal(unlink(fx->path), 0);
    append(fx->path, "1\n");
    expect(fx, "1\n");
    assert_true(now(fx)->readable);
}

static void what_comes_in_place_of_no_file_is_new(void **state) {
    struct fixture *fx = *state;
    assert_int_equal(mkfifo(fx->path, 0644), 0);
    start(fx, LOG_START_END);
    WAIT_FOR(fx, now(fx)->error == -ESPIPE);
    append(fx->other, "1\n");
    move(fx->other, fx->path);
    expect(fx, "1\n");
    assert_int_equal(unlink(fx->path), 0);
    stop(fx);
    timers = true; /* a link to itself cannot be watched */
    assert_int_equal(symlink(fx->path, fx->path), 0);
    start(fx, LOG_START_END);
    WAIT_FOR(fx, now(fx)->error == -ELOOP);
    append(fx->other, "2\n");
    move(fx->other, fx->path);
    expect(fx, "2\n");
}

static void permission_lost_and_given_back(void **state) {
    struct fixture *fx = *state;
    bool root = geteuid() == 0;
    append(fx->path, "");
    assert_int_equal(chmod(fx->path, 0644), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    begin(fx, LOG_START_END);
    if (root)
        assert_int_equal(seteuid(0), 0);
    int fd = open_log(fx->path);
    write_text(fd, "1\n");
    move(fx->path, fx->old);
    append(fx->path, "3\n");
    assert_int_equal(chmod(fx->path, 0), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    WAIT_FOR(fx, now(fx)->error == -EACCES);
    assert_false(now(fx)->readable);
    assert_int_equal(now(fx)->rotations, 0);
    write_text(fd, "2\n"); /* the old one is followed still */
    expect(fx, "1\n2\n");
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(fx->path, 0644), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    expect(fx, "3\n");
    assert_true(now(fx)->readable);
    if (root)
        assert_int_equal(seteuid(0), 0);
    close(fd);
}

static void without_inotify_the_timer_looks(void **state) {
    struct fixture *fx = *state;
    no_watches = timers = true;
    append(fx->path, "");
    begin(fx, LOG_START_END);
    append(fx->path, "1\n");
    expect(fx, "1\n");
    move(fx->path, fx->old);
    append(fx->old, "2\n");
    append(fx->path, "3\n");
    expect(fx, "2\n3\n");
    assert_int_equal(unlink(fx->path), 0);
    settle(fx);
    append(fx->path, "4\n");
    expect(fx, "4\n");
}

static void inotify_is_tried_again(void **state) {
    struct fixture *fx = *state;
    no_watches = timers = true;
    append(fx->path, "");
    begin(fx, LOG_START_END);
    assert_false(now(fx)->watched);
    append(fx->path, "1\n");
    expect(fx, "1\n");
    no_watches = false;
    WAIT_FOR(fx, now(fx)->watched);
    timers = false;
    append(fx->path, "2\n");
    expect(fx, "2\n");
}

/* More than the kernel keeps for us, all of two files; that of the rotation is dropped. */
static void more_happens_than_inotify_can_tell(void **state) {
    struct fixture *fx = *state;
    char text[32], next[128];
    uint64_t most = 0;
    int limit = open("/proc/sys/fs/inotify/max_queued_events", O_RDONLY | O_CLOEXEC);
    ssize_t len = limit >= 0 ? read(limit, text, sizeof text - 1) : -1;
    if (limit >= 0)
        close(limit);
    if (len < 2 || number_parse_u64((struct span){text, (size_t)len - 1}, 100000, &most) < 0)
        skip();
    snprintf(next, sizeof next, "%s.2", fx->path);
    int old = open_log(fx->path);
    begin(fx, LOG_START_END);
    move(fx->path, fx->old);
    int fd = open_log(fx->path);
    WAIT_FOR(fx, now(fx)->rotations == 1);
    settle(fx);
    for (uint64_t i = 0; i < most / 2 + 100; i++) {
        write_text(old, "o\n");
        write_text(fd, "n\n");
    }
    move(fx->old, next);
    move(fx->path, fx->old);
    append(fx->path, "the last one\n");
    WAIT_FOR(fx, fx->lines == most / 2 * 2 + 201);
    assert_int_equal(now(fx)->rotations, 2);
    close(old);
    close(fd);
}

/* --- the loop stays free --- */

struct turns {
    struct fixture *fx;
    size_t last, most;
    unsigned busy;
};

static void on_turn(uv_prepare_t *handle) {
    struct turns *t = handle->data;
    size_t now_len = t->fx->text.len, step = now_len - t->last;
    t->last = now_len;
    t->busy += step > 0;
    if (step > t->most)
        t->most = step;
}

static void steps_are_bounded(void **state) {
    struct fixture *fx = *state;
    enum { SIZE = 8 << 20 };
    struct turns turns = {.fx = fx};
    uv_prepare_t prepare;
    struct strbuf in;
    strbuf_init(&in, SIZE + 64);
    for (int i = 0; in.len < SIZE; i++)
        strbuf_addf(&in, "line %d of a log that nobody looked at for long\n", i);
    append(fx->path, strbuf_text(&in));
    assert_int_equal(uv_prepare_init(&fx->loop, &prepare), 0);
    prepare.data = &turns;
    uv_prepare_start(&prepare, on_turn);
    start(fx, LOG_START_BEGINNING);
    while (!turns.busy)
        uv_run(&fx->loop, UV_RUN_NOWAIT);
    assert_true(now(fx)->behind_bytes > SIZE / 2);
    WAIT_FOR(fx, fx->text.len >= in.len);
    assert_string_equal(strbuf_text(&fx->text), strbuf_text(&in));
    assert_true(turns.most <= STEP + LIMIT);
    assert_true(turns.busy >= SIZE / (STEP + LIMIT));
    assert_int_equal(now(fx)->behind_bytes, 0);
    uv_close((uv_handle_t *)&prepare, NULL);
    settle(fx);
    strbuf_release(&in);
}

/* What a line tells may cost thousands of times what reading it does. */
static void dear_lines_come_in_turns_of_their_own(void **state) {
    struct fixture *fx = *state;
    struct turns turns = {.fx = fx};
    uv_prepare_t prepare;
    append(fx->path, "line 1\nline 2\nline 3\nline 4\nthe rest");
    fx->dear_ms = 3;
    assert_int_equal(uv_prepare_init(&fx->loop, &prepare), 0);
    prepare.data = &turns;
    uv_prepare_start(&prepare, on_turn);
    start(fx, LOG_START_BEGINNING);
    expect(fx, "line 1\nline 2\nline 3\nline 4\n");
    assert_int_equal(turns.busy, 4);
    assert_int_equal(now(fx)->lines, 4);
    append(fx->path, " of line 5\nline 6\n");
    expect(fx, "the rest of line 5\nline 6\n");
    uv_close((uv_handle_t *)&prepare, NULL);
    settle(fx);
}

static void may_be_closed_from_a_call_back(void **state) {
    struct fixture *fx = *state;
    int before = open_descriptors();
    append(fx->path, "1\n2\n3\n");
    fx->close_at = 2;
    start(fx, LOG_START_BEGINNING);
    WAIT_FOR(fx, !fx->follower);
    settle(fx);
    assert_string_equal(strbuf_text(&fx->text), "1\n2\n");
    assert_true(open_descriptors() <= before + 1); /* the loop's inotify */
    log_follower_close(NULL);
}

/* --- a writer of its own pace --- */

enum { NUMBERED = 10000, ROTATIONS = 12, COPIES = 150 };

struct writer {
    struct fixture *fx;
    _Atomic uint64_t
        seen_rotations; /* what the follower has noticed; a name that was there for no look is never found */
    pthread_mutex_t lock;
    pthread_cond_t noticed;
    bool failed;
};

static bool wait_until_noticed(struct writer *w, uint64_t rotations) {
    struct timespec end;
    int rc = 0;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_S;
    pthread_mutex_lock(&w->lock);
    while (w->seen_rotations < rotations && rc == 0)
        rc = pthread_cond_timedwait(&w->noticed, &w->lock, &end);
    pthread_mutex_unlock(&w->lock);
    return rc == 0;
}

/* Numbered lines in bursts, of which some are written in two pieces. Within a burst the name changes under the writer,
 * who goes on with the file that he has, as mysqld does until FLUSH LOGS, and then opens the name anew. */
static void *write_numbered(void *arg) {
    struct writer *w = arg;
    const int burst = NUMBERED / ROTATIONS + 1;
    int fd = open(w->fx->path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    char name[128], line[64];
    for (int i = 0; i < NUMBERED; i++) {
        int at = i % burst, round = i / burst;
        if (at == burst / 3) {
            if (!wait_until_noticed(w, (uint64_t)round))
                break;
            snprintf(name, sizeof name, "%s.%d", w->fx->path, round);
            w->failed |= rename(w->fx->path, name) < 0;
            if (round % 3 != 2) /* every third time the writer himself makes the new file, later */
                close(open(w->fx->path, O_WRONLY | O_CREAT | O_EXCL, 0644));
        }
        if (at == burst * 2 / 3) {
            close(fd);
            fd = open(w->fx->path, O_WRONLY | O_CREAT | O_APPEND, 0644);
        }
        int len = snprintf(line, sizeof line, "line %d of a writer who does not wait\n", i);
        int first = i % 7 == 0 ? 10 : len;
        w->failed |= write(fd, line, (size_t)first) != first;
        if (first < len)
            w->failed |= write(fd, line + first, (size_t)(len - first)) != len - first;
    }
    close(fd);
    return NULL;
}

static void tell_writer(struct writer *w) {
    pthread_mutex_lock(&w->lock);
    w->seen_rotations = now(w->fx)->rotations;
    pthread_cond_signal(&w->noticed);
    pthread_mutex_unlock(&w->lock);
}

static void expect_numbered(struct fixture *fx) {
    struct strbuf want;
    strbuf_init(&want, 1 << 20);
    for (int i = 0; i < NUMBERED; i++)
        strbuf_addf(&want, "line %d of a writer who does not wait\n", i);
    assert_int_equal(fx->lines, NUMBERED);
    assert_string_equal(strbuf_text(&fx->text), strbuf_text(&want)); /* in order, too */
    strbuf_release(&want);
}

static void every_line_once_over_rotations_under_a_writer(void **state) {
    struct fixture *fx = *state;
    struct writer w = {.fx = fx, .lock = PTHREAD_MUTEX_INITIALIZER, .noticed = PTHREAD_COND_INITIALIZER};
    pthread_t thread;
    append(fx->path, "");
    begin(fx, LOG_START_END);
    assert_int_equal(pthread_create(&thread, NULL, write_numbered, &w), 0);
    uint64_t end = uv_hrtime() + 3 * WAIT_S * UINT64_C(1000000000);
    while (fx->lines < NUMBERED && uv_hrtime() < end) {
        turn(fx);
        tell_writer(&w);
    }
    pthread_join(thread, NULL);
    settle(fx);
    assert_false(w.failed);
    expect_numbered(fx);
    assert_int_equal(now(fx)->rotations, ROTATIONS);
    assert_int_equal(now(fx)->truncations + now(fx)->cut_lines, 0);
}

/* … who copies his file and truncates it, and waits for nobody. */
static void *write_copied(void *arg) {
    struct writer *w = arg;
    const int burst = NUMBERED / COPIES + 1;
    int fd = open(w->fx->path, O_RDWR | O_CREAT | O_APPEND, 0644);
    char name[128], line[64], data[32768];
    for (int i = 0; i < NUMBERED; i++) {
        if (i % burst == burst - 1) {
            snprintf(name, sizeof name, "%s-20261121%03d", w->fx->path, i / burst);
            int copy = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
            ssize_t n = pread(fd, data, sizeof data, 0);
            w->failed |= n < 0 || (size_t)n == sizeof data || write(copy, data, (size_t)n) != n;
            close(copy);
            w->failed |= ftruncate(fd, 0) < 0;
            let_file_clock_tick();
        }
        int len = snprintf(line, sizeof line, "line %d of a writer who does not wait\n", i);
        w->failed |= write(fd, line, (size_t)len) != len;
    }
    close(fd);
    return NULL;
}

static void every_line_once_over_copies_under_a_writer(void **state) {
    struct fixture *fx = *state;
    struct writer w = {.fx = fx};
    pthread_t thread;
    append(fx->path, "");
    begin(fx, LOG_START_END);
    assert_int_equal(pthread_create(&thread, NULL, write_copied, &w), 0);
    uint64_t end = uv_hrtime() + 3 * WAIT_S * UINT64_C(1000000000);
    while (fx->lines < NUMBERED && uv_hrtime() < end)
        turn(fx);
    pthread_join(thread, NULL);
    settle(fx);
    assert_false(w.failed);
    expect_numbered(fx);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(starts_at_the_end),
        TEST(start_inside_a_line_skips_its_rest),
        TEST(starts_at_the_beginning),
        TEST(missing_file_is_waited_for),
        TEST(file_that_comes_right_after_the_start_is_new),
        TEST(missing_folder_is_waited_for),
        TEST(folder_on_the_way_is_moved),
        TEST(pieces_are_joined),
        TEST(line_ends_and_odd_bytes),
        TEST(over_long_line_is_cut),
        TEST(rename_and_create),
        TEST(each_rotation_is_counted_once_and_in_order),
        TEST(file_that_a_link_leads_to_now_is_the_younger_one),
        TEST(writer_is_not_overtaken),
        TEST(server_that_ignores_the_rotation_is_followed),
        TEST(rename_without_create),
        TEST(rename_away_and_back),
        TEST(prepared_file_is_renamed_over_it),
        TEST(copy_is_put_in_its_place),
        TEST(deletion_and_new_file),
        TEST(deleted_file_lingers_from_its_replacement),
        TEST(symlink_switch),
        TEST(quiet_old_file_is_closed),
        TEST(descriptors_are_bounded),
        TEST(truncation_begins_again),
        TEST(truncation_to_the_same_length_is_seen),
        TEST(rotated_file_that_is_written_over_is_no_log),
        TEST(writer_goes_on_behind_a_hole),
        TEST(hole_in_a_line_is_leapt_over),
        TEST(goes_on_where_it_was),
        TEST(regrown_past_the_place_while_stopped),
        TEST(regrown_past_the_place_between_two_looks),
        TEST(inode_that_is_used_again),
        TEST(inode_that_is_used_again_before_anything_was_read),
        TEST(rotations_that_nobody_saw),
        TEST(clock_is_set_back_while_stopped),
        TEST(copy_and_truncation_that_nobody_saw),
        TEST(copy_that_is_shorter_than_what_was_read_is_not_read_again),
        TEST(copy_of_what_is_there_now_is_not_read_before_it),
        TEST(copies_are_read_to_the_file_that_became_shorter_meanwhile),
        TEST(copy_from_before_what_was_read_is_not_read_after_a_stop),
        TEST(life_that_nobody_saw_is_found_in_its_copy_whenever_that_was_made),
        TEST(lives_that_begin_with_the_same_line_are_told_apart),
        TEST(lives_that_end_with_the_same_long_line_are_told_apart),
        TEST(what_the_json_sink_writes_beside_it_is_another_log),
        TEST(logs_of_other_servers_beside_it_are_others),
        TEST(whatever_rotation_makes_of_the_name_is_found),
        TEST(more_rotations_than_can_be_open_while_stopped),
        TEST(file_that_could_not_be_opened_at_the_start_goes_on_where_it_was),
        TEST(file_that_came_while_we_were_away_is_new),
        TEST(file_that_came_after_the_lost_one_while_we_were_away_is_new),
        TEST(place_is_in_front_of_what_is_held_back),
        TEST(place_is_in_front_of_a_name_of_128_lines),
        TEST(line_without_an_end_is_used_after_a_while),
        TEST(hostile_places_do_no_harm),
        TEST(file_that_lost_its_end_while_we_were_stopped),
        TEST(pattern_means_the_newest),
        TEST(pattern_means_another_as_soon_as_it_is_written),
        TEST(of_a_pattern_s_files_of_the_same_tick_the_later_one_is_meant),
        TEST(file_that_is_written_in_the_tick_of_another_is_read),
        TEST(pattern_matches_a_link),
        TEST(directory_or_pipe_in_its_place),
        TEST(what_comes_in_place_of_no_file_is_new),
        TEST(permission_lost_and_given_back),
        TEST(without_inotify_the_timer_looks),
        TEST(inotify_is_tried_again),
        TEST(more_happens_than_inotify_can_tell),
        TEST(steps_are_bounded),
        TEST(dear_lines_come_in_turns_of_their_own),
        TEST(may_be_closed_from_a_call_back),
        TEST(every_line_once_over_rotations_under_a_writer),
        TEST(every_line_once_over_copies_under_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
