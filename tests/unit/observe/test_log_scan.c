/*
 * The scan finds the same place, and counts as many lines, with whatever instructions the processor has.
 */
#include "observe/log_frame.h"
#include "observe/log_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LONGEST = 700, TEXTS = 20000 };

/* What the scan looks at, in pieces. */
static const char *const pieces[] = {"] ",
                                     "]: ",
                                     "]b",
                                     "P ",
                                     "stderr P ",
                                     "stdout P ",
                                     "{",
                                     " {",
                                     "\n{",
                                     "\n<",
                                     "<",
                                     "\n",
                                     "\n",
                                     "Ab",
                                     "A ",
                                     "Aborted connection 7 ",
                                     "A:",
                                     "[Note] Ab",
                                     "x",
                                     "]",
                                     "P",
                                     "P:",
                                     "Pb",
                                     "] Access denied ",
                                     "\r\n",
                                     "\xdd\xd0 ",
                                     "\301b",
                                     "aaa",
                                     "-- ",
                                     "0 ",
                                     "] [MY-010914] [Server] Aborted "};

static uint32_t dice(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static size_t make_text(uint64_t *state, char out[LONGEST]) {
    size_t len = 0, wanted = dice(state) % LONGEST, plain = dice(state) % 40;
    while (len < wanted) {
        const char *piece = pieces[dice(state) % (sizeof pieces / sizeof pieces[0])];
        size_t more = strlen(piece), blank = plain ? dice(state) % plain : 0;
        for (; blank > 0 && len < wanted; blank--)
            out[len++] = '.';
        if (len + more > wanted)
            break;
        memcpy(out + len, piece, more);
        len += more;
    }
    return len;
}

static void every_instruction_set_finds_the_same(void **state) {
    uint64_t seed = 4;
    unsigned places = 0;
    (void)state;
    log_frame_init();
    for (unsigned i = 0; i < TEXTS; i++) {
        char text[LONGEST];
        size_t len = make_text(&seed, text), lines, others;
        char *exact = malloc(len > 0 ? len : 1); /* so that a sanitizer sees what is read past the end */
        assert_non_null(exact);
        memcpy(exact, text, len);
        const char *end = exact + len, *place = log_scan_next_with(LOG_SCAN_BYTES, exact, end, &lines);
        places += place != NULL;
        for (enum log_scan_speed speed = LOG_SCAN_SSSE3; speed <= log_scan_best(); speed++) {
            assert_ptr_equal(log_scan_next_with(speed, exact, end, &others), place);
            assert_int_equal(others, lines);
        }
        free(exact);
    }
    assert_in_range(places, TEXTS / 20, TEXTS - TEXTS / 20); /* of both kinds */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_instruction_set_finds_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
