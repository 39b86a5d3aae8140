/*
 * /api/v1: what /metrics sums up, one by one, as JSON in the envelope of Prometheus' own API. Knows nothing of HTTP: it
 * is given a path and its parameters, and gives a status and a text in pieces.
 */
#ifndef EXPOSE_API_H
#define EXPOSE_API_H

#include "base/strbuf.h"
#include "expose/exporter_state.h"
#include "observe/target.h"

#include <stdbool.h>
#include <stddef.h>

enum { API_PARAMETERS_MAX = 16 };

struct api_parameter {
    struct span name, value; /* decoded, any bytes */
};

struct api_request {
    const char *path;
    struct api_parameter parameters[API_PARAMETERS_MAX];
    size_t parameter_count;
    bool too_many; /* parameters: the rest is left out */
    struct target *const *targets;
    size_t target_count;
    const struct exporter_state *state;
};

struct api_page;

bool api_has(const char *path);
/* The answer; api_has() its path. Takes references on the targets; the request is used only inside the call. NULL when
 * memory is short. */
struct api_page *api_begin(const struct api_request *request);
/* 200, or 400 where a parameter is wrong: the answer names it. */
unsigned api_status(const struct api_page *page);
/* As render_next(). A piece can be longer than `enough` by what one event or target has. */
bool api_next(struct api_page *page, struct strbuf *out, size_t enough);
void api_end(struct api_page *page); /* NULL is allowed */

/* The README's part: the resources with their parameters, and the fields of an event. */
void api_reference(struct strbuf *out);

#endif
