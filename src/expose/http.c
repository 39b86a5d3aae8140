/*
 * HTTP on the program's loop; see http.h. libmicrohttpd runs without a thread of its own: the loop watches its epoll
 * descriptor and keeps its timeouts. Long pages are made piece by piece as their reader takes them.
 */
#include "expose/http_internal.h"

#include "expose/api.h"
#include "expose/gzip.h"
#include "expose/listen.h"
#include "expose/negotiate.h"
#include "expose/render.h"
#include "expose/sd_page.h"
#include "expose/status_page.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What strangers may take of us. A connection that says nothing for IDLE_SECONDS is closed. */
enum {
    CONNECTIONS = 512,
    CONNECTIONS_OF_ONE_ADDRESS = 256,
    CONNECTION_MEMORY = 32 * 1024,
    IDLE_SECONDS = 15,
    BLOCK_BYTES = 16 * 1024,
    PIECE_MAX_BYTES = 64 * 1024 * 1024, /* never reached by honest label values */
};

struct http {
    uv_poll_t poll;
    uv_timer_t timer; /* to the next timeout of a connection */
    uv_idle_t again;  /* active while there is more to do at once */
    unsigned open_handles;
    struct MHD_Daemon *daemon;
    const struct fleet *fleet;
    const struct exporter_state *state;
    struct looker *looker; /* NULL none */
    uint16_t port;
};

/* --- answers --- */

/* Send `response`, which is used up, even when NULL. */
static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status, const char *type,
                                     struct MHD_Response *response) {
    if (!response)
        return MHD_NO; /* closes the connection */
    enum MHD_Result result = MHD_NO;
    if (MHD_add_response_header(response, "Content-Type", type) == MHD_YES &&
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES &&
        MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES)
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* `text` is a constant. */
static struct MHD_Response *text_response(const char *text) {
    union {
        const char *in;
        void *out;
    } unconst = {.in = text}; /* MHD_RESPMEM_PERSISTENT does not write to it */
    return MHD_create_response_from_buffer(strlen(text), unconst.out, MHD_RESPMEM_PERSISTENT);
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

/* A page on its way: what makes it, and what was made and not taken yet. */
struct body {
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
    size_t len = 0;

    (void)position;
    while (len < max) {
        if (body->taken == body->pending.len) {
            strbuf_reset(&body->pending);
            body->taken = 0;
            bool more = body->gzip ? gzip_next(body) : body->next(body->page, &body->pending, max - len);
            if (strbuf_failed(&body->pending))
                return MHD_CONTENT_READER_END_WITH_ERROR; /* cut off visibly rather than served in part */
            if (!more)
                break;
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
    strbuf_init(out, CONNECTION_MEMORY);
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
    *body = (struct body){.page = page, .next = next, .end = end};
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

static enum MHD_Result answer_status(const struct request *request) {
    size_t count;
    struct target **targets = list_targets(request->http->fleet, &count);
    void *page = targets ? status_page_begin(targets, count, request->http->state) : NULL;

    free(targets);
    struct MHD_Response *response = page_response(request, page, status_next, status_end);
    if (response &&
        (MHD_add_response_header(response, "Content-Security-Policy",
                                 "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
                                 "frame-ancestors 'none'") != MHD_YES ||
         MHD_add_response_header(response, "Referrer-Policy", "no-referrer") != MHD_YES)) {
        MHD_destroy_response(response);
        response = NULL;
    }
    return send_response(request->connection, MHD_HTTP_OK, "text/html; charset=utf-8", response);
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

static enum MHD_Result answer_api(const struct request *request, const char *path) {
    struct api_request api = {.path = path, .state = request->http->state};
    struct target **targets = list_targets(request->http->fleet, &api.target_count);

    api.targets = targets;
    MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, add_parameter, &api);
    struct api_page *page = targets ? api_begin(&api) : NULL;
    free(targets);
    unsigned status = page ? api_status(page) : MHD_HTTP_INTERNAL_SERVER_ERROR;
    return send_response(request->connection, status, "application/json",
                         page_response(request, page, api_body_next, api_body_end));
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

/* Besides the metrics, whose path is a setting. */
static const struct {
    const char *path;
    enum MHD_Result (*answer)(const struct request *request);
} routes[] = {
    {"/", answer_status},           {"/probe", answer_look},    {"/sd", answer_sd},
    {"/-/healthy", answer_healthy}, {"/-/ready", answer_ready},
};

static enum MHD_Result answer_path(const struct request *request, const char *path) {
    if (strcmp(path, request->http->state->telemetry_path) == 0)
        return answer_metrics(request);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(path, routes[i].path) == 0)
            return routes[i].answer(request);
    if (api_has(path))
        return answer_api(request, path);
    return answer_not_found(request);
}

static enum MHD_Result answer_method(struct MHD_Connection *connection) {
    struct MHD_Response *response = text_response("Only GET and HEAD are allowed here.\n");

    if (response && MHD_add_response_header(response, "Allow", "GET, HEAD") != MHD_YES) {
        MHD_destroy_response(response);
        response = NULL;
    }
    return send_response(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", response);
}

static bool has_body(struct MHD_Connection *connection) {
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

    return (length && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
}

/* Called when a request's headers are in, and again when the request is complete. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **mark) {
    struct http *http = arg;

    (void)version;
    (void)upload;
    struct request request = {http, connection, mark, strcmp(method, "HEAD") == 0};
    if (!*mark) {
        *mark = http; /* its headers were seen; later perhaps what it waits for */
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
            return answer_method(connection);
        if (has_body(connection))
            return http_send_text(connection, MHD_HTTP_CONTENT_TOO_LARGE, "No request here takes a body.\n");
        return MHD_YES;
    }
    *upload_size = 0;
    return *mark == http ? answer_path(&request, path) : http_look_answer(&request, *mark);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **mark,
                         enum MHD_RequestTerminationCode how) {
    (void)connection;
    (void)how;
    if (*mark && *mark != arg)
        http_look_free(*mark);
    *mark = NULL;
}

/* --- on the loop --- */

static void on_timer(uv_timer_t *timer);
static void on_again(uv_idle_t *again);

/* Let libmicrohttpd do what can be done now, which is at most one block for each connection, and be called again when
 * it wants to. More blocks wait for the loop's next turn: a timer of 0 would fire again within this one. */
static void run(struct http *http) {
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    MHD_run(http->daemon);
    bool any = MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES;
    if (any && timeout_ms == 0)
        uv_idle_start(&http->again, on_again);
    else
        uv_idle_stop(&http->again);
    if (any && timeout_ms > 0)
        uv_timer_start(&http->timer, on_timer, timeout_ms, 0);
    else
        uv_timer_stop(&http->timer);
}

static void on_timer(uv_timer_t *timer) {
    run(timer->data);
}

static void on_again(uv_idle_t *again) {
    run(again->data);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    run(poll->data);
}

static void on_closed(uv_handle_t *handle) {
    struct http *http = handle->data;

    if (--http->open_handles == 0)
        free(http);
}

static struct MHD_Daemon *start_daemon(struct http *http, int fd) {
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, http, //
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,                           //
                            MHD_OPTION_LISTEN_SOCKET, fd,                                              //
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,                        //
                            MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_OF_ONE_ADDRESS,  //
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,             //
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,                     //
                            MHD_OPTION_STRICT_FOR_CLIENT, 1,                                           //
                            MHD_OPTION_END);
}

void http_wake(struct http *http) {
    uv_idle_start(&http->again, on_again);
}

void http_set_looker(struct http *http, struct looker *looker) {
    http->looker = looker;
}

void http_serve(struct http *http) {
    uv_poll_start(&http->poll, UV_READABLE, on_ready);
}

struct http *http_start(uv_loop_t *loop, const char *listen_address, const struct fleet *fleet,
                        const struct exporter_state *state, struct strbuf *error) {
    int fd = listen_open(listen_address, error);
    if (fd < 0)
        return NULL;
    uint16_t port = listen_port(fd);

    struct http *http = calloc(1, sizeof *http);
    if (!http)
        goto fail;
    http->fleet = fleet;
    http->state = state;
    http->port = port;
    http->daemon = start_daemon(http, fd);
    if (!http->daemon)
        goto fail;
    fd = -1; /* the daemon's now */

    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || uv_poll_init(loop, &http->poll, info->epoll_fd) < 0)
        goto fail;
    uv_timer_init(loop, &http->timer);
    uv_idle_init(loop, &http->again);
    http->poll.data = http->timer.data = http->again.data = http;
    http->open_handles = 3;
    return http;

fail:
    if (http && http->daemon)
        MHD_stop_daemon(http->daemon);
    if (fd >= 0)
        close(fd);
    free(http);
    strbuf_addf(error, "cannot serve HTTP on '%s': out of memory or descriptors", listen_address);
    return NULL;
}

uint16_t http_port(const struct http *http) {
    return http->port;
}

void http_stop(struct http *http) {
    if (!http)
        return;
    uv_close((uv_handle_t *)&http->poll, on_closed);
    uv_close((uv_handle_t *)&http->timer, on_closed);
    uv_close((uv_handle_t *)&http->again, on_closed);
    MHD_run(http->daemon); /* takes back the connections that were resumed: it would not stop without */
    MHD_stop_daemon(http->daemon);
}
