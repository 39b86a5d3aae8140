/*
 * Requests and their answers; see http.h. Long pages are made piece by piece as their reader takes them.
 */
#include "expose/http_internal.h"

#include "expose/api.h"
#include "expose/config_page.h"
#include "expose/gzip.h"
#include "expose/http_guests.h"
#include "expose/negotiate.h"
#include "expose/page_assets.h"
#include "expose/render.h"
#include "expose/sd_page.h"
#include "expose/status_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_BYTES = 16 * 1024,
    TURN_BYTES = 128 * 1024,            /* made in one turn of the loop: gzip may make a hundredth of them */
    PIECE_MAX_BYTES = 64 * 1024 * 1024, /* never reached by honest label values */
    ERROR_BYTES = 4096,
};

/* --- answers --- */

/* Those of the web configuration, which go before ours. */
static bool add_configured_headers(const struct guest *guest, struct MHD_Response *response) {
    const struct http *http = guests_owner(guest_host(guest));
    for (size_t i = 0; i < WEB_HEADERS; i++) {
        const char *name = web_header_name(i), *value = web_config(http->admission.web)->headers[i];
        const char *ours = value ? MHD_get_response_header(response, name) : NULL;
        if (ours)
            MHD_del_response_header(response, name, ours);
        if (value && MHD_add_response_header(response, name, value) != MHD_YES)
            return false;
    }
    return true;
}

/* Send `response`, which is used up, even when NULL. */
static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status, const char *type,
                                     struct MHD_Response *response) {
    struct guest *guest = guest_of(connection);
    if (!response)
        return MHD_NO; /* closes the connection */
    enum MHD_Result result = MHD_NO;
    guest_is_answered(guest);
    if (MHD_add_response_header(response, "Content-Type", type) == MHD_YES &&
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES &&
        MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
        add_configured_headers(guest, response))
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* `text` is a constant. */
static struct MHD_Response *constant_response(const char *text, size_t len) {
    union {
        const char *in;
        void *out;
    } unconst = {.in = text}; /* MHD_RESPMEM_PERSISTENT does not write to it */
    return MHD_create_response_from_buffer(len, unconst.out, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *text_response(const char *text) {
    return constant_response(text, strlen(text));
}

enum MHD_Result http_send_text(struct MHD_Connection *connection, unsigned status, const char *text) {
    return send_response(connection, status, "text/plain; charset=utf-8", text_response(text));
}

enum MHD_Result http_send_copy(struct MHD_Connection *connection, unsigned status, const struct strbuf *text) {
    struct MHD_Response *response = NULL;
    if (!strbuf_failed(text))
        response = MHD_create_response_from_buffer(text->len, text->data, MHD_RESPMEM_MUST_COPY);
    return send_response(connection, status, "text/plain; charset=utf-8", response);
}

/* As http_send_text(), with one header more. */
static enum MHD_Result send_text_with(struct MHD_Connection *connection, unsigned status, const char *text,
                                      const char *header, const char *value) {
    struct MHD_Response *response = text_response(text);
    if (response && MHD_add_response_header(response, header, value) != MHD_YES) {
        MHD_destroy_response(response);
        response = NULL;
    }
    return send_response(connection, status, "text/plain; charset=utf-8", response);
}

/* A page on its way: what makes it, and what was made and not taken yet. */
struct body {
    struct http *http;
    void *page;
    bool (*next)(void *page, struct strbuf *out, size_t enough);
    void (*end)(void *page);
    struct gzip *gzip;  /* NULL: as it is */
    struct strbuf made; /* with gzip: before it */
    bool complete;      /* the same: its end was written */
    struct strbuf pending;
    size_t taken;
};

static bool metrics_next(void *page, struct strbuf *out, size_t enough) {
    return render_next(page, out, enough);
}

static void metrics_end(void *page) {
    render_end(page);
}

static bool status_next(void *page, struct strbuf *out, size_t enough) {
    return status_page_next(page, out, enough);
}

static void status_end(void *page) {
    status_page_end(page);
}

static bool config_next(void *page, struct strbuf *out, size_t enough) {
    return config_page_next(page, out, enough);
}

static void config_end(void *page) {
    config_page_end(page);
}

static bool api_body_next(void *page, struct strbuf *out, size_t enough) {
    return api_next(page, out, enough);
}

static void api_body_end(void *page) {
    api_end(page);
}

/* As a page's next(), through gzip. */
static bool gzip_next(struct body *body) {
    strbuf_reset(&body->made);
    if (body->complete)
        return false;
    body->complete = !body->next(body->page, &body->made, BLOCK_BYTES);
    if (strbuf_failed(&body->made))
        body->pending.failed = true;
    else
        gzip_add(body->gzip, (struct span){body->made.data, body->made.len}, body->complete, &body->pending);
    return true;
}

static ssize_t body_read(void *arg, uint64_t position, char *out, size_t max) {
    struct body *body = arg;
    size_t len = 0, made = 0;

    (void)position;
    body->http->progress++;
    while (len < max && made < TURN_BYTES) {
        if (body->taken == body->pending.len) {
            strbuf_reset(&body->pending);
            body->taken = 0;
            bool more = body->gzip ? gzip_next(body) : body->next(body->page, &body->pending, max - len);
            if (strbuf_failed(&body->pending))
                return MHD_CONTENT_READER_END_WITH_ERROR; /* cut off visibly rather than served in part */
            if (!more)
                break;
            made += body->made.len;
        }
        size_t part = body->pending.len - body->taken;
        if (part > max - len)
            part = max - len;
        memcpy(out + len, body->pending.data + body->taken, part);
        body->taken += part;
        len += part;
    }
    return len > 0 ? (ssize_t)len : MHD_CONTENT_READER_END_OF_STREAM;
}

static void body_free(void *arg) {
    struct body *body = arg;

    body->end(body->page);
    gzip_free(body->gzip);
    strbuf_release(&body->made);
    strbuf_release(&body->pending);
    free(body);
}

/* A field of the request into `out`, joined by commas where it was sent several times. */
struct field {
    const char *name;
    struct strbuf *out;
};

static enum MHD_Result add_field(void *arg, enum MHD_ValueKind kind, const char *name, const char *value) {
    const struct field *field = arg;
    (void)kind;
    if (strcasecmp(name, field->name) == 0 && value)
        strbuf_addf(field->out, "%s%s", field->out->len ? "," : "", value);
    return MHD_YES;
}

static void read_field(const struct request *request, const char *name, struct strbuf *out) {
    strbuf_init(out, HTTP_CONNECTION_MEMORY);
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, add_field, &(struct field){name, out});
}

static bool wants_gzip(const struct request *request) {
    struct strbuf field;
    read_field(request, "Accept-Encoding", &field);
    bool gzip = negotiate_gzip(strbuf_text(&field));
    strbuf_release(&field);
    return gzip;
}

enum metric_format http_wanted_format(const struct request *request) {
    struct strbuf field;
    read_field(request, "Accept", &field);
    enum metric_format format = negotiate_format(strbuf_text(&field));
    strbuf_release(&field);
    return format;
}

/* Takes over `page`, also on failure. */
static struct MHD_Response *page_response(const struct request *request, void *page,
                                          bool (*next)(void *, struct strbuf *, size_t), void (*end)(void *)) {
    struct body *body = page ? calloc(1, sizeof *body) : NULL;

    if (!body) {
        end(page);
        return NULL;
    }
    *body = (struct body){.http = request->http, .page = page, .next = next, .end = end};
    strbuf_init(&body->pending, PIECE_MAX_BYTES);
    strbuf_init(&body->made, PIECE_MAX_BYTES);
    if (wants_gzip(request))
        body->gzip = gzip_new();
    bool gzip = body->gzip;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, body_read, body, body_free);
    if (!response)
        body_free(body);
    else if (MHD_add_response_header(response, "Vary", "Accept, Accept-Encoding") != MHD_YES ||
             (gzip && MHD_add_response_header(response, "Content-Encoding", "gzip") != MHD_YES)) {
        MHD_destroy_response(response);
        response = NULL;
    } else if (request->head) /* with chunks, libmicrohttpd 0.9.75 would send the last one: a body, to the client */
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
}

/* All targets as they are now; to be free()d. */
static struct target **list_targets(const struct fleet *fleet, size_t *count) {
    *count = fleet_count(fleet);
    struct target **targets = calloc(*count + 1, sizeof(struct target *));

    for (size_t i = 0; targets && i < *count; i++)
        targets[i] = fleet_target(fleet, i);
    return targets;
}

/* --- pages --- */

enum MHD_Result http_send_metrics(const struct request *request, void *page, enum metric_format format) {
    return send_response(request->connection, MHD_HTTP_OK, metric_format_type(format),
                         page_response(request, page, metrics_next, metrics_end));
}

static enum MHD_Result answer_metrics(const struct request *request) {
    size_t count;
    struct target **targets = list_targets(request->http->fleet, &count);
    enum metric_format format = http_wanted_format(request);
    void *page = targets ? render_begin(targets, count, request->http->state, format) : NULL;

    free(targets);
    return http_send_metrics(request, page, format);
}

static enum MHD_Result add_parameter(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                     const char *value, size_t value_len) {
    struct api_request *api = arg;

    (void)kind;
    api->too_many = api->parameter_count == API_PARAMETERS_MAX;
    if (api->too_many)
        return MHD_NO;
    api->parameters[api->parameter_count++] =
        (struct api_parameter){{name, name_len}, {value ? value : "", value ? value_len : 0}};
    return MHD_YES;
}

/* The parameters live as long as the request. */
static void read_parameters(const struct request *request, struct api_request *out) {
    *out = (struct api_request){.path = request->path, .state = request->http->state};
    MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, add_parameter, out);
}

static enum MHD_Result answer_api(const struct request *request) {
    struct api_request api;
    read_parameters(request, &api);
    struct target **targets = list_targets(request->http->fleet, &api.target_count);

    api.targets = targets;
    struct api_page *page = targets ? api_begin(&api) : NULL;
    free(targets);
    unsigned status = page ? api_status(page) : MHD_HTTP_INTERNAL_SERVER_ERROR;
    return send_response(request->connection, status, "application/json",
                         page_response(request, page, api_body_next, api_body_end));
}

static enum MHD_Result answer_status(const struct request *request) {
    struct api_request asked;
    read_parameters(request, &asked);
    struct target **targets = list_targets(request->http->fleet, &asked.target_count);

    asked.targets = targets;
    struct status_page *page = targets ? status_page_begin(&asked) : NULL;
    free(targets);
    unsigned status = page ? status_page_status(page) : MHD_HTTP_INTERNAL_SERVER_ERROR;
    struct MHD_Response *response = page_response(request, page, status_next, status_end);
    if (response && (MHD_add_response_header(response, "Content-Security-Policy", STATUS_SECURITY_POLICY) != MHD_YES ||
                     MHD_add_response_header(response, "Referrer-Policy", "same-origin") != MHD_YES)) {
        MHD_destroy_response(response);
        response = NULL;
    }
    return send_response(request->connection, status, "text/html; charset=utf-8", response);
}

static enum MHD_Result answer_asset(const struct request *request) {
    const struct page_asset *asset = page_asset_find(request->path);
    return send_response(request->connection, MHD_HTTP_OK, asset->type,
                         constant_response(asset->begin, (size_t)(asset->end - asset->begin)));
}

static bool sd_body_next(void *page, struct strbuf *out, size_t enough) {
    return sd_page_next(page, out, enough);
}

static void sd_body_end(void *page) {
    sd_page_end(page);
}

static enum MHD_Result answer_sd(const struct request *request) {
    size_t count;
    struct target **targets = list_targets(request->http->fleet, &count);
    void *page = targets ? sd_page_begin(targets, count) : NULL;

    free(targets);
    return send_response(request->connection, MHD_HTTP_OK, "application/json",
                         page_response(request, page, sd_body_next, sd_body_end));
}

static enum MHD_Result answer_healthy(const struct request *request) {
    return http_send_text(request->connection, MHD_HTTP_OK, "mysqlconn_exporter is healthy.\n");
}

static enum MHD_Result answer_ready(const struct request *request) {
    if (fleet_all_tried(request->http->fleet))
        return http_send_text(request->connection, MHD_HTTP_OK, "mysqlconn_exporter is ready.\n");
    return http_send_text(request->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                          "Not every target was polled and probed yet.\n");
}

static enum MHD_Result answer_not_found(const struct request *request) {
    return http_send_text(request->connection, MHD_HTTP_NOT_FOUND,
                          "There is no such page; / lists those that there are.\n");
}

static enum MHD_Result answer_look(const struct request *request) {
    struct looker *looker = request->http->looker;
    return looker ? http_look_begin(request, looker) : answer_not_found(request);
}

static enum MHD_Result answer_config(const struct request *request) {
    const struct http_settings *settings = &request->http->settings;
    size_t count;
    struct target **targets = list_targets(request->http->fleet, &count);
    void *page = targets ? config_page_begin(settings->config(settings->arg), targets, count) : NULL;

    free(targets);
    return send_response(request->connection, MHD_HTTP_OK, "text/plain; charset=utf-8",
                         page_response(request, page, config_next, config_end));
}

/* What may be done to a path. */
enum methods { READ, ACT, METHODS };
static const char *const method_names[METHODS][2] = {[READ] = {"GET", "HEAD"}, [ACT] = {"POST", "PUT"}};
static const char *const allowed[METHODS] = {[READ] = "GET, HEAD", [ACT] = "POST, PUT"};

struct route {
    const char *path;
    enum MHD_Result (*answer)(const struct request *request);
    enum methods methods;
};

/* Besides the metrics, whose path is a setting. */
static const struct route metrics_route = {NULL, answer_metrics, READ};
static const struct route api_route = {NULL, answer_api, READ};
static const struct route asset_route = {NULL, answer_asset, READ};
static const struct route routes[] = {
    {STATUS_PATH, answer_status, READ},        //
    {STATUS_TARGET_PATH, answer_status, READ}, //
    {"/probe", answer_look, READ},             //
    {"/sd", answer_sd, READ},                  //
    {"/config", answer_config, READ},          //
    {"/-/healthy", answer_healthy, READ},      //
    {"/-/ready", answer_ready, READ},          //
    {"/-/reload", http_answer_reload, ACT},
};

static const struct route *find_route(const struct http *http, const char *path) {
    if (strcmp(path, http->state->telemetry_path) == 0)
        return &metrics_route;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(path, routes[i].path) == 0)
            return &routes[i];
    if (api_has(path))
        return &api_route;
    return page_asset_find(path) ? &asset_route : NULL;
}

/* The path of what is asked for, which may be a whole URL (RFC 9112, 3.2.2). */
static const char *path_of(const char *asked) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strncasecmp(asked, schemes[i], strlen(schemes[i])) == 0) {
            const char *path = strchr(asked + strlen(schemes[i]), '/');
            return path ? path : "/";
        }
    return asked;
}

/* NULL where the path is outside of the prefix. */
static const char *without_prefix(const struct http *http, const char *path) {
    size_t len = strlen(http->settings.route_prefix);
    return strncmp(path, http->settings.route_prefix, len) == 0 && path[len] == '/' ? path + len : NULL;
}

static enum MHD_Result answer_outside(const struct request *request, const char *path) {
    char location[ERROR_BYTES];
    if (strcmp(path, "/") != 0 && strcmp(path, request->http->settings.route_prefix) != 0)
        return http_send_text(request->connection, MHD_HTTP_NOT_FOUND, "There is no such page.\n");
    snprintf(location, sizeof location, "%s/", request->http->state->link_prefix);
    return send_text_with(request->connection, MHD_HTTP_FOUND, "It is elsewhere.\n", "Location", location);
}

static enum MHD_Result answer_path(const struct request *request, const char *path, const char *method) {
    if (!request->path)
        return answer_outside(request, path);
    const struct route *route = find_route(request->http, request->path);
    if (!route)
        return answer_not_found(request);
    for (int i = 0; i < 2; i++)
        if (strcmp(method, method_names[route->methods][i]) == 0)
            return route->answer(request);
    return send_text_with(request->connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                          route->methods == READ ? "Only GET and HEAD are allowed here.\n"
                                                 : "Only POST and PUT are allowed here.\n",
                          "Allow", allowed[route->methods]);
}

static bool has_body(struct MHD_Connection *connection) {
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

    return (length && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
}

/* Whoever is not admitted. */
static enum MHD_Result turn_away(struct MHD_Connection *connection, enum admitted why) {
    if (why == NOT_ADMITTED_UNAUTHORIZED)
        return send_text_with(connection, MHD_HTTP_UNAUTHORIZED, "Unauthorized\n", "WWW-Authenticate",
                              "Basic realm=\"mysqlconn_exporter\", charset=\"UTF-8\"");
    if (why == NOT_ADMITTED_LIMITED)
        return http_send_text(connection, MHD_HTTP_TOO_MANY_REQUESTS, "Too Many Requests\n");
    return send_text_with(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "Too many passwords wait to be checked.\n",
                          "Retry-After", "5");
}

size_t http_unescape(void *arg, struct MHD_Connection *connection, char *text) {
    (void)arg;
    (void)connection;
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

/* Called when a request's headers are in, when the request is complete, and again after it was suspended. */
enum MHD_Result http_on_request(void *arg, struct MHD_Connection *connection, const char *asked, const char *method,
                                const char *version, const char *upload, size_t *upload_size, void **mark) {
    struct http *http = arg;
    struct guest *guest = guest_of(connection);

    (void)version;
    (void)upload;
    http->progress++;
    if (!guest)
        return MHD_NO;
    if (!*mark) {
        guest_asks(guest);
        *mark = exchange_begin(&http->admission, connection);
        if (!*mark)
            return MHD_NO;
        if (has_body(connection))
            return http_send_text(connection, MHD_HTTP_CONTENT_TOO_LARGE, "No request here takes a body.\n");
        return MHD_YES;
    }
    *upload_size = 0;
    enum admitted admitted = exchange_admit(*mark);
    if (admitted == ADMITTED_LATER)
        return MHD_YES;
    if (admitted != ADMITTED)
        return turn_away(connection, admitted);
    const char *path = path_of(asked);
    void **place = exchange_kept(*mark);
    struct kept *kept = *place;
    struct request request = {http, connection, without_prefix(http, path), place, strcmp(method, "HEAD") == 0};
    return kept ? kept->answer(&request, kept) : answer_path(&request, path, method);
}

void http_on_completed(void *arg, struct MHD_Connection *connection, void **mark, enum MHD_RequestTerminationCode how) {
    struct http *http = arg;
    struct guest *guest = guest_of(connection);

    (void)how;
    http->progress++;
    struct kept *kept = *mark ? *exchange_kept(*mark) : NULL;
    if (kept)
        kept->free(kept);
    exchange_end(*mark);
    *mark = NULL;
    if (guest)
        guest_is_served(guest);
}
