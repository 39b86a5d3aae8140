/*
 * What the folder of a followed log has: files that nobody saw under the name, and the file that a saved place is in.
 * Names change while we look; so what is found is opened at once, and the folder is read twice.
 */
#include "observe/log_folder.h"
#include "observe/log_follower_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_type(const struct stat *st) {
    return S_ISREG(st->st_mode) ? 0 : S_ISDIR(st->st_mode) ? -EISDIR : -ESPIPE;
}

/* Looks first: to open a pipe would wake its writer. */
int log_search_open(const char *path, struct stat *st) {
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

/* The folder of the name, and that which the name's link leads to. Whether they could be read, as far as they are
 * there. */
static bool scan_folders(const struct log_follower *f, log_folder_fn *fn, void *arg) {
    char matching[PATH_MAX], real[PATH_MAX];
    bool any = f->pattern && log_folder_newest(f->path, matching) == 0;
    const char *name = any ? matching : f->path;
    int rc = log_folder_scan(f->path, fn, arg), real_rc = 0;
    if (realpath(name, real) && strcmp(real, name) != 0)
        real_rc = log_folder_scan(real, fn, arg);
    return (rc == 0 || rc == -ENOENT) && real_rc == 0;
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* --- what nobody saw --- */

static bool is_in(const struct log_follower *f, const struct stat *st) {
    const struct log_file *file = f->files;
    while (file && (file->dev != st->st_dev || file->ino != st->st_ino))
        file = file->next;
    return file != NULL;
}

/* Whether what is in the file is told, or will be by one that we have: it is a copy of such a one. */
static bool is_known(const struct log_follower *f, int fd, const struct stat *st) {
    uint64_t place[LOG_PLACE_NUMBERS];
    for (const struct log_file *file = f->files; file; file = file->next) {
        log_file_place(file, &f->reader, 0, place);
        if (file->offset > 0 ? log_file_fits(fd, st, place) || log_file_had(fd, st, place)
                             : log_file_is_copy(fd, st, file->fd))
            return true;
    }
    for (unsigned i = 0; i < LOG_DONE_MAX; i++)
        if (f->done[i][FILE_INO] != 0 && (log_file_fits(fd, st, f->done[i]) || log_file_had(fd, st, f->done[i])))
            return true;
    return false;
}

struct search {
    const struct log_follower *f;
    int64_t since_ns;
    const struct stat *st;   /* the file that those sought are older than; NULL: does not matter */
    const char *path;        /* where it is; NULL nowhere */
    struct stat named;       /* what is under the name now, and younger than that */
    struct log_found *found; /* the oldest first */
    unsigned count;
    bool hidden; /* one could not be opened */
};

static void release(struct log_found *found) {
    close(found->fd);
    free(found->path);
}

/* Where it belongs by age; LOG_FILES_MAX: it is there already, or too young. */
static unsigned position(const struct search *s, const char *path, const struct stat *st) {
    unsigned at = s->count;
    for (unsigned i = 0; i < s->count; i++)
        if (same_file(&s->found[i].st, st))
            return LOG_FILES_MAX;
    while (at > 0 && log_folder_compare(path, st, s->found[at - 1].path, &s->found[at - 1].st) < 0)
        at--;
    return at;
}

static bool is_too_young(const struct search *s, const char *path, const struct stat *st) {
    if (!s->st)
        return false;
    if (same_file(&s->named, st))
        return true;
    return s->path ? log_folder_compare(path, st, s->path, s->st) > 0
                   : log_folder_mtime_ns(st) >= log_folder_mtime_ns(s->st);
}

static void take_unknown(void *arg, const char *path, const struct stat *hint) {
    struct search *s = arg;
    struct log_found found;
    if (log_folder_mtime_ns(hint) < s->since_ns || hint->st_size == 0 || is_in(s->f, hint) ||
        is_too_young(s, path, hint))
        return;
    unsigned at = position(s, path, hint);
    if (at == LOG_FILES_MAX)
        return;
    found.fd = log_search_open(path, &found.st);
    s->hidden |= found.fd < 0 && found.fd != -ENOENT;
    if (found.fd < 0)
        return;
    if (!same_file(&found.st, hint) || is_known(s->f, found.fd, &found.st) || !(found.path = strdup(path))) {
        close(found.fd);
        return;
    }
    if (s->count == LOG_FILES_MAX)
        release(&s->found[--s->count]);
    memmove(&s->found[at + 1], &s->found[at], (s->count - at) * sizeof found);
    s->found[at] = found;
    s->count++;
}

/* The file was copied twice: the longer copy has all. */
static bool has_longer_copy(const struct log_found *found, unsigned count, unsigned which) {
    for (unsigned i = 0; i < count; i++)
        if (i != which && log_file_is_copy(found[which].fd, &found[which].st, found[i].fd) &&
            (found[which].st.st_size < found[i].st.st_size || i < which))
            return true;
    return false;
}

unsigned log_search_unknown(const struct log_follower *f, int64_t since_ns, const char *path, const struct stat *st,
                            struct log_found found[LOG_FILES_MAX], bool *hidden) {
    struct search s = {.f = f, .since_ns = since_ns, .st = st, .path = path, .found = found};
    if (stat(f->path, &s.named) < 0)
        s.named.st_ino = 0;
    bool open = scan_folders(f, take_unknown, &s);
    *hidden = !scan_folders(f, take_unknown, &s) || !open || s.hidden;
    bool spare[LOG_FILES_MAX];
    for (unsigned i = 0; i < s.count; i++)
        spare[i] = has_longer_copy(found, s.count, i);
    unsigned kept = 0;
    for (unsigned i = 0; i < s.count; i++) {
        free(found[i].path);
        found[i].path = NULL;
        if (spare[i])
            close(found[i].fd);
        else
            found[kept++] = found[i];
    }
    return kept;
}

/* --- the file of a place --- */

struct match {
    const struct log_follower *f;
    const uint64_t *place;
    int fd; /* -1 none */
    struct stat st;
    bool same; /* its inode, too */
};

/* The very file is best, then the longest copy. */
static void try_match(void *arg, const char *path, const struct stat *hint) {
    struct match *m = arg;
    struct stat st;
    if (m->same || (uint64_t)hint->st_size < m->place[FILE_OFFSET] || is_in(m->f, hint))
        return;
    int fd = log_search_open(path, &st);
    if (fd < 0)
        return;
    bool same = log_file_is(fd, &st, m->place);
    if ((m->fd >= 0 && !same && st.st_size <= m->st.st_size) || !log_file_fits(fd, &st, m->place) || is_in(m->f, &st)) {
        close(fd);
        return;
    }
    if (m->fd >= 0)
        close(m->fd);
    m->fd = fd;
    m->st = st;
    m->same = same;
}

int log_search_place(const struct log_follower *f, const uint64_t place[LOG_PLACE_NUMBERS], const char *path,
                     struct stat *st) {
    struct match m = {.f = f, .place = place, .fd = -1};
    if (path && stat(path, st) == 0)
        try_match(&m, path, st);
    if (!m.same && stat(f->path, st) == 0)
        try_match(&m, f->path, st);
    for (int twice = 0; twice < 2 && !m.same; twice++)
        scan_folders(f, try_match, &m);
    if (!m.same && path)
        log_folder_scan(path, try_match, &m);
    if (m.fd >= 0)
        *st = m.st;
    return m.fd;
}
