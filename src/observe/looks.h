/*
 * Looks at servers that are not watched: who asks for one gets a poll and a probe made now, side by side, over
 * connections that are closed with COM_QUIT like all of ours. Looks with the same settings at the same time are one.
 */
#ifndef OBSERVE_LOOKS_H
#define OBSERVE_LOOKS_H

#include "config/config.h"
#include "observe/fleet.h"
#include "observe/target.h"

#define LOOKS_MAX 1000 /* at once; each takes two connections at most */

struct looks;

/* What was learnt: target->poll and target->probes; what has not ended in time is told as a timeout. Called once for
 * each look, from the loop. Take a reference on `target` to keep it. */
typedef void look_fn(void *arg, struct target *target);

/* `fleet` (borrowed) ends the connections that outlive their look. NULL when memory is short. */
struct looks *looks_new(uv_loop_t *loop, struct coroutines *coroutines, struct fleet *fleet);
/* Begin to look, or join a look that does not end later, within `limits` of labels. Takes `config` over: its timeouts
 * are cut to `timeout_ns`, of which its hold must be a part. 0; -EBUSY: LOOKS_MAX; -EINVAL: the hold is too long;
 * -ENOMEM. `fn` is called on success only, and not before this returns. */
int looks_begin(struct looks *looks, struct target_config *config, const struct limits_config *limits,
                int64_t timeout_ns, look_fn *fn, void *arg);
/* Tell all now, whatever is known, and leave the rest to the fleet, which is about to stop. None may begin any more. */
void looks_stop(struct looks *looks);
/* As target->self_aborts, of all looks that are over. Valid as long as `looks`. */
const uint64_t *looks_self_aborts(const struct looks *looks);
/* After the loop's last turn. NULL is allowed. */
void looks_free(struct looks *looks);

#endif
