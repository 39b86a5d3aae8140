/*
 * The HTTP server, on the program's loop: requests and their answers. Who is connected is guests' matter, who may ask
 * web's and web_auth's. Its files, http*, are the only users of <microhttpd.h>. The routes are in a table of http.c.
 */
#ifndef EXPOSE_HTTP_H
#define EXPOSE_HTTP_H

#include "base/strbuf.h"
#include "expose/exporter_state.h"
#include "expose/http_facts.h"
#include "observe/fleet.h"

#include <uv.h>

struct http;

struct http_settings {
    const char *const *listen_addresses; /* as listen_open() takes them; at least one, or … */
    size_t listen_count;
    bool systemd_sockets;        /* … listen on what systemd has opened instead */
    const char *web_config_file; /* NULL: none */
    const char *route_prefix;    /* before each path that is served: "", or as "/mysqlconn" */
    /* What routes ask of the daemon: */
    void (*reload)(void *arg);                 /* begin one when that can be, and tell as below */
    const struct config *(*config)(void *arg); /* that is running; its targets need not be in it */
    void *arg;
};

/* Listen. Everything passed is borrowed until http_stop(). NULL on failure with one line in `error`. Port 0 takes a
 * free port. The program must ignore SIGPIPE. */
struct http *http_start(uv_loop_t *loop, const struct http_settings *settings, const struct fleet *fleet,
                        const struct exporter_state *state, struct strbuf *error);
struct looker;

/* Who looks for /probe (borrowed); without one there is no such page. */
void http_set_looker(struct http *http, struct looker *looker);
/* Answer from now on; who asks before waits. */
void http_serve(struct http *http);
/* The address of the i-th listening socket, with the port that it has; false where there are not as many. */
bool http_address(const struct http *http, size_t i, struct strbuf *out);
const struct http_facts *http_facts(const struct http *http);
/* Read the web configuration again. False with one line in `error`: then the old one stays in force. */
bool http_reload(struct http *http, struct strbuf *error);
/* Whoever asked until now waits for the reload that begins; when it ends, each is answered. With each reload, whoever
 * wanted it; `error` is one line where it is not `ok`. */
void http_reload_begins(struct http *http);
void http_reload_ends(struct http *http, bool ok, const struct strbuf *error);
/* Stop at once; the loop must run once more to close the handles. NULL is allowed. */
void http_stop(struct http *http);

#endif
