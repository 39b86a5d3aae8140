/*
 * Resolving; see resolve.h.
 */
#include "observe/resolve.h"

#include "base/coroutine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { REQUESTS_AT_ONCE = 8 }; /* of the 16 lookups that libuv makes at once (UV_THREADPOOL_SIZE in daemon.c) */

struct waiter {
    struct coroutine *coroutine;
    struct waiter *next;
};

/* One lookup. It lives as long as it is in the list, or in the pool, even when all who waited have gone, or somebody
 * waits for it. */
struct lookup {
    uv_getaddrinfo_t request;
    uv_loop_t *loop;
    char *host;
    enum resolve_for whose;
    bool listed, in_pool, begun, finished;
    int status;
    struct resolved result;
    struct waiter *waiters;
    struct lookup *next;
};

static struct lookup *in_flight; /* of the one loop thread; the oldest first, those that have not begun, too */
static unsigned requests_begun;  /* of these the ones for requests that the pool has */

static void free_if_unused(struct lookup *lookup) {
    if (lookup->listed || lookup->in_pool || lookup->waiters)
        return;
    free(lookup->host);
    free(lookup);
}

/* The addresses of one family, without repeats, in the resolver's order. */
struct family {
    unsigned count;
    char text[RESOLVE_COUNT_MAX][RESOLVE_TEXT_MAX];
};

static void family_add(struct family *family, const struct addrinfo *ai) {
    if (family->count == RESOLVE_COUNT_MAX)
        return;
    char *text = family->text[family->count];
    if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text, RESOLVE_TEXT_MAX, NULL, 0, NI_NUMERICHOST) != 0)
        return;
    for (unsigned i = 0; i < family->count; i++)
        if (strcmp(family->text[i], text) == 0)
            return;
    family->count++;
}

void resolved_from(const struct addrinfo *list, struct resolved *out) {
    struct family families[2] = {{.count = 0}, {.count = 0}}; /* the resolver's favourite first */
    int favourite = list ? list->ai_family : AF_INET;
    for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
        family_add(&families[ai->ai_family != favourite], ai);
    out->count = 0;
    for (unsigned i = 0; i < RESOLVE_COUNT_MAX; i++)
        for (unsigned f = 0; f < 2; f++)
            if (i < families[f].count && out->count < RESOLVE_MAX)
                memcpy(out->text[out->count++], families[f].text[i], RESOLVE_TEXT_MAX);
    out->ipv4 = families[favourite != AF_INET].count;
    out->ipv6 = families[favourite == AF_INET].count;
}

static void take_out(struct lookup *lookup) {
    lookup->listed = false;
    for (struct lookup **at = &in_flight; *at; at = &(*at)->next)
        if (*at == lookup) {
            *at = lookup->next;
            return;
        }
}

static void finish(struct lookup *lookup, int status) {
    take_out(lookup);
    lookup->finished = true;
    lookup->status = status;
    for (struct waiter *w = lookup->waiters; w; w = w->next)
        coroutine_wake(w->coroutine);
}

static int begin(struct lookup *lookup);

static void begin_waiting_ones(void) {
    for (struct lookup *l = in_flight, *next; l && requests_begun < REQUESTS_AT_ONCE; l = next) {
        next = l->next;
        int rc = l->begun ? 0 : begin(l);
        if (rc == 0)
            continue;
        finish(l, rc);
        free_if_unused(l);
    }
}

static void lookup_done(uv_getaddrinfo_t *request, int status, struct addrinfo *list) {
    struct lookup *lookup = request->data;
    resolved_from(list, &lookup->result);
    if (list)
        uv_freeaddrinfo(list);
    lookup->in_pool = false;
    requests_begun -= lookup->whose == RESOLVE_FOR_REQUEST;
    finish(lookup, status == 0 && lookup->result.count == 0 ? UV_EAI_NODATA : status);
    free_if_unused(lookup);
    begin_waiting_ones();
}

static int begin(struct lookup *lookup) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    lookup->request.data = lookup;
    lookup->begun = lookup->in_pool = true;
    requests_begun += lookup->whose == RESOLVE_FOR_REQUEST;
    int rc = uv_getaddrinfo(lookup->loop, &lookup->request, lookup_done, lookup->host, NULL, &hints);
    if (rc < 0) {
        lookup->in_pool = false;
        requests_begun -= lookup->whose == RESOLVE_FOR_REQUEST;
    }
    return rc;
}

static int lookup_new(const char *host, enum resolve_for whose, struct lookup **out) {
    struct lookup *lookup = calloc(1, sizeof *lookup), **at = &in_flight;
    char *copy = strdup(host);
    if (!lookup || !copy) {
        free(lookup);
        free(copy);
        return -ENOMEM;
    }
    *lookup = (struct lookup){.loop = coroutine_loop(), .host = copy, .whose = whose, .listed = true};
    while (*at)
        at = &(*at)->next;
    *at = *out = lookup;
    return 0;
}

static struct lookup *lookup_find(const char *host) {
    struct lookup *lookup = in_flight;
    while (lookup && strcmp(lookup->host, host) != 0)
        lookup = lookup->next;
    return lookup;
}

/* Nobody waits for it any more. A thread that has it cannot be called back. */
static void abandon(struct lookup *lookup) {
    if (!lookup->begun || uv_cancel((uv_req_t *)&lookup->request) == 0)
        take_out(lookup);
}

static bool is_numeric(int family, const char *host) {
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(family, host, address) == 1;
}

int resolve(const char *host, enum resolve_for whose, struct mono deadline, struct resolved *out) {
    struct lookup *lookup = lookup_find(host);
    bool ipv4 = is_numeric(AF_INET, host), ipv6 = is_numeric(AF_INET6, host);
    if (ipv4 || ipv6) {
        *out = (struct resolved){.count = 1, .ipv4 = ipv4, .ipv6 = ipv6};
        memcpy(out->text[0], host, strlen(host) + 1); /* fits: it is an address */
        return 0;
    }
    int rc = lookup ? 0 : lookup_new(host, whose, &lookup);
    if (rc < 0)
        return rc;

    struct waiter self = {coroutine_self(), lookup->waiters};
    lookup->waiters = &self;
    if (!lookup->begun && whose == RESOLVE_FOR_TARGET)
        lookup->whose = RESOLVE_FOR_TARGET;
    if (!lookup->begun && (lookup->whose == RESOLVE_FOR_TARGET || requests_begun < REQUESTS_AT_ONCE))
        rc = begin(lookup);
    if (rc < 0)
        finish(lookup, rc);
    for (rc = 1; rc == 1 && !lookup->finished;)
        rc = coroutine_park(deadline);
    for (struct waiter **at = &lookup->waiters; *at; at = &(*at)->next)
        if (*at == &self) {
            *at = self.next;
            break;
        }
    if (lookup->finished) {
        rc = lookup->status;
        if (rc == 0)
            *out = lookup->result;
    } else if (rc == 0) {
        rc = -ETIMEDOUT;
    }
    if (!lookup->finished && !lookup->waiters)
        abandon(lookup);
    free_if_unused(lookup);
    return rc;
}

const char *resolve_error_text(int error) {
    return uv_strerror(error);
}
