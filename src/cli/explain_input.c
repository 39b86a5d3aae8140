/*
 * Log files in blocks; see explain_input.h.
 */
#include "cli/explain_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    READ_BYTES = 256 * 1024, /* at once: it should still be in the processor's cache when it is looked at */
    RAW_BYTES = 64 * 1024,   /* of compressed input */
    PAGE_BYTES = 4096,
    GZIP_ONLY = 16 + MAX_WBITS,
};

enum input_kind { KIND_UNKNOWN, KIND_PLAIN, KIND_GZIP };

struct explain_input {
    int fd;
    enum input_kind kind;
    struct explain_progress progress;
    size_t line_max;
    bool skipping; /* the rest of a line that is longer than that */
    bool ended;
    char *buffer;       /* line_max bytes of a line that has begun, rounded up, and behind them … */
    char *fresh;        /* … READ_BYTES; copying is slower to places that do not begin as pages do */
    char *begin, *held; /* from … to: what was read and is not done with */

    z_stream inflate;
    bool in_member; /* of the gzip file */
    unsigned char raw[RAW_BYTES];
    size_t raw_len;
};

struct explain_input *explain_input_open(const char *path, size_t line_max, const char **error) {
    bool is_stdin = strcmp(path, "-") == 0;
    struct explain_input *input = calloc(1, sizeof *input);
    size_t before = (line_max + PAGE_BYTES) / PAGE_BYTES * PAGE_BYTES;
    char *buffer = aligned_alloc(PAGE_BYTES, before + READ_BYTES);
    int fd = input && buffer ? is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        *error = strerror(errno);
        free(input);
        free(buffer);
        return NULL;
    }
    input->fd = fd;
    input->buffer = buffer;
    input->begin = input->held = input->fresh = buffer + before;
    input->line_max = line_max;
    if (S_ISREG(st.st_mode) && st.st_size > 0)
        input->progress.size = (uint64_t)st.st_size;
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return input;
}

void explain_input_close(struct explain_input *input) {
    if (!input)
        return;
    if (input->kind == KIND_GZIP)
        inflateEnd(&input->inflate);
    if (input->fd != STDIN_FILENO)
        close(input->fd);
    free(input->buffer);
    free(input);
}

struct explain_progress explain_input_progress(const struct explain_input *input) {
    return input->progress;
}

/* --- bytes: all return how many, 0 at the end, or a negative errno with *error set --- */

static ssize_t read_file(struct explain_input *input, void *to, size_t room, const char **error) {
    for (;;) {
        ssize_t n = read(input->fd, to, room);
        if (n >= 0) {
            input->progress.read += (uint64_t)n;
            return n;
        }
        if (errno == EINTR)
            return -EINTR;
        struct pollfd ready = {.fd = input->fd, .events = POLLIN};
        if (errno != EAGAIN || poll(&ready, 1, -1) < 0) {
            *error = strerror(errno);
            return errno == EINTR ? -EINTR : -EIO;
        }
    }
}

/* More compressed bytes behind those that are there. */
static ssize_t read_raw(struct explain_input *input, const char **error) {
    ssize_t n = read_file(input, input->raw + input->raw_len, RAW_BYTES - input->raw_len, error);
    input->raw_len += n > 0 ? (size_t)n : 0;
    return n;
}

static void take_raw(struct explain_input *input, size_t len) {
    input->raw_len -= len;
    memmove(input->raw, input->raw + len, input->raw_len);
}

static int find_kind(struct explain_input *input, const char **error) {
    static const unsigned char magic[] = {0x1F, 0x8B};
    while (input->raw_len < sizeof magic) {
        ssize_t n = read_raw(input, error);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
    }
    if (input->raw_len < sizeof magic || memcmp(input->raw, magic, sizeof magic) != 0) {
        input->kind = KIND_PLAIN;
        return 0;
    }
    if (inflateInit2(&input->inflate, GZIP_ONLY) != Z_OK) {
        *error = strerror(ENOMEM);
        return -EIO;
    }
    input->kind = KIND_GZIP;
    return 0;
}

/* Files that were compressed one by one and then joined are one. */
static bool next_member(struct explain_input *input) {
    while (input->raw_len > 0 && input->raw[0] == 0) /* what tapes and block devices fill up with */
        take_raw(input, 1);
    if (input->raw_len == 0)
        return false;
    inflateReset(&input->inflate);
    return input->in_member = true;
}

static ssize_t read_gzip(struct explain_input *input, char *to, size_t room, const char **error) {
    for (;;) {
        if (input->raw_len == 0) {
            ssize_t n = read_raw(input, error);
            if (n < 0)
                return n;
            if (n == 0 && input->in_member) {
                *error = "the compressed data ends too early";
                return -EIO;
            }
            if (n == 0)
                return 0;
        }
        if (!input->in_member && !next_member(input))
            continue;
        z_stream *z = &input->inflate;
        z->next_in = input->raw;
        z->avail_in = (unsigned)input->raw_len;
        z->next_out = (unsigned char *)to;
        z->avail_out = (unsigned)room;
        int rc = inflate(z, Z_NO_FLUSH);
        take_raw(input, input->raw_len - z->avail_in);
        if (rc == Z_STREAM_END)
            input->in_member = false;
        if (z->avail_out < room) /* what is wrong behind these is told again */
            return (ssize_t)(room - z->avail_out);
        if (rc != Z_STREAM_END && rc != Z_OK && rc != Z_BUF_ERROR) {
            *error = rc == Z_MEM_ERROR ? strerror(ENOMEM) : "the compressed data is damaged";
            return -EIO;
        }
    }
}

static ssize_t read_bytes(struct explain_input *input, char *to, size_t room, const char **error) {
    if (input->kind == KIND_UNKNOWN) {
        int rc = find_kind(input, error);
        if (rc < 0)
            return rc;
    }
    if (input->kind == KIND_GZIP)
        return read_gzip(input, to, room, error);
    if (input->raw_len > 0) { /* what was read to find that out */
        size_t len = input->raw_len;
        memcpy(to, input->raw, len);
        input->raw_len = 0;
        return (ssize_t)len;
    }
    return read_file(input, to, room, error);
}

/* --- blocks --- */

/* More bytes behind those that are held, where there is room for them. 1, 0 at the end, or as above. */
static int fill(struct explain_input *input, const char **error) {
    size_t len = (size_t)(input->held - input->begin);
    input->begin = memmove(input->fresh - len, input->begin, len);
    input->held = input->fresh;
    ssize_t n = read_bytes(input, input->fresh, READ_BYTES, error);
    if (n < 0)
        return (int)n;
    input->held += n;
    input->progress.bytes += (uint64_t)n;
    input->ended = n == 0;
    return n > 0;
}

/* Pass over what is no line or the rest of one that was cut. Whether anything is left. */
static bool skip(struct explain_input *input) {
    if (input->skipping) {
        char *newline = memchr(input->begin, '\n', (size_t)(input->held - input->begin));
        input->begin = newline ? newline + 1 : input->held;
        input->skipping = !newline;
    }
    while (input->begin < input->held && *input->begin == '\0')
        input->begin++;
    return input->begin < input->held;
}

/* The lines that are there in whole, or as much of one as is wanted. Looks back from as far as a line may go, so that
 * no line in between can be too long. */
static bool take_block(struct explain_input *input, struct span *block) {
    size_t len = (size_t)(input->held - input->begin), window = len > input->line_max ? input->line_max + 1 : len;
    const char *newline = memrchr(input->begin, '\n', window);
    if (newline) {
        len = (size_t)(newline + 1 - input->begin);
    } else if (len > input->line_max) {
        len = input->line_max;
        input->skipping = true;
        input->progress.cut_lines++;
    } else if (!input->ended) {
        return false;
    }
    *block = (struct span){input->begin, len};
    input->begin += len;
    return true;
}

int explain_input_next(struct explain_input *input, struct span *block, const char **error) {
    for (;;) {
        if (skip(input) && take_block(input, block))
            return 1;
        int rc = input->ended ? 0 : fill(input, error);
        if (rc < 0 || (rc == 0 && !skip(input)))
            return rc;
    }
}
