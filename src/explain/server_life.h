/*
 * Whether the server that answers now is the one of the poll before, with counters that went on: by its clocks, by
 * whose connection we have, and by what the error log told of a start.
 */
#ifndef EXPLAIN_SERVER_LIFE_H
#define EXPLAIN_SERVER_LIFE_H

#include "base/clock.h"
#include "observe/target.h"

#include <stdbool.h>
#include <stdint.h>

/* At a poll. */
struct server_life {
    struct mono polled;
    double uptime_s, flushed_s; /* the server's; flushed_s: how long after its start */
    uint64_t restarts, connection;
    bool start_told; /* by a line, since that poll: whoever reads the log sets it */
};

struct server_life server_life_now(const struct target *target);

enum life_change { LIFE_SAME, LIFE_FLUSHED, LIFE_RESTARTED, LIFE_OTHER };

/* fell: a counter is lower than it was, which shows what the clocks' whole seconds hide. */
enum life_change server_life_since(const struct server_life *before, const struct server_life *now, bool fell);

#endif
