/*
 * Parameters to a filter, and a filter to events; see event_filter.h.
 */
#include "expose/event_filter.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/time_zone.h"

#include <stdlib.h>

enum { LIMIT_MAX = 1000 };

/* How many events one list looks at for those that are wanted; where it ends then, the next goes on. */
enum { LOOKED_AT_MAX = 20000 };

/* --- parameters --- */

static bool take_target(struct event_filter *filter, struct span value, struct target *const *targets, size_t count) {
    for (size_t i = 0; i < count && !filter->target; i++)
        if (span_is(value, targets[i]->config->name))
            filter->target = targets[i];
    return filter->target != NULL;
}

/* The others do not look at the targets. */
#define TAKE(function)                                                                                                 \
    static bool function(struct event_filter *filter, struct span value,                                               \
                         __attribute__((unused)) struct target *const *targets, __attribute__((unused)) size_t count)

TAKE(take_cause) {
    for (int cause = 0; cause < CAUSE_COUNT; cause++)
        if (span_is(value, cause_name((enum cause)cause)))
            filter->cause = cause;
    return filter->cause >= 0;
}

TAKE(take_confidence) {
    for (int confidence = 0; confidence <= CONFIDENCE_CERTAIN; confidence++)
        if (span_is(value, confidence_name((enum confidence)confidence)))
            filter->confidence = confidence;
    return filter->confidence >= 0;
}

TAKE(take_user) {
    filter->user = value;
    return true;
}

TAKE(take_host) {
    filter->host = value;
    return true;
}

static bool take_time(struct span value, int64_t *ns) {
    static const double seconds_max = 9e9; /* in the year 2255 */
    double seconds;
    bool has_zone;
    if (number_parse_double(value, &seconds) == 0) {
        if (seconds < 0 || seconds > seconds_max)
            return false;
        *ns = (int64_t)(seconds * (double)NS_PER_S);
        return true;
    }
    return time_parse(value, ns, &has_zone) == 0 && has_zone;
}

TAKE(take_since) {
    return take_time(value, &filter->since);
}

TAKE(take_until) {
    return take_time(value, &filter->until_ns);
}

TAKE(take_limit) {
    return number_parse_u64(value, LIMIT_MAX, &filter->limit) == 0 && filter->limit > 0;
}

TAKE(take_cursor) {
    return number_parse_u64(value, UINT64_MAX, &filter->before) == 0 && filter->before > 0;
}

#define TIME_FORM "a time, RFC 3339 with its zone or in Unix seconds"
const struct event_option event_options[] = {
    {"target", "the name of one", "of this target only", take_target},
    {"cause", "the name of a cause", "of this cause", take_cause},
    {"confidence", "`certain`, `likely` or `unknown`", "whose cause is so sure", take_confidence},
    {"user", "a name as the server has it", "of this user; empty: of none that is known", take_user},
    {"host", "a name or address as the server has it", "from this host; empty: from none that is known", take_host},
    {"since", TIME_FORM, "not before it", take_since},
    {"until", TIME_FORM, "not after it", take_until},
    {"limit", "a number from 1 to 1000", "at most so many, 100 if it is not given", take_limit},
    {"cursor", "the next_cursor of a page", "what comes after that page", take_cursor},
};
const size_t event_option_count = sizeof event_options / sizeof *event_options;

void event_filter_init(struct event_filter *filter, uint64_t limit) {
    *filter =
        (struct event_filter){.cause = -1, .confidence = -1, .since = INT64_MIN, .until_ns = INT64_MAX, .limit = limit};
}

/* --- finding --- */

static bool is_wanted_text(struct span wanted, struct span text) {
    if (!wanted.ptr)
        return true;
    return text.ptr ? span_equal(wanted, text) : wanted.len == 0;
}

static bool is_wanted(const struct event_filter *filter, const struct abort_event *event) {
    int64_t at = abort_event_wall_ns(event);
    return (filter->cause < 0 || event->cause.cause == (enum cause)filter->cause) &&
           (filter->confidence < 0 || event->cause.confidence == (enum confidence)filter->confidence) &&
           at >= filter->since && at <= filter->until_ns && is_wanted_text(filter->user, event->user) &&
           is_wanted_text(filter->host, event->host);
}

bool event_list_make(struct event_list *list, const struct event_filter *filter, const struct event_ring *ring) {
    uint64_t before = filter->before;
    *list = (struct event_list){.at = calloc(filter->limit, sizeof(struct kept_event *))};
    if (!list->at)
        return false;
    for (unsigned looked_at = 0;; looked_at++) {
        struct kept_event *kept = event_ring_before(ring, filter->target, before);
        if (!kept)
            return true;
        if (list->count == filter->limit || looked_at == LOOKED_AT_MAX)
            break;
        before = kept->event.id;
        if (is_wanted(filter, &kept->event))
            list->at[list->count++] = kept_event_ref(kept);
    }
    list->next = before;
    return true;
}

void event_list_release(struct event_list *list) {
    for (size_t i = 0; i < list->count; i++)
        kept_event_unref(list->at[i]);
    free(list->at);
    *list = (struct event_list){0};
}
