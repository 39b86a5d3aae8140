/*
 * Whether a target's server is on this machine, and if it is, its port is watched (host_network.h): as the
 * configuration says, or where that leaves it open, by the ends of the connection to it.
 */
#ifndef OBSERVE_LOCAL_NETWORK_H
#define OBSERVE_LOCAL_NETWORK_H

#include "observe/client.h"
#include "observe/target.h"

/* After a poll that succeeded, over `client`. */
void local_network_poll(struct target *target, struct client *client);
void local_network_end(struct target *target);

#endif
