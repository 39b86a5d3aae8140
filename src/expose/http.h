/*
 * The HTTP server, on the program's loop: with http_look.c the only user of <microhttpd.h>. Serves /metrics, /probe, /,
 * /-/healthy, /-/ready and /api/v1.
 */
#ifndef EXPOSE_HTTP_H
#define EXPOSE_HTTP_H

#include "base/strbuf.h"
#include "expose/exporter_state.h"
#include "observe/fleet.h"

#include <uv.h>

struct http;

/* Listen on `listen_address` ("host:port", ":port", "[v6]:port"). Everything passed is borrowed until http_stop(). NULL
 * on failure with one line in `error`. Port 0 takes a free port; http_port() tells it. The program must ignore SIGPIPE.
 */
struct http *http_start(uv_loop_t *loop, const char *listen_address, const struct fleet *fleet,
                        const struct exporter_state *state, struct strbuf *error);
struct looker;

/* Who looks for /probe (borrowed); without one there is no such page. */
void http_set_looker(struct http *http, struct looker *looker);
/* Answer from now on; who asks before waits. */
void http_serve(struct http *http);
uint16_t http_port(const struct http *http);
/* Stop at once; the loop must run once more to close the handles. NULL is allowed. */
void http_stop(struct http *http);

#endif
