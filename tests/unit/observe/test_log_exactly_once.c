/*
 * Every line exactly once, whatever happens to the file and to us: random schedules of writing, rotating, truncating,
 * deleting, looking, stopping and being killed, each from a seed that is printed when it fails. A kill is that all
 * since the last save is forgotten, counts and place together, as a daemon's is that reads its state file again.
 *
 * EXACTLY_ONCE_SCHEDULES: how many of each kind; EXACTLY_ONCE_SEED: the first seed.
 */
#include "base/clock.h"
#include "base/number.h"
#include "observe/log_file.h"
#include "observe/log_follower.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINES_MAX = 4000, FILES_MAX = 200, ACTIONS = 60, HELD_MAX = 4 };

/* --- libuv as the test wants it --- */

#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

static unsigned timers_started;
static uint64_t clock_ahead_ms; /* uv_now() is ahead of the time by this */

/* A thousand times as fast. Who polls starts one in each step. */
int uv_timer_start(uv_timer_t *handle, uv_timer_cb cb, uint64_t timeout, uint64_t repeat) {
    (void)repeat;
    timers_started++;
    return REAL(uv_timer_start)(handle, cb, timeout / 1000 + 1, 0);
}

uint64_t uv_now(const uv_loop_t *loop) {
    return REAL(uv_now)(loop) + clock_ahead_ms;
}

static bool starved; /* our turns of the loop are over after one line: others have the processor between any two things
                        that we do */

int clock_gettime(clockid_t id, struct timespec *out) {
    static int64_t ahead_ns;
    if (starved)
        ahead_ns += 3 * NS_PER_MS;
    int rc = REAL(clock_gettime)(id, out);
    if (id == CLOCK_MONOTONIC) {
        int64_t ns = out->tv_nsec + ahead_ns;
        out->tv_sec += ns / NS_PER_S;
        out->tv_nsec = ns % NS_PER_S;
    }
    return rc;
}

/* --- chance --- */

static uint64_t random_state;

static unsigned any(unsigned below) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % below;
}

/* --- inotify, which may be scarce --- */

static bool scarce;

int inotify_init1(int flags) {
    if (!scarce || any(2))
        return REAL(inotify_init1)(flags);
    errno = EMFILE;
    return -1;
}

int inotify_add_watch(int fd, const char *path, uint32_t mask) {
    if (!scarce || any(3))
        return REAL(inotify_add_watch)(fd, path, mask);
    errno = ENOSPC;
    return -1;
}

/* --- the world --- */

enum rotation {
    RENAME_CREATE,
    RENAME,
    REPLACE,
    COPYTRUNCATE,
    TRUNCATE,
    DELETE,
    SYMLINK,
    MIXED, /* any of those before the link */
    STORM, /* the first and copytruncate, many times between two looks, and we are starved */
    ROTATION_COUNT
};
static const char *const rotation_names[] = {"rename+create", "rename",  "replace", "copytruncate", "truncate",
                                             "delete",        "symlink", "mixed",   "storm"};
enum fate { RUNNING, STOPPED, KILLED, FATE_COUNT };
static const char *const fate_names[] = {"running", "stopped", "killed"};

struct world {
    enum rotation rotation;
    enum fate fate;
    bool polling, dated;

    uv_loop_t loop;
    char folder[64], path[96];
    struct error_log_config config;
    struct log_sink sink;
    struct log_source_state state;
    struct log_follower *follower; /* NULL: we are down */

    int fd;                      /* the writer's */
    unsigned lines;              /* written */
    unsigned file_of[LINES_MAX]; /* in which file a line is */
    unsigned file, files;        /* the one under the name; how many there were */
    unsigned rotated;            /* names given to old files */
    bool may_be_lost[LINES_MAX];
    bool unseen[LINES_MAX];    /* … from a file of which we had seen nothing: no gap is counted */
    bool gone[LINES_MAX];      /* there is no file that has it */
    bool tearing;              /* a copy is being made */
    size_t torn_at[LINES_MAX]; /* a copy was made when so much of the line was written; 0: when none or all was */
    bool tiny[LINES_MAX];      /* … and that or the rest is all that a file had: not enough to know it by */
    uint8_t got[LINES_MAX], got_begin[LINES_MAX], got_end[LINES_MAX]; /* the line; what a torn one is in two pieces */
    unsigned last[HELD_MAX];                                          /* the newest lines that were handed over */
    unsigned last_count, held;
    unsigned garbled;
    bool refused;       /* no room for another file, it said */
    bool looked;        /* at the file that is under the name now; KILLED: and kept that */
    unsigned looked_at; /* the file that was under the name then */

    struct log_saved saved; /* as a state file has it … */
    uint8_t saved_got[LINES_MAX], saved_begin[LINES_MAX], saved_end[LINES_MAX];
};

static void make_line(unsigned i, char out[128]) {
    snprintf(out, 128, "line %06u %.*s", i, (int)(i * 7 % 60),
             "of a server that has a lot to say about its clients and more");
}

/* A piece of a line that was torn by a copy in its midst. */
static bool is_piece(struct world *w, struct span line) {
    char text[128];
    uint8_t *again = NULL; /* pieces of several lines may be alike: whose came already */
    for (unsigned i = 0; i <= w->lines && i < LINES_MAX; i++) {
        if (w->torn_at[i] == 0)
            continue;
        make_line(i, text);
        bool begin = span_equal(line, (struct span){text, w->torn_at[i]});
        if (!begin && !span_is(line, text + w->torn_at[i]))
            continue;
        uint8_t *got = begin ? &w->got_begin[i] : &w->got_end[i];
        if (*got == 0) {
            *got = 1;
            return true;
        }
        again = got;
    }
    if (again)
        ++*again;
    return again != NULL;
}

static bool on_line(void *arg, struct span line, bool whole) {
    struct world *w = arg;
    char text[128] = "";
    uint64_t number;
    if (!whole)
        return false;
    bool numbered = line.len >= 11 && number_parse_u64((struct span){line.ptr + 5, 6}, LINES_MAX - 1, &number) == 0;
    if (numbered)
        make_line((unsigned)number, text);
    if (!numbered || !span_is(line, text) || number > w->lines) {
        w->garbled += !is_piece(w, line);
        w->last_count = 0; /* it would be the first to be held */
        return true;
    }
    w->got[number]++;
    memmove(w->last + 1, w->last, sizeof w->last - sizeof w->last[0]);
    w->last[0] = (unsigned)number;
    w->last_count += w->last_count < HELD_MAX;
    return true;
}

static unsigned on_held(void *arg) {
    const struct world *w = arg;
    return w->held;
}

static void on_step(void *arg, bool moved) {
    struct world *w = arg;
    (void)moved;
    w->refused |= w->state.error == -EBUSY;
}

/* --- we --- */

static void look(struct world *w) {
    const unsigned before = timers_started;
    if (!w->follower || (w->rotation == STORM && any(4)))
        return;
    starved = w->rotation == STORM && any(4);
    for (int i = 0; i < 8; i++)
        uv_run(&w->loop, UV_RUN_NOWAIT);
    /* One timer that was due already, one that is, and what it found. */
    while (!w->state.watched && timers_started < before + 3)
        uv_run(&w->loop, UV_RUN_ONCE);
    starved = false;
    w->looked |= w->fate != KILLED;
    w->looked_at = w->file;
}

/* What is held was held all the time. A line that we had let go of is not held again, when its file is gone. */
static unsigned can_be_held(const struct world *w, unsigned held) {
    bool goes_away = w->rotation == REPLACE || w->rotation == COPYTRUNCATE || w->rotation == TRUNCATE ||
                     w->rotation == DELETE || w->rotation >= MIXED;
    unsigned can = 0;
    while (can < held && can < w->last_count && !w->gone[w->last[can]] &&
           (!goes_away || w->file_of[w->last[can]] == w->file_of[w->last[0]]))
        can++;
    return can;
}

static void keep(struct world *w, unsigned held) {
    if (!w->follower)
        return;
    w->held = can_be_held(w, held);
    log_saved_release(&w->saved);
    w->saved = (struct log_saved){.state = w->state};
    log_follower_save(w->follower, &w->saved);
    memcpy(w->saved_got, w->got, sizeof w->got);
    memcpy(w->saved_begin, w->got_begin, sizeof w->got_begin);
    memcpy(w->saved_end, w->got_end, sizeof w->got_end);
    w->looked |= w->looked_at == w->file;
    for (unsigned i = 0; i < w->held; i++)
        w->saved_got[w->last[i]]--;
    w->held = 0;
}

static void go_down(struct world *w) {
    log_follower_close(w->follower);
    w->follower = NULL;
    while (uv_run(&w->loop, UV_RUN_DEFAULT))
        ;
}

static void come_up(struct world *w) {
    memcpy(w->got, w->saved_got, sizeof w->got);
    memcpy(w->got_begin, w->saved_begin, sizeof w->got_begin);
    memcpy(w->got_end, w->saved_end, sizeof w->got_end);
    w->state = (struct log_source_state){.gaps = w->saved.state.gaps, .lines = w->saved.state.lines};
    w->last_count = 0;
    w->follower = log_follower_start(&w->loop, &w->config, w->path, &w->sink, &w->state, &w->saved);
    assert_non_null(w->follower);
}

/* --- the server and who rotates its log --- */

static void reopen(struct world *w) {
    if (w->fd >= 0)
        close(w->fd);
    struct stat st;
    bool there = stat(w->path, &st) == 0;
    w->fd = open(w->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    assert_true(w->fd >= 0);
    if (!there)
        w->file = w->files++;
}

static void copy_and_truncate(struct world *w, const char *rest);

static void write_text(const struct world *w, const char *text, size_t len) {
    assert_int_equal(write(w->fd, text, len), len);
}

/* The writer has the file that is under the name, and nobody copies it yet. */
static bool can_be_copied(const struct world *w) {
    struct stat named, open;
    return (w->rotation == COPYTRUNCATE || w->rotation >= MIXED) && !w->tearing && stat(w->path, &named) == 0 &&
           fstat(w->fd, &open) == 0 && named.st_ino == open.st_ino;
}

static void write_lines(struct world *w, unsigned count) {
    char line[128];
    for (unsigned i = 0; i < count && w->lines < LINES_MAX - 1; i++) {
        make_line(w->lines, line);
        strcat(line, "\n");
        size_t len = strlen(line), first = any(8) == 0 ? 1 + any((unsigned)len - 1) : len;
        w->file_of[w->lines] = w->file;
        write_text(w, line, first);
        if (first < len && can_be_copied(w) && any(4) == 0) {
            w->torn_at[w->lines] = first;
            w->tiny[w->lines] = first < LOG_HEAD_START || len - first < LOG_HEAD_START;
            w->may_be_lost[w->lines] = w->unseen[w->lines] = w->gone[w->lines] = true;
            copy_and_truncate(w, line + first);
        } else if (first < len) {
            if (any(2))
                look(w);
            write_text(w, line + first, len - first);
        }
        w->lines++;
        /* A line that is there in part while we look is none yet; count it as written from here on. */
    }
}

static void rotated_name(struct world *w, char out[128]) {
    char to[128];
    if (w->dated) {
        snprintf(out, 128, "%s-20261121%02u", w->path, w->rotated++);
        return;
    }
    for (unsigned i = w->rotated++; i > 0; i--) {
        snprintf(out, 128, "%s.%u", w->path, i);
        snprintf(to, sizeof to, "%s.%u", w->path, i + 1);
        assert_true(rename(out, to) == 0 || errno == ENOENT);
    }
    snprintf(out, 128, "%s.1", w->path);
}

/* What is in the file under the name goes away. `open`: what we have open is not lost to us while we run. */
static void lose(struct world *w, bool open) {
    bool seen = false;
    for (unsigned i = 0; i < w->lines; i++)
        seen |= w->file_of[i] == w->file && (w->fate == KILLED ? w->saved_got[i] : w->got[i]);
    for (unsigned i = 0; i < w->lines; i++) {
        if (w->file_of[i] != w->file)
            continue;
        w->gone[i] = true;
        bool kept = w->fate == KILLED ? w->saved_got[i] : w->follower ? w->got[i] : w->saved_got[i];
        if (kept || (open && w->fate == RUNNING && w->looked_at == w->file))
            continue;
        w->may_be_lost[i] = true;
        w->unseen[i] = !seen;
    }
}

/* With whatever else happens meanwhile. */
static void copy_file(struct world *w, const char *to, bool in_a_line) {
    char data[4096];
    ssize_t n;
    int in = open(w->path, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(in >= 0 && out >= 0);
    if (any(4) == 0 && (n = read(in, data, 1 + any(1000))) > 0) {
        assert_int_equal(write(out, data, (size_t)n), n);
        if (!in_a_line)
            write_lines(w, any(3));
        look(w);
    }
    while ((n = read(in, data, sizeof data)) > 0)
        assert_int_equal(write(out, data, (size_t)n), n);
    close(in);
    close(out);
}

/* `rest`: of a line of which the beginning is written; NULL none. The writer does not wait for who copies or
 * truncates. */
static void copy_and_truncate(struct world *w, const char *rest) {
    char copy[128];
    rotated_name(w, copy);
    w->tearing = true; /* once at a time */
    copy_file(w, copy, rest != NULL);
    for (unsigned i = 0, of = w->files++; i < w->lines; i++)
        if (w->file_of[i] == w->file)
            w->file_of[i] = of;
    bool early = rest && any(2);
    if (early)
        write_text(w, rest, strlen(rest));
    if (any(2)) { /* this is in no copy */
        if (!rest)
            write_lines(w, 1 + any(4));
        look(w);
    }
    lose(w, false);
    assert_int_equal(ftruncate(w->fd, 0), 0);
    w->file = w->files++;
    if (rest && any(2))
        look(w);
    if (rest && !early)
        write_text(w, rest, strlen(rest));
    w->tearing = false;
}

static void replace_file(struct world *w) {
    char prepared[128];
    snprintf(prepared, sizeof prepared, "%s.new", w->path);
    lose(w, true);
    close(w->fd);
    w->fd = open(prepared, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    assert_true(w->fd >= 0);
    w->file = w->files++;
    write_lines(w, any(4));
    w->looked_at = UINT_MAX; /* what we saw meanwhile was the one before */
    assert_int_equal(rename(prepared, w->path), 0);
}

static void switch_link(struct world *w) {
    char target[128], link[128];
    /* Two switches between two looks take the one in between away: nothing leads there any more. */
    if (!w->looked)
        return;
    w->looked = false;
    w->file = w->files++;
    snprintf(target, sizeof target, "%s/server-%u.err", w->folder, w->file);
    snprintf(link, sizeof link, "%s/link", w->folder);
    assert_int_equal(symlink(target, link), 0);
    if (w->fd >= 0)
        close(w->fd);
    w->fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    assert_true(w->fd >= 0);
    assert_int_equal(rename(link, w->path), 0);
}

static void rotate(struct world *w) {
    char old[128];
    struct stat st;
    enum rotation rotation = w->rotation == MIXED   ? (enum rotation)any(SYMLINK)
                             : w->rotation == STORM ? (any(2) ? RENAME_CREATE : COPYTRUNCATE)
                                                    : w->rotation;
    if (stat(w->path, &st) < 0)
        reopen(w); /* what was renamed without another must come back before it can be rotated again */
    switch (rotation) {
    case RENAME_CREATE:
    case RENAME:
        rotated_name(w, old);
        assert_int_equal(rename(w->path, old), 0);
        if (rotation == RENAME_CREATE)
            close(open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
        write_lines(w, any(4)); /* the server goes on with the old one, until it is told */
        if (rotation == RENAME_CREATE)
            w->file = w->files++;
        if (any(2))
            look(w);
        reopen(w);
        break;
    case REPLACE:
        replace_file(w);
        break;
    case COPYTRUNCATE:
        copy_and_truncate(w, NULL);
        break;
    case TRUNCATE:
        lose(w, false);
        assert_int_equal(ftruncate(w->fd, 0), 0);
        w->file = w->files++;
        break;
    case DELETE:
        lose(w, true);
        assert_int_equal(unlink(w->path), 0);
        reopen(w);
        break;
    case SYMLINK:
        switch_link(w);
        break;
    case MIXED:
    case STORM:
    case ROTATION_COUNT:
        break;
    }
}

/* --- a schedule --- */

static void remove_folder(const char *folder) {
    DIR *dir = opendir(folder);
    char path[512];
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        unlink(path);
    }
    closedir(dir);
    rmdir(folder);
}

static void act(struct world *w) {
    switch (any(11)) {
    case 0:
    case 1:
    case 2:
        write_lines(w, 1 + any(20));
        break;
    case 3:
        write_lines(w, any(3));
        rotate(w);
        write_lines(w, any(30));
        for (unsigned more = w->rotation == STORM ? any(30) : 0; more > 0; more--) {
            write_lines(w, any(5));
            rotate(w);
            write_lines(w, 1);
        }
        break;
    case 4:
        keep(w, any(HELD_MAX));
        break;
    case 10:
        if (any(2)) {
            clock_ahead_ms += 61 * 1000; /* what is quiet is closed, and nothing is held so long */
            w->last_count = 0;
        } else {
            usleep(5000); /* the clock of the files ticks */
        }
        break;
    case 5:
        if (w->fate == RUNNING)
            break;
        if (!w->follower) {
            come_up(w);
        } else {
            if (w->fate == STOPPED)
                keep(w, 0);
            go_down(w);
        }
        break;
    default:
        look(w);
        break;
    }
}

static struct world *begin(enum rotation rotation, enum fate fate, bool polling) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->rotation = rotation;
    w->fate = fate;
    clock_ahead_ms = 0;
    scarce = !polling && any(4) == 0;
    w->polling = polling;
    w->dated = any(2);
    w->fd = -1;
    w->looked = true;
    snprintf(w->folder, sizeof w->folder, "/tmp/test_exactly_once.XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof w->path, "%s/error.log", w->folder);
    assert_int_equal(uv_loop_init(&w->loop), 0);
    w->config.max_line_bytes = 1024 + any(65536);
    w->config.poll_interval_ns = polling ? 1000000 : 0;
    w->sink = (struct log_sink){.arg = w, .line = on_line, .held = on_held, .stepped = on_step};
    if (rotation == SYMLINK)
        switch_link(w);
    else
        reopen(w);
    w->follower = log_follower_start(&w->loop, &w->config, w->path, &w->sink, &w->state, NULL);
    assert_non_null(w->follower);
    look(w);
    keep(w, 0);
    return w;
}

static void end(struct world *w) {
    if (w->follower)
        go_down(w);
    uv_loop_close(&w->loop);
    log_saved_release(&w->saved);
    close(w->fd);
    remove_folder(w->folder);
    free(w);
}

/* What is wrong; "" nothing. */
static void judge(const struct world *w, char out[256]) {
    unsigned lost = 0;
    out[0] = '\0';
    /* In a storm more may happen than there is room to remember; that is counted. */
    bool may_be_wrong = w->rotation == STORM && w->state.gaps > 0;
    for (unsigned i = 0; i < w->lines && !out[0] && !may_be_wrong; i++) {
        if (!w->tiny[i] && (w->got_begin[i] > 1 || w->got_end[i] > 1))
            snprintf(out, 256, "line %u of %u, torn, came %u+%u times in pieces", i, w->lines, w->got_begin[i],
                     w->got_end[i]);
        if ((w->got[i] > 1 && !w->tiny[i]) || (w->got[i] == 0 && !w->may_be_lost[i]))
            snprintf(out, 256, "line %u of %u (file %u) came %u times", i, w->lines, w->file_of[i], w->got[i]);
        lost += w->got[i] == 0 && !w->unseen[i];
    }
    if (!out[0] && w->garbled)
        snprintf(out, 256, "%u lines are not as they were written", w->garbled);
    if (!out[0] && w->refused)
        snprintf(out, 256, "there was no room for a file");
    if (!out[0] && lost > 0 && w->state.gaps == 0)
        snprintf(out, 256, "%u lines were lost, and no gap was counted", lost);
}

static bool run(enum rotation rotation, enum fate fate, bool polling, uint64_t seed, uint64_t *lines) {
    char wrong[256];
    random_state = seed * 2654435761u + 1;
    struct world *w = begin(rotation, fate, polling);
    for (int i = 0; i < ACTIONS; i++)
        act(w);
    if (!w->follower)
        come_up(w);
    w->tearing = true; /* the last one is whole, and stays */
    write_lines(w, 1);
    for (int i = 0; i < 5 || (i < 1000 && w->rotation == STORM && w->got[w->lines - 1] == 0); i++)
        look(w);
    judge(w, wrong);
    *lines += w->lines;
    if (wrong[0])
        print_error("%s, %s, %s, seed %llu: %s\n", rotation_names[rotation], fate_names[fate],
                    polling ? "polling" : "inotify", (unsigned long long)seed, wrong);
    end(w);
    return wrong[0] == '\0';
}

static uint64_t setting(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    uint64_t value;
    return text && number_parse_u64(span_of(text), UINT64_MAX, &value) == 0 ? value : otherwise;
}

/* Schedules that lost a line once. */
static const struct {
    enum rotation rotation;
    uint64_t seed;
} found_once[] = {
    {RENAME, 1795249187}, /* renamed twice between two looks, the first one before anything of it was read */
    {COPYTRUNCATE,
     7053}, /* copied and truncated before anything of it was read, and we were stopped before that was seen */
};

static void every_line_exactly_once(void **state) {
    const enum fate fate = (enum fate)((uintptr_t)*state & 3);
    const bool polling = (uintptr_t)*state & 4;
    uint64_t schedules = setting("EXACTLY_ONCE_SCHEDULES", 3), first = setting("EXACTLY_ONCE_SEED", 1), lines = 0;
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof found_once / sizeof found_once[0]; i++)
        failed += !run(found_once[i].rotation, fate, polling, found_once[i].seed, &lines);
    for (unsigned rotation = 0; rotation < ROTATION_COUNT; rotation++)
        for (uint64_t seed = first; seed < first + schedules; seed++)
            failed += !run((enum rotation)rotation, fate, polling, seed, &lines);
    print_message("# %llu schedules from seed %llu, %llu lines\n", (unsigned long long)schedules * ROTATION_COUNT,
                  (unsigned long long)first, (unsigned long long)lines);
    assert_int_equal(failed, 0);
}

#define CASE(title, fate, polling)                                                                                     \
    { title, every_line_exactly_once, NULL, NULL, (void *)(uintptr_t)((fate) | (polling) << 2) }

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE("inotify, we run", RUNNING, 0),         CASE("inotify, we are stopped", STOPPED, 0),
        CASE("inotify, we are killed", KILLED, 0),   CASE("polling, we run", RUNNING, 1),
        CASE("polling, we are stopped", STOPPED, 1), CASE("polling, we are killed", KILLED, 1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
