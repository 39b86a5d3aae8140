/*
 * What the parts of a follower share: log_follower.c (its steps), log_names.c (which files it follows) and log_search.c
 * (what is in the folder). Private to them.
 */
#ifndef OBSERVE_LOG_FOLLOWER_INTERNAL_H
#define OBSERVE_LOG_FOLLOWER_INTERNAL_H

#include "observe/log_file.h"
#include "observe/log_follower.h"
#include "observe/log_watch.h"

enum {
    LOG_FILES_MAX = 14, /* open at the same time */
    LOG_DONE_MAX = 10,  /* what is told of files that are closed, and of lives that ended with a truncation */
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
    bool wait;         /* read nothing yet */
    bool begin_at_end; /* the next file that is opened was there before us */

    struct log_file *files;
    unsigned file_count;
    uint64_t done[LOG_DONE_MAX][LOG_PLACE_NUMBERS]; /* FILE_SINCE: when it was written last */
    int name_error;                                 /* why the name leads to no file that we could open, else 0 */
    int read_error;

    bool noted; /* it is known what of the folder is not new */
    int64_t
        since_ns;  /* what nobody saw yet was written at this time or later: when we began, or stopped the last time */
    dev_t was_dev; /* of the newest saved place; under the same inode may be other content now. 0: another came since */
    ino_t was_ino;
    struct log_saved *waiting; /* places not taken up yet, for the name's file may not be read; else NULL */
};

/* The file that the name led to when it last led to one; NULL none. */
struct log_file *log_names_newest(const struct log_follower *f);
/* Make the file that the name leads to the newest of the list, and put in front of it what came between. 0 or a
 * negative errno. May call the sink, which may close us. */
int log_names_look(struct log_follower *f);
/* Take up the places that were saved. */
void log_names_restore(struct log_follower *f, const struct log_saved *saved);
/* What is in the folder when we start for the first time is not new. */
void log_names_note_present(struct log_follower *f);
/* `file` is not any more what was read of it: take the rest from a copy, where there is one, and begin it again; or,
 * where it was written over after it went from under the name, take it out and free it. */
void log_names_restart(struct log_follower *f, struct log_file *file);
/* `file` is fresh: put in front of it what was written since file->since_ns and went from under the name, or was copied
 * out of this file before a truncation, without being seen there. To be asked between fetching and taking the first
 * bytes, so that no copy slips between. Whether the list is another now: then read that first. */
bool log_names_take_older(struct log_follower *f, struct log_file *file);
/* All that came before `file` is told, and it is begun: what nobody saw yet is younger. */
void log_names_all_older_told(struct log_follower *f, struct log_file *file);
/* Take `file` out of the list, remember it and free it. Its rest is handed over before. */
void log_names_drop(struct log_follower *f, struct log_file *file);

/* Open it to read; *st is what it is then. The descriptor, or a negative errno: -EISDIR and -ESPIPE for what is no
 * regular file. */
int log_search_open(const char *path, struct stat *st);

struct log_found {
    int fd;
    struct stat st;
    char *path;
};

/* The files of the folder that were written at since_ns or later, and of which nothing is told nor in one that we have:
 * opened, the oldest first. With `st` only those that are older than that file; `path`: where it is, NULL nowhere.
 * Their number: where there are more, the oldest ones. *hidden: there may be others, for we may not look. */
unsigned log_search_unknown(const struct log_follower *f, int64_t since_ns, const char *path, const struct stat *st,
                            struct log_found found[LOG_FILES_MAX], bool *hidden);
/* The file that goes on where `place` is, and is not in the list: its descriptor, -1 none. `path`: where it was, may be
 * NULL. */
int log_search_place(const struct log_follower *f, const uint64_t place[LOG_PLACE_NUMBERS], const char *path,
                     struct stat *st);

#endif
