/*
 * Go's names for what TLS can do, as exporter-toolkit's configuration uses them, and GnuTLS's for the same: the only
 * place that knows both.
 */
#ifndef EXPOSE_TLS_NAMES_H
#define EXPOSE_TLS_NAMES_H

#include "base/strbuf.h"

enum tls_version { TLS_VERSION_10, TLS_VERSION_11, TLS_VERSION_12, TLS_VERSION_13 };

enum { TLS_CIPHERS_MAX = 16, TLS_CURVES_MAX = 8 };

/* What was chosen of the tables below, by their rows and in the order of preference; a count of 0 means all. */
struct tls_choice {
    enum tls_version min, max;
    bool prefer_server; /* whose order counts; TLS up to 1.2 only, where clients have one */
    unsigned char ciphers[TLS_CIPHERS_MAX], curves[TLS_CURVES_MAX];
    unsigned cipher_count, curve_count;
};

enum tls_name_kind { TLS_NAME_VERSION, TLS_NAME_CIPHER, TLS_NAME_CURVE };
/* The row of that name, or -1. */
int tls_name_find(enum tls_name_kind kind, struct span name);
/* All names, as "A, B or C". */
void tls_name_list(enum tls_name_kind kind, struct strbuf *out);

/* Which part of the choice a priority is for. GnuTLS has one list of ciphers for all versions, while Go's
 * cipher_suites are those of TLS up to 1.2 only: so the list is set once the version is agreed on. */
enum tls_stage { TLS_STAGE_HELLO, TLS_STAGE_UP_TO_12, TLS_STAGE_13 };
/* The choice as a priority string of GnuTLS; `rsa` tells the server's key, which decides what key exchange can be. With
 * TLS_STAGE_UP_TO_12 nothing is written where no chosen cipher suite fits that key. */
void tls_priority(const struct tls_choice *choice, enum tls_stage stage, bool rsa, struct strbuf *out);

#endif
