/*
 * Any bytes as an error log: no crash, no part outside the log, the same events by lines and by blocks, and nothing
 * held after a flush.
 */
#include "fuzz.h"
#include "observe/log_decoder.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct told by_lines = {0, 0}, by_block = {0, 0};
    struct log_decoder *decoder = log_decoder_new(on_event, &by_lines);
    for (size_t at = 0; at < size;) {
        const uint8_t *newline = memchr(data + at, '\n', size - at);
        size_t len = newline ? (size_t)(newline - data) - at : size - at;
        char *line = malloc(len ? len : 1);
        memcpy(line, data + at, len);
        log_decoder_line(decoder, (struct span){line, len});
        free(line);
        at += len + (newline != NULL);
    }
    log_decoder_flush(decoder);
    fuzz_check(log_decoder_held(decoder) == 0);
    uint64_t lines = log_decoder_lines(decoder);
    log_decoder_free(decoder);

    decoder = log_decoder_new(on_event, &by_block);
    log_decoder_block(decoder, (struct span){(const char *)data, size});
    log_decoder_flush(decoder);
    fuzz_check(log_decoder_lines(decoder) == lines);
    fuzz_check(by_block.events == by_lines.events && by_block.sum == by_lines.sum);
    /* and as one entry, of a source that frames them */
    log_decoder_entry(decoder, (struct span){(const char *)data, size}, 0);
    log_decoder_free(decoder);
    return 0;
}
