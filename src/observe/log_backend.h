/*
 * What log_source.c and the kinds of sources (log_follower, log_journald, log_table) have in common; private to them.
 */
#ifndef OBSERVE_LOG_BACKEND_H
#define OBSERVE_LOG_BACKEND_H

#include "observe/log_source.h"

/* Where a source hands its lines to. */
struct log_sink {
    void *arg;
    /* A line without its end. True is returned where it told something. `whole` is false for the beginning of one whose
     * end has not come for long: where it told something the rest of the line is not wanted any more. */
    bool (*line)(void *arg, struct span line, bool whole);
    /* An entry that was framed and timed by the source. */
    void (*entry)(void *arg, struct span message, int64_t wall_ns);
    /* How many of the last lines are held back. */
    unsigned (*held)(void *arg);
    /* After a step: the state was brought up to date; `moved` where something was read. May close the source. */
    void (*stepped)(void *arg, bool moved);
};

/* How a kind of source works. `self` is what start() gave. */
struct log_backend {
    void (*poll)(void *self, struct client *client); /* NULL: needs none */
    void (*wait)(void *self, bool wait);             /* read nothing meanwhile; NULL: is never asked to */
    /* Add the places to `out`, and put its counts in front of what is held back. */
    void (*save)(const void *self, struct log_saved *out);
    void (*close)(void *self);
};

/* All: NULL when memory is short. `state` is theirs to fill; `saved` may be NULL. */
void *log_follower_begin(uv_loop_t *loop, const struct error_log_config *config, const char *path,
                         const struct log_sink *sink, struct log_source_state *state, const struct log_saved *saved);
void *log_journald_begin(uv_loop_t *loop, const struct error_log_config *config, const char *unit,
                         const struct log_sink *sink, struct log_source_state *state, const struct log_saved *saved);
void *log_table_begin(uv_loop_t *loop, const struct error_log_config *config, const char *name,
                      const struct log_sink *sink, struct log_source_state *state, const struct log_saved *saved);
extern const struct log_backend log_follower_backend, log_journald_backend, log_table_backend;

#endif
