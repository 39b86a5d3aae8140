/*
 * What a target's error log said of connections, counted; see aborts.h.
 *
 * A name or reason is kept once, in a sorted set with a maximum, and the counts are a table sorted by kind and then by
 * those pointers' texts: a look-up is two binary searches, and the order of the output never changes.
 */
#include "explain/aborts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/records.h"
#include "base/time_zone.h"

#include <stdlib.h>
#include <string.h>

enum {
    REASONS_MAX = 64, /* the list of reasons is open, and a server's text is in them */
    TEXT_MAX = 80,    /* bytes of a user, database or reason that are kept; servers cut at 48 and 64 */
    HOST_MAX = 255,
};

struct aborts {
    uint64_t users_per_target;
};

struct text_set {
    char **texts; /* sorted */
    size_t count;
};

struct target_aborts {
    struct text_set users, reasons;
    struct abort_count *counts; /* sorted as compare_counts() says */
    size_t count;
    uint64_t folded, suspect;
};

static const char other[] = "other", nothing[] = "";

/* --- texts --- */

/* What is kept of a text: up to a NUL, which no server writes, or `max` bytes. */
static struct span cut(struct span s, size_t max) {
    if (!s.ptr)
        return (struct span){nothing, 0};
    return (struct span){s.ptr, strnlen(s.ptr, s.len < max ? s.len : max)};
}

/* As strcmp(), for a text that does not end in a NUL. */
static int compare_text(const char *kept, struct span text) {
    int order = strncmp(kept, text.ptr, text.len);
    return order ? order : kept[text.len] != '\0';
}

/* The set's own copy of `text`, or NULL if the set has `max` texts already or memory is short. */
static const char *set_intern(struct text_set *set, struct span text, size_t max) {
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_text(set->texts[middle], text);
        if (order == 0)
            return set->texts[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (set->count >= max)
        return NULL;
    char *copy = strndup(text.ptr, text.len);
    char **texts = copy ? reallocarray(set->texts, set->count + 1, sizeof *texts) : NULL;
    if (!texts) {
        free(copy);
        return NULL;
    }
    set->texts = texts;
    memmove(texts + low + 1, texts + low, (set->count - low) * sizeof *texts);
    set->count++;
    return texts[low] = copy;
}

static void set_release(struct text_set *set) {
    for (size_t i = 0; i < set->count; i++)
        free(set->texts[i]);
    free(set->texts);
}

/* --- counts --- */

static int compare_counts(const struct abort_count *a, const struct abort_count *b) {
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int order = a->reason == b->reason ? 0 : strcmp(a->reason, b->reason);
    return order || a->user == b->user ? order : strcmp(a->user, b->user);
}

static struct abort_count *find_or_add_count(struct target_aborts *ta, const struct abort_count *key) {
    size_t low = 0, high = ta->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_counts(&ta->counts[middle], key);
        if (order == 0)
            return &ta->counts[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    struct abort_count *counts = reallocarray(ta->counts, ta->count + 1, sizeof *counts);
    if (!counts)
        return NULL;
    ta->counts = counts;
    memmove(counts + low + 1, counts + low, (ta->count - low) * sizeof *counts);
    counts[low] = *key;
    ta->count++;
    return &counts[low];
}

static void count_event(struct target_aborts *ta, const struct log_event *event, uint64_t users_max) {
    struct abort_count key = {.kind = event->kind, .reason = nothing};
    if (event->kind == LOG_EVENT_ACCESS_DENIED)
        users_max = (users_max + 1) / 2; /* anybody can make these names up; leave places for those who got in */
    else
        key.reason = set_intern(&ta->reasons, cut(log_event_reason(event), TEXT_MAX), REASONS_MAX);
    key.user = set_intern(&ta->users, cut(event->user, TEXT_MAX), users_max);

    bool folded = !key.reason || !key.user;
    key.reason = key.reason ? key.reason : other;
    key.user = key.user ? key.user : other;
    struct abort_count *count = find_or_add_count(ta, &key);
    if (count)
        count->count++;
    ta->folded += folded || !count;
}

/* --- the sink --- */

static struct target_aborts *aborts_of_target(struct target *target) {
    if (!target->listener)
        target->listener = calloc(1, sizeof(struct target_aborts));
    return target->listener;
}

/* As the server wrote it. */
static void write_line(const struct target *target, const struct log_event *e, enum cause cause) {
    const struct log_field name = LF_STR("target", target->config->name),
                           id = LF_NUM("connection_id", e->connection_id);
    const struct log_field user = LF_SPAN("user", cut(e->user, TEXT_MAX)),
                           host = LF_SPAN("host", cut(e->host, HOST_MAX));
    const struct log_field db = LF_SPAN("db", cut(e->db, TEXT_MAX)),
                           reason = LF_SPAN("reason", cut(e->reason, TEXT_MAX)),
                           why = LF_STR("cause", cause_name(cause));
    struct strbuf at; /* "" where it is not known */
    strbuf_init(&at, 64);
    if (e->time == LOG_TIME_UTC)
        time_add_rfc3339(&at, e->wall_ns);
    strbuf_addstr(&at, at.len ? "Z" : "");
    const struct log_field time = LF_STR("time", strbuf_text(&at));
    if (log_event_is_abort(e))
        log_info("connection aborted", name, id, user, host, db, reason, why, time);
    else
        log_info("access denied", name, user, host, time);
    strbuf_release(&at);
}

/* Those of which no line told. */
static void write_sum(const struct target *target, const struct abort_event *e) {
    log_info("connections aborted", LF_STR("target", target->config->name),
             LF_STR("told_by", fact_source_name(e->source)), LF_NUM("n", e->n), LF_SPAN("user", cut(e->user, TEXT_MAX)),
             LF_SPAN("host", cut(e->host, HOST_MAX)), LF_STR("cause", cause_name(e->cause.cause)));
}

static void on_abort(void *arg, struct target *target, const struct abort_event *event) {
    (void)arg;
    if (event->source != FACT_LOG)
        write_sum(target, event);
}

static void on_line(void *arg, struct target *target, const struct log_event *line, enum cause cause) {
    const struct aborts *aborts = arg;
    if (!log_event_is_abort(line) && line->kind != LOG_EVENT_ACCESS_DENIED)
        return;
    write_line(target, line, cause);
    struct target_aborts *ta = aborts_of_target(target);
    if (ta)
        count_event(ta, line, aborts->users_per_target);
}

static void on_forged(void *arg, struct target *target, const struct log_event *line) {
    struct target_aborts *ta = aborts_of_target(target);
    (void)arg;
    log_warn("error log: a client forged a line", LF_STR("target", target->config->name),
             LF_STR("claims", log_event_kind_name(line->kind)), LF_SPAN("user", cut(line->user, TEXT_MAX)),
             LF_SPAN("host", cut(line->host, HOST_MAX)));
    if (ta)
        ta->suspect++;
}

/* --- over restarts --- */

static void on_log_save(void *arg, const struct target *target, struct strbuf *out) {
    const struct target_aborts *ta = target->listener;
    (void)arg;
    for (size_t i = 0; ta && i < ta->count; i++) {
        record_begin(out, "abort");
        record_add(out, span_of(log_event_kind_name(ta->counts[i].kind)));
        record_add(out, span_of(ta->counts[i].reason));
        record_add(out, span_of(ta->counts[i].user));
        record_add_u64(out, ta->counts[i].count);
        record_end(out);
    }
    record_begin(out, "aborts");
    record_add_u64(out, ta ? ta->folded : 0);
    record_add_u64(out, ta ? ta->suspect : 0);
    record_end(out);
}

/* The name for what was folded takes no place of a name that was kept. */
static const char *restore_name(struct text_set *set, struct span text, size_t max) {
    const char *name = span_is(text, other) ? other : set_intern(set, cut(text, TEXT_MAX), max);
    return name ? name : other;
}

static bool restore_count(const struct aborts *aborts, struct target_aborts *ta, const struct record *r) {
    struct abort_count key = {.kind = LOG_EVENT_NONE};
    uint64_t value;
    if (r->count != 4 || !record_u64(r, 3, &value) || value > INT64_MAX)
        return false;
    for (int kind = LOG_EVENT_NONE + 1; kind < LOG_EVENT_KIND_COUNT; kind++)
        if (span_is(r->field[0], log_event_kind_name((enum log_event_kind)kind)))
            key.kind = (enum log_event_kind)kind;
    key.reason = restore_name(&ta->reasons, r->field[1], REASONS_MAX);
    key.user = restore_name(&ta->users, r->field[2], aborts->users_per_target);
    struct abort_count *count = key.kind == LOG_EVENT_NONE ? NULL : find_or_add_count(ta, &key);
    if (count)
        count->count += value;
    return !count || count->count <= INT64_MAX;
}

static bool on_log_restore(void *arg, struct target *target, const struct record *record) {
    struct target_aborts *ta = aborts_of_target(target);
    if (!ta)
        return true;
    if (span_is(record->name, "abort"))
        return restore_count(arg, ta, record);
    if (span_is(record->name, "aborts"))
        return record_u64(record, 0, &ta->folded) && record_u64(record, 1, &ta->suspect);
    return true;
}

static void on_target_removed(void *arg, struct target *target) {
    struct target_aborts *ta = target->listener;
    (void)arg;
    if (!ta)
        return;
    set_release(&ta->users);
    set_release(&ta->reasons);
    free(ta->counts);
    free(ta);
    target->listener = NULL;
}

struct aborts *aborts_new(uint64_t users_per_target) {
    struct aborts *aborts = calloc(1, sizeof *aborts);
    if (aborts)
        aborts_set_limit(aborts, users_per_target);
    return aborts;
}

void aborts_free(struct aborts *aborts) {
    free(aborts);
}

void aborts_set_limit(struct aborts *aborts, uint64_t users_per_target) {
    aborts->users_per_target = users_per_target;
}

struct observer aborts_observer(struct aborts *aborts) {
    return (struct observer){
        .arg = aborts, .target_removed = on_target_removed, .log_save = on_log_save, .log_restore = on_log_restore};
}

struct abort_sink aborts_sink(struct aborts *aborts) {
    return (struct abort_sink){.arg = aborts, .abort = on_abort, .line = on_line, .forged = on_forged};
}

/* --- the readers --- */

const struct abort_count *aborts_of(const struct target *target, size_t *count) {
    const struct target_aborts *ta = target->listener;
    *count = ta ? ta->count : 0;
    return ta ? ta->counts : NULL;
}

uint64_t aborts_folded(const struct target *target) {
    const struct target_aborts *ta = target->listener;
    return ta ? ta->folded : 0;
}

uint64_t aborts_suspect(const struct target *target) {
    const struct target_aborts *ta = target->listener;
    return ta ? ta->suspect : 0;
}
