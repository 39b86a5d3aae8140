/*
 * Names of the kinds of log events; see log_event.h.
 */
#include "observe/log_event.h"

const char *log_event_kind_name(enum log_event_kind kind) {
    static const char *const names[LOG_EVENT_KIND_COUNT] = {[LOG_EVENT_NONE] = "none",
#define LOG_EVENT_NAME(id, label, meaning) [LOG_EVENT_##id] = label,
                                                            LOG_EVENT_KINDS(LOG_EVENT_NAME)
#undef LOG_EVENT_NAME
    };
    return names[kind];
}

bool log_event_is_abort(const struct log_event *event) {
    return event->kind == LOG_EVENT_ABORTED || event->kind == LOG_EVENT_INIT_CONNECT ||
           (event->kind == LOG_EVENT_TOO_MANY_CONNECTIONS && event->reason.ptr);
}

struct span log_event_reason(const struct log_event *event) {
    return event->english_reason.ptr ? event->english_reason : event->reason;
}
