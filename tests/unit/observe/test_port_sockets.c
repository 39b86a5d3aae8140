/*
 * Sockets by state: of this kernel by both ways, out of recorded lines, and out of what no kernel writes.
 */
#include "observe/port_sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PORT = 0x0CEA /* 3306 */ };

static const char recorded[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000003 00:00000000 00000000   105        0 22614 1 "
    "0000000000000000\n"
    "   1: 0100007F:0CEA 0100007F:D4FC 01 00000000:00000000 00:00000000 00000000   105        0 31007 1 "
    "0000000000000000\n"
    "   2: 0100007F:D4FC 0100007F:0CEA 01 00000000:00000000 00:00000000 00000000     0        0 30229 1 "
    "0000000000000000\n"
    "   3: 0100007F:0CEA 0100007F:D4FE 08 00000001:00000000 00:00000000 00000000   105        0 31008 1 "
    "0000000000000000\n"
    "   4: 0100007F:0CEA 0100007F:D4C0 06 00000000:00000000 03:00000A2F 00000000     0        0 0 3 0000000000000000\n"
    "   5: 0100007F:0CEB 0100007F:D4C2 06 00000000:00000000 03:00000A2F 00000000     0        0 0 3 0000000000000000\n"
    "   6: 0000000000000000FFFF00000100007F:0CEA 0000000000000000FFFF00000100007F:D4C4 01 00000000:00000000 "
    "00:00000000 "
    "00000000   105        0 31010 1 0000000000000000\n";

static struct port_sockets parse(const char *text) {
    struct port_sockets ports[] = {{.port = 80}, {.port = PORT}, {.port = 9000}};
    char *exact = malloc(strlen(text) + !*text);
    memcpy(exact, text, strlen(text));
    port_sockets_parse(ports, 3, SOCKETS_ALL, (struct span){exact, strlen(text)});
    free(exact);
    for (int i = 0; i < SOCKETS_STATE_COUNT; i++)
        assert_int_equal(ports[0].states[i] + ports[2].states[i], 0);
    return ports[1];
}

static void lines_of_proc(void **state) {
    (void)state;
    struct port_sockets p = parse(recorded);
    assert_int_equal(p.states[SOCKETS_ESTABLISHED], 2);
    assert_int_equal(p.states[SOCKETS_CLOSE_WAIT], 1);
    assert_int_equal(p.states[SOCKETS_TIME_WAIT], 1);
    assert_int_equal(p.states[SOCKETS_LISTEN], 1);
    assert_int_equal(p.queue, 3);
    assert_int_equal(p.queue_limit, 0);
}

/* They come first in the file, and what comes behind them is not looked at. */
static void lines_of_those_that_listen(void **state) {
    (void)state;
    struct port_sockets port = {.port = PORT, .states[SOCKETS_TIME_WAIT] = 4};
    assert_false(port_sockets_parse(&port, 1, SOCKETS_LISTENING, (struct span){recorded, strlen(recorded)}));
    assert_int_equal(port.states[SOCKETS_LISTEN], 1);
    assert_int_equal(port.queue, 3);
    assert_int_equal(port.states[SOCKETS_ESTABLISHED], 0);
    assert_int_equal(port.states[SOCKETS_TIME_WAIT], 4);
    static const char listens[] = "0: a:0CEA b 0A 1:1";
    assert_true(port_sockets_parse(&port, 1, SOCKETS_LISTENING, (struct span){listens, sizeof listens - 1}));
    assert_int_equal(port.states[SOCKETS_LISTEN], 2);
}

static void hostile_lines(void **state) {
    (void)state;
    static const char *const cases[] = {"",
                                        "\n\n",
                                        "0:",
                                        "0: :",
                                        "0: x:0CEA",
                                        "0: a:0CEA b 01",
                                        "0: a:0CEA b 01 1",
                                        "0: a:0CEA b 01 1:",
                                        "0: a:0CEA b 0C 1:1",
                                        "0: a:0CEA b 00 1:1",
                                        "0: a:0CEA b 100000001 1:1",
                                        "0: a:10CEA b 01 1:1",
                                        "0: a:0CEg b 01 1:1",
                                        "0: a:0CEA b 01 g:1",
                                        "0: a:000000CEA b 01 1:1",
                                        "0: a0CEA b 01 1:1"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct port_sockets p = parse(cases[i]);
        for (int k = 0; k < SOCKETS_STATE_COUNT; k++)
            assert_int_equal(p.states[k], 0);
    }
    assert_int_equal(parse("0: a:0CEA b 01 1:1").states[SOCKETS_ESTABLISHED], 1);
    assert_int_equal(parse("0: a:0cea b 01 1:1").states[SOCKETS_ESTABLISHED], 1);
    char text[sizeof recorded];
    for (size_t i = 0; i + 1 < sizeof recorded; i++) {
        memcpy(text, recorded, sizeof text);
        text[i] = '\0';
        parse(text);
        text[i] = ' ';
        parse(text);
    }
}

/* --- the kernel's answers --- */

struct message {
    struct nlmsghdr header;
    struct inet_diag_msg body;
};

static struct message established(void) {
    return (struct message){
        .header = {.nlmsg_len = sizeof(struct message), .nlmsg_type = TCPDIAG_GETSOCK},
        .body = {.idiag_state = 1, .id.idiag_sport = htons(PORT)},
    };
}

static int answer(const void *data, size_t len, uint64_t *counted) {
    struct port_sockets port = {.port = PORT};
    char *exact = malloc(len + !len);
    memcpy(exact, data, len);
    int rc = port_sockets_answer(&port, 1, (struct span){exact, len});
    free(exact);
    *counted = port.states[SOCKETS_ESTABLISHED];
    return rc;
}

static void hostile_answers(void **state) {
    (void)state;
    uint64_t counted;
    struct message m[2] = {established(), established()};
    assert_int_equal(answer(m, sizeof m, &counted), 1);
    assert_int_equal(counted, 2);
    for (size_t len = 0; len < sizeof m; len++) {
        answer(m, len, &counted);
        assert_int_equal(counted, len >= sizeof *m);
    }
    m[1].header.nlmsg_type = NLMSG_DONE;
    assert_int_equal(answer(m, sizeof m, &counted), 0);
    m[1].header.nlmsg_type = NLMSG_ERROR;
    memcpy(&m[1].body, &(int){-EPERM}, sizeof(int));
    assert_int_equal(answer(m, sizeof m, &counted), -EPERM);
    memcpy(&m[1].body, &(int){0}, sizeof(int)); /* an acknowledgement that nobody asked for */
    assert_int_equal(answer(m, sizeof m, &counted), -EPROTO);
    m[1].header.nlmsg_len = sizeof m[1].header;
    assert_int_equal(answer(m, sizeof m, &counted), -EPROTO);
    static const uint32_t lengths[] = {0, 1, sizeof(struct nlmsghdr) - 1, sizeof m + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        m[0] = established();
        m[0].header.nlmsg_len = lengths[i];
        assert_int_equal(answer(m, sizeof m, &counted), -EPROTO);
    }
    for (int i = 0; i < 256; i++) { /* states and ports that there are not */
        m[0] = m[1] = established();
        m[0].body.idiag_state = (uint8_t)i;
        m[1].body.id.idiag_sport = (uint16_t)i;
        answer(m, sizeof m, &counted);
        assert_int_equal(counted, i == 1);
    }
}

struct listening {
    struct message message;
    struct rtattr other, attribute;
    uint32_t memory[SK_MEMINFO_VARS];
};

static struct listening listening(uint32_t drops) {
    struct listening l = {.message = established(),
                          .other = {.rta_len = sizeof(struct rtattr)},
                          .attribute = {RTA_LENGTH(sizeof l.memory), INET_DIAG_SKMEMINFO},
                          .memory = {[SK_MEMINFO_DROPS] = drops}};
    l.message.header.nlmsg_len = sizeof l;
    l.message.body.idiag_state = 1 + SOCKETS_LISTEN;
    return l;
}

static uint64_t drops_in(const struct listening *l) {
    struct port_sockets port = {.port = PORT};
    char *exact = malloc(l->message.header.nlmsg_len);
    memcpy(exact, l, l->message.header.nlmsg_len);
    assert_int_equal(port_sockets_answer(&port, 1, (struct span){exact, l->message.header.nlmsg_len}), 1);
    assert_int_equal(port.states[SOCKETS_LISTEN], l->message.body.idiag_state == 1 + SOCKETS_LISTEN);
    free(exact);
    return port.drops;
}

static void what_a_listening_socket_dropped(void **state) {
    (void)state;
    struct listening l = listening(7);
    assert_int_equal(drops_in(&l), 7);
    l.message.body.idiag_state = 1; /* of a connection */
    assert_int_equal(drops_in(&l), 0);
    for (uint32_t len = sizeof(struct message); len < sizeof l; len++) {
        l = listening(7);
        l.message.header.nlmsg_len = len;
        assert_int_equal(drops_in(&l), 0);
    }
    for (unsigned len = 0; len <= UINT16_MAX; len++) {
        l = listening(7);
        l.attribute.rta_len = (uint16_t)len;
        assert_int_equal(drops_in(&l), len == RTA_LENGTH(sizeof l.memory) ? 7 : 0);
    }
    static const uint16_t lengths[] = {0, 1, sizeof(struct rtattr) - 1, sizeof l, UINT16_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        l = listening(7);
        l.other.rta_len = lengths[i];
        assert_int_equal(drops_in(&l), 0);
    }
}

/* --- this kernel --- */

static int listener(int family, uint16_t *port) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(family, SOCK_STREAM, 0);
    union {
        struct sockaddr any;
        struct sockaddr_in6 v6;
    } own = {.any = {0}};
    socklen_t len = sizeof own;
    int rc =
        family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof v4) : bind(fd, (struct sockaddr *)&v6, sizeof v6);
    if (rc < 0 || listen(fd, 5) < 0 || getsockname(fd, &own.any, &len) < 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(own.v6.sin6_port); /* in the same place in both */
    return fd;
}

static int client_of(int family, uint16_t port) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(port)};
    int fd = socket(family, SOCK_STREAM, 0);
    assert_int_equal(family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof v4)
                                       : connect(fd, (struct sockaddr *)&v6, sizeof v6),
                     0);
    return fd;
}

static void count_these(int family, enum sockets_source wanted) {
    uint16_t port;
    int listening = listener(family, &port);
    if (listening < 0)
        return; /* a machine without this family */
    int clients[3] = {client_of(family, port), client_of(family, port), client_of(family, port)};
    int accepted = accept(listening, NULL, NULL);
    struct port_sockets ports[] = {{.port = (uint16_t)(port - 1)}, {.port = port}, {.port = (uint16_t)(port + 1)}};
    enum sockets_source source = SOCKETS_BY_NETLINK;
    if (wanted == SOCKETS_BY_NETLINK) {
        int rc = port_sockets_dump(ports, 3, SOCKETS_ALL);
        if (rc < 0) { /* sock_diag is refused here */
            print_message("# figure: sock_diag: %s\n", strerror(-rc));
            wanted = SOCKETS_BY_PROC;
        }
    }
    assert_int_equal(port_sockets_read(ports, 3, SOCKETS_ALL, &source), 0);
    assert_int_equal(source, wanted);
    assert_int_equal(ports[1].states[SOCKETS_LISTEN], 1);
    assert_int_equal(ports[1].states[SOCKETS_ESTABLISHED], 3);
    assert_int_equal(ports[1].queue, 2);
    if (source == SOCKETS_BY_NETLINK)
        assert_int_equal(ports[1].queue_limit, 5);
    assert_int_equal(shutdown(clients[0], SHUT_WR), 0);
    assert_int_equal(port_sockets_read(ports, 3, SOCKETS_ALL, &source), 0);
    assert_int_equal(ports[1].states[SOCKETS_CLOSE_WAIT], 1);
    assert_int_equal(ports[1].states[SOCKETS_ESTABLISHED], 2);
    int fourth = client_of(family, port);
    assert_int_equal(port_sockets_read(ports, 3, SOCKETS_LISTENING, &source), 0);
    assert_int_equal(source, wanted);
    assert_int_equal(ports[1].states[SOCKETS_LISTEN], 1);
    assert_int_equal(ports[1].queue, 3);
    assert_int_equal(ports[1].states[SOCKETS_ESTABLISHED], 2); /* as it was known */
    assert_int_equal(port_sockets_read(ports, 3, SOCKETS_ALL, &source), 0);
    assert_int_equal(ports[1].states[SOCKETS_ESTABLISHED], 3);
    close(fourth);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    close(accepted);
    close(listening);
}

static void sockets_of_this_kernel(void **state) {
    (void)state;
    count_these(AF_INET, SOCKETS_BY_NETLINK);
    count_these(AF_INET6, SOCKETS_BY_NETLINK);
    enum sockets_source source;
    assert_int_equal(port_sockets_read(NULL, 0, SOCKETS_ALL, &source), 0);
    assert_int_equal(port_sockets_read(NULL, 0, SOCKETS_LISTENING, &source), 0);
}

/* As systemd's RestrictAddressFamilies= does. For the rest of the process's life. */
static void refuse_netlink(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void where_netlink_is_refused(void **state) {
    (void)state;
    refuse_netlink();
    struct port_sockets port = {.port = PORT};
    assert_int_equal(port_sockets_dump(&port, 1, SOCKETS_ALL), -EAFNOSUPPORT);
    count_these(AF_INET, SOCKETS_BY_PROC);
    count_these(AF_INET6, SOCKETS_BY_PROC);
}

/* Others use the same port at another address now and then, and would be counted: in a network of our own there are
 * none. */
static void be_alone(void) {
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return; /* neither root, nor may anybody do so */
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCSIFFLAGS, &loopback) < 0)
        print_error("lo is not up: %s\n", strerror(errno));
    close(fd);
}

int main(void) {
    be_alone();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_proc),
        cmocka_unit_test(lines_of_those_that_listen),
        cmocka_unit_test(hostile_lines),
        cmocka_unit_test(hostile_answers),
        cmocka_unit_test(what_a_listening_socket_dropped),
        cmocka_unit_test(sockets_of_this_kernel),
        cmocka_unit_test(where_netlink_is_refused), /* the last */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
