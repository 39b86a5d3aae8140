/*
 * Follows one error log file over rotation (rename and create), truncation, deletion and late appearance, and hands
 * over each complete line exactly once while the program runs. libuv watches the file, and its folder while the name
 * leads nowhere; a slow timer is the safety net for links that are switched and file systems without inotify. Reads are
 * bounded a step, so a busy log does not hold the loop.
 *
 * The rules
 * - Order: the rest of the old file, then the new one. mysqld goes on writing to the renamed file until FLUSH LOGS, so
 * the old file is left only when the new one has bytes and the old one was read to its end after that was seen. Then
 * the rest of the old one is handed over even without a newline. It stays open until it was quiet for a minute; what
 * still comes into it is handed over late rather than lost.
 * - A file whose name is gone (renamed without a new one, deleted) is read on until another comes.
 * - Truncation, copytruncate: reading begins again at 0. What was written between our last read and the truncation is
 * lost, at most; and if the file grew past its old size again before we looked, which cannot be seen from its size, as
 * many bytes of the new text as the old had.
 * - A file that is there at the start and cannot be opened yet is taken up where it ends when it first can.
 * - Two rotations between two looks: the file in between is not under the name any more and is not found.
 * - A line is at most 64 KiB with its end; a longer one is handed over cut and counted, and its rest is skipped. NUL
 * bytes before a line (the hole that a writer leaves which goes on at its old place after a truncation) are no part of
 * it.
 */
#ifndef OBSERVE_LOG_FOLLOWER_H
#define OBSERVE_LOG_FOLLOWER_H

#include "base/strbuf.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct log_follower;

/* Called for each line, without its line end. `line` is valid only during the call. May close the follower. */
typedef void log_line_fn(void *arg, struct span line);
/* Called when the state below changed from readable to not or back, its error changed, or a rotation or truncation was
 * seen; may be NULL. May close the follower. */
typedef void log_state_fn(void *arg);

struct log_follower_state {
    bool readable;             /* the file is open and could be read the last time */
    int error;                 /* negative errno of the last failure when not readable, 0 before the first try;
                                * -EISDIR, -ESPIPE: a directory, a pipe or the like is in its place */
    uint64_t lines;            /* handed over */
    uint64_t bytes;            /* of lines handed over or skipped, and their ends */
    uint64_t cut_lines;        /* longer than the limit: handed over cut */
    uint64_t rotations;        /* another file came under the name */
    uint64_t truncations;      /* the file became shorter */
    uint64_t behind_bytes;     /* there and not read yet, when last looked */
    int64_t last_read_wall_ns; /* when bytes last came; 0 never */
};

/* Start following `config->file` (borrowed until closed). NULL when memory is short. A file that is not there is waited
 * for and then read from its beginning. Where to begin in one that is there is fixed inside this call; lines come only
 * from the loop, never from inside it. */
struct log_follower *log_follower_start(uv_loop_t *loop, const struct error_log_config *config, log_line_fn *on_line,
                                        log_state_fn *on_state, void *arg);
/* The present state; valid until closed. */
const struct log_follower_state *log_follower_state(const struct log_follower *follower);
/* Stop. No call-back comes after this; memory is freed when the loop has closed the handles. NULL is allowed. */
void log_follower_close(struct log_follower *follower);

#endif
