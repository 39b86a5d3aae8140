/*
 * The HTTP server on a real loop, in a thread of its own here, with real sockets: what it answers, and that one reader
 * does not hold up another.
 */
#include "base/number.h"
#include "expose/http.h"
#include "expose/render.h"

#include "fake_targets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* --- a fleet of fakes instead of observe's --- */

enum { TARGETS = 300 };
static struct target *fakes[TARGETS];
static bool all_tried;

size_t fleet_count(const struct fleet *fleet) {
    (void)fleet;
    return TARGETS;
}

struct target *fleet_target(const struct fleet *fleet, size_t index) {
    (void)fleet;
    return fakes[index];
}

bool fleet_all_tried(const struct fleet *fleet) {
    (void)fleet;
    return __atomic_load_n(&all_tried, __ATOMIC_SEQ_CST);
}

/* --- the server --- */

static struct {
    uv_loop_t loop;
    uv_async_t stop;
    uv_check_t turn;
    unsigned turns; /* of the loop, so far */
    pthread_t thread;
    struct http *http;
    struct exporter_state exporter;
    uint16_t port;
    char *page; /* /metrics as render makes it, without the last part, which moves by itself */
} server;

static void on_turn(uv_check_t *turn) {
    (void)turn;
    __atomic_add_fetch(&server.turns, 1, __ATOMIC_SEQ_CST);
}

static void on_stop(uv_async_t *async) {
    http_stop(server.http);
    uv_close((uv_handle_t *)&server.turn, NULL);
    uv_close((uv_handle_t *)async, NULL);
}

static void *run_loop(void *arg) {
    uv_run(&server.loop, UV_RUN_DEFAULT);
    return arg;
}

static void render_expected(void) {
    struct strbuf page;
    strbuf_init(&page, 1 << 28);
    struct render *render = render_begin(fakes, TARGETS, &server.exporter, FORMAT_TEXT);
    while (render_next(render, &page, SIZE_MAX))
        ;
    render_end(render);
    server.page = strbuf_detach(&page);
    *strstr(server.page, "# HELP process_cpu") = '\0';
}

static struct http *start_on(const char *address, const struct exporter_state *exporter, struct strbuf *error) {
    const struct http_settings settings = {.listen_addresses = &address, .listen_count = 1, .route_prefix = ""};
    return http_start(&server.loop, &settings, NULL, exporter, error);
}

static uint16_t listening_port(void) {
    struct strbuf address;
    uint64_t port;
    strbuf_init(&address, 100);
    assert_true(http_address(server.http, 0, &address));
    assert_int_equal(number_parse_u64(span_of(strrchr(strbuf_text(&address), ':') + 1), UINT16_MAX, &port), 0);
    strbuf_release(&address);
    return (uint16_t)port;
}

static int start(void **state) {
    struct strbuf error;
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < TARGETS; i++) {
        char name[32];
        snprintf(name, sizeof name, "target-%d", i);
        fake_up(fakes[i] = fake_target(name));
    }
    strbuf_init(&error, 1000);
    server.exporter = fake_state();
    render_expected();
    uv_loop_init(&server.loop);
    uv_async_init(&server.loop, &server.stop, on_stop);
    uv_check_init(&server.loop, &server.turn);
    uv_check_start(&server.turn, on_turn);
    server.http = start_on("127.0.0.1:0", &server.exporter, &error);
    if (!server.http) {
        print_error("%s\n", strbuf_text(&error));
        return -1;
    }
    http_serve(server.http);
    server.port = listening_port();
    return pthread_create(&server.thread, NULL, run_loop, NULL);
}

/* Also while clients are in the middle of a page: everything is given back. */
static int stop(void **state) {
    (void)state;
    uv_async_send(&server.stop);
    pthread_join(server.thread, NULL);
    free(server.page);
    int leaks = uv_loop_close(&server.loop);
    for (int i = 0; i < TARGETS; i++) {
        leaks |= fakes[i]->refs != 1;
        fake_target_free(fakes[i]);
    }
    return leaks ? -1 : 0;
}

/* --- a client --- */

static int dial(int receive_buffer) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(server.port)};
    struct timeval limit = {.tv_sec = 60};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, const char *text) {
    size_t len = strlen(text);
    ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
    assert_true(sent == (ssize_t)len || errno == EPIPE || errno == ECONNRESET);
}

/* All that comes until the server closes; to be free()d. */
static char *hear(int fd) {
    struct strbuf answer;
    ssize_t len;
    strbuf_init(&answer, 1 << 28);
    do {
        char *room = strbuf_room(&answer, 65536);
        assert_non_null(room);
        len = recv(fd, room, 65536, 0);
        if (len > 0)
            strbuf_grew(&answer, (size_t)len);
    } while (len > 0);
    if (len < 0)
        assert_int_equal(errno, ECONNRESET); /* and not the time limit */
    close(fd);
    char *text = strbuf_detach(&answer);
    return text ? text : strdup("");
}

static char *ask(const char *method, const char *path, const char *more) {
    char request[1000];
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", method, path, more);
    int fd = dial(0);
    say(fd, request);
    return hear(fd);
}

static void assert_answer(char *answer, const char *status, const char *has) {
    char line[64];
    snprintf(line, sizeof line, "HTTP/1.1 %s ", status);
    if (strncmp(answer, line, strlen(line)) != 0 || !strstr(answer, has))
        fail_msg("expected %s and '%s', got: %.1000s", status, has, answer);
    free(answer);
}

/* The body of a chunked answer, whose end must be there; its length. */
static size_t unchunk(char *answer) {
    char *in = strstr(answer, "\r\n\r\n"), *out = answer;
    assert_non_null(in);
    assert_non_null(strcasestr(answer, "transfer-encoding: chunked"));
    for (in += 4;;) {
        size_t len = strtoul(in, &in, 16);
        assert_memory_equal(in, "\r\n", 2);
        memmove(out, in + 2, len);
        out += len;
        in += 2 + len;
        assert_memory_equal(in, "\r\n", 2);
        in += 2;
        if (len == 0)
            break;
    }
    assert_string_equal(in, "");
    *out = '\0';
    return (size_t)(out - answer);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void assert_whole_page(char *answer) {
    assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    unchunk(answer);
    assert_int_equal(strncmp(answer, server.page, strlen(server.page)), 0);
    assert_non_null(strstr(answer, "\nprocess_virtual_memory_bytes "));
    free(answer);
}

/* --- tests --- */

static void pages_are_served(void **state) {
    (void)state;
    assert_answer(ask("GET", "/metrics", ""), "200", "\r\nX-Content-Type-Options: nosniff\r\n");
    assert_whole_page(ask("GET", "/metrics", ""));
    assert_whole_page(ask("GET", "/metrics?name%5B%5D=x", ""));
    assert_answer(ask("GET", "/", ""), "200", "\r\nContent-Type: text/html; charset=utf-8\r\n");
    assert_answer(ask("GET", "/", ""), "200", "\r\nContent-Security-Policy: default-src 'none'; ");
    assert_answer(ask("GET", "/?page=6", ""), "200", "target-299");
    assert_answer(ask("GET", "/?find=target-299&page=", ""), "200", ">target-299<");
    assert_answer(ask("GET", "/?page=x", ""), "400", "Parameter &#39;page&#39;: wanted is a number");
    assert_answer(ask("GET", "/target?target=target-299", ""), "200",
                  "\r\nContent-Security-Policy: default-src 'none'; ");
    assert_answer(ask("GET", "/target?target=target", ""), "404", "No such target");
    assert_answer(ask("GET", "/target", ""), "404", "No such target");
    assert_answer(ask("GET", "/static/status.css", ""), "200", "\r\nContent-Type: text/css; charset=utf-8\r\n");
    assert_answer(ask("GET", "/static/status.css", ""), "200", "prefers-color-scheme");
    assert_answer(ask("GET", "/static/status.js", ""), "200", "\r\nContent-Type: text/javascript; charset=utf-8\r\n");
    assert_answer(ask("GET", "/static/icon.svg", ""), "200", "</svg>\n");
    assert_answer(ask("GET", "/static/", ""), "404", "There is no such page");
    assert_answer(ask("GET", "/-/healthy", ""), "200", "\r\n\r\nmysqlconn_exporter is healthy.\n");
}

/* As to a proxy: a server must take that, too (RFC 9112, 3.2.2). */
static void a_whole_url_may_be_asked_for(void **state) {
    (void)state;
    assert_whole_page(ask("GET", "http://some.where:9704/metrics?x=y", ""));
    assert_answer(ask("GET", "HTTPS://[::1]/-/healthy", ""), "200", "is healthy");
    assert_answer(ask("GET", "http://some.where", ""), "200", "\r\nContent-Type: text/html; charset=utf-8\r\n");
    assert_answer(ask("GET", "http://some.where/nothing", ""), "404", "There is no such page");
    assert_answer(ask("GET", "ftp://some.where/metrics", ""), "404", "There is no such page");
    assert_answer(ask("POST", "http://some.where/metrics", ""), "405", "\r\nAllow: GET, HEAD\r\n");
}

static void ready_means_that_all_targets_were_tried(void **state) {
    (void)state;
    assert_answer(ask("GET", "/-/ready", ""), "503", "Not every target was polled");
    __atomic_store_n(&all_tried, true, __ATOMIC_SEQ_CST);
    assert_answer(ask("GET", "/-/ready", ""), "200", "is ready");
    __atomic_store_n(&all_tried, false, __ATOMIC_SEQ_CST);
}

static void head_has_no_body(void **state) {
    static const char *const paths[] = {"/metrics", "/", "/-/healthy"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        char *answer = ask("HEAD", paths[i], "");
        assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
        assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
        free(answer);
    }
}

static void other_requests_are_refused(void **state) {
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "NONSENSE"};
    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        assert_answer(ask(methods[i], "/metrics", ""), "405", "\r\nAllow: GET, HEAD\r\n");
    assert_answer(ask("POST", "/metrics", "Content-Length: 5\r\n"), "413", "No request here takes a body");
    assert_answer(ask("GET", "/-/reload", ""), "405", "\r\nAllow: POST, PUT\r\n");
    assert_answer(ask("GET", "/nothing", ""), "404", "There is no such page");
    assert_answer(ask("GET", "/metrics/", ""), "404", "There is no such page");
    assert_answer(ask("GET", "//", ""), "404", "There is no such page");
    assert_answer(ask("GET", "/metrics%00", ""), "404", "There is no such page");
    assert_answer(ask("GET", "/metrics%00/x", ""), "404", "There is no such page");
    assert_answer(ask("GET", "/target?target=target-299%00", ""), "404", "No such target");
    assert_answer(ask("GET", "/%2e%2e/metrics", ""), "404", "There is no such page");
    assert_answer(ask("GET", "/metrics", "Content-Length: 5\r\n"), "413", "No request here takes a body");
    assert_answer(ask("GET", "/metrics", "Transfer-Encoding: chunked\r\n"), "413", "No request here takes a body");
}

static void nonsense_does_no_harm(void **state) {
    (void)state;
    char *big = malloc(1 << 20);
    memset(big, 'a', 1 << 20);
    memcpy(big, "GET /", 5);
    big[(1 << 20) - 1] = '\0';
    int fd = dial(0);
    send(fd, big, 1 << 20, MSG_NOSIGNAL);
    char *answer = hear(fd);
    assert_true(*answer == '\0' || strncmp(answer, "HTTP/1.1 414", 12) == 0 ||
                strncmp(answer, "HTTP/1.1 431", 12) == 0);
    free(answer);
    free(big);
    fd = dial(0);
    say(fd, "\x16\x03\x01\x02\x05\x01\x01\xfc\x03\x03 TLS, say\r\n\r\n");
    free(hear(fd));
    fd = dial(0);
    say(fd, "GET /metrics HTTP/1.1\r\n\r\n"); /* no Host */
    assert_answer(hear(fd), "400", "");
    close(dial(0));
    assert_whole_page(ask("GET", "/metrics", ""));
}

static void a_connection_serves_many_requests(void **state) {
    (void)state;
    int fd = dial(0);
    for (int i = 0; i < 50; i++) {
        char answer[1000] = "";
        size_t len = 0;
        say(fd, "GET /-/healthy HTTP/1.1\r\nHost: h\r\n\r\n");
        while (!strstr(answer, "healthy.\n")) {
            ssize_t got = recv(fd, answer + len, sizeof answer - 1 - len, 0);
            assert_true(got > 0);
            len += (size_t)got;
            answer[len] = '\0';
        }
        assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    }
    say(fd, "GET /metrics HTTP/1.0\r\n\r\n"); /* not chunked, ended by the close */
    char *answer = hear(fd);
    assert_memory_equal(answer, "HTTP/1.", 7);
    assert_non_null(strstr(answer, "\nprocess_virtual_memory_bytes "));
    free(answer);
}

/* However fast its reader is, a long page lets the loop do other things in between. */
static void a_long_page_is_many_steps_of_the_loop(void **state) {
    (void)state;
    unsigned before = __atomic_load_n(&server.turns, __ATOMIC_SEQ_CST);
    char *answer = ask("GET", "/metrics", "");
    unsigned turns = __atomic_load_n(&server.turns, __ATOMIC_SEQ_CST) - before;
    size_t len = strlen(answer);
    printf("%zu bytes in %u turns of the loop\n", len, turns);
    assert_true(turns > 0 && len / turns < 64 * 1024);
    assert_whole_page(answer);
}

static void a_slow_reader_holds_up_nobody(void **state) {
    int slow[20];
    (void)state;
    for (int i = 0; i < 20; i++) {
        slow[i] = dial(2048);
        say(slow[i], "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    }
    double begin = now();
    assert_whole_page(ask("GET", "/metrics", ""));
    printf("a page of %d targets beside 20 readers that do not read: %.0f ms\n", TARGETS, (now() - begin) * 1000);
    for (int i = 1; i < 20; i++)
        close(slow[i]);               /* in the middle of their page */
    assert_whole_page(hear(slow[0])); /* late, and complete all the same */
}

static void a_hundred_at_once_are_served(void **state) {
    int fds[100];
    (void)state;
    for (int i = 0; i < 100; i++)
        fds[i] = dial(0);
    for (int i = 0; i < 100; i++)
        say(fds[i], i % 10 ? "GET /-/healthy HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
                           : "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    for (int i = 99; i >= 0; i--) {
        if (i % 10)
            assert_answer(hear(fds[i]), "200", "is healthy");
        else
            assert_whole_page(hear(fds[i]));
    }
}

static void one_address_cannot_take_all_connections(void **state) {
    int fds[400], refused = 0;
    (void)state;
    for (int i = 0; i < 400; i++)
        fds[i] = dial(0);
    for (int i = 0; i < 400; i++) {
        say(fds[i], "GET /-/healthy HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        char *answer = hear(fds[i]);
        refused += *answer == '\0';
        free(answer);
    }
    assert_in_range(refused, 1, 399);
    assert_answer(ask("GET", "/-/healthy", ""), "200", "is healthy");
}

/* The last test: stop() follows while these are in the middle of their page. */
static void stopping_cuts_pages_short(void **state) {
    char some[1000];
    (void)state;
    for (int i = 0; i < 5; i++) {
        int fd = dial(2048);
        say(fd, i % 2 ? "GET / HTTP/1.1\r\nHost: h\r\n\r\n" : "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_true(recv(fd, some, sizeof some, 0) > 0);
    }
}

static void a_bad_address_is_an_error(void **state) {
    struct exporter_state exporter = fake_state();
    struct strbuf error;
    char taken[32];
    (void)state;
    strbuf_init(&error, 1000);
    snprintf(taken, sizeof taken, "127.0.0.1:%u", server.port);
    assert_null(start_on(taken, &exporter, &error));
    assert_non_null(strstr(strbuf_text(&error), "Address already in use"));
    strbuf_release(&error);
    http_stop(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_served),
        cmocka_unit_test(a_whole_url_may_be_asked_for),
        cmocka_unit_test(ready_means_that_all_targets_were_tried),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(other_requests_are_refused),
        cmocka_unit_test(nonsense_does_no_harm),
        cmocka_unit_test(a_connection_serves_many_requests),
        cmocka_unit_test(a_long_page_is_many_steps_of_the_loop),
        cmocka_unit_test(a_slow_reader_holds_up_nobody),
        cmocka_unit_test(a_hundred_at_once_are_served),
        cmocka_unit_test(one_address_cannot_take_all_connections),
        cmocka_unit_test(a_bad_address_is_an_error),
        cmocka_unit_test(stopping_cuts_pages_short),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
