/*
 * inotify; see log_watch.h. libuv's own watches would wake us for every write to every file of the folder.
 */
#include "observe/log_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FILE_EVENTS (IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)
#define FOLDER_EVENTS                                                                                                  \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define SELF_EVENTS (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)
/* Of a folder that is only on the way; it may be one of the others, too. */
#define WAY_EVENTS (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD)

enum { NAMES_MAX = 64, LINKS_MAX = 8 };

/* A name (or pattern) in a folder; NULL: what happens to the folder itself. */
struct watched_name {
    int descriptor;
    char *name;
};

struct log_watch {
    uv_poll_t poll;
    int fd;
    log_watch_fn *on_change;
    void *arg;
    struct watched_name names[NAMES_MAX];
    unsigned count;
};

/* --- events --- */

static bool is_name(const char *pattern, const char *name) {
    return strcmp(pattern, name) == 0 || fnmatch(pattern, name, 0) == 0;
}

static bool concerns_name(const struct log_watch *watch, const struct inotify_event *event) {
    for (unsigned i = 0; i < watch->count; i++)
        if (watch->names[i].descriptor == event->wd &&
            (event->mask & SELF_EVENTS || event->len == 0 ||
             (watch->names[i].name && is_name(watch->names[i].name, event->name))))
            return true;
    return false;
}

static bool is_folder(const struct log_watch *watch, int descriptor) {
    for (unsigned i = 0; i < watch->count; i++)
        if (watch->names[i].descriptor == descriptor)
            return true;
    return false;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    struct log_watch *watch = poll->data;
    _Alignas(struct inotify_event) char buffer[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
    bool names = false, files = false;
    ssize_t n = read(watch->fd, buffer, sizeof buffer); /* what is left makes the descriptor readable again */
    (void)status, (void)events;
    for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
        const struct inotify_event *event = (const void *)(buffer + at);
        if (event->mask & IN_Q_OVERFLOW)
            names = files = true;
        else if (is_folder(watch, event->wd))
            names |= concerns_name(watch, event);
        else if (event->mask &
                 IN_IGNORED) /* a watch is over: of a next write, or of a file that is not read any more */
            names = true;
        else
            files = true;
        at += (ssize_t)(sizeof *event + event->len);
    }
    if (names || files)
        watch->on_change(watch->arg, names);
}

/* --- files --- */

/* Whether what is there changes under other hands than this kernel's. */
static bool is_remote(const char *path) {
    /* <linux/magic.h> lacks some of these. */
    static const unsigned long remote[] = {
        0x6969,     0xFF534D42, 0xFE534D42, 0x517B, 0x65735546, 0x01021997, 0x00C36400,
        0x5346414F, 0x6B414653, 0x73757245, 0x564C, 0x0BD00BD0, 0x786F4256, 0x6A656A63, /* NFS, SMB, FUSE, 9P … */
    };
    struct statfs fs;
    if (statfs(path, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++)
        if (((unsigned long)fs.f_type & 0xFFFFFFFF) == remote[i])
            return true;
    return false;
}

/* By the descriptor, not by the name: it is on this very file, and stays on it when it is renamed. */
int log_watch_file(struct log_watch *watch, int fd) {
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return is_remote(self) ? -1 : inotify_add_watch(watch->fd, self, FILE_EVENTS);
}

void log_watch_drop_file(struct log_watch *watch, int descriptor) {
    if (descriptor >= 0)
        inotify_rm_watch(watch->fd, descriptor);
}

/* --- names --- */

static bool watch_folder(struct log_watch *watch, const char *folder, uint32_t events, const char *name) {
    int descriptor = watch->count < NAMES_MAX ? inotify_add_watch(watch->fd, folder, events) : -1;
    char *copy = name ? strdup(name) : NULL;
    if (descriptor < 0 || (name && !copy)) {
        free(copy);
        return false;
    }
    watch->names[watch->count++] = (struct watched_name){descriptor, copy};
    return true;
}

static bool watch_name(struct log_watch *watch, const char *folder, const char *name) {
    return !is_remote(folder) && watch_folder(watch, folder, FOLDER_EVENTS, name);
}

static void forget_names(struct log_watch *watch) {
    while (watch->count > 0)
        free(watch->names[--watch->count].name);
}

/* What is left of a path to walk, and how far it was walked. */
struct walk {
    char done[PATH_MAX], rest[PATH_MAX], scratch[PATH_MAX];
    char part[NAME_MAX + 1];
    size_t folder_len; /* of `done`, without the last part */
};

/* Move the next part from `rest` to `done`. False at the end, or where it is too long. */
static bool next_part(struct walk *w) {
    const char *part = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(part, "/");
    w->folder_len = strlen(w->done);
    if (len == 0 || len > NAME_MAX || w->folder_len + 1 + len >= sizeof w->done)
        return false;
    snprintf(w->part, sizeof w->part, "%.*s", (int)len, part);
    snprintf(w->done + w->folder_len, sizeof w->done - w->folder_len, "/%s", w->part);
    part += len;
    part += strspn(part, "/");
    memmove(w->rest, part, strlen(part) + 1);
    return true;
}

/* The last part is a link: what it says comes in its place. */
static bool follow_link(struct walk *w) {
    char target[PATH_MAX];
    ssize_t n = readlink(w->done, target, sizeof target - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    int len = snprintf(w->scratch, sizeof w->scratch, "%s/%s", target, w->rest);
    if (len < 0 || (size_t)len >= sizeof w->scratch)
        return false;
    memcpy(w->rest, w->scratch, (size_t)len + 1);
    w->done[target[0] == '/' ? 0 : w->folder_len] = '\0';
    return true;
}

/* Watch the last part in its folder. */
static bool watch_part(struct log_watch *watch, struct walk *w) {
    w->done[w->folder_len] = '\0';
    bool ok = watch_name(watch, w->folder_len ? w->done : "/", w->part);
    w->done[w->folder_len] = '/';
    return ok;
}

/* What can change where a path leads is a name in it that is a link, the first that is missing, the last one, and a
 * folder in it that is moved. What is mounted over a folder later is not seen. */
static bool walk_path(struct log_watch *watch, struct walk *w) {
    unsigned links = 0;
    struct stat st;
    while (next_part(w)) {
        int rc = lstat(w->done, &st);
        bool link = rc == 0 && S_ISLNK(st.st_mode), last = w->rest[0] == '\0';
        if (!link && !last && rc == 0) {
            if (!watch_folder(watch, w->done, WAY_EVENTS, NULL))
                return false;
            continue;
        }
        if (!watch_part(watch, w))
            return false;
        if (!link)
            return true;
        if (++links > LINKS_MAX || !follow_link(w))
            return false;
    }
    return false;
}

static bool walk(struct log_watch *watch, const char *path) {
    struct walk w = {.rest = ""};
    snprintf(w.rest, sizeof w.rest, "%s", path);
    return walk_path(watch, &w);
}

bool log_watch_path(struct log_watch *watch, const char *path, const char *match) {
    int before[NAMES_MAX];
    unsigned before_count = watch->count;
    for (unsigned i = 0; i < before_count; i++)
        before[i] = watch->names[i].descriptor;
    forget_names(watch);
    bool ok = walk(watch, path) && (!match || walk(watch, match));
    for (unsigned i = 0; i < before_count; i++)
        if (!is_folder(watch, before[i]))
            inotify_rm_watch(watch->fd, before[i]); /* twice for some: the second fails, and does no harm */
    return ok;
}

bool log_watch_next_write(struct log_watch *watch, const char *path) {
    /* IN_MASK_CREATE leaves the watch of a file that is read as it is. */
    return inotify_add_watch(watch->fd, path, IN_MODIFY | IN_ONESHOT | IN_MASK_CREATE) >= 0 || errno != ENOSPC;
}

/* --- begin and end --- */

struct log_watch *log_watch_start(uv_loop_t *loop, log_watch_fn *on_change, void *arg) {
    struct log_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0 || uv_poll_init(loop, &watch->poll, watch->fd) < 0) {
        if (watch->fd >= 0)
            close(watch->fd);
        free(watch);
        return NULL;
    }
    watch->on_change = on_change;
    watch->arg = arg;
    watch->poll.data = watch;
    uv_poll_start(&watch->poll, UV_READABLE, on_readable);
    return watch;
}

static void on_closed(uv_handle_t *handle) {
    struct log_watch *watch = handle->data;
    close(watch->fd);
    forget_names(watch);
    free(watch);
}

void log_watch_close(struct log_watch *watch) {
    if (watch)
        uv_close((uv_handle_t *)&watch->poll, on_closed);
}
