/*
 * YAML items to struct web_config by a table of keys; see web_config.h.
 */
#include "expose/web_config_internal.h"

#include "base/number.h"
#include "config/value.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 256
#define WHY_BYTES 1024
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum { USERS_MAX = 1000, NAME_MAX_BYTES = 256, HEADER_MAX_BYTES = 4096 };

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
    [WEB_CERT] = ROW("cert", SECTION_TLS, false, web_take_pem, cert),
    [WEB_KEY] = ROW("key", SECTION_TLS, false, web_take_pem, key),
    [WEB_CLIENT_CA] = ROW("client_ca", SECTION_TLS, false, web_take_pem, client_ca),
    [WEB_CERT_FILE] = ROW("cert_file", SECTION_TLS, false, web_take_path, cert_file),
    [WEB_KEY_FILE] = ROW("key_file", SECTION_TLS, false, web_take_path, key_file),
    [WEB_CLIENT_CA_FILE] = ROW("client_ca_file", SECTION_TLS, false, web_take_path, client_ca_file),
    [WEB_CLIENT_AUTH_TYPE] = ROW("client_auth_type", SECTION_TLS, false, web_take_client_auth, client_auth),
    [WEB_CLIENT_ALLOWED_SANS] = ROW("client_allowed_sans", SECTION_TLS, true, web_take_san, allowed_sans),
    [WEB_MIN_VERSION] = ROW("min_version", SECTION_TLS, false, web_take_version, choice.min),
    [WEB_MAX_VERSION] = ROW("max_version", SECTION_TLS, false, web_take_version, choice.max),
    [WEB_CIPHER_SUITES] = ROW("cipher_suites", SECTION_TLS, true, web_take_cipher, choice),
    [WEB_PREFER_SERVER_CIPHER_SUITES] =
        ROW("prefer_server_cipher_suites", SECTION_TLS, false, web_take_bool, choice.prefer_server),
    [WEB_CURVE_PREFERENCES] = ROW("curve_preferences", SECTION_TLS, true, web_take_curve, choice),
    [WEB_HTTP2] = ROW("http2", SECTION_HTTP, false, web_take_bool, http2),
    [WEB_RATE_INTERVAL] = ROW("interval", SECTION_RATE, false, web_take_interval, interval_ns),
    [WEB_RATE_BURST] = ROW("burst", SECTION_RATE, false, web_take_burst, burst),
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
    if (!web_take_text(r, &item, HEADER_MAX_BYTES, false, &r->config->headers[i]))
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
