/*
 * Single values of a web configuration, each by its kind; see web_config_internal.h.
 */
#include "expose/web_config_internal.h"

#include "base/clock.h"
#include "base/number.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum { TEXTS_MAX = 1000, TEXT_MAX_BYTES = 4096, BURST_MAX = 100000 };
#define INTERVAL_MAX_NS (3600 * NS_PER_S)

static bool wrong(struct reading *r, const char *text) {
    strbuf_reset(&r->why);
    strbuf_addstr(&r->why, text);
    return false;
}

bool web_take_text(struct reading *r, const struct yaml_item *item, size_t max, bool lines, char **out) {
    if (item->text.len == 0)
        return true;
    if (lines ? memchr(item->text.ptr, '\0', item->text.len) != NULL : !value_check_text(item->text, max, &r->why))
        return lines ? wrong(r, "must not contain NUL") : false;
    *out = strndup(item->text.ptr, item->text.len);
    return *out || wrong(r, "out of memory");
}

bool web_take_pem(struct reading *r, const struct yaml_item *item, void *field) {
    return web_take_text(r, item, FILE_BYTES_MAX, true, field);
}

/* Relative to the folder of the file. */
bool web_take_path(struct reading *r, const struct yaml_item *item, void *field) {
    char *path = NULL, **out = field;
    if (!web_take_text(r, item, TEXT_MAX_BYTES, false, &path))
        return false;
    const char *slash = strrchr(r->config->file, '/');
    if (!path || path[0] == '/' || !slash) {
        *out = path;
        return true;
    }
    struct strbuf joined;
    strbuf_init(&joined, 2 * TEXT_MAX_BYTES);
    strbuf_addf(&joined, "%.*s%s", (int)(slash + 1 - r->config->file), r->config->file, path);
    free(path);
    *out = strbuf_detach(&joined);
    return *out || wrong(r, "out of memory");
}

bool web_take_bool(struct reading *r, const struct yaml_item *item, void *field) {
    bool yes = span_is(item->text, "true");
    if (!yes && !span_is(item->text, "false"))
        return wrong(r, "must be true or false");
    *(bool *)field = yes;
    return true;
}

bool web_take_interval(struct reading *r, const struct yaml_item *item, void *field) {
    int rc = number_parse_duration(item->text, INTERVAL_MAX_NS, field);
    return rc == 0 || wrong(r, "must be a duration with its unit, such as 1s or 100ms, up to 1h; 0 is no limit");
}

bool web_take_burst(struct reading *r, const struct yaml_item *item, void *field) {
    return number_parse_u64(item->text, BURST_MAX, field) == 0 || wrong(r, "must be a number from 0 to 100000");
}

bool web_take_client_auth(struct reading *r, const struct yaml_item *item, void *field) {
    static const struct {
        const char *name;
        enum web_client_auth value;
    } names[] = {
        {"NoClientCert", WEB_NO_CLIENT_CERT},
        {"RequestClientCert", WEB_REQUEST_CLIENT_CERT},
        {"RequireAnyClientCert", WEB_REQUIRE_ANY_CLIENT_CERT},
        {"VerifyClientCertIfGiven", WEB_VERIFY_CLIENT_CERT_IF_GIVEN},
        {"RequireAndVerifyClientCert", WEB_REQUIRE_AND_VERIFY_CLIENT_CERT},
        {"RequireClientCert", WEB_REQUIRE_ANY_CLIENT_CERT}, /* its older name */
        {"", WEB_NO_CLIENT_CERT},
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (span_is(item->text, names[i].name)) {
            *(enum web_client_auth *)field = names[i].value;
            return true;
        }
    return wrong(r, "must be NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or "
                    "RequireAndVerifyClientCert");
}

/* The row of a name of TLS, or -1. */
static int tls_name(struct reading *r, const struct yaml_item *item, enum tls_name_kind kind) {
    int row = tls_name_find(kind, item->text);
    if (row < 0) {
        strbuf_reset(&r->why);
        strbuf_addstr(&r->why, "must be ");
        tls_name_list(kind, &r->why);
    }
    return row;
}

bool web_take_version(struct reading *r, const struct yaml_item *item, void *field) {
    int row = tls_name(r, item, TLS_NAME_VERSION);
    if (row >= 0)
        *(enum tls_version *)field = (enum tls_version)row;
    return row >= 0;
}

/* --- one of a list --- */

/* Once only: a second time it changes nothing. */
static void choose(unsigned char *rows, unsigned *count, int row) {
    for (unsigned i = 0; i < *count; i++)
        if (rows[i] == row)
            return;
    rows[(*count)++] = (unsigned char)row;
}

bool web_take_cipher(struct reading *r, const struct yaml_item *item, void *field) {
    struct tls_choice *choice = field;
    int row = tls_name(r, item, TLS_NAME_CIPHER);
    if (row >= 0)
        choose(choice->ciphers, &choice->cipher_count, row);
    return row >= 0;
}

bool web_take_curve(struct reading *r, const struct yaml_item *item, void *field) {
    struct tls_choice *choice = field;
    int row = tls_name(r, item, TLS_NAME_CURVE);
    if (row >= 0)
        choose(choice->curves, &choice->curve_count, row);
    return row >= 0;
}

bool web_take_san(struct reading *r, const struct yaml_item *item, void *field) {
    struct web_texts *list = field;
    if (item->text.len == 0)
        return wrong(r, "must not be empty");
    if (list->count == TEXTS_MAX)
        return wrong(r, "has more than 1000 elements");
    char **texts = reallocarray(list->texts, list->count + 1, sizeof *texts);
    if (!texts)
        return wrong(r, "out of memory");
    list->texts = texts;
    texts[list->count] = NULL;
    return web_take_text(r, item, TEXT_MAX_BYTES, false, &texts[list->count]) && ++list->count > 0;
}
