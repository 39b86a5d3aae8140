/*
 * /sd: the watched targets in the form of Prometheus' http_sd, for those who want them scraped one by one through
 * /probe: https://prometheus.io/docs/prometheus/latest/http_sd/
 */
#ifndef EXPOSE_SD_PAGE_H
#define EXPOSE_SD_PAGE_H

#include "base/strbuf.h"
#include "observe/target.h"

struct sd_page;

/* Takes references on the targets. Unix sockets, which /probe never looks at, are left out. NULL when memory is short.
 */
struct sd_page *sd_page_begin(struct target *const *targets, size_t count);
/* As render_next(). */
bool sd_page_next(struct sd_page *page, struct strbuf *out, size_t enough);
void sd_page_end(struct sd_page *page); /* NULL is allowed */

#endif
