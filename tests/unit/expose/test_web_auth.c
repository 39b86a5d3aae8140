/*
 * Basic authentication: who is let in, what is remembered and for how long, the queue's bounds, and that nobody is let
 * in where memory is short.
 */
#include "expose/web_auth.h"

#include <crypt.h>
#include <dlfcn.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- GnuTLS without memory: these stand before the library's own --- */

static int init_fails_in = -1, hmac_fails_in = -1; /* calls; below 0: never */

static bool is_time(int *left) {
    return *left >= 0 && (*left)-- == 0;
}

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    assert_non_null(found);
    return found;
}

int gnutls_hmac_init(gnutls_hmac_hd_t *hmac, gnutls_mac_algorithm_t algorithm, const void *key, size_t size) {
    int (*function)(gnutls_hmac_hd_t *, gnutls_mac_algorithm_t, const void *, size_t);
    *(void **)&function = real("gnutls_hmac_init");
    return is_time(&init_fails_in) ? GNUTLS_E_MEMORY_ERROR : function(hmac, algorithm, key, size);
}

int gnutls_hmac(gnutls_hmac_hd_t hmac, const void *text, size_t size) {
    int (*function)(gnutls_hmac_hd_t, const void *, size_t);
    *(void **)&function = real("gnutls_hmac");
    return is_time(&hmac_fails_in) ? GNUTLS_E_MEMORY_ERROR : function(hmac, text, size);
}

/* --- who asks --- */

static uv_loop_t loop;
static struct web_auth *auth;
static char hash_of_a[64], hash_of_b[64], hash_of_new[64]; /* of the passwords below */
static char name_a[] = "a", name_b[] = "b", name_z[] = "z";
static struct web_user users[2];
static const struct web_peer here = {{1}}, there = {{2}};

struct request {
    struct web_waiter waiter;
    int heard; /* how often */
    enum web_auth_verdict verdict;
};

static void on_verdict(struct web_waiter *waiter, enum web_auth_verdict verdict) {
    struct request *request = (struct request *)(void *)waiter;
    request->heard++;
    request->verdict = verdict;
}

static enum web_auth_verdict ask_text(const char *text, size_t len, struct request *request,
                                      const struct web_peer *peer) {
    char field[4096] = "Basic ";
    gnutls_datum_t in = {.size = (unsigned)len}, out;
    union {
        const char *in;
        unsigned char *out;
    } bytes = {.in = text};
    in.data = bytes.out;
    assert_true(gnutls_base64_encode2(&in, &out) >= 0);
    assert_true(strlen(field) + out.size < sizeof field);
    memcpy(field + strlen(field), out.data, out.size);
    gnutls_free(out.data);
    *request = (struct request){.waiter.done = on_verdict};
    return web_auth_check(auth, users, 2, span_of(field), peer, &request->waiter);
}

static enum web_auth_verdict ask(const char *text, struct request *request) {
    return ask_text(text, strlen(text), request, &here);
}

/* What comes of it in the end. */
static enum web_auth_verdict verdict_of(const char *text, size_t len) {
    struct request request;
    enum web_auth_verdict verdict = ask_text(text, len, &request, &here);
    if (verdict != WEB_AUTH_LATER)
        return verdict;
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(request.heard, 1);
    return request.verdict;
}

static enum web_auth_verdict verdict(const char *text) {
    return verdict_of(text, strlen(text));
}

static void make_hash(const char *password, char *out) {
    static const char salt[] = "$2b$04$abcdefghijklmnopqrstuu"; /* the least cost there is */
    struct crypt_data data = {0};
    const char *made = crypt_r(password, salt, &data);
    assert_non_null(made);
    assert_int_equal(strlen(made), 60);
    snprintf(out, 64, "%s", made);
}

static int make_hashes(void **state) {
    (void)state;
    make_hash("password of a", hash_of_a);
    make_hash("password:of:b", hash_of_b);
    make_hash("new one of a", hash_of_new);
    return uv_loop_init(&loop);
}

static int close_loop(void **state) {
    (void)state;
    return uv_loop_close(&loop);
}

static int begin(void **state) {
    (void)state;
    init_fails_in = hmac_fails_in = -1;
    users[0] = (struct web_user){.name = name_a, .hash = hash_of_a};
    users[1] = (struct web_user){.name = name_b, .hash = hash_of_b};
    auth = web_auth_new(&loop);
    return auth ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    web_auth_free(auth);
    uv_run(&loop, UV_RUN_DEFAULT);
    return 0;
}

/* --- tests --- */

static void who_knows_the_password_is_let_in(void **state) {
    struct request request;
    (void)state;
    assert_int_equal(verdict("a:password of a"), WEB_AUTH_OK);
    assert_int_equal(ask("a:password of a", &request), WEB_AUTH_OK); /* at once */
    assert_int_equal(verdict("b:password:of:b"), WEB_AUTH_OK);
    assert_int_equal(verdict("a:password:of:b"), WEB_AUTH_WRONG);
    assert_int_equal(verdict("b:password of a"), WEB_AUTH_WRONG);
    assert_int_equal(verdict("c:password of a"), WEB_AUTH_WRONG); /* whoever of the two it is compared with */
    assert_int_equal(verdict("c:password:of:b"), WEB_AUTH_WRONG);
    assert_int_equal(verdict("A:password of a"), WEB_AUTH_WRONG);
    assert_int_equal(verdict("a:"), WEB_AUTH_WRONG);
    assert_int_equal(verdict(":"), WEB_AUTH_WRONG);
    assert_int_equal(ask("a:password of", &request), WEB_AUTH_LATER); /* what is wrong is not remembered … */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(ask("a:password of", &request), WEB_AUTH_LATER);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(request.verdict, WEB_AUTH_WRONG);
    assert_int_equal(ask("a:password of a", &request), WEB_AUTH_OK); /* … nor does it forget what is right */
}

static void what_is_no_password_is_none(void **state) {
    static const char nul[] = "a:password of a\0and more", before[] = "a\0:password of a";
    static const char *const fields[] = {"",
                                         "Basic",
                                         "Basic ",
                                         "Basic !!!!",
                                         "Bearer YTpi",
                                         "Basic YTpi=",
                                         "Basic YWI=",
                                         "BasicYTpi",
                                         "Digest username=a",
                                         "Basic YTpi YTpi"};
    struct request request;
    char *longest = calloc(2, 1500);
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        request = (struct request){.waiter.done = on_verdict};
        enum web_auth_verdict v = web_auth_check(auth, users, 2, span_of(fields[i]), &here, &request.waiter);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(v == WEB_AUTH_LATER ? request.verdict : v, WEB_AUTH_WRONG);
    }
    assert_int_equal(verdict("a:password of a"), WEB_AUTH_OK);
    assert_int_equal(verdict_of(nul, sizeof nul - 1), WEB_AUTH_WRONG); /* crypt() sees no more than the right one */
    assert_int_equal(verdict_of(before, sizeof before - 1), WEB_AUTH_WRONG);
    memset(longest, 'x', 1500);
    longest[0] = 'a', longest[1] = ':';
    assert_int_equal(verdict_of(longest, 1025), WEB_AUTH_WRONG);
    assert_int_equal(verdict_of(longest, 1024), WEB_AUTH_WRONG);
    free(longest);
}

static void the_scheme_is_not_case_sensitive(void **state) {
    struct request request = {.waiter.done = on_verdict};
    (void)state;
    assert_int_equal(verdict("a:password of a"), WEB_AUTH_OK);
    assert_int_equal(web_auth_check(auth, users, 2, span_of("bAsIc YTpwYXNzd29yZCBvZiBh"), &here, &request.waiter),
                     WEB_AUTH_OK);
}

static void a_password_that_was_changed_is_wrong_at_once(void **state) {
    struct request request;
    (void)state;
    assert_int_equal(verdict("a:password of a"), WEB_AUTH_OK);
    users[0].hash = hash_of_new;
    assert_int_equal(ask("a:password of a", &request), WEB_AUTH_LATER);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(request.verdict, WEB_AUTH_WRONG);
    assert_int_equal(verdict("a:new one of a"), WEB_AUTH_OK);
    users[0].name = name_z; /* the user went: neither is anybody's */
    assert_int_equal(verdict("a:new one of a"), WEB_AUTH_WRONG);
}

static void the_queue_is_bounded_for_each_and_for_all(void **state) {
    struct request requests[33], same, other;
    char text[16];
    (void)state;
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "a:%d", i);
        assert_int_equal(ask_text(text, strlen(text), &requests[i], &here), WEB_AUTH_LATER);
    }
    assert_int_equal(ask("a:4", &other), WEB_AUTH_BUSY);
    assert_int_equal(ask("a:3", &same), WEB_AUTH_LATER); /* what is checked already */
    for (int i = 4; i < 33; i++) {
        struct web_peer peer = {{0, (unsigned char)i}};
        snprintf(text, sizeof text, "a:%d", i);
        assert_int_equal(ask_text(text, strlen(text), &requests[i], &peer), i < 32 ? WEB_AUTH_LATER : WEB_AUTH_BUSY);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < 32; i++)
        assert_true(requests[i].heard == 1 && requests[i].verdict == WEB_AUTH_WRONG);
    assert_true(same.heard == 1 && same.verdict == WEB_AUTH_WRONG);
    assert_int_equal(other.heard, 0);
    assert_int_equal(ask_text("a:4", 3, &other, &there), WEB_AUTH_LATER); /* there is room again */
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void at_the_end_all_hear_of_it(void **state) {
    struct request running, waiting;
    (void)state;
    assert_int_equal(ask("a:1", &running), WEB_AUTH_LATER);
    assert_int_equal(ask("a:2", &waiting), WEB_AUTH_LATER);
    web_auth_free(auth);
    auth = NULL;
    assert_true(running.heard == 1 && running.verdict == WEB_AUTH_BUSY);
    assert_true(waiting.heard == 1 && waiting.verdict == WEB_AUTH_BUSY);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(running.heard, 1);
}

/* A digest that was not made must not be taken for one that was: all of those would be alike. */
static void nobody_is_let_in_where_memory_is_short(void **state) {
    struct request request;
    (void)state;
    assert_int_equal(verdict("a:password of a"), WEB_AUTH_OK);
    for (int i = 0; i < 4; i++) { /* of the name, of both users, of the whole */
        init_fails_in = i;
        assert_int_equal(ask("a:wrong", &request), WEB_AUTH_BUSY);
        assert_int_equal(init_fails_in, -1);
    }
    for (int i = 0; i < 12; i++) { /* the same: two for each part */
        hmac_fails_in = i;
        assert_int_equal(ask("a:wrong", &request), WEB_AUTH_BUSY);
        assert_int_equal(hmac_fails_in, -1);
    }
    assert_int_equal(request.heard, 0);
    assert_int_equal(ask("a:password of a", &request), WEB_AUTH_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_knows_the_password_is_let_in, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_password_is_none, begin, end),
        cmocka_unit_test_setup_teardown(the_scheme_is_not_case_sensitive, begin, end),
        cmocka_unit_test_setup_teardown(a_password_that_was_changed_is_wrong_at_once, begin, end),
        cmocka_unit_test_setup_teardown(the_queue_is_bounded_for_each_and_for_all, begin, end),
        cmocka_unit_test_setup_teardown(at_the_end_all_hear_of_it, begin, end),
        cmocka_unit_test_setup_teardown(nobody_is_let_in_where_memory_is_short, begin, end),
    };
    return cmocka_run_group_tests(tests, make_hashes, close_loop);
}
