/*
 * Signals that end or reload the program, as events of the loop.
 *
 * They are blocked for the rest of the process's life (signalfd(2)): with libuv's own watchers a signal that comes
 * after the watcher was closed, while the last state is being written, kills. Threads inherit the mask: start before
 * the first one.
 */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <stdbool.h>
#include <uv.h>

typedef void (*signals_got_fn)(void *arg, int signum);

struct signals {
    uv_poll_t poll;
    int fd;
    bool started;
    signals_got_fn got;
    void *arg;
};

/* Calls got(arg, signum) for each of `signums` (ends with 0) that comes from now on. 0, or a negative errno: then they
 * do what they did before. SIGPIPE is ignored from now on: each program here with a loop writes to sockets. */
int signals_start(struct signals *signals, uv_loop_t *loop, const int *signums, signals_got_fn got, void *arg);

/* What comes later does nothing; nor does this, where `signals` is all zero. The handle is closed with the loop's next
 * turn. */
void signals_stop(struct signals *signals);

#endif
