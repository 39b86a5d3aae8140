/*
 * A page as gzip (RFC 1952), in pieces, in little memory: the only user of <zlib.h> in expose.
 */
#ifndef EXPOSE_GZIP_H
#define EXPOSE_GZIP_H

#include "base/strbuf.h"

#include <stdbool.h>

struct gzip;

struct gzip *gzip_new(void); /* NULL when memory is short */
void gzip_free(struct gzip *gzip);

/* Append to `out` what `in` becomes: something, unless `in` is empty and it is not the last. `last` ends the page, and
 * nothing may come after it. Memory that is short fails `out`. */
void gzip_add(struct gzip *gzip, struct span in, bool last, struct strbuf *out);

#endif
