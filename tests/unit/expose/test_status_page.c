/*
 * The pages for people: how each target is and who aborted, in pages and by parameters; no text leaves its cell.
 */
#include "expose/status_page.h"

#include "../explain/explaining.h"
#include "base/log.h"
#include "fake_targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* `query`: "name=value&name=value", which needs no decoding here. */
static char *page_asked(const struct event_ring *ring, struct target **targets, size_t count, size_t enough,
                        const char *path, const char *query, unsigned status) {
    struct exporter_state exporter = fake_state();
    struct api_request request = {.path = path, .targets = targets, .target_count = count, .state = &exporter};
    struct strbuf page, piece;
    exporter.events = ring;
    while (*query) {
        size_t name = strcspn(query, "="), value = strcspn(query + name + 1, "&");
        request.parameters[request.parameter_count++] =
            (struct api_parameter){{query, name}, {query + name + 1, value}};
        query += name + 1 + value;
        query += *query == '&';
    }
    strbuf_init(&page, 1 << 24);
    strbuf_init(&piece, 1 << 20);
    struct status_page *made = status_page_begin(&request);
    assert_non_null(made);
    assert_int_equal(status_page_status(made), status);
    while (status_page_next(made, &piece, enough)) {
        assert_true(enough == SIZE_MAX || piece.len < enough + 20000);
        strbuf_add(&page, piece.data, piece.len);
        strbuf_reset(&piece);
    }
    assert_false(status_page_next(made, &piece, enough));
    status_page_end(made);
    strbuf_release(&piece);
    assert_false(strbuf_failed(&page));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(targets[i]->refs, 1);
    return strbuf_detach(&page);
}

static char *page_of(struct target **targets, size_t count, size_t enough) {
    return page_asked(NULL, targets, count, enough, STATUS_PATH, "", 200);
}

static void assert_has(const char *page, const char *part) {
    if (!strstr(page, part))
        fail_msg("'%s' is not in: %s", part, page);
}

static void assert_has_not(const char *page, const char *part) {
    if (strstr(page, part))
        fail_msg("'%s' is in: %s", part, page);
}

/* Each after the one before. */
static void assert_in_order(const char *page, const char *const *parts, size_t count) {
    const char *at = page;
    for (size_t i = 0; i < count; i++) {
        at = strstr(at, parts[i]);
        if (!at)
            fail_msg("'%s' does not follow in: %s", parts[i], page);
        at += strlen(parts[i]);
    }
}

static void add_past(struct target *target, int64_t ping_ns, enum failure_class failure) {
    struct past_probe past = {.wall_s = 1763690400, .failure = (uint8_t)failure, .failed_in = PHASE_CONNECT};
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        past.phase_us[phase] = past_probe_phase_us(phase == PHASE_PING && !failure ? ping_ns : -1);
    probe_history_add(&target->probes->facts.history, &past);
}

static void it_says_how_each_target_is(void **state) {
    struct target *targets[] = {fake_target("db-up"), fake_target("db-down"), fake_target("db-new")};
    static const char *const order[] = {">db-down<",
                                        "refused</b> in connect",
                                        "Can&#39;t connect to &#39;db&#39; &lt;b&gt;",
                                        "default: <b>access_denied</b> in auth",
                                        ">db-new<",
                                        "not tried yet",
                                        ">db-up<",
                                        "10.11.19-MariaDB",
                                        ">up<",
                                        "median 1.00&nbsp;ms, slowest 3.00&nbsp;ms, 1 failed",
                                        "0.06&nbsp;ms",
                                        ">clean<"};
    (void)state;
    fake_up(targets[0]);
    fake_down(targets[1]);
    for (int i = 1; i <= 3; i++)
        add_past(targets[0], (i == 3 ? 3 : 1) * NS_PER_MS, FAILURE_NONE);
    add_past(targets[0], 0, FAILURE_REFUSED);
    char *page = page_of(targets, 3, SIZE_MAX);
    assert_memory_equal(page, "<!DOCTYPE html>\n", 16);
    assert_has(page, "<title>1 down – mysqlconn_exporter</title>");
    assert_has(page, "<a href=\"/metrics\">");
    assert_has(page, "<a href=\"/-/ready\">");
    assert_has(page, "<b>1</b> down or failing");
    assert_in_order(page, order, sizeof order / sizeof *order);
    assert_has(page, "None seen since the start");
    assert_has(page, "libmariadb 3.3.20, running since <time datetime=2025-11-21T01:53:20Z>Nov 21 01:53:20</time>");
    free(page);
    page = page_asked(NULL, targets, 3, SIZE_MAX, STATUS_TARGET_PATH, "target=db-up", 200);
    assert_has(page, "<title>db-up – mysqlconn_exporter</title>");
    assert_has(page, "</svg>ping<td class=num>0.06&nbsp;ms<td class=num>1.67&nbsp;ms<td class=num>3.00&nbsp;ms");
    assert_has(page, "<li>refused in connect, ");
    assert_has(page, "<dt>wait_timeout<dd>");
    free(page);
    page = page_asked(NULL, targets, 3, SIZE_MAX, STATUS_TARGET_PATH, "target=db", 404);
    assert_has(page, "No such target");
    free(page);
    page = page_of(NULL, 0, SIZE_MAX);
    assert_has(page, "No server is watched");
    free(page);
    for (int i = 0; i < 3; i++)
        fake_target_free(targets[i]);
}

static void bars_are_as_high_as_their_phases_are_long(void **state) {
    struct target *target = fake_target("db");
    (void)state;
    fake_up(target);
    add_past(target, 1 * NS_PER_MS, FAILURE_NONE);
    add_past(target, 2 * NS_PER_MS, FAILURE_NONE);
    add_past(target, 100 * NS_PER_MS, FAILURE_NONE); /* four times the median at most, with a notch */
    char *page = page_of(&target, 1, SIZE_MAX);
    assert_has(page, "<path class=\"phase-ping\" d=\"M145 32v-32h4v32zM140 32v-8h4v8zM135 32v-4h4v4z\"/>"
                     "<path class=notch d=\"M145 6l4 -3\"/></svg>");
    assert_has_not(page, "<path class=\"phase-query\"");
    free(page);
    fake_target_free(target);
}

#define HOSTILE "<script>\"x\"'y'&</td>\xff\x01\xe2\x80\x8e"
#define ESCAPED "&lt;script&gt;&quot;x&quot;&#39;y&#39;&amp;&lt;/td&gt;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"

static void feed(struct explaining *x, struct target *target, enum log_event_kind kind, uint64_t id, const char *text) {
    struct log_event event = {.kind = kind,
                              .connection_id = id,
                              .db = span_of(text),
                              .user = span_of(text),
                              .host = span_of(text),
                              .reason = span_of(text)};
    explaining_line(x, target, &event);
}

static void assert_harmless(char *page) {
    static const char *const ours = "<script defer src=\"/static/status.js\"></script>";
    char *script = strstr(page, "<script");
    assert_memory_equal(script, ours, strlen(ours));
    assert_null(strstr(script + 1, "<script"));
    assert_null(strchr(page, '\x01'));
    assert_null(strstr(page, "\xe2\x80\x8e"));
    free(page);
}

static void hostile_texts_stay_text(void **state) {
    struct target *target = fake_target(HOSTILE);
    struct label label = {(char[]){"env"}, (char[]){HOSTILE}};
    struct explaining *x = explaining_new(10, 25);
    (void)state;
    target->config->labels = &label;
    target->config->label_count = 1;
    fake_down(target);
    target->poll.down = fake_failure(PHASE_GREETING, FAILURE_PROTOCOL, HOSTILE);
    target->probes->facts.down = target->poll.down;
    free(target->config->address_text);
    target->config->address_text = strdup(HOSTILE);
    feed(x, target, LOG_EVENT_ABORTED, 17, HOSTILE);
    char *page = page_asked(x->ring, &target, 1, SIZE_MAX, STATUS_PATH, "", 200);
    assert_has(
        page,
        "<th role=rowheader scope=row><a href=\"/target?target=%3Cscript%3E%22x%22%27y%27%26%3C%2Ftd%3E%FF%01%E2%80"
        "%8E\"><bdi>" ESCAPED "</bdi></a><div class=sub><bdi>" ESCAPED "</bdi>");
    assert_has(page, "poll: <b>protocol</b> in greeting <span class=said><bdi>" ESCAPED "</bdi></span>");
    assert_has(page, "<summary><bdi>" ESCAPED "</bdi></summary>");
    assert_has(page, "<a class=quiet href=\"/?user=%3Cscript");
    assert_has(page, "<div class=sub>database <bdi>" ESCAPED "</bdi></div>");
    assert_harmless(page);
    page = page_asked(x->ring, &target, 1, SIZE_MAX, STATUS_PATH,
                      "find="
                      "<script>\"x\"'y'"
                      "&user="
                      "<script>\"",
                      200);
    assert_has(page, "name=find id=find value=\"&lt;script&gt;&quot;x&quot;&#39;y&#39;\"");
    assert_has(page, "name=user id=filter-user value=\"&lt;script&gt;&quot;\"");
    assert_harmless(page);
    page = page_asked(x->ring, &target, 1, SIZE_MAX, STATUS_PATH, "<script>\"=1", 400);
    assert_has(page, "role=alert>Parameter &#39;&lt;script&gt;&quot;&#39;: there is none of this name here.");
    assert_harmless(page);
    snprintf(target->poll.version, sizeof target->poll.version, "%s", HOSTILE);
    snprintf(target->poll.version_comment, sizeof target->poll.version_comment, "%s", HOSTILE);
    target->poll.health = TARGET_UP;
    page = page_of(&target, 1, SIZE_MAX);
    assert_has(page, "<br><bdi>" ESCAPED "</bdi>");
    assert_harmless(page);
    page = page_asked(x->ring, &target, 1, SIZE_MAX, STATUS_TARGET_PATH,
                      "target="
                      "<script>\"x\"'y'",
                      404);
    assert_harmless(page);
    free(target->config->name);
    target->config->name = strdup("<script>");
    page = page_asked(x->ring, &target, 1, SIZE_MAX, STATUS_TARGET_PATH, "target=<script>", 200);
    assert_has(page, "<h1><bdi>&lt;script&gt;</bdi></h1>");
    assert_has(page, "env=<bdi>" ESCAPED "</bdi>");
    assert_harmless(page);
    target->config->label_count = 0;
    explaining_removed(x, target);
    explaining_free(x);
    fake_target_free(target);
}

/* Fifty of all, the newest first, whichever target they are of; the next fifty behind a link. */
static void the_newest_events_of_all_targets_are_shown(void **state) {
    struct target *targets[] = {fake_target("a"), fake_target("b"), fake_target("c")};
    struct explaining *x = explaining_new(10, 25);
    (void)state;
    for (int i = 0; i < 75; i++)
        feed(x, targets[i % 3], LOG_EVENT_ABORTED, 1000 + (uint64_t)i, "u");
    char *page = page_asked(x->ring, targets, 3, 100, STATUS_PATH, "user=u", 200), number[128];
    const char *at = page;
    for (int i = 74; i >= 25; i--) {
        snprintf(number, sizeof number, "data-label=\"Connection\">%d<", 1000 + i);
        at = strstr(at, number);
        assert_non_null(at);
        at += strlen(number);
    }
    assert_null(strstr(at, "data-label=\"Connection\">"));
    assert_has(at, "<a href=\"/?user=u&amp;cursor=26#events-title\">Older</a>");
    assert_has(at, "<a href=\"/api/v1/events?user=u\">as JSON</a>");
    free(page);
    page = page_asked(x->ring, targets, 3, SIZE_MAX, STATUS_PATH, "user=u&cursor=26", 200);
    assert_has(page, ">1024<");
    assert_has_not(page, ">1025<");
    assert_has_not(page, ">Older<");
    free(page);
    page = page_asked(x->ring, targets, 3, SIZE_MAX, STATUS_TARGET_PATH, "target=b&limit=1", 200);
    assert_has(page, ">1073<");
    assert_has_not(page, ">1074<");
    free(page);
    page = page_asked(x->ring, targets, 3, SIZE_MAX, STATUS_PATH, "user=nobody", 200);
    assert_has(page, "No event is like this.");
    free(page);
    for (int i = 0; i < 3; i++) {
        explaining_removed(x, targets[i]);
        fake_target_free(targets[i]);
    }
    assert_null(event_ring_before(x->ring, NULL, 0));
    explaining_free(x);
}

/* Ten of them, whoever came first; what is not in the table is said to be elsewhere. */
static void the_clients_with_the_most_aborts_are_shown(void **state) {
    static const char *const order[] = {
        "By client",
        ">u11<",
        "<span class=at>@</span><bdi>h</bdi><div class=sub>driver <bdi>unknown</bdi></div><td>",
        "=client_vanished#",
        "<td class=num>12\n",
        ">u3<",
        "<td class=num>4\n",
        ">u2<",
        "<td class=num>3\n",
        "</table>\n<p class=sub>2 more are in",
        "The server's counters"};
    struct target *target = fake_target("a");
    (void)state;
    fake_up(target);
    for (uint64_t places = 8; places <= 100; places += 92) {
        struct explaining *x = explaining_new(places, 100);
        for (int i = 0; i < 12; i++)
            for (int n = 0; n <= i; n++) {
                char name[8];
                snprintf(name, sizeof name, "u%d", i);
                struct log_event event = {.kind = LOG_EVENT_ABORTED,
                                          .connection_id = 1000 + (uint64_t)(100 * i + n),
                                          .user = span_of(name),
                                          .host = span_of("h"),
                                          .db = span_of("d"),
                                          .reason = span_of("Got an error reading communication packets")};
                explaining_line(x, target, &event);
            }
        char *page = page_asked(x->ring, &target, 1, SIZE_MAX, STATUS_TARGET_PATH, "target=a", 200), folded[64];
        snprintf(folded, sizeof folded, "<p class=sub>%llu aborts are of clients beyond",
                 (unsigned long long)clients_folded(target));
        if (places == 100) {
            assert_in_order(page, order, sizeof order / sizeof *order - 1);
            assert_has_not(page, "aborts are of clients beyond");
        } else {
            assert_true(clients_folded(target) > 0);
            assert_has(page, folded);
            assert_has_not(page, "more are in");
        }
        free(page);
        explaining_removed(x, target);
        explaining_free(x);
    }
    fake_target_free(target);
}

/* The page names as many as it shows, and every target is on one page. */
static void targets_come_in_pages(void **state) {
    struct target *targets[120];
    char name[32];
    (void)state;
    for (int i = 0; i < 120; i++) {
        snprintf(name, sizeof name, "t%03d.", i);
        (i == 117 ? fake_down : fake_up)(targets[i] = fake_target(name));
    }
    char *first = page_of(targets, 120, SIZE_MAX);
    char *second = page_asked(NULL, targets, 120, SIZE_MAX, STATUS_PATH, "find=T&page=2", 200);
    char *third = page_asked(NULL, targets, 120, SIZE_MAX, STATUS_PATH, "page=3", 200);
    char *fourth = page_asked(NULL, targets, 120, SIZE_MAX, STATUS_PATH, "page=4", 200);
    static const char *const order[] = {">t117.<", ">t000.<", ">t048.<",
                                        "1 to 50 of 120 <a href=\"/?page=2#targets-title\">Next"};
    assert_in_order(first, order, 4);
    assert_has_not(first, ">t049.<");
    assert_has(second,
               "51 to 100 of 120 <a href=\"/?find=T&amp;page=1#targets-title\">Previous</a> <a href=\"/?find=T&amp;"
               "page=3#targets-title\">Next");
    assert_has(third, ">t119.<");
    assert_has_not(third, ">Next<");
    assert_has(fourth, "No target is like this.");
    free(first), free(second), free(third), free(fourth);
    for (int i = 0; i < 120; i++)
        fake_target_free(targets[i]);
}

static void the_page_is_the_same_in_every_piece_size(void **state) {
    struct target *targets[60];
    static const char *const queries[][2] = {{STATUS_PATH, ""}, {STATUS_TARGET_PATH, "target=t7"}};
    char name[16];
    (void)state;
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "t%d", i);
        (i % 2 ? fake_up : fake_down)(targets[i] = fake_target(name));
    }
    for (int q = 0; q < 2; q++) {
        char *whole = page_asked(NULL, targets, 60, SIZE_MAX, queries[q][0], queries[q][1], 200);
        for (size_t enough = 1; enough < 20000; enough = enough * 3 / 2 + 1) {
            char *page = page_asked(NULL, targets, 60, enough, queries[q][0], queries[q][1], 200);
            /* But for the time that it is, which is as long. */
            assert_int_equal(strlen(page), strlen(whole));
            assert_string_equal(strstr(page, "id=events-title"), strstr(whole, "id=events-title"));
            free(page);
        }
        free(whole);
    }
    for (int i = 0; i < 60; i++)
        fake_target_free(targets[i]);
}

int main(void) {
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, stderr); /* not a line for each event */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_how_each_target_is),
        cmocka_unit_test(bars_are_as_high_as_their_phases_are_long),
        cmocka_unit_test(hostile_texts_stay_text),
        cmocka_unit_test(targets_come_in_pages),
        cmocka_unit_test(the_newest_events_of_all_targets_are_shown),
        cmocka_unit_test(the_clients_with_the_most_aborts_are_shown),
        cmocka_unit_test(the_page_is_the_same_in_every_piece_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
