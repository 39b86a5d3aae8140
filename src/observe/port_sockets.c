/*
 * Counting sockets; see port_sockets.h.
 */
#include "observe/port_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    ANSWER_BYTES = 64 * 1024, /* the kernel sends at most half of it at once */
    WAIT_S = 2,
    KERNEL_STATE_FIRST = 1,
};

/* The kernel's numbers as bits. Not simply all: for sockets that are bound and no more Linux 6.8 and later walk through
 * another, larger table. */
static const uint32_t part_states[] = {
    [SOCKETS_LISTENING] = UINT32_C(1) << (SOCKETS_LISTEN + KERNEL_STATE_FIRST),
    [SOCKETS_ALL] = ((UINT32_C(1) << SOCKETS_STATE_COUNT) - 1) << KERNEL_STATE_FIRST,
};

const char *tcp_state_name(enum tcp_state state) {
    static const char *const names[] = {
#define TCP_STATE_NAME(id, name) name,
        TCP_STATES(TCP_STATE_NAME)
#undef TCP_STATE_NAME
    };
    return names[state];
}

/* --- counting --- */

static int compare_port(const void *key, const void *element) {
    const uint16_t *port = key;
    const struct port_sockets *sockets = element;
    return (int)*port - (int)sockets->port;
}

/* `queue`, `limit` and `drops` are of a listening socket. */
static void count_socket(struct port_sockets *ports, size_t count, uint16_t port, unsigned kernel_state, uint64_t queue,
                         uint64_t limit, uint64_t drops) {
    struct port_sockets *sockets = bsearch(&port, ports, count, sizeof *ports, compare_port);
    unsigned state = kernel_state - KERNEL_STATE_FIRST;
    if (!sockets || state >= SOCKETS_STATE_COUNT)
        return;
    if (state == SOCKETS_LISTEN && (sockets->states[state] == 0 || queue > sockets->queue)) {
        sockets->queue = queue;
        sockets->queue_limit = limit;
    }
    sockets->drops += state == SOCKETS_LISTEN ? drops : 0;
    sockets->states[state]++;
}

static void forget(struct port_sockets *ports, size_t count, enum sockets_part part) {
    for (size_t i = 0; i < count; i++) {
        struct port_sockets empty = {.port = ports[i].port};
        if (part == SOCKETS_LISTENING)
            memcpy(empty.states, ports[i].states, sizeof empty.states);
        empty.states[SOCKETS_LISTEN] = 0;
        ports[i] = empty;
    }
}

/* --- by netlink --- */

/* What the kernel is asked for: sockets whose own port is not outside of those wanted. Each comparison takes its port
 * from the place of a second operation; "no" leads behind the end, which is a refusal. The older of the two kinds of
 * request, which ss sends too: it is answered for IPv4 and IPv6 in one walk. */
struct request {
    struct nlmsghdr header;
    struct inet_diag_req body;
    struct rtattr attribute;
    struct inet_diag_bc_op least, least_port, most, most_port;
};
enum {
    OPERATION_BYTES = 2 * sizeof(struct inet_diag_bc_op),
    FILTER_BYTES = 2 * OPERATION_BYTES,
    BEHIND_THE_END = sizeof(struct inet_diag_bc_op),
};

static int send_request(int fd, enum sockets_part part, uint16_t least, uint16_t most) {
    struct request request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = TCPDIAG_GETSOCK,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.idiag_family = AF_INET,
                 .idiag_ext = 1U << (INET_DIAG_SKMEMINFO - 1),
                 .idiag_states = part_states[part]},
        .attribute = {.rta_len = RTA_LENGTH(FILTER_BYTES), .rta_type = INET_DIAG_REQ_BYTECODE},
        .least = {INET_DIAG_BC_S_GE, OPERATION_BYTES, FILTER_BYTES + BEHIND_THE_END},
        .least_port = {.no = least},
        .most = {INET_DIAG_BC_S_LE, OPERATION_BYTES, OPERATION_BYTES + BEHIND_THE_END},
        .most_port = {.no = most},
    };
    return send(fd, &request, sizeof request, 0) < 0 ? -errno : 0;
}

/* Of `len` bytes that a message holds behind its header. */
static int answer_error(const char *body, size_t len) {
    struct nlmsgerr error;
    if (len < sizeof error)
        return -EPROTO;
    memcpy(&error, body, sizeof error);
    return error.error < 0 ? error.error : -EPROTO;
}

/* Of `len` bytes of attributes. 0 where none tells, as on kernels before 4.7. */
static uint64_t drops_of(const char *attributes, size_t len) {
    struct rtattr header;
    uint32_t drops;
    while (len >= sizeof header) {
        memcpy(&header, attributes, sizeof header);
        if (header.rta_len < sizeof header || header.rta_len > len)
            return 0;
        size_t place = RTA_LENGTH(SK_MEMINFO_DROPS * sizeof drops);
        if (header.rta_type == INET_DIAG_SKMEMINFO && header.rta_len >= place + sizeof drops) {
            memcpy(&drops, attributes + place, sizeof drops);
            return drops;
        }
        size_t step = RTA_ALIGN(header.rta_len) < len ? RTA_ALIGN(header.rta_len) : len;
        attributes += step;
        len -= step;
    }
    return 0;
}

int port_sockets_answer(struct port_sockets *ports, size_t count, struct span answer) {
    struct nlmsghdr header;
    struct inet_diag_msg m;
    while (answer.len >= sizeof header) {
        memcpy(&header, answer.ptr, sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > answer.len)
            return -EPROTO;
        const char *body = answer.ptr + NLMSG_HDRLEN;
        size_t len = header.nlmsg_len - sizeof header;
        if (header.nlmsg_type == NLMSG_DONE)
            return 0;
        if (header.nlmsg_type == NLMSG_ERROR)
            return answer_error(body, len);
        if (header.nlmsg_type == TCPDIAG_GETSOCK && len >= sizeof m) {
            memcpy(&m, body, sizeof m);
            count_socket(ports, count, ntohs(m.id.idiag_sport), m.idiag_state, m.idiag_rqueue, m.idiag_wqueue,
                         drops_of(body + sizeof m, len - sizeof m));
        }
        size_t step = NLMSG_ALIGN(header.nlmsg_len) < answer.len ? NLMSG_ALIGN(header.nlmsg_len) : answer.len;
        answer = (struct span){answer.ptr + step, answer.len - step};
    }
    return 1;
}

static int dump(int fd, struct port_sockets *ports, size_t count, enum sockets_part part, char *answer) {
    int rc = send_request(fd, part, ports[0].port, ports[count - 1].port);
    if (rc < 0)
        return rc;
    do {
        ssize_t len = recv(fd, answer, ANSWER_BYTES, 0);
        if (len <= 0)
            return len < 0 ? -errno : -EPROTO;
        rc = port_sockets_answer(ports, count, (struct span){answer, (size_t)len});
    } while (rc > 0);
    return rc;
}

static int open_netlink(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = WAIT_S}, sizeof(struct timeval));
    return fd;
}

int port_sockets_dump(struct port_sockets *ports, size_t count, enum sockets_part part) {
    forget(ports, count, part);
    if (count == 0)
        return 0;
    char *answer = malloc(ANSWER_BYTES);
    int fd = answer ? open_netlink() : -ENOMEM, rc = fd;
    if (rc >= 0)
        rc = dump(fd, ports, count, part, answer);
    if (fd >= 0)
        close(fd);
    free(answer);
    return rc;
}

/* --- by /proc --- */

static int digit_of(char c) {
    const char *digits = "0123456789ABCDEFabcdef", *at = c ? strchr(digits, c) : NULL;
    long place = at ? at - digits : -1;
    return (int)(place < 16 ? place : place - 6);
}

/* A hexadecimal number of at most 8 digits up to `end` or the end of the text; both are taken off. */
static bool take_hex(struct span *text, char end, uint64_t *out) {
    size_t len = 0;
    uint64_t value = 0;
    for (; len < text->len && len < 8 && digit_of(text->ptr[len]) >= 0; len++)
        value = value << 4 | (uint64_t)digit_of(text->ptr[len]);
    if (len == 0 || (len < text->len && text->ptr[len] != end))
        return false;
    *out = value;
    len += len < text->len;
    *text = (struct span){text->ptr + len, text->len - len};
    return true;
}

static struct span take_word(struct span *line) {
    while (line->len > 0 && *line->ptr == ' ')
        *line = (struct span){line->ptr + 1, line->len - 1};
    const char *end = line->len > 0 ? memchr(line->ptr, ' ', line->len) : NULL;
    struct span word = {line->ptr, end ? (size_t)(end - line->ptr) : line->len};
    *line = (struct span){line->ptr + word.len, line->len - word.len};
    return word;
}

/* "  12: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 …": the number, the own end, the other end, the state, what
 * waits to be sent and to be taken. Those that listen come first: false when it is behind what is wanted. */
static bool parse_line(struct port_sockets *ports, size_t count, enum sockets_part part, struct span line) {
    uint64_t port, state, sending, waiting;
    take_word(&line);
    struct span own = take_word(&line);
    const char *colon = own.len > 0 ? memchr(own.ptr, ':', own.len) : NULL;
    if (!colon)
        return true;
    own = (struct span){colon + 1, (size_t)(own.ptr + own.len - colon - 1)};
    take_word(&line);
    struct span text = take_word(&line), queues = take_word(&line);
    if (!take_hex(&own, ' ', &port) || port > UINT16_MAX || !take_hex(&text, ' ', &state) ||
        state - KERNEL_STATE_FIRST >= SOCKETS_STATE_COUNT)
        return true;
    if (!(part_states[part] >> state & 1))
        return false;
    if (take_hex(&queues, ':', &sending) && take_hex(&queues, ' ', &waiting))
        count_socket(ports, count, (uint16_t)port, (unsigned)state, waiting, 0, 0);
    return true;
}

bool port_sockets_parse(struct port_sockets *ports, size_t count, enum sockets_part part, struct span text) {
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        if (!parse_line(ports, count, part, (struct span){text.ptr, len}))
            return false;
        len += end != NULL;
        text = (struct span){text.ptr + len, text.len - len};
    }
    return true;
}

static int parse_file(struct port_sockets *ports, size_t count, enum sockets_part part, const char *path) {
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    if (!file)
        return -errno;
    while ((len = getline(&line, &room, file)) >= 0)
        if (!port_sockets_parse(ports, count, part, (struct span){line, (size_t)len}))
            break;
    int rc = ferror(file) ? -EIO : 0;
    free(line);
    fclose(file);
    return rc;
}

int port_sockets_read(struct port_sockets *ports, size_t count, enum sockets_part part, enum sockets_source *source) {
    *source = SOCKETS_BY_NETLINK;
    if (port_sockets_dump(ports, count, part) == 0)
        return 0;
    *source = SOCKETS_BY_PROC;
    forget(ports, count, part);
    int rc = parse_file(ports, count, part, "/proc/self/net/tcp");
    if (rc < 0)
        return rc;
    rc = parse_file(ports, count, part, "/proc/self/net/tcp6");
    return rc == -ENOENT ? 0 : rc;
}
