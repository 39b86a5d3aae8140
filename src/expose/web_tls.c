/*
 * TLS of the HTTP server; see web_tls.h.
 */
#include "expose/web_tls.h"

#include "config/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PEM_BYTES_MAX ((size_t)1 << 20)
#define PRIORITY_BYTES 2048
#define TURN_NS (4 * NS_PER_MS) /* for handshakes; the last one may take longer */
enum { SAN_BYTES = 1024, SANS_SEEN = 200 };

struct web_tls {
    unsigned refs;
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t hello, up_to_12, of_13; /* the latter two NULL where nothing is possible */
    enum web_client_auth client_auth;
    struct web_texts allowed_sans;
    uint64_t *refused; /* the caller's, as this: */
    struct web_tls_turn *turn;
};

/* --- bytes --- */

/* As recv(). What the client's hello leads to takes time: when this turn's share is used up, it is not read.
 * (Libmicrohttpd tries again in the next turn, and would not once the handshake is over.) */
static ssize_t pull(gnutls_transport_ptr_t arg, void *data, size_t size) {
    const struct web_tls_session *ours = arg;
    if (!ours->greeted && mono_between(ours->tls->turn->began, mono_now()) > TURN_NS) {
        ours->tls->turn->put_off = true;
        errno = EAGAIN;
        return -1;
    }
    return recv(ours->fd, data, size, 0);
}

static ssize_t push(gnutls_transport_ptr_t arg, const void *data, size_t size) {
    const struct web_tls_session *ours = arg;
    return send(ours->fd, data, size, MSG_NOSIGNAL);
}

/* Whether there is something to read; never waits. */
static int pull_timeout(gnutls_transport_ptr_t arg, unsigned ms) {
    const struct web_tls_session *ours = arg;
    struct pollfd wanted = {.fd = ours->fd, .events = POLLIN};
    (void)ms;
    return poll(&wanted, 1, 0);
}

/* --- during the handshake --- */

static const struct web_tls *tls_of(gnutls_session_t session) {
    const struct web_tls_session *ours = gnutls_session_get_ptr(session);
    return ours->tls;
}

static bool is_allowed(const struct web_tls *tls, const char *san, size_t len) {
    for (size_t i = 0; i < tls->allowed_sans.count; i++)
        if (span_is((struct span){san, len}, tls->allowed_sans.texts[i]))
            return true;
    return false;
}

/* Whether one of the certificate's names is in the list: DNS, e-mail, IP or URI, as they are written. */
static bool has_allowed_san(const struct web_tls *tls, gnutls_x509_crt_t certificate) {
    for (unsigned i = 0; i < SANS_SEEN; i++) {
        char san[SAN_BYTES], text[INET6_ADDRSTRLEN];
        size_t len = sizeof san;
        unsigned type;
        int rc = gnutls_x509_crt_get_subject_alt_name2(certificate, i, san, &len, &type, NULL);
        if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
            continue;
        if (rc < 0)
            return false; /* that was the last */
        if (type == GNUTLS_SAN_IPADDRESS) {
            int family = len == sizeof(struct in_addr) ? AF_INET : AF_INET6;
            if ((family == AF_INET6 && len != sizeof(struct in6_addr)) || !inet_ntop(family, san, text, sizeof text))
                continue;
            if (is_allowed(tls, text, strlen(text)))
                return true;
        } else if ((type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_RFC822NAME || type == GNUTLS_SAN_URI) &&
                   is_allowed(tls, san, len)) {
            return true;
        }
    }
    return false;
}

static bool check_names(const struct web_tls *tls, const gnutls_datum_t *der) {
    gnutls_x509_crt_t certificate;
    if (gnutls_x509_crt_init(&certificate) < 0)
        return false;
    bool ok = gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) == 0 && has_allowed_san(tls, certificate);
    gnutls_x509_crt_deinit(certificate);
    return ok;
}

/* GnuTLS's bits of what is wrong, 0 if nothing is. */
static unsigned check_chain(gnutls_session_t session) {
    unsigned char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = client};
    unsigned wrong;
    return gnutls_certificate_verify_peers(session, &purpose, 1, &wrong) == 0 ? wrong : GNUTLS_CERT_INVALID;
}

/* With an alert, so that the client can say why. */
static int refuse(gnutls_session_t session, gnutls_alert_description_t why) {
    const struct web_tls *tls = tls_of(session);
    ++*tls->refused;
    gnutls_alert_send(session, GNUTLS_AL_FATAL, why);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

/* By GnuTLS when the client's certificate is in, or that it has none. */
static int on_client_certificate(gnutls_session_t session) {
    const struct web_tls *tls = tls_of(session);
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    bool required =
        tls->client_auth == WEB_REQUIRE_ANY_CLIENT_CERT || tls->client_auth == WEB_REQUIRE_AND_VERIFY_CLIENT_CERT;
    bool verified =
        tls->client_auth == WEB_VERIFY_CLIENT_CERT_IF_GIVEN || tls->client_auth == WEB_REQUIRE_AND_VERIFY_CLIENT_CERT;
    if (!chain || count == 0)
        return required ? refuse(session, GNUTLS_A_CERTIFICATE_REQUIRED) : 0;
    unsigned wrong = verified ? check_chain(session) : 0;
    if (wrong)
        return refuse(session, wrong & GNUTLS_CERT_EXPIRED ? GNUTLS_A_CERTIFICATE_EXPIRED : GNUTLS_A_UNKNOWN_CA);
    if (tls->allowed_sans.count > 0 && !check_names(tls, &chain[0]))
        return refuse(session, GNUTLS_A_BAD_CERTIFICATE);
    return 0;
}

/* The version is agreed on, the cipher suite not yet; what takes time comes next. */
static int on_hello(gnutls_session_t session) {
    struct web_tls_session *ours = gnutls_session_get_ptr(session);
    const struct web_tls *tls = ours->tls;
    ours->greeted = true;
    gnutls_priority_t priority = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3 ? tls->of_13 : tls->up_to_12;
    return priority ? gnutls_priority_set(session, priority) : GNUTLS_E_NO_CIPHER_SUITES;
}

int web_tls_attach(struct web_tls_session *ours, void *session) {
    struct web_tls *tls = ours->tls;
    int rc = gnutls_priority_set(session, tls->hello);
    if (rc == 0)
        rc = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
    gnutls_session_set_ptr(session, ours);
    gnutls_transport_set_ptr(session, ours);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_push_function(session, push);
    gnutls_transport_set_pull_timeout_function(session, pull_timeout);
    gnutls_handshake_set_post_client_hello_function(session, on_hello);
    /* Never GNUTLS_CERT_REQUIRE: that ends the handshake without an alert. */
    gnutls_certificate_server_set_request(session, tls->client_auth == WEB_NO_CLIENT_CERT ? GNUTLS_CERT_IGNORE
                                                                                          : GNUTLS_CERT_REQUEST);
    return rc;
}

static int no_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs,
                          unsigned *count, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count, gnutls_privkey_t *key,
                          unsigned *flags) {
    (void)session, (void)info, (void)certs, (void)count, (void)ocsp, (void)ocsp_count, (void)key, (void)flags;
    return -1;
}

web_tls_callback *web_tls_no_certificate(void) {
    gnutls_certificate_retrieve_function3 *function = no_certificate;
    return (web_tls_callback *)function;
}

/* --- from the configuration --- */

struct pem {
    struct file_content file;
    gnutls_datum_t datum;
};

/* The text or the file's content; false after a report. */
static bool read_pem(const struct web_config *config, enum web_key file_key, char *text, const char *file,
                     struct pem *out, struct strbuf *error) {
    struct strbuf why;
    *out = (struct pem){0};
    if (text) {
        out->datum = (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
        return true;
    }
    strbuf_init(&why, 512);
    bool ok = file_read(file, PEM_BYTES_MAX, &out->file, &why);
    if (!ok)
        web_config_complain(config, file_key, error, "%s", strbuf_text(&why));
    strbuf_release(&why);
    if (ok)
        out->datum = (gnutls_datum_t){(unsigned char *)out->file.data, (unsigned)out->file.len};
    return ok;
}

/* GnuTLS 3.7.9's gnutls_certificate_set_x509_key_mem2() loses 168 bytes with each certificate that it cannot parse, so
 * it is given none. As that, a negative error. */
static int try_certificates(const gnutls_datum_t *pem) {
    gnutls_x509_crt_t *certificates = NULL;
    unsigned count = 0;
    int rc = gnutls_x509_crt_list_import2(&certificates, &count, pem, GNUTLS_X509_FMT_PEM, 0);
    for (unsigned i = 0; rc >= 0 && i < count; i++)
        gnutls_x509_crt_deinit(certificates[i]);
    if (rc >= 0)
        gnutls_free(certificates);
    return rc;
}

static bool load_key_pair(struct web_tls *tls, const struct web_config *config, struct strbuf *error) {
    struct pem certificate = {0}, key = {0};
    bool ok = false;
    if (read_pem(config, WEB_CERT_FILE, config->cert, config->cert_file, &certificate, error) &&
        read_pem(config, WEB_KEY_FILE, config->key, config->key_file, &key, error)) {
        int rc = try_certificates(&certificate.datum);
        if (rc >= 0)
            rc = gnutls_certificate_set_x509_key_mem2(tls->credentials, &certificate.datum, &key.datum,
                                                      GNUTLS_X509_FMT_PEM, NULL, 0);
        ok = rc >= 0;
        if (!ok)
            web_config_complain(config, config->cert ? WEB_CERT : WEB_CERT_FILE, error,
                                "certificate and key cannot be used: %s", gnutls_strerror(rc));
    }
    file_release(&certificate.file);
    file_release(&key.file);
    return ok;
}

/* Without a CA of its own the system's are meant, as in Go. */
static bool load_client_ca(struct web_tls *tls, const struct web_config *config, struct strbuf *error) {
    struct pem ca;
    bool verifies = config->client_auth == WEB_VERIFY_CLIENT_CERT_IF_GIVEN ||
                    config->client_auth == WEB_REQUIRE_AND_VERIFY_CLIENT_CERT;
    if (!config->client_ca && !config->client_ca_file) {
        if (verifies)
            gnutls_certificate_set_x509_system_trust(tls->credentials);
        return true;
    }
    if (!read_pem(config, WEB_CLIENT_CA_FILE, config->client_ca, config->client_ca_file, &ca, error))
        return false;
    int rc = gnutls_certificate_set_x509_trust_mem(tls->credentials, &ca.datum, GNUTLS_X509_FMT_PEM);
    file_release(&ca.file);
    if (rc > 0)
        return true;
    web_config_complain(config, config->client_ca ? WEB_CLIENT_CA : WEB_CLIENT_CA_FILE, error,
                        "has no certificate that can be used%s%s", rc < 0 ? ": " : "",
                        rc < 0 ? gnutls_strerror(rc) : "");
    return false;
}

static bool has_rsa_key(gnutls_certificate_credentials_t credentials) {
    gnutls_x509_privkey_t key;
    if (gnutls_certificate_get_x509_key(credentials, 0, &key) < 0)
        return false;
    int algorithm = gnutls_x509_privkey_get_pk_algorithm(key);
    gnutls_x509_privkey_deinit(key);
    return algorithm == GNUTLS_PK_RSA || algorithm == GNUTLS_PK_RSA_PSS;
}

/* NULL where there is none for that stage. False when memory is short. */
static bool make_priority(const struct web_config *config, enum tls_stage stage, bool rsa, gnutls_priority_t *out) {
    struct strbuf text;
    const char *at;
    strbuf_init(&text, PRIORITY_BYTES);
    tls_priority(&config->choice, stage, rsa, &text);
    int rc = text.len > 0 ? gnutls_priority_init(out, strbuf_text(&text), &at) : GNUTLS_E_NO_CIPHER_SUITES;
    if (rc < 0)
        *out = NULL;
    bool failed = strbuf_failed(&text) || rc == GNUTLS_E_MEMORY_ERROR;
    strbuf_release(&text);
    return !failed;
}

static bool make_priorities(struct web_tls *tls, const struct web_config *config, struct strbuf *error) {
    bool rsa = has_rsa_key(tls->credentials);
    bool ok = make_priority(config, TLS_STAGE_HELLO, rsa, &tls->hello) && tls->hello;
    if (ok && config->choice.min < TLS_VERSION_13)
        ok = make_priority(config, TLS_STAGE_UP_TO_12, rsa, &tls->up_to_12);
    if (ok && config->choice.max == TLS_VERSION_13)
        ok = make_priority(config, TLS_STAGE_13, rsa, &tls->of_13);
    if (ok && !tls->up_to_12 && !tls->of_13) {
        web_config_complain(config, WEB_CIPHER_SUITES, error, "no suite fits the certificate's key and the versions");
        return false;
    }
    if (!ok)
        web_config_complain(config, WEB_MIN_VERSION, error, "GnuTLS does not take these versions and curves");
    return ok;
}

static bool copy_sans(struct web_tls *tls, const struct web_texts *sans) {
    tls->allowed_sans.texts = calloc(sans->count + 1, sizeof *tls->allowed_sans.texts);
    for (size_t i = 0; tls->allowed_sans.texts && i < sans->count; i++) {
        tls->allowed_sans.texts[i] = strdup(sans->texts[i]);
        if (!tls->allowed_sans.texts[i])
            return false;
        tls->allowed_sans.count++;
    }
    return tls->allowed_sans.texts;
}

struct web_tls *web_tls_new(const struct web_config *config, uint64_t *refused, struct web_tls_turn *turn,
                            struct strbuf *error) {
    struct web_tls *tls = calloc(1, sizeof *tls);
    if (!tls || gnutls_certificate_allocate_credentials(&tls->credentials) < 0 ||
        !copy_sans(tls, &config->allowed_sans)) {
        strbuf_addf(error, "%s: out of memory", config->file);
        web_tls_unref(tls);
        return NULL;
    }
    tls->refs = 1;
    tls->refused = refused;
    tls->turn = turn;
    tls->client_auth = config->client_auth;
    gnutls_certificate_set_verify_function(tls->credentials, on_client_certificate);
    if (!load_key_pair(tls, config, error) || !load_client_ca(tls, config, error) ||
        !make_priorities(tls, config, error)) {
        web_tls_unref(tls);
        return NULL;
    }
    return tls;
}

struct web_tls *web_tls_ref(struct web_tls *tls) {
    if (tls)
        tls->refs++;
    return tls;
}

void web_tls_unref(struct web_tls *tls) {
    if (!tls || (tls->refs > 1 && --tls->refs > 0))
        return;
    gnutls_priority_deinit(tls->hello);
    gnutls_priority_deinit(tls->up_to_12);
    gnutls_priority_deinit(tls->of_13);
    if (tls->credentials)
        gnutls_certificate_free_credentials(tls->credentials);
    for (size_t i = 0; i < tls->allowed_sans.count; i++)
        free(tls->allowed_sans.texts[i]);
    free(tls->allowed_sans.texts);
    free(tls);
}
