/*
 * Where a server writes its error log, asked from the server itself: `source: auto`.
 */
#ifndef OBSERVE_LOG_FINDER_H
#define OBSERVE_LOG_FINDER_H

#include "config/config.h"

#include <stdbool.h>

struct client;

struct log_finding {
    enum log_kind kind; /* LOG_NONE: nothing that we could read */
    char *name;         /* path, unit, table */
    int error;          /* why, where kind is LOG_NONE: a negative errno */
    bool over;          /* … and what was found before is not written any more */
};

void log_finding_release(struct log_finding *finding);

/* Ask. `local`: our connection does not leave this machine; where the server's own name is ours too, its files are
 * taken for ours. Prefers a file that can be read, then the journal of the server's unit, then the server's table;
 * names the file that cannot be read where there is nothing else. `reads`: the file that is read now, which may be
 * without a name for a moment; NULL none. False where the server did not answer. In a coroutine. */
bool log_finder_ask(struct client *client, bool local, const char *reads, struct log_finding *out);

#endif
