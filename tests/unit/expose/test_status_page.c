/*
 * The status page: says how each target is, and lets no text out of its cell.
 */
#include "expose/status_page.h"

#include "../explain/explaining.h"
#include "base/log.h"
#include "fake_targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char *page_with(const struct event_ring *ring, struct target **targets, size_t count, size_t enough) {
    struct exporter_state exporter = fake_state();
    struct strbuf page, piece;
    exporter.events = ring;
    strbuf_init(&page, 1 << 24);
    strbuf_init(&piece, 1 << 20);
    struct status_page *status = status_page_begin(targets, count, &exporter);
    assert_non_null(status);
    while (status_page_next(status, &piece, enough)) {
        assert_true(enough == SIZE_MAX || piece.len < enough + 20000);
        strbuf_add(&page, piece.data, piece.len);
        strbuf_reset(&piece);
    }
    assert_false(status_page_next(status, &piece, enough));
    status_page_end(status);
    strbuf_release(&piece);
    assert_false(strbuf_failed(&page));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(targets[i]->refs, 1);
    return strbuf_detach(&page);
}

static char *page_of(struct target **targets, size_t count, size_t enough) {
    return page_with(NULL, targets, count, enough);
}

static void assert_has(const char *page, const char *part) {
    if (!strstr(page, part))
        fail_msg("'%s' is not in: %s", part, page);
}

static void it_says_how_each_target_is(void **state) {
    struct target *targets[] = {fake_target("db-up"), fake_target("db-down"), fake_target("db-new")};
    (void)state;
    fake_up(targets[0]);
    fake_down(targets[1]);
    char *page = page_of(targets, 3, SIZE_MAX);
    assert_memory_equal(page, "<!DOCTYPE html>\n", 16);
    assert_has(page, "<a href=\"/metrics\">");
    assert_has(page, "<a href=\"/-/healthy\">");
    assert_has(page, "<a href=\"/-/ready\">");
    assert_has(
        page,
        "<th scope=row>db-up<td class=text>db.example:3306<td class=text><span class=good>up</span> "
        "10.11.19-MariaDB<td class=text>default<td class=text><span class=good>up</span><td class=number>0.06 ms");
    assert_has(page,
               "<th scope=row>db-down<td class=text>db.example:3306<td class=text><span class=bad>down: refused in "
               "connect</span> Can&#39;t connect to &#39;db&#39; &lt;b&gt;<td class=text>default<td class=text><span "
               "class=bad>down: "
               "access_denied in auth</span> Access denied<td class=number>–");
    assert_has(
        page,
        "<th scope=row>db-new<td class=text>db.example:3306<td class=text><span class=faint>not tried yet</span>");
    assert_has(page, "none configured");
    assert_has(page, "None seen since the start");
    assert_has(page, "libmariadb 3.3.20, running since 2025-11-21 01:53:20Z");
    free(page);
    for (int i = 0; i < 3; i++)
        fake_target_free(targets[i]);
}

#define HOSTILE "<script>\"x\"'y'&</td>\xff\x01"
#define ESCAPED "&lt;script&gt;&quot;x&quot;&#39;y&#39;&amp;&lt;/td&gt;\xef\xbf\xbd\xef\xbf\xbd"

static void feed(struct explaining *x, struct target *target, enum log_event_kind kind, uint64_t id, const char *text) {
    struct log_event event = {.kind = kind,
                              .connection_id = id,
                              .db = span_of(text),
                              .user = span_of(text),
                              .host = span_of(text),
                              .reason = span_of(text)};
    explaining_line(x, target, &event);
}

static void hostile_texts_stay_text(void **state) {
    struct target *target = fake_target(HOSTILE);
    struct explaining *x = explaining_new(10, 25);
    (void)state;
    fake_down(target);
    target->poll.down = fake_failure(PHASE_GREETING, FAILURE_PROTOCOL, HOSTILE);
    target->probes->facts.down = target->poll.down;
    free(target->config->address_text);
    target->config->address_text = strdup(HOSTILE);
    feed(x, target, LOG_EVENT_ABORTED, 17, HOSTILE);
    char *page = page_with(x->ring, &target, 1, SIZE_MAX);
    assert_null(strstr(page, "<script"));
    assert_null(strchr(page, '\x01'));
    assert_has(page,
               "<th scope=row>" ESCAPED "<td class=text>" ESCAPED "<td class=text><span class=bad>down: protocol in "
               "greeting</span> " ESCAPED "<td");
    assert_has(page,
               "<td class=text>" ESCAPED "<td class=text>unknown <span class=faint>unknown</span><td class=number>17"
               "<td class=text>" ESCAPED "<td class=text>" ESCAPED "<td class=text>" ESCAPED
               "<td class=text><td class=text><span class=faint>error_log</span> " ESCAPED "\n");
    free(page);
    snprintf(target->poll.version, sizeof target->poll.version, "%s", HOSTILE);
    target->poll.health = TARGET_UP;
    page = page_of(&target, 1, SIZE_MAX);
    assert_has(page, "<span class=good>up</span> " ESCAPED "<td");
    free(page);
    explaining_removed(x, target);
    explaining_free(x);
    fake_target_free(target);
}

/* Fifty of all, the newest first, whichever target they are of. */
static void the_newest_events_of_all_targets_are_shown(void **state) {
    struct target *targets[] = {fake_target("a"), fake_target("b"), fake_target("c")};
    struct explaining *x = explaining_new(10, 25);
    (void)state;
    for (int i = 0; i < 90; i++)
        feed(x, targets[i % 3], LOG_EVENT_ABORTED, 1000 + (uint64_t)i, "u");
    char *page = page_with(x->ring, targets, 3, 100), number[128];
    const char *at = page;
    for (int i = 89; i >= 40; i--) {
        snprintf(number, sizeof number,
                 "<td class=text>%c<td class=text>unknown <span class=faint>unknown</span>"
                 "<td class=number>%d<",
                 'a' + i % 3, 1000 + i);
        at = strstr(at, number);
        assert_non_null(at);
        at += strlen(number);
    }
    assert_null(strstr(at, "<td class=number>10"));
    free(page);
    for (int i = 0; i < 3; i++) {
        explaining_removed(x, targets[i]);
        fake_target_free(targets[i]);
    }
    assert_null(event_ring_before(x->ring, NULL, 0));
    explaining_free(x);
}

static void the_page_is_the_same_in_every_piece_size(void **state) {
    struct target *targets[40];
    (void)state;
    for (int i = 0; i < 40; i++)
        (i % 2 ? fake_up : fake_down)(targets[i] = fake_target("t"));
    char *whole = page_of(targets, 40, SIZE_MAX);
    for (size_t enough = 1; enough < 20000; enough = enough * 3 / 2 + 1) {
        char *page = page_of(targets, 40, enough);
        assert_string_equal(page, whole);
        free(page);
    }
    free(whole);
    for (int i = 0; i < 40; i++)
        fake_target_free(targets[i]);
}

int main(void) {
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, stderr); /* not a line for each event */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_how_each_target_is),
        cmocka_unit_test(hostile_texts_stay_text),
        cmocka_unit_test(the_newest_events_of_all_targets_are_shown),
        cmocka_unit_test(the_page_is_the_same_in_every_piece_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
