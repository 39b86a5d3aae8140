/*
 * One error log, wherever it is read: a file, the journal, a table of the server's, or whatever `auto` finds. It hands
 * over events and keeps a place: how far the log was read, so that another run goes on there.
 *
 * What a source promises: each line is handed over once, in order, over everything that it can see; where it cannot
 * know (a file was truncated and what was in it is nowhere, the journal was vacuumed, the ring of the table went over
 * us) it counts a gap or the missed lines. Nothing is read from inside these calls; events come from the loop.
 */
#ifndef OBSERVE_LOG_SOURCE_H
#define OBSERVE_LOG_SOURCE_H

#include "base/clock.h"
#include "config/config.h"
#include "observe/log_event.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct client;
struct log_source;

struct log_source_state {
    enum log_kind kind; /* what is read; LOG_AUTO while it is not known yet */
    bool readable;      /* it could be read the last time */
    int error;          /* why not, a negative errno; 0 before the first try. log_source_reason() has the words */
    /* Over all runs that kept their state: */
    int64_t since_wall_ns; /* when the first of them began */
    uint64_t lines;        /* handed over; of the journal and the table: entries */
    uint64_t bytes;        /* of them, with their ends, and of what was skipped */
    uint64_t cut_lines;    /* longer than the limit: handed over cut */
    uint64_t rotations;    /* another file came under the name */
    uint64_t truncations;  /* the file became shorter, or was written anew */
    uint64_t gaps;         /* times that lines may have been lost: how many is not known */
    uint64_t missed;       /* lines that are known to have been dropped before they were read */
    /* Of now: */
    bool watched;              /* inotify tells what happens to the file; else it is looked at from time to time */
    uint64_t behind_bytes;     /* there and not read yet, when last looked; of a file only */
    bool behind;               /* the same of the journal and the table, where nobody knows how many */
    int64_t last_read_wall_ns; /* when bytes or entries last came; 0 never */
    int64_t last_look_wall_ns; /* when it was last looked at and could be read; 0 never */
};

/* A short word for why it cannot be read, for a label: "" where error is 0. */
const char *log_source_reason(int error);

/* --- the place --- */

enum { LOG_PLACES_MAX = 24, LOG_FORMER_MAX = 3, LOG_PLACE_NUMBERS = 12 };

/* A place in a file, the journal or the table; what the numbers mean is that source's. */
struct log_place {
    uint64_t number[LOG_PLACE_NUMBERS];
    char *text; /* path or cursor; NULL none */
};

/* All that a run leaves to the next. */
struct log_saved {
    struct log_saved *former; /* kind, name and places of what was read before this, the last one first; owned */
    enum log_kind kind;       /* LOG_NONE: nothing was saved */
    char *name;               /* of what: a path, a unit … */
    struct log_place places[LOG_PLACES_MAX];
    unsigned count;
    struct log_source_state state;
};

void log_saved_release(struct log_saved *saved);
/* Put `saved` (malloc()ed, taken over) in front of a list of former ones; too old ones are dropped. */
void log_saved_push(struct log_saved **former, struct log_saved *saved);
/* Add a place; `text` is copied, NULL is allowed. False when there is no room or memory. */
bool log_saved_add(struct log_saved *saved, const uint64_t numbers[LOG_PLACE_NUMBERS], const char *text);

/* Add all of another's places. False where some had no room or memory. */
bool log_saved_add_all(struct log_saved *saved, const struct log_saved *other);

/* --- the source --- */

struct log_source_listener {
    void *arg;
    void (*event)(void *arg, const struct log_event *event);
    /* Its readable, error, kind, rotations, truncations or gaps changed. */
    void (*changed)(void *arg);
    /* Something was read: the place is another. */
    void (*moved)(void *arg);
};

/* `config` is borrowed until closed; its source is not LOG_NONE. `saved` (may be NULL) is used only inside the call; a
 * place that is of another source is kept for when that is read again, and what does not fit is ignored. NULL when
 * memory is short. */
struct log_source *log_source_start(uv_loop_t *loop, const struct error_log_config *config,
                                    const struct log_source_listener *listener, const struct log_saved *saved);
const struct log_source_state *log_source_state(const struct log_source *source);
/* Until when it is known what was in it: the last look that could read it; now, where we are told of all that comes.
 * 0 never. */
int64_t log_source_seen_wall_ns(const struct log_source *source);
/* Whether there is more than was read of it. */
bool log_source_is_behind(const struct log_source *source);
/* Whether all that was there when it was started has been read, as far as it can be. */
bool log_source_caught_up(const struct log_source *source);
/* What is read: a path, or the like; "" while it is not known. */
const char *log_source_name(const struct log_source *source);
/* A poll has succeeded and `client` is idle: for what can only be asked from the server, whose settings were last read
 * at `settings`. Runs in its coroutine. */
void log_source_poll(struct log_source *source, struct client *client, bool local, struct mono settings);
/* Whether log_source_poll() has something to do. */
bool log_source_wants_poll(const struct log_source *source);
/* Read nothing of a file, and of a table be taken for behind, until log_source_go(), or until `ms` have passed. Right
 * after the start only. */
void log_source_wait(struct log_source *source, unsigned ms);
void log_source_go(struct log_source *source);
/* Where it is now; `out` is overwritten. The place is in front of what the decoder holds back, and so are the counts.
 */
void log_source_save(const struct log_source *source, struct log_saved *out);
/* No call-back comes after this. NULL is allowed. */
void log_source_close(struct log_source *source);

#endif
