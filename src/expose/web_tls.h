/*
 * TLS of the HTTP server, as a web configuration wants it: the only user of <gnutls/gnutls.h>. libmicrohttpd makes each
 * session; before its handshake it gets the credentials in force from here, so that new ones are used at the next
 * handshake, and a client's certificate is checked within it: who is refused was answered nothing.
 */
#ifndef EXPOSE_WEB_TLS_H
#define EXPOSE_WEB_TLS_H

#include "base/clock.h"
#include "expose/web_config.h"

struct web_tls;

/* Handshakes are the longest steps that the loop takes, so in one turn of it they get a share of time; those that come
 * when it is used up are put off. */
struct web_tls_turn {
    struct mono began;
    bool put_off; /* one was, in this turn */
};

/* Read the certificates that `config` names, with one reference. *refused, which must outlive it as *turn must, will
 * count the clients that are refused for their certificate, or for having none. NULL with one line in `error`. */
struct web_tls *web_tls_new(const struct web_config *config, uint64_t *refused, struct web_tls_turn *turn,
                            struct strbuf *error);
struct web_tls *web_tls_ref(struct web_tls *tls); /* NULL is allowed */
void web_tls_unref(struct web_tls *tls);          /* NULL is allowed */

/* A session of a client. */
struct web_tls_session {
    struct web_tls *tls;
    int fd;
    bool greeted; /* the client's hello was read */
};

/* Give a new session (gnutls_session_t) the credentials of ours->tls, and its pointers. *ours must outlive it. 0 or an
 * error of GnuTLS's: then its handshake fails. */
int web_tls_attach(struct web_tls_session *ours, void *session);
/* A gnutls_certificate_retrieve_function3 that has none: for libmicrohttpd, which wants credentials of its own. */
typedef void web_tls_callback(void);
web_tls_callback *web_tls_no_certificate(void);

#endif
