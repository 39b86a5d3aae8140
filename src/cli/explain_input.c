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

    z_stream inflate; /* next_in, avail_in: what of `raw` is not done with */
    bool in_member;   /* of the gzip file */
    unsigned char raw[RAW_BYTES];
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
    off_t at = lseek(fd, 0, SEEK_CUR); /* of stdin somebody may have read a part; -1: a pipe */
    if (S_ISREG(st.st_mode) && st.st_size > at)
        input->progress.size = (uint64_t)(st.st_size - at);
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

/* --- bytes: all return how many, or -EIO with *error set; 0 is the end only where `ended` says so --- */

static ssize_t read_file(struct explain_input *input, void *to, size_t room, const char **error) {
    for (;;) {
        ssize_t n = read(input->fd, to, room);
        if (n == 0 && input->progress.read < input->progress.size) {
            *error = "the file became shorter while it was read";
            return -EIO;
        }
        if (n >= 0) {
            input->progress.read += (uint64_t)n;
            input->ended = n == 0;
            return n;
        }
        struct pollfd ready = {.fd = input->fd, .events = POLLIN};
        if (errno != EAGAIN || poll(&ready, 1, -1) < 0) {
            *error = strerror(errno);
            return -EIO;
        }
    }
}

/* More bytes into `raw`, behind those that it begins with. */
static ssize_t read_raw(struct explain_input *input, const char **error) {
    z_stream *z = &input->inflate;
    ssize_t n = read_file(input, input->raw + z->avail_in, RAW_BYTES - z->avail_in, error);
    z->next_in = input->raw;
    z->avail_in += n > 0 ? (unsigned)n : 0;
    return n;
}

static int find_kind(struct explain_input *input, const char **error) {
    static const unsigned char magic[] = {0x1F, 0x8B};
    while (input->inflate.avail_in < sizeof magic && !input->ended) {
        ssize_t n = read_raw(input, error);
        if (n < 0)
            return (int)n;
    }
    if (input->inflate.avail_in < sizeof magic || memcmp(input->raw, magic, sizeof magic) != 0) {
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
    z_stream *z = &input->inflate;
    for (; z->avail_in > 0 && *z->next_in == 0; z->next_in++) /* what tapes and block devices fill up with */
        z->avail_in--;
    if (z->avail_in == 0)
        return false;
    inflateReset(z);
    return input->in_member = true;
}

static ssize_t read_gzip(struct explain_input *input, char *to, size_t room, const char **error) {
    z_stream *z = &input->inflate;
    ssize_t n = z->avail_in == 0 ? read_raw(input, error) : 1;
    if (n < 0)
        return n;
    if (input->ended && input->in_member) {
        *error = "the compressed data ends too early";
        return -EIO;
    }
    if (input->ended || (!input->in_member && !next_member(input)))
        return 0;
    z->next_out = (unsigned char *)to;
    z->avail_out = (unsigned)room;
    int rc = inflate(z, Z_NO_FLUSH);
    if (rc == Z_STREAM_END)
        input->in_member = false;
    size_t len = room - z->avail_out; /* what is wrong behind these is told again */
    if (len == 0 && rc != Z_STREAM_END && rc != Z_OK && rc != Z_BUF_ERROR) {
        *error = rc == Z_MEM_ERROR ? strerror(ENOMEM) : "the compressed data is damaged";
        return -EIO;
    }
    return (ssize_t)len;
}

static ssize_t read_bytes(struct explain_input *input, char *to, size_t room, const char **error) {
    if (input->kind == KIND_UNKNOWN) {
        int rc = find_kind(input, error);
        if (rc < 0)
            return rc;
    }
    if (input->kind == KIND_GZIP)
        return read_gzip(input, to, room, error);
    size_t len = input->inflate.avail_in;
    if (len > 0) { /* what was read to find that out */
        memcpy(to, input->raw, len);
        input->inflate.avail_in = 0;
        return (ssize_t)len;
    }
    return read_file(input, to, room, error);
}

/* --- blocks --- */

/* More bytes behind those that are held, where there is room for them. 0, or -EIO as above. */
static int fill(struct explain_input *input, const char **error) {
    size_t len = (size_t)(input->held - input->begin);
    input->begin = memmove(input->fresh - len, input->begin, len);
    input->held = input->fresh;
    ssize_t n = read_bytes(input, input->fresh, READ_BYTES, error);
    if (n < 0)
        return (int)n;
    input->held += n;
    input->progress.bytes += (uint64_t)n;
    return 0;
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
    *block = (struct span){input->begin, 0};
    if (skip(input) && take_block(input, block))
        return 1;
    if (input->ended)
        return 0;
    int rc = fill(input, error);
    return rc < 0 ? rc : 1;
}
