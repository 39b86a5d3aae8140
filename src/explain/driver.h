/*
 * Client libraries that end connections badly, or tell their users something else than what happened: one table, by the
 * name and version that a library announces (_client_name, _client_version). A library that announces neither is in it
 * for people to read.
 */
#ifndef EXPLAIN_DRIVER_H
#define EXPLAIN_DRIVER_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/*   enum suffix, name, what it means */
#define DRIVER_FAULTS(X)                                                                                               \
    X(CLOSES_BADLY, "closes badly", "a call that looks like the way to close leaves without COM_QUIT")                 \
    X(MUST_BE_CLOSED, "must be closed", "what the program does not close itself is left without COM_QUIT")             \
    X(MISLEADS, "misleads", "what its users are told is not what happened")

enum driver_fault {
#define DRIVER_FAULT_ENUM(id, name, meaning) DRIVER_##id,
    DRIVER_FAULTS(DRIVER_FAULT_ENUM)
#undef DRIVER_FAULT_ENUM
        DRIVER_FAULT_COUNT
};

const char *driver_fault_name(enum driver_fault fault);

struct driver {
    const char *id;             /* of this row */
    const char *library;        /* for people */
    const char *client_name;    /* NULL: it announces none, or that of the C library below it */
    const char *announced_from; /* the first version that announces it; NULL all that are known */
    const char *from;           /* the first version that does it; NULL every one before … */
    const char *before;         /* … the first that does not any more; NULL none yet */
    enum driver_fault fault;
    uint32_t causes; /* a bit for each cause (explain/cause.h) that the server's side of it may have */
    const char *calls, *users_see, *server_sees, *why, *remedy;
    const char *source;     /* where it was reported or documented */
    const char *reproduced; /* with which servers and versions we saw it; NULL not */
};

extern const struct driver driver_table[];
extern const size_t driver_count;

/* The next row after `after` (NULL: the first) that a client with this name and version fits, or NULL. A version that
 * is none, or that the client did not announce (""), fits only rows for all versions. */
const struct driver *driver_next(const struct driver *after, const char *client_name, const char *version);

/* Compare versions such as "3.11.0", "v1.9.1" and "1.0.0-rc.2" by their numbers; what comes after '-' makes it earlier
 * than the same without, what comes after '+' or a blank does not count. *order < 0 where `a` is the earlier one. False
 * when one of them is no version. */
bool driver_version_compare(const char *a, const char *b, int *order);

/* The README's table. */
void driver_reference(struct strbuf *out);

#endif
