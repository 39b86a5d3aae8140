/*
 * Listening addresses: what is taken, what is refused and how that is said.
 */
#include "expose/listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static bool can_connect(int family, const char *address, uint16_t port) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = socket(family, SOCK_STREAM, 0);
    int status = -1;
    if (fd >= 0 && family == AF_INET && inet_pton(family, address, &v4.sin_addr) == 1)
        status = connect(fd, (struct sockaddr *)&v4, sizeof v4);
    if (fd >= 0 && family == AF_INET6 && inet_pton(family, address, &v6.sin6_addr) == 1)
        status = connect(fd, (struct sockaddr *)&v6, sizeof v6);
    if (fd >= 0)
        close(fd);
    return status == 0;
}

static int open_ok(const char *address) {
    struct strbuf error;
    strbuf_init(&error, 1000);
    int fd = listen_open(address, &error);
    if (fd < 0)
        fail_msg("%s", strbuf_text(&error));
    assert_int_equal(error.len, 0);
    strbuf_release(&error);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(listen_port(fd) != 0);
    return fd;
}

static bool have_v6(void) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool have = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return have;
}

static void one_address_is_one_address(void **state) {
    (void)state;
    int fd = open_ok("127.0.0.1:0");
    assert_true(can_connect(AF_INET, "127.0.0.1", listen_port(fd)));
    assert_false(can_connect(AF_INET, "127.0.0.2", listen_port(fd)));
    close(fd);
    fd = open_ok("localhost:0");
    assert_true(can_connect(AF_INET, "127.0.0.1", listen_port(fd)));
    close(fd);
}

static void no_host_means_all_addresses(void **state) {
    (void)state;
    int fd = open_ok(":0");
    assert_true(can_connect(AF_INET, "127.0.0.1", listen_port(fd)));
    assert_true(can_connect(AF_INET, "127.0.0.2", listen_port(fd)));
    if (have_v6())
        assert_true(can_connect(AF_INET6, "::1", listen_port(fd)));
    close(fd);
}

static void v6_addresses_have_brackets(void **state) {
    (void)state;
    if (!have_v6()) {
        printf("skipped: no IPv6 here\n");
        skip();
    }
    int fd = open_ok("[::1]:0");
    assert_true(can_connect(AF_INET6, "::1", listen_port(fd)));
    assert_false(can_connect(AF_INET, "127.0.0.1", listen_port(fd)));
    close(fd);
}

static void assert_refused(const char *address, const char *expected) {
    struct strbuf error;
    strbuf_init(&error, 1000);
    assert_int_equal(listen_open(address, &error), -1);
    if (!strstr(strbuf_text(&error), expected))
        fail_msg("'%s' gave: %s", address, strbuf_text(&error));
    assert_null(strchr(strbuf_text(&error), '\n'));
    strbuf_release(&error);
}

static void what_is_wrong_is_said(void **state) {
    char taken[32], long_host[400];
    (void)state;
    assert_refused("", "it needs a port");
    assert_refused("localhost", "it needs a port");
    assert_refused("localhost:", "the port must be a number");
    assert_refused(":65536", "the port must be a number");
    assert_refused(":-1", "the port must be a number");
    assert_refused(":91o4", "the port must be a number");
    assert_refused("::1:9704", "[::1]:9704");
    assert_refused("[::1:9704", "[::1]:9704");
    assert_refused("[]:9704", "[::1]:9704");
    assert_refused("192.0.2.1:0", "Cannot assign requested address");
    memset(long_host, 'a', sizeof long_host);
    memcpy(long_host + 300, ":1", 3);
    assert_refused(long_host, "the host's name is too long");
    int fd = open_ok("127.0.0.1:0");
    snprintf(taken, sizeof taken, "127.0.0.1:%u", listen_port(fd));
    assert_refused(taken, "Address already in use");
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_is_one_address),
        cmocka_unit_test(no_host_means_all_addresses),
        cmocka_unit_test(v6_addresses_have_brackets),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
