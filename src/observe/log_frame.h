/*
 * The frames of the messages that servers write about connections, in every language: texts with holes for the values.
 * One table says which message is which kind of event and which part is whose name.
 */
#ifndef OBSERVE_LOG_FRAME_H
#define OBSERVE_LOG_FRAME_H

#include "observe/log_event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Build the tables; once, before anything else here is called. Does nothing when it was done. */
void log_frame_init(void);

/* A bit for each log_frame_hash() of a message's first three bytes that one of the frames can have. */
extern uint8_t log_frame_beginnings[1 << 13];

static inline unsigned log_frame_hash(const char *p) {
    const unsigned char *u = (const unsigned char *)p;
    return (unsigned)u[0] << 8 | (uint8_t)(u[1] ^ (u[2] << 3) ^ (u[2] >> 5));
}

/* Whether the message that begins with these three bytes can be one of the frames: the quick look that most lines do
 * not pass. */
static inline bool log_frame_may_fit(const char *p) {
    unsigned hash = log_frame_hash(p);
    return log_frame_beginnings[hash / 8] >> hash % 8 & 1;
}
/* A second look, at what is behind a program's name where one is in front: "mysqld: Table …" is of no interest. Bytes
 * up to `end`, which may be behind the message's own. */
bool log_frame_may_fit_behind_name(const char *p, const char *end);

/* How much of a frame a message was found to be. */
enum log_frame_fit {
    LOG_FRAME_NONE,
    LOG_FRAME_FITS,
    /* It begins a refused login whose end is not in the message: the user's name holds a newline, or the line was cut.
     * event->user is what is there of the name. */
    LOG_FRAME_OPEN,
    /* It begins like one of event->kind and does not go on like it. */
    LOG_FRAME_BROKEN,
};

/* Compare the message with the frames: fills *event's kind and parts, and of nothing else. Names may hold anything, so
 * of the places where one could end the last is taken that lets the rest of the frame fit. Time in proportion to the
 * message's length. */
enum log_frame_fit log_frame_parse(struct span message, struct log_event *event);

/* Whether `text` ends like the message of a refused login: NAME'@'HOST' … with the end of such a frame, in any
 * language, or in those where a lone quote is all that stands in front of the name. Fills event->user and event->host
 * (and db). */
bool log_frame_refused_end(struct span text, bool lone_quote, struct log_event *event);

#endif
