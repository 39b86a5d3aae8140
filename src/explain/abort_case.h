/*
 * An abort before the judge: its event while it is made, the facts that its cause follows from, and the evidence that
 * is said of it, one piece after the other.
 */
#ifndef EXPLAIN_ABORT_CASE_H
#define EXPLAIN_ABORT_CASE_H

#include "explain/abort_event.h"
#include "observe/target.h"

/* Clocks of two machines, and a session that was seen somewhat after it began. */
#define CLOCKS_WITHIN_NS (120 * NS_PER_S)

struct abort_case {
    struct abort_event event;
    struct abort_facts facts;
    const struct session *session; /* NULL not known */
    struct strbuf said[ABORT_EVIDENCE_MAX];
    bool ended;
};

/* One abort of which nothing is known but what told of it. */
void abort_case_init(struct abort_case *c, enum fact_source source);
void abort_case_release(struct abort_case *c);

/* The text of one more piece of evidence, to be written before the next. */
struct strbuf *abort_case_say(struct abort_case *c, enum fact_source source, int64_t wall_ns);
/* What the session of its connection tells; of a line's own words none is replaced. */
void abort_case_take_session(struct abort_case *c, const struct target *target);
/* All is said, and the event's cause known: its evidence is complete. Once is enough. */
void abort_case_end(struct abort_case *c, const struct target *target);

/* ptr NULL for "". */
struct span abort_text(const char *text);

#endif
