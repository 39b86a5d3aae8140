/*
 * From the cache's sums to what came; see host_cache.h.
 */
#include "observe/host_cache.h"

#include <stdlib.h>
#include <string.h>

struct sums {
    uint64_t hosts;
    uint64_t errors[HOST_CACHE_KIND_COUNT];
};

struct host_cache {
    bool based; /* where the sums stand is known */
    uint64_t instant, next_instant;
    struct sums settled;                    /* at the last look, of the rows that were OLD or NEW in it */
    struct sums newest;                     /* … and that were NEWEST */
    struct sums seen[HOST_CACHE_AGE_COUNT]; /* of the look under way */
    struct host_cache_facts facts, next;
    struct host_cache_host *top, *next_top; /* theirs */
    size_t next_top_max;
};

const char *host_cache_kind_name(enum host_cache_kind kind) {
#define HOST_CACHE_LABEL(id, label) label,
    static const char *const names[] = {HOST_CACHE_KINDS(HOST_CACHE_LABEL)};
#undef HOST_CACHE_LABEL
    return names[kind];
}

const char *host_cache_kind_column(enum host_cache_kind kind) {
#define HOST_CACHE_COLUMN(id, label) "COUNT_" #id "_ERRORS",
    static const char *const columns[] = {HOST_CACHE_KINDS(HOST_CACHE_COLUMN)};
#undef HOST_CACHE_COLUMN
    return columns[kind];
}

struct host_cache *host_cache_new(void) {
    return calloc(1, sizeof(struct host_cache));
}

void host_cache_free(struct host_cache *cache) {
    if (!cache)
        return;
    free(cache->top);
    free(cache->next_top);
    free(cache);
}

static uint64_t add(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t less(uint64_t a, uint64_t b) {
    return a > b ? a - b : 0;
}

static void sums_add(struct sums *to, const struct sums *more) {
    to->hosts = add(to->hosts, more->hosts);
    for (int i = 0; i < HOST_CACHE_KIND_COUNT; i++)
        to->errors[i] = add(to->errors[i], more->errors[i]);
}

/* --- a look --- */

void host_cache_begin(struct host_cache *cache, uint64_t max_connect_errors, unsigned kinds, size_t top_max) {
    memset(cache->seen, 0, sizeof cache->seen);
    cache->next_instant = cache->instant;
    cache->next = (struct host_cache_facts){.max_connect_errors = max_connect_errors, .kinds = kinds};
    free(cache->next_top);
    cache->next_top = top_max > 0 ? calloc(top_max, sizeof *cache->next_top) : NULL;
    cache->next_top_max = cache->next_top ? top_max : 0;
}

uint64_t host_cache_instant(const struct host_cache *cache) {
    return cache->instant;
}

void host_cache_add(struct host_cache *cache, const struct host_cache_rows *rows) {
    struct host_cache_facts *next = &cache->next;
    struct sums *seen = &cache->seen[rows->age];
    if (rows->instant > cache->next_instant)
        cache->next_instant = rows->instant;
    seen->hosts = add(seen->hosts, rows->hosts);
    next->hosts = add(next->hosts, rows->hosts);
    for (int i = 0; i < HOST_CACHE_KIND_COUNT; i++) {
        seen->errors[i] = add(seen->errors[i], rows->errors[i]);
        next->errors = add(next->errors, rows->errors[i]);
    }
    next->hosts_with_errors = add(next->hosts_with_errors, rows->hosts_with_errors);
    next->blocked = add(next->blocked, rows->blocked);
    next->near = add(next->near, rows->near);
    if (rows->nearest.connect_errors > next->nearest.connect_errors)
        next->nearest = rows->nearest;
}

void host_cache_add_host(struct host_cache *cache, struct span ip, uint64_t errors, uint64_t connect_errors) {
    if (cache->next.top_count == cache->next_top_max)
        return;
    struct host_cache_host *host = &cache->next_top[cache->next.top_count++];
    *host = (struct host_cache_host){.errors = errors, .connect_errors = connect_errors};
    if (ip.len > 0)
        memcpy(host->ip, ip.ptr, ip.len < HOST_CACHE_IP_MAX ? ip.len : HOST_CACHE_IP_MAX);
}

bool host_cache_found_errors(const struct host_cache *cache) {
    return cache->next.errors > 0;
}

/* What a group has more of than it had. */
static void step(struct host_cache_facts *next, const struct sums *before, const struct sums *now) {
    next->hosts_lost = add(next->hosts_lost, less(before->hosts, now->hosts));
    for (int i = 0; i < HOST_CACHE_KIND_COUNT; i++)
        next->increase[i] = add(next->increase[i], less(now->errors[i], before->errors[i]));
}

void host_cache_end(struct host_cache *cache, int64_t wall_ns) {
    struct host_cache_facts *facts = &cache->facts, *next = &cache->next;
    struct sums later = cache->seen[HOST_CACHE_NEW];
    sums_add(&later, &cache->seen[HOST_CACHE_NEWEST]);
    next->hosts_lost = facts->hosts_lost;
    if (cache->based) {
        step(next, &cache->settled, &cache->seen[HOST_CACHE_OLD]);
        step(next, &cache->newest, &later);
    }
    for (int i = 0; i < HOST_CACHE_KIND_COUNT; i++)
        next->total[i] = add(facts->total[i], next->increase[i]);
    cache->based = true;
    cache->instant = cache->next_instant;
    cache->settled = cache->seen[HOST_CACHE_OLD];
    sums_add(&cache->settled, &cache->seen[HOST_CACHE_NEW]);
    cache->newest = cache->seen[HOST_CACHE_NEWEST];

    next->from_wall_ns = facts->wall_ns;
    next->wall_ns = wall_ns;
    free(cache->top);
    next->top = cache->top = cache->next_top;
    cache->next_top = NULL;
    cache->next_top_max = 0;
    *facts = *next;
}

void host_cache_restarted(struct host_cache *cache) {
    cache->settled = cache->newest = (struct sums){0};
}

void host_cache_forget(struct host_cache *cache) {
    cache->based = false;
    cache->instant = 0;
}

/* --- reading --- */

const struct host_cache_facts *host_cache_facts(const struct host_cache *cache) {
    return &cache->facts;
}

void host_cache_other(const struct host_cache_facts *facts, uint64_t *hosts, uint64_t *errors) {
    *hosts = less(facts->hosts_with_errors, facts->top_count);
    *errors = facts->errors;
    for (size_t i = 0; i < facts->top_count; i++)
        *errors = less(*errors, facts->top[i].errors);
}

double host_cache_nearest_ratio(const struct host_cache_facts *facts) {
    return facts->max_connect_errors > 0 ? (double)facts->nearest.connect_errors / (double)facts->max_connect_errors
                                         : 0;
}
