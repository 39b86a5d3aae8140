/*
 * The web configuration, --web.config.file: exporter-toolkit's YAML to struct web_config. What may stand there is told
 * in https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md; where we are stricter, the
 * README says so.
 */
#ifndef EXPOSE_WEB_CONFIG_H
#define EXPOSE_WEB_CONFIG_H

#include "config/yaml_reader.h"
#include "expose/tls_names.h"

/* The keys of which something can be wrong that is found later. */
enum web_key {
    WEB_CERT,
    WEB_KEY,
    WEB_CLIENT_CA,
    WEB_CERT_FILE,
    WEB_KEY_FILE,
    WEB_CLIENT_CA_FILE,
    WEB_CLIENT_AUTH_TYPE,
    WEB_CLIENT_ALLOWED_SANS,
    WEB_MIN_VERSION,
    WEB_MAX_VERSION,
    WEB_CIPHER_SUITES,
    WEB_PREFER_SERVER_CIPHER_SUITES,
    WEB_CURVE_PREFERENCES,
    WEB_HTTP2,
    WEB_RATE_INTERVAL,
    WEB_RATE_BURST,
    WEB_KEYS
};

/* Go's tls.ClientAuthType. */
enum web_client_auth {
    WEB_NO_CLIENT_CERT,
    WEB_REQUEST_CLIENT_CERT,
    WEB_REQUIRE_ANY_CLIENT_CERT,
    WEB_VERIFY_CLIENT_CERT_IF_GIVEN,
    WEB_REQUIRE_AND_VERIFY_CLIENT_CERT,
};

enum { WEB_HEADERS = 5 };

struct web_texts {
    char **texts;
    size_t count;
};

struct web_user {
    char *name;
    char *hash; /* bcrypt's; its cost is at most WEB_COST_MAX */
};

/* A cost of 15 takes 2 s, and each more twice as long. */
#define WEB_COST_MAX 15

struct web_config {
    char *file;                                  /* as it was named, for messages */
    struct mark marks[WEB_KEYS];                 /* line 0: not given */
    struct mark tls_mark;                        /* of tls_server_config */
    bool tls;                                    /* whether there is TLS */
    char *cert, *key, *client_ca;                /* PEM in the file itself; NULL where not given or empty */
    char *cert_file, *key_file, *client_ca_file; /* relative to the working directory; NULL … */
    enum web_client_auth client_auth;
    struct web_texts allowed_sans;
    struct tls_choice choice;
    bool http2;                 /* read and without effect: we speak HTTP/1.1 */
    char *headers[WEB_HEADERS]; /* by web_header_name(); NULL: not given or blank */
    struct web_user *users;     /* names are unique */
    size_t user_count;
    int64_t interval_ns; /* of rate_limit; 0: none */
    uint64_t burst;
};

/* Read and check `path`. NULL with one line "file:line:column: key: what is wrong" in `error`; values of the file are
 * not repeated there, as they may be secrets. Files that it names are not opened here. */
struct web_config *web_config_load(const char *path, struct strbuf *error);
/* The same of a text, as if it were the file `path`. */
struct web_config *web_config_parse(struct span text, const char *path, struct strbuf *error);
/* What must fit together; called by the two. False with a line in `error`. */
bool web_config_check(struct web_config *config, struct strbuf *error);
/* NULL is allowed. Secrets are wiped. */
void web_config_free(struct web_config *config);

/* The name of headers[i]. */
const char *web_header_name(size_t i);

/* Add "file:line:column: key: " and what is wrong to `error`. */
void web_config_complain(const struct web_config *config, enum web_key key, struct strbuf *error, const char *format,
                         ...) __attribute__((format(printf, 4, 5)));

#endif
