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
