/*
 * How a log file is followed; see log_follower.h for the rules.
 *
 * A follower keeps a short list of open files, oldest first; the last is the one that the name led to when it last led
 * to a file. Every cause for a look (a watch, the timer, work left over) only wakes the idle handle, and one step of
 * that does it all: look at the name, read what is there, tell what changed. So a burst of events costs one step a turn
 * of the loop.
 *
 * A file's place is always the beginning of a line. The beginning of a line whose end has not come is read again with
 * it, so nothing is carried in memory between steps, and one buffer serves all followers.
 */
#include "observe/log_follower.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_LIMIT = 64 * 1024,  /* bytes of a line with its end */
    STEP_BYTES = 256 * 1024, /* read in one turn of the loop, about */
    FILES_MAX = 8,           /* open at the same time */
    LINGER_MS = 60 * 1000,   /* an old file is closed when nothing came for so long */
    TICK_MS = 5000,          /* between looks without a cause … */
    ODD_TICK_MS = 1000,      /* … and while something is missing: the file, or a watch on it */
};

/* One open file and our place in it. */
struct log_file {
    struct log_file *next;
    uv_fs_event_t watch;
    bool watched;
    int fd;
    dev_t dev;
    ino_t ino;
    uint64_t offset; /* where the first line that was not handed over begins */
    uint64_t seen;   /* how far bytes were read; between the two is the beginning of a line */
    uint64_t size;   /* when last looked */
    bool skipping;   /* at the offset is not a line's beginning: what comes up to its end is skipped */
    bool overtaken;  /* a later file has bytes, and this one was read to its end after that was seen */
    bool unlinked;
    uint64_t quiet_since_ms;
};

struct log_follower {
    uv_loop_t *loop;
    const char *path;
    log_line_fn *on_line;
    log_state_fn *on_state;
    void *arg;

    uv_idle_t wake;
    uv_timer_t tick;
    uint64_t tick_ms;
    uv_fs_event_t folder; /* watched only while the name leads to no file */
    bool folder_watched;
    unsigned open_handles;

    struct log_file *files;
    unsigned file_count;
    bool begin_at_end; /* the next file that is opened was there before us */
    int name_error;    /* why the name leads to no file that we could open, else 0 */
    int read_error;
    bool closing;
    struct log_follower_state state, told; /* `told`: as it was when on_state was last called */
};

/* Where a step reads to; shared by all followers, nothing in it outlives a step's read. */
static char buffer[LINE_LIMIT];

static void on_wake(uv_idle_t *handle);

static void wake(struct log_follower *f) {
    uv_idle_start(&f->wake, on_wake);
}

/* --- the list of files --- */

static struct log_file *newest(const struct log_follower *f) {
    struct log_file *file = f->files;
    while (file && file->next)
        file = file->next;
    return file;
}

static bool is_file(const struct log_file *file, const struct stat *st) {
    return file->dev == st->st_dev && file->ino == st->st_ino;
}

static struct log_file *find_file(const struct log_follower *f, const struct stat *st) {
    struct log_file *file = f->files;
    while (file && !is_file(file, st))
        file = file->next;
    return file;
}

static void unlink_file(struct log_follower *f, struct log_file *file) {
    struct log_file **p = &f->files;
    while (*p != file)
        p = &(*p)->next;
    *p = file->next;
    f->file_count--;
}

/* The name leads to `file` now. The others have until LINGER_MS from here to get their last lines. */
static void append_file(struct log_follower *f, struct log_file *file) {
    struct log_file **p = &f->files;
    for (; *p; p = &(*p)->next)
        (*p)->quiet_since_ms = uv_now(f->loop);
    f->state.rotations += f->files != NULL;
    file->next = NULL;
    file->overtaken = false;
    *p = file;
    f->file_count++;
}

static void on_file_closed(uv_handle_t *handle) {
    free(handle->data);
}

/* The file must not be in the list any more. */
static void close_file(struct log_file *file) {
    file->watch.data = file;
    uv_close((uv_handle_t *)&file->watch, on_file_closed);
    close(file->fd);
}

static void on_file_event(uv_fs_event_t *watch, const char *name, int events, int status) {
    (void)name, (void)events, (void)status;
    wake(watch->data);
}

/* Takes over `fd`. The watch goes by the descriptor, not by the name: it is on this very file, and stays on it when it
 * is renamed. */
static struct log_file *new_file(struct log_follower *f, int fd, const struct stat *st) {
    struct log_file *file = calloc(1, sizeof *file);
    char self[32];
    if (!file)
        return NULL;
    file->fd = fd;
    file->dev = st->st_dev;
    file->ino = st->st_ino;
    uv_fs_event_init(f->loop, &file->watch);
    file->watch.data = f;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    file->watched = uv_fs_event_start(&file->watch, on_file_event, self, 0) == 0;
    if (f->begin_at_end && st->st_size > 0) {
        char last;
        file->offset = file->seen = (uint64_t)st->st_size;
        file->skipping = pread(fd, &last, 1, st->st_size - 1) == 1 && last != '\n';
    }
    f->begin_at_end = false;
    return file;
}

/* --- reading --- */

static void hand_over(struct log_follower *f, const char *begin, const char *end) {
    if (end > begin && end[-1] == '\r')
        end--;
    f->state.lines++;
    f->on_line(f->arg, (struct span){begin, (size_t)(end - begin)});
}

/* Hand over the lines that the buffer holds, and with `rest` also what follows the last newline. Returns how many bytes
 * are done with. The call-back may close the follower. */
static size_t hand_over_lines(struct log_follower *f, struct log_file *file, size_t len, bool rest) {
    size_t at = 0;
    while (at < len && !f->closing) {
        while (!file->skipping && at < len && buffer[at] == '\0')
            at++;
        const char *newline = memchr(buffer + at, '\n', len - at);
        bool skipped = file->skipping;
        if (newline) {
            file->skipping = false;
            if (!skipped)
                hand_over(f, buffer + at, newline);
            at = (size_t)(newline + 1 - buffer);
            continue;
        }
        bool too_long = at == 0 && len == LINE_LIMIT;
        if (!skipped && at < len && (too_long || rest)) {
            file->skipping = too_long;
            f->state.cut_lines += too_long;
            hand_over(f, buffer + at, buffer + len);
        } else if (!skipped) {
            break;
        }
        at = len;
    }
    return at;
}

/* Read once from the file's place. Bytes read, 0 at the end, or a negative errno. */
static int read_once(struct log_follower *f, struct log_file *file, bool rest) {
    ssize_t n = pread(file->fd, buffer, sizeof buffer, (off_t)file->offset);
    if (n < 0)
        return -errno;
    uint64_t end = file->offset + (uint64_t)n;
    if (end > file->seen) {
        file->seen = end;
        file->quiet_since_ms = uv_now(f->loop);
        f->state.last_read_wall_ns = wall_now_ns();
    } else if (!rest) {
        return 0; /* it became shorter after we looked: the next look sees that */
    }
    size_t done = hand_over_lines(f, file, (size_t)n, rest);
    file->offset += done;
    f->state.bytes += done;
    return (int)n;
}

/* See how long the file is, and whether it became shorter. */
static int look_at_file(struct log_follower *f, struct log_file *file) {
    struct stat st;
    if (fstat(file->fd, &st) < 0)
        return -errno;
    file->size = (uint64_t)st.st_size;
    file->unlinked = st.st_nlink == 0;
    if (file->size < file->seen) {
        file->offset = file->seen = 0;
        file->skipping = false;
        f->state.truncations++;
    }
    return 0;
}

/* Read the file to its end. 0 there, 1 where the step's bytes are used up before, or a negative errno. */
static int read_file(struct log_follower *f, struct log_file *file, size_t *budget) {
    for (;;) {
        int rc = look_at_file(f, file);
        if (rc < 0)
            return rc;
        if (file->seen >= file->size)
            return 0;
        if (*budget == 0)
            return 1;
        rc = read_once(f, file, false);
        if (rc <= 0 || f->closing)
            return rc == -EINTR || rc == -EAGAIN ? 1 : rc < 0 ? rc : 0;
        *budget -= (size_t)rc < *budget ? (size_t)rc : *budget;
    }
}

/* Nobody is expected to complete the file's last line any more. */
static void hand_over_rest(struct log_follower *f, struct log_file *file) {
    if (file->offset < file->seen && !file->skipping && !f->closing)
        read_once(f, file, true);
}

static bool later_file_has_bytes(struct log_follower *f, struct log_file *file) {
    for (file = file->next; file; file = file->next)
        if (look_at_file(f, file) == 0 && file->size > 0)
            return true;
    return false;
}

/* Whether there is more to read than one step may. */
static bool read_files(struct log_follower *f) {
    size_t budget = STEP_BYTES;
    f->read_error = 0;
    for (struct log_file *file = f->files; file; file = file->next) {
        /* In this order: a writer that left this file before that look has nothing to add after this read. */
        bool overtaken = file->overtaken || later_file_has_bytes(f, file);
        int rc = read_file(f, file, &budget);
        if (rc < 0)
            f->read_error = rc;
        if (rc > 0 || f->closing)
            return rc > 0;
        if (!overtaken)
            return false;
        if (!file->overtaken) {
            hand_over_rest(f, file);
            file->overtaken = true;
            file->quiet_since_ms = uv_now(f->loop);
            if (f->closing)
                return false;
        }
    }
    return false;
}

static void drop_file(struct log_follower *f, struct log_file *file) {
    hand_over_rest(f, file);
    if (f->closing)
        return;
    unlink_file(f, file);
    close_file(file);
}

/* Old files into which nothing came for long: one by one, a step each. An old one that is not overtaken is kept as long
 * as it has a name, for the server writes to it until somebody tells it otherwise; without a name it only holds disk
 * space. */
static void drop_quiet_file(struct log_follower *f) {
    for (struct log_file *file = f->files; file && file->next; file = file->next)
        if ((file->overtaken || file->unlinked) && file->seen >= file->size &&
            uv_now(f->loop) - file->quiet_since_ms >= LINGER_MS) {
            drop_file(f, file);
            return;
        }
}

/* The list is full: give up the oldest that is read, and not written as far as one can tell. */
static bool make_room(struct log_follower *f) {
    for (struct log_file *file = f->files; file; file = file->next)
        if ((file->overtaken || file->size == 0) && file->seen >= file->size) {
            drop_file(f, file);
            return !f->closing;
        }
    return false;
}

/* --- the name --- */

static int check_type(const struct stat *st) {
    return S_ISREG(st->st_mode) ? 0 : S_ISDIR(st->st_mode) ? -EISDIR : -ESPIPE;
}

/* Make the file that the name leads to the newest of the list. 0 or a negative errno. */
static int look_at_name(struct log_follower *f) {
    struct stat st;
    struct log_file *file = newest(f);
    /* Not by opening it: to open a pipe would wake its writer. */
    if (stat(f->path, &st) < 0)
        return -errno;
    if (file && is_file(file, &st))
        return 0;
    int rc = check_type(&st);
    if (rc < 0)
        return rc;
    if (f->file_count >= FILES_MAX && !make_room(f))
        return -EBUSY;
    int fd = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    rc = fstat(fd, &st) < 0 ? -errno : check_type(&st);
    if (rc < 0)
        goto close_fd;
    file = find_file(f, &st);
    if (file) { /* an old acquaintance is back under the name: our place in it is still good */
        close(fd);
        if (file == newest(f))
            return 0;
        unlink_file(f, file);
        append_file(f, file);
        return 0;
    }
    file = new_file(f, fd, &st);
    rc = -ENOMEM;
    if (!file)
        goto close_fd;
    append_file(f, file);
    return 0;

close_fd:
    close(fd);
    return rc;
}

static void on_folder_event(uv_fs_event_t *handle, const char *name, int events, int status) {
    struct log_follower *f = handle->data;
    const char *slash = strrchr(f->path, '/');
    (void)events, (void)status;
    if (!name || strcmp(name, slash ? slash + 1 : f->path) == 0)
        wake(f);
}

/* Best effort: without it the timer finds the file. A file that came before the watch was there is found by one more
 * look. */
static void watch_folder(struct log_follower *f) {
    const char *slash = strrchr(f->path, '/');
    char folder[PATH_MAX] = ".";
    if (slash) {
        size_t len = slash == f->path ? 1 : (size_t)(slash - f->path);
        if (len >= sizeof folder)
            return;
        memcpy(folder, f->path, len);
        folder[len] = '\0';
    }
    f->folder_watched = uv_fs_event_start(&f->folder, on_folder_event, folder, 0) == 0;
    if (f->folder_watched)
        wake(f);
}

/* --- a step --- */

static void on_tick(uv_timer_t *timer) {
    wake(timer->data);
}

/* Watch and look again as the situation asks for. */
static void arrange_next_look(struct log_follower *f) {
    bool odd = f->name_error != 0 || f->read_error != 0;
    for (struct log_file *file = f->files; file; file = file->next)
        odd |= !file->watched;
    uint64_t ms = odd ? ODD_TICK_MS : TICK_MS;
    if (ms != f->tick_ms) {
        uv_timer_start(&f->tick, on_tick, ms, ms);
        f->tick_ms = ms;
    }
    if (f->name_error && !f->folder_watched) {
        watch_folder(f);
    } else if (!f->name_error && f->folder_watched) {
        uv_fs_event_stop(&f->folder);
        f->folder_watched = false;
    }
}

static void update_state(struct log_follower *f) {
    struct log_follower_state *state = &f->state;
    /* No file under the name is no failure while we have the one that was there: that is what the server writes to. */
    int error = f->name_error == -ENOENT && f->files ? 0 : f->name_error;
    state->error = f->read_error ? f->read_error : error;
    state->readable = f->files && !state->error;
    state->behind_bytes = 0;
    for (struct log_file *file = f->files; file; file = file->next)
        state->behind_bytes += file->size > file->seen ? file->size - file->seen : 0;
}

static void tell_state(struct log_follower *f) {
    const struct log_follower_state *now = &f->state, *told = &f->told;
    if (now->readable == told->readable && now->error == told->error && now->rotations == told->rotations &&
        now->truncations == told->truncations)
        return;
    f->told = f->state;
    if (f->on_state)
        f->on_state(f->arg);
}

static void on_wake(uv_idle_t *handle) {
    struct log_follower *f = handle->data;
    uv_idle_stop(handle);
    f->name_error = look_at_name(f);
    if (f->name_error == -ENOENT)
        f->begin_at_end = false;
    if (!f->closing && read_files(f))
        wake(f);
    if (!f->closing)
        drop_quiet_file(f);
    if (f->closing)
        return;
    arrange_next_look(f);
    update_state(f);
    tell_state(f);
}

/* --- begin and end --- */

struct log_follower *log_follower_start(uv_loop_t *loop, const struct error_log_config *config, log_line_fn *on_line,
                                        log_state_fn *on_state, void *arg) {
    struct log_follower *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->loop = loop;
    f->path = config->file;
    f->on_line = on_line;
    f->on_state = on_state;
    f->arg = arg;
    f->begin_at_end = config->start == LOG_START_END;
    uv_idle_init(loop, &f->wake);
    uv_timer_init(loop, &f->tick);
    uv_fs_event_init(loop, &f->folder);
    f->wake.data = f->tick.data = f->folder.data = f;
    f->open_handles = 3;
    if (look_at_name(f) == -ENOENT)
        f->begin_at_end = false;
    wake(f);
    return f;
}

const struct log_follower_state *log_follower_state(const struct log_follower *follower) {
    return &follower->state;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct log_follower *f = handle->data;
    if (--f->open_handles == 0)
        free(f);
}

void log_follower_close(struct log_follower *follower) {
    if (!follower || follower->closing)
        return;
    follower->closing = true;
    for (struct log_file *file = follower->files, *next; file; file = next) {
        next = file->next;
        close_file(file);
    }
    follower->files = NULL;
    uv_close((uv_handle_t *)&follower->wake, on_handle_closed);
    uv_close((uv_handle_t *)&follower->tick, on_handle_closed);
    uv_close((uv_handle_t *)&follower->folder, on_handle_closed);
}
