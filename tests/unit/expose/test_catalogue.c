/*
 * What must hold for every family of the catalogue, whoever adds the next one.
 */
#include "base/clock.h"
#include "config/schema.h"
#include "expose/catalogue.h"
#include "expose/sample.h"

#include "fake_targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool ends_with(const char *text, const char *end) {
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static const struct metric_family *families;
static size_t family_count;

static int load(void **state) {
    (void)state;
    families = catalogue(&family_count);
    return family_count > 100 ? 0 : -1;
}

/* Each test is told the family that breaks its rule. */
#define FOR_EACH_FAMILY for (const struct metric_family *f = families; f < families + family_count; f++)
#define CHECK(rule)                                                                                                    \
    if (!(rule))                                                                                                       \
    fail_msg("%s: %s", f->name, #rule)

static void names_are_well_formed_and_unique(void **state) {
    (void)state;
    FOR_EACH_FAMILY {
        CHECK(strspn(f->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(f->name));
        CHECK(strncmp(f->name, "mysql_", 6) == 0 || strncmp(f->name, "mysqlconn_", 10) == 0 ||
              strncmp(f->name, "process_", 8) == 0);
        CHECK(!strstr(f->name, "__") && !ends_with(f->name, "_"));
        for (const struct metric_family *other = families; other < f; other++)
            CHECK(strcmp(f->name, other->name) != 0);
    }
}

static void suffixes_tell_type_and_unit(void **state) {
    (void)state;
    FOR_EACH_FAMILY {
        CHECK(ends_with(f->name, "_total") == (f->type == METRIC_COUNTER));
        CHECK(!ends_with(f->name, "_count") && !ends_with(f->name, "_sum") && !ends_with(f->name, "_bucket"));
        char suffix[64];
        snprintf(suffix, sizeof suffix, "%s%s%s", *f->unit ? "_" : "", f->unit,
                 f->type == METRIC_COUNTER ? "_total" : "");
        CHECK(ends_with(f->name, suffix));
        if (f->variable_rows == 0 && !strstr(f->name, "_statistics_")) /* the servers' own names follow no rule */
            CHECK((strstr(f->name, "_seconds") || strstr(f->name, "_bytes")) == (*f->unit != '\0'));
    }
}

static void help_is_one_sentence(void **state) {
    (void)state;
    FOR_EACH_FAMILY {
        CHECK(strlen(f->help) > 10 && ends_with(f->help, ".") && !strstr(f->help, ". "));
        CHECK(!strpbrk(f->help, "\\\n\r|"));
        CHECK(!f->condition || !strpbrk(f->condition, "\n|"));
    }
}

static void samples_come_from_one_place(void **state) {
    (void)state;
    FOR_EACH_FAMILY {
        CHECK((f->of_target != NULL) + (f->of_probe != NULL) + (f->of_exporter != NULL) +
                  (f->field.kind != FIELD_NONE) + (f->probe_field.kind != FIELD_NONE) + (f->variable_rows > 0) ==
              1);
        if (f->variable_rows > 0)
            CHECK(f->variable_first + f->variable_rows <= variable_count);
    }
}

static const struct metric_family *find(const char *name) {
    FOR_EACH_FAMILY {
        if (strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

/* Whoever adds a family says what it is made from, and whatever is kept from one look to the next has its time there,
 * which itself is never left out. */
static void what_families_are_made_from_has_its_time(void **state) {
    bool used[KNOWN_COUNT] = {false};
    (void)state;
    FOR_EACH_FAMILY {
        CHECK(f->known != KNOWN_UNDECLARED);
        CHECK(f->variable_rows == 0 || f->known == KNOWN_POLL);
        CHECK((f->known == KNOWN_PROBE || f->known == KNOWN_LOGIN || f->known == KNOWN_CERTIFICATE)
                  ? f->of_probe != NULL
                  : f->known == KNOWN_OWN || !f->of_probe);
        used[f->known] = true;
    }
    for (int i = KNOWN_UNDECLARED + 1; i < KNOWN_COUNT; i++) {
        const char *name = knowledge_time_family((enum knowledge)i);
        if (!used[i])
            fail_msg("nothing is made from %s", knowledge_meaning((enum knowledge)i));
        if (i == KNOWN_OWN)
            continue;
        const struct metric_family *f = find(name);
        if (!f)
            fail_msg("there is no family %s", name);
        CHECK(ends_with(name, "_timestamp_seconds") && f->type == METRIC_GAUGE && f->known == KNOWN_OWN);
    }
}

static bool has_samples(const struct metric_family *f, const struct target *target) {
    struct strbuf out;
    struct sample_writer writer = {.out = &out};
    strbuf_init(&out, 1 << 20);
    sample_begin_family(&writer, f);
    catalogue_of_target(&writer, target);
    bool any = out.len > 0;
    strbuf_release(&out);
    return any;
}

/* When all that is known of a target is older than it may be, what counts up stays, and so does what tells why. */
static void what_is_too_old_is_left_out(void **state) {
    static const char *const stay[] = {"mysql_up", "mysqlconn_probe_success", "mysqlconn_target_down_info"};
    static const struct session_limits limits = {1, 1, 1, 1};
    struct target *target = fake_target("silent");
    size_t gone = 0;
    (void)state;
    fake_up(target);
    target->probes->facts.last_wall_ns = target->probes->facts.cert_wall_ns =
        target->probes->facts.last_success_wall_ns;
    target->probes->facts.auth_plugin = "mysql_native_password";
    target->probes->facts.tls_verdict = TLS_VERIFIED;
    target->probes->facts.cert_expiry_s = 1;
    target->probes->facts.health = TARGET_DOWN; /* the last two say so */
    target->evidence[EVIDENCE_SESSIONS] = EVIDENCE_SEEN;
    target->sessions = sessions_new();
    sessions_begin(target->sessions, &limits, 0, target->poll.last_success_wall_ns);
    sessions_end(target->sessions);
    FOR_EACH_FAMILY {
        target->config->max_age_ns = INT64_MAX;
        bool before = has_samples(f, target);
        target->config->max_age_ns = NS_PER_S;
        bool after = has_samples(f, target), stays = f->known == KNOWN_OWN || f->type == METRIC_COUNTER;
        for (size_t i = 0; i < sizeof stay / sizeof stay[0]; i++)
            CHECK(strcmp(f->name, stay[i]) != 0 || (before && after));
        CHECK(after == (before && (stays || (f->type == METRIC_HISTOGRAM && !f->of_present))));
        gone += before && !after;
    }
    assert_true(gone > 30);
    sessions_free(target->sessions);
    fake_target_free(target);
}

/* However short max_age is: a look may fail without the values coming and going. */
static void three_intervals_are_waited_for(void **state) {
    struct target *target = fake_target("slow");
    struct target_config *config = target->config;
    (void)state;
    config->max_age_ns = NS_PER_S;
    config->poll.interval_ns = 3600 * NS_PER_S;
    config->modules->schedule.interval_ns = 60 * NS_PER_S;
    config->modules->hold_ns = 3540 * NS_PER_S;
    int64_t now = wall_now_ns(), recent = now - 3 * 3590 * NS_PER_S, old = now - 3 * 3610 * NS_PER_S;
    target->poll.last_success_wall_ns = target->probes->facts.last_wall_ns = recent;
    assert_false(knowledge_is_old(target, KNOWN_POLL));
    assert_false(knowledge_of_probe_is_old(target->probes, KNOWN_PROBE));
    target->poll.last_success_wall_ns = target->probes->facts.last_wall_ns = old;
    assert_true(knowledge_is_old(target, KNOWN_POLL));
    assert_true(knowledge_of_probe_is_old(target->probes, KNOWN_PROBE));
    config->max_age_ns = 4 * 3600 * NS_PER_S;
    assert_false(knowledge_is_old(target, KNOWN_POLL));
    assert_false(knowledge_of_probe_is_old(target->probes, KNOWN_PROBE));
    fake_target_free(target);
}

/* A target's own label of the same name would make Prometheus refuse the page: the configuration must refuse it first.
 */
static void labels_of_targets_are_reserved_in_the_configuration(void **state) {
    (void)state;
    FOR_EACH_FAMILY {
        char labels[200], *rest = labels;
        snprintf(labels, sizeof labels, "%s", f->of_exporter ? "" : f->labels);
        for (char *name; (name = strsep(&rest, ", "));) {
            struct strbuf why;
            strbuf_init(&why, 1000);
            if (*name && schema_check_label_name(span_of(name), &why))
                fail_msg("%s: label '%s' is not reserved", f->name, name);
            strbuf_release(&why);
        }
    }
}

/* The labels of each sample are those declared, and what is always present is so for a target of which nothing is
 * known. */
static void samples_are_as_declared(void **state) {
    struct target *targets[] = {fake_target("new"), fake_target("up"), fake_target("down")};
    struct exporter_state exporter = fake_state();
    struct exporter_facts facts = {&exporter, 3};
    struct strbuf out;
    (void)state;
    strbuf_init(&out, 1 << 20);
    fake_up(targets[1]);
    fake_down(targets[2]);
    FOR_EACH_FAMILY {
        for (int i = 0; i < 3; i++) {
            struct sample_writer writer = {.out = &out};
            strbuf_reset(&out);
            sample_begin_family(&writer, f);
            catalogue_of_target(&writer, targets[i]);
            catalogue_of_exporter(&writer, &facts);
            CHECK(out.len > 0 || f->condition);
            const char *line = strbuf_text(&out);
            for (char *end; *line && (end = strchr(line, '\n')); line = end + 1) {
                if (*line == '#')
                    continue;
                char names[200] = "";
                for (const char *at = strpbrk(line, "{ "); *at == '{' || *at == ',';) {
                    const char *equals = strchr(++at, '=');
                    if (strncmp(at, "le=", 3) != 0)
                        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%.*s", *names ? ", " : "",
                                 (int)(equals - at), at);
                    at = strchr(equals + 2, '"') + 1;
                }
                bool of_probe = f->of_probe || f->probe_field.kind != FIELD_NONE;
                char declared[200];
                snprintf(declared, sizeof declared, "%s%s%s",
                         of_probe         ? "target, module, close"
                         : f->of_exporter ? ""
                                          : "target",
                         *f->labels && !f->of_exporter ? ", " : "", f->labels);
                if (strcmp(names, declared) != 0)
                    fail_msg("%s: labels are '%s', declared '%s'", f->name, names, declared);
            }
        }
    }
    strbuf_release(&out);
    for (int i = 0; i < 3; i++)
        fake_target_free(targets[i]);
}

static void the_reference_has_a_row_a_family(void **state) {
    struct strbuf out;
    size_t rows = 0;
    (void)state;
    strbuf_init(&out, 1 << 20);
    catalogue_reference(&out);
    assert_false(strbuf_failed(&out));
    for (const char *at = out.data; (at = strchr(at, '\n')); at++)
        rows++;
    FOR_EACH_FAMILY {
        char start[200];
        snprintf(start, sizeof start, "\n| `%s` | ", f->name);
        CHECK(strstr(out.data, start));
    }
    assert_int_equal(rows, family_count + 2);
    assert_non_null(strstr(out.data, "\n| `mysql_up` | gauge | target | from the end of the first poll on | 1 when "));
    assert_non_null(strstr(out.data, "\n| `mysqlconn_polls_total` | counter | target | always | "));
    assert_non_null(
        strstr(out.data, "\n| `mysqlconn_probe_closes_total` | counter | target, module, close, outcome | always | "));
    assert_non_null(strstr(out.data, "\n| `mysqlconn_exporter_targets` | gauge |  | always | "));
    strbuf_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_well_formed_and_unique),
        cmocka_unit_test(suffixes_tell_type_and_unit),
        cmocka_unit_test(help_is_one_sentence),
        cmocka_unit_test(samples_come_from_one_place),
        cmocka_unit_test(what_families_are_made_from_has_its_time),
        cmocka_unit_test(what_is_too_old_is_left_out),
        cmocka_unit_test(three_intervals_are_waited_for),
        cmocka_unit_test(labels_of_targets_are_reserved_in_the_configuration),
        cmocka_unit_test(samples_are_as_declared),
        cmocka_unit_test(the_reference_has_a_row_a_family),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
