/*
 * The HTTP server on the program's loop; see http.h. libmicrohttpd runs without a thread of its own: the loop watches
 * its epoll descriptor and keeps its timeouts.
 */
#include "expose/http_guests.h"
#include "expose/http_internal.h"
#include "expose/listen.h"

#include <stdlib.h>
#include <unistd.h>

enum { SOCKETS_MAX = 16, SPIN_MS = 10 };

static void on_timer(uv_timer_t *timer);
static void on_again(uv_idle_t *again);

/* libmicrohttpd 0.9.75 wants to run again at once as long as a TLS handshake waits for its client. Nothing is lost by
 * waiting a moment where it did nothing: what arrives is told by its epoll descriptor. */
static bool spins(const struct http *http, uint64_t progress_before) {
    return http->progress == progress_before && !web_put_off(http->admission.web) && guests_shake_hands(http->guests);
}

/* Let libmicrohttpd do what can be done now, which is at most one block for each connection, and be called again when
 * it wants to. More blocks wait for the loop's next turn: a timer of 0 would fire again within this one. */
static void run(struct http *http) {
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    uint64_t progress_before = http->progress;

    web_begin_turn(http->admission.web);
    MHD_run(http->daemon);
    bool any = MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES;
    if (any && timeout_ms == 0 && spins(http, progress_before))
        timeout_ms = SPIN_MS;
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

void http_wake(struct http *http) {
    uv_idle_start(&http->again, on_again);
}

/* As admission's call-back. */
static void wake(void *arg) {
    http_wake(arg);
}

void http_set_looker(struct http *http, struct looker *looker) {
    http->looker = looker;
}

static void on_closed(uv_handle_t *handle) {
    struct http *http = handle->data;

    if (--http->open_handles == 0)
        free(http);
}

/* As guests' call-back. */
static void run_http(void *arg) {
    run(arg);
}

static struct MHD_Daemon *start_daemon(struct http *http) {
    bool tls = web_tls(http->admission.web);
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME |
                                (tls ? MHD_USE_TLS : 0),
                            0, NULL, NULL, http_on_request, http,                                             //
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)(2 * GUESTS_MAX),                          //
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_MEMORY,               //
                            MHD_OPTION_UNESCAPE_CALLBACK, http_unescape, http,                                //
                            MHD_OPTION_STRICT_FOR_CLIENT, 1,                                                  //
                            MHD_OPTION_NOTIFY_CONNECTION, guests_notify, http->guests,                        //
                            MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, http,                             //
                            tls ? MHD_OPTION_HTTPS_CERT_CALLBACK2 : MHD_OPTION_END, web_tls_no_certificate(), //
                            MHD_OPTION_END);
}

/* How many sockets listen now, or -1 with one line in `error`. */
static int open_sockets(const struct http_settings *settings, int *fds, struct strbuf *error) {
    if (settings->systemd_sockets)
        return listen_inherited(fds, SOCKETS_MAX, error);
    size_t count = 0;
    while (count < settings->listen_count && count < SOCKETS_MAX) {
        fds[count] = listen_open(settings->listen_addresses[count], error);
        if (fds[count] < 0)
            break;
        count++;
    }
    if (count == settings->listen_count)
        return (int)count;
    while (count > 0)
        close(fds[--count]);
    return -1;
}

/* Takes over the sockets, also on failure: false then. */
static bool listen_all(struct http *http, const int *fds, int count) {
    const struct http_settings *settings = &http->settings;
    bool ok = true;
    for (int i = 0; i < count; i++) {
        const char *path = settings->systemd_sockets ? NULL : listen_unix_path(settings->listen_addresses[i]);
        ok &= guests_listen(http->guests, http->daemon, fds[i], path) == 0;
    }
    return ok;
}

void http_serve(struct http *http) {
    guests_welcome(http->guests);
}

/* All but listening. False where memory or descriptors are short. */
static bool set_up(struct http *http, uv_loop_t *loop) {
    http->admission.facts = &http->facts;
    http->admission.wake = wake;
    http->admission.arg = http;
    http->admission.auth = web_auth_new(loop);
    http->guests = http->admission.auth ? guests_new(loop, http->admission.web, &http->facts, run_http, http) : NULL;
    if (!http->guests)
        return false;
    http->daemon = start_daemon(http);
    const union MHD_DaemonInfo *info =
        http->daemon ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info || uv_poll_init(loop, &http->poll, info->epoll_fd) < 0)
        return false;
    uv_timer_init(loop, &http->timer);
    uv_idle_init(loop, &http->again);
    http_reloads_init(http, loop);
    http->poll.data = http->timer.data = http->again.data = http;
    http->open_handles = 4;
    uv_poll_start(&http->poll, UV_READABLE, on_ready);
    return true;
}

struct http *http_start(uv_loop_t *loop, const struct http_settings *settings, const struct fleet *fleet,
                        const struct exporter_state *state, struct strbuf *error) {
    int fds[SOCKETS_MAX];
    struct http *http = calloc(1, sizeof *http);
    if (http) {
        http->settings = *settings;
        http->fleet = fleet;
        http->state = state;
        http->admission.web = web_open(settings->web_config_file, &http->facts, error);
    }
    int count = http && http->admission.web ? open_sockets(settings, fds, error) : -1;
    if (count >= 0 && set_up(http, loop) && listen_all(http, fds, count))
        return http;
    if (error->len == 0)
        strbuf_addstr(error, "cannot serve HTTP: out of memory or descriptors");
    http_stop(http);
    return NULL;
}

bool http_address(const struct http *http, size_t i, struct strbuf *out) {
    int fd = guests_socket(http->guests, i);
    if (fd >= 0)
        listen_describe(fd, out);
    return fd >= 0;
}

const struct http_facts *http_facts(const struct http *http) {
    return &http->facts;
}

bool http_reload(struct http *http, struct strbuf *error) {
    return web_reload(http->admission.web, error);
}

void http_stop(struct http *http) {
    if (!http)
        return;
    if (http->guests)
        guests_stop_listening(http->guests);
    web_auth_free(http->admission.auth);
    if (http->open_handles > 0) {
        http_reloads_stop(http);
        uv_close((uv_handle_t *)&http->reloads.timer, on_closed);
        uv_close((uv_handle_t *)&http->poll, on_closed);
        uv_close((uv_handle_t *)&http->timer, on_closed);
        uv_close((uv_handle_t *)&http->again, on_closed);
    }
    if (http->daemon) {
        MHD_run(http->daemon); /* takes back the connections that were resumed: it would not stop without */
        MHD_stop_daemon(http->daemon);
    }
    guests_free(http->guests);
    web_close(http->admission.web);
    if (http->open_handles == 0)
        free(http);
}
