/*
 * How far the name of a refused login goes over the lines of a log.
 *
 * MariaDB and MySQL 5.x write a refused user name raw, so whoever can connect can write lines of his own between
 * "Access denied for user 'x" and the end of that message, "'@'host' …"; and he can put such an end into the name too,
 * so that the first line looks whole. But a server takes at most 128 characters of a name: what cannot be reached with
 * those was written by the server. A line inside the reach that is followed by an end, within the reach and without a
 * beginning of its own, is part of the name. So is what stands between two refused logins that one name can reach over;
 * true lines with their times and hosts are too long for that.
 *
 * What a wrapper of lines put in front of each is no part of the name: all know it by the first.
 *
 * The message of an abort goes on over lines in the same way where an account's or a database's name holds a newline.
 */
#ifndef OBSERVE_LOG_REFUSAL_H
#define OBSERVE_LOG_REFUSAL_H

#include "observe/log_parser.h"

struct log_refusal {
    bool open;             /* the name may go on in the next line */
    bool whole;            /* an end of the message was seen */
    bool sure;             /* it is a refused login, whatever follows */
    bool abort;            /* it is no refused login, but the message of an abort; `text` is all of it */
    size_t characters;     /* from the beginning of the name on */
    size_t outer;          /* so many are left of the reach of a whole name, inside which this beginning may be */
    bool outer_sure;       /* … and that is one for certain */
    struct strbuf text;    /* the same, lines joined by newlines */
    struct strbuf wrapper; /* what stands in front of the server's own text in its first line, and so in all */
};

void log_refusal_init(struct log_refusal *refusal);
void log_refusal_release(struct log_refusal *refusal);

/* Nothing more is to come of it. */
void log_refusal_close(struct log_refusal *refusal);

/* Begin with a line that is a refused login, or the beginning of one or of an abort. Not open afterwards if it is none.
 */
void log_refusal_begin(struct log_refusal *refusal, struct span line, const struct log_parsed *parsed);

enum log_refusal_step {
    LOG_REFUSAL_PASSED, /* this line is behind the reach; nothing more is to be said */
    LOG_REFUSAL_WAITS,  /* this line may be inside the name, and so may the next one */
    LOG_REFUSAL_ENDS,   /* the name ends in this line: all lines since its beginning are inside; `end` says who was
                         * refused or what aborted, in spans that live until the next call. It may end once more */
    LOG_REFUSAL_REACHES /* the next refused login begins here, and one name could reach over what is between */
};
enum log_refusal_step log_refusal_line(struct log_refusal *refusal, struct span line, const struct log_parsed *parsed,
                                       struct log_event *end);

#endif
