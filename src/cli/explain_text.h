/*
 * The summary of error logs for people. Structs in, text out.
 */
#ifndef CLI_EXPLAIN_TEXT_H
#define CLI_EXPLAIN_TEXT_H

#include "cli/explain_input.h"
#include "cli/explain_summary.h"
#include "cli/terminal.h"

#include <stddef.h>

/* At most `top` rows of each list. */
void explain_text_summary(const struct terminal_style *style, const struct explain_file *files, size_t file_count,
                          struct explain_summary *summary, uint64_t top, struct strbuf *out);

/* One line that is drawn over itself, without its newline: "error.log  42% ━━━━━━━           1.2 GB/s  12 s left". */
void explain_text_progress(const struct terminal_style *style, const char *name, struct explain_progress progress,
                           int64_t spent_ns, struct strbuf *out);

#endif
