/*
 * Probes for programs: one JSON object on a line for each, and one for all. README.md documents the keys.
 */
#ifndef CLI_PROBE_JSON_H
#define CLI_PROBE_JSON_H

#include "base/strbuf.h"
#include "cli/probe_summary.h"

void probe_json_result(const char *host, const struct probe_result *result, struct strbuf *out);
void probe_json_summary(const char *host, struct probe_summary *summary, struct strbuf *out);

#endif
