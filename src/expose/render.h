/*
 * /metrics in the format asked for, in pieces: family by family and target by target, each piece small, so a page of
 * any size costs the loop no long step and needs no memory of its size.
 */
#ifndef EXPOSE_RENDER_H
#define EXPOSE_RENDER_H

#include "base/strbuf.h"
#include "expose/exporter_state.h"
#include "expose/sample.h"
#include "observe/target.h"

#include <stdbool.h>
#include <stddef.h>

struct render;

/* Begin a page. Takes references on the targets, so a reload in between does no harm; `state` is borrowed until the
 * end. NULL when memory is short. */
struct render *render_begin(struct target *const *targets, size_t count, const struct exporter_state *state,
                            enum metric_format format);
/* The same of one target that a request named: no label names it, and the exporter's own families are left out. */
struct render *render_begin_look(struct target *target, enum metric_format format);
/* Append the next piece to `out`: until it has `enough` bytes more, or the page is complete. It can be longer by what
 * one target has of one family. False when the page was complete before the call. */
bool render_next(struct render *render, struct strbuf *out, size_t enough);
void render_end(struct render *render); /* NULL is allowed */

#endif
