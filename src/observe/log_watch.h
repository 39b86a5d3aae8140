/*
 * What inotify tells of a few files and of a few names in folders. Only causes that matter wake us: a folder in which a
 * server also keeps its data is busy, and no business of ours.
 */
#ifndef OBSERVE_LOG_WATCH_H
#define OBSERVE_LOG_WATCH_H

#include <stdbool.h>
#include <uv.h>

struct log_watch;

/* Something happened to a watched file; with `names`, to a watched name (or perhaps to one). */
typedef void log_watch_fn(void *arg, bool names);

/* NULL where inotify cannot be had. */
struct log_watch *log_watch_start(uv_loop_t *loop, log_watch_fn *on_change, void *arg);
/* Watch an open file: a descriptor of the watch, or -1 where that does not work: also where other machines write to the
 * file system, of which inotify knows nothing. */
int log_watch_file(struct log_watch *watch, int fd);
void log_watch_drop_file(struct log_watch *watch, int descriptor);
/* Watch everything that `path` (absolute) leads through: what is missing of it, symbolic links and the name itself; in
 * its last part may stand a pattern, and `match` is what it means now (NULL nothing). Replaces what was watched so.
 * False where some of it cannot be watched. */
bool log_watch_path(struct log_watch *watch, const char *path, const char *match);
/* Tell, as of a name, the next write to the file at `path`, unless that is a watched file already. False where it
 * cannot be watched. */
bool log_watch_next_write(struct log_watch *watch, const char *path);
void log_watch_close(struct log_watch *watch); /* NULL is allowed */

#endif
