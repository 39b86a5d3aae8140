/*
 * Names to addresses without blocking the loop: getaddrinfo() in libuv's pool. Lookups of one name share one job, so a
 * name whose DNS servers are dead holds one thread of the pool, however often it is asked for.
 */
#ifndef OBSERVE_RESOLVE_H
#define OBSERVE_RESOLVE_H

#include "base/clock.h"

#include <netinet/in.h>

#define RESOLVE_MAX 8 /* further addresses of a name are not tried */

struct resolved {
    unsigned count;
    char text[RESOLVE_MAX][INET6_ADDRSTRLEN + 16]; /* numeric, with a scope where it needs one */
};

/* From inside a coroutine. `host` may be a numeric address, which costs nothing. 0; -ETIMEDOUT at the deadline;
 * -ECANCELED; or another negative number, for which resolve_error_text() has a text. */
int resolve(const char *host, struct mono deadline, struct resolved *out);
const char *resolve_error_text(int error);

#endif
