/*
 * Lines to events; see log_decoder.h.
 */
#include "observe/log_decoder.h"

#include "observe/log_parser.h"

#include <stdlib.h>
#include <string.h>

struct log_decoder {
    log_event_fn *on_event;
    void *arg;
    struct log_parser parser;
    uint64_t lines;
};

struct log_decoder *log_decoder_new(log_event_fn *on_event, void *arg) {
    struct log_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder) {
        decoder->on_event = on_event;
        decoder->arg = arg;
    }
    return decoder;
}

void log_decoder_free(struct log_decoder *decoder) {
    free(decoder);
}

void log_decoder_line(struct log_decoder *decoder, struct span line) {
    struct log_event event;
    decoder->lines++;
    log_parser_line(&decoder->parser, line, &event);
    event.line = decoder->lines;
    if (event.kind != LOG_EVENT_NONE)
        decoder->on_event(decoder->arg, &event);
}

void log_decoder_block(struct log_decoder *decoder, struct span lines) {
    while (lines.len) {
        const char *newline = memchr(lines.ptr, '\n', lines.len);
        size_t len = newline ? (size_t)(newline - lines.ptr) : lines.len, skip = newline ? len + 1 : len;
        log_decoder_line(decoder, (struct span){lines.ptr, len});
        lines = (struct span){lines.ptr + skip, lines.len - skip};
    }
}

uint64_t log_decoder_lines(const struct log_decoder *decoder) {
    return decoder->lines;
}

void log_decoder_entry(struct log_decoder *decoder, struct span message, int64_t wall_ns) {
    struct log_event event;
    decoder->lines++;
    log_parse(message, &event);
    event.line = decoder->lines;
    event.time = LOG_TIME_UTC;
    event.wall_ns = wall_ns;
    if (event.kind != LOG_EVENT_NONE)
        decoder->on_event(decoder->arg, &event);
}

unsigned log_decoder_held(const struct log_decoder *decoder) {
    (void)decoder;
    return 0;
}

void log_decoder_flush(struct log_decoder *decoder) {
    (void)decoder;
}
