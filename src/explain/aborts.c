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
    RECENT_MAX = 32,  /* events kept for people */
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

/* One event as it is kept: its four texts stand behind it, each with its NUL. */
struct kept_event {
    int64_t seen_wall_ns;
    enum log_event_kind kind;
    uint64_t connection_id;
    char texts[];
};

struct target_aborts {
    struct text_set users, reasons;
    struct abort_count *counts; /* sorted as compare_counts() says */
    size_t count;
    uint64_t folded, suspect;
    struct kept_event *recent[RECENT_MAX];
    unsigned next_recent; /* where the next one goes */
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

/* --- the newest events --- */

static char *put_text(char *to, struct span text) {
    memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return to + text.len + 1;
}

static const char *get_text(const char *from, char *out, size_t size) {
    size_t len = strlen(from);
    memcpy(out, from, len < size ? len + 1 : size);
    return from + len + 1;
}

static void keep_event(struct target_aborts *ta, const struct log_event *event) {
    struct span user = cut(event->user, TEXT_MAX), host = cut(event->host, HOST_MAX);
    struct span db = cut(event->db, TEXT_MAX), reason = cut(event->reason, TEXT_MAX);
    struct kept_event *kept = malloc(sizeof *kept + user.len + host.len + db.len + reason.len + 4);
    if (!kept)
        return;
    *kept = (struct kept_event){wall_now_ns(), event->kind, event->connection_id};
    put_text(put_text(put_text(put_text(kept->texts, user), host), db), reason);
    free(ta->recent[ta->next_recent]);
    ta->recent[ta->next_recent] = kept;
    ta->next_recent = (ta->next_recent + 1) % RECENT_MAX;
}

size_t aborts_recent(const struct target *target, struct abort_recent *out, size_t max) {
    const struct target_aborts *ta = target->listener;
    size_t n = 0;
    for (unsigned back = 1; ta && back <= RECENT_MAX && n < max; back++) {
        const struct kept_event *kept = ta->recent[(ta->next_recent + RECENT_MAX - back) % RECENT_MAX];
        if (!kept)
            break;
        struct abort_recent *r = &out[n++];
        *r = (struct abort_recent){kept->seen_wall_ns, kept->kind, kept->connection_id, "", "", "", ""};
        const char *text = get_text(kept->texts, r->user, sizeof r->user);
        text = get_text(text, r->host, sizeof r->host);
        text = get_text(text, r->db, sizeof r->db);
        get_text(text, r->reason, sizeof r->reason);
    }
    return n;
}

/* --- the listener --- */

static void write_to_log(const struct target *target, const struct log_event *e) {
    const struct log_field name = LF_STR("target", target->config->name),
                           id = LF_NUM("connection_id", e->connection_id);
    const struct log_field user = LF_SPAN("user", cut(e->user, TEXT_MAX)),
                           host = LF_SPAN("host", cut(e->host, HOST_MAX));
    const struct log_field db = LF_SPAN("db", cut(e->db, TEXT_MAX)),
                           reason = LF_SPAN("reason", cut(e->reason, TEXT_MAX));
    struct strbuf at; /* "" where it is not known */
    strbuf_init(&at, 64);
    if (e->time == LOG_TIME_UTC)
        time_add_rfc3339(&at, e->wall_ns);
    strbuf_addstr(&at, at.len ? "Z" : "");
    const struct log_field time = LF_STR("time", strbuf_text(&at));
    if (e->suspect)
        log_warn("error log: a client forged a line", name, LF_STR("claims", log_event_kind_name(e->kind)), user, host);
    else if (log_event_is_abort(e->kind))
        log_info("connection aborted", name, id, user, host, db, reason, time);
    else
        log_info("access denied", name, user, host, time);
    strbuf_release(&at);
}

static void on_log_event(void *arg, struct target *target, const struct log_event *event) {
    const struct aborts *aborts = arg;
    if (!log_event_is_abort(event->kind) && event->kind != LOG_EVENT_ACCESS_DENIED && !event->suspect)
        return;
    write_to_log(target, event);
    struct target_aborts *ta = target->listener;
    if (!ta)
        target->listener = ta = calloc(1, sizeof *ta);
    if (!ta)
        return;
    if (event->suspect) {
        ta->suspect++;
        return;
    }
    count_event(ta, event, aborts->users_per_target);
    keep_event(ta, event);
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

static bool restore_count(const struct aborts *aborts, struct target_aborts *ta, const struct record *r) {
    struct abort_count key = {.kind = LOG_EVENT_NONE};
    uint64_t value;
    if (r->count != 4 || !record_u64(r, 3, &value) || value > INT64_MAX)
        return false;
    for (int kind = LOG_EVENT_NONE + 1; kind < LOG_EVENT_KIND_COUNT; kind++)
        if (span_is(r->field[0], log_event_kind_name((enum log_event_kind)kind)))
            key.kind = (enum log_event_kind)kind;
    key.reason = set_intern(&ta->reasons, cut(r->field[1], TEXT_MAX), REASONS_MAX);
    key.user = set_intern(&ta->users, cut(r->field[2], TEXT_MAX), aborts->users_per_target);
    key.reason = key.reason ? key.reason : other;
    key.user = key.user ? key.user : other;
    struct abort_count *count = key.kind == LOG_EVENT_NONE ? NULL : find_or_add_count(ta, &key);
    if (count)
        count->count += value;
    return true;
}

static bool on_log_restore(void *arg, struct target *target, const struct record *record) {
    struct target_aborts *ta = target->listener;
    if (!ta)
        target->listener = ta = calloc(1, sizeof *ta);
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
    for (size_t i = 0; i < RECENT_MAX; i++)
        free(ta->recent[i]);
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
    return (struct observer){.arg = aborts,
                             .target_removed = on_target_removed,
                             .log_event = on_log_event,
                             .log_save = on_log_save,
                             .log_restore = on_log_restore};
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
