/*
 * Tells systemd how we are; see service_manager.h.
 */
#include "service_manager.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define AGAIN_MS 200

/* A path, or the name of an abstract socket behind '@'. Not connected: the manager may make its socket anew. */
static void find(struct service_manager *manager, const char *name) {
    size_t length = name ? strlen(name) : 0;
    manager->fd = -1;
    manager->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (length < 2 || length >= sizeof manager->address.sun_path || (name[0] != '/' && name[0] != '@'))
        return;
    memcpy(manager->address.sun_path, name, length);
    if (name[0] == '@')
        manager->address.sun_path[0] = '\0';
    manager->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Whether it need not be said again. */
static bool told(const struct service_manager *manager, const char *state) {
    return manager->fd < 0 ||
           sendto(manager->fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&manager->address,
                  manager->address_size) >= 0 ||
           errno != EAGAIN;
}

static void on_alive(uv_timer_t *timer) {
    const struct service_manager *manager = timer->data;
    told(manager, "WATCHDOG=1"); /* the next one says the same */
}

static void on_again(uv_timer_t *timer) {
    struct service_manager *manager = timer->data;
    if (!told(manager, manager->untold))
        return;
    manager->untold[0] = '\0';
    uv_timer_stop(timer);
}

void service_manager_start(struct service_manager *manager, uv_loop_t *loop) {
    uint64_t usec = 0;
    find(manager, getenv("NOTIFY_SOCKET"));
    manager->untold[0] = '\0';
    uv_timer_init(loop, &manager->alive);
    uv_timer_init(loop, &manager->again);
    manager->alive.data = manager->again.data = manager;
    if (sd_watchdog_enabled(0, &usec) > 0) {
        uint64_t half_ms = usec / 2000 ? usec / 2000 : 1;
        uv_timer_start(&manager->alive, on_alive, half_ms, half_ms);
    }
}

void service_manager_tell(struct service_manager *manager, const char *state) {
    if (told(manager, state)) {
        manager->untold[0] = '\0';
        uv_timer_stop(&manager->again);
        return;
    }
    snprintf(manager->untold, sizeof manager->untold, "%s", state);
    uv_timer_start(&manager->again, on_again, AGAIN_MS, AGAIN_MS);
}

void service_manager_stop(struct service_manager *manager) {
    uv_close((uv_handle_t *)&manager->alive, NULL);
    uv_close((uv_handle_t *)&manager->again, NULL);
    if (manager->fd >= 0)
        close(manager->fd);
    manager->fd = -1;
}
