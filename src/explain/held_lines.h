/*
 * Lines that wait for the next look, which tells more of them: MySQL's that name nobody, whose sums of errors do; its
 * refused logins of connections that no look has seen, which may have logged in before; and MariaDB's one line for all
 * that ends before login, which its host cache may narrow.
 */
#ifndef EXPLAIN_HELD_LINES_H
#define EXPLAIN_HELD_LINES_H

#include "explain/event_ring.h"
#include "explain/untold.h"
#include "observe/target.h"

struct held_lines;

struct held_lines *held_lines_new(void); /* NULL when memory is short */
/* Of a target that is removed; NULL is allowed. */
void held_lines_free(struct held_lines *held);

/* Whether the target's host cache may narrow the cause of the event. */
bool held_lines_host_cache_may_tell(const struct target *target, const struct abort_event *event);
/* False: it is not kept, for there is no place or no memory. Asks for a look at the host cache where that may tell. */
bool held_lines_add(struct held_lines *held, struct target *target, const struct abort_event *event);

/* A line that has waited long enough. user and host are those of the one account whose it can be, else NULL. */
typedef void held_line_fn(void *arg, struct target *target, struct abort_event *event, const char *user,
                          const char *host);
/* At the end of a good poll; or `all` of them, whatever is known. `untold` may be NULL. */
void held_lines_release(struct held_lines *held, struct target *target, const struct untold *untold, bool all,
                        held_line_fn *on_line, void *arg);

#endif
