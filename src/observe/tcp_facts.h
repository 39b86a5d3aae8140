/*
 * What the kernel knows of a TCP connection (TCP_INFO): a file of its own, because <linux/tcp.h>, which has all of it,
 * cannot be included beside <netinet/tcp.h>.
 */
#ifndef OBSERVE_TCP_FACTS_H
#define OBSERVE_TCP_FACTS_H

#include <stdbool.h>
#include <stdint.h>

/* Durations are to the next TCP hop: a proxy, where there is one. Bytes are payload, sent ones with their repeats. */
struct tcp_facts {
    bool known;
    int64_t rtt_ns, min_rtt_ns, rttvar_ns;
    uint64_t retransmissions, sent_bytes, received_bytes;
};

/* The facts of the connection so far. *out stays as it is when `fd` is no TCP socket or the kernel is too old. */
void tcp_facts_read(int fd, struct tcp_facts *out);
/* Whether the other end is on this machine: its address is a loopback one, or that of our own end. */
bool tcp_peer_is_here(int fd);

#endif
