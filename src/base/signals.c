/* Signals as events of the loop: see signals.h. */
#include "base/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* One at a time: the loop comes again while there are more. */
static void on_readable(uv_poll_t *poll, int status, int events) {
    struct signals *signals = poll->data;
    struct signalfd_siginfo info;
    (void)status, (void)events;
    if (read(signals->fd, &info, sizeof info) == (ssize_t)sizeof info)
        signals->got(signals->arg, (int)info.ssi_signo);
}

int signals_start(struct signals *signals, uv_loop_t *loop, const int *signums, signals_got_fn got, void *arg) {
    sigset_t set;
    sigemptyset(&set);
    for (; *signums; signums++)
        sigaddset(&set, *signums);
    *signals = (struct signals){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .got = got, .arg = arg};
    if (signals->fd < 0)
        return -errno;
    int rc = uv_poll_init(loop, &signals->poll, signals->fd);
    if (rc < 0) {
        close(signals->fd);
        return rc;
    }
    signals->poll.data = signals;
    uv_poll_start(&signals->poll, UV_READABLE, on_readable);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals->started = true;
    return 0;
}

void signals_stop(struct signals *signals) {
    if (!signals->started)
        return;
    uv_close((uv_handle_t *)&signals->poll, NULL);
    close(signals->fd);
    signals->started = false;
}
