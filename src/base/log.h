/*
 * The program's own log on stderr: logfmt or JSON, with levels. Only the top of each subsystem logs; libraries return.
 *
 *     log_warn("poll failed", LF_STR("target", name), LF_STR("reason", text), LF_NUM("code", 1045));
 *
 * Repeats are suppressed: a line that differs from one of the last minute only in its numbers is counted, not written;
 * the next one written after that minute carries suppressed=N.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/strbuf.h"

#include <stdint.h>
#include <stdio.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *key; /* NULL ends a list */
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_DURATION } kind;
    struct span text;
    int64_t number;
};

#define LF_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_TEXT, .text = span_of(v)})
#define LF_SPAN(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_TEXT, .text = (v)})
#define LF_NUM(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_NUMBER, .number = (int64_t)(v)})
#define LF_NS(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_DURATION, .number = (v)})

/* Set what is written from now on. Before this call: info, logfmt, stderr. `out` is borrowed. */
void log_configure(enum log_level level, enum log_format format, FILE *out);
bool log_enabled(enum log_level level);
/* "debug", "info", "warn", "error" / "logfmt", "json"; 0 or -EINVAL. */
int log_level_parse(const char *text, enum log_level *out);
int log_format_parse(const char *text, enum log_format *out);

/* Write one line. `message` is a constant; what varies goes into fields. */
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_line(level, message, ...)                                                                                  \
    log_write((level), (message), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
void log_write(enum log_level level, const char *message, const struct log_field *fields);
/* Write the counts that suppression still holds back, and forget what was said: before the end, and where the next
 * lines are to be written even if they repeat older ones. */
void log_flush(void);

#endif
