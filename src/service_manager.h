/*
 * What systemd is told of us, and when: ready, reloading, stopping, alive. Without a service manager nothing happens.
 *
 * libsystemd's sd_notify() waits for as long as nobody reads the manager's socket and its queue is full: a manager that
 * stands still would stop our loop. So the message is sent here, as sd_notify(3) describes it for programs without that
 * library; what does not fit now is said later.
 */
#ifndef SERVICE_MANAGER_H
#define SERVICE_MANAGER_H

#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

struct service_manager {
    int fd; /* -1: there is no manager */
    struct sockaddr_un address;
    socklen_t address_size;
    uv_timer_t alive, again;
    char untold[64]; /* the last state that was not taken; "" there is none */
};

/* Looks for the manager ($NOTIFY_SOCKET), and tells it that we are alive while the loop turns, where and as often as it
 * wants that ($WATCHDOG_USEC). */
void service_manager_start(struct service_manager *manager, uv_loop_t *loop);

/* Tells a state, such as "READY=1"; never waits. A state that is not taken is told later, unless another came since. */
void service_manager_tell(struct service_manager *manager, const char *state);

/* The timers are closed with the loop's next turn. */
void service_manager_stop(struct service_manager *manager);

#endif
