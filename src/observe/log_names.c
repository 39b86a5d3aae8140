/*
 * Which files a follower reads: the one under the name, those that were under it before, and the ones in between that
 * nobody saw there; see log_follower.h for the rules.
 */
#include "base/clock.h"
#include "observe/log_folder.h"
#include "observe/log_follower_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLOCK_TICK_NS INT64_C(20000000) /* the times of files lag behind the clock by this at most */
#define BEFORE_US_NS                                                                                                   \
    INT64_C(10000000000) /* what was written so long before the first start cannot be taken for new                    \
                          */

/* --- the list --- */

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

/* Put it in front of `before`; NULL: at the end. */
static void link_file(struct log_follower *f, struct log_file *file, const struct log_file *before) {
    struct log_file **p = &f->files;
    while (*p != before)
        p = &(*p)->next;
    file->next = *p;
    file->quiet_since_ms = uv_now(f->loop);
    *p = file;
    f->file_count++;
}

/* The name leads to `file` now. The others have a minute from here to get their last lines. */
static void make_newest(struct log_follower *f, struct log_file *file) {
    bool anew = f->lost && f->lost_dev == file->dev && f->lost_ino == file->ino;
    for (struct log_file *other = f->files; other; other = other->next)
        other->quiet_since_ms = uv_now(f->loop);
    f->reader.state->truncations += anew;
    f->reader.state->rotations += !anew && (f->files || (f->lost && f->lost_ino));
    f->lost = false;
    file->overtaken = false;
    file->fresh = file->seen == 0;
    file->since_ns = wall_now_ns() - CLOCK_TICK_NS;
    link_file(f, file, NULL);
}

static void remember(struct log_follower *f, const uint64_t place[LOG_PLACE_NUMBERS]) {
    memcpy(f->done[f->next_done], place, sizeof f->done[0]);
    f->done[f->next_done][FILE_FLAGS] = FILE_DONE;
    f->next_done = (f->next_done + 1) % LOG_DONE_MAX;
}

void log_names_drop(struct log_follower *f, struct log_file *file) {
    uint64_t place[LOG_PLACE_NUMBERS];
    log_file_use_rest(file, &f->reader, true);
    if (f->reader.closing)
        return;
    log_file_place(file, &f->reader, 0, place);
    if (!file->unlinked && place[FILE_TAIL_LEN] > 0)
        remember(f, place);
    unlink_file(f, file);
    log_file_move_starts(&f->reader, file, NULL);
    if (f->watch)
        log_watch_drop_file(f->watch, file->watch);
    log_file_free(file);
}

/* The list is full: give up the oldest that is read, and not written as far as one can tell. */
static bool make_room(struct log_follower *f) {
    for (struct log_file *file = f->files; file && f->file_count >= LOG_FILES_MAX; file = file->next)
        if ((file->overtaken || file->size == 0) && file->seen >= file->size) {
            log_names_drop(f, file);
            break;
        }
    return f->file_count < LOG_FILES_MAX && !f->reader.closing;
}

/* --- opening --- */

static int check_type(const struct stat *st) {
    return S_ISREG(st->st_mode) ? 0 : S_ISDIR(st->st_mode) ? -EISDIR : -ESPIPE;
}

/* A descriptor and what it is, or a negative errno. Looks first: to open a pipe would wake its writer. */
static int open_file(const char *path, struct stat *st) {
    if (stat(path, st) < 0)
        return -errno;
    int rc = check_type(st);
    if (rc < 0)
        return rc;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    rc = fstat(fd, st) < 0 ? -errno : check_type(st);
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

/* Takes over `fd`. NULL when memory is short. */
static struct log_file *adopt(struct log_follower *f, int fd, const struct stat *st) {
    struct log_file *file = log_file_new(fd, st);
    if (!file) {
        close(fd);
        return NULL;
    }
    file->watch = f->watch ? log_watch_file(f->watch, fd) : -1;
    return file;
}

/* --- what may be new --- */

/* Whether the file is one that we have, had, or a copy of such a one. */
static bool is_known(const struct log_follower *f, int fd, const struct stat *st) {
    uint64_t place[LOG_PLACE_NUMBERS];
    if (find_file(f, st))
        return true;
    for (const struct log_file *file = f->files; file; file = file->next) {
        log_file_place(file, &f->reader, 0, place);
        if (log_file_fits(fd, st, place))
            return true;
    }
    for (unsigned i = 0; i < LOG_DONE_MAX; i++)
        if (f->done[i][FILE_INO] != 0 && log_file_fits(fd, st, f->done[i]))
            return true;
    return false;
}

struct found {
    char *path;
    struct stat st;
};

struct search {
    struct log_follower *f;
    int64_t since_ns, before_ns; /* when it was written last */
    struct stat except;          /* the file under the name … */
    int except_fd;               /* … and files that begin as it does are copies of it; -1: does not matter */
    const char *older_than;      /* where the file is that those sought are older than; NULL: does not matter */
    struct found found[LOG_FILES_MAX];
    unsigned count;
};

/* Whether `b` is what `a` was when it was shorter, or is. The beginnings of two lines are soon alike. */
static bool is_copy(int b_fd, int a_fd) {
    char a[LOG_TAIL], b[LOG_TAIL];
    ssize_t a_len = a_fd < 0 ? 0 : pread(a_fd, a, sizeof a, 0), b_len = pread(b_fd, b, sizeof b, 0);
    return b_len > 0 && b_len <= a_len && memcmp(a, b, (size_t)b_len) == 0;
}

static void take_unknown(void *arg, const char *path, const struct stat *st) {
    struct search *s = arg;
    struct stat opened;
    int64_t mtime_ns = log_folder_mtime_ns(st);
    if (mtime_ns < s->since_ns || mtime_ns >= s->before_ns || s->count == LOG_FILES_MAX || st->st_size == 0 ||
        (st->st_dev == s->except.st_dev && st->st_ino == s->except.st_ino) ||
        (s->older_than && log_folder_compare(path, st, s->older_than, &s->except) > 0))
        return;
    for (unsigned i = 0; i < s->count; i++)
        if (s->found[i].st.st_dev == st->st_dev && s->found[i].st.st_ino == st->st_ino)
            return;
    int fd = open_file(path, &opened);
    if (fd < 0)
        return;
    if (!is_known(s->f, fd, &opened) && !is_copy(fd, s->except_fd) && (s->found[s->count].path = strdup(path)))
        s->found[s->count++].st = opened;
    close(fd);
}

static int compare_found(const void *a, const void *b) {
    const struct found *x = a, *y = b;
    return log_folder_compare(x->path, &x->st, y->path, &y->st);
}

/* Where an open file is now; false where it is nowhere. */
static bool path_of(const struct log_file *file, char out[PATH_MAX]) {
    char self[32];
    struct stat st;
    snprintf(self, sizeof self, "/proc/self/fd/%d", file->fd);
    ssize_t n = readlink(self, out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 && stat(out, &st) == 0 && is_file(file, &st);
}

/* The folder of the name, and that which the name's link leads to. */
static void scan_folders(const struct log_follower *f, log_folder_fn *fn, void *arg) {
    char real[PATH_MAX];
    log_folder_scan(f->path, fn, arg);
    if (!f->pattern && realpath(f->path, real) && strcmp(real, f->path) != 0)
        log_folder_scan(real, fn, arg);
}

/* Search, and open what is found in front of `before`, or at the end. */
static void take_found(struct log_follower *f, struct search *s, const struct log_file *before) {
    scan_folders(f, take_unknown, s);
    qsort(s->found, s->count, sizeof s->found[0], compare_found);
    for (unsigned i = 0; i < s->count; i++) {
        struct stat st;
        int fd = f->reader.closing || !make_room(f) ? -ENFILE : open_file(s->found[i].path, &st);
        struct log_file *file = NULL;
        if (fd >= 0 && st.st_ino == s->found[i].st.st_ino && !find_file(f, &st))
            file = adopt(f, fd, &st);
        else if (fd >= 0)
            close(fd);
        if (file)
            link_file(f, file, before);
        f->reader.state->gaps += !file;
        f->reader.state->rotations += file != NULL;
        free(s->found[i].path);
    }
}

/* Files that were written between the two times and went from under the name without being seen there: open them in
 * front of `before`, or at the end. */
static void take_between(struct log_follower *f, int64_t since_ns, int64_t before_ns, const struct stat *except,
                         const struct log_file *before) {
    struct search s = {.f = f, .since_ns = since_ns, .before_ns = before_ns, .except = *except, .except_fd = -1};
    take_found(f, &s, before);
}

bool log_names_check_fresh(struct log_follower *f, struct log_file *file) {
    struct search s = {.f = f, .since_ns = file->since_ns, .before_ns = INT64_MAX, .except_fd = file->fd};
    unsigned before = f->file_count;
    char path[PATH_MAX];
    struct stat st;
    /* It was renamed before we read it: those that came under the name after it are no copies of what it held before.
     */
    if (path_of(file, path) && (stat(f->path, &st) < 0 || !is_file(file, &st)))
        s.older_than = path;
    if (fstat(file->fd, &s.except) == 0)
        take_found(f, &s, file);
    return f->file_count > before;
}

/* What is in the open file, which is closed, was read or is not wanted. */
static void remember_whole(struct log_follower *f, int fd, const struct stat *st) {
    uint64_t place[LOG_PLACE_NUMBERS];
    struct log_file *file = log_file_new(fd, st);
    if (!file) {
        close(fd);
        return;
    }
    log_file_go_to(file, (uint64_t)st->st_size, false);
    log_file_place(file, &f->reader, 0, place);
    if (place[FILE_TAIL_LEN] > 0)
        remember(f, place);
    log_file_free(file);
}

void log_names_note_present(struct log_follower *f) {
    const struct log_file *file = newest(f);
    struct stat self = {0};
    if (!file || fstat(file->fd, &self) < 0)
        return;
    struct search s = {
        .f = f, .since_ns = file->mtime_ns - BEFORE_US_NS, .before_ns = INT64_MAX, .except = self, .except_fd = -1};
    scan_folders(f, take_unknown, &s);
    for (unsigned i = 0; i < s.count; i++) {
        struct stat st;
        int fd = i < LOG_DONE_MAX ? open_file(s.found[i].path, &st) : -1;
        if (fd >= 0)
            remember_whole(f, fd, &st);
        free(s.found[i].path);
    }
}

/* --- the file of a place --- */

struct match {
    const struct log_follower *f;
    const uint64_t *place;
    const struct log_file *besides;
    int fd; /* -1 none */
    struct stat st;
    bool same; /* its inode, too */
};

static void try_match(void *arg, const char *path, const struct stat *hint) {
    struct match *m = arg;
    struct stat st;
    if (m->same || (uint64_t)hint->st_size < m->place[FILE_OFFSET] || (m->besides && is_file(m->besides, hint)))
        return;
    int fd = open_file(path, &st);
    if (fd < 0)
        return;
    bool same = log_file_is(fd, &st, m->place);
    if ((m->fd >= 0 && !same) || !log_file_fits(fd, &st, m->place) || find_file(m->f, &st)) {
        close(fd);
        return;
    }
    if (m->fd >= 0)
        close(m->fd);
    m->fd = fd;
    m->st = st;
    m->same = same;
}

/* The file that goes on where `place` is, opened there; NULL where there is none. */
static struct log_file *find_by_place(struct log_follower *f, const uint64_t place[LOG_PLACE_NUMBERS], const char *path,
                                      const struct log_file *besides) {
    struct match m = {.f = f, .place = place, .besides = besides, .fd = -1};
    struct stat st;
    if (path && stat(path, &st) == 0)
        try_match(&m, path, &st);
    if (!m.same && stat(f->path, &st) == 0)
        try_match(&m, f->path, &st);
    if (!m.same)
        scan_folders(f, try_match, &m);
    if (!m.same && path)
        log_folder_scan(path, try_match, &m);
    struct log_file *file = m.fd >= 0 ? adopt(f, m.fd, &m.st) : NULL;
    uint64_t back = place[FILE_BACK] < place[FILE_OFFSET] ? place[FILE_BACK] : place[FILE_OFFSET];
    if (file)
        log_file_go_to(file, place[FILE_OFFSET] - back, back == 0 && place[FILE_FLAGS] & FILE_SKIPPING);
    return file;
}

struct had {
    struct log_follower *f;
    const struct log_file *file;
};

static void remember_had(void *arg, const char *path, const struct stat *hint) {
    struct had *had = arg;
    struct stat st;
    int fd = find_file(had->f, hint) ? -1 : open_file(path, &st);
    if (fd >= 0 && log_file_had(had->file, fd, &st))
        remember_whole(had->f, fd, &st);
    else if (fd >= 0)
        close(fd);
}

void log_names_restart(struct log_follower *f, struct log_file *file) {
    uint64_t place[LOG_PLACE_NUMBERS];
    struct stat self;
    bool had = file->seen > 0;
    log_file_place(file, &f->reader, 0, place);
    struct log_file *copy = had && make_room(f) ? find_by_place(f, place, NULL, file) : NULL;
    if (had && !copy) /* what was copied before we read so far is not new */
        scan_folders(f, remember_had, &(struct had){f, file});
    log_file_move_starts(&f->reader, file, copy);
    log_file_go_to(file, 0, false);
    if (!file->fresh)
        file->since_ns = wall_now_ns() - CLOCK_TICK_NS;
    file->fresh = true;
    f->reader.state->truncations++;
    f->reader.state->gaps += had && !copy;
    f->reader.moved = true;
    if (!copy)
        return;
    link_file(f, copy, file); // NOLINT(readability-suspicious-call-argument)
    if (fstat(file->fd, &self) == 0)
        take_between(f, copy->mtime_ns, INT64_MAX, &self, file);
}

static void restore_one(struct log_follower *f, const struct log_place *saved) {
    const uint64_t *place = saved->number;
    bool nothing = place[FILE_FLAGS] & FILE_NOTHING;
    struct log_file *file =
        f->file_count < LOG_FILES_MAX && !nothing ? find_by_place(f, place, saved->text, NULL) : NULL;
    if (file) {
        file->overtaken = place[FILE_FLAGS] & FILE_OVERTAKEN;
        f->lost = false;
        file->fresh = file->offset == 0;
        file->since_ns = (int64_t)place[FILE_MTIME];
        link_file(f, file, NULL);
        return;
    }
    f->reader.state->gaps += !nothing && !(place[FILE_FLAGS] & FILE_OVERTAKEN);
    f->lost = true;
    f->lost_mtime_ns = (int64_t)place[FILE_MTIME];
    f->lost_dev = (dev_t)place[FILE_DEV];
    f->lost_ino = (ino_t)place[FILE_INO];
}

void log_names_restore(struct log_follower *f, const struct log_saved *saved) {
    for (unsigned i = 0; i < saved->count; i++)
        if (saved->places[i].number[FILE_FLAGS] & FILE_DONE)
            remember(f, saved->places[i].number);
    int64_t mtime_ns = 0;
    for (unsigned i = 0; i < saved->count; i++)
        if (!(saved->places[i].number[FILE_FLAGS] & FILE_DONE)) {
            restore_one(f, &saved->places[i]);
            mtime_ns = (int64_t)saved->places[i].number[FILE_MTIME];
        }
    /* The file is the same, but it may have been copied and truncated before anything of it was read. */
    const struct log_file *file = newest(f);
    struct stat st = {0};
    if (!file || f->lost)
        return;
    bool under_name = stat(f->path, &st) == 0 && is_file(file, &st);
    take_between(f, mtime_ns, under_name ? INT64_MAX : file->mtime_ns, &st, file);
}

/* --- the name --- */

int log_names_look(struct log_follower *f) {
    char matching[PATH_MAX];
    struct stat st;
    struct log_file *file = newest(f);
    int rc = f->pattern ? log_folder_newest(f->path, matching) : 0;
    if (rc < 0)
        return rc;
    const char *path = f->pattern ? matching : f->path;
    if (stat(path, &st) < 0)
        return -errno;
    if (file && is_file(file, &st))
        return 0;
    rc = check_type(&st);
    if (rc < 0)
        return rc;
    int fd = open_file(path, &st);
    if (fd < 0)
        return fd;
    bool before = f->files || f->lost; /* we were somewhere: what came since then is new */
    if (file)
        log_file_look(file);
    if (before && !find_file(f, &st))
        take_between(f, f->lost || !file ? f->lost_mtime_ns : file->mtime_ns, INT64_MAX, &st, NULL);
    if (f->reader.closing || !make_room(f)) {
        close(fd);
        return -EBUSY;
    }
    file = find_file(f, &st);
    if (file) { /* an old acquaintance is back under the name: our place in it is still good */
        close(fd);
        if (file == newest(f))
            return 0;
        unlink_file(f, file);
        make_newest(f, file);
        return 0;
    }
    file = adopt(f, fd, &st);
    if (!file)
        return -ENOMEM;
    if (f->begin_at_end && st.st_size > 0) {
        char last;
        log_file_go_to(file, (uint64_t)st.st_size, false);
        file->skipping = pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n';
    }
    f->begin_at_end = false;
    make_newest(f, file);
    return 0;
}

void log_follower_save(const struct log_follower *f, struct log_saved *out) {
    unsigned held = f->reader.sink->held(f->reader.sink->arg);
    uint64_t place[LOG_PLACE_NUMBERS];
    char path[PATH_MAX];
    for (unsigned i = 0; i < LOG_DONE_MAX; i++) {
        const uint64_t *done = f->done[(f->next_done + i) % LOG_DONE_MAX];
        if (done[FILE_INO] != 0)
            log_saved_add(out, done, NULL);
    }
    for (const struct log_file *file = f->files; file; file = file->next) {
        log_file_place(file, &f->reader, held, place);
        log_saved_add(out, place, path_of(file, path) ? path : NULL);
    }
    if (!f->files && !f->begin_at_end) {
        memset(place, 0, sizeof place);
        place[FILE_DEV] = f->lost ? f->lost_dev : 0;
        place[FILE_INO] = f->lost ? f->lost_ino : 0;
        place[FILE_FLAGS] = FILE_NOTHING;
        place[FILE_MTIME] = (uint64_t)(f->lost ? f->lost_mtime_ns : wall_now_ns());
        log_saved_add(out, place, NULL);
    }
    held = held < f->reader.start_count ? held : f->reader.start_count;
    out->state.lines -= held;
    out->state.bytes -= log_file_held_bytes(&f->reader, held);
}
