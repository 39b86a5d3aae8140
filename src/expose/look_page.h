/*
 * A look as text for people who set up /probe: what was done and how it went, the metrics, and the settings.
 */
#ifndef EXPOSE_LOOK_PAGE_H
#define EXPOSE_LOOK_PAGE_H

#include "base/strbuf.h"
#include "observe/target.h"

/* Secrets are shown as <secret>. */
void look_page_debug(struct target *target, struct strbuf *out);

#endif
