/*
 * TCP_INFO; see tcp_facts.h.
 */
#include "observe/tcp_facts.h"

#include "base/clock.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

void tcp_facts_read(int fd, struct tcp_facts *out) {
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent)
        return;
    *out = (struct tcp_facts){
        .known = true,
        .rtt_ns = info.tcpi_rtt * NS_PER_US,
        .min_rtt_ns = info.tcpi_min_rtt * NS_PER_US,
        .rttvar_ns = info.tcpi_rttvar * NS_PER_US,
        .retransmissions = info.tcpi_total_retrans,
        .sent_bytes = info.tcpi_bytes_sent,
        .received_bytes = info.tcpi_bytes_received,
    };
}

bool tcp_peer_is_here(int fd) {
    union end {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } own = {.any = {0}}, peer = {.any = {0}};
    socklen_t own_len = sizeof own, peer_len = sizeof peer;
    if (getsockname(fd, &own.any, &own_len) < 0 || getpeername(fd, &peer.any, &peer_len) < 0)
        return false;
    if (peer.any.sa_family == AF_INET)
        return ntohl(peer.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET ||
               peer.v4.sin_addr.s_addr == own.v4.sin_addr.s_addr;
    return peer.any.sa_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(&peer.v6.sin6_addr) || IN6_ARE_ADDR_EQUAL(&peer.v6.sin6_addr, &own.v6.sin6_addr));
}
