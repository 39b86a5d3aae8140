/*
 * Events and their summary for programs. Structs in, JSON out.
 */
#ifndef CLI_EXPLAIN_JSON_H
#define CLI_EXPLAIN_JSON_H

#include "cli/explain_summary.h"

#include <stddef.h>

/* One line. `file` NULL: no such key, there is only one file. */
void explain_json_event(const char *file, const struct log_event *event, struct strbuf *out);
/* One line; at most `top` entries of each list. */
void explain_json_summary(const struct explain_file *files, size_t file_count, struct explain_summary *summary,
                          uint64_t top, struct strbuf *out);

#endif
