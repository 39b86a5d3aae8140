/*
 * What one run keeps of a target's error log for the next: where it was read to, and the counts that were made up to
 * there; as text (base/records.h).
 */
#ifndef OBSERVE_LOG_STATE_H
#define OBSERVE_LOG_STATE_H

#include "base/records.h"
#include "observe/log_event.h"
#include "observe/log_source.h"

struct log_state {
    struct log_saved saved;
    uint64_t events[LOG_EVENT_KIND_COUNT];
    bool clock_known;
    int64_t ahead_s; /* of UTC was the server's clock, within a day */
};

void log_state_release(struct log_state *state);

/* Begin the text of `target`'s state; records of the listener's may follow, then records_end(). */
void log_state_print(struct strbuf *out, const char *target, const struct log_state *state);

/* Read such a text, which is changed. Records of other names than ours go to `other` (may be NULL), which is false
 * where one is wrong; then nothing more is read. True with *state filled (to be released), or false with the line and
 * what is wrong with it in *records. */
typedef bool log_state_fn(void *arg, const struct record *record);
bool log_state_parse(struct records *records, char *text, size_t len, const char *target, struct log_state *state,
                     log_state_fn *other, void *arg);

#endif
