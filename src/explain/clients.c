/*
 * Counting by client; see clients.h. Clients are found by a hash of their texts in a table of chains.
 */
#include "explain/clients.h"

#include "base/text.h"
#include "base/top.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MAX = 80,
    HOST_MAX = 255,
    KEY_MAX = 3 * (2 * TEXT_MAX + HOST_MAX) + 3, /* a byte that is no UTF-8 becomes three */
    BUCKETS_FIRST = 16,
    OFTEN = 16,      /* a client that was folded so many times comes often … */
    WATCHED = 64,    /* … and so many are watched */
    NETWORK_V4 = 24, /* bits */
    NETWORK_V6 = 64,
};

struct clients {
    uint64_t max;
    enum client_hosts hosts;
};

struct target_clients {
    struct client_aborts *clients; /* [0] is `other` */
    char **keys;                   /* as clients: where their texts lie, one after the other */
    uint32_t *hashes, *chains;     /* as clients; chains: the next of its bucket, 0 none */
    uint32_t *buckets;             /* 0: empty */
    size_t count, allocated, bucket_count;
    struct top *folded_clients; /* NULL before there are any */
    uint64_t folded, aborts[CAUSE_COUNT][CONFIDENCE_CERTAIN + 1];
    struct abort_idleness *idleness[CAUSE_COUNT]; /* NULL before there is any */
};

/* --- who it is --- */

/* An address stands for its network: "10.1.2.0/24"; a name for itself. */
static void add_network(struct strbuf *out, struct span host) {
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    if (host.len < sizeof text) {
        memcpy(text, host.ptr, host.len);
        text[host.len] = '\0';
        bool v4 = inet_pton(AF_INET, text, address) == 1;
        if (v4 || inet_pton(AF_INET6, text, address) == 1) {
            size_t keep = (v4 ? NETWORK_V4 : NETWORK_V6) / 8, size = v4 ? 4 : 16;
            memset(address + keep, 0, size - keep);
            inet_ntop(v4 ? AF_INET : AF_INET6, address, text, sizeof text);
            strbuf_addf(out, "%s/%d", text, v4 ? NETWORK_V4 : NETWORK_V6);
            return;
        }
    }
    text_add_utf8(out, host);
}

static struct span cut(struct span text, size_t max) {
    if (!text.ptr)
        return span_of("");
    text.len = strnlen(text.ptr, text.len);
    return text_cut(text, max);
}

/* Its three texts, each with a NUL. */
static void make_key(struct strbuf *key, const struct clients *clients, const struct abort_event *event) {
    text_add_utf8(key, cut(event->user, TEXT_MAX));
    strbuf_addch(key, '\0');
    if (clients->hosts == CLIENT_HOSTS_NETWORK)
        add_network(key, cut(event->host, HOST_MAX));
    else
        text_add_utf8(key, cut(event->host, HOST_MAX));
    strbuf_addch(key, '\0');
    text_add_utf8(key, event->driver.ptr ? cut(event->driver, TEXT_MAX) : span_of("unknown"));
    strbuf_addch(key, '\0');
}

/* --- the table --- */

static bool grow(struct target_clients *tc) {
    size_t more = tc->allocated ? 2 * tc->allocated : 8;
    struct client_aborts *clients = reallocarray(tc->clients, more, sizeof *clients);
    if (clients)
        tc->clients = clients;
    char **keys = reallocarray(tc->keys, more, sizeof *keys);
    if (keys)
        tc->keys = keys;
    uint32_t *hashes = reallocarray(tc->hashes, more, sizeof *hashes);
    if (hashes)
        tc->hashes = hashes;
    uint32_t *chains = reallocarray(tc->chains, more, sizeof *chains);
    if (chains)
        tc->chains = chains;
    if (!clients || !keys || !hashes || !chains)
        return false;
    tc->allocated = more;
    return true;
}

static void insert(struct target_clients *tc, size_t i) {
    uint32_t *bucket = &tc->buckets[tc->hashes[i] & (tc->bucket_count - 1)];
    tc->chains[i] = *bucket;
    *bucket = (uint32_t)i + 1;
}

static bool grow_buckets(struct target_clients *tc) {
    size_t more = tc->bucket_count ? 2 * tc->bucket_count : BUCKETS_FIRST;
    uint32_t *buckets = calloc(more, sizeof *buckets);
    if (!buckets)
        return tc->buckets != NULL; /* the chains grow */
    free(tc->buckets);
    tc->buckets = buckets;
    tc->bucket_count = more;
    for (size_t i = 0; i < tc->count; i++)
        insert(tc, i);
    return true;
}

static bool is_key(const struct client_aborts *client, struct span key) {
    size_t user = strlen(client->user) + 1, host = strlen(client->host) + 1, driver = strlen(client->driver) + 1;
    return key.len == user + host + driver && memcmp(client->user, key.ptr, key.len) == 0;
}

static struct client_aborts *find(const struct target_clients *tc, struct span key, uint32_t hash) {
    for (uint32_t i = tc->buckets[hash & (tc->bucket_count - 1)]; i != 0; i = tc->chains[i - 1])
        if (tc->hashes[i - 1] == hash && is_key(&tc->clients[i - 1], key))
            return &tc->clients[i - 1];
    return NULL;
}

/* NULL when memory is short. */
static struct client_aborts *add(struct target_clients *tc, struct span key, uint32_t hash) {
    if ((tc->count == tc->allocated && !grow(tc)) || (tc->count >= tc->bucket_count && !grow_buckets(tc)))
        return NULL;
    char *copy = malloc(key.len);
    if (!copy)
        return NULL;
    memcpy(copy, key.ptr, key.len);
    const char *host = copy + strlen(copy) + 1;
    tc->keys[tc->count] = copy;
    tc->clients[tc->count] = (struct client_aborts){.user = copy, .host = host, .driver = host + strlen(host) + 1};
    tc->hashes[tc->count] = hash;
    insert(tc, tc->count);
    return &tc->clients[tc->count++];
}

static void release(struct target_clients *tc) {
    for (size_t i = 0; i < tc->count; i++)
        free(tc->keys[i]);
    free(tc->clients);
    free(tc->keys);
    free(tc->hashes);
    free(tc->chains);
    free(tc->buckets);
    top_free(tc->folded_clients);
    for (size_t cause = 0; cause < CAUSE_COUNT; cause++)
        free(tc->idleness[cause]);
    free(tc);
}

static struct target_clients *begin(void) {
    static const char other[] = "other\0other\0other"; /* somebody may be called so, and is counted there */
    struct span key = {other, sizeof other};
    struct target_clients *tc = calloc(1, sizeof *tc);
    if (!tc || add(tc, key, span_hash(key)))
        return tc;
    release(tc);
    return NULL;
}

/* --- who has a place --- */

static bool is_stranger(const struct abort_event *event) {
    return !(event->cause.raises & 1U << COUNTER_CLIENTS) && !(event->cause.may_raise & 1U << COUNTER_CLIENTS);
}

/* Whether a client that has no place has been here often; what is forgotten of others in between does no harm. */
static bool comes_often(struct target_clients *tc, struct span key) {
    if (!tc->folded_clients)
        tc->folded_clients = top_new(WATCHED, KEY_MAX);
    if (!tc->folded_clients)
        return false;
    top_add(tc->folded_clients, key);
    return top_count(tc->folded_clients, key) >= OFTEN;
}

static bool may_have_place(const struct clients *clients, struct target_clients *tc, const struct abort_event *event,
                           struct span key) {
    uint64_t taken = tc->count - 1; /* without `other` */
    uint64_t at_once = is_stranger(event) ? (clients->max + 1) / 2 : clients->max - clients->max / 4;
    return taken < at_once || (comes_often(tc, key) && taken < clients->max);
}

/* NULL when it is to be folded. */
static struct client_aborts *client_of(const struct clients *clients, struct target_clients *tc,
                                       const struct abort_event *event, struct span key) {
    uint32_t hash = span_hash(key);
    struct client_aborts *client = find(tc, key, hash);
    return client || !may_have_place(clients, tc, event, key) ? client : add(tc, key, hash);
}

/* --- the sink --- */

static void count_client(const struct clients *clients, struct target_clients *tc, const struct abort_event *event) {
    struct strbuf text;
    strbuf_init(&text, KEY_MAX);
    make_key(&text, clients, event);
    struct client_aborts *client = NULL;
    if (text.data && !strbuf_failed(&text)) /* else memory is short */
        client = client_of(clients, tc, event, (struct span){text.data, text.len});
    if (!client) {
        client = &tc->clients[0];
        tc->folded += event->n;
    }
    client->counts[event->cause.cause] += event->n;
    strbuf_release(&text);
}

static void count_idleness(struct target_clients *tc, enum cause cause, int64_t idle_ns) {
    struct abort_idleness **idleness = &tc->idleness[cause];
    size_t i = 0;
    if (!*idleness)
        *idleness = calloc(1, sizeof **idleness);
    if (!*idleness)
        return;
    while (i < SESSION_BOUNDS && idle_ns > session_bound_s[i] * NS_PER_S)
        i++;
    (*idleness)->buckets[i]++;
    (*idleness)->sum_ns += idle_ns;
}

/* Trouble of the server's, of which no connection ended. */
static bool is_abort(const struct abort_event *event) {
    return event->cause.cause != CAUSE_NO_ABORT && event->kind != LOG_EVENT_DNS && event->kind != LOG_EVENT_SSL &&
           event->kind != LOG_EVENT_ACCEPT_ERROR;
}

static void on_abort(void *arg, struct target *target, const struct abort_event *event) {
    struct target_clients *tc = target->clients;
    if (!is_abort(event))
        return;
    if (!tc)
        target->clients = tc = begin();
    if (!tc)
        return;
    tc->aborts[event->cause.cause][event->cause.confidence] += event->n;
    if (event->user.ptr || event->host.ptr)
        count_client(arg, tc, event);
    if (event->idle_ns >= 0)
        count_idleness(tc, event->cause.cause, event->idle_ns);
}

static void on_target_removed(void *arg, struct target *target) {
    (void)arg;
    if (target->clients)
        release(target->clients);
    target->clients = NULL;
}

struct clients *clients_new(const struct limits_config *limits) {
    struct clients *clients = calloc(1, sizeof *clients);
    if (clients)
        clients_set_limits(clients, limits);
    return clients;
}

void clients_free(struct clients *clients) {
    free(clients);
}

void clients_set_limits(struct clients *clients, const struct limits_config *limits) {
    clients->max = limits->clients_per_target;
    clients->hosts = limits->client_hosts;
}

struct abort_sink clients_sink(struct clients *clients) {
    return (struct abort_sink){.arg = clients, .abort = on_abort};
}

struct observer clients_observer(struct clients *clients) {
    return (struct observer){.arg = clients, .target_removed = on_target_removed};
}

/* --- the readers --- */

const struct client_aborts *clients_of(const struct target *target, size_t *count) {
    const struct target_clients *tc = target->clients;
    *count = tc ? tc->count : 0;
    return tc ? tc->clients : NULL;
}

uint64_t clients_folded(const struct target *target) {
    const struct target_clients *tc = target->clients;
    return tc ? tc->folded : 0;
}

uint64_t clients_aborts(const struct target *target, enum cause cause, enum confidence confidence) {
    const struct target_clients *tc = target->clients;
    return tc ? tc->aborts[cause][confidence] : 0;
}

const struct abort_idleness *clients_idleness(const struct target *target, enum cause cause) {
    const struct target_clients *tc = target->clients;
    return tc ? tc->idleness[cause] : NULL;
}
