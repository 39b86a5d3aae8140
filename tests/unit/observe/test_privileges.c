/*
 * Lines of SHOW GRANTS, honest ones and ones with names that are made to deceive.
 */
#include "observe/privileges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void lines(void **state) {
    (void)state;
    static const struct {
        const char *line;
        bool process;
    } cases[] = {
        {"GRANT PROCESS ON *.* TO `m`@`%`", true},
        {"GRANT SELECT, PROCESS, FILE ON *.* TO 'm'@'%' REQUIRE SSL", true},
        {"GRANT SELECT, FILE, PROCESS ON *.* TO 'm'@'%'", true},
        {"GRANT ALL PRIVILEGES ON *.* TO `m`@`%` WITH GRANT OPTION", true},
        {"GRANT USAGE ON *.* TO `m`@`%`", false},
        {"GRANT PROCESS_X, XPROCESS ON *.* TO `m`@`%`", false},
        {"GRANT ALL PRIVILEGES ON `shop`.* TO `m`@`%`", false},
        {"GRANT `PROCESS`@`%` TO `m`@`%`", false},
        {"GRANT `a, PROCESS ON *.* TO b`@`%` TO `m`@`%`", false},
        {"GRANT \"a, PROCESS ON *.* TO b\"@\"%\" TO \"m\"@\"%\"", false},
        {"GRANT USAGE ON *.* TO `PROCESS ON *.* TO `@`%`", false},
        {"REVOKE PROCESS ON *.* TO `m`@`%`", false},
        {"SET DEFAULT ROLE `GRANT PROCESS ON *.* TO ` FOR `m`@`%`", false},
        {" ON *.* TO ", false},
        {"GRANT ON *.* TO ", false},
        {"GRANT ,,PROCESS, ON *.* TO ", true},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (privileges_grant_process(span_of(cases[i].line)) != cases[i].process)
            fail_msg("%s", cases[i].line);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
