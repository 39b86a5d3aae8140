/*
 * What the two parts of a follower share: log_follower.c (its steps) and log_names.c (which files it follows). Private
 * to them.
 */
#ifndef OBSERVE_LOG_FOLLOWER_INTERNAL_H
#define OBSERVE_LOG_FOLLOWER_INTERNAL_H

#include "observe/log_file.h"
#include "observe/log_follower.h"
#include "observe/log_watch.h"

enum {
    LOG_FILES_MAX = 14, /* open at the same time */
    LOG_DONE_MAX = 8,   /* files that are closed, read to their ends, and remembered */
};
_Static_assert(LOG_FILES_MAX + LOG_DONE_MAX <= LOG_PLACES_MAX, "all can be saved");

/* A follower keeps a short list of open files, oldest first; the last is the one that the name led to when it last led
 * to a file. */
struct log_follower {
    uv_loop_t *loop;
    char *path;
    bool pattern;
    int64_t poll_interval_ns;
    struct log_reader reader;

    uv_idle_t wake;
    uv_timer_t timer;
    unsigned open_handles;
    struct log_watch *watch; /* NULL where inotify cannot be had */
    bool path_watched;
    bool names_due;    /* something may have happened to the name */
    bool begin_at_end; /* the next file that is opened was there before us */

    struct log_file *files;
    unsigned file_count;
    uint64_t done[LOG_DONE_MAX][LOG_PLACE_NUMBERS]; /* a ring */
    unsigned next_done;
    int name_error; /* why the name leads to no file that we could open, else 0 */
    int read_error;

    /* The file of the newest saved place is nowhere: */
    bool lost;
    int64_t lost_mtime_ns; /* what was written later than this is new */
    dev_t lost_dev;        /* under the same inode is another file now */
    ino_t lost_ino;
};

/* Make the file that the name leads to the newest of the list, and put in front of it what came between. 0 or a
 * negative errno. May call the sink, which may close us. */
int log_names_look(struct log_follower *f);
/* Take up the places that were saved. */
void log_names_restore(struct log_follower *f, const struct log_saved *saved);
/* What is in the folder when we start for the first time is not new. */
void log_names_note_present(struct log_follower *f);
/* `file` is not any more what was read of it: take the rest from a copy, where there is one, and begin it again. */
void log_names_restart(struct log_follower *f, struct log_file *file);
/* `file` is fresh and has bytes now: there may be a copy of what was in it between then and now. Put it in front of the
 * file. Whether there was one. */
bool log_names_check_fresh(struct log_follower *f, struct log_file *file);
/* Take `file` out of the list, remember it and free it. Its rest is handed over before. */
void log_names_drop(struct log_follower *f, struct log_file *file);

#endif
