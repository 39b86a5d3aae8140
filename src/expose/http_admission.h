/*
 * Whether a request may be answered: the rate limit, then who asks. What takes time is waited for with the connection
 * suspended.
 */
#ifndef EXPOSE_HTTP_ADMISSION_H
#define EXPOSE_HTTP_ADMISSION_H

#include "expose/http_facts.h"
#include "expose/web.h"
#include "expose/web_auth.h"

#include <microhttpd.h>

struct admission {
    struct web *web;
    struct web_auth *auth;
    struct http_facts *facts;
    void (*wake)(void *arg); /* a connection was resumed: let libmicrohttpd run soon */
    void *arg;
};

/* A request, from its headers to the end of its answer. */
struct exchange;

/* NULL when memory is short. */
struct exchange *exchange_begin(const struct admission *admission, struct MHD_Connection *connection);
void exchange_end(struct exchange *exchange); /* NULL is allowed */

enum admitted {
    ADMITTED,
    ADMITTED_LATER, /* the connection is suspended; ask again when it is resumed */
    NOT_ADMITTED_UNAUTHORIZED,
    NOT_ADMITTED_BUSY,
    NOT_ADMITTED_LIMITED,
};
/* Once it was admitted it stays so. */
enum admitted exchange_admit(struct exchange *exchange);
/* Where whoever answers can keep something between the calls for a request; NULL at first. */
void **exchange_kept(struct exchange *exchange);

#endif
