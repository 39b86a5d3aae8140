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

bool log_event_is_abort(enum log_event_kind kind) {
    return kind == LOG_EVENT_ABORTED || kind == LOG_EVENT_INIT_CONNECT || kind == LOG_EVENT_TOO_MANY_CONNECTIONS;
}

struct span log_event_reason(const struct log_event *event) {
    return event->english_reason.ptr ? event->english_reason : event->reason;
}
