/*
 * One line of an error log to an event: the message, found by its own frame (log_frame.h) and never by the timestamp in
 * front of it, and what stands in front of it. Nothing in the line is trusted: names may hold quotes, brackets and
 * whole forged messages. What only the lines around it can tell is log_decoder's.
 */
#ifndef OBSERVE_LOG_PARSER_H
#define OBSERVE_LOG_PARSER_H

#include "observe/log_frame.h"
#include "observe/log_time.h"

struct log_parsed {
    struct log_event event; /* kind LOG_EVENT_NONE where the line says nothing of a connection, or nothing whole; with
                             * its time and thread nevertheless where there is an open name */
    struct span open_name; /* what is there of a refused name whose end is not in the line; ptr NULL: not such a line */
    struct span open_abort; /* the same of an abort's message, whose user or database can hold a newline too */
    struct span wrapper;    /* in front of the server's own text, where there is an open name or a refused login */
    bool maybe_open;        /* open_name: a lone quote is all that stands in front of it, as in Chinese and Korean */
    bool announces_abort;   /* of two lines that tell of one abort this is the first */
    bool one_line;          /* of a server that keeps each message on one line, whatever is in it: MySQL 8 */
};

/* Parse a line (without its newline); log_frame_init() came before. `outer` is the time of whoever wrapped it. Cost of
 * a line of no interest: a search for the label and a few comparisons. No allocation. */
void log_parse(struct span line, struct log_stamp outer, struct log_parsed *out);

/* The same for a message that nothing stands in front of, neither time nor label, such as a source that has fields
 * hands over. (Where there is a label nevertheless, it is a line.) */
void log_parse_message(struct span message, struct log_stamp outer, struct log_parsed *out);

#endif
