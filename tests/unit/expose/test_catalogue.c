/*
 * What must hold for every family of the catalogue, whoever adds the next one.
 */
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
        if (f->variable_rows == 0) /* the servers' own names follow no rule */
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
        cmocka_unit_test(labels_of_targets_are_reserved_in_the_configuration),
        cmocka_unit_test(samples_are_as_declared),
        cmocka_unit_test(the_reference_has_a_row_a_family),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
