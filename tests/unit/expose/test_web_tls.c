/*
 * TLS of the HTTP server, over a pair of sockets: which key pairs are taken, which clients are let in, and that
 * handshakes keep to their share of a turn.
 */
#include "expose/web_tls.h"

#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* --- certificates --- */

struct identity {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t key_pem, certificate_pem;
};

static struct identity ca, stranger_ca, server, other, client, stranger;

/* By hand, for GnuTLS takes no NUL: SEQUENCE { [6] uri }. */
static void add_uri(gnutls_x509_crt_t certificate, const char *uri, size_t len) {
    unsigned char der[100] = {0x30, (unsigned char)(len + 2), 0x86, (unsigned char)len};
    assert_true(len < sizeof der - 4);
    memcpy(der + 4, uri, len);
    assert_int_equal(gnutls_x509_crt_set_extension_by_oid(certificate, "2.5.29.17", der, len + 4, 0), 0);
}

/* `uri` (of `len` bytes) is the one alternative name; `issuer` NULL: signed by itself. */
static void make(struct identity *who, const char *name, const char *uri, size_t len, struct identity *issuer) {
    static unsigned char serial;
    gnutls_x509_crt_t certificate;
    serial++;
    assert_int_equal(gnutls_x509_privkey_init(&who->key), 0);
    assert_int_equal(
        gnutls_x509_privkey_generate(who->key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
        0);
    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    who->certificate = certificate;
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, &serial, 1);
    gnutls_x509_crt_set_activation_time(certificate, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + 3600);
    gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
    gnutls_x509_crt_set_key(certificate, who->key);
    gnutls_x509_crt_set_ca_status(certificate, issuer == NULL);
    if (uri)
        add_uri(certificate, uri, len);
    struct identity *signer = issuer ? issuer : who;
    assert_int_equal(gnutls_x509_crt_sign2(certificate, signer->certificate, signer->key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &who->certificate_pem), 0);
    assert_int_equal(gnutls_x509_privkey_export2(who->key, GNUTLS_X509_FMT_PEM, &who->key_pem), 0);
}

static void forget(struct identity *who) {
    gnutls_x509_privkey_deinit(who->key);
    gnutls_x509_crt_deinit(who->certificate);
    gnutls_free(who->key_pem.data);
    gnutls_free(who->certificate_pem.data);
}

static char *text_of(const gnutls_datum_t *pem) {
    return (char *)pem->data;
}

static int make_all(void **state) {
    (void)state;
    make(&ca, "ca", NULL, 0, NULL);
    make(&stranger_ca, "ca", NULL, 0, NULL);
    make(&server, "server", NULL, 0, &ca);
    make(&other, "other", NULL, 0, &ca);
    make(&client, "client", "spiffe://here/prometheus", 24, &ca);
    make(&stranger, "client", "spiffe://here/prometheus", 24, &stranger_ca);
    return 0;
}

static int forget_all(void **state) {
    struct identity *all[] = {&ca, &stranger_ca, &server, &other, &client, &stranger};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        forget(all[i]);
    return 0;
}

/* --- the server's side --- */

static uint64_t refused;
static struct web_tls_turn turn;
static struct strbuf error;

static int begin(void **state) {
    (void)state;
    refused = 0;
    turn = (struct web_tls_turn){.began = mono_now()};
    strbuf_init(&error, 4096);
    return 0;
}

static int end(void **state) {
    (void)state;
    strbuf_release(&error);
    return 0;
}

static struct web_config config_of(const struct identity *who) {
    static char file[] = "web.yml";
    return (struct web_config){.file = file,
                               .tls = true,
                               .cert = text_of(&who->certificate_pem),
                               .key = text_of(&who->key_pem),
                               .choice = {.min = TLS_VERSION_12, .max = TLS_VERSION_13, .prefer_server = true}};
}

static struct web_tls *serve(const struct web_config *config) {
    strbuf_reset(&error);
    struct web_tls *tls = web_tls_new(config, &refused, &turn, &error);
    assert_int_equal(tls == NULL, error.len > 0);
    return tls;
}

static void refuses(const struct web_config *config, const char *why) {
    assert_null(serve(config));
    if (strncmp(strbuf_text(&error), "web.yml", 7) != 0 || !strstr(strbuf_text(&error), why))
        fail_msg("%s", strbuf_text(&error));
    assert_null(strstr(strbuf_text(&error), "PRIVATE KEY"));
}

/* --- a handshake --- */

struct pair {
    int fds[2];
    gnutls_session_t ours, theirs;
    gnutls_certificate_credentials_t credentials;
    struct web_tls_session session;
};

static void connect_to(struct web_tls *tls, const struct identity *with, const char *priority, struct pair *p) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p->fds), 0);
    assert_int_equal(gnutls_certificate_allocate_credentials(&p->credentials), 0);
    if (with)
        assert_int_equal(gnutls_certificate_set_x509_key_mem(p->credentials, &with->certificate_pem, &with->key_pem,
                                                             GNUTLS_X509_FMT_PEM),
                         0);
    assert_int_equal(gnutls_init(&p->theirs, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_FORCE_CLIENT_CERT), 0);
    assert_int_equal(gnutls_priority_set_direct(p->theirs, priority, NULL), 0);
    gnutls_credentials_set(p->theirs, GNUTLS_CRD_CERTIFICATE, p->credentials);
    gnutls_transport_set_int(p->theirs, p->fds[1]);
    assert_int_equal(gnutls_init(&p->ours, GNUTLS_SERVER | GNUTLS_NONBLOCK), 0);
    p->session = (struct web_tls_session){.tls = web_tls_ref(tls), .fd = p->fds[0]};
    assert_int_equal(web_tls_attach(&p->session, p->ours), 0);
}

static bool is_over(int rc) {
    return rc == 0 || gnutls_error_is_fatal(rc);
}

/* 0 or an error of our side's. */
static int shake_hands(const struct pair *p) {
    int ours = GNUTLS_E_AGAIN, theirs = GNUTLS_E_AGAIN;
    for (int i = 0; i < 1000 && !(is_over(ours) && (theirs == 0 || is_over(theirs))); i++) {
        theirs = is_over(theirs) ? theirs : gnutls_handshake(p->theirs);
        ours = is_over(ours) ? ours : gnutls_handshake(p->ours);
    }
    return ours;
}

static void hang_up(struct pair *p) {
    gnutls_deinit(p->ours);
    gnutls_deinit(p->theirs);
    gnutls_certificate_free_credentials(p->credentials);
    web_tls_unref(p->session.tls);
    close(p->fds[0]);
    close(p->fds[1]);
}

static bool lets_in(struct web_tls *tls, const struct identity *with, const char *priority) {
    struct pair p;
    turn = (struct web_tls_turn){.began = mono_add(mono_now(), 60 * NS_PER_S)}; /* time enough */
    connect_to(tls, with, priority, &p);
    int rc = shake_hands(&p);
    hang_up(&p);
    return rc == 0;
}

#define ONLY_12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define ONLY_13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

/* --- tests --- */

static void only_keys_that_fit_are_taken(void **state) {
    char garbage[] = "no certificate at all", nowhere[] = "/nowhere/at/all.pem",
         cut[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    struct web_config config = config_of(&server);
    struct web_tls *tls = serve(&config);
    (void)state;
    assert_non_null(tls);
    web_tls_unref(tls);
    config.key = text_of(&other.key_pem);
    refuses(&config, "tls_server_config.cert: certificate and key cannot be used");
    config.key = text_of(&server.certificate_pem);
    refuses(&config, "certificate and key cannot be used");
    config = config_of(&server);
    config.cert = garbage;
    refuses(&config, "certificate and key cannot be used");
    config.cert = cut; /* GnuTLS would leak of it */
    refuses(&config, "certificate and key cannot be used");
    config.cert = NULL;
    config.cert_file = nowhere;
    refuses(&config, "tls_server_config.cert_file: ");
    config = config_of(&server);
    config.client_auth = WEB_REQUIRE_AND_VERIFY_CLIENT_CERT;
    config.client_ca = text_of(&server.key_pem);
    refuses(&config, "tls_server_config.client_ca: has no certificate that can be used");
    web_tls_unref(NULL);
}

static void a_key_wants_a_suite(void **state) {
    int rsa_only = tls_name_find(TLS_NAME_CIPHER, span_of("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
    struct web_config config = config_of(&server); /* an ECDSA key */
    (void)state;
    config.choice.max = TLS_VERSION_12;
    config.choice.ciphers[config.choice.cipher_count++] = (unsigned char)rsa_only;
    refuses(&config, "no suite fits the certificate's key and the versions");
    config.choice.max = TLS_VERSION_13; /* which has suites of its own */
    struct web_tls *tls = serve(&config);
    assert_false(lets_in(tls, NULL, ONLY_12));
    assert_true(lets_in(tls, NULL, ONLY_13));
    web_tls_unref(tls);
}

static void clients_are_asked_who_they_are(void **state) {
    struct web_config config = config_of(&server);
    (void)state;
    config.client_auth = WEB_REQUIRE_AND_VERIFY_CLIENT_CERT;
    config.client_ca = text_of(&ca.certificate_pem);
    struct web_tls *tls = serve(&config);
    assert_non_null(tls);
    const char *const versions[] = {ONLY_12, ONLY_13};
    for (int i = 0; i < 2; i++) {
        assert_true(lets_in(tls, &client, versions[i]));
        assert_int_equal(refused, 2 * i);
        assert_false(lets_in(tls, &stranger, versions[i])); /* of another authority with the same name */
        assert_false(lets_in(tls, NULL, versions[i]));
        assert_int_equal(refused, 2 * i + 2);
    }
    web_tls_unref(tls);
}

/* As they are written, to the last byte. */
static void names_must_be_the_same(void **state) {
    static const struct {
        const char *uri;
        size_t len;
        bool good;
    } cases[] = {
        {"spiffe://here/p", 15, true},    {"spiffe://here/P", 15, false},        {"spiffe://here/pp", 16, false},
        {"spiffe://here/", 14, false},    {"spiffe://here/p\0.evil", 21, false}, /* to strcmp() it would be the same */
        {"\0spiffe://here/p", 16, false},
    };
    char allowed[] = "spiffe://here/p", *texts[] = {allowed};
    struct web_config config = config_of(&server);
    (void)state;
    config.client_auth = WEB_REQUIRE_AND_VERIFY_CLIENT_CERT;
    config.client_ca = text_of(&ca.certificate_pem);
    config.allowed_sans = (struct web_texts){texts, 1};
    struct web_tls *tls = serve(&config);
    assert_non_null(tls);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct identity who;
        make(&who, "spiffe://here/p", cases[i].uri, cases[i].len, &ca); /* its common name does not count */
        if (lets_in(tls, &who, ONLY_13) != cases[i].good)
            fail_msg("case %zu", i);
        forget(&who);
    }
    assert_false(lets_in(tls, &server, ONLY_13)); /* it has no such name at all */
    web_tls_unref(tls);
}

/* The longest steps of the loop: those for whom there is no time in this turn wait for the next, unread. */
static void handshakes_keep_to_their_share_of_a_turn(void **state) {
    struct web_config config = config_of(&server);
    struct web_tls *tls = serve(&config);
    struct pair p;
    (void)state;
    connect_to(tls, NULL, ONLY_13, &p);
    turn = (struct web_tls_turn){.began = mono_add(mono_now(), -NS_PER_S)};
    assert_int_equal(shake_hands(&p), GNUTLS_E_AGAIN);
    assert_true(turn.put_off && !p.session.greeted);
    turn = (struct web_tls_turn){.began = mono_add(mono_now(), 60 * NS_PER_S)};
    assert_int_equal(shake_hands(&p), 0);
    assert_true(p.session.greeted && !turn.put_off);
    hang_up(&p);
    web_tls_unref(tls);
}

/* Who shakes hands with the old certificate may end that when there is a new one. */
static void a_session_keeps_what_it_began_with(void **state) {
    struct web_config config = config_of(&server);
    struct web_tls *tls = serve(&config);
    struct pair p;
    (void)state;
    connect_to(tls, NULL, ONLY_13, &p);
    web_tls_unref(tls);
    turn = (struct web_tls_turn){.began = mono_add(mono_now(), 60 * NS_PER_S)};
    assert_int_equal(shake_hands(&p), 0);
    hang_up(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_keys_that_fit_are_taken, begin, end),
        cmocka_unit_test_setup_teardown(a_key_wants_a_suite, begin, end),
        cmocka_unit_test_setup_teardown(clients_are_asked_who_they_are, begin, end),
        cmocka_unit_test_setup_teardown(names_must_be_the_same, begin, end),
        cmocka_unit_test_setup_teardown(handshakes_keep_to_their_share_of_a_turn, begin, end),
        cmocka_unit_test_setup_teardown(a_session_keeps_what_it_began_with, begin, end),
    };
    return cmocka_run_group_tests(tests, make_all, forget_all);
}
