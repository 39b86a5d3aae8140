/*
 * The web configuration in force. It is read again whenever one of its files has changed, which is looked for with each
 * connection and each request, as exporter-toolkit does: certificates and users are those of now. Where the new one
 * cannot be used, the old one stays.
 */
#ifndef EXPOSE_WEB_H
#define EXPOSE_WEB_H

#include "expose/http_facts.h"
#include "expose/web_config.h"
#include "expose/web_tls.h"

struct web;

/* Read `path`, both borrowed; NULL is no file, nor protection. NULL on failure with one line in `error`. */
struct web *web_open(const char *path, struct http_facts *facts, struct strbuf *error);
void web_close(struct web *web); /* NULL is allowed */
/* Whether `path` could be opened; false with one line in `error`. */
bool web_check(const char *path, struct strbuf *error);

/* Look whether a file has changed; a few system calls where none has. What is wrong with it is logged, once. */
void web_refresh(struct web *web);
/* The same whether or not one has changed. False with one line in `error`. */
bool web_reload(struct web *web, struct strbuf *error);

/* Valid until the next refresh or reload. Never NULL. */
const struct web_config *web_config(const struct web *web);
/* NULL where there is no TLS, which stays so. */
struct web_tls *web_tls(const struct web *web);
/* For libmicrohttpd's next run. */
void web_begin_turn(struct web *web);
/* Whether a handshake was put off in it. */
bool web_put_off(const struct web *web);
/* Whether the rate limit allows one request more now. */
bool web_allows_request(struct web *web);

#endif
