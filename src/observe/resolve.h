/*
 * Names to addresses without blocking the loop: getaddrinfo() in libuv's pool. Lookups of one name share one job, so a
 * name whose DNS servers are dead holds one thread of the pool, however often it is asked for. Names that requests gave
 * hold some of the threads at most, for anybody may have dead DNS servers; what nobody waits for any more is not begun.
 */
#ifndef OBSERVE_RESOLVE_H
#define OBSERVE_RESOLVE_H

#include "base/clock.h"

#include <netdb.h>
#include <netinet/in.h>

#define RESOLVE_MAX 8                            /* further addresses of a name are not tried */
#define RESOLVE_COUNT_MAX 32                     /* nor counted, beyond this many of a family */
#define RESOLVE_TEXT_MAX (INET6_ADDRSTRLEN + 16) /* numeric, with a scope where it needs one */

struct resolved {
    /* In the order in which to try them (RFC 8305, section 4): the resolver's, with the families taking turns. */
    unsigned count;
    char text[RESOLVE_MAX][RESOLVE_TEXT_MAX];
    /* How many the name has. */
    unsigned ipv4, ipv6;
};

/* Whose name it is. */
enum resolve_for { RESOLVE_FOR_TARGET, RESOLVE_FOR_REQUEST };

/* From inside a coroutine. `host` may be a numeric address, which costs nothing. 0; -ETIMEDOUT at the deadline;
 * -ECANCELED; or another negative number, for which resolve_error_text() has a text. */
int resolve(const char *host, enum resolve_for whose, struct mono deadline, struct resolved *out);
const char *resolve_error_text(int error);

/* What resolve() makes of getaddrinfo()'s answer. */
void resolved_from(const struct addrinfo *list, struct resolved *out);

#endif
