/*
 * Straight-line code on the event loop: a coroutine runs until it must wait, waits for a descriptor, an instant or a
 * wake-up, and goes on. One thread, no locks. Stacks are pooled and guarded; a coroutine that only waits costs its
 * stack's touched pages. (The model is QEMU's util/coroutine-ucontext.c.)
 *
 * Rules: a coroutine function returns, it is never torn down from outside; coroutine_cancel() asks, and every wait of a
 * cancelled coroutine returns -ECANCELED at once. Wait functions may be called from inside a coroutine only.
 */
#ifndef BASE_COROUTINE_H
#define BASE_COROUTINE_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct coroutines; /* the pool, one for a loop */
struct coroutine;

typedef void coroutine_fn(void *arg);

/* NULL with errno set when the system refuses. `loop` must outlive the pool. */
struct coroutines *coroutines_new(uv_loop_t *loop);
/* Ask every coroutine to end. They run (and clean up) inside this call. */
void coroutines_cancel_all(struct coroutines *all);
/* How many live. */
size_t coroutines_alive(const struct coroutines *all);
/* Close the handles; all coroutines must have ended. Memory is freed when the loop has run once more after it. NULL is
 * allowed. */
void coroutines_free(struct coroutines *all);

/* Start `fn(arg)`, which runs at once up to its first wait. 0, or -ENOMEM when no stack is to be had. *out (may be
 * NULL) is valid until fn returns; it is set before fn runs, and set to NULL if fn has already returned. */
int coroutine_start(struct coroutines *all, coroutine_fn *fn, void *arg, struct coroutine **out);
/* The one that runs now, NULL on the loop's own stack. */
struct coroutine *coroutine_self(void);
/* The loop of the one that runs now. */
uv_loop_t *coroutine_loop(void);
/* Make the present and all later waits of `co` return -ECANCELED. Returns before `co` has run. */
void coroutine_cancel(struct coroutine *co);
bool coroutine_cancelled(const struct coroutine *co);
/* End a coroutine_park() or coroutine_wait_fd_or_wake() of `co`. In another state the wake-up is kept for the next. */
void coroutine_wake(struct coroutine *co);

/* Wait until `fd` is ready for any of UV_READABLE | UV_WRITABLE or broken. 1 ready (by the deadline, however late the
 * loop is; at once where it can be written to already), 0 at the deadline, -ECANCELED, or another negative errno when
 * `fd` cannot be waited for. Nothing stays registered for `fd` afterwards. */
int coroutine_wait_fd(int fd, int events, struct mono deadline);
/* The same, but coroutine_wake() ends it too: -EINTR. */
int coroutine_wait_fd_or_wake(int fd, int events, struct mono deadline);
/* 0 at the deadline, -ECANCELED. Where it has passed, the loop has its turn all the same. */
int coroutine_sleep_until(struct mono deadline);
/* Wait for coroutine_wake(): 1 woken, 0 at the deadline, -ECANCELED. */
int coroutine_park(struct mono deadline);

/* A pointer of the owner's that callbacks without a user argument can find: set and read on the running coroutine. */
void coroutine_set_local(void *value);
void *coroutine_local(void);

#endif
