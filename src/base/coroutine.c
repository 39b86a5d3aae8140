/*
 * Coroutines on the loop; see coroutine.h. Three parts: stacks (mmap with a guard page, pooled), switching (ucontext to
 * get onto a stack, then setjmp, which leaves the signal mask alone and so needs no system call; told to the sanitizers
 * and to valgrind), waiting (one epoll instance of ours inside the loop: a wait is one
 * EPOLLONESHOT registration, so a descriptor that was waited for can be closed or duplicated without anybody being
 * told).
 */
#undef _FORTIFY_SOURCE /* its longjmp() takes a jump to another stack for a corrupt one */
#include "base/coroutine.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#define STACK_BYTES (1024 * 1024) /* red zones make frames much larger */
#else
#define STACK_BYTES (128 * 1024) /* a TLS handshake with a certificate chain touches some 30 KB */
#endif

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define WITH_VALGRIND 1
#endif
#endif

#define GUARD_BYTES 4096
#define IDLE_MAX 8       /* pooled coroutines that nobody uses; more are given back … */
#define CROWD 64         /* … and, when there are so many fewer than there were, what malloc() keeps of theirs */
#define EVENTS_A_TURN 64 /* then the loop's other handles have their turn */

enum coroutine_state { IDLE, RUNNING, WAITING_FD, SLEEPING, PARKED };

struct coroutine {
    struct coroutines *all;
    struct coroutine *next; /* in the idle list */
    struct coroutine *live_next, *live_prev;
    enum coroutine_state state;
    coroutine_fn *fn;
    void *arg;
    void *local;
    struct coroutine **out; /* the starter's handle, until fn returns or the starter has it */

    char *stack;          /* lowest address, the guard page */
    jmp_buf here, caller; /* where it goes on; where it was resumed from */
    bool on_stack;        /* trampoline() runs: it can be jumped to */
    struct coroutine *resumed_by;

    uv_timer_t timer; /* the deadline of the present wait, or a turn of the loop for a wake-up */
    struct mono deadline;
    int last_fd; /* that was waited for */
    bool ready, woken, cancelled;
    bool wakeable; /* by coroutine_wake() */
#ifdef WITH_ASAN
    const void *caller_stack;
    size_t caller_stack_bytes;
#endif
#ifdef WITH_VALGRIND
    unsigned valgrind_id;
#endif
};

struct coroutines {
    uv_loop_t *loop;
    int epoll_fd;
    uv_poll_t poll;
    struct coroutine *idle;
    size_t idle_count;
    struct coroutine *live;
    size_t live_count;
    size_t most;    /* that lived at one time since the heap was trimmed, and then */
    size_t closing; /* handles whose close call-back is to come */
    bool freed;
};

static struct coroutine *running; /* one thread, so one */

/* --- stacks --- */

static char *stack_new(void) {
    size_t bytes = GUARD_BYTES + STACK_BYTES;
    char *stack =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return NULL;
    if (mprotect(stack, GUARD_BYTES, PROT_NONE) < 0) {
        munmap(stack, bytes);
        return NULL;
    }
    return stack;
}

static struct coroutine *coroutine_new(struct coroutines *all) {
    struct coroutine *co = calloc(1, sizeof *co);
    if (!co)
        return NULL;
    co->stack = stack_new();
    if (!co->stack) {
        free(co);
        return NULL;
    }
    co->all = all;
    uv_timer_init(all->loop, &co->timer);
    co->timer.data = co;
#ifdef WITH_VALGRIND
    co->valgrind_id = VALGRIND_STACK_REGISTER(co->stack + GUARD_BYTES, co->stack + GUARD_BYTES + STACK_BYTES);
#endif
    return co;
}

static void coroutines_free_now(struct coroutines *all) {
    if (all->freed && all->closing == 0)
        free(all);
}

static void timer_closed(uv_handle_t *handle) {
    struct coroutine *co = handle->data;
    struct coroutines *all = co->all;
    free(co);
    all->closing--;
    coroutines_free_now(all);
}

static void coroutine_destroy(struct coroutine *co) {
#ifdef WITH_VALGRIND
    VALGRIND_STACK_DEREGISTER(co->valgrind_id);
#endif
    munmap(co->stack, GUARD_BYTES + STACK_BYTES);
    co->all->closing++;
    uv_close((uv_handle_t *)&co->timer, timer_closed);
}

/* --- switching --- */

/* Give the stack back to who resumed us, until the next resume(). */
static void to_caller(struct coroutine *co) {
#ifdef WITH_ASAN
    void *fake = NULL;
    __sanitizer_start_switch_fiber(&fake, co->caller_stack, co->caller_stack_bytes);
#endif
    if (_setjmp(co->here) == 0)
        _longjmp(co->caller, 1);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(fake, &co->caller_stack, &co->caller_stack_bytes);
#endif
}

/* The bottom of each stack: one function after the other, for as long as the coroutine is pooled. */
static void trampoline(void) {
    struct coroutine *co = running;
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(NULL, &co->caller_stack, &co->caller_stack_bytes);
#endif
    for (;;) {
        co->fn(co->arg);
        co->state = IDLE;
        to_caller(co);
    }
}

/* A function of its own: getcontext() may return twice as far as the compiler knows. It never returns, so nothing of it
 * may lie on the caller's stack, where AddressSanitizer would keep red zones around it. */
static void stack_enter(struct coroutine *co) {
    static ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = co->stack + GUARD_BYTES;
    context.uc_stack.ss_size = STACK_BYTES;
    context.uc_link = NULL;
    makecontext(&context, trampoline, 0);
    co->on_stack = true;
    setcontext(&context);
}

static void to_coroutine(struct coroutine *co) {
#ifdef WITH_ASAN
    void *fake = NULL;
    __sanitizer_start_switch_fiber(&fake, co->stack + GUARD_BYTES, STACK_BYTES);
#endif
    if (_setjmp(co->caller) == 0) {
        if (!co->on_stack)
            stack_enter(co);
        _longjmp(co->here, 1);
    }
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

static void retire(struct coroutine *co) {
    struct coroutines *all = co->all;
    if (co->out)
        *co->out = NULL;
    if (co->live_prev)
        co->live_prev->live_next = co->live_next;
    else
        all->live = co->live_next;
    if (co->live_next)
        co->live_next->live_prev = co->live_prev;
    if (--all->live_count == 0)
        uv_unref((uv_handle_t *)&all->poll);
    uv_timer_stop(&co->timer);
    if (all->idle_count < IDLE_MAX) {
        co->next = all->idle;
        all->idle = co;
        all->idle_count++;
    } else {
        coroutine_destroy(co);
    }
    if (all->most >= all->live_count + CROWD) { /* bit by bit: a millisecond or so each time */
        malloc_trim(0);
        all->most = all->live_count;
    }
}

static void resume(struct coroutine *co) {
    co->resumed_by = running;
    co->state = RUNNING;
    running = co;
    to_coroutine(co);
    running = co->resumed_by;
    if (co->state == IDLE)
        retire(co);
}

int coroutine_start(struct coroutines *all, coroutine_fn *fn, void *arg, struct coroutine **out) {
    struct coroutine *co = all->idle;
    if (co) {
        all->idle = co->next;
        all->idle_count--;
    } else if (!(co = coroutine_new(all))) {
        return -ENOMEM;
    }
    co->fn = fn;
    co->arg = arg;
    co->local = NULL;
    co->last_fd = -1;
    co->ready = co->woken = co->wakeable = co->cancelled = false;
    co->live_prev = NULL;
    co->live_next = all->live;
    if (all->live)
        all->live->live_prev = co;
    all->live = co;
    if (all->live_count++ == 0)
        uv_ref((uv_handle_t *)&all->poll);
    if (all->most < all->live_count)
        all->most = all->live_count;
    co->out = out;
    if (out)
        *out = co;
    resume(co);
    return 0;
}

struct coroutine *coroutine_self(void) {
    return running;
}

uv_loop_t *coroutine_loop(void) {
    return running->all->loop;
}

void coroutine_set_local(void *value) {
    running->local = value;
}

void *coroutine_local(void) {
    return running ? running->local : NULL;
}

/* --- waiting --- */

static void timer_fired(uv_timer_t *timer);

/* libuv's timers count whole milliseconds from its cached time, so a timer may fire early: timer_fired() looks again.
 */
static void timer_arm(struct coroutine *co) {
    if (co->deadline.ns == MONO_NEVER.ns)
        return;
    int64_t left = mono_between(mono_now(), co->deadline);
    /* libuv fires a timer of 0 within this very turn: whoever gives way to others would give them nothing. */
    uint64_t ms = left > 0 ? (uint64_t)((left + NS_PER_MS - 1) / NS_PER_MS) : 1;
    uv_timer_start(&co->timer, timer_fired, ms, 0);
}

static void timer_fired(uv_timer_t *timer) {
    struct coroutine *co = timer->data;
    if (co->cancelled || (co->woken && co->wakeable) || !mono_before(mono_now(), co->deadline))
        resume(co);
    else
        timer_arm(co);
}

/* Give the stack back to the loop until something resumes us. */
static void yield(enum coroutine_state state, struct mono deadline) {
    struct coroutine *co = running;
    co->state = state;
    co->deadline = deadline;
    timer_arm(co);
    to_caller(co);
    uv_timer_stop(&co->timer);
}

static void epoll_ready(uv_poll_t *poll, int status, int events) {
    struct coroutines *all = poll->data;
    struct epoll_event event[EVENTS_A_TURN];
    (void)events;
    if (status < 0)
        return;
    int count = epoll_wait(all->epoll_fd, event, EVENTS_A_TURN, 0);
    /* A coroutine that runs here cannot take an event of this batch away from another: a wait that ends otherwise
     * (deadline, cancel) ends on the loop's stack, not from inside a coroutine. coroutines_cancel_all() may not be
     * called from one. */
    for (int i = 0; i < count; i++) {
        struct coroutine *co = event[i].data.ptr;
        if (co->state != WAITING_FD)
            continue;
        co->ready = true;
        resume(co);
    }
}

/* A loop that was busy sees the deadline first, also where the descriptor was ready before it. So have a last look;
 * but only once, or a peer that sends for ever would never be too late. */
static bool is_ready(int fd, int events) {
    struct pollfd look = {.fd = fd};
    if (events & UV_READABLE)
        look.events |= POLLIN | POLLRDHUP;
    if (events & UV_WRITABLE)
        look.events |= POLLOUT;
    return poll(&look, 1, 0) == 1 && !(look.revents & POLLNVAL);
}

static int wait_fd(int fd, int events, struct mono deadline) {
    struct coroutine *co = running;
    struct epoll_event event = {.events = EPOLLONESHOT, .data.ptr = co};
    if (co->cancelled)
        return -ECANCELED;
    /* A connect() to this machine has ended when it returns, and a socket that takes no more is rare: a look is cheaper
     * than a turn of the loop. */
    bool in_time = mono_before(mono_now(), deadline);
    if (in_time && events & UV_WRITABLE && is_ready(fd, UV_WRITABLE))
        return 1;
    if (events & UV_READABLE)
        event.events |= EPOLLIN | EPOLLRDHUP;
    if (events & UV_WRITABLE)
        event.events |= EPOLLOUT;
    int epoll_fd = co->all->epoll_fd;
    /* Whether it is registered already only the kernel knows: it may be another socket under an old number. Guess, then
     * obey. */
    int first = fd == co->last_fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int second = first == EPOLL_CTL_MOD ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(epoll_fd, first, fd, &event) < 0 &&
        ((errno != ENOENT && errno != EEXIST) || epoll_ctl(epoll_fd, second, fd, &event) < 0))
        return -errno;
    co->last_fd = fd;
    co->ready = false;
    yield(WAITING_FD, deadline);
    if (co->ready)
        return 1;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    if (co->cancelled)
        return -ECANCELED;
    return in_time && is_ready(fd, events);
}

int coroutine_wait_fd(int fd, int events, struct mono deadline) {
    return wait_fd(fd, events, deadline);
}

int coroutine_wait_fd_or_wake(int fd, int events, struct mono deadline) {
    struct coroutine *co = running;
    int rc = 0;
    co->wakeable = true;
    if (!co->woken)
        rc = wait_fd(fd, events, deadline);
    co->wakeable = false;
    if (rc == 0 && co->woken) {
        rc = -EINTR;
        co->woken = false;
    }
    return rc;
}

int coroutine_sleep_until(struct mono deadline) {
    if (!running->cancelled)
        yield(SLEEPING, deadline);
    return running->cancelled ? -ECANCELED : 0;
}

int coroutine_park(struct mono deadline) {
    struct coroutine *co = running;
    co->wakeable = true;
    if (!co->woken && !co->cancelled)
        yield(PARKED, deadline);
    co->wakeable = false;
    if (co->cancelled)
        return -ECANCELED;
    bool woken = co->woken;
    co->woken = false;
    return woken;
}

void coroutine_wake(struct coroutine *co) {
    co->woken = true;
    if (co->wakeable)
        uv_timer_start(&co->timer, timer_fired, 0, 0);
}

void coroutine_cancel(struct coroutine *co) {
    co->cancelled = true;
    if (co->state != RUNNING)
        uv_timer_start(&co->timer, timer_fired, 0, 0);
}

bool coroutine_cancelled(const struct coroutine *co) {
    return co->cancelled;
}

/* --- the pool --- */

struct coroutines *coroutines_new(uv_loop_t *loop) {
    struct coroutines *all = calloc(1, sizeof *all);
    if (!all)
        return NULL;
    all->loop = loop;
    all->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (all->epoll_fd < 0)
        goto fail;
    int rc = uv_poll_init(loop, &all->poll, all->epoll_fd);
    if (rc < 0) {
        errno = -rc;
        goto fail_close;
    }
    all->poll.data = all;
    uv_poll_start(&all->poll, UV_READABLE, epoll_ready);
    uv_unref((uv_handle_t *)&all->poll);
    return all;

fail_close:
    close(all->epoll_fd);
fail:
    free(all);
    return NULL;
}

void coroutines_cancel_all(struct coroutines *all) {
    for (struct coroutine *co = all->live; co; co = co->live_next)
        co->cancelled = true;
    while (all->live)
        resume(all->live); /* runs to its end: every wait of a cancelled coroutine returns at once */
}

size_t coroutines_alive(const struct coroutines *all) {
    return all->live_count;
}

static void poll_closed(uv_handle_t *handle) {
    struct coroutines *all = handle->data;
    close(all->epoll_fd);
    all->closing--;
    coroutines_free_now(all);
}

void coroutines_free(struct coroutines *all) {
    if (!all)
        return;
    all->freed = true;
    while (all->idle) {
        struct coroutine *co = all->idle;
        all->idle = co->next;
        coroutine_destroy(co);
    }
    all->closing++;
    uv_close((uv_handle_t *)&all->poll, poll_closed);
}
