/*
 * The API: parameters taken or named, pages that join without a gap, hostile names, and the same text in every piece
 * size. That it is JSON is seen by scenario tests, which parse it.
 */
#include "expose/api.h"

#include "../explain/explaining.h"
#include "base/log.h"
#include "fake_targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    struct explaining *x;
    struct target *targets[2];
    struct exporter_state exporter;
};

static int setup(void **state) {
    struct fixture *fx = calloc(1, sizeof *fx);
    fx->x = explaining_new(10, 30000);
    fx->exporter = fake_state();
    fx->exporter.events = fx->x->ring;
    fx->targets[0] = fake_target("db1");
    fx->targets[1] = fake_target("db2");
    *state = fx;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fx = *state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fx->targets[i]->refs, 1);
        explaining_removed(fx->x, fx->targets[i]);
        fake_target_free(fx->targets[i]);
    }
    explaining_free(fx->x);
    free(fx);
    return 0;
}

/* "name=value&name=value" of what needs no decoding. */
static char *ask(const struct fixture *fx, const char *path, const char *query, size_t enough, unsigned status) {
    struct api_request request = {.path = path, .targets = fx->targets, .target_count = 2, .state = &fx->exporter};
    while (*query) {
        struct api_parameter *p = &request.parameters[request.parameter_count++];
        size_t name = strcspn(query, "="), value = strcspn(query + name + 1, "&");
        *p = (struct api_parameter){{query, name}, {query + name + 1, value}};
        query += name + 1 + value;
        query += *query == '&';
    }
    struct strbuf page, piece;
    strbuf_init(&page, 1 << 26);
    strbuf_init(&piece, 1 << 26);
    assert_true(api_has(path));
    struct api_page *api = api_begin(&request);
    assert_non_null(api);
    assert_int_equal(api_status(api), status);
    while (api_next(api, &piece, enough)) {
        strbuf_add(&page, piece.data, piece.len);
        strbuf_reset(&piece);
    }
    assert_false(api_next(api, &piece, enough));
    api_end(api);
    strbuf_release(&piece);
    assert_false(strbuf_failed(&page));
    return strbuf_detach(&page);
}

static void feed(struct fixture *fx, int target, uint64_t id, const char *user, const char *reason) {
    struct log_event line = {.kind = LOG_EVENT_ABORTED,
                             .connection_id = id,
                             .user = span_of(user),
                             .host = span_of("10.0.0.7"),
                             .reason = span_of(reason)};
    explaining_line(fx->x, fx->targets[target], &line);
}

static size_t events_in(const char *page) {
    size_t n = 0;
    for (; (page = strstr(page, "{\"id\":")); n++)
        page++;
    return n;
}

static void assert_has(const char *page, const char *part) {
    if (!strstr(page, part))
        fail_msg("'%s' is not in: %s", part, page);
}

static size_t events_of(const struct fixture *fx, const char *query) {
    char *page = ask(fx, "/api/v1/events", query, SIZE_MAX, 200);
    size_t n = events_in(page);
    free(page);
    return n;
}

static void nothing_is_a_list_too(void **state) {
    struct fixture *fx = *state;
    char *page = ask(fx, "/api/v1/events", "", SIZE_MAX, 200);
    assert_string_equal(page, "{\"status\":\"success\",\"data\":{\"events\":[],\"next_cursor\":null}}\n");
    free(page);
    assert_false(api_has("/api/v1/nothing"));
    assert_false(api_has("/api/v1"));
}

static void filters(void **state) {
    struct fixture *fx = *state;
    for (uint64_t i = 0; i < 10; i++)
        feed(fx, i % 2, i, i < 5 ? "app" : "root", i % 5 ? "Got an error reading communication packets" : "new");
    assert_int_equal(events_of(fx, ""), 10);
    assert_int_equal(events_of(fx, "target=db2"), 5);
    assert_int_equal(events_of(fx, "user=app"), 5);
    assert_int_equal(events_of(fx, "user=ap"), 0);
    assert_int_equal(events_of(fx, "user="), 0);
    assert_int_equal(events_of(fx, "host=10.0.0.7&user=root&cause=client_vanished"), 4);
    assert_int_equal(events_of(fx, "cause=unknown&target=db1"), 1);
    assert_int_equal(events_of(fx, "confidence=certain"), events_of(fx, "cause=client_vanished"));
    assert_int_equal(events_of(fx, "confidence=unknown"), 10 - events_of(fx, "confidence=certain"));
    assert_int_equal(events_of(fx, "since=4000000000"), 0);
    assert_int_equal(events_of(fx, "until=1"), 0);
    assert_int_equal(events_of(fx, "since=2020-01-01T00:00:00Z&until=4000000000.5"), 10);
    assert_int_equal(events_of(fx, "limit=3"), 3);
    char *page = ask(fx, "/api/v1/events", "limit=3&user=app", SIZE_MAX, 200);
    assert_has(page, "\"next_cursor\":\"3\"");
    free(page);
    assert_int_equal(events_of(fx, "cursor=3&user=app"), 2);
}

/* Where one page has looked at enough the next goes on, and none is left out. */
static void a_rare_one_is_found_in_bounded_steps(void **state) {
    struct fixture *fx = *state;
    char query[64] = "user=rare";
    size_t found = 0, pages = 0;
    feed(fx, 0, 1, "rare", "x");
    for (uint64_t i = 0; i < 25000; i++)
        feed(fx, 0, 2, "app", "x");
    for (const char *cursor = ""; cursor && pages < 10; pages++) {
        char *page = ask(fx, "/api/v1/events", query, SIZE_MAX, 200);
        found += events_in(page);
        cursor = strstr(page, "\"next_cursor\":\"");
        if (cursor)
            snprintf(query, sizeof query, "user=rare&cursor=%lu", strtoul(cursor + 15, NULL, 10));
        free(page);
    }
    assert_int_equal(found, 1);
    assert_int_equal(pages, 2);
}

static void wrong_parameters_are_named(void **state) {
    static const char *const wrong[] = {"limit=0",
                                        "limit=1001",
                                        "limit=+1",
                                        "limit=",
                                        "cause=CLIENT_VANISHED",
                                        "confidence=sure",
                                        "since=now",
                                        "since=-1",
                                        "until=nan",
                                        "until=1e10",
                                        "since=2020-01-01T00:00:00",
                                        "cursor=0",
                                        "cursor=x",
                                        "target=",
                                        "target=db3",
                                        "limit=1&limit=1",
                                        "colour=red",
                                        "=",
                                        "since=99999999999999999999"};
    struct fixture *fx = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *page = ask(fx, "/api/v1/events", wrong[i], SIZE_MAX, 400), name[64];
        snprintf(name, sizeof name, "\"error\":\"parameter '%.*s': ", (int)strcspn(wrong[i], "="), wrong[i]);
        assert_true(strncmp(page, "{\"status\":\"error\",\"errorType\":\"bad_data\",", 41) == 0);
        assert_has(page, name);
        free(page);
    }
    free(ask(fx, "/api/v1/targets", "limit=1", SIZE_MAX, 400));
    free(ask(fx, "/api/v1/ledger", "target=db1", SIZE_MAX, 200));
}

#define HOSTILE "\"\\</script>\x01\xff\n"
#define ESCAPED "\\\"\\\\</script>\\u0001\xef\xbf\xbd\\n"

static void hostile_names_are_escaped_in_every_piece_size(void **state) {
    static const char *const paths[] = {"/api/v1/events", "/api/v1/targets", "/api/v1/ledger"};
    struct fixture *fx = *state;
    fake_up(fx->targets[0]);
    fake_down(fx->targets[1]);
    for (uint64_t i = 0; i < 40; i++)
        feed(fx, 0, i, HOSTILE, HOSTILE);
    free(fx->targets[1]->config->address_text);
    fx->targets[1]->config->address_text = strdup(HOSTILE);
    for (int i = 0; i < 3; i++) {
        char *whole = ask(fx, paths[i], "", SIZE_MAX, 200);
        for (size_t enough = 1; i < 2 && enough < 40000; enough = enough * 3 + 1) {
            char *page = ask(fx, paths[i], "", enough, 200);
            if (i == 0) /* the others tell ages, which grow */
                assert_string_equal(page, whole);
            assert_true(labs((long)strlen(page) - (long)strlen(whole)) < 50);
            free(page);
        }
        if (i < 2)
            assert_has(whole, ESCAPED);
        free(whole);
    }
}

static void targets_say_how_they_are(void **state) {
    struct fixture *fx = *state;
    fake_up(fx->targets[0]);
    fake_down(fx->targets[1]);
    char *page = ask(fx, "/api/v1/targets", "", SIZE_MAX, 200);
    assert_has(page, "{\"target\":\"db1\",\"address\":\"db.example:3306\",\"labels\":{},\"poll\":{\"health\":\"up\","
                     "\"down\":null,");
    assert_has(page, "\"health\":\"down\",\"down\":{\"phase\":\"connect\",\"reason\":\"refused\"");
    assert_has(page, "\"error_log\":null");
    assert_has(page, "\"sessions\":null");
    assert_has(page, "\"flavour\":\"MariaDB\",\"version\":\"10.11.19-MariaDB\"");
    free(page);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, stderr);
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_a_list_too),
        TEST(filters),
        TEST(a_rare_one_is_found_in_bounded_steps),
        TEST(wrong_parameters_are_named),
        TEST(hostile_names_are_escaped_in_every_piece_size),
        TEST(targets_say_how_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
