/*
 * Holding lines; see held_lines.h.
 */
#include "explain/held_lines.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

/* A poll may be half done when a line comes, and an account's row may come a look late. */
enum { HELD_MAX = 64, HOST_LOOKS = 2, SUM_LOOKS = 3 };

#define BIT(cause) (UINT32_C(1) << CAUSE_##cause)

struct held_lines {
    struct {
        struct kept_event *kept;
        unsigned looks; /* since it came */
        bool hosts;     /* it waits for the host cache */
        bool refused;   /* … or for the errors that were raised with its own */
    } lines[HELD_MAX];  /* the oldest first */
    unsigned count;
};

struct held_lines *held_lines_new(void) {
    return calloc(1, sizeof(struct held_lines));
}

void held_lines_free(struct held_lines *held) {
    for (unsigned i = 0; held && i < held->count; i++)
        kept_event_unref(held->lines[i].kept);
    free(held);
}

/* The cache has no row for this machine's own addresses, nor for whom the server does not know. */
bool held_lines_host_cache_may_tell(const struct target *target, const struct abort_event *e) {
    static const char *const none[] = {"localhost", "127.0.0.1", "::1"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (!e->host.ptr || span_is(e->host, none[i]))
            return false;
    return e->cause.cause == CAUSE_BEFORE_LOGIN && server_flavour_of(target) == SERVER_MARIADB &&
           target->evidence[EVIDENCE_HOST_CACHE] == EVIDENCE_SEEN;
}

bool held_lines_add(struct held_lines *held, struct target *target, const struct abort_event *e) {
    struct kept_event *kept = held->count < HELD_MAX ? kept_event_new(target->config->name, e) : NULL;
    if (!kept)
        return false;
    bool hosts = held_lines_host_cache_may_tell(target, e);
    target->host_cache_wanted = target->host_cache_wanted || hosts;
    held->lines[held->count].kept = kept;
    held->lines[held->count].looks = 0;
    held->lines[held->count].refused = e->cause.cause == CAUSE_ACCESS_DENIED;
    held->lines[held->count++].hosts = hosts;
    return true;
}

/* --- what the host cache tells --- */

/* What the cache's errors between two looks were, if they were all of one kind and as many as the lines: each such
 * line raised one. HOST_CACHE_KIND_COUNT: they tell nothing. */
static enum host_cache_kind only_kind(const struct held_lines *held, const struct host_cache_facts *facts) {
    static const enum host_cache_kind kinds[] = {HOST_CACHE_HANDSHAKE, HOST_CACHE_HOST_ACL, HOST_CACHE_HOST_BLOCKED};
    enum host_cache_kind found = HOST_CACHE_KIND_COUNT;
    uint64_t lines = 0, errors = 0;
    for (unsigned i = 0; i < held->count; i++) {
        lines += held->lines[i].hosts;
        if (held->lines[i].hosts && held->lines[i].kept->event.seen_wall_ns > facts->wall_ns)
            return HOST_CACHE_KIND_COUNT; /* it may be among them */
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        errors += facts->increase[kinds[i]];
        if (facts->increase[kinds[i]] == lines)
            found = kinds[i];
    }
    return errors == lines ? found : HOST_CACHE_KIND_COUNT;
}

static void narrow(struct abort_event *e, enum host_cache_kind kind, int64_t wall_ns) {
    struct abort_cause *c = &e->cause;
    if (kind == HOST_CACHE_KIND_COUNT)
        return;
    if (kind == HOST_CACHE_HANDSHAKE) {
        c->possible &= ~(BIT(HOST_NOT_ALLOWED) | BIT(HOST_BLOCKED));
    } else {
        c->cause = kind == HOST_CACHE_HOST_ACL ? CAUSE_HOST_NOT_ALLOWED : CAUSE_HOST_BLOCKED;
        c->confidence = CONFIDENCE_LIKELY;
    }
    if (e->evidence_count < ABORT_EVIDENCE_MAX)
        e->evidence[e->evidence_count++] = (struct abort_evidence){
            .source = FACT_HOST_CACHE, .wall_ns = wall_ns, .text = span_of(host_cache_kind_column(kind))};
}

/* --- what the sums tell --- */

static void narrow_refused(struct abort_event *e, const struct untold *untold) {
    if (untold_open(untold, e->user, e->host, CHANGE_USER_REFUSED) == 0)
        return;
    abort_cause_of_change_user(&e->cause);
    if (e->evidence_count < ABORT_EVIDENCE_MAX)
        e->evidence[e->evidence_count++] = (struct abort_evidence){
            .source = FACT_ERRORS, .wall_ns = wall_now_ns(), .text = span_of(server_error_name(CHANGE_USER_REFUSED))};
}

/* --- the end of a poll --- */

void held_lines_release(struct held_lines *held, struct target *target, const struct untold *untold, bool all,
                        held_line_fn *on_line, void *arg) {
    const struct host_cache_facts none = {.wall_ns = 0},
                                  *facts = target->host_cache ? host_cache_facts(target->host_cache) : &none;
    enum host_cache_kind kind = only_kind(held, facts);
    unsigned kept = 0;
    for (unsigned i = 0; i < held->count; i++) {
        struct abort_event *e = &held->lines[i].kept->event;
        const char *user = NULL, *host = NULL;
        bool known = held->lines[i].hosts     ? e->seen_wall_ns <= facts->wall_ns
                     : !untold                ? false
                     : held->lines[i].refused ? untold_open(untold, e->user, e->host, e->cause.number) > 0
                                              : untold_who(untold, e->cause.number, &user, &host);
        if (!known && !all && ++held->lines[i].looks < (held->lines[i].hosts ? HOST_LOOKS : SUM_LOOKS)) {
            held->lines[kept++] = held->lines[i];
            continue;
        }
        if (held->lines[i].hosts && known)
            narrow(e, kind, facts->wall_ns);
        if (held->lines[i].refused && untold)
            narrow_refused(e, untold);
        on_line(arg, target, e, user, host);
        kept_event_unref(held->lines[i].kept);
    }
    held->count = kept;
}
