/*
 * The kernel's own counters of this machine's network, as /proc/net has them: which of them concern connections that
 * fail, and reading them out of the files' texts. Those of the network namespace that we run in.
 */
#ifndef OBSERVE_NET_COUNTERS_H
#define OBSERVE_NET_COUNTERS_H

#include "base/strbuf.h"

#include <stddef.h>
#include <stdint.h>

/* Enum suffix, the group and the name that the kernel gives it (nstat joins the two), and what it means when it rises.
 * The most telling first: what is attached to events is in this order. `Interface` is ours: the sum over all
 * interfaces. */
#define NET_COUNTERS(X)                                                                                                \
    X(LISTEN_OVERFLOWS, "TcpExt", "ListenOverflows", "a connection was refused a place in a full accept queue")        \
    X(LISTEN_DROPS, "TcpExt", "ListenDrops", "a connection request was dropped")                                       \
    X(REQ_Q_FULL_DROP, "TcpExt", "TCPReqQFullDrop", "a SYN was dropped, the queue of half-open ones was full")         \
    X(REQ_Q_FULL_COOKIES, "TcpExt", "TCPReqQFullDoCookies", "that queue was full, and SYN cookies were sent")          \
    X(SYNCOOKIES_FAILED, "TcpExt", "SyncookiesFailed", "a SYN cookie came back wrong")                                 \
    X(ABORT_ON_TIMEOUT, "TcpExt", "TCPAbortOnTimeout", "a connection was given up, its peer no longer answered")       \
    X(ABORT_ON_MEMORY, "TcpExt", "TCPAbortOnMemory", "a connection was dropped, TCP had too much memory in use")       \
    X(ABORT_ON_DATA, "TcpExt", "TCPAbortOnData", "a socket was closed with data unread or still coming")               \
    X(ABORT_ON_CLOSE, "TcpExt", "TCPAbortOnClose", "a socket was closed with data unread")                             \
    X(ABORT_ON_LINGER, "TcpExt", "TCPAbortOnLinger", "a closed connection was given up after its linger time")         \
    X(ABORT_FAILED, "TcpExt", "TCPAbortFailed", "a reset could not be sent")                                           \
    X(TIMEOUTS, "TcpExt", "TCPTimeouts", "the peer did not acknowledge in time")                                       \
    X(SYN_RETRANS, "TcpExt", "TCPSynRetrans", "a SYN was sent again")                                                  \
    X(LOST_RETRANSMIT, "TcpExt", "TCPLostRetransmit", "what was sent again was lost, too")                             \
    X(RETRANS_FAIL, "TcpExt", "TCPRetransFail", "a segment could not be sent again")                                   \
    X(RETRANS_SEGS, "Tcp", "RetransSegs", "a segment was sent again")                                                  \
    X(ATTEMPT_FAILS, "Tcp", "AttemptFails", "an attempt to connect failed")                                            \
    X(BACKLOG_DROP, "TcpExt", "TCPBacklogDrop", "a segment was dropped, its socket was busy and its queue full")       \
    X(RCVQ_DROP, "TcpExt", "TCPRcvQDrop", "a segment was dropped, its socket's receive buffer was full")               \
    X(ZERO_WINDOW_DROP, "TcpExt", "TCPZeroWindowDrop", "a segment came for which there was no room")                   \
    X(PRUNE_CALLED, "TcpExt", "PruneCalled", "a socket's receive buffer had to be made smaller")                       \
    X(RCV_PRUNED, "TcpExt", "RcvPruned", "a segment was dropped for that")                                             \
    X(MEMORY_PRESSURES, "TcpExt", "TCPMemoryPressures", "TCP came near to its memory limit")                           \
    X(TIME_WAIT_OVERFLOW, "TcpExt", "TCPTimeWaitOverflow", "there were too many connections in TIME_WAIT")             \
    X(IN_ERRORS, "Tcp", "InErrs", "a broken segment came")                                                             \
    X(IN_CSUM_ERRORS, "Tcp", "InCsumErrors", "… by its checksum")                                                      \
    X(INTERFACE_ERRORS, "Interface", "Errors", "a network interface had an error")                                     \
    X(INTERFACE_DROPS, "Interface", "Drops", "a network interface dropped a packet")                                   \
    X(EMBRYONIC_RSTS, "TcpExt", "EmbryonicRsts", "a half-open connection was reset")                                   \
    X(ESTAB_RESETS, "Tcp", "EstabResets", "an established connection ended by a reset")                                \
    X(OUT_RSTS, "Tcp", "OutRsts", "a reset was sent")

enum net_counter {
#define NET_COUNTER_ENUM(id, group, name, meaning) NET_##id,
    NET_COUNTERS(NET_COUNTER_ENUM)
#undef NET_COUNTER_ENUM
        NET_COUNTER_COUNT
};

const char *net_counter_name(enum net_counter counter);  /* "TcpExtListenOverflows", as nstat prints it */
const char *net_counter_short(enum net_counter counter); /* "ListenOverflows" */
const char *net_counter_meaning(enum net_counter counter);

/* Counters since boot. Older kernels lack some. */
struct net_counters {
    uint64_t known; /* 1 << counter for each */
    uint64_t value[NET_COUNTER_COUNT];
};

enum { NET_INTERFACES_MAX = 64, NET_INTERFACE_NAME_MAX = 15 };

struct net_interface {
    char name[NET_INTERFACE_NAME_MAX + 1];
    uint64_t receive_errors, receive_drops, transmit_errors, transmit_drops;
};

struct net_interfaces {
    size_t count;     /* of those that are kept: the first in the file */
    uint64_t further; /* those that are only in the sums */
    struct net_interface kept[NET_INTERFACES_MAX];
};

/* Add what a file of the form of /proc/net/netstat and /proc/net/snmp holds: pairs of lines, names and then values.
 * What is not understood is passed over. */
void net_counters_read(struct net_counters *counters, struct span text);
/* … of the form of /proc/net/dev, into both; `interfaces` is set anew. */
void net_interfaces_read(struct net_counters *counters, struct net_interfaces *interfaces, struct span text);

#endif
