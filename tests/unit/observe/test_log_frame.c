/*
 * Every frame and reason of every language, filled with values that look like parts of frames, is understood as it was
 * filled; also those of servers that no test here can run.
 */
#include "observe/log_frame.h"
#include "observe/log_reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID "4294967295"
#define DB "d'b (x) user: 'y"
#define USER "we) ird (u: 'x"
#define HOST "fe80::1%eth0.example"
#define EXTRA ""
#define REASON "Got packets out of order"
#define WORD "JA"
#define PROGRAM "/usr/sbin/mysqld: "

static const struct {
    enum log_event_kind kind;
    const char *text;
} frames[] = {
#define FRAME(kind, text) {LOG_EVENT_##kind, text},
#include "observe/log_frames.inc"
#undef FRAME
};
enum { FRAMES = sizeof frames / sizeof *frames };

static void check_part(const char *text, const char *what, struct span got, const char *want) {
    bool is_there = strstr(text, want);
    if (is_there ? !got.ptr || !span_is(got, want) : got.ptr != NULL)
        fail_msg("%s\n  %s: got %.*s", text, what, (int)got.len, got.ptr ? got.ptr : "");
}

static void every_language_is_understood(void **state) {
    (void)state;
    log_frame_init();
    assert_true(FRAMES > 100);
    for (size_t i = 0; i < FRAMES; i++) {
        struct log_event e;
        const char *text = frames[i].text;
        if (log_frame_parse(span_of(text), &e) != LOG_FRAME_FITS || e.kind != frames[i].kind)
            fail_msg("%s\n  got %s", text, log_event_kind_name(e.kind));
        assert_true(log_frame_may_fit(text));
        check_part(text, "database", e.db, DB);
        check_part(text, "user", e.user, USER);
        check_part(text, "host", e.host, HOST);
        check_part(text, "reason", e.reason, REASON);
        assert_int_equal(e.connection_id, strstr(text, ID) ? 4294967295 : 0);
    }
}

/* The frames of one kind and language begin alike: that a message is cut anywhere must not make it another event. */
static void no_part_of_a_message_is_another(void **state) {
    (void)state;
    log_frame_init();
    for (size_t i = 0; i < FRAMES; i++)
        for (size_t cut = strlen(frames[i].text); cut > 0; cut--) {
            struct log_event e;
            struct span part = {frames[i].text, cut};
            if (log_frame_parse(part, &e) == LOG_FRAME_FITS && e.kind != frames[i].kind)
                fail_msg("%.*s\n  got %s", (int)cut, frames[i].text, log_event_kind_name(e.kind));
        }
}

static void ends_of_refused_logins_are_known(void **state) {
    (void)state;
    log_frame_init();
    size_t count = 0;
    for (size_t i = 0; i < FRAMES; i++) {
        struct log_event e;
        const char *name = strstr(frames[i].text, USER "'@'");
        if (frames[i].kind != LOG_EVENT_ACCESS_DENIED || !name)
            continue;
        assert_true(log_frame_refused_end(span_of(name), false, &e));
        assert_true(span_is(e.user, USER));
        count++;
    }
    assert_true(count > 60);
    struct log_event e;
    assert_false(log_frame_refused_end(span_of("nothing of the kind"), false, &e));
    assert_false(log_frame_refused_end(span_of("user specified as a definer ('x'@'%') does not exist"), false, &e));
    assert_false(log_frame_refused_end(span_of("x'@'h' (using password: YES)"), true, &e));
}

#undef REASON
static const struct {
    const char *text, *english;
} reasons[] = {
#define REASON(text, english) {text, english},
#include "observe/log_reasons.inc"
};

static void every_reason_is_told_in_english(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        struct span text = span_of(reasons[i].text);
        if (!span_is(log_reason_english(text), reasons[i].english))
            fail_msg("%s", reasons[i].text);
        /* MariaDB cuts at 64 bytes in front of a character, MySQL anywhere */
        for (size_t cut = 61; cut <= 64 && cut < text.len; cut++) {
            struct span english = log_reason_english((struct span){text.ptr, cut});
            size_t first = 0;
            while (strncmp(reasons[first].text, text.ptr, cut) != 0)
                first++;
            /* Georgian's verbs come too late: what it says of reading and of writing is the same up to there. */
            if (!span_is(english, reasons[first].english) || (first != i && !strstr(reasons[i].english, " writing ")))
                fail_msg("%.*s: got %.*s", (int)cut, text.ptr, (int)english.len, english.ptr ? english.ptr : "");
        }
    }
    assert_null(log_reason_english(span_of("")).ptr);
    assert_null(log_reason_english(span_of("Fehler beim Lesen")).ptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_language_is_understood),
        cmocka_unit_test(no_part_of_a_message_is_another),
        cmocka_unit_test(ends_of_refused_logins_are_known),
        cmocka_unit_test(every_reason_is_told_in_english),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
