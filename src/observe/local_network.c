/*
 * Watching the ports of servers on this machine; see local_network.h.
 */
#include "observe/local_network.h"

#include "observe/host_network.h"

/* 0: it is on another machine, for all we know, or does not listen. */
static uint16_t local_port(const struct target *target, struct client *client) {
    const struct target_config *config = target->config;
    double asked = target_setting(target, "port");
    if (!target->network || config->host_network == HOST_NETWORK_OFF)
        return 0;
    if (config->address.socket) /* the only way in that does not tell the port */
        return asked >= 1 && asked <= UINT16_MAX ? (uint16_t)asked : 0;
    bool here = config->host_network == HOST_NETWORK_ON || client_peer_is_here(client);
    return here ? config->address.port : 0;
}

void local_network_poll(struct target *target, struct client *client) {
    uint16_t port = local_port(target, client);
    if (target->port_watch && port_watch_port(target->port_watch) == port)
        return;
    local_network_end(target);
    if (port)
        target->port_watch = host_network_watch(target->network, port, target->config->poll.interval_ns);
}

void local_network_end(struct target *target) {
    port_watch_end(target->port_watch);
    target->port_watch = NULL;
}
