/*
 * The order in which the addresses of a name are tried.
 */
#include "observe/resolve.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_take_turns_the_resolvers_favourite_first),
        cmocka_unit_test(a_crowd_leaves_room_for_the_other_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
