/*
 * From the lines of one error log to events, in order: takes each line out of what a container or syslog wrapped around
 * it, joins what belongs together, and parses it. What a source of lines (file, journald, table, a file read offline)
 * hands its lines to.
 */
#ifndef OBSERVE_LOG_DECODER_H
#define OBSERVE_LOG_DECODER_H

#include "observe/log_event.h"

struct log_decoder;

/* `event` and its spans are valid only during the call. May not free the decoder. */
typedef void log_event_fn(void *arg, const struct log_event *event);

/* NULL when memory is short. */
struct log_decoder *log_decoder_new(log_event_fn *on_event, void *arg);
/* NULL is allowed. What is held back is dropped: log_decoder_flush() first. */
void log_decoder_free(struct log_decoder *decoder);

/* The next line, without its newline; NUL bytes in front of it and a CR behind it are no part of it. Calls on_event for
 * each event that is settled by it, in the order of their lines: a refused login waits for the next line at least. */
void log_decoder_line(struct log_decoder *decoder, struct span line);
/* Many lines at once, each with its newline (the last one may lack it): the same as log_decoder_line() for each of them
 * in turn, and the fast way for whole files: lines of no interest are passed over at memory speed. A line must not be
 * split between two calls. */
void log_decoder_block(struct log_decoder *decoder, struct span lines);
/* How many lines were handed in until now. */
uint64_t log_decoder_lines(const struct log_decoder *decoder);
/* An entry of a source that frames and times its entries itself: the server's message, which may hold newlines, at Unix
 * time `wall_ns`. */
void log_decoder_entry(struct log_decoder *decoder, struct span message, int64_t wall_ns);
/* How many of the last lines are held back, because the event that they make may go on in the next one. A reader that
 * keeps its place does so in front of them. */
unsigned log_decoder_held(const struct log_decoder *decoder);
/* Nothing more comes, or not soon: tell what is held back. */
void log_decoder_flush(struct log_decoder *decoder);

#endif
