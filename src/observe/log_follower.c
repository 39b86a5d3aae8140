/*
 * How a log file is followed, step by step; see log_follower.h for the rules, log_names.c for which files those are.
 *
 * Every cause for a look (a watch, the timer, work left over) only wakes the idle handle, and one step of that does it
 * all: look at the name, read what is there, tell what changed. So a burst of events costs one step a turn of the loop.
 */
#include "observe/log_follower.h"

#include "base/clock.h"
#include "observe/log_folder.h"
#include "observe/log_follower_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLOCK_TICK_NS INT64_C(20000000) /* the times of files lag behind the clock by this at most */

enum {
    STEP_BYTES = 256 * 1024, /* read in one turn of the loop, about, … */
    LINGER_MS = 60 * 1000,   /* an old file is closed when nothing came for so long */
    REST_MS = 5 * 1000,      /* the beginning of a line is used when its end has not come for so long */
    ODD_MS = 1000,           /* between looks where no watch tells when */
    DAY_S = 24 * 3600,
};
#define STEP_NS (2 * NS_PER_MS) /* … and less where it takes longer than this: what lines tell is dearer than lines */

static void on_wake(uv_idle_t *handle);

static void wake(struct log_follower *f) {
    uv_idle_start(&f->wake, on_wake);
}

static void on_watch(void *arg, bool names) {
    struct log_follower *f = arg;
    f->names_due |= names;
    wake(f);
}

/* --- reading --- */

/* Read the file to its end. 0 there, 1 where the step's bytes are used up before, or a negative errno. */
static int read_file(struct log_follower *f, struct log_file *file, size_t *budget) {
    for (;;) {
        int rc = log_file_look(file);
        bool longer = file->seen < file->size;
        /* Written, and not longer: it may have been truncated, and be as long again. */
        if (rc == 0 && !longer && (file->fresh || file->since_ns >= file->mtime_ns))
            return 0;
        if (longer && (*budget == 0 || f->reader.late))
            return 1;
        if (rc == 0)
            rc = log_file_fetch(file, &f->reader);
        if (rc == -ESTALE) {
            log_names_restart(f, file); /* perhaps to another one in front of it: begin with that */
            return 1;
        }
        if (rc > 0 && file->fresh) {
            if (log_names_take_older(f, file))
                return 1;
            f->reader.state->gaps += file->older_left; /* all that are open are still written, or we may not look */
            log_names_all_older_told(f, file);
        }
        if (rc > 0) {
            log_file_take(file, &f->reader, rc);
            file->quiet_since_ms = uv_now(f->loop);
        }
        if (rc == 0 && !longer && file->since_ns < file->mtime_ns)
            file->since_ns = file->mtime_ns; /* all that was there then is told */
        if (rc <= 0 || f->reader.closing)
            return rc == -EINTR || rc == -EAGAIN ? 1 : rc < 0 ? rc : 0;
        *budget -= (size_t)rc < *budget ? (size_t)rc : *budget;
    }
}

/* One that became shorter had some. */
static bool later_file_has_bytes(const struct log_file *file) {
    for (struct log_file *later = file->next; later; later = later->next) {
        int rc = log_file_look(later);
        if (rc == -ESTALE || (rc == 0 && later->size > 0))
            return true;
    }
    return false;
}

/* There was no room for all that came before the newest file; some of what had it is read now. */
static bool take_what_is_left(struct log_follower *f) {
    struct log_file *file = log_names_newest(f);
    return file->older_left && file->fresh && log_names_take_older(f, file);
}

/* Whether there is more to read than one step may. */
static bool read_files(struct log_follower *f) {
    size_t budget = STEP_BYTES;
    f->read_error = 0;
    f->reader.turn_ends = mono_add(mono_now(), STEP_NS);
    f->reader.late = false;
    for (struct log_file *file = f->files; file; file = file->next) {
        /* In this order: a writer that left this file before that look has nothing to add after this read. */
        bool overtaken = file->overtaken || later_file_has_bytes(file);
        int rc = read_file(f, file, &budget);
        if (rc < 0)
            f->read_error = rc;
        if (rc > 0 || f->reader.closing)
            return rc > 0;
        if (!overtaken)
            return take_what_is_left(f);
        if (!file->overtaken) {
            log_file_use_rest(file, &f->reader, true);
            file->overtaken = true;
            file->quiet_since_ms = uv_now(f->loop);
            if (f->reader.closing)
                return false;
        }
    }
    return false;
}

/* --- what is due later --- */

/* An old one that is not overtaken is kept as long as it has a name, for the server writes to it until somebody tells
 * it otherwise; without a name it only holds disk space. */
static bool may_be_dropped(const struct log_file *file) {
    return file->next && (file->overtaken || file->unlinked) && file->seen >= file->size;
}

/* When the file wants a look although nothing happens to it; UINT64_MAX never. */
static uint64_t due_ms(const struct log_file *file) {
    uint64_t drop = may_be_dropped(file) ? file->quiet_since_ms + LINGER_MS : UINT64_MAX;
    uint64_t rest = log_file_has_rest(file) ? file->quiet_since_ms + REST_MS : UINT64_MAX;
    return drop < rest ? drop : rest;
}

/* Do what is due of that, for one file a step. */
static void do_what_is_due(struct log_follower *f) {
    for (struct log_file *file = f->files; file; file = file->next) {
        if (due_ms(file) > uv_now(f->loop))
            continue;
        if (log_file_has_rest(file) && !may_be_dropped(file))
            log_file_use_rest(file, &f->reader, false);
        else
            log_names_drop(f, file);
        return;
    }
}

static void on_timer(uv_timer_t *timer) {
    struct log_follower *f = timer->data;
    f->names_due = true;
    wake(f);
}

/* Whether all that can happen is told by a watch. */
static bool all_is_watched(const struct log_follower *f) {
    bool short_of_something = f->name_error == -EBUSY || f->name_error == -ENOMEM || f->name_error == -EMFILE ||
                              f->name_error == -ENFILE || f->read_error != 0;
    bool ok = f->watch && f->path_watched && !short_of_something;
    for (const struct log_file *file = f->files; file; file = file->next)
        ok &= file->watch >= 0;
    return ok;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* No timer runs where a watch tells all and nothing is pending. */
static void arrange_next_look(struct log_follower *f) {
    uint64_t now = uv_now(f->loop), due = UINT64_MAX;
    if (!all_is_watched(f))
        due = now + ODD_MS;
    if (f->poll_interval_ns > 0)
        due = now + (uint64_t)(f->poll_interval_ns / NS_PER_MS);
    for (const struct log_file *file = f->files; file; file = file->next)
        due = earlier(due, due_ms(file));
    if (due == UINT64_MAX)
        uv_timer_stop(&f->timer);
    else
        uv_timer_start(&f->timer, on_timer, due > now ? due - now : 1, 0);
}

/* --- a step --- */

static void update_state(struct log_follower *f) {
    struct log_source_state *state = f->reader.state;
    /* No file under the name is no failure while we have the one that was there: that is what the server writes to. */
    int error = f->name_error == -ENOENT && f->files ? 0 : f->name_error;
    state->error = f->read_error ? f->read_error : error;
    state->readable = f->files && !state->error;
    state->watched = f->poll_interval_ns == 0 && all_is_watched(f);
    state->behind_bytes = 0;
    for (const struct log_file *file = f->files; file; file = file->next)
        state->behind_bytes += file->size > file->seen ? file->size - file->seen : 0;
}

/* There may be no instance or watch left of what one user may have; then we look each second, and try again. */
static void watch_all(struct log_follower *f) {
    if (!f->watch && f->poll_interval_ns == 0)
        f->watch = log_watch_start(f->loop, on_watch, f);
    for (struct log_file *file = f->files; f->watch && file; file = file->next)
        if (file->watch < 0)
            file->watch = log_watch_file(f->watch, file->fd);
}

static void forget_waiting(struct log_follower *f) {
    if (f->waiting)
        log_saved_release(f->waiting);
    free(f->waiting);
    f->waiting = NULL;
}

static int try_to_read(const char *path) {
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    int fd = S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : -1;
    int rc = S_ISREG(st.st_mode) && fd < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Take up the places that were kept, but not while the file may not be read: they would be taken for those of files
 * that are gone. */
static int take_up(struct log_follower *f) {
    char matching[PATH_MAX];
    int rc = f->pattern ? log_folder_newest(f->path, matching) : 0;
    if (rc == 0)
        rc = try_to_read(f->pattern ? matching : f->path);
    if (rc == -EACCES || rc == -EPERM || rc == -EMFILE || rc == -ENFILE)
        return rc;
    log_names_restore(f, f->waiting);
    forget_waiting(f);
    return 0;
}

/* Whether no log is there: the one that comes is new. */
static bool is_none_there(int error) {
    return error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -EISDIR || error == -ESPIPE;
}

static int look(struct log_follower *f) {
    int rc = f->waiting ? take_up(f) : 0;
    if (rc == 0)
        rc = log_names_look(f);
    if (is_none_there(rc))
        f->begin_at_end = false;
    return rc;
}

/* The one of the pattern's files that is written next is the newest then. One that was left alone for a day is not. */
static void watch_next_write(void *arg, const char *path, const struct stat *st) {
    struct log_follower *f = arg;
    if (st->st_ctim.tv_sec > wall_now_ns() / NS_PER_S - DAY_S)
        f->path_watched &= log_watch_next_write(f->watch, path);
}

/* Before the look: what happens after it is told. */
static void watch_path(struct log_follower *f) {
    char matching[PATH_MAX];
    bool any = f->pattern && log_folder_newest(f->path, matching) == 0;
    f->path_watched = log_watch_path(f->watch, f->path, any ? matching : NULL);
    if (f->pattern)
        log_folder_matches(f->path, watch_next_write, f);
}

static void look_at_name(struct log_follower *f) {
    f->names_due = false;
    watch_all(f);
    if (f->watch)
        watch_path(f);
    f->name_error = look(f);
}

static void on_wake(uv_idle_t *handle) {
    struct log_follower *f = handle->data;
    uv_idle_stop(handle);
    f->reader.moved = false;
    if (f->names_due)
        look_at_name(f);
    bool more = !f->reader.closing && !f->wait && read_files(f);
    if (f->name_error == -EBUSY && (more || f->reader.moved)) { /* what is read makes room */
        f->name_error = 0;
        f->names_due = more = true;
    }
    if (more && !f->reader.closing)
        wake(f);
    if (!f->reader.closing && !f->wait)
        do_what_is_due(f);
    if (f->reader.closing)
        return;
    arrange_next_look(f);
    update_state(f);
    f->reader.sink->stepped(f->reader.sink->arg, f->reader.moved);
}

/* --- begin and end --- */

struct log_follower *log_follower_start(uv_loop_t *loop, const struct error_log_config *config, const char *path,
                                        const struct log_sink *sink, struct log_source_state *state,
                                        const struct log_saved *saved) {
    struct log_follower *f = calloc(1, sizeof *f);
    if (!f || !(f->path = strdup(path))) {
        free(f);
        return NULL;
    }
    f->loop = loop;
    f->pattern = log_folder_is_pattern(path);
    f->poll_interval_ns = config->poll_interval_ns;
    f->reader.sink = sink;
    f->reader.state = state;
    f->reader.line_limit = config->max_line_bytes;
    uv_idle_init(loop, &f->wake);
    uv_timer_init(loop, &f->timer);
    f->wake.data = f->timer.data = f;
    f->open_handles = 2;
    watch_all(f);
    f->begin_at_end = config->start == LOG_START_END;
    f->since_ns = wall_now_ns() - CLOCK_TICK_NS;
    if (saved && saved->count > 0) {
        f->begin_at_end = false;
        f->waiting = calloc(1, sizeof *f->waiting);
        if (f->waiting)
            log_saved_add_all(f->waiting, saved);
    }
    f->name_error = look(f);
    if (!saved || saved->count == 0)
        log_names_note_present(f);
    f->names_due = true;
    wake(f);
    return f;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct log_follower *f = handle->data;
    if (--f->open_handles > 0)
        return;
    for (struct log_file *file = f->files, *next; file; file = next) {
        next = file->next;
        log_file_free(file);
    }
    forget_waiting(f);
    free(f->path);
    free(f);
}

void log_follower_close(struct log_follower *f) {
    if (!f || f->reader.closing)
        return;
    f->reader.closing = true;
    log_watch_close(f->watch);
    f->watch = NULL;
    uv_close((uv_handle_t *)&f->wake, on_handle_closed);
    uv_close((uv_handle_t *)&f->timer, on_handle_closed);
}

/* --- as a backend --- */

void *log_follower_begin(uv_loop_t *loop, const struct error_log_config *config, const char *path,
                         const struct log_sink *sink, struct log_source_state *state, const struct log_saved *saved) {
    return log_follower_start(loop, config, path, sink, state, saved);
}

static void backend_save(const void *self, struct log_saved *out) {
    log_follower_save(self, out);
}

static void backend_wait(void *self, bool wait) {
    struct log_follower *f = self;
    f->wait = wait;
    wake(f);
}

static void backend_close(void *self) {
    log_follower_close(self);
}

const struct log_backend log_follower_backend = {.wait = backend_wait, .save = backend_save, .close = backend_close};
