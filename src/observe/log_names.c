/*
 * Which files a follower reads: the one under the name, those that were under it before, and the ones in between that
 * nobody saw there; see log_follower.h for the rules.
 */
#include "base/clock.h"
#include "observe/log_folder.h"
#include "observe/log_follower_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEFORE_US_NS (10 * NS_PER_S) /* what was written so long before the first start cannot be taken for new */
enum { SURE_BEGINNING = 32 };        /* a line's time and more */

/* --- the list --- */

struct log_file *log_names_newest(const struct log_follower *f) {
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
    while (*p && *p != file)
        p = &(*p)->next;
    *p = file->next;
    f->file_count--;
}

/* Put it in front of `before`; NULL: at the end. */
static void link_file(struct log_follower *f, struct log_file *file, const struct log_file *before) {
    struct log_file **p = &f->files;
    while (*p && *p != before)
        p = &(*p)->next;
    file->next = *p;
    file->quiet_since_ms = uv_now(f->loop);
    *p = file;
    f->file_count++;
}

/* So much of this life of a file is told; what has it was written at `written_ns` or before. The oldest one makes room:
 * where that could still be found it may come twice. */
static void remember(struct log_follower *f, const uint64_t place[LOG_PLACE_NUMBERS], int64_t written_ns) {
    const struct log_file *newest = log_names_newest(f);
    uint64_t *oldest = f->done[0];
    if (place[FILE_TAIL_LEN] == 0)
        return;
    for (unsigned i = 1; i < LOG_DONE_MAX; i++)
        if (f->done[i][FILE_SINCE] < oldest[FILE_SINCE])
            oldest = f->done[i];
    f->reader.state->gaps +=
        oldest[FILE_INO] != 0 && (int64_t)oldest[FILE_SINCE] >= (newest ? newest->since_ns : f->since_ns);
    memcpy(oldest, place, sizeof f->done[0]);
    oldest[FILE_FLAGS] = FILE_DONE | (place[FILE_FLAGS] & FILE_TORN);
    oldest[FILE_SINCE] = (uint64_t)written_ns;
}

void log_names_drop(struct log_follower *f, struct log_file *file) {
    uint64_t place[LOG_PLACE_NUMBERS];
    log_file_use_rest(file, &f->reader, true);
    if (f->reader.closing)
        return;
    log_file_place(file, &f->reader, 0, place);
    /* Those that nobody saw are read by their age: of what is to be found, nothing is older. */
    for (struct log_file *later = file->next; later; later = later->next)
        if (file->overtaken && (later->fresh || later->next) && later->since_ns < file->mtime_ns)
            later->since_ns = file->mtime_ns;
    if (!file->unlinked)
        remember(f, place, file->mtime_ns);
    unlink_file(f, file);
    log_file_move_starts(&f->reader, file, NULL);
    if (f->watch)
        log_watch_drop_file(f->watch, file->watch);
    log_file_free(file);
}

void log_names_all_older_told(struct log_follower *f, struct log_file *file) {
    for (const struct log_file *older = f->files; older != file && !file->older_left; older = older->next)
        if (file->since_ns < older->mtime_ns)
            file->since_ns = older->mtime_ns;
}

/* Where the list is full give up the oldest that is read, and not written as far as one can tell; not `keep`. */
static bool make_room(struct log_follower *f, const struct log_file *keep) {
    for (struct log_file *file = f->files; file && f->file_count >= LOG_FILES_MAX; file = file->next)
        if (file != keep && log_file_look(file) == 0 && (file->overtaken || file->size == 0) &&
            file->seen >= file->size) {
            log_names_drop(f, file);
            break;
        }
    return f->file_count < LOG_FILES_MAX && !f->reader.closing;
}

/* --- what came between --- */

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

/* Where an open file is now; false where it is nowhere. */
static bool path_of(const struct log_file *file, char out[PATH_MAX]) {
    char self[32];
    struct stat st;
    snprintf(self, sizeof self, "/proc/self/fd/%d", file->fd);
    ssize_t n = readlink(self, out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 && stat(out, &st) == 0 && is_file(file, &st);
}

/* Whether it went from under the name; *st is the file then. */
static bool is_away(const struct log_follower *f, const struct log_file *file, struct stat *st) {
    return (stat(f->path, st) < 0 || !is_file(file, st)) && fstat(file->fd, st) == 0;
}

bool log_names_take_older(struct log_follower *f, struct log_file *file) {
    struct log_found found[LOG_FILES_MAX];
    char path[PATH_MAX];
    struct stat st;
    bool changed = false, hidden;
    /* It went from under the name before we read it: what came there after it is no copy of what it held before. */
    bool away = is_away(f, file, &st);
    unsigned count = log_search_unknown(f, file->since_ns, away && path_of(file, path) ? path : NULL, away ? &st : NULL,
                                        found, &hidden);
    if (!away && is_away(f, file, &st)) { /* meanwhile: among those found may be what came after it */
        while (count > 0)
            close(found[--count].fd);
        count = log_search_unknown(f, file->since_ns, path_of(file, path) ? path : NULL, &st, found, &hidden);
    }
    file->older_left = hidden && file != f->files; /* where nothing was before it a gap is counted already */
    for (unsigned i = 0; i < count; i++) {
        unsigned had = f->file_count;
        bool room = make_room(f, file);
        struct log_file *older = room ? adopt(f, found[i].fd, &found[i].st) : NULL;
        if (!room)
            close(found[i].fd);
        changed |= older || f->file_count != had;
        file->older_left |= !older;
        if (!older)
            continue;
        older->found = true;
        older->since_ns = file->since_ns;
        link_file(f, older, file); // NOLINT(readability-suspicious-call-argument)
        f->reader.state->rotations++;
    }
    return changed;
}

void log_names_note_present(struct log_follower *f) {
    struct log_found found[LOG_FILES_MAX];
    uint64_t place[LOG_PLACE_NUMBERS];
    bool hidden;
    unsigned count = log_search_unknown(f, f->since_ns - BEFORE_US_NS, NULL, NULL, found, &hidden);
    for (unsigned i = 0; i < count; i++) {
        struct log_file *file = log_file_new(found[i].fd, &found[i].st);
        if (!file) {
            close(found[i].fd);
            continue;
        }
        log_file_go_to(file, file->size, false);
        log_file_place(file, &f->reader, 0, place);
        remember(f, place, file->mtime_ns);
        log_file_free(file);
    }
    f->noted = true;
}

/* --- the file of a place --- */

/* Go on where the place is; its file is known to fit. */
static void go_to_place(struct log_file *file, const uint64_t place[LOG_PLACE_NUMBERS]) {
    uint64_t back = place[FILE_BACK] < place[FILE_OFFSET] ? place[FILE_BACK] : place[FILE_OFFSET];
    log_file_go_to(file, place[FILE_OFFSET] - back, back == 0 && place[FILE_FLAGS] & FILE_SKIPPING);
    file->since_ns = (int64_t)place[FILE_SINCE];
}

/* The file that goes on where `place` is, opened there; NULL where there is none. */
static struct log_file *find_by_place(struct log_follower *f, const uint64_t place[LOG_PLACE_NUMBERS],
                                      const char *path) {
    struct stat st;
    int fd = log_search_place(f, place, path, &st);
    struct log_file *file = fd >= 0 ? adopt(f, fd, &st) : NULL;
    if (file)
        go_to_place(file, place);
    return file;
}

void log_names_restart(struct log_follower *f, struct log_file *file) {
    uint64_t place[LOG_PLACE_NUMBERS];
    bool had = file->seen > 0;
    log_file_place(file, &f->reader, 0, place);
    struct log_file *copy = had && make_room(f, file) ? find_by_place(f, place, NULL) : NULL;
    if (!copy && file->next && log_file_look(file) == 0) { /* what went from under the name is destroyed: no log */
        f->reader.state->gaps += !file->overtaken;
        log_names_drop(f, file);
        return;
    }
    if (!copy)
        remember(f, place, wall_now_ns()); /* what was copied before we read so far is not new */
    log_file_move_starts(&f->reader, file, copy);
    log_file_go_to(file, 0, false);
    file->size = 0;
    file->fresh = true;
    f->reader.state->truncations++;
    f->reader.state->gaps += had && !copy;
    f->reader.moved = true;
    if (copy)
        link_file(f, copy, file); // NOLINT(readability-suspicious-call-argument)
    log_names_take_older(f, file);
}

static void restore_one(struct log_follower *f, const struct log_place *saved) {
    const uint64_t *place = saved->number;
    bool nothing = place[FILE_FLAGS] & FILE_NOTHING;
    struct log_file *file = f->file_count < LOG_FILES_MAX && !nothing ? find_by_place(f, place, saved->text) : NULL;
    f->since_ns = (int64_t)place[FILE_SINCE];
    f->was_dev = (dev_t)place[FILE_DEV];
    f->was_ino = (ino_t)place[FILE_INO];
    if (file) {
        file->overtaken = place[FILE_FLAGS] & FILE_OVERTAKEN && place[FILE_BACK] == 0; /* its rest may be held */
        file->fresh = file->offset == 0;
        link_file(f, file, NULL);
        return;
    }
    if (!nothing)
        remember(f, place, wall_now_ns());
    f->reader.state->gaps += !nothing && !(place[FILE_FLAGS] & FILE_OVERTAKEN);
}

void log_names_restore(struct log_follower *f, const struct log_saved *saved) {
    for (unsigned i = 0; i < saved->count; i++)
        if (saved->places[i].number[FILE_FLAGS] & FILE_DONE)
            remember(f, saved->places[i].number, (int64_t)saved->places[i].number[FILE_SINCE]);
    for (unsigned i = 0; i < saved->count; i++)
        if (!(saved->places[i].number[FILE_FLAGS] & FILE_DONE))
            restore_one(f, &saved->places[i]);
    f->noted = true;
    struct stat st;
    struct log_file *file = log_names_newest(f);
    /* The clock was set back: by their times the files in between are not told from older ones. */
    f->reader.state->gaps += file && f->since_ns > wall_now_ns() && is_away(f, file, &st);
    /* The file is the same, but it may have been copied and truncated before anything of it was read. */
    if (file && file->fresh)
        log_names_take_older(f, file);
}

/* --- the name --- */

static void go_to_end(struct log_file *file, const struct stat *st) {
    char last;
    log_file_go_to(file, (uint64_t)st->st_size, false);
    file->skipping = pread(file->fd, &last, 1, st->st_size - 1) == 1 && last != '\n';
}

/* Whether it is the file of the place, as long as it was before we read so far: a machine that fell lost its end. */
static bool lost_its_end(int fd, const struct stat *st, const uint64_t place[LOG_PLACE_NUMBERS]) {
    uint64_t least = place[FILE_HEAD_LEN] < SURE_BEGINNING ? place[FILE_HEAD_LEN] : SURE_BEGINNING;
    return (uint64_t)st->st_size >= least && log_file_is(fd, st, place) && log_file_had(fd, st, place);
}

/* Somebody put a copy of `file` in its place, perhaps with more behind it: an editor does, `sed -i`, who moves the log
 * to another disk. Where to go on in it into *place; a short one is no proof. */
static bool is_copy(const struct log_follower *f, const struct log_file *file, int fd, const struct stat *st,
                    uint64_t place[LOG_PLACE_NUMBERS]) {
    log_file_place(file, &f->reader, 0, place);
    if (file->offset >= LOG_TAIL && log_file_fits(fd, st, place))
        return true;
    place[FILE_OFFSET] = (uint64_t)st->st_size; /* it is older than what was read since */
    return st->st_size >= LOG_TAIL && (uint64_t)st->st_size <= file->offset && log_file_is_copy(fd, st, file->fd);
}

/* The file that the name leads to, which is not in the list yet. Takes over `fd`. NULL when memory is short. */
static struct log_file *begin_file(struct log_follower *f, int fd, const struct stat *st) {
    struct log_file *file = adopt(f, fd, st), *before = log_names_newest(f);
    uint64_t place[LOG_PLACE_NUMBERS];
    bool at_end = f->begin_at_end && st->st_size > 0;
    if (!file)
        return NULL;
    file->fresh = true;
    for (unsigned i = 0; i < LOG_DONE_MAX; i++) { /* it was away, or we could not open it: go on with it */
        const uint64_t *done = f->done[i];
        if (done[FILE_INO] != 0 && log_file_is(fd, st, done) && log_file_fits(fd, st, done)) {
            go_to_place(file, done);
            file->fresh = file->offset == 0;
        } else if (done[FILE_INO] != 0 && file->fresh) {
            at_end |= lost_its_end(fd, st, done);
        }
    }
    if (at_end && (file->fresh || f->begin_at_end)) {
        go_to_end(file, st);
    } else if (file->fresh && before && is_copy(f, before, fd, st, place)) {
        go_to_place(file, place);
        file->fresh = false;
    }
    return file;
}

/* The name leads to `file` now. The others have a minute from here to get their last lines. */
static void make_newest(struct log_follower *f, struct log_file *file) {
    bool anew = f->was_ino && f->was_dev == file->dev && f->was_ino == file->ino;
    const struct log_file *before = log_names_newest(f);
    for (struct log_file *other = f->files; other; other = other->next)
        other->quiet_since_ms = uv_now(f->loop);
    f->reader.state->truncations += anew;
    f->reader.state->rotations += !anew && !file->found && (before || f->was_ino);
    f->was_ino = 0;
    file->found = false;
    file->overtaken = false;
    file->since_ns = before && before->since_ns > f->since_ns ? before->since_ns : f->since_ns;
    link_file(f, file, NULL);
    /* What is older than one of those before it belongs in front of that. */
    for (struct log_file *other = f->files; other && f->noted; other = other->next)
        if (other->fresh || other == file)
            log_names_take_older(f, other);
}

struct tied {
    const struct log_follower *f;
    struct stat newest;
    char *path; /* "" none yet */
};

/* Whether all of it was told when it was closed. */
static bool is_told(const struct log_follower *f, const struct stat *st) {
    for (unsigned i = 0; i < LOG_DONE_MAX; i++)
        if (f->done[i][FILE_INO] == st->st_ino && f->done[i][FILE_DEV] == st->st_dev &&
            f->done[i][FILE_OFFSET] >= (uint64_t)st->st_size)
            return true;
    return false;
}

static void take_tied(void *arg, const char *path, const struct stat *st) {
    struct tied *t = arg;
    int64_t written_ns = log_folder_mtime_ns(st);
    if (!t->path[0] && written_ns == log_folder_mtime_ns(&t->newest) && written_ns >= t->f->since_ns &&
        !find_file(t->f, st) && !is_told(t->f, st))
        snprintf(t->path, PATH_MAX, "%s", path);
}

/* The file that the pattern means. The clock of files ticks slowly: of those that were written in the same tick as the
 * newest, one that has what we did not read yet. */
static int find_match(const struct log_follower *f, char out[PATH_MAX]) {
    char other[PATH_MAX] = "";
    struct tied tied = {.f = f, .path = other};
    int rc = log_folder_newest(f->path, out);
    if (rc < 0 || !f->files || stat(out, &tied.newest) < 0)
        return rc;
    log_folder_matches(f->path, take_tied, &tied);
    if (other[0])
        memcpy(out, other, PATH_MAX);
    return 0;
}

int log_names_look(struct log_follower *f) {
    char matching[PATH_MAX];
    struct stat st;
    int rc = f->pattern ? find_match(f, matching) : 0;
    if (rc < 0)
        return rc;
    const char *path = f->pattern ? matching : f->path;
    if (stat(path, &st) < 0)
        return -errno;
    struct log_file *file = log_names_newest(f);
    if (file && is_file(file, &st)) {
        file->fresh |= file->found && file->offset == 0;
        file->found = false;
        return 0;
    }
    int fd = log_search_open(path, &st);
    if (fd < 0)
        return fd;
    file = find_file(f, &st);
    if (file) { /* an old acquaintance is back under the name: our place in it is still good */
        close(fd);
        if (file != log_names_newest(f)) {
            file->fresh = file->offset == 0; /* or it came under the name while the folder was searched */
            unlink_file(f, file);
            make_newest(f, file);
        }
        return 0;
    }
    /* Its copies belong in front of it, and not of the one that came after it. */
    file = log_names_newest(f);
    if (file && log_file_is_another(file))
        log_names_restart(f, file);
    uint64_t place[LOG_PLACE_NUMBERS];
    bool unread = file && file->seen < file->size && is_copy(f, file, fd, &st, place); /* both have that */
    if (unread || !make_room(f, file)) {
        close(fd);
        return -EBUSY;
    }
    file = begin_file(f, fd, &st);
    if (!file)
        return -ENOMEM;
    f->begin_at_end = false;
    make_newest(f, file);
    return 0;
}

void log_follower_save(const struct log_follower *f, struct log_saved *out) {
    if (f->waiting) {
        log_saved_add_all(out, f->waiting);
        return;
    }
    unsigned held = f->reader.sink->held(f->reader.sink->arg);
    uint64_t place[LOG_PLACE_NUMBERS];
    char path[PATH_MAX];
    for (unsigned i = 0; i < LOG_DONE_MAX; i++) {
        const uint64_t *done = f->done[i];
        if (done[FILE_INO] != 0)
            log_saved_add(out, done, NULL);
    }
    for (const struct log_file *file = f->files; file; file = file->next) {
        log_file_place(file, &f->reader, held, place);
        log_saved_add(out, place, path_of(file, path) ? path : NULL);
    }
    if (!f->files && !f->begin_at_end) {
        memset(place, 0, sizeof place);
        place[FILE_DEV] = f->was_dev;
        place[FILE_INO] = f->was_ino;
        place[FILE_FLAGS] = FILE_NOTHING;
        place[FILE_SINCE] = (uint64_t)f->since_ns;
        log_saved_add(out, place, NULL);
    }
    held = held < f->reader.start_count ? held : f->reader.start_count;
    out->state.lines -= held;
    out->state.bytes -= log_file_held_bytes(&f->reader, held);
}
