/*
 * The tables of evidence; see evidence.h.
 */
#include "observe/evidence.h"

#include <stddef.h>

const char *evidence_name(enum evidence_kind kind) {
#define EVIDENCE_LABEL(id, label, privilege) label,
    static const char *const names[] = {EVIDENCE_KINDS(EVIDENCE_LABEL)};
#undef EVIDENCE_LABEL
    return names[kind];
}

const char *evidence_privilege(enum evidence_kind kind) {
#define EVIDENCE_PRIVILEGE(id, label, privilege) privilege,
    static const char *const privileges[] = {EVIDENCE_KINDS(EVIDENCE_PRIVILEGE)};
#undef EVIDENCE_PRIVILEGE
    return privileges[kind];
}

const char *evidence_missing(enum evidence_state state) {
    static const char *const reasons[] = {
        [EVIDENCE_UNTRIED] = NULL,
        [EVIDENCE_SEEN] = NULL,
        [EVIDENCE_NO_PRIVILEGE] = "no_privilege",
        [EVIDENCE_UNSUPPORTED] = "unsupported",
        [EVIDENCE_DISABLED] = "disabled",
        [EVIDENCE_FAILED] = "failed",
    };
    return reasons[state];
}

enum evidence_state evidence_of_error(unsigned code) {
    static const struct {
        unsigned code;
        enum evidence_state state;
    } known[] = {
        {1044, EVIDENCE_NO_PRIVILEGE}, /* ER_DBACCESS_DENIED_ERROR */
        {1142, EVIDENCE_NO_PRIVILEGE}, /* ER_TABLEACCESS_DENIED_ERROR */
        {1143, EVIDENCE_NO_PRIVILEGE}, /* ER_COLUMNACCESS_DENIED_ERROR */
        {1227, EVIDENCE_NO_PRIVILEGE}, /* ER_SPECIFIC_ACCESS_DENIED_ERROR */
        {1049, EVIDENCE_UNSUPPORTED},  /* ER_BAD_DB_ERROR */
        {1054, EVIDENCE_UNSUPPORTED},  /* ER_BAD_FIELD_ERROR */
        {1109, EVIDENCE_UNSUPPORTED},  /* ER_UNKNOWN_TABLE */
        {1146, EVIDENCE_UNSUPPORTED},  /* ER_NO_SUCH_TABLE */
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].code == code)
            return known[i].state;
    return EVIDENCE_FAILED;
}
