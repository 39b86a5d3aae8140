/*
 * Targets out of files; see discovery.h.
 */
#include "discovery.h"

#include "base/clock.h"
#include "base/log.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_MS 100 /* who writes several files, or one in pieces, is let come to an end */
#define ERROR_MAX 4096

struct sd_file {
    char *path;
    struct target_list targets;
    bool there; /* at this look */
};

struct watch {
    uv_fs_event_t event;
    char *folder;
};

struct discovery {
    const struct config *config;
    struct discovery_facts *facts;
    void (*changed)(void *arg);
    void *arg;
    struct sd_file *files;
    size_t file_count;
    struct watch *watches;
    size_t watch_count;
    uv_timer_t timer; /* to the next look */
    size_t open_handles;
};

/* --- reading --- */

static bool same_targets(const struct target_list *a, const struct target_list *b) {
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!target_config_equal(a->targets[i], b->targets[i]))
            return false;
    return true;
}

static struct sd_file *find_or_add(struct discovery *d, const char *path) {
    for (size_t i = 0; i < d->file_count; i++)
        if (strcmp(d->files[i].path, path) == 0)
            return &d->files[i];
    struct sd_file *files = reallocarray(d->files, d->file_count + 1, sizeof *files);
    if (!files)
        return NULL;
    d->files = files;
    files[d->file_count] = (struct sd_file){.path = strdup(path)};
    return files[d->file_count].path ? &files[d->file_count++] : NULL;
}

/* Whether it has other targets now. */
static bool read_file(struct discovery *d, struct sd_file *file) {
    struct target_list targets = {NULL, 0};
    struct strbuf error;
    strbuf_init(&error, ERROR_MAX);
    bool ok = file_sd_read(d->config, file->path, &targets, &error);
    if (!ok) {
        d->facts->failures++;
        log_error("targets not read from the file, those it gave before stay", LF_STR("error", strbuf_text(&error)));
    }
    strbuf_release(&error);
    bool other = ok && !same_targets(&targets, &file->targets);
    if (other) {
        target_list_release(&file->targets);
        file->targets = targets;
    } else {
        target_list_release(&targets);
    }
    return other;
}

static void free_file(struct sd_file *file) {
    target_list_release(&file->targets);
    free(file->path);
}

static bool drop_gone(struct discovery *d) {
    size_t kept = 0;
    bool any = false;
    for (size_t i = 0; i < d->file_count; i++) {
        if (d->files[i].there) {
            d->files[kept++] = d->files[i];
            continue;
        }
        any |= d->files[i].targets.count > 0;
        free_file(&d->files[i]);
    }
    d->file_count = kept;
    return any;
}

static bool look_at_pattern(struct discovery *d, const char *pattern) {
    glob_t found;
    bool other = false;
    if (glob(pattern, 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct sd_file *file = find_or_add(d, found.gl_pathv[i]);
        if (file && !file->there) {
            file->there = true;
            other |= read_file(d, file);
        }
    }
    globfree(&found);
    return other;
}

static bool look(struct discovery *d) {
    uint64_t failures = d->facts->failures;
    bool other = false;
    for (size_t i = 0; i < d->file_count; i++)
        d->files[i].there = false;
    for (size_t i = 0; i < d->config->sd_files.count; i++)
        other |= look_at_pattern(d, d->config->sd_files.texts[i]);
    other |= drop_gone(d);
    d->facts->files = d->file_count;
    d->facts->targets = 0;
    for (size_t i = 0; i < d->file_count; i++)
        d->facts->targets += d->files[i].targets.count;
    if (d->facts->failures == failures)
        d->facts->last_success_wall_ns = wall_now_ns();
    return other;
}

/* --- watching --- */

static void on_timer(uv_timer_t *timer);

static void look_in(struct discovery *d, uint64_t ms) {
    uv_timer_start(&d->timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer) {
    struct discovery *d = timer->data;
    bool other = look(d);
    look_in(d, (uint64_t)(d->config->sd_refresh_ns / NS_PER_MS));
    if (other)
        d->changed(d->arg);
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status) {
    (void)name;
    (void)events;
    (void)status;
    look_in(event->data, SETTLE_MS);
}

static void on_closed(uv_handle_t *handle) {
    struct discovery *d = handle->data;
    if (--d->open_handles > 0)
        return;
    for (size_t i = 0; i < d->file_count; i++)
        free_file(&d->files[i]);
    for (size_t i = 0; i < d->watch_count; i++)
        free(d->watches[i].folder);
    free(d->files);
    free(d->watches);
    free(d);
}

/* Where it cannot be watched the interval has to do. */
static void watch_folder(uv_loop_t *loop, struct discovery *d, const char *pattern) {
    const char *slash = strrchr(pattern, '/');
    struct watch *w = &d->watches[d->watch_count];
    w->folder = strndup(pattern, slash == pattern ? 1 : (size_t)(slash - pattern));
    if (!w->folder || uv_fs_event_init(loop, &w->event) < 0) {
        free(w->folder);
        return;
    }
    w->event.data = d;
    d->watch_count++;
    d->open_handles++;
    uv_fs_event_start(&w->event, on_event, w->folder, 0);
}

struct discovery *discovery_start(uv_loop_t *loop, const struct config *config, struct discovery_facts *facts,
                                  void (*changed)(void *arg), void *arg) {
    struct discovery *d = calloc(1, sizeof *d);
    struct watch *watches = calloc(config->sd_files.count + 1, sizeof *watches);
    if (!d || !watches) {
        free(d);
        free(watches);
        return NULL;
    }
    *d = (struct discovery){.config = config, .facts = facts, .changed = changed, .arg = arg, .watches = watches};
    uv_timer_init(loop, &d->timer);
    d->timer.data = d;
    d->open_handles = 1;
    for (size_t i = 0; i < config->sd_files.count; i++)
        watch_folder(loop, d, config->sd_files.texts[i]);
    look(d);
    look_in(d, (uint64_t)(config->sd_refresh_ns / NS_PER_MS));
    return d;
}

bool discovery_add_targets(const struct discovery *d, struct target_list *list) {
    for (size_t i = 0; i < d->file_count; i++)
        for (size_t k = 0; k < d->files[i].targets.count; k++)
            if (!target_list_add_copy(list, d->files[i].targets.targets[k]))
                return false;
    return target_list_make_unique(list);
}

void discovery_stop(struct discovery *d) {
    if (!d)
        return;
    uv_close((uv_handle_t *)&d->timer, on_closed);
    for (size_t i = 0; i < d->watch_count; i++)
        uv_close((uv_handle_t *)&d->watches[i].event, on_closed);
}
