/*
 * One JSON object of a log: Docker's json-file lines and MySQL 8's log_sink_json. Strict about the object as a whole,
 * so that a line that only looks like one is none; values inside values are passed over.
 */
#ifndef OBSERVE_LOG_JSON_H
#define OBSERVE_LOG_JSON_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

/* A member that is asked for. Its name is compared as it is written, so it must need no escapes. */
struct log_json_member {
    const char *name;
    /* Out: the value as it is written, a string without its quotes; ptr NULL where the object has none. Of two with one
     * name the first counts. */
    struct span raw;
    bool is_string;
};

/* Whether `text` is one whole object, with nothing but blanks around it; fills `members` only if it is. Time in
 * proportion to its length; objects and lists in it up to 32 deep. */
bool log_json_read(struct span text, struct log_json_member *members, size_t count);

/* A raw string as text, appended to `out`; half a surrogate pair becomes U+FFFD, bytes that are no UTF-8 stay. */
void log_json_add_text(struct strbuf *out, struct span raw);
/* A raw list of numbers as the bytes that they are. False where it is none: *out may hold some of them then. */
bool log_json_add_bytes(struct strbuf *out, struct span raw);

#endif
