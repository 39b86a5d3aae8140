/*
 * The bytes of one log file for `explain`, plain or gzip (told by the first bytes), from a file or stdin, in blocks of
 * whole lines and in bounded memory. The only user of <zlib.h>.
 */
#ifndef CLI_EXPLAIN_INPUT_H
#define CLI_EXPLAIN_INPUT_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct explain_input;

/* What is known of it so far. */
struct explain_progress {
    uint64_t read;  /* bytes of the file, compressed as it is */
    uint64_t size;  /* what the file had when it was opened; 0 where nobody knows (a pipe) */
    uint64_t bytes; /* of the log, decompressed */
    uint64_t cut_lines;
};

/* Opens "-", stdin, or the file. A line longer than `line_max` bytes is cut. NULL after *error (static) was set. */
struct explain_input *explain_input_open(const char *path, size_t line_max, const char **error);
void explain_input_close(struct explain_input *input); /* NULL is allowed */

/* The next block: whole lines with their newlines, at most about 64 KiB where lines are shorter than that; or none yet,
 * after each piece of the file, so that nothing in it can keep the caller waiting. Only the last line of the file and
 * one that was cut may lack its newline. NUL bytes in front of a block (a hole in the file) are no part of it. Valid
 * until the next call. 1; 0 at the end; -EIO and *error (static) set: the file cannot be read any further, or a signal
 * came. */
int explain_input_next(struct explain_input *input, struct span *block, const char **error);

struct explain_progress explain_input_progress(const struct explain_input *input);

#endif
