/*
 * Reading one log file; see log_file.h.
 *
 * The place is always the beginning of a line. The beginning of a line whose end has not come is read again with it, so
 * nothing is carried in memory between steps, and one buffer serves all. Each read takes along the bytes before the
 * place: that they are the same as last time is how we know that the file is.
 */
#include "observe/log_file.h"

#include "base/clock.h"
#include "base/records.h"
#include "observe/log_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a read goes to; shared by all, nothing in it outlives a step's read. */
static char buffer[LOG_TAIL + LOG_LINE_MAX];

enum { START_HASHES = 4 };

/* --- life --- */

static uint64_t birth_of(int fd) {
    struct statx stx;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) < 0 || !(stx.stx_mask & STATX_BTIME))
        return 0;
    return (uint64_t)stx.stx_btime.tv_sec * NS_PER_S + stx.stx_btime.tv_nsec;
}

struct log_file *log_file_new(int fd, const struct stat *st) {
    struct log_file *file = calloc(1, sizeof *file);
    if (!file)
        return NULL;
    file->fd = fd;
    file->watch = -1;
    file->dev = st->st_dev;
    file->ino = st->st_ino;
    file->size = (uint64_t)st->st_size;
    file->mtime_ns = log_folder_mtime_ns(st);
    file->birth_ns = birth_of(fd);
    return file;
}

void log_file_free(struct log_file *file) {
    close(file->fd);
    free(file);
}

/* Up to LOG_TAIL bytes before `offset`. Their number. */
static unsigned read_tail(int fd, uint64_t offset, char out[LOG_TAIL]) {
    size_t len = offset < LOG_TAIL ? (size_t)offset : LOG_TAIL;
    return len > 0 && pread(fd, out, len, (off_t)(offset - len)) == (ssize_t)len ? (unsigned)len : 0;
}

/* Of the first LOG_HEAD_START bytes, of twice as many and so on, as far as there are so many: 16 bits of a hash each.
 */
static uint64_t hash_starts(const char *data, size_t len) {
    uint64_t all = 0;
    for (unsigned i = 0; i < START_HASHES && (size_t)LOG_HEAD_START << i <= len; i++)
        all |= (hash_bytes(data, (size_t)LOG_HEAD_START << i) & UINT16_MAX) << 16 * i;
    return all;
}

/* `data` is what the file begins with. */
static void set_head(struct log_file *file, const char *data, size_t len) {
    file->head_len = len < LOG_TAIL ? (unsigned)len : LOG_TAIL;
    file->head_hash = hash_bytes(data, file->head_len);
    file->start_hashes = hash_starts(data, file->head_len);
}

void log_file_go_to(struct log_file *file, uint64_t offset, bool skipping) {
    char head[LOG_TAIL];
    file->offset = file->seen = offset;
    file->tried = 0;
    file->skipping = skipping;
    file->tail_len = read_tail(file->fd, offset, file->tail);
    ssize_t n = offset > 0 ? pread(file->fd, head, offset < LOG_TAIL ? (size_t)offset : LOG_TAIL, 0) : 0;
    set_head(file, head, n > 0 ? (size_t)n : 0);
}

int log_file_look(struct log_file *file) {
    struct stat st;
    if (fstat(file->fd, &st) < 0)
        return -errno;
    const uint64_t size = (uint64_t)st.st_size;
    bool shorter = size < file->seen || (file->offset == 0 && size < file->size); /* of what was not read, too */
    file->mtime_ns = log_folder_mtime_ns(&st);
    file->unlinked = st.st_nlink == 0;
    if (!shorter) /* else every look says so until it is begun again */
        file->size = size;
    return shorter ? -ESTALE : 0;
}

/* --- lines --- */

static void note_start(struct log_reader *r, const struct log_file *file, uint64_t offset, uint64_t bytes) {
    r->starts[r->next_start].fd = file->fd;
    r->starts[r->next_start].offset = offset;
    r->starts[r->next_start].bytes = (uint32_t)bytes;
    r->next_start = (r->next_start + 1) % LOG_HELD_MAX;
    r->start_count += r->start_count < LOG_HELD_MAX;
}

static void hand_over(struct log_reader *r, const char *begin, const char *end) {
    if (end > begin && end[-1] == '\r')
        end--;
    r->state->lines++;
    bool told = r->sink->line(r->sink->arg, (struct span){begin, (size_t)(end - begin)}, true);
    r->late |= told && mono_before(r->turn_ends, mono_now());
}

/* Hand over the lines in `data`, which is what the file has at its place, as long as the turn lasts; with `rest` all,
 * and also what follows the last newline. Returns how many bytes are done with. The sink may close us. */
static size_t hand_over_lines(struct log_file *file, struct log_reader *r, const char *data, size_t len, bool rest) {
    size_t at = 0;
    while (at < len && !r->closing && (rest || !r->late)) {
        /* The hole that a writer leaves who goes on at his old place after a truncation. */
        while (!file->skipping && at < len && data[at] == '\0')
            at++;
        const char *newline = memchr(data + at, '\n', len - at);
        bool skipped = file->skipping;
        if (newline) {
            file->skipping = false;
            if (!skipped) {
                note_start(r, file, file->offset + at, (uint64_t)(newline + 1 - data) - at);
                hand_over(r, data + at, newline);
            }
            at = (size_t)(newline + 1 - data);
            continue;
        }
        bool too_long = len - at >= r->line_limit;
        if (!skipped && at < len && (too_long || rest)) {
            file->skipping = too_long;
            r->state->cut_lines += too_long;
            note_start(r, file, file->offset + at, len - at);
            hand_over(r, data + at, data + len);
        } else if (!skipped) {
            break;
        }
        at = len;
    }
    return at;
}

/* `whole` holds the tail and what was read after it, of which `done` bytes are done with. */
static void move_on(struct log_file *file, struct log_reader *r, const char *whole, size_t done) {
    size_t end = file->tail_len + done, len = end < LOG_TAIL ? end : LOG_TAIL;
    if (done == 0)
        return;
    if (file->offset == file->tail_len && file->head_len < LOG_TAIL)
        set_head(file, whole, end);
    memcpy(file->tail, whole + end - len, len);
    file->tail_len = (unsigned)len;
    file->offset += done;
    file->fresh = false;
    file->tried = 0;
    r->state->bytes += done;
    r->moved = true;
}

/* Read at the place, with the tail before it. Bytes after the tail, or a negative errno. */
static int read_at_place(struct log_file *file, size_t limit) {
    ssize_t n = pread(file->fd, buffer, file->tail_len + limit, (off_t)(file->offset - file->tail_len));
    if (n < 0)
        return -errno;
    if ((size_t)n < file->tail_len || memcmp(buffer, file->tail, file->tail_len) != 0)
        return -ESTALE;
    return (int)((size_t)n - file->tail_len);
}

bool log_file_is_another(struct log_file *file) {
    return log_file_look(file) == -ESTALE || read_at_place(file, 0) == -ESTALE;
}

/* A hole may be large: go where there is something. */
static bool leap_over_hole(struct log_file *file, struct log_reader *r) {
    off_t data = lseek(file->fd, (off_t)file->offset, SEEK_DATA);
    if (data <= (off_t)file->offset)
        return false;
    r->state->bytes += (uint64_t)data - file->offset;
    log_file_go_to(file, (uint64_t)data, file->skipping);
    return true;
}

int log_file_fetch(struct log_file *file, struct log_reader *r) {
    int n = read_at_place(file, r->line_limit);
    if (n > 0 && buffer[file->tail_len] == '\0' && leap_over_hole(file, r))
        n = read_at_place(file, r->line_limit);
    if (n < 0)
        return n;
    /* No more than was seen: it became shorter after we looked, and the next look sees that. */
    return file->offset + (uint64_t)n > file->seen ? n : 0;
}

void log_file_take(struct log_file *file, struct log_reader *r, int fetched) {
    file->seen = file->offset + (uint64_t)fetched;
    r->state->last_read_wall_ns = wall_now_ns();
    size_t done = hand_over_lines(file, r, buffer + file->tail_len, (size_t)fetched, false);
    if (r->late)
        file->seen = file->offset + done;
    if (!r->closing)
        move_on(file, r, buffer, done);
}

/* --- the rest --- */

bool log_file_has_rest(const struct log_file *file) {
    return file->offset < file->seen && !file->skipping && file->tried != file->seen;
}

/* Tell what is there of a line. What told something is done with; else the whole line is waited for, so that no line is
 * lost because its writer paused. */
static void try_rest(struct log_file *file, struct log_reader *r, size_t len) {
    const char *text = buffer + file->tail_len;
    bool told = r->sink->line(r->sink->arg, (struct span){text, len}, false);
    if (r->closing)
        return;
    file->tried = file->seen;
    if (!told)
        return;
    r->state->lines++;
    move_on(file, r, buffer, len);
    file->skipping = true;
}

void log_file_use_rest(struct log_file *file, struct log_reader *r, bool final) {
    bool tried = file->tried == file->seen;
    if (file->offset >= file->seen || file->skipping || r->closing || (tried && !final))
        return;
    int n = read_at_place(file, (size_t)(file->seen - file->offset));
    if (n <= 0)
        return;
    if (!final) {
        try_rest(file, r, (size_t)n);
        return;
    }
    if (tried)
        r->state->lines++;
    else
        hand_over_lines(file, r, buffer + file->tail_len, (size_t)n, true);
    if (!r->closing)
        move_on(file, r, buffer, (size_t)n);
}

/* --- the place --- */

/* The index of the line that is `back` lines ago. */
static unsigned start_index(const struct log_reader *r, unsigned back) {
    return (r->next_start + LOG_HELD_MAX - back) % LOG_HELD_MAX;
}

static unsigned within(const struct log_reader *r, unsigned held) {
    return held < r->start_count ? held : r->start_count;
}

uint64_t log_file_held_bytes(const struct log_reader *r, unsigned held) {
    uint64_t bytes = 0;
    for (unsigned back = 1; back <= within(r, held); back++)
        bytes += r->starts[start_index(r, back)].bytes;
    return bytes;
}

void log_file_move_starts(struct log_reader *r, const struct log_file *file, const struct log_file *copy) {
    for (unsigned i = 0; i < LOG_HELD_MAX; i++)
        if (r->starts[i].fd == file->fd)
            r->starts[i].fd = copy ? copy->fd : -1;
}

void log_file_place(const struct log_file *file, const struct log_reader *r, unsigned held,
                    uint64_t out[LOG_PLACE_NUMBERS]) {
    uint64_t first = file->offset;
    for (unsigned back = 1; back <= within(r, held); back++) {
        unsigned i = start_index(r, back);
        if (r->starts[i].fd == file->fd && r->starts[i].offset < first)
            first = r->starts[i].offset;
    }
    memset(out, 0, LOG_PLACE_NUMBERS * sizeof *out);
    out[FILE_DEV] = file->dev;
    out[FILE_INO] = file->ino;
    out[FILE_OFFSET] = file->offset;
    bool torn = file->tail_len > 0 && file->tail_len < LOG_TAIL && file->tail[file->tail_len - 1] != '\n';
    out[FILE_FLAGS] =
        (file->skipping ? FILE_SKIPPING : 0) | (file->overtaken ? FILE_OVERTAKEN : 0) | (torn ? FILE_TORN : 0);
    out[FILE_TAIL_LEN] = file->tail_len;
    out[FILE_TAIL_HASH] = hash_bytes(file->tail, file->tail_len);
    out[FILE_SINCE] = (uint64_t)file->since_ns;
    out[FILE_BIRTH] = file->birth_ns;
    out[FILE_BACK] = file->offset - first;
    out[FILE_HEAD_LEN] = file->head_len;
    out[FILE_HEAD_HASH] = file->head_hash;
    out[FILE_START_HASHES] = file->start_hashes;
}

bool log_file_is(int fd, const struct stat *st, const uint64_t place[LOG_PLACE_NUMBERS]) {
    if (st->st_dev != place[FILE_DEV] || st->st_ino != place[FILE_INO])
        return false;
    uint64_t birth = place[FILE_BIRTH] ? birth_of(fd) : 0;
    return birth == 0 || birth == place[FILE_BIRTH];
}

/* Long lines end alike, but not with the same time in front of the first. */
static bool has_head(int fd, const uint64_t place[LOG_PLACE_NUMBERS]) {
    char head[LOG_TAIL];
    uint64_t len = place[FILE_HEAD_LEN];
    return len == 0 || (len <= LOG_TAIL && pread(fd, head, len, 0) == (ssize_t)len &&
                        hash_bytes(head, len) == place[FILE_HEAD_HASH]);
}

bool log_file_fits(int fd, const struct stat *st, const uint64_t place[LOG_PLACE_NUMBERS]) {
    bool same = log_file_is(fd, st, place);
    char tail[LOG_TAIL];
    bool sure = same || (place[FILE_TAIL_LEN] >= LOG_TAIL_SURE && !(place[FILE_FLAGS] & FILE_TORN));
    if (!sure || place[FILE_OFFSET] > (uint64_t)st->st_size)
        return false;
    if (place[FILE_TAIL_LEN] == 0)
        return true;
    /* As many as there were then: a place is always saved with all that there are, up to LOG_TAIL. */
    unsigned len = read_tail(fd, place[FILE_OFFSET], tail);
    return len == place[FILE_TAIL_LEN] && hash_bytes(tail, len) == place[FILE_TAIL_HASH] && has_head(fd, place);
}

bool log_file_had(int fd, const struct stat *st, const uint64_t place[LOG_PLACE_NUMBERS]) {
    char head[LOG_TAIL];
    uint64_t len = place[FILE_HEAD_LEN], size = (uint64_t)st->st_size;
    if (len < LOG_TAIL_SURE || len > LOG_TAIL || size > place[FILE_OFFSET])
        return false;
    if (size >= len)
        return pread(fd, head, len, 0) == (ssize_t)len && hash_bytes(head, len) == place[FILE_HEAD_HASH];
    unsigned i = START_HASHES;
    while (i > 0 && (size_t)LOG_HEAD_START << (i - 1) > size)
        i--;
    len = i > 0 ? (size_t)LOG_HEAD_START << (i - 1) : 0;
    return len > 0 && pread(fd, head, len, 0) == (ssize_t)len &&
           (hash_starts(head, len) ^ place[FILE_START_HASHES]) << (64 - 16 * i) == 0;
}

bool log_file_is_copy(int fd, const struct stat *st, int whole) {
    char a[LOG_TAIL], b[LOG_TAIL];
    uint64_t size = (uint64_t)st->st_size;
    ssize_t len = size < LOG_TAIL ? (ssize_t)size : LOG_TAIL;
    for (uint64_t at = 0;; at = size - (uint64_t)len) {
        if (pread(fd, a, (size_t)len, (off_t)at) != len || pread(whole, b, (size_t)len, (off_t)at) != len ||
            memcmp(a, b, (size_t)len) != 0)
            return false;
        if (at == size - (uint64_t)len)
            return true;
    }
}
