/*
 * Any bytes as an error log: no crash, no part outside the log, the same events by lines, in one block and in blocks of
 * whole lines, nothing held after a flush; and the scan stops at the same places with all instructions.
 */
#include "fuzz.h"
#include "observe/log_decoder.h"
#include "observe/log_scan.h"

#include <stdlib.h>
#include <string.h>

struct told {
    uint64_t events, sum;
};

static void on_event(void *arg, const struct log_event *e) {
    struct told *told = arg;
    const struct span parts[] = {e->db, e->user, e->host, e->reason, log_event_reason(e)};
    fuzz_check(e->kind != LOG_EVENT_NONE && (unsigned)e->kind < LOG_EVENT_KIND_COUNT);
    told->events++;
    told->sum = told->sum * 31 + (uint64_t)e->kind + e->line + e->connection_id + e->suspect;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        fuzz_check(parts[i].ptr || parts[i].len == 0);
        for (size_t at = 0; at < parts[i].len; at++) /* a byte outside is seen by the sanitizer */
            told->sum = told->sum * 31 + (unsigned char)parts[i].ptr[at];
    }
}

/* How many of these bytes are whole lines, of `min` bytes at least where there are so many. */
static size_t whole_lines(const uint8_t *data, size_t size, size_t min) {
    const uint8_t *newline = min < size ? memchr(data + min, '\n', size - min) : NULL;
    return newline ? (size_t)(newline + 1 - data) : size;
}

static struct told read_lines(const uint8_t *data, size_t size, uint64_t *lines) {
    struct told told = {0, 0};
    struct log_decoder *decoder = log_decoder_new(on_event, &told);
    for (size_t at = 0, len; at < size; at += len) {
        len = whole_lines(data + at, size - at, 0);
        size_t end = len - (data[at + len - 1] == '\n');
        char *line = malloc(end ? end : 1);
        memcpy(line, data + at, end);
        log_decoder_line(decoder, (struct span){line, end});
        free(line);
    }
    log_decoder_flush(decoder);
    fuzz_check(log_decoder_held(decoder) == 0);
    *lines = log_decoder_lines(decoder);
    log_decoder_free(decoder);
    return told;
}

static void check_blocks(const uint8_t *data, size_t size, size_t min, struct told want, uint64_t lines) {
    struct told told = {0, 0};
    struct log_decoder *decoder = log_decoder_new(on_event, &told);
    for (size_t at = 0, len; at < size; at += len) {
        len = whole_lines(data + at, size - at, min);
        log_decoder_block(decoder, (struct span){(const char *)data + at, len});
        fuzz_check(log_decoder_held(decoder) <= log_decoder_lines(decoder));
    }
    log_decoder_flush(decoder);
    fuzz_check(log_decoder_lines(decoder) == lines);
    fuzz_check(told.events == want.events && told.sum == want.sum);
    /* and as one entry, of a source that frames them */
    log_decoder_entry(decoder, (struct span){(const char *)data, size}, 0);
    log_decoder_free(decoder);
}

static void check_scan(const char *p, const char *end) {
    while (p < end) {
        size_t lines, other_lines;
        const char *place = log_scan_next_with(LOG_SCAN_BYTES, p, end, &lines);
        for (int speed = LOG_SCAN_BYTES + 1; speed <= (int)log_scan_best(); speed++) {
            fuzz_check(log_scan_next_with((enum log_scan_speed)speed, p, end, &other_lines) == place);
            fuzz_check(other_lines == lines);
        }
        const char *newline = place ? memchr(place, '\n', (size_t)(end - place)) : NULL;
        p = newline ? newline + 1 : end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t lines;
    struct told told = read_lines(data, size, &lines);
    check_blocks(data, size, size, told, lines);
    check_blocks(data, size, size / 3, told, lines);
    check_scan((const char *)data, (const char *)data + size);
    return 0;
}
