/*
 * What stands before each path: --web.external-url and --web.route-prefix.
 */
#ifndef EXPOSE_PREFIX_H
#define EXPOSE_PREFIX_H

#include "base/strbuf.h"

/* The path of "http[s]://host[:port][/path]" or of "/path", without slashes at its end, so that "/" gives "". NULL, or
 * what is wrong: then `out` is as before. */
const char *prefix_of_url(const char *url, struct strbuf *out);
const char *prefix_of_path(const char *path, struct strbuf *out);

#endif
