/*
 * The server's half of a probe's close: is the connection, by its id, among those that the server says it aborted? The
 * error log tells where it is followed and holds such lines; else the server's counters do, as long as they do not move
 * at all. Where neither can tell, nothing is claimed.
 */
#ifndef OBSERVE_CLOSE_CHECK_H
#define OBSERVE_CLOSE_CHECK_H

#include "observe/target.h"

/* How a connection ended. */
enum close_end {
    END_WITH_QUIT, /* by our COM_QUIT, and the server's end followed */
    END_IN_STYLE,  /* by us, in another way that the module asks for */
    /* Given up, cut by another, or the server's end did not follow: it may not know of it yet, and what it makes of it
     * (a KILL, say) need not be in the log. Then only an abort that was seen tells something. */
    END_IN_DOUBT,
};

/* For one target. NULL when memory is short. */
struct close_check *close_check_new(struct target *target);
void close_check_free(struct close_check *check); /* NULL is allowed */

/* The probe has this connection from now on. No more than 256 are kept: what is more is unknown at once. */
void close_check_opened(struct close_check *check, struct probe *probe, uint64_t connection_id);
/* It is closed. `cut` is how it was cut while it was held, by an unknown hand: the log may still tell whose, so
 * probe->facts.holds is counted here. HOLD_SURVIVED: nothing of that kind. */
void close_check_closed(struct close_check *check, struct probe *probe, uint64_t connection_id, enum close_end end,
                        enum hold_end cut);
/* A line of the error log that is not suspect. */
void close_check_event(struct close_check *check, const struct log_event *event);
/* A poll that began at `began` has ended: its values are the target's. */
void close_check_polled(struct close_check *check, struct mono began);
/* Tell what can be told by now. To be called now and then. */
void close_check_settle(struct close_check *check);

#endif
