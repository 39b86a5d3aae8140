/*
 * One line of an error log to an event: the frames of `../shared/facts/error-log-formats.md`, found by the message and
 * never by the timestamp in front of it. Nothing in the line is trusted: names may hold quotes, brackets and whole
 * forged messages.
 */
#ifndef OBSERVE_LOG_PARSER_H
#define OBSERVE_LOG_PARSER_H

#include "observe/log_event.h"

#include <stddef.h>

/* What the lines of one log leave behind for the next one; zero it where the log begins. */
struct log_parser {
    size_t open_name; /* bytes over which a refused user name that holds a newline can still go on; 0 none is open */
};

/* Parse the next `line` (without its newline) of a log. Fills *event, kind LOG_EVENT_NONE where the line says nothing
 * of a connection. Cost of such a line: a search for the label and a few comparisons. No allocation.
 *
 * MariaDB and MySQL 5.x write a refused user name raw, so whoever can connect can write lines of his own between
 * "Access denied for user 'x" and the end of that message, "'@'host' …": events there are marked as suspect, however
 * well they are forged. (A name that itself holds such an end hides what it brings after that. Only the orphaned end
 * that follows would tell, too late for one who sees a line at a time.) */
void log_parser_line(struct log_parser *parser, struct span line, struct log_event *event);

/* The same for a line alone: what only the line before can tell is not seen. */
void log_parse(struct span line, struct log_event *event);

#endif
