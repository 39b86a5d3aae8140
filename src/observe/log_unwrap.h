/*
 * What others wrapped around a server's line: container engines, Kubernetes, Compose, RFC 5424's syslog, and the JSON
 * of MySQL 8 and of journalctl. Told from the line alone; there is nothing to configure.
 *
 * Only what hides the line's text is taken off here: escapes, pieces, and headers behind which a message may stand
 * without a label. Wrappers that merely put words in front (RFC 3164's syslog,
 * journalctl, `kubectl logs --timestamps`, Cloud SQL) are part of a line's front, see log_time.h.
 */
#ifndef OBSERVE_LOG_UNWRAP_H
#define OBSERVE_LOG_UNWRAP_H

#include "observe/log_time.h"

/* What can be taken off, from the outside to the inside. */
enum log_layer {
    LOG_LAYER_COMPOSE = 1 << 0,
    LOG_LAYER_POD = 1 << 1,
    LOG_LAYER_STAMP = 1 << 2, /* a time in front of JSON */
    LOG_LAYER_CRI = 1 << 3,
    LOG_LAYER_DOCKER = 1 << 4,
    LOG_LAYER_JOURNAL = 1 << 5,
    LOG_LAYER_SYSLOG = 1 << 6,
    LOG_LAYER_MYSQL = 1 << 7,
    LOG_LAYER_ALL = (1 << 8) - 1,
    LOG_LAYER_ENGINES = LOG_LAYER_CRI | LOG_LAYER_DOCKER, /* of containers */
};

struct log_unwrapped {
    struct span text;       /* the server's line; in the line that was given, or in one of `scratch` */
    unsigned layers;        /* that were taken off */
    bool goes_on;           /* a piece of it; the engine's next line holds the next one */
    bool is_message;        /* the message, with or without a front of the server's own: MySQL's JSON, syslog */
    struct log_stamp stamp; /* when the wrapper says it was written */
    uint64_t thread;        /* of MySQL's JSON */
};

/* The quick look: false where nothing is wrapped around the line in the ways that this file takes off. */
bool log_unwrap_is_needed(struct span line);

/* Whether it begins as RFC 5424 says. In such a log nothing else tells where messages begin. */
bool log_unwrap_is_syslog(struct span line);

/* Take it off, but none but these layers. What is no wrapper after all is left as it is. `scratch` takes texts whose
 * escapes were taken off, of Docker and of MySQL inside it; a text over its maximum is empty. */
void log_unwrap(struct span line, unsigned layers, struct strbuf scratch[2], struct log_unwrapped *out);

#endif
