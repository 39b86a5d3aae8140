/*
 * The TCP sockets on a port of this machine, by state, and how full the queue of its listening socket is: by the
 * kernel's sock_diag, or where that is refused from /proc/net/tcp. Of the network namespace that we run in.
 */
#ifndef OBSERVE_PORT_SOCKETS_H
#define OBSERVE_PORT_SOCKETS_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*   enum suffix, name; in the order of the kernel's numbers, from 1 on */
#define TCP_STATES(X)                                                                                                  \
    X(ESTABLISHED, "established")                                                                                      \
    X(SYN_SENT, "syn_sent")                                                                                            \
    X(SYN_RECV, "syn_recv")                                                                                            \
    X(FIN_WAIT1, "fin_wait1")                                                                                          \
    X(FIN_WAIT2, "fin_wait2")                                                                                          \
    X(TIME_WAIT, "time_wait")                                                                                          \
    X(CLOSE, "close")                                                                                                  \
    X(CLOSE_WAIT, "close_wait")                                                                                        \
    X(LAST_ACK, "last_ack")                                                                                            \
    X(LISTEN, "listen")                                                                                                \
    X(CLOSING, "closing")

enum tcp_state {
#define TCP_STATE_ENUM(id, name) SOCKETS_##id,
    TCP_STATES(TCP_STATE_ENUM)
#undef TCP_STATE_ENUM
        SOCKETS_STATE_COUNT
};

const char *tcp_state_name(enum tcp_state state);

struct port_sockets {
    uint16_t port;
    uint64_t states[SOCKETS_STATE_COUNT];
    /* Of the listening socket (of the fullest, where there are several): connections that wait to be accepted, and how
     * many may; 0 not known. */
    uint64_t queue, queue_limit;
    /* Of all listening sockets since they listen: connections that found no place, and packets that could not be used.
     * Only the kernel's sock_diag tells. */
    uint64_t drops;
};

enum sockets_source { SOCKETS_BY_NETLINK, SOCKETS_BY_PROC };

/* What is counted: the listening sockets, of which the kernel has a short list of their own, or all, for which it walks
 * through all that there are. */
enum sockets_part { SOCKETS_LISTENING, SOCKETS_ALL };

/* Count that part of the sockets of `ports`, which are sorted by port and each there once; what is known of the rest
 * stays. Takes as long as the kernel needs: not for the loop. 0 with *source set, or a negative errno. */
int port_sockets_read(struct port_sockets *ports, size_t count, enum sockets_part part, enum sockets_source *source);

/* Its two ways. */
int port_sockets_dump(struct port_sockets *ports, size_t count, enum sockets_part part);
/* Add what a part of the kernel's answer says: 1 when there is more to come, 0 at the end, or a negative errno. */
int port_sockets_answer(struct port_sockets *ports, size_t count, struct span answer);
/* Add what lines of the form of /proc/net/tcp say. False: they end the part, the rest of the file need not be read. */
bool port_sockets_parse(struct port_sockets *ports, size_t count, enum sockets_part part, struct span text);

#endif
