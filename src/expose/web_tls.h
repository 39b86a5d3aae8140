/*
 * TLS of the HTTP server, as a web configuration wants it: the only user of <gnutls/gnutls.h>. libmicrohttpd makes each
 * session; before its handshake it gets the credentials in force from here, so that new ones are used at the next
 * handshake, and a client's certificate is checked within it: who is refused was answered nothing.
 */
#ifndef EXPOSE_WEB_TLS_H
#define EXPOSE_WEB_TLS_H

#include "expose/web_config.h"

struct web_tls;

/* Read the certificates that `config` names, with one reference. *refused, which must outlive it, will count the
 * clients that are refused for their certificate, or for having none. NULL with one line in `error`. */
struct web_tls *web_tls_new(const struct web_config *config, uint64_t *refused, struct strbuf *error);
struct web_tls *web_tls_ref(struct web_tls *tls); /* NULL is allowed */
void web_tls_unref(struct web_tls *tls);          /* NULL is allowed */

/* Give a new session (gnutls_session_t) these credentials, which must outlive it, and its pointer. 0 or an error of
 * GnuTLS's: then its handshake fails. */
int web_tls_attach(struct web_tls *tls, void *session);
/* A gnutls_certificate_retrieve_function3 that has none: for libmicrohttpd, which wants credentials of its own. */
typedef void web_tls_callback(void);
web_tls_callback *web_tls_no_certificate(void);

#endif
