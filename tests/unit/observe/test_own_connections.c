/*
 * What the server counts of a connection of ours that is left badly is ours from that moment on, and taken once.
 */
#include "observe/client.h"
#include "observe/own_connections.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* --- clients as the test wants them --- */

struct client {
    uint64_t id;
    enum own_abort abort;
};

uint64_t client_connection_id(const struct client *client) {
    return client->id;
}

enum own_abort client_own_abort(const struct client *client) {
    return client->abort;
}

static unsigned take(struct own_connections *own, enum own_abort counter) {
    struct mono now = mono_now();
    return own_connections_take(own, counter, mono_add(now, -NS_PER_S), now, 9);
}

/* --- tests --- */

static void what_is_left_badly_is_ours_before_the_server_has_closed_it(void **state) {
    struct own_connections own = {0};
    struct client client = {7, OWN_NO_ABORT}, other = {8, OWN_NO_ABORT};
    (void)state;
    own_connections_began(&own, &client);
    own_connections_began(&own, &other);
    assert_int_equal(take(&own, OWN_ABORTED_CLIENT), 0);
    client.abort = OWN_ABORTED_CLIENT; /* it waits for the server's end */
    assert_int_equal(take(&own, OWN_ABORTED_CONNECT), 0);
    assert_int_equal(take(&own, OWN_ABORTED_CLIENT), 1);
    own_connections_ended(&own, &client, OWN_ABORTED_CLIENT);
    assert_int_equal(take(&own, OWN_ABORTED_CLIENT), 0);
}

static void what_has_ended_is_ours_for_a_while(void **state) {
    struct own_connections own = {0};
    struct client client = {7, OWN_NO_ABORT};
    (void)state;
    own_connections_began(&own, &client);
    own_connections_ended(&own, &client, OWN_ABORTED_PREAUTH);
    struct mono now = mono_now();
    assert_int_equal(
        own_connections_take(&own, OWN_ABORTED_PREAUTH, mono_add(now, NS_PER_S), mono_add(now, 2 * NS_PER_S), 9), 0);
    assert_int_equal(take(&own, OWN_ABORTED_PREAUTH), 1);
    assert_int_equal(take(&own, OWN_ABORTED_CONNECT), 1);
    assert_int_equal(take(&own, OWN_ABORTED_CONNECT), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_badly_is_ours_before_the_server_has_closed_it),
        cmocka_unit_test(what_has_ended_is_ours_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
