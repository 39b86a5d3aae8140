/*
 * The order in which the addresses of a name are tried.
 */
#include "observe/resolve.h"

#include "base/coroutine.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LIST_MAX = 40 };

struct list {
    struct addrinfo info[LIST_MAX];
    struct sockaddr_storage address[LIST_MAX];
};

static const struct addrinfo *make_list(struct list *list, const char *const *texts, unsigned count) {
    memset(list, 0, sizeof *list);
    for (unsigned i = 0; i < count; i++) {
        int family = strchr(texts[i], ':') ? AF_INET6 : AF_INET;
        void *at = family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)&list->address[i])->sin6_addr
                                      : (void *)&((struct sockaddr_in *)&list->address[i])->sin_addr;
        list->address[i].ss_family = (sa_family_t)family;
        assert_int_equal(inet_pton(family, texts[i], at), 1);
        list->info[i] = (struct addrinfo){
            .ai_family = family,
            .ai_addr = (struct sockaddr *)&list->address[i],
            .ai_addrlen = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in),
            .ai_next = i + 1 < count ? &list->info[i + 1] : NULL,
        };
    }
    return count > 0 ? list->info : NULL;
}

static void assert_order(const char *const *texts, unsigned count, const char *expected, unsigned ipv4, unsigned ipv6) {
    struct list list;
    struct resolved resolved;
    char order[RESOLVE_MAX * (RESOLVE_TEXT_MAX + 1) + 1] = "";
    size_t len = 0;
    resolved_from(make_list(&list, texts, count), &resolved);
    for (unsigned i = 0; i < resolved.count; i++)
        len += (size_t)snprintf(order + len, sizeof order - len, "%s%s", i ? " " : "", resolved.text[i]);
    assert_string_equal(order, expected);
    assert_int_equal(resolved.ipv4, ipv4);
    assert_int_equal(resolved.ipv6, ipv6);
}

#define ORDER(expected, ipv4, ipv6, ...)                                                                               \
    assert_order((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),      \
                 expected, ipv4, ipv6)

static void families_take_turns_the_resolvers_favourite_first(void **state) {
    (void)state;
    ORDER("::1 127.0.0.1 ::2 127.0.0.2 ::3", 2, 3, "::1", "::2", "::3", "127.0.0.1", "127.0.0.2");
    ORDER("127.0.0.1 ::1 127.0.0.2", 2, 1, "127.0.0.1", "127.0.0.2", "::1");
    ORDER("127.0.0.1 127.0.0.2", 2, 0, "127.0.0.1", "127.0.0.2");
    ORDER("::1", 0, 1, "::1", "::1", "::1");
    assert_order(NULL, 0, "", 0, 0);
}

static void a_crowd_leaves_room_for_the_other_family(void **state) {
    static char texts[LIST_MAX][16];
    const char *list[LIST_MAX];
    (void)state;
    for (int i = 0; i < LIST_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], i < LIST_MAX - 1 ? "10.0.0.%d" : "::1", i);
        list[i] = texts[i];
    }
    assert_order(list, LIST_MAX, "10.0.0.0 ::1 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6",
                 RESOLVE_COUNT_MAX, 1);
}

/* --- in the pool --- */

static sem_t slow, called; /* names that begin with "slow" wait for the first, and post the second */
static struct coroutines *coroutines;
static uv_loop_t loop;

/* Stands before the C library's. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    int (*function)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&function = dlsym(RTLD_NEXT, "getaddrinfo");
    if (strncmp(host, "slow", 4) == 0) {
        sem_post(&called);
        while (sem_wait(&slow) < 0)
            ;
    }
    return function("127.0.0.1", service, hints, out);
}

struct question {
    char host[32];
    enum resolve_for whose;
    int64_t timeout_ns;
    bool answered;
    int rc;
};

static void ask_body(void *arg) {
    struct question *q = arg;
    struct resolved resolved;
    q->rc = resolve(q->host, q->whose, mono_add(mono_now(), q->timeout_ns), &resolved);
    q->answered = true;
}

static void ask(struct question *q, const char *host, enum resolve_for whose, int64_t timeout_ns) {
    *q = (struct question){.whose = whose, .timeout_ns = timeout_ns};
    snprintf(q->host, sizeof q->host, "%s", host);
    assert_int_equal(coroutine_start(coroutines, ask_body, q, NULL), 0);
}

static void wait_for(const struct question *q) {
    while (!q->answered)
        uv_run(&loop, UV_RUN_ONCE);
}

static int begin_pool(void **state) {
    (void)state;
    sem_init(&slow, 0, 0);
    sem_init(&called, 0, 0);
    coroutines = uv_loop_init(&loop) == 0 ? coroutines_new(&loop) : NULL;
    return coroutines ? 0 : -1;
}

static int end_pool(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++)
        sem_post(&slow);
    coroutines_free(coroutines);
    while (uv_run(&loop, UV_RUN_DEFAULT))
        ;
    return uv_loop_close(&loop);
}

enum { STRANGERS = 40, AT_ONCE = 8 };

static void ask_slow_ones(struct question *questions, int64_t timeout_ns) {
    for (int i = 0; i < STRANGERS; i++) {
        char host[32];
        snprintf(host, sizeof host, "slow%d", i);
        ask(&questions[i], host, RESOLVE_FOR_REQUEST, timeout_ns);
    }
    for (int i = 0; i < AT_ONCE; i++)
        while (sem_wait(&called) < 0)
            ;
}

/* Whoever may name servers in requests can name those of a zone whose name servers say nothing. */
static void slow_names_of_requests_leave_room_for_targets(void **state) {
    static struct question questions[STRANGERS], target, same, both;
    (void)state;
    ask_slow_ones(questions, 60 * NS_PER_S);
    ask(&target, "ours", RESOLVE_FOR_TARGET, 20 * NS_PER_S);
    wait_for(&target);
    assert_int_equal(target.rc, 0);
    ask(&same, "both", RESOLVE_FOR_REQUEST, 60 * NS_PER_S); /* it waits for its turn … */
    ask(&both, "both", RESOLVE_FOR_TARGET, 20 * NS_PER_S);  /* … until a target wants the same */
    wait_for(&both);
    wait_for(&same);
    assert_true(both.rc == 0 && same.rc == 0);
    assert_int_equal(sem_trywait(&called), -1); /* no more than those at once */
    for (int i = 0; i < STRANGERS; i++)
        sem_post(&slow);
    for (int i = 0; i < STRANGERS; i++) { /* then each in its turn */
        wait_for(&questions[i]);
        assert_int_equal(questions[i].rc, 0);
    }
}

static void what_nobody_waits_for_is_not_begun(void **state) {
    static struct question questions[STRANGERS], later;
    (void)state;
    ask_slow_ones(questions, 20 * NS_PER_MS);
    for (int i = 0; i < STRANGERS; i++) {
        wait_for(&questions[i]);
        assert_int_equal(questions[i].rc, -ETIMEDOUT);
    }
    ask(&later, "later", RESOLVE_FOR_REQUEST, 60 * NS_PER_S);
    for (int i = 0; i < AT_ONCE; i++)
        sem_post(&slow);
    wait_for(&later);
    assert_int_equal(later.rc, 0);
    assert_int_equal(sem_trywait(&called), -1); /* the others were not looked up */
}

/* The pool makes no more than 16 at once: the rest is taken out of its queue again. */
static void nor_for_targets(void **state) {
    enum { TARGETS = 40, POOL = 16 };
    static struct question questions[TARGETS], again;
    (void)state;
    for (int i = 0; i < TARGETS; i++) {
        char host[32];
        snprintf(host, sizeof host, "slow%d", i);
        ask(&questions[i], host, RESOLVE_FOR_TARGET, 20 * NS_PER_MS);
    }
    for (int i = 0; i < POOL; i++) /* before the loop has a turn in which they could be taken back */
        while (sem_wait(&called) < 0)
            ;
    for (int i = 0; i < TARGETS; i++) {
        wait_for(&questions[i]);
        assert_int_equal(questions[i].rc, -ETIMEDOUT);
    }
    ask(&again, "slow39", RESOLVE_FOR_TARGET, 60 * NS_PER_S); /* anew: nobody may join what was taken back */
    for (int i = 0; i < POOL + 1; i++)
        sem_post(&slow);
    wait_for(&again);
    assert_int_equal(again.rc, 0);
    assert_int_equal(sem_trywait(&called), 0);
    assert_int_equal(sem_trywait(&called), -1);
}

int main(void) {
    setenv("UV_THREADPOOL_SIZE", "32", 1); /* as the daemon has it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_take_turns_the_resolvers_favourite_first),
        cmocka_unit_test(a_crowd_leaves_room_for_the_other_family),
        cmocka_unit_test_setup_teardown(slow_names_of_requests_leave_room_for_targets, begin_pool, end_pool),
        cmocka_unit_test_setup_teardown(what_nobody_waits_for_is_not_begun, begin_pool, end_pool),
        cmocka_unit_test_setup_teardown(nor_for_targets, begin_pool, end_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
