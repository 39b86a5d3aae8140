/*
 * What TLS agreed on and which certificates came: read from the SSL object inside libmariadb's connection, which its
 * installed headers lead to.
 *
 * A handshake that fails because of the certificate frees the SSL object before we are asked again, so the certificates
 * are looked at by a verify call-back, which is put in place when the handshake starts and changes no verdict. (Not in
 * the handshake's first wait: a server on this machine can answer so fast that there is none.)
 */
#include "observe/client_internal.h"

#include "base/coroutine.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <time.h>

/* What the library's own build defines before this header. */
#define HAVE_TLS 1
typedef unsigned char uchar;
#include <ma_pvio.h>

static SSL *ssl_of(const struct client *client) {
    const struct st_ma_pvio *pvio = client->initialised ? client->mysql.net.pvio : NULL;
    return pvio && pvio->ctls ? pvio->ctls->ssl : NULL;
}

/* The chain as the server sent it; 0 where a time cannot be read. */
static int64_t earliest_expiry(const STACK_OF(X509) * chain) {
    int64_t earliest = 0;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        struct tm tm;
        if (!ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(chain, i)), &tm))
            continue;
        int64_t expiry = timegm(&tm);
        if (earliest == 0 || expiry < earliest)
            earliest = expiry;
    }
    return earliest;
}

static int verify_seen(int ok, X509_STORE_CTX *context) {
    struct client *client = coroutine_local();
    if (client && client->facts.cert_expiry_s == 0)
        client->facts.cert_expiry_s = earliest_expiry(X509_STORE_CTX_get0_untrusted(context));
    return ok;
}

static void handshake_seen(const SSL *ssl, int where, int value) {
    struct client *client = coroutine_local();
    (void)value;
    if (where & SSL_CB_HANDSHAKE_START && client)
        SSL_set_verify((SSL *)(uintptr_t)ssl, SSL_get_verify_mode(ssl), verify_seen);
    if (where & SSL_CB_HANDSHAKE_DONE && client)
        client->heard = mono_now();
}

/* OpenSSL makes a context: libmariadb does so for each connection, and gives us no other chance to reach it. */
static void context_made(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long argl, void *argp) {
    (void)value, (void)data, (void)index, (void)argl, (void)argp;
    SSL_CTX_set_info_callback(parent, handshake_seen);
}

int client_tls_init(void) {
    return CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, NULL, context_made, NULL, NULL) < 0 ? -ENOMEM : 0;
}

void client_tls_forget_errors(void) {
    ERR_clear_error();
}

ssize_t client_tls_recv(const struct client *client, void *data, size_t len) {
    SSL *ssl = ssl_of(client);
    errno = 0;
    int got = ssl ? SSL_read(ssl, data, (int)len) : 0;
    int saved = errno, error = got > 0 || !ssl ? SSL_ERROR_NONE : SSL_get_error(ssl, got);
    ERR_clear_error();
    if (got > 0)
        return got;
    errno = error == SSL_ERROR_WANT_READ ? EAGAIN : saved;
    return error == SSL_ERROR_WANT_READ || saved != 0 ? -1 : 0;
}

/* As blackbox_exporter spells them. */
static const char *version_name(int version) {
    switch (version) {
    case TLS1_3_VERSION:
        return "TLS 1.3";
    case TLS1_2_VERSION:
        return "TLS 1.2";
    case TLS1_1_VERSION:
        return "TLS 1.1";
    case TLS1_VERSION:
        return "TLS 1.0";
    default:
        return "other";
    }
}

void client_tls_read(struct client *client) {
    SSL *ssl = ssl_of(client);
    if (!ssl)
        return;
    client->facts.tls_version = version_name(SSL_version(ssl));
    client->facts.tls_cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl));
    if (client->facts.cert_expiry_s == 0) /* nothing was verified */
        client->facts.cert_expiry_s = earliest_expiry(SSL_get_peer_cert_chain(ssl));
    ERR_clear_error();
}
