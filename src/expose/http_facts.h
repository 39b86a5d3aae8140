/*
 * What the HTTP server counts: kept by http and its parts, shown by the catalogue.
 */
#ifndef EXPOSE_HTTP_FACTS_H
#define EXPOSE_HTTP_FACTS_H

#include <stdbool.h>
#include <stdint.h>

/* Why a client was not served. */
enum http_refusal {
    HTTP_REFUSED_CONNECTIONS,         /* too many, all of them being answered */
    HTTP_REFUSED_ADDRESS_CONNECTIONS, /* the same, of its address */
    HTTP_REFUSED_CROWDED_OUT,         /* closed while it sent nothing whole, for one who may */
    HTTP_REFUSED_SLOW_REQUEST,
    HTTP_REFUSED_SLOW_READER,
    HTTP_REFUSED_CLIENT_CERTIFICATE,
    HTTP_REFUSED_UNAUTHORIZED,
    HTTP_REFUSED_AUTH_QUEUE,
    HTTP_REFUSED_RATE_LIMIT,
    HTTP_REFUSALS
};

struct http_facts {
    uint64_t refused[HTTP_REFUSALS];
    uint64_t connections; /* open now */
    bool web_config;      /* whether there is a --web.config.file, and then: */
    bool web_config_successful;
    int64_t web_config_success_wall_ns;
};

#endif
