/*
 * /-/reload. A reload takes time that others would like to have, and anybody may ask for one: so those that requests
 * ask for get a tenth of the time. All who wait share the next one, which begins after they asked.
 */
#include "expose/http_internal.h"

#include <stdlib.h>

enum { ERROR_BYTES = 4096, PAUSE_FACTOR = 9 /* of the time that the last one took */ };
#define PAUSE_MAX_NS (10 * NS_PER_S) /* its files may be slow */

struct reload_wait {
    struct kept kept;
    struct reload_wait *next;
    struct MHD_Connection *connection;
    bool ok;
    struct strbuf error;
};

static enum MHD_Result answer_kept(const struct request *request, struct kept *kept) {
    struct reload_wait *wait = (struct reload_wait *)kept;
    if (wait->ok)
        return http_send_text(request->connection, MHD_HTTP_OK, "The configuration was reloaded.\n");
    strbuf_addch(&wait->error, '\n');
    return http_send_copy(request->connection, MHD_HTTP_INTERNAL_SERVER_ERROR, &wait->error);
}

static void free_kept(struct kept *kept) {
    struct reload_wait *wait = (struct reload_wait *)kept;
    strbuf_release(&wait->error);
    free(wait);
}

static void tell(struct http *http, struct reload_wait **list, bool ok, const struct strbuf *error) {
    while (*list) {
        struct reload_wait *wait = *list;
        *list = wait->next;
        wait->ok = ok;
        strbuf_add(&wait->error, error->data, error->len);
        MHD_resume_connection(wait->connection);
    }
    http_wake(http);
}

static void on_timer(uv_timer_t *timer);

/* Ask for the next one as soon as that may be; when one is under way, that is when it has ended. */
static void ask(struct http *http) {
    struct reloads *reloads = &http->reloads;
    int64_t pause_ns = mono_between(mono_now(), reloads->not_before);
    if (!reloads->waiting || reloads->asked || reloads->under_way)
        return;
    if (pause_ns > 0) {
        uv_timer_start(&reloads->timer, on_timer, (uint64_t)(pause_ns / NS_PER_MS + 1), 0);
        return;
    }
    reloads->asked = true;
    http->settings.reload(http->settings.arg);
}

static void on_timer(uv_timer_t *timer) {
    ask(timer->data);
}

void http_reload_begins(struct http *http) {
    struct reloads *reloads = &http->reloads;
    reloads->began = mono_now();
    reloads->asked = false;
    reloads->under_way = true;
    reloads->served = reloads->waiting;
    reloads->waiting = NULL;
}

void http_reload_ends(struct http *http, bool ok, const struct strbuf *error) {
    struct reloads *reloads = &http->reloads;
    struct mono ended = mono_now();
    int64_t pause_ns = PAUSE_FACTOR * mono_between(reloads->began, ended);
    reloads->not_before = mono_add(ended, pause_ns < PAUSE_MAX_NS ? pause_ns : PAUSE_MAX_NS);
    reloads->under_way = false;
    tell(http, &reloads->served, ok, error);
    ask(http);
}

enum MHD_Result http_answer_reload(const struct request *request) {
    struct reloads *reloads = &request->http->reloads;
    struct reload_wait *wait = calloc(1, sizeof *wait);
    if (!wait)
        return MHD_NO;
    *wait = (struct reload_wait){
        .kept = {answer_kept, free_kept}, .next = reloads->waiting, .connection = request->connection};
    strbuf_init(&wait->error, ERROR_BYTES + 1);
    reloads->waiting = wait;
    *request->mark = &wait->kept;
    MHD_suspend_connection(request->connection);
    ask(request->http);
    return MHD_YES;
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
    tell(http, &http->reloads.served, false, &error);
    tell(http, &http->reloads.waiting, false, &error);
    strbuf_release(&error);
}
