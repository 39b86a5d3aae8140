/*
 * The names of the tables in phase.h; failures counted.
 */
#include "observe/phase.h"

#include <stddef.h>
#include <stdlib.h>

const char *phase_name(enum phase phase) {
    static const char *const names[] = {
#define PHASE_LABEL(id, label, meaning) [PHASE_##id] = (label),
        PHASES(PHASE_LABEL)
#undef PHASE_LABEL
    };
    return names[phase];
}

const char *failure_name(enum failure_class failure) {
    static const char *const names[] = {[FAILURE_NONE] = "",
#define FAILURE_LABEL(id, label, meaning) [FAILURE_##id] = (label),
                                        FAILURES(FAILURE_LABEL)
#undef FAILURE_LABEL
    };
    return names[failure];
}

const char *failure_meaning(enum failure_class failure) {
    static const char *const meanings[] = {[FAILURE_NONE] = "",
#define FAILURE_MEANING(id, label, meaning) [FAILURE_##id] = (meaning),
                                           FAILURES(FAILURE_MEANING)
#undef FAILURE_MEANING
    };
    return meanings[failure];
}

const char *close_outcome_name(enum close_outcome outcome) {
    static const char *const names[] = {
#define CLOSE_LABEL(id, label, meaning) [CLOSE_##id] = (label),
        CLOSES(CLOSE_LABEL)
#undef CLOSE_LABEL
    };
    return names[outcome];
}

const char *close_verdict_name(enum close_verdict verdict) {
    static const char *const names[] = {
#define CLOSE_VERDICT_LABEL(id, verdict, evidence, meaning) [VERDICT_##id] = (verdict),
        CLOSE_VERDICTS(CLOSE_VERDICT_LABEL)
#undef CLOSE_VERDICT_LABEL
    };
    return names[verdict];
}

const char *close_verdict_evidence(enum close_verdict verdict) {
    static const char *const names[] = {
#define CLOSE_VERDICT_EVIDENCE(id, verdict, evidence, meaning) [VERDICT_##id] = (evidence),
        CLOSE_VERDICTS(CLOSE_VERDICT_EVIDENCE)
#undef CLOSE_VERDICT_EVIDENCE
    };
    return names[verdict];
}

const char *hold_end_name(enum hold_end end) {
    static const char *const names[] = {
#define HOLD_END_LABEL(id, label, meaning) [HOLD_##id] = (label),
        HOLD_ENDS(HOLD_END_LABEL)
#undef HOLD_END_LABEL
    };
    return names[end];
}

const char *hold_cutter_name(enum hold_cutter cutter) {
    static const char *const names[] = {
#define HOLD_CUTTER_LABEL(id, label, meaning) [CUTTER_##id] = (label),
        HOLD_CUTTERS(HOLD_CUTTER_LABEL)
#undef HOLD_CUTTER_LABEL
    };
    return names[cutter];
}

const char *close_code_name(unsigned place) {
    static const char *const names[] = {
#define CLOSE_CODE_LABEL(label, number, meaning) (label),
        CLOSE_CODES(CLOSE_CODE_LABEL)
#undef CLOSE_CODE_LABEL
    };
    return names[place];
}

unsigned close_code_of(unsigned number) {
    static const unsigned numbers[] = {
#define CLOSE_CODE_NUMBER(label, number, meaning) (number),
        CLOSE_CODES(CLOSE_CODE_NUMBER)
#undef CLOSE_CODE_NUMBER
    };
    for (unsigned i = CLOSE_CODE_OTHER + 1; i < CLOSE_CODE_COUNT; i++)
        if (numbers[i] == number)
            return i;
    return CLOSE_CODE_OTHER;
}

void failure_counts_add(struct failure_counts *counts, const struct failure *failure, uint32_t n) {
    if (!counts->by)
        counts->by = calloc(PHASE_COUNT, sizeof *counts->by);
    if (counts->by)
        counts->by[failure->phase][failure->failure] += n;
}

void failure_counts_release(struct failure_counts *counts) {
    free(counts->by);
    counts->by = NULL;
}
