/*
 * What the parts of the HTTP server share; private to http*.c.
 */
#ifndef EXPOSE_HTTP_INTERNAL_H
#define EXPOSE_HTTP_INTERNAL_H

#include "base/clock.h"
#include "expose/http.h"
#include "expose/http_admission.h"
#include "expose/sample.h"

#include <microhttpd.h>

enum { HTTP_CONNECTION_MEMORY = 32 * 1024 }; /* of each connection, for its request and a block of the answer */

/* Reloads that requests ask for; see http_reloads.c. */
struct reloads {
    uv_timer_t timer; /* to when the next one may be asked for, while somebody waits for it */
    struct mono began, not_before;
    bool asked, under_way;
    struct reload_wait *waiting, *served; /* for the next one; for the one that is under way */
};

struct http {
    uv_poll_t poll;
    uv_timer_t timer; /* to the next timeout of a connection */
    uv_idle_t again;  /* active while there is more to do at once */
    unsigned open_handles;
    struct MHD_Daemon *daemon;
    struct http_settings settings;
    const struct fleet *fleet;
    const struct exporter_state *state;
    struct looker *looker; /* NULL none */
    struct guests *guests;
    struct admission admission;
    struct reloads reloads;
    struct http_facts facts;
    uint64_t progress; /* grows with each of libmicrohttpd's call-backs */
};

struct request;

/* What is kept with a request whose connection was suspended, until it is answered. */
struct kept {
    enum MHD_Result (*answer)(const struct request *request, struct kept *kept);
    void (*free)(struct kept *kept);
};

/* A request that is complete. */
struct request {
    struct http *http;
    struct MHD_Connection *connection;
    const char *path; /* after the prefix; NULL: outside of it */
    void **mark;      /* where its struct kept goes */
    bool head;        /* HEAD, else another method */
};

/* `text` is a constant. */
enum MHD_Result http_send_text(struct MHD_Connection *connection, unsigned status, const char *text);
/* … is copied. */
enum MHD_Result http_send_copy(struct MHD_Connection *connection, unsigned status, const struct strbuf *text);
/* The format that the client would rather have. */
enum metric_format http_wanted_format(const struct request *request);
/* A page of metrics; takes over `page` (a struct render *), also when NULL. */
enum MHD_Result http_send_metrics(const struct request *request, void *page, enum metric_format format);
/* libmicrohttpd has something to do: a connection was resumed. (It does not tell its epoll descriptor so where it
 * listens on no socket of its own.) */
void http_wake(struct http *http);

/* libmicrohttpd's call-backs, with the server as their argument. */
enum MHD_Result http_on_request(void *arg, struct MHD_Connection *connection, const char *asked, const char *method,
                                const char *version, const char *upload, size_t *upload_size, void **mark);
/* A path or parameter without its escapes. One with an escaped NUL stays as it was sent, so that its end is not cut
 * off. */
size_t http_unescape(void *arg, struct MHD_Connection *connection, char *text);
void http_on_completed(void *arg, struct MHD_Connection *connection, void **mark, enum MHD_RequestTerminationCode how);

/* /probe: answer at once, or suspend the connection until the look is over. */
enum MHD_Result http_look_begin(const struct request *request, struct looker *looker);
/* /-/reload: suspend the connection until the reload is over. */
enum MHD_Result http_answer_reload(const struct request *request);
void http_reloads_init(struct http *http, uv_loop_t *loop);
/* Who waits is told so. */
void http_reloads_stop(struct http *http);

#endif
