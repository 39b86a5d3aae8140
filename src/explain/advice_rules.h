/*
 * The rules of advice: one table, each row with what is wrong, when it is raised, what to change, and the check that
 * looks at the facts. A rule speaks only of what was seen of this target, with its numbers.
 */
#ifndef EXPLAIN_ADVICE_RULES_H
#define EXPLAIN_ADVICE_RULES_H

#include "explain/advice_facts.h"
#include "explain/finding.h"

#include <stddef.h>

/* Info: know it, and change it some day. Warning: clients are hurt, or soon will be, or we cannot see whether they are.
 * Critical: clients are turned away now. */
enum advice_severity { SEVERITY_NONE, SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL };

const char *advice_severity_name(enum advice_severity severity);

struct advice_rule {
    const char *id;      /* for labels and anchors */
    const char *problem; /* what is wrong, in a sentence without its full stop */
    const char *when;    /* it is raised, and how severe it is */
    const char *change;
    /* Where the check is no more than that enough aborts of these causes came. */
    uint32_t causes;     /* a bit for each */
    uint64_t warns_from; /* so many are a warning, fewer are info; 0: always info */
    enum advice_severity (*check)(const struct advice_facts *facts, struct finding *finding);
};

extern const struct advice_rule advice_rules[];
extern const size_t advice_rule_count;

/* SEVERITY_NONE where the rule is not raised; else *finding has at least one text of evidence. To be released in both
 * cases. */
enum advice_severity advice_rule_check(const struct advice_rule *rule, const struct advice_facts *facts,
                                       struct finding *finding);

/* The README's table. */
void advice_reference(struct strbuf *out);

#endif
