/*
 * The command line: the daemon's flags, the subcommand's, and what does not fit together.
 */
#include "cli/options.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 16

/* What complaints are written to while a command line is parsed, so that the test's own output stays readable. */
static int parse(struct options *options, const char *line) {
    static char copy[512];
    char *argv[ARGS_MAX + 1] = {0}, *rest = copy, *word;
    int argc = 0, kept = dup(STDERR_FILENO);
    assert_non_null(freopen("/dev/null", "w", stderr));
    assert_true(strlen(line) < sizeof copy);
    memcpy(copy, line, strlen(line) + 1);
    while ((word = strsep(&rest, " ")) && argc < ARGS_MAX)
        argv[argc++] = word;
    int rc = options_parse(argc, argv, options);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    return rc;
}

static void accepted(struct options *options, const char *line) {
    if (parse(options, line) != 0)
        fail_msg("refused: %s", line);
}

static void refused(const char *line) {
    struct options options;
    if (parse(&options, line) == 0)
        fail_msg("accepted: %s", line);
}

static void daemon_flags(void **state) {
    (void)state;
    struct options o;
    accepted(&o, "x --config.file=a.yml --log.level=debug --log.format json --web.telemetry-path=/m");
    assert_int_equal(o.command, COMMAND_RUN);
    assert_string_equal(o.config_file, "a.yml");
    assert_int_equal(o.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(o.log_format, LOG_FORMAT_JSON);
    assert_string_equal(o.telemetry_path, "/m");
    accepted(&o, "x --config.check --config.file=a.yml");
    assert_int_equal(o.command, COMMAND_CHECK_CONFIG);
    accepted(&o, "x --version");
    refused("x");
    refused("x --config.file=a --mysqld.address=h:1");
    refused("x --config.file=a --web.telemetry-path=m");
    refused("x --config.file=a --log.level=loud");
    refused("x --config.file=a stray");
    refused("x --json --config.file=a");
    refused("x stray --config.file=a");
}

static void probe_defaults(void **state) {
    (void)state;
    struct options o;
    accepted(&o, "x probe db1");
    assert_int_equal(o.command, COMMAND_PROBE);
    assert_string_equal(o.probe.host, "db1");
    assert_int_equal(o.probe.count, 5);
    assert_int_equal(o.probe.interval_ns, 1000000000);
    assert_int_equal(o.probe.timeout_ns, 5000000000);
    assert_null(o.probe.user);
    assert_false(o.probe.json);
}

static void probe_flags_anywhere(void **state) {
    (void)state;
    struct options o;
    accepted(&o, "x probe --json --count 0 [::1]:3307 --interval=0.25 --timeout 10ms --user u --tls.mode=required");
    assert_string_equal(o.probe.host, "[::1]:3307");
    assert_int_equal(o.probe.count, 0);
    assert_int_equal(o.probe.interval_ns, 250000000);
    assert_int_equal(o.probe.timeout_ns, 10000000);
    assert_string_equal(o.probe.user, "u");
    assert_string_equal(o.probe.tls_mode, "required");
    assert_true(o.probe.json);
}

static void probe_refuses(void **state) {
    (void)state;
    refused("x probe");
    refused("x probe a b");
    refused("x probe a --count=-1");
    refused("x probe a --count=many");
    refused("x probe a --count=");
    refused("x probe a --interval=-1");
    refused("x probe a --interval=1e9");
    refused("x probe a --interval=soon");
    refused("x probe a --timeout=nan");
    refused("x probe a --password=p"); /* never in argv */
    refused("x probe a --config.file=f");
}

static void doctor_flags(void **state) {
    (void)state;
    struct options o;
    accepted(&o, "x doctor db1");
    assert_int_equal(o.command, COMMAND_DOCTOR);
    assert_string_equal(o.doctor.look.host, "db1");
    assert_int_equal(o.doctor.for_ns, 30 * NS_PER_S);
    assert_int_equal(o.doctor.look.interval_ns, 2 * NS_PER_S);
    assert_int_equal(o.doctor.look.timeout_ns, 5 * NS_PER_S);
    assert_null(o.doctor.error_log_file);
    accepted(&o, "x doctor --for=2m --user u --json db1:3307 --error-log.file /e --timeout=1");
    assert_int_equal(o.doctor.for_ns, 120 * NS_PER_S);
    assert_int_equal(o.doctor.look.timeout_ns, NS_PER_S);
    assert_string_equal(o.doctor.look.user, "u");
    assert_string_equal(o.doctor.error_log_file, "/e");
    assert_true(o.doctor.look.json);
    accepted(&o, "x help doctor");
    refused("x doctor");
    refused("x doctor a b");
    refused("x doctor a --for=-1");
    refused("x doctor a --count=3");
    refused("x doctor a --error-log.file=/e --error-log.source=none");
}

static void explain_flags(void **state) {
    (void)state;
    struct options o;
    accepted(&o, "x explain a.log");
    assert_int_equal(o.command, COMMAND_EXPLAIN);
    assert_int_equal(o.explain.file_count, 1);
    assert_string_equal(o.explain.files[0], "a.log");
    assert_int_equal(o.explain.top, 10);
    assert_int_equal(o.explain.line_limit, 65536);
    assert_null(o.explain.since);
    assert_false(o.explain.json || o.explain.events);
    accepted(&o, "x explain - --since 2h b.gz --until=2026-11-21 --time-zone +01:00 --top=3 --json --events -- --c");
    assert_int_equal(o.explain.file_count, 3);
    assert_string_equal(o.explain.files[0], "-");
    assert_string_equal(o.explain.files[1], "b.gz");
    assert_string_equal(o.explain.files[2], "--c");
    assert_string_equal(o.explain.since, "2h");
    assert_string_equal(o.explain.until, "2026-11-21");
    assert_string_equal(o.explain.time_zone, "+01:00");
    assert_int_equal(o.explain.top, 3);
    assert_true(o.explain.json && o.explain.events);
    refused("x explain");
    refused("x explain --json");
    refused("x explain a --events");
    refused("x explain a --line-limit=1023");
    refused("x explain a --line-limit=1048577");
    refused("x explain a --top=-1");
    refused("x explain a --count=1");
}

static const char *help_of(const char *line) {
    static char text[8192];
    struct options o;
    accepted(&o, line);
    assert_int_equal(o.command, COMMAND_HELP);
    FILE *out = fmemopen(text, sizeof text, "w");
    options_help(&o, out);
    fclose(out);
    return text;
}

static void help(void **state) {
    (void)state;
    char *first = strdup(help_of("x help probe"));
    assert_non_null(strstr(first, "usage: mysqlconn_exporter probe HOST"));
    assert_non_null(strstr(first, "--interval=S"));
    assert_null(strstr(first, "--web.listen-address"));
    assert_string_equal(first, help_of("x probe --help"));
    free(first);
    assert_non_null(strstr(help_of("x help"), "--web.listen-address"));
    assert_non_null(strstr(help_of("x --help"), "mysqlconn_exporter probe HOST"));
    for (const char *line = help_of("x help explain"); *line; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 80);
    for (const char *line = help_of("x help doctor"); *line; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 80);
    refused("x help stray");
    refused("x help probe a b");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(daemon_flags),  cmocka_unit_test(probe_defaults), cmocka_unit_test(probe_flags_anywhere),
        cmocka_unit_test(probe_refuses), cmocka_unit_test(doctor_flags),   cmocka_unit_test(explain_flags),
        cmocka_unit_test(help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
