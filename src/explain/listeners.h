/*
 * All that listens to observe, behind the one observer that it knows: each fact is handed to each part in turn.
 */
#ifndef EXPLAIN_LISTENERS_H
#define EXPLAIN_LISTENERS_H

#include "observe/target.h"

enum { LISTENERS_MAX = 8 };

struct listeners {
    struct observer parts[LISTENERS_MAX];
    size_t count;
};

void listeners_add(struct listeners *listeners, struct observer part);
/* The observer to give to fleet_new(); `listeners` must outlive it. */
struct observer listeners_observer(struct listeners *listeners);

#endif
