/*
 * YAML items to struct web_config by a table of keys; see web_config.h.
 */
#include "expose/web_config.h"

#include "base/clock.h"
#include "base/number.h"
#include "config/file.h"
#include "config/value.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define PATH_BYTES 256
#define WHY_BYTES 1024
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum {
    TEXTS_MAX = 1000,
    USERS_MAX = 1000,
    NAME_MAX_BYTES = 256,
    HEADER_MAX_BYTES = 4096,
    TEXT_MAX_BYTES = 4096,
    BURST_MAX = 100000
};
#define INTERVAL_MAX_NS (3600 * NS_PER_S)

/* Where the reading is. */
struct reading {
    struct web_config *config;
    struct yaml_reader *reader;
    struct strbuf path; /* of the present value */
    struct strbuf why;
    struct strbuf *error;
};

/* --- reports --- */

static bool fail_at(struct reading *r, struct mark mark, const char *text) {
    strbuf_addstr(r->error, r->config->file);
    if (mark.line > 0)
        strbuf_addf(r->error, ":%u:%u", mark.line, mark.column);
    strbuf_addf(r->error, ": %s%s%s", strbuf_text(&r->path), r->path.len > 0 ? ": " : "", text);
    return false;
}

/* What is in `why`. */
static bool fail_why(struct reading *r, struct mark mark) {
    return fail_at(r, mark, strbuf_text(&r->why));
}

static bool next(struct reading *r, struct yaml_item *item) {
    strbuf_reset(&r->why);
    return yaml_reader_next(r->reader, item, &r->why) || fail_why(r, item->mark);
}

static size_t enter(struct reading *r, const char *key) {
    size_t before = r->path.len;
    strbuf_addf(&r->path, "%s%s", before > 0 ? "." : "", key);
    return before;
}

static void leave(struct reading *r, size_t before) {
    strbuf_truncate(&r->path, before);
}

static bool is_null(const struct yaml_item *item) {
    return item->kind == YAML_SCALAR && value_is_null(item->text, item->quoted);
}

static bool expect(struct reading *r, const struct yaml_item *item, enum yaml_kind kind) {
    if (item->kind == kind)
        return true;
    return fail_at(r, item->mark,
                   kind == YAML_MAP    ? "must be a map (key: value)"
                   : kind == YAML_LIST ? "must be a list (- ...)"
                                       : "must be a single value, neither a map nor a list");
}

/* --- single values: false with what is wrong in r->why --- */

static bool wrong(struct reading *r, const char *text) {
    strbuf_reset(&r->why);
    strbuf_addstr(&r->why, text);
    return false;
}

/* An empty text is one that is not given. Lines are for PEM only. */
static bool take_text(struct reading *r, const struct yaml_item *item, size_t max, bool lines, char **out) {
    if (item->text.len == 0)
        return true;
    if (lines ? memchr(item->text.ptr, '\0', item->text.len) != NULL : !value_check_text(item->text, max, &r->why))
        return lines ? wrong(r, "must not contain NUL") : false;
    *out = strndup(item->text.ptr, item->text.len);
    return *out || wrong(r, "out of memory");
}

static bool take_pem(struct reading *r, const struct yaml_item *item, void *field) {
    return take_text(r, item, FILE_BYTES_MAX, true, field);
}

/* Relative to the folder of the file. */
static bool take_path(struct reading *r, const struct yaml_item *item, void *field) {
    char *path = NULL, **out = field;
    if (!take_text(r, item, TEXT_MAX_BYTES, false, &path))
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

static bool take_bool(struct reading *r, const struct yaml_item *item, void *field) {
    bool yes = span_is(item->text, "true");
    if (!yes && !span_is(item->text, "false"))
        return wrong(r, "must be true or false");
    *(bool *)field = yes;
    return true;
}

static bool take_interval(struct reading *r, const struct yaml_item *item, void *field) {
    int rc = number_parse_duration(item->text, INTERVAL_MAX_NS, field);
    return rc == 0 || wrong(r, "must be a duration with its unit, such as 1s or 100ms, up to 1h; 0 is no limit");
}

static bool take_burst(struct reading *r, const struct yaml_item *item, void *field) {
    return number_parse_u64(item->text, BURST_MAX, field) == 0 || wrong(r, "must be a number from 0 to 100000");
}

static bool take_client_auth(struct reading *r, const struct yaml_item *item, void *field) {
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

static bool take_version(struct reading *r, const struct yaml_item *item, void *field) {
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

static bool take_cipher(struct reading *r, const struct yaml_item *item, void *field) {
    struct tls_choice *choice = field;
    int row = tls_name(r, item, TLS_NAME_CIPHER);
    if (row >= 0)
        choose(choice->ciphers, &choice->cipher_count, row);
    return row >= 0;
}

static bool take_curve(struct reading *r, const struct yaml_item *item, void *field) {
    struct tls_choice *choice = field;
    int row = tls_name(r, item, TLS_NAME_CURVE);
    if (row >= 0)
        choose(choice->curves, &choice->curve_count, row);
    return row >= 0;
}

static bool take_san(struct reading *r, const struct yaml_item *item, void *field) {
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
    return take_text(r, item, TEXT_MAX_BYTES, false, &texts[list->count]) && ++list->count > 0;
}

/* --- the table --- */

enum section { SECTION_TLS, SECTION_HTTP, SECTION_RATE };

static const struct key_row {
    const char *name;
    enum section section;
    bool list;
    bool (*take)(struct reading *r, const struct yaml_item *item, void *field);
    size_t offset;
} keys[WEB_KEYS] = {
#define ROW(name, section, list, take, field)                                                                          \
    { name, section, list, take, offsetof(struct web_config, field) }
    [WEB_CERT] = ROW("cert", SECTION_TLS, false, take_pem, cert),
    [WEB_KEY] = ROW("key", SECTION_TLS, false, take_pem, key),
    [WEB_CLIENT_CA] = ROW("client_ca", SECTION_TLS, false, take_pem, client_ca),
    [WEB_CERT_FILE] = ROW("cert_file", SECTION_TLS, false, take_path, cert_file),
    [WEB_KEY_FILE] = ROW("key_file", SECTION_TLS, false, take_path, key_file),
    [WEB_CLIENT_CA_FILE] = ROW("client_ca_file", SECTION_TLS, false, take_path, client_ca_file),
    [WEB_CLIENT_AUTH_TYPE] = ROW("client_auth_type", SECTION_TLS, false, take_client_auth, client_auth),
    [WEB_CLIENT_ALLOWED_SANS] = ROW("client_allowed_sans", SECTION_TLS, true, take_san, allowed_sans),
    [WEB_MIN_VERSION] = ROW("min_version", SECTION_TLS, false, take_version, choice.min),
    [WEB_MAX_VERSION] = ROW("max_version", SECTION_TLS, false, take_version, choice.max),
    [WEB_CIPHER_SUITES] = ROW("cipher_suites", SECTION_TLS, true, take_cipher, choice),
    [WEB_PREFER_SERVER_CIPHER_SUITES] =
        ROW("prefer_server_cipher_suites", SECTION_TLS, false, take_bool, choice.prefer_server),
    [WEB_CURVE_PREFERENCES] = ROW("curve_preferences", SECTION_TLS, true, take_curve, choice),
    [WEB_HTTP2] = ROW("http2", SECTION_HTTP, false, take_bool, http2),
    [WEB_RATE_INTERVAL] = ROW("interval", SECTION_RATE, false, take_interval, interval_ns),
    [WEB_RATE_BURST] = ROW("burst", SECTION_RATE, false, take_burst, burst),
#undef ROW
};

static const char *const section_names[] = {"tls_server_config", "http_server_config", "rate_limit"};

static const struct {
    const char *name;
    const char *const *values; /* NULL: any */
} headers[WEB_HEADERS] = {
    {"Content-Security-Policy", NULL},
    {"X-Frame-Options", (const char *const[]){"deny", "sameorigin", NULL}},
    {"X-Content-Type-Options", (const char *const[]){"nosniff", NULL}},
    {"X-XSS-Protection", NULL},
    {"Strict-Transport-Security", NULL},
};

const char *web_header_name(size_t i) {
    return headers[i].name;
}

void web_config_complain(const struct web_config *config, enum web_key key, struct strbuf *error, const char *format,
                         ...) {
    va_list ap;
    struct mark mark = config->marks[key].line > 0 ? config->marks[key] : config->tls_mark;
    strbuf_addstr(error, config->file);
    if (mark.line > 0)
        strbuf_addf(error, ":%u:%u", mark.line, mark.column);
    strbuf_addf(error, ": %s.%s: ", section_names[keys[key].section], keys[key].name);
    va_start(ap, format);
    strbuf_addvf(error, format, ap);
    va_end(ap);
}

/* --- maps --- */

/* The next key of a map into `key`; false at its end or after a report, which sets *ok. */
static bool next_key(struct reading *r, struct yaml_item *key, bool *ok) {
    *ok = next(r, key);
    if (!*ok || key->kind == YAML_MAP_END)
        return false;
    *ok = expect(r, key, YAML_SCALAR);
    return *ok;
}

static bool load_value(struct reading *r, const struct key_row *row) {
    struct yaml_item item;
    void *field = (char *)r->config + row->offset;
    if (!next(r, &item))
        return false;
    if (is_null(&item))
        return true; /* as if it were not there */
    r->config->marks[row - keys] = item.mark;
    if (!row->list)
        return expect(r, &item, YAML_SCALAR) && (row->take(r, &item, field) || fail_why(r, item.mark));
    if (!expect(r, &item, YAML_LIST))
        return false;
    for (;;) {
        if (!next(r, &item))
            return false;
        if (item.kind == YAML_LIST_END)
            return true;
        if (!expect(r, &item, YAML_SCALAR) || !(row->take(r, &item, field) || fail_why(r, item.mark)))
            return false;
    }
}

static bool load_header(struct reading *r, size_t i, bool *seen) {
    struct yaml_item item;
    struct mark mark;
    if (!next(r, &item))
        return false;
    mark = item.mark;
    if (seen[i])
        return fail_at(r, mark, "is given twice");
    seen[i] = true;
    if (is_null(&item))
        return true;
    if (!expect(r, &item, YAML_SCALAR))
        return false;
    if (!take_text(r, &item, HEADER_MAX_BYTES, false, &r->config->headers[i]))
        return fail_why(r, mark);
    if (!headers[i].values || !r->config->headers[i])
        return true;
    for (const char *const *value = headers[i].values; *value; value++)
        if (strcmp(*value, r->config->headers[i]) == 0)
            return true;
    return fail_at(r, mark, headers[i].values[1] ? "must be deny or sameorigin" : "must be nosniff");
}

static bool load_headers(struct reading *r) {
    struct yaml_item key;
    bool seen[WEB_HEADERS] = {false}, ok;
    while (next_key(r, &key, &ok)) {
        size_t i = 0;
        while (i < WEB_HEADERS && !span_is(key.text, headers[i].name))
            i++;
        if (i == WEB_HEADERS)
            return fail_at(r, key.mark,
                           "only Content-Security-Policy, X-Frame-Options, X-Content-Type-Options, "
                           "X-XSS-Protection and Strict-Transport-Security can be set here");
        size_t before = enter(r, headers[i].name);
        if (!load_header(r, i, seen))
            return false;
        leave(r, before);
    }
    return ok;
}

/* Go into the map that a key stands for; none is an empty one. False after a report. */
static bool into_map(struct reading *r, bool (*load)(struct reading *r)) {
    struct yaml_item item;
    if (!next(r, &item))
        return false;
    if (is_null(&item))
        return true;
    return expect(r, &item, YAML_MAP) && load(r);
}

static bool unknown_key(struct reading *r, struct mark mark, enum section section) {
    const char *before = "";
    strbuf_reset(&r->why);
    strbuf_addstr(&r->why, "unknown key; there are ");
    for (size_t i = 0; i < WEB_KEYS; i++)
        if (keys[i].section == section) {
            strbuf_addf(&r->why, "%s%s", before, keys[i].name);
            before = ", ";
        }
    if (section == SECTION_HTTP)
        strbuf_addstr(&r->why, ", headers");
    return fail_why(r, mark);
}

static bool load_section(struct reading *r, enum section section) {
    struct yaml_item key;
    bool ok, headers_seen = false;
    while (next_key(r, &key, &ok)) {
        const struct key_row *row = keys;
        bool is_headers = section == SECTION_HTTP && span_is(key.text, "headers");
        while (row < keys + WEB_KEYS && !(row->section == section && span_is(key.text, row->name)))
            row++;
        if (row == keys + WEB_KEYS && !is_headers)
            return unknown_key(r, key.mark, section);
        size_t before = enter(r, is_headers ? "headers" : row->name);
        if (is_headers ? headers_seen : r->config->marks[row - keys].line > 0)
            return fail_at(r, key.mark, "is given twice");
        headers_seen |= is_headers;
        if (!(is_headers ? into_map(r, load_headers) : load_value(r, row)))
            return false;
        leave(r, before);
    }
    return ok;
}

static bool load_tls(struct reading *r) {
    return load_section(r, SECTION_TLS);
}

static bool load_http(struct reading *r) {
    return load_section(r, SECTION_HTTP);
}

static bool load_rate(struct reading *r) {
    return load_section(r, SECTION_RATE);
}

/* --- users --- */

/* What is wrong with a hash, NULL if nothing is. */
static const char *check_hash(struct span hash) {
    enum { PREFIX = 4, SALT_AND_HASH = 53 }; /* "$2y$10$" and these */
    static const char set[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint64_t cost;
    if (memchr(hash.ptr, '\0', hash.len) || hash.len != PREFIX + 3 + SALT_AND_HASH || memcmp(hash.ptr, "$2", 2) != 0 ||
        !strchr("aby", hash.ptr[2]) || hash.ptr[3] != '$' || hash.ptr[PREFIX + 2] != '$' ||
        number_parse_u64((struct span){hash.ptr + PREFIX, 2}, 99, &cost) < 0)
        return "must be a bcrypt hash, as `htpasswd -nBC 10 \"\"` makes it: $2y$10$ and 53 characters";
    for (size_t i = PREFIX + 3; i < hash.len; i++)
        if (!memchr(set, hash.ptr[i], sizeof set - 1))
            return "has a character that no bcrypt hash has";
    if (cost < 4)
        return "this bcrypt hash has a cost below 4, which there is not";
    if (cost > WEB_COST_MAX)
        return "this bcrypt hash has a cost above 15: checking one password would take more than 2 s of CPU";
    return NULL;
}

static bool add_user(struct reading *r, const struct yaml_item *key) {
    struct web_config *config = r->config;
    if (key->text.len == 0 || key->text.len > NAME_MAX_BYTES || memchr(key->text.ptr, ':', key->text.len) ||
        memchr(key->text.ptr, '\0', key->text.len))
        return fail_at(r, key->mark, "a user's name has 1 to 256 bytes and no ':'");
    for (size_t i = 0; i < config->user_count; i++)
        if (span_is(key->text, config->users[i].name))
            return fail_at(r, key->mark, "this user is given twice");
    if (config->user_count == USERS_MAX)
        return fail_at(r, key->mark, "there are more than 1000 users");
    struct web_user *users = reallocarray(config->users, config->user_count + 1, sizeof *users);
    if (!users)
        return fail_at(r, key->mark, "out of memory");
    config->users = users;
    users[config->user_count] = (struct web_user){.name = strndup(key->text.ptr, key->text.len)};
    return users[config->user_count++].name || fail_at(r, key->mark, "out of memory");
}

static bool load_users(struct reading *r) {
    struct yaml_item item;
    bool ok;
    while (next_key(r, &item, &ok)) {
        if (!add_user(r, &item) || !next(r, &item) || !expect(r, &item, YAML_SCALAR))
            return false;
        const char *why = check_hash(item.text);
        if (why)
            return fail_at(r, item.mark, why);
        struct web_user *user = &r->config->users[r->config->user_count - 1];
        user->hash = strndup(item.text.ptr, item.text.len);
        if (!user->hash)
            return fail_at(r, item.mark, "out of memory");
    }
    return ok;
}

/* --- the whole --- */

static const struct {
    const char *name;
    bool (*load)(struct reading *r);
} tops[] = {
    {"tls_server_config", load_tls},
    {"http_server_config", load_http},
    {"rate_limit", load_rate},
    {"basic_auth_users", load_users},
};

static bool load_document(struct reading *r) {
    struct yaml_item item;
    bool seen[COUNT_OF(tops)] = {false}, ok;
    if (!next(r, &item))
        return false;
    if (item.kind == YAML_END || is_null(&item))
        return true;
    if (!expect(r, &item, YAML_MAP))
        return false;
    while (next_key(r, &item, &ok)) {
        size_t i = 0;
        while (i < COUNT_OF(tops) && !span_is(item.text, tops[i].name))
            i++;
        if (i == COUNT_OF(tops))
            return fail_at(r, item.mark,
                           "unknown key; there are tls_server_config, http_server_config, rate_limit and "
                           "basic_auth_users");
        size_t before = enter(r, tops[i].name);
        if (seen[i])
            return fail_at(r, item.mark, "is given twice");
        seen[i] = true;
        if (tops[i].load == load_tls)
            r->config->tls_mark = item.mark;
        if (!into_map(r, tops[i].load))
            return false;
        leave(r, before);
    }
    return ok && next(r, &item); /* nothing may follow */
}

struct web_config *web_config_parse(struct span text, const char *path, struct strbuf *error) {
    struct reading r = {.config = calloc(1, sizeof *r.config), .reader = yaml_reader_new(text), .error = error};
    bool ok = false;
    strbuf_init(&r.path, PATH_BYTES);
    strbuf_init(&r.why, WHY_BYTES);
    if (r.config) {
        r.config->choice = (struct tls_choice){.min = TLS_VERSION_12, .max = TLS_VERSION_13, .prefer_server = true};
        r.config->http2 = true;
        r.config->file = strdup(path);
    }
    if (!r.config || !r.config->file || !r.reader)
        strbuf_addf(error, "%s: out of memory", path);
    else
        ok = load_document(&r) && web_config_check(r.config, error);
    yaml_reader_free(r.reader);
    strbuf_release(&r.path);
    strbuf_release(&r.why);
    if (ok)
        return r.config;
    web_config_free(r.config);
    return NULL;
}
