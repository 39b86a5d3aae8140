/*
 * The pages for people: / (all targets, those that need attention first, and the newest aborts) and /target (one, with
 * all details). HTML in pieces like /metrics (see render.h), complete without their script; every text in it is
 * escaped. Their style and script are page_assets.h's.
 */
#ifndef EXPOSE_STATUS_PAGE_H
#define EXPOSE_STATUS_PAGE_H

#include "base/strbuf.h"
#include "expose/api.h"

#include <stdbool.h>
#include <stddef.h>

#define STATUS_PATH "/"
#define STATUS_TARGET_PATH "/target"

enum { STATUS_TARGETS_EACH = 50, STATUS_EVENTS_EACH = 50 }; /* on one page */

/* Nothing but this origin's own style, script, icon and answers; forms go to it alone. */
#define STATUS_SECURITY_POLICY                                                                                         \
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "   \
    "form-action 'self'; frame-ancestors 'none'"

struct status_page;

/* Begin the page of the request's path. It takes the parameters of /api/v1/events (an empty one is none: forms send
 * those), `find` (a part of a target's name or address) and `page` (from 1 on). Takes references on the targets that it
 * shows; request->state is borrowed until the end, the rest is used only inside the call. NULL when memory is short. */
struct status_page *status_page_begin(const struct api_request *request);
/* 200; 400 where a parameter is wrong; 404 where there is no such target: the page says so. */
unsigned status_page_status(const struct status_page *page);
/* Append the next piece to `out`, as render_next() does; it can be longer by what one target or event has. */
bool status_page_next(struct status_page *page, struct strbuf *out, size_t enough);
void status_page_end(struct status_page *page); /* NULL is allowed */

#endif
