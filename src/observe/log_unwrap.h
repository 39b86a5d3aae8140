/*
 * What others wrapped around a server's line: container engines, Kubernetes, Compose, and MySQL 8's own JSON. Told from
 * the line alone; there is nothing to configure.
 *
 * Only what hides the line's text is taken off here: escapes, pieces. Wrappers that merely put words in front (syslog,
 * journalctl, `kubectl logs --timestamps`, Cloud SQL) are part of a line's front, see log_time.h.
 */
#ifndef OBSERVE_LOG_UNWRAP_H
#define OBSERVE_LOG_UNWRAP_H

#include "observe/log_time.h"

enum log_engine { LOG_ENGINE_NONE, LOG_ENGINE_DOCKER, LOG_ENGINE_CRI };

struct log_unwrapped {
    struct span text;       /* the server's line; in the line that was given, or in one of `scratch` */
    enum log_engine engine; /* of the container that wrapped it */
    bool goes_on;           /* a piece of it; the engine's next line holds the next one */
    bool is_message;        /* the message alone, with nothing in front: MySQL's JSON */
    struct log_stamp stamp; /* when the wrapper says it was written */
    uint64_t thread;        /* of MySQL's JSON */
};

/* The quick look: false where nothing is wrapped around the line in the ways that this file takes off. */
bool log_unwrap_is_needed(struct span line);

/* Take it off. What is no wrapper after all is left as it is. `scratch` takes texts whose escapes were taken off, of
 * Docker and of MySQL inside it; a text over its maximum is empty. */
void log_unwrap(struct span line, struct strbuf scratch[2], struct log_unwrapped *out);

#endif
