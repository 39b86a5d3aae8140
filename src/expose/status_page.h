/*
 * The status page at /: HTML for people, in pieces like /metrics (see render.h). No script; every text in it is
 * escaped.
 */
#ifndef EXPOSE_STATUS_PAGE_H
#define EXPOSE_STATUS_PAGE_H

#include "base/strbuf.h"
#include "expose/exporter_state.h"
#include "observe/target.h"

#include <stdbool.h>
#include <stddef.h>

struct status_page;

/* Begin a page. Takes references on the targets; `state` is borrowed until the end. NULL when memory is short. */
struct status_page *status_page_begin(struct target *const *targets, size_t count, const struct exporter_state *state);
/* Append the next piece to `out`, as render_next() does; it can be longer by a target's or an event's row. */
bool status_page_next(struct status_page *page, struct strbuf *out, size_t enough);
void status_page_end(struct status_page *page); /* NULL is allowed */

#endif
