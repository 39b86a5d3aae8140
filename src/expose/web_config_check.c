/*
 * What must fit together in a web configuration, and its life; see web_config.h.
 */
#include "config/file.h"
#include "config/value.h"
#include "expose/web_config.h"

#include <stdlib.h>

#define FILE_BYTES_MAX ((size_t)1 << 20)

struct web_config *web_config_load(const char *path, struct strbuf *error) {
    struct file_content content = {0};
    struct web_config *config = NULL;
    size_t before = error->len;
    strbuf_addf(error, "%s: ", path);
    if (file_read(path, FILE_BYTES_MAX, &content, error)) {
        strbuf_truncate(error, before);
        config = web_config_parse((struct span){content.data, content.len}, path, error);
        file_release(&content);
    }
    return config;
}

/* Exactly one of a text and a file, or, where it is optional, none. */
static bool check_pair(const struct web_config *config, enum web_key key, const char *text, const char *file,
                       bool optional, struct strbuf *error) {
    if (text && file)
        web_config_complain(config, key, error, "is given both in this file and as a file of its own");
    else if (!text && !file && !optional)
        web_config_complain(config, key, error, "is missing, where TLS is wanted");
    else
        return true;
    return false;
}

/* A list of names that lets in who has no certificate, or nobody, or (as an empty list may be read) everybody, is not
 * what somebody wants who writes one. */
static bool check_sans(const struct web_config *config, struct strbuf *error) {
    bool required =
        config->client_auth == WEB_REQUIRE_ANY_CLIENT_CERT || config->client_auth == WEB_REQUIRE_AND_VERIFY_CLIENT_CERT;
    if (config->marks[WEB_CLIENT_ALLOWED_SANS].line == 0)
        return true;
    if (config->allowed_sans.count == 0)
        web_config_complain(config, WEB_CLIENT_ALLOWED_SANS, error, "names nobody");
    else if (!required)
        web_config_complain(config, WEB_CLIENT_ALLOWED_SANS, error,
                            "needs a client_auth_type that requires a certificate: RequireAndVerifyClientCert or "
                            "RequireAnyClientCert");
    else
        return true;
    return false;
}

static bool check_tls(struct web_config *config, struct strbuf *error) {
    bool ca = config->client_ca || config->client_ca_file;
    if (!check_pair(config, WEB_CERT_FILE, config->cert, config->cert_file, false, error) ||
        !check_pair(config, WEB_KEY_FILE, config->key, config->key_file, false, error) ||
        !check_pair(config, WEB_CLIENT_CA_FILE, config->client_ca, config->client_ca_file, true, error))
        return false;
    if (config->client_auth == WEB_NO_CLIENT_CERT && ca) {
        web_config_complain(config, config->client_ca ? WEB_CLIENT_CA : WEB_CLIENT_CA_FILE, error,
                            "has no effect without a client_auth_type that asks for certificates");
        return false;
    }
    if (!check_sans(config, error))
        return false;
    if (config->choice.min > config->choice.max) {
        web_config_complain(config, WEB_MIN_VERSION, error, "is above max_version");
        return false;
    }
    return true;
}

/* Whether anything of tls_server_config says something; empty texts do not. */
static bool wants_tls(const struct web_config *config) {
    for (enum web_key key = WEB_CLIENT_ALLOWED_SANS; key <= WEB_CURVE_PREFERENCES; key++)
        if (config->marks[key].line > 0)
            return true;
    return config->cert || config->key || config->client_ca || config->cert_file || config->key_file ||
           config->client_ca_file || config->client_auth != WEB_NO_CLIENT_CERT;
}

bool web_config_check(struct web_config *config, struct strbuf *error) {
    config->tls = wants_tls(config);
    if (config->tls && !check_tls(config, error))
        return false;
    if (config->interval_ns > 0 && config->burst == 0) {
        web_config_complain(config, config->marks[WEB_RATE_BURST].line > 0 ? WEB_RATE_BURST : WEB_RATE_INTERVAL, error,
                            "with an interval a burst of at least 1 is needed, or no request would ever be answered");
        return false;
    }
    return true;
}

void web_config_free(struct web_config *config) {
    if (!config)
        return;
    for (size_t i = 0; i < config->user_count; i++) {
        free(config->users[i].name);
        secret_free(config->users[i].hash);
    }
    free(config->users);
    for (size_t i = 0; i < config->allowed_sans.count; i++)
        free(config->allowed_sans.texts[i]);
    free(config->allowed_sans.texts);
    for (size_t i = 0; i < WEB_HEADERS; i++)
        free(config->headers[i]);
    free(config->cert);
    secret_free(config->key);
    free(config->client_ca);
    free(config->cert_file);
    free(config->key_file);
    free(config->client_ca_file);
    free(config->file);
    free(config);
}
