/*
 * Go's names and GnuTLS's; see tls_names.h.
 */
#include "expose/tls_names.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const struct {
    const char *go, *gnutls;
} versions[] = {
    [TLS_VERSION_10] = {"TLS10", "VERS-TLS1.0"},
    [TLS_VERSION_11] = {"TLS11", "VERS-TLS1.1"},
    [TLS_VERSION_12] = {"TLS12", "VERS-TLS1.2"},
    [TLS_VERSION_13] = {"TLS13", "VERS-TLS1.3"},
};

enum key_exchange { KX_ECDHE_RSA, KX_ECDHE_ECDSA, KX_OF_13 };

/* In the order of preference where none is given. */
static const struct {
    const char *go;
    enum key_exchange kx;
    const char *cipher, *mac;
} ciphers[] = {
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", KX_ECDHE_RSA, "AES-128-GCM", "AEAD"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", KX_ECDHE_ECDSA, "AES-128-GCM", "AEAD"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", KX_ECDHE_RSA, "AES-256-GCM", "AEAD"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", KX_ECDHE_ECDSA, "AES-256-GCM", "AEAD"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", KX_ECDHE_RSA, "CHACHA20-POLY1305", "AEAD"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", KX_ECDHE_ECDSA, "CHACHA20-POLY1305", "AEAD"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", KX_ECDHE_RSA, "AES-128-CBC", "SHA1"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", KX_ECDHE_ECDSA, "AES-128-CBC", "SHA1"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", KX_ECDHE_RSA, "AES-256-CBC", "SHA1"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", KX_ECDHE_ECDSA, "AES-256-CBC", "SHA1"},
    /* Always there where TLS 1.3 is, named or not, as in Go. */
    {"TLS_AES_128_GCM_SHA256", KX_OF_13, "AES-128-GCM", "AEAD"},
    {"TLS_AES_256_GCM_SHA384", KX_OF_13, "AES-256-GCM", "AEAD"},
    {"TLS_CHACHA20_POLY1305_SHA256", KX_OF_13, "CHACHA20-POLY1305", "AEAD"},
};
_Static_assert(COUNT_OF(ciphers) <= TLS_CIPHERS_MAX, "more room in struct tls_choice");

/* In the order of preference where none is given. */
static const struct {
    const char *go, *gnutls;
} curves[] = {
    {"X25519", "GROUP-X25519"},
    {"CurveP256", "GROUP-SECP256R1"},
    {"CurveP384", "GROUP-SECP384R1"},
    {"CurveP521", "GROUP-SECP521R1"},
};
_Static_assert(COUNT_OF(curves) <= TLS_CURVES_MAX, "more room in struct tls_choice");

/* NULL after the last. */
static const char *go_name(enum tls_name_kind kind, size_t row) {
    switch (kind) {
    case TLS_NAME_VERSION:
        return row < COUNT_OF(versions) ? versions[row].go : NULL;
    case TLS_NAME_CIPHER:
        return row < COUNT_OF(ciphers) ? ciphers[row].go : NULL;
    case TLS_NAME_CURVE:
        return row < COUNT_OF(curves) ? curves[row].go : NULL;
    }
    return NULL;
}

int tls_name_find(enum tls_name_kind kind, struct span name) {
    const char *known;
    for (size_t row = 0; (known = go_name(kind, row)) != NULL; row++)
        if (span_is(name, known))
            return (int)row;
    return -1;
}

void tls_name_list(enum tls_name_kind kind, struct strbuf *out) {
    const char *name;
    for (size_t row = 0; (name = go_name(kind, row)) != NULL; row++)
        strbuf_addf(out, "%s%s", row == 0 ? "" : go_name(kind, row + 1) ? ", " : " or ", name);
}

/* Whether `stage` may use a row of `ciphers`. */
static bool fits(size_t row, enum tls_stage stage, bool rsa) {
    if (stage == TLS_STAGE_HELLO)
        return true;
    if (stage == TLS_STAGE_13)
        return ciphers[row].kx == KX_OF_13;
    return ciphers[row].kx == (rsa ? KX_ECDHE_RSA : KX_ECDHE_ECDSA);
}

/* GnuTLS takes a name that comes twice as one. */
static unsigned add_ciphers(const struct tls_choice *choice, enum tls_stage stage, bool rsa, struct strbuf *out) {
    bool all = choice->cipher_count == 0 || stage != TLS_STAGE_UP_TO_12;
    size_t count = all ? COUNT_OF(ciphers) : choice->cipher_count;
    unsigned added = 0;
    for (size_t i = 0; i < count; i++) {
        size_t row = all ? i : choice->ciphers[i];
        if (!fits(row, stage, rsa))
            continue;
        strbuf_addf(out, ":+%s:+%s", ciphers[row].cipher, ciphers[row].mac);
        added++;
    }
    return added;
}

void tls_priority(const struct tls_choice *choice, enum tls_stage stage, bool rsa, struct strbuf *out) {
    size_t before = out->len;
    strbuf_addstr(out, "NORMAL:-VERS-ALL:-KX-ALL:-CIPHER-ALL:-MAC-ALL:-GROUP-ALL");
    strbuf_addf(out, ":+ECDHE-%s", rsa ? "RSA" : "ECDSA");
    for (unsigned version = choice->max + 1; version-- > choice->min;)
        if (stage == TLS_STAGE_HELLO || (version == TLS_VERSION_13) == (stage == TLS_STAGE_13))
            strbuf_addf(out, ":+%s", versions[version].gnutls);
    if (add_ciphers(choice, stage, rsa, out) == 0) {
        strbuf_truncate(out, before);
        return;
    }
    if (choice->curve_count == 0)
        for (size_t i = 0; i < COUNT_OF(curves); i++)
            strbuf_addf(out, ":+%s", curves[i].gnutls);
    for (unsigned i = 0; i < choice->curve_count; i++)
        strbuf_addf(out, ":+%s", curves[choice->curves[i]].gnutls);
    if (choice->prefer_server)
        strbuf_addstr(out, ":%SERVER_PRECEDENCE");
}
