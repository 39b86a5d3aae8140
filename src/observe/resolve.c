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

struct waiter {
    struct coroutine *coroutine;
    struct waiter *next;
};

/* One lookup in the pool; lives until libuv hands it back, even when all who waited have gone. */
struct lookup {
    uv_getaddrinfo_t request;
    char *host;
    unsigned refs; /* the pool's and one of each waiter */
    bool finished;
    int status;
    struct resolved result;
    struct waiter *waiters;
    struct lookup *next;
};

static struct lookup *in_flight; /* of the one loop thread */

static void lookup_unref(struct lookup *lookup) {
    if (--lookup->refs > 0)
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

static void lookup_done(uv_getaddrinfo_t *request, int status, struct addrinfo *list) {
    struct lookup *lookup = request->data;
    for (struct lookup **at = &in_flight; *at; at = &(*at)->next)
        if (*at == lookup) {
            *at = lookup->next;
            break;
        }
    lookup->finished = true;
    lookup->status = status;
    resolved_from(list, &lookup->result);
    if (list)
        uv_freeaddrinfo(list);
    if (lookup->status == 0 && lookup->result.count == 0)
        lookup->status = UV_EAI_NODATA;
    for (struct waiter *w = lookup->waiters; w; w = w->next)
        coroutine_wake(w->coroutine);
    lookup_unref(lookup);
}

static int lookup_start(const char *host, struct lookup **out) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    for (struct lookup *l = in_flight; l; l = l->next)
        if (strcmp(l->host, host) == 0) {
            *out = l;
            return 0;
        }
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return -ENOMEM;
    lookup->host = strdup(host);
    if (!lookup->host) {
        free(lookup);
        return -ENOMEM;
    }
    lookup->request.data = lookup;
    int rc = uv_getaddrinfo(coroutine_loop(), &lookup->request, lookup_done, host, NULL, &hints);
    if (rc < 0) {
        free(lookup->host);
        free(lookup);
        return rc;
    }
    lookup->refs = 1;
    lookup->next = in_flight;
    in_flight = lookup;
    *out = lookup;
    return 0;
}

static bool is_numeric(int family, const char *host) {
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(family, host, address) == 1;
}

int resolve(const char *host, struct mono deadline, struct resolved *out) {
    struct lookup *lookup;
    bool ipv4 = is_numeric(AF_INET, host), ipv6 = is_numeric(AF_INET6, host);
    if (ipv4 || ipv6) {
        *out = (struct resolved){.count = 1, .ipv4 = ipv4, .ipv6 = ipv6};
        memcpy(out->text[0], host, strlen(host) + 1); /* fits: it is an address */
        return 0;
    }
    int rc = lookup_start(host, &lookup);
    if (rc < 0)
        return rc;

    struct waiter self = {coroutine_self(), lookup->waiters};
    lookup->waiters = &self;
    lookup->refs++;
    do
        rc = coroutine_park(deadline);
    while (rc == 1 && !lookup->finished);
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
    lookup_unref(lookup);
    return rc;
}

const char *resolve_error_text(int error) {
    return uv_strerror(error);
}
