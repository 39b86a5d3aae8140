/*
 * /config: the running configuration as YAML, secrets as "<secret>", in pieces.
 */
#ifndef EXPOSE_CONFIG_PAGE_H
#define EXPOSE_CONFIG_PAGE_H

#include "observe/target.h"

struct config_page;

/* Of all but its targets `config` is read at once; the targets are kept until the end. NULL when memory is short. */
struct config_page *config_page_begin(const struct config *config, struct target *const *targets, size_t count);
/* Add at least one piece and go on until `enough` bytes were added. False once there is no more. */
bool config_page_next(struct config_page *page, struct strbuf *out, size_t enough);
void config_page_end(struct config_page *page); /* NULL is allowed */

#endif
