/*
 * Texts that outlive us; see state_store.h.
 *
 * What waits is a short list by name. The first of it is written by a job in the pool; when that ends the next one's
 * turn comes. What could not be written stays in the list and is tried again after a pause, so that a full disk costs
 * one try a time, not one for each text.
 */
#include "base/state_store.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/records.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_KEPT = 180,             /* bytes of an escaped name that a file's name shows */
    TEXT_MAX = 16 * 1024 * 1024, /* a longer file is not ours */
    RETRY_MS = 5 * 1000,
};

static const char suffix[] = ".state", temporary_suffix[] = ".tmp";

/* One text under its name. */
struct text {
    struct text *next;
    char *name;
    struct strbuf text;
};

/* What the pool works on: nothing of it is touched by the loop meanwhile. */
struct job {
    uv_work_t work;
    struct state_store *store;
    int folder_fd;
    struct strbuf text;
    char file[NAME_MAX + 1], temporary[NAME_MAX + 1];
    char *name;
    int rc;
};

struct state_store {
    uv_loop_t *loop;
    char *folder;
    int folder_fd;
    int spare_fd; /* for the text that is loaded while no descriptor is left */
    struct text *texts;
    struct job job;
    bool working, closing, failing;
    uv_timer_t retry;
    bool retry_closed;
    char path[PATH_MAX];
    struct state_store_facts facts;
};

/* --- names --- */

/* A file's name for any name: what could lead out of the folder, or hide, is escaped; what is too long is cut and told
 * apart by its hash. */
static void make_file_name(const char *name, char out[NAME_MAX + 1]) {
    char escaped[3 * NAME_KEPT + 1];
    size_t len = 0;
    bool whole = true;
    for (const char *c = name; *c && whole; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                     (*c && strchr("_:@[]-", *c)) || (*c == '.' && c > name);
        whole = len + 3 <= NAME_KEPT;
        if (whole)
            len += (size_t)snprintf(escaped + len, 4, plain ? "%c" : "%%%02x", (unsigned char)*c);
    }
    escaped[len] = '\0';
    if (whole)
        snprintf(out, NAME_MAX + 1, "%.*s%s", NAME_KEPT, escaped, suffix);
    else
        snprintf(out, NAME_MAX + 1, "%.*s~%016llx%s", NAME_KEPT, escaped,
                 (unsigned long long)hash_bytes(name, strlen(name)), suffix);
}

const char *state_store_file(struct state_store *store, const char *name) {
    char file[NAME_MAX + 1];
    store->path[0] = '\0';
    if (!store->folder)
        return store->path;
    make_file_name(name, file);
    if ((size_t)snprintf(store->path, sizeof store->path, "%s/%s", store->folder, file) >= sizeof store->path)
        store->path[0] = '\0';
    return store->path;
}

/* --- the list --- */

static struct text *find(struct state_store *store, const char *name) {
    struct text *t = store->texts;
    while (t && strcmp(t->name, name) != 0)
        t = t->next;
    return t;
}

static void free_text(struct text *t) {
    strbuf_release(&t->text);
    free(t->name);
    free(t);
}

static void drop(struct state_store *store, struct text *t) {
    struct text **p = &store->texts;
    while (*p != t)
        p = &(*p)->next;
    *p = t->next;
    free_text(t);
    store->facts.waiting -= store->folder != NULL;
}

/* --- writing, in the pool --- */

static int open_folder(const char *folder) {
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
    if (rc == -EROFS)
        rc = 0; /* may be remounted: told at the first write */
    if (rc == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        rc = -errno;
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

static int write_whole(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int replace_file(const struct job *job) {
    unlinkat(job->folder_fd, job->temporary, 0); /* of a run that was killed */
    int fd = openat(job->folder_fd, job->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = write_whole(fd, job->text.data, job->text.len);
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && renameat(job->folder_fd, job->temporary, job->folder_fd, job->file) < 0)
        rc = -errno;
    if (rc < 0)
        unlinkat(job->folder_fd, job->temporary, 0);
    else if (fsync(job->folder_fd) < 0)
        rc = -errno;
    return rc;
}

static void in_pool(uv_work_t *work) {
    struct job *job = work->data;
    job->rc = replace_file(job);
    int fd = job->rc == -ENOENT ? open_folder(job->store->folder) : -1; /* somebody removed it */
    if (fd < 0)
        return;
    job->folder_fd = fd;
    job->rc = replace_file(job);
}

/* --- whose turn it is, on the loop --- */

static void write_next(struct state_store *store);

static void on_retry(uv_timer_t *timer) {
    write_next(timer->data);
}

static void say_outcome(struct state_store *store, int rc) {
    if (rc < 0)
        log_error("state cannot be written, it is kept in memory and tried again", LF_STR("folder", store->folder),
                  LF_STR("error", strerror(-rc)));
    else if (store->failing)
        log_info("state is written again", LF_STR("folder", store->folder));
    store->failing = rc < 0;
}

/* The job has ended. A text that could not be written waits on, unless a newer one has come: until the pause is over.
 */
static void after_pool(uv_work_t *work, int status) {
    struct job *job = work->data;
    struct state_store *store = job->store;
    int rc = status < 0 ? status : job->rc;
    char *name = job->name;
    struct strbuf text = job->text;
    job->name = NULL;
    job->text = (struct strbuf){0};
    store->working = false;
    store->facts.waiting--;
    if (job->folder_fd != store->folder_fd) {
        log_warn("the folder of the state was removed: another is used", LF_STR("folder", store->folder));
        close(store->folder_fd);
        store->folder_fd = job->folder_fd;
    }
    say_outcome(store, rc);
    if (rc < 0) {
        store->facts.failures++;
        if (!store->closing)
            uv_timer_start(&store->retry, on_retry, RETRY_MS, 0);
        if (!store->closing && !find(store, name))
            state_store_put(store, name, &text);
    } else {
        store->facts.writes++;
        store->facts.last_write_wall_ns = wall_now_ns();
    }
    strbuf_release(&text);
    free(name);
    if (rc == 0 || store->closing)
        write_next(store);
}

static void write_next(struct state_store *store) {
    struct text *t = store->texts;
    struct job *job = &store->job;
    if (!store->folder || store->working || !t)
        return;
    make_file_name(t->name, job->file);
    snprintf(job->temporary, sizeof job->temporary, "%.*s%s", (int)(sizeof job->temporary - sizeof temporary_suffix),
             job->file, temporary_suffix);
    job->folder_fd = store->folder_fd;
    job->text = t->text;
    job->name = t->name;
    job->work.data = job;
    job->store = store;
    t->text = (struct strbuf){0};
    t->name = NULL;
    drop(store, t);
    store->facts.waiting++; /* until the job has ended */
    store->working = true;
    if (uv_queue_work(store->loop, &job->work, in_pool, after_pool) < 0)
        after_pool(&job->work, UV_ENOMEM);
}

void state_store_put(struct state_store *store, const char *name, struct strbuf *text) {
    struct text *t = find(store, name);
    if (strbuf_failed(text)) {
        strbuf_release(text);
        log_error("state is too large to be kept, or memory is short", LF_STR("name", name));
        return;
    }
    if (t) {
        strbuf_release(&t->text);
        t->text = *text;
    } else {
        struct text **p = &store->texts;
        t = calloc(1, sizeof *t);
        if (!t || !(t->name = strdup(name))) {
            free(t);
            strbuf_release(text);
            return;
        }
        t->text = *text;
        while (*p)
            p = &(*p)->next;
        *p = t;
        store->facts.waiting += store->folder != NULL;
    }
    *text = (struct strbuf){.max = text->max};
    if (!uv_is_active((uv_handle_t *)&store->retry))
        write_next(store);
}

/* --- reading --- */

/* A state is not lost for a shortage: who reads it waits for what else he needs. */
static int open_file(struct state_store *store, const char *file) {
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    int fd = openat(store->folder_fd, file, flags);
    if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || store->spare_fd < 0)
        return fd;
    close(store->spare_fd);
    store->spare_fd = -1;
    return openat(store->folder_fd, file, flags);
}

static void keep_spare(struct state_store *store) {
    if (store->spare_fd < 0)
        store->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static char *copy_of(const struct strbuf *text, size_t *len, int *rc) {
    char *copy = malloc(text->len + 1);
    *rc = copy ? 0 : -ENOMEM;
    if (copy) {
        memcpy(copy, strbuf_text(text), text->len + 1);
        *len = text->len;
    }
    return copy;
}

static char *read_file(int fd, size_t *len, int *rc) {
    struct stat st;
    char *text = NULL;
    size_t got = 0;
    *rc = fstat(fd, &st) < 0 ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : st.st_size > TEXT_MAX ? -EFBIG : 0;
    if (*rc < 0 || !(text = malloc((size_t)st.st_size + 1))) {
        *rc = *rc < 0 ? *rc : -ENOMEM;
        return NULL;
    }
    while (got < (size_t)st.st_size) {
        ssize_t n = read(fd, text + got, (size_t)st.st_size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            *rc = n < 0 ? -errno : 0;
            break;
        }
        got += (size_t)n;
    }
    if (*rc < 0) {
        free(text);
        return NULL;
    }
    text[got] = '\0';
    *len = got;
    return text;
}

char *state_store_load(struct state_store *store, const char *name, size_t *len, int *rc) {
    const struct text *t = find(store, name);
    char file[NAME_MAX + 1];
    *rc = 0;
    *len = 0;
    if (t)
        return copy_of(&t->text, len, rc);
    if (store->job.name && strcmp(store->job.name, name) == 0)
        return copy_of(&store->job.text, len, rc); /* the pool only reads it */
    if (!store->folder)
        return NULL;
    make_file_name(name, file);
    int fd = open_file(store, file);
    if (fd < 0) {
        *rc = errno == ENOENT ? 0 : -errno;
        keep_spare(store);
        return NULL;
    }
    char *text = read_file(fd, len, rc);
    close(fd);
    keep_spare(store);
    return text;
}

void state_store_set_aside(struct state_store *store, const char *name, struct strbuf *kept) {
    char file[NAME_MAX + 1], aside[NAME_MAX + 1];
    struct text *t = find(store, name);
    if (t)
        drop(store, t);
    if (!store->folder)
        return;
    make_file_name(name, file);
    snprintf(aside, sizeof aside, "%.*s.corrupt-%lld", NAME_KEPT + 30, file, (long long)(wall_now_ns() / NS_PER_S));
    if (renameat(store->folder_fd, file, store->folder_fd, aside) == 0 && kept)
        strbuf_addf(kept, "%s/%s", store->folder, aside);
}

const struct state_store_facts *state_store_facts(const struct state_store *store) {
    return &store->facts;
}

/* --- begin and end --- */

struct state_store *state_store_open(uv_loop_t *loop, const char *folder, struct strbuf *error) {
    struct state_store *store = calloc(1, sizeof *store);
    int fd = -1;
    if (!store || (folder && !(store->folder = strdup(folder)))) {
        free(store);
        strbuf_addstr(error, "out of memory");
        return NULL;
    }
    if (folder && (fd = open_folder(folder)) < 0) {
        strbuf_addf(error, "%s: %s", folder,
                    fd == -EWOULDBLOCK ? "another program keeps its state there" : strerror(-fd));
        free(store->folder);
        free(store);
        return NULL;
    }
    store->loop = loop;
    store->folder_fd = fd;
    store->spare_fd = -1;
    if (folder)
        keep_spare(store);
    store->facts.persistent = folder != NULL;
    uv_timer_init(loop, &store->retry);
    uv_unref((uv_handle_t *)&store->retry);
    store->retry.data = store;
    return store;
}

static void on_retry_closed(uv_handle_t *handle) {
    struct state_store *store = handle->data;
    store->retry_closed = true;
}

void state_store_close(struct state_store *store) {
    if (!store)
        return;
    if (store->working) /* it may fail and be put back */
        while (store->working)
            uv_run(store->loop, UV_RUN_ONCE);
    store->closing = true;
    write_next(store);
    while (store->working)
        uv_run(store->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&store->retry, on_retry_closed);
    while (!store->retry_closed)
        uv_run(store->loop, UV_RUN_NOWAIT);
    while (store->texts) {
        struct text *t = store->texts;
        store->texts = t->next;
        free_text(t);
    }
    if (store->folder_fd >= 0)
        close(store->folder_fd);
    if (store->spare_fd >= 0)
        close(store->spare_fd);
    free(store->folder);
    free(store);
}
