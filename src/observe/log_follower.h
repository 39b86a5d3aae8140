/*
 * Follows one error log file over rotation, truncation, deletion, late appearance, and our own restarts and crashes,
 * and hands over each complete line exactly once. inotify tells when to look; a timer runs only where it cannot, or
 * while something is pending. Reads are bounded a step, so a busy log does not hold the loop.
 *
 * The rules
 * - Order: the rest of the old file, then the new one. mysqld goes on writing to the renamed file until FLUSH LOGS, so
 * the old file is left only when the new one has bytes and the old one was read to its end after that was seen. Then
 * the rest of the old one is handed over even without a newline. It stays open until it was quiet for a minute; what
 * still comes into it is handed over late rather than lost.
 * - A file whose name is gone (renamed without a new one, deleted) is read on until another comes.
 * - A copy of it that is put in its place (by an editor, `sed -i`, who moves the log to another disk) is gone on with
 * where it ends; one of less than 256 bytes cannot be told from another log.
 * - Several rotations between two looks, or while we were not running: the files in between are found in the folder by
 * name (error.log.1, error.log-20261121, …, not compressed ones, nor error.log.00.json, another log) and age, the file
 * that we were in by its inode and the bytes before our place.
 * - Truncation, also if the file grew past its old size before we looked (the bytes before our place are others then):
 * reading begins again at 0. A copy that was made before (copytruncate) is found by those same bytes, and read to its
 * end. Without one, what was written between our last
 * read and the truncation is lost, and that much after a crash also what came since the place was last saved; `gaps`
 * counts that this may be so. What a copying rotation itself loses, between its copy and its truncation, is nowhere to
 * be found.
 * - A file that is written over after another came under the name (logrotate's `shred`) is left: `gaps` counts it if
 * the other had no bytes yet.
 * - A file that is shorter than our place when we start, and begins with the same line, is the one that we read: the
 * machine fell, and its end was not on the disk yet. We go on at its end, and `gaps` counts.
 * - Of the other files in the folder those are new that were written since we last had all (`since_ns`), and of which
 * nothing is told: neither in them, nor in a file of which they are a copy. That is asked when the first bytes of a
 * file are fetched, and before they are handed over. A copy that ends in the first 12 bytes of a line, and has no more
 * than that, cannot be told from others: that piece may come twice.
 * - There may be more new files than are kept open: the oldest are read first, then the next are looked for.
 * - Where the folder may not be read, or one of those files, each rotation may have taken lines away: `gaps` counts it.
 * - What was told and is closed is remembered of LOG_DONE_MAX lives, the one written longest ago is forgotten first.
 * One that could still be found then might come twice; `gaps` counts that.
 * - A file that was deleted or compressed while we were not running: what we had not read of it is lost; `gaps` counts.
 * - Where the clock was set back while we were not running, the files in between are not told from older ones, and not
 * read; `gaps` counts it.
 * - A file of which nothing was read yet is known by its inode and the time when that was made; where the file system
 * does not keep that time, one that is deleted and made anew with the same inode would be taken for the old one.
 * - Where the file may not be read at the start, the places that were kept wait until it may.
 * - A file that is there at the first start and cannot be opened yet is taken up where it ends when it first can.
 * - A pattern means the file that was written last of those that match (a symbolic link: that it leads to); another
 * that comes, or is written again, is a rotation. Of those of the same tick of the files' clock it is the one that was
 * made last, or that has what we did not read. One that nobody touched for a day and is then written is seen with the
 * next change of a name.
 * - A line is at most `max_line_bytes` long with its end; a longer one is handed over cut and counted, and its rest is
 * skipped. NUL bytes before a line (the hole that a writer leaves which goes on at its old place after a truncation)
 * are no part of it. A line that has waited for its newline for five seconds is handed over as it is; if that told
 * nothing, the whole line is handed over later in its stead.
 */
#ifndef OBSERVE_LOG_FOLLOWER_H
#define OBSERVE_LOG_FOLLOWER_H

#include "observe/log_backend.h"

struct log_follower;

/* Start following `path`, which may be a pattern (copied). A file that is not there is waited for and then read from
 * its beginning. Where to begin in one that is there is fixed inside this call; lines come only from the loop, never
 * from inside it. The other arguments as log_backend.h says. */
struct log_follower *log_follower_start(uv_loop_t *loop, const struct error_log_config *config, const char *path,
                                        const struct log_sink *sink, struct log_source_state *state,
                                        const struct log_saved *saved);
/* Add its places to `out` (the older file first) and put its counts in front of what the sink holds back. */
void log_follower_save(const struct log_follower *follower, struct log_saved *out);
/* Stop. No call-back comes after this; memory is freed when the loop has closed the handles. NULL is allowed. */
void log_follower_close(struct log_follower *follower);

#endif
