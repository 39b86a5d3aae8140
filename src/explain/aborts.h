/*
 * Abort lines and refused logins counted by reason and user per target, within a bound on label values, and all aborts
 * told in our own log. A sink of the judge, read by expose. A target of which the log says nothing costs no memory.
 */
#ifndef EXPLAIN_ABORTS_H
#define EXPLAIN_ABORTS_H

#include "explain/abort_event.h"
#include "observe/target.h"

#include <stddef.h>
#include <stdint.h>

/* One counted combination. The texts are the server's bytes, raw: whoever prints them escapes. */
struct abort_count {
    enum log_event_kind kind;
    const char *reason; /* as an English server words it; "" for refused logins; "other" where folded */
    const char *user;   /* "other" where folded; "" where the line named none */
    uint64_t count;
};

struct aborts;

/* `users_per_target` bounds the distinct user names that are kept per target. Anybody can make up names by failing to
 * log in, so refused logins may take only half of them. NULL when memory is short. */
struct aborts *aborts_new(uint64_t users_per_target);
void aborts_free(struct aborts *aborts); /* after the last target_removed(); NULL is allowed */
/* For names not seen yet; those that are kept stay. */
void aborts_set_limit(struct aborts *aborts, uint64_t users_per_target);
/* It writes a line to our log for each event. */
struct abort_sink aborts_sink(struct aborts *aborts);
/* The observer: target_removed, log_save and log_restore. */
struct observer aborts_observer(struct aborts *aborts);

/* Counted combinations of `target`, in a stable order; *count may be 0. Valid until the next event of that target. */
const struct abort_count *aborts_of(const struct target *target, size_t *count);
/* How many events were folded into "other" because a bound was reached. */
uint64_t aborts_folded(const struct target *target);
/* Lines that a client forged (see log_parser.h): counted here and nowhere else. */
uint64_t aborts_suspect(const struct target *target);

#endif
