/*
 * /-/reload. A reload stops the loop for as long as it takes, and anybody may ask for one: so those that requests ask
 * for get a tenth of the time. Who comes too early waits, and all who wait share the next one, which begins after they
 * asked.
 */
#include "expose/http_internal.h"

#include <stdlib.h>

enum { ERROR_BYTES = 4096, PAUSE_FACTOR = 9 /* of the time that the last one took */ };

struct reload_wait {
    struct kept kept;
    struct reload_wait *next;
    struct MHD_Connection *connection;
    bool ok;
    struct strbuf error;
};

static bool reload(struct http *http, struct strbuf *error) {
    struct mono began = mono_now();
    bool ok = http->settings.reload(http->settings.arg, error);
    struct mono ended = mono_now();
    http->reloads.not_before = mono_add(ended, PAUSE_FACTOR * mono_between(began, ended));
    return ok;
}

static enum MHD_Result answer(const struct request *request, bool ok, struct strbuf *error) {
    if (ok)
        return http_send_text(request->connection, MHD_HTTP_OK, "The configuration was reloaded.\n");
    strbuf_addch(error, '\n');
    return http_send_copy(request->connection, MHD_HTTP_INTERNAL_SERVER_ERROR, error);
}

static enum MHD_Result answer_kept(const struct request *request, struct kept *kept) {
    struct reload_wait *wait = (struct reload_wait *)kept;
    return answer(request, wait->ok, &wait->error);
}

static void free_kept(struct kept *kept) {
    struct reload_wait *wait = (struct reload_wait *)kept;
    strbuf_release(&wait->error);
    free(wait);
}

/* To all who wait. */
static void tell(struct http *http, bool ok, const struct strbuf *error) {
    while (http->reloads.waiting) {
        struct reload_wait *wait = http->reloads.waiting;
        http->reloads.waiting = wait->next;
        wait->ok = ok;
        strbuf_add(&wait->error, error->data, error->len);
        MHD_resume_connection(wait->connection);
    }
    http_wake(http);
}

static void on_timer(uv_timer_t *timer) {
    struct http *http = timer->data;
    struct strbuf error;
    strbuf_init(&error, ERROR_BYTES);
    bool ok = reload(http, &error);
    tell(http, ok, &error);
    strbuf_release(&error);
}

static enum MHD_Result wait_for_next(const struct request *request, int64_t pause_ns) {
    struct reloads *reloads = &request->http->reloads;
    struct reload_wait *wait = calloc(1, sizeof *wait);
    if (!wait)
        return MHD_NO;
    *wait = (struct reload_wait){
        .kept = {answer_kept, free_kept}, .next = reloads->waiting, .connection = request->connection};
    strbuf_init(&wait->error, ERROR_BYTES + 1);
    if (!reloads->waiting)
        uv_timer_start(&reloads->timer, on_timer, (uint64_t)(pause_ns / NS_PER_MS + 1), 0);
    reloads->waiting = wait;
    *request->mark = &wait->kept;
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

enum MHD_Result http_answer_reload(const struct request *request) {
    struct reloads *reloads = &request->http->reloads;
    struct strbuf error;
    int64_t pause_ns = mono_between(mono_now(), reloads->not_before);
    if (reloads->waiting || pause_ns > 0)
        return wait_for_next(request, pause_ns);
    strbuf_init(&error, ERROR_BYTES);
    bool ok = reload(request->http, &error);
    enum MHD_Result result = answer(request, ok, &error);
    strbuf_release(&error);
    return result;
}

void http_reloads_init(struct http *http, uv_loop_t *loop) {
    uv_timer_init(loop, &http->reloads.timer);
    http->reloads.timer.data = http;
}

void http_reloads_stop(struct http *http) {
    struct strbuf error;
    strbuf_init(&error, ERROR_BYTES);
    strbuf_addstr(&error, "we are about to end");
    uv_timer_stop(&http->reloads.timer);
    tell(http, false, &error);
    strbuf_release(&error);
}
