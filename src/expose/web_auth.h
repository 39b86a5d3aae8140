/*
 * Basic authentication against bcrypt hashes. A password takes some 100 ms of CPU to check: that is done in libuv's
 * pool, one at a time, and what was right is remembered, so that who was let in before never waits for those who try.
 * Time tells nothing: an unknown user costs as much as one who is known, and is checked the same way.
 */
#ifndef EXPOSE_WEB_AUTH_H
#define EXPOSE_WEB_AUTH_H

#include "expose/web_config.h"

#include <uv.h>

struct web_auth;

/* Who asks, for a fair share of the queue: an IPv6 address of 16 bytes, or its first half. */
struct web_peer {
    unsigned char bytes[16];
};

enum web_auth_verdict {
    WEB_AUTH_OK,
    WEB_AUTH_WRONG, /* 401: no credentials, or wrong ones */
    WEB_AUTH_BUSY,  /* 503: too many wait, or we are about to end */
    WEB_AUTH_LATER, /* the waiter will be called */
};

/* A request that waits; inside of something of the caller's. */
struct web_waiter {
    struct web_waiter *next;
    /* Once. WEB_AUTH_OK says only that asking again is worth it: users may have changed meanwhile. */
    void (*done)(struct web_waiter *waiter, enum web_auth_verdict verdict);
};

/* NULL when memory is short. */
struct web_auth *web_auth_new(uv_loop_t *loop);
/* All waiters hear WEB_AUTH_BUSY. A check that is under way is left to end by itself. NULL is allowed. */
void web_auth_free(struct web_auth *auth);

/* Check the value of an Authorization field ("" for none) against `users`, at least one. */
enum web_auth_verdict web_auth_check(struct web_auth *auth, const struct web_user *users, size_t count,
                                     struct span authorization, const struct web_peer *peer, struct web_waiter *waiter);

#endif
