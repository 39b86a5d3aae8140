/*
 * What the parts of the HTTP server share; private to http*.c.
 */
#ifndef EXPOSE_HTTP_INTERNAL_H
#define EXPOSE_HTTP_INTERNAL_H

#include "expose/http.h"
#include "expose/sample.h"

#include <microhttpd.h>

/* A request that is complete. */
struct request {
    struct http *http;
    struct MHD_Connection *connection;
    void **mark; /* what is kept with the request between the calls for it */
    bool head;   /* HEAD, else GET */
};

/* `text` is a constant. */
enum MHD_Result http_send_text(struct MHD_Connection *connection, unsigned status, const char *text);
/* … is copied. */
enum MHD_Result http_send_copy(struct MHD_Connection *connection, unsigned status, const struct strbuf *text);
/* The format that the client would rather have. */
enum metric_format http_wanted_format(const struct request *request);
/* A page of metrics; takes over `page` (a struct render *), also when NULL. */
enum MHD_Result http_send_metrics(const struct request *request, void *page, enum metric_format format);
/* libmicrohttpd has something to do: a connection was resumed. */
void http_wake(struct http *http);

struct look_wait;

/* /probe: answer at once, or suspend the connection until the look is over. */
enum MHD_Result http_look_begin(const struct request *request, struct looker *looker);
/* The second call for such a request. */
enum MHD_Result http_look_answer(const struct request *request, struct look_wait *wait);
void http_look_free(struct look_wait *wait);

#endif
