/*
 * Whether a request may be answered; see http_admission.h.
 */
#include "expose/http_admission.h"

#include "expose/http_guests.h"

#include <stddef.h>
#include <stdlib.h>

struct exchange {
    const struct admission *admission;
    struct MHD_Connection *connection;
    struct web_waiter waiter;
    bool within_limit; /* it was counted by the rate limit */
    bool admitted;
    enum web_auth_verdict heard;
    void *kept;
};

static void on_verdict(struct web_waiter *waiter, enum web_auth_verdict verdict) {
    struct exchange *exchange = (struct exchange *)(void *)((char *)waiter - offsetof(struct exchange, waiter));
    exchange->heard = verdict;
    MHD_resume_connection(exchange->connection);
    exchange->admission->wake(exchange->admission->arg);
}

struct exchange *exchange_begin(const struct admission *admission, struct MHD_Connection *connection) {
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange)
        *exchange = (struct exchange){.admission = admission, .connection = connection, .waiter.done = on_verdict};
    return exchange;
}

void exchange_end(struct exchange *exchange) {
    free(exchange);
}

static enum web_auth_verdict authenticate(struct exchange *exchange) {
    const struct web_config *config = web_config(exchange->admission->web);
    const char *field = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Authorization");
    if (exchange->heard != WEB_AUTH_OK) /* while it was suspended */
        return exchange->heard;
    if (config->user_count == 0)
        return WEB_AUTH_OK;
    return web_auth_check(exchange->admission->auth, config->users, config->user_count, span_of(field ? field : ""),
                          guest_peer(guest_of(exchange->connection)), &exchange->waiter);
}

enum admitted exchange_admit(struct exchange *exchange) {
    uint64_t *refused = exchange->admission->facts->refused;
    if (exchange->admitted)
        return ADMITTED;
    web_refresh(exchange->admission->web);
    if (!exchange->within_limit && !web_allows_request(exchange->admission->web)) {
        refused[HTTP_REFUSED_RATE_LIMIT]++;
        return NOT_ADMITTED_LIMITED;
    }
    exchange->within_limit = true;
    switch (authenticate(exchange)) {
    case WEB_AUTH_OK:
        exchange->admitted = true;
        return ADMITTED;
    case WEB_AUTH_LATER:
        MHD_suspend_connection(exchange->connection);
        return ADMITTED_LATER;
    case WEB_AUTH_WRONG:
        refused[HTTP_REFUSED_UNAUTHORIZED]++;
        return NOT_ADMITTED_UNAUTHORIZED;
    case WEB_AUTH_BUSY:
        break;
    }
    refused[HTTP_REFUSED_AUTH_QUEUE]++;
    return NOT_ADMITTED_BUSY;
}

void **exchange_kept(struct exchange *exchange) {
    return &exchange->kept;
}
