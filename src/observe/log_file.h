/*
 * One open log file and our place in it: reading it line by line, noticing that it became another under our hands, and
 * finding the place again in whatever file it is now.
 */
#ifndef OBSERVE_LOG_FILE_H
#define OBSERVE_LOG_FILE_H

#include "base/clock.h"
#include "observe/log_backend.h"

#include <sys/stat.h>

enum {
    LOG_TAIL = 256,      /* bytes before the place that tell whether the file is still the one that we read */
    LOG_TAIL_SURE = 8,   /* so many at least tell it of a file that is another by its inode */
    LOG_HEAD_START = 12, /* the shortest beginning that tells a copy of a life */
    LOG_HELD_MAX = 160,  /* lines back to which the place can go: a refused name may have 128 */
};

/* A log that is truncated begins a new life under the same inode. A life is known by its head: its first LOG_TAIL
 * bytes, or as many as we told. A file that begins as a life of which we told N bytes, and is no longer than that, is a
 * copy that was made before we read so far. One that ends in the head is known by the first 12, 24, 48 or 96 bytes. */

/* What a place in a file is made of: the numbers of struct log_place. Its text is the file's path. Reading goes on
 * FILE_BACK bytes in front of the offset, whose tail it is that tells the file. */
enum {
    FILE_DEV,
    FILE_INO,
    FILE_OFFSET,
    FILE_FLAGS,
    FILE_TAIL_LEN,
    FILE_TAIL_HASH,
    FILE_SINCE,
    FILE_BIRTH,
    FILE_BACK,
    FILE_HEAD_LEN,
    FILE_HEAD_HASH,
    FILE_START_HASHES,
};
enum {
    FILE_SKIPPING = 1,
    FILE_OVERTAKEN = 2,
    FILE_DONE = 4,    /* read to its end, and closed */
    FILE_NOTHING = 8, /* there is none: what was written after FILE_SINCE is new */
    FILE_TORN = 16,   /* no line ends at the offset, and what is before it is short: other files may begin so, too */
};

struct log_file {
    struct log_file *next;
    int fd;
    int watch; /* descriptor of its watch, -1 none */
    dev_t dev;
    ino_t ino;
    uint64_t offset; /* where the first line that was not handed over begins */
    uint64_t seen;   /* how far bytes were read; between the two is the beginning of a line */
    uint64_t tried;  /* that beginning was handed over up to here without having told anything; 0 none */
    uint64_t size;   /* when last looked */
    int64_t mtime_ns;
    uint64_t birth_ns; /* when the inode was made; 0 not known */
    bool skipping;     /* at the offset is not a line's beginning: what comes up to its end is skipped */
    bool overtaken;    /* a later file has bytes, and this one was read to its end after that was seen */
    bool unlinked;
    bool found;       /* in the folder, and counted as a rotation; it was not seen under the name yet */
    bool fresh;       /* no line of it was read since we came to it, or began it again */
    bool older_left;  /* what came before it is more than there was room for, or than we may see */
    int64_t since_ns; /* what nobody saw yet was written at this time or later */
    uint64_t quiet_since_ms;
    unsigned tail_len;
    char tail[LOG_TAIL]; /* what is before the offset */
    unsigned head_len;   /* 0 while no line of it was read */
    uint64_t head_hash, start_hashes;
};

/* What the files of one log share while they are read. */
struct log_reader {
    const struct log_sink *sink;
    struct log_source_state *state;
    size_t line_limit;
    bool closing;          /* set from inside a call of the sink: stop at once */
    bool moved;            /* something was read since this was cleared */
    struct mono turn_ends; /* the loop's others wait: a line that told something is the last after this … */
    bool late;             /* … and was; cleared by who sets turn_ends */
    struct {
        uint64_t offset;
        uint32_t bytes;
        int fd;             /* its file's; -1: that is closed */
    } starts[LOG_HELD_MAX]; /* of the last lines, in a ring */
    unsigned next_start, start_count;
};

/* Takes over `fd`, at its beginning. NULL when memory is short; `fd` is the caller's then. */
struct log_file *log_file_new(int fd, const struct stat *st);
void log_file_free(struct log_file *file);
/* Go to `offset`, which is inside the file. */
void log_file_go_to(struct log_file *file, uint64_t offset, bool skipping);
/* See how long it is. 0, -ESTALE when it became shorter than what was read of it (where nothing was: than it was), or
 * another negative errno. */
int log_file_look(struct log_file *file);
/* Whether it is not any more what was read of it. */
bool log_file_is_another(struct log_file *file);
/* Read once from the place. Bytes that are there, 0 where there are no more than were seen, -ESTALE when what is before
 * the place has changed, or another negative errno. */
int log_file_fetch(struct log_file *file, struct log_reader *reader);
/* Hand over the lines that end in what was just fetched. */
void log_file_take(struct log_file *file, struct log_reader *reader, int fetched);
/* The beginning of a line that has been there for long: hand it over if that was not done; `final`: nobody will
 * complete it. */
void log_file_use_rest(struct log_file *file, struct log_reader *reader, bool final);
/* Whether log_file_use_rest(…, false) would hand over something. */
bool log_file_has_rest(const struct log_file *file);

/* The place in front of the last `held` lines. */
void log_file_place(const struct log_file *file, const struct log_reader *reader, unsigned held,
                    uint64_t out[LOG_PLACE_NUMBERS]);
/* The bytes and lines of them, all files together. */
uint64_t log_file_held_bytes(const struct log_reader *reader, unsigned held);
/* The lines of this file that could be gone back to are those of `copy` now; NULL: nobody's. */
void log_file_move_starts(struct log_reader *reader, const struct log_file *file, const struct log_file *copy);

/* Whether it is the place's very file: by its inode, and by when that was made where the file system knows, for inodes
 * are used again. */
bool log_file_is(int fd, const struct stat *st, const uint64_t place[LOG_PLACE_NUMBERS]);
/* Whether the open file `fd` has before the place, and in its beginning, what the place's file had there. */
bool log_file_fits(int fd, const struct stat *st, const uint64_t place[LOG_PLACE_NUMBERS]);
/* Whether the open file `fd` is a copy of the place's file from when that was no longer than up to the place. */
bool log_file_had(int fd, const struct stat *st, const uint64_t place[LOG_PLACE_NUMBERS]);
/* Whether the open file `fd` is what `whole` is now or was when it was shorter: by its beginning and its end. */
bool log_file_is_copy(int fd, const struct stat *st, int whole);

#endif
