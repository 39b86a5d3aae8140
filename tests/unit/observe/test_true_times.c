/*
 * Phases are true while the loop is busy: a client on a loop that something else keeps busy for 8 ms of every 10, and
 * always when an answer comes, against a server in a thread of its own that answers after a delay and notes how long it
 * took, from the kernel's arrival time of the request to its send(). What the loop's own clock would have said is
 * printed beside it. Then the same while the wall clock, which the kernel's stamps are in, is set back and forth.
 */
#include "base/coroutine.h"
#include "observe/arrival.h"
#include "observe/client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BURN_EVERY_MS 10
#define BURN_NS (8200 * NS_PER_US) /* libuv's milliseconds make the turns a little longer */
#define BURN_ON_NS (2 * NS_PER_MS) /* after an answer that came meanwhile */
#define BURN_MOST_NS NS_PER_S
#define CONNECTIONS 40
#define COMMANDS 5 /* pings, and as many queries, on each */
#define DELAY_MIN_NS (3 * NS_PER_MS)
#define DELAY_MAX_NS (13 * NS_PER_MS)
#define ALLOWED_SHARE 0.05
#define ALLOWED_NS (200 * NS_PER_US)
#define CLOCK_JUMP_S 5

enum { COM_QUIT = 1, COM_QUERY = 3 };

/* --- a wall clock that can be set --- */

static _Thread_local time_t wall_offset_s; /* the client's: the server keeps the right time */

/* In the place of libc's, for all of this program. The kernel's stamps keep the true time. */
int clock_gettime(clockid_t id, struct timespec *out) {
    long rc = syscall(SYS_clock_gettime, id, out);
    if (id == CLOCK_REALTIME)
        out->tv_sec += wall_offset_s;
    return (int)rc;
}

/* --- the server --- */

static const unsigned char GREETING[] =
    "\x5e\0\0\0\x0a"
    "5.5.5-10.11.0-MariaDB-fake\0\x07\0\0\0"
    "abcdefgh\0\x09\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password";
static const unsigned char LOGIN_OK[] = {7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0};
static const unsigned char PING_OK[] = {7, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0};
static const unsigned char ONE_ROW[] = "\x01\0\0\x01\x01"
                                       "\x18\0\0\x02\x03"
                                       "def\0\0\0\x01"
                                       "1\x01"
                                       "1\x0c\x2d\0\0\x04\0\0\xfd\0\0\0\0\0"
                                       "\x05\0\0\x03\xfe\0\0\x02\0"
                                       "\x02\0\0\x04\x01"
                                       "1"
                                       "\x05\0\0\x05\xfe\0\0\x02";

static atomic_llong greeted_ns, greeting_took_ns,
    took_ns;             /* the server's latest greeting: when, and its part in it; … */
static atomic_bool owes; /* … and answer. It has been asked and has not answered yet */

/* Waits for a packet and returns its first byte after the header, -1 at the end; *arrived by the kernel. */
static int hear(int fd, struct mono *arrived) {
    unsigned char data[1024];
    struct pollfd there = {.fd = fd, .events = POLLIN};
    poll(&there, 1, -1);
    owes = true;
    int64_t age = 0;
    arrival_age(fd, &age);
    *arrived = mono_add(mono_now(), -age);
    return recv(fd, data, sizeof data, 0) > 4 ? data[4] : -1;
}

static void answer(int fd, struct mono arrived, const void *data, size_t len) {
    static unsigned seed = 1;
    int64_t delay = DELAY_MIN_NS + rand_r(&seed) % (DELAY_MAX_NS - DELAY_MIN_NS);
    struct mono due = mono_add(arrived, delay);
    struct timespec at = {due.ns / NS_PER_S, due.ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
        ;
    took_ns = mono_between(arrived, mono_now());
    send(fd, data, len, MSG_NOSIGNAL);
    owes = false;
}

static void *serve(void *arg) {
    int listener = *(int *)arg, one = 1, fd, command;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        struct mono arrived = mono_now(); /* a SYN bears no stamp: on a full machine it came sooner */
        arrival_watch(fd);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        answer(fd, arrived, GREETING, sizeof GREETING);
        greeting_took_ns = took_ns;
        greeted_ns = arrived.ns + took_ns;
        if (hear(fd, &arrived) >= 0)
            answer(fd, arrived, LOGIN_OK, sizeof LOGIN_OK);
        while ((command = hear(fd, &arrived)) > COM_QUIT)
            answer(fd, arrived, command == COM_QUERY ? ONE_ROW : PING_OK,
                   command == COM_QUERY ? sizeof ONE_ROW : sizeof PING_OK);
        owes = false;
        close(fd);
    }
    return NULL;
}

/* --- the loop that is busy --- */

struct burner {
    uv_timer_t timer;
    int64_t burnt_ns;
    bool sets_clock;
};

/* Until the server has answered, too: where both share one processor it may not get to that before the loop waits. */
static void burn(uv_timer_t *timer) {
    struct burner *burner = timer->data;
    struct mono start = mono_now(), until = mono_add(start, BURN_NS), most = mono_add(start, BURN_MOST_NS);
    if (burner->sets_clock)
        wall_offset_s = wall_offset_s <= 0 ? CLOCK_JUMP_S : -CLOCK_JUMP_S;
    bool owed = false;
    for (struct mono now = start; owed || mono_before(now, until); now = mono_now()) {
        bool was_owed = owed;
        owed = owes && mono_before(now, most);
        if (was_owed && !owed) /* however long we did not run meanwhile */
            until = mono_add(mono_now(), BURN_ON_NS);
    }
    burner->burnt_ns += mono_between(start, mono_now());
}

/* --- the client --- */

struct series {
    int64_t truth[CONNECTIONS * COMMANDS], ours[CONNECTIONS * COMMANDS], loops[CONNECTIONS * COMMANDS];
    unsigned count;
};

struct run {
    struct target_config config;
    unsigned connections;
    struct series connect, greeting, auth, ping, query;
    struct burner burner;
    struct failure failure;
    bool failed;
};

static void add(struct series *series, int64_t truth, int64_t ours, int64_t loops) {
    series->truth[series->count] = truth;
    series->ours[series->count] = ours;
    series->loops[series->count++] = loops;
}

static bool one_connection(struct run *run, struct client *client) {
    struct failure *failure = &run->failure;
    struct client_deadline deadline = {.report = mono_add(mono_now(), 20 * NS_PER_S)};
    deadline.give_up = deadline.report;
    client_set_deadline(client, &deadline);
    struct mono began = mono_now();
    if (client_connect(client, failure) != 0)
        return false;
    add(&run->connect, 0, client_phase_ns(client, PHASE_CONNECT), 0); /* on this machine: nothing to speak of */
    /* The truth lies between what the server knows of it and all since we began. */
    int64_t greeting = client_phase_ns(client, PHASE_GREETING), least = greeting_took_ns, most = greeted_ns - began.ns;
    add(&run->greeting, greeting < least ? least : greeting > most ? most : greeting, greeting, 0);
    add(&run->auth, took_ns, client_phase_ns(client, PHASE_AUTH), 0);
    for (int i = 0; i < COMMANDS; i++) {
        struct mono start = mono_now();
        owes = true; /* before the server knows it */
        if (client_ping(client, failure) != 0)
            return false;
        add(&run->ping, took_ns, client_phase_ns(client, PHASE_PING), mono_between(start, mono_now()));
        start = mono_now();
        owes = true;
        if (client_query(client, "SELECT 1", NULL, NULL, failure) != 0)
            return false;
        add(&run->query, took_ns, client_phase_ns(client, PHASE_QUERY), mono_between(start, mono_now()));
    }
    return client_close(client, CLOSE_QUIT_WAIT) == CLOSE_CLEAN;
}

static void converse(void *arg) {
    struct run *run = arg;
    for (unsigned i = 0; i < run->connections && !run->failed; i++) {
        struct client *client = client_new(&run->config);
        run->failed = !one_connection(run, client);
        client_free(client);
    }
    uv_close((uv_handle_t *)&run->burner.timer, NULL);
}

/* Returns the share of the time that the loop was kept busy. */
static double run_all(struct run *run) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    char host[] = "127.0.0.1", none[] = "";
    pthread_t thread;
    uv_loop_t loop;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&address, &len);
    assert_int_equal(pthread_create(&thread, NULL, serve, &listener), 0);
    run->config = (struct target_config){.address = {.host = host, .port = ntohs(address.sin_port)},
                                         .address_text = host,
                                         .tls = {.mode = TLS_DISABLED},
                                         .user = none,
                                         .password = none};

    struct mono start = mono_now();
    uv_loop_init(&loop);
    struct coroutines *all = coroutines_new(&loop);
    uv_timer_init(&loop, &run->burner.timer);
    run->burner.timer.data = &run->burner;
    uv_timer_start(&run->burner.timer, burn, 0, BURN_EVERY_MS);
    assert_int_equal(coroutine_start(all, converse, run, NULL), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    double busy = (double)run->burner.burnt_ns / (double)mono_between(start, mono_now());
    coroutines_free(all);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);

    shutdown(listener, SHUT_RDWR); /* ends accept() */
    pthread_join(thread, NULL);
    close(listener);
    if (run->failed)
        fail_msg("%s", run->failure.text);
    return busy;
}

/* --- judging --- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, unsigned count, double share) {
    qsort(values, count, sizeof *values, by_value);
    return values[(unsigned)(share * (count - 1) + 0.5)];
}

/* How far off `told` is at `share` of all cases: in us, or as a multiple of what is allowed. */
static double off(const struct series *series, const int64_t *told, double share, bool of_allowed) {
    double errors[CONNECTIONS * COMMANDS];
    for (unsigned i = 0; i < series->count; i++) {
        double error = (double)llabs(told[i] - series->truth[i]);
        double allowed = ALLOWED_SHARE * (double)series->truth[i];
        allowed = allowed > ALLOWED_NS ? allowed : ALLOWED_NS;
        errors[i] = of_allowed ? error / allowed : error / NS_PER_US;
    }
    return quantile(errors, series->count, share);
}

static void print_figure(const char *what, const struct series *series) {
    printf("# figure: %s: off by %.0f us at the median, %.0f us at p99", what, off(series, series->ours, 0.5, false),
           off(series, series->ours, 0.99, false));
    if (series->loops[0])
        printf("; by the loop's clock %.0f and %.0f us", off(series, series->loops, 0.5, false),
               off(series, series->loops, 0.99, false));
    printf(" (n=%u)\n", series->count);
}

static void phases_are_true_while_the_loop_is_busy(void **state) {
    static struct run run = {.connections = CONNECTIONS};
    (void)state;
    double busy = run_all(&run);
    printf("# figure: loop kept %.0f %% busy, server's delay 3 to 13 ms\n", 100 * busy);
    const struct {
        const char *name;
        const struct series *series;
    } all[] = {{"connect", &run.connect},
               {"greeting", &run.greeting},
               {"auth", &run.auth},
               {"ping", &run.ping},
               {"query", &run.query}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        print_figure(all[i].name, all[i].series);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        assert_true(off(all[i].series, all[i].series->ours, 0.5, true) <= 1);
    /* … and that was not easy */
    assert_true(off(&run.query, run.query.loops, 0.5, true) > 1);
}

static void a_wall_clock_that_is_set_makes_it_no_worse_than_the_loops_clock(void **state) {
    static struct run run = {.connections = CONNECTIONS / 4, .burner.sets_clock = true};
    (void)state;
    run_all(&run);
    wall_offset_s = 0;
    print_figure("query while the wall clock jumps", &run.query);
    for (unsigned i = 0; i < run.query.count; i++) {
        assert_true(run.query.ours[i] <= run.query.loops[i]);
        assert_true(run.query.ours[i] >= run.query.truth[i] - ALLOWED_NS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases_are_true_while_the_loop_is_busy),
        cmocka_unit_test(a_wall_clock_that_is_set_makes_it_no_worse_than_the_loops_clock),
    };
    if (client_library_init() != 0)
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    client_library_end();
    return rc;
}
