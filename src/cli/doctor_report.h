/*
 * What `doctor` tells: what the server says of itself, what we saw of it, and the findings; for people and for
 * programs.
 */
#ifndef CLI_DOCTOR_REPORT_H
#define CLI_DOCTOR_REPORT_H

#include "base/strbuf.h"
#include "cli/terminal.h"
#include "explain/advice.h"
#include "observe/target.h"

struct doctor_report {
    const char *host; /* as the user wrote it */
    int64_t looked_ns;
    const struct target *target; /* still running: its error log is looked at */
};

void doctor_report_text(const struct terminal_style *style, const struct doctor_report *report, struct strbuf *out);
/* One object and a newline. */
void doctor_report_json(const struct doctor_report *report, struct strbuf *out);
/* One line that is drawn over itself, without its newline. */
void doctor_report_progress(const struct terminal_style *style, const struct doctor_report *report, int64_t for_ns,
                            struct strbuf *out);

/* The most severe finding. */
enum advice_severity doctor_report_worst(const struct doctor_report *report);

#endif
