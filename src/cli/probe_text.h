/*
 * Probes for people: a line each, and a table at the end. Structs in, text out.
 */
#ifndef CLI_PROBE_TEXT_H
#define CLI_PROBE_TEXT_H

#include "base/strbuf.h"
#include "cli/probe_summary.h"
#include "cli/terminal.h"

/* Between the lines of one run. Start with all but `style` zero. */
struct probe_text {
    struct terminal_style style;
    unsigned shown;                      /* bit set of the phases that have a column: those that happened so far */
    int64_t longest_ns;                  /* total so far */
    char last_way[512], last_error[512]; /* that were told */
};

/* One line, after the way that the connection took where that is a new one, and a heading where a phase happens for the
 * first time; then the error's text where that is a new one. */
void probe_text_result(struct probe_text *text, const struct probe_result *result, struct strbuf *out);
/* `host` as the user wrote it. */
void probe_text_summary(const struct terminal_style *style, const char *host, struct probe_summary *summary,
                        struct strbuf *out);

/* At most 6 columns: "0.4µs", "215µs", "1.23ms", "12.3ms", "123ms", "1.23s". */
void probe_text_add_time(struct strbuf *out, int64_t ns, bool utf8);

#endif
