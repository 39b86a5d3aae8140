/*
 * What a rule of advice found on a target: texts of evidence, and of what to change.
 */
#ifndef EXPLAIN_FINDING_H
#define EXPLAIN_FINDING_H

#include <stddef.h>

enum { ADVICE_TEXTS_MAX = 8 };

/* Some texts with the server's and clients' bytes in them, raw: whoever prints them escapes. */
struct advice_texts {
    char *texts[ADVICE_TEXTS_MAX];
    size_t count;
};

/* What a check found. */
struct finding {
    struct advice_texts evidence;
    struct advice_texts changes; /* what to change on this target, besides the rule's own text */
};

void finding_release(struct finding *finding);
/* One text more; more than there is room for, or memory, are left out. */
void finding_add_evidence(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_add_change(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
