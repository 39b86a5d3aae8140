/*
 * Advice for programs: what is raised of a target, for the API and for `doctor`.
 */
#ifndef EXPOSE_ADVICE_JSON_H
#define EXPOSE_ADVICE_JSON_H

#include "base/strbuf.h"
#include "observe/target.h"

/* A member `name`: a list, the most severe first, of
 *   {"rule":…,"severity":…,"since":RFC 3339,"problem":…,"evidence":[texts],"change":[texts],"runbook":…} */
void advice_json(struct strbuf *out, const char *name, const struct target *target);

#endif
