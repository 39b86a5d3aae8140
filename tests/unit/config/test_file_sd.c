/*
 * file_sd files: what is read out of one, and what is refused with its place.
 */
#include "config/file_sd.h"

#include "config_fixture.h"

#define TOP                                                                                                            \
    "credentials: {user: top}\nauth_modules: {other: {credentials: {user: them}}}\nmodules: {quick: {query: SELECT "   \
    "2}}\n"
#define HAS "file_sd: {files: [/nowhere/*.yml]}\nallow_targets: [10.0.0.0/8]\ntls: {mode: required}\n"

static struct config *config;

static int begin(void **state) {
    make_folder(state);
    config = load_good(TOP HAS);
    return 0;
}

static int end(void **state) {
    config_free(config);
    return remove_folder(state);
}

static bool read_file_named(const char *name, const void *text, size_t len, struct target_list *out) {
    const char *path = write_file(name, text, len, 0600);
    strbuf_reset(&error);
    *out = (struct target_list){NULL, 0};
    bool ok = file_sd_read(config, path, out, &error);
    assert_int_equal(ok, error.len == 0);
    return ok;
}

static const char *label_of(const struct target_config *target, const char *name) {
    for (size_t i = 0; i < target->label_count; i++)
        if (strcmp(target->labels[i].name, name) == 0)
            return target->labels[i].value;
    return NULL;
}

static void groups_give_their_targets(void **state) {
    static const char yaml[] = "- targets: ['a:1', '[::1]:2']\n"
                               "  labels: {env: \"p\\nq\", __meta_x: y, job: j, instance: i}\n"
                               "- labels: {__param_module: quick, __param_auth_module: other}\n"
                               "  targets: [/run/s]\n"
                               "- {}\n";
    static const char json[] = "\t[{\n\t\"targets\": [\"c\"],\n\t\"labels\": {\"env\": \"a\\u00e4\\t\"}\n}]\n";
    struct target_list list;
    (void)state;
    if (!read_file_named("a.yml", yaml, sizeof yaml - 1, &list))
        fail_msg("%s", strbuf_text(&error));
    assert_int_equal(list.count, 3);
    assert_string_equal(list.targets[0]->name, "a:1");
    assert_int_equal(list.targets[0]->label_count, 1);
    assert_string_equal(label_of(list.targets[0], "env"), "p\nq");
    assert_string_equal(list.targets[0]->user, "top");
    assert_string_equal(list.targets[0]->modules[0].name, "default");
    assert_string_equal(list.targets[1]->address.host, "::1");
    assert_string_equal(list.targets[2]->address.socket, "/run/s");
    assert_string_equal(list.targets[2]->user, "them");
    assert_int_equal(list.targets[0]->allow_targets.count, 0); /* that is for what strangers name */
    assert_int_equal(list.targets[0]->tls.mode, TLS_REQUIRED);
    assert_int_equal(list.targets[2]->tls.mode, TLS_DISABLED); /* a socket */
    assert_string_equal(list.targets[2]->modules[0].query, "SELECT 2");
    assert_int_equal(list.targets[2]->label_count, 0);
    target_list_release(&list);
    if (!read_file_named("b.json", json, sizeof json - 1, &list))
        fail_msg("%s", strbuf_text(&error));
    assert_string_equal(label_of(list.targets[0], "env"), "a\xc3\xa4\t");
    target_list_release(&list);
}

static void what_is_wrong_is_said_with_its_place(void **state) {
    static const struct {
        const char *text, *error;
        size_t len; /* 0: to the NUL */
    } cases[] = {
        {"a", ":1:1: the file must be a list of groups, each with targets", 0},
        {"[a]", ":1:2: a group must be a map", 0},
        {"[{targets: a}]", ":1:12: targets must be a list", 0},
        {"[{targets: [[]]}]", ":1:13: a target must be a text, HOST:PORT", 0},
        {"[{targets: ['a:0']}]", ":1:13: the port must be a number from 1 to 65535", 0},
        {"[{labels: a}]", ":1:11: labels must be a map", 0},
        {"[{labels: {a: []}}]", ":1:15: a label's value must be a text", 0},
        {"[{labels: {le: a}}]", ":1:12: this label's name is reserved: Prometheus or our own metrics use it", 0},
        {"[{labels: {a-b: a}}]", ":1:12: a label's name is made of letters, digits and _, at most 128 of them", 0},
        {"[{targets: [a], labels: {__param_module: x}}]", ":1:13: there is no such module", 0},
        {"[{targets: [a], labels: {__param_auth_module: x}}]", ":1:13: there is no such auth_module", 0},
        /* two labels of one name would make Prometheus refuse the whole page */
        {"[{labels: {a: b, c: d, a: e}}]", ":1:24: this label is already there", 0},
        {"[{labels: {__param_module: quick, __param_module: x}}]", ":1:35: this label is already there", 0},
        {"[{targets: [a], targets: [b]}]", ":1:17: is given twice", 0},
        {"[{labels: {a: b}, labels: {c: d}}]", ":1:19: is given twice", 0},
        /* a text that ends early is another */
        {"[{targets: [\"a\\0b\"]}]", ":1:13: must not contain NUL", 0},
        {"[{labels: {a: \"b\\0c\"}}]", ":1:15: must not contain NUL", 0},
        {"[{labels: {\"a\\0b\": c}}]", ":1:12: must not contain NUL", 0},
    };
    struct target_list list;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (read_file_named("x.yml", cases[i].text, cases[i].len ? cases[i].len : strlen(cases[i].text), &list)) {
            target_list_release(&list);
            fail_msg("taken: %s", cases[i].text);
        }
        expect_error(path_of("x.yml"), cases[i].error);
        assert_null(list.targets);
    }
}

/* JSON is nearly YAML; what differs must not be taken for something else. */
static void json_is_read_as_json(void **state) {
    static const struct {
        const char *text, *label; /* of the target a, with the name l; NULL: refused */
    } cases[] = {
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"\\ud83d\\ude00\"}}]", "\xF0\x9F\x98\x80"},
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"<\\uD800\\uDC00\\uDBFF\\uDFFF>\"}}]",
         "<\xF0\x90\x80\x80\xF4\x8F\xBF\xBF>"},
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"\\\\ud83d\\\\ude00\"}}]", "\\ud83d\\ude00"},
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"\\\\\\ud83d\\ude00\"}}]", "\\\xF0\x9F\x98\x80"},
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"\\b\\f\\n\\r\\t\\/\\\"\\\\ \\u00e4\"}}]",
         "\b\f\n\r\t/\"\\ \xC3\xA4"},
        /* to YAML these three are line breaks */
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"a \xC2\x85 \xE2\x80\xA8 \xE2\x80\xA9 b\"}}]",
         "a \xC2\x85 \xE2\x80\xA8 \xE2\x80\xA9 b"},
        {"\xEF\xBB\xBF[{\"targets\":[\"a\"],\"labels\":{\"l\":\"v\"}}]", "v"},
        {"[\r\n\t{\r\n\t\t\"labels\"\t:\t{\r\n\"l\" : \"v\"}\t,\"targets\"\t:\t[\t\"a\"\t]}]\r\n", "v"},
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":null}}]", ""},
        /* halves of a pair */
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"\\ud83d\"}}]", NULL},
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"\\ude00\\ud83d\"}}]", NULL},
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"\\ud83d\\u0041\"}}]", NULL},
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"\\ud83d\\ud", NULL},
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"\\ud83d\\", NULL},
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"\\", NULL},
        {"[{\"targets\":[\"a\"],\"labels\":{\"l\":\"\\u0000\"}}]", NULL},
    };
    struct target_list list;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool ok = read_file_named("x.json", cases[i].text, strlen(cases[i].text), &list);
        if (ok != (cases[i].label != NULL))
            fail_msg("%s: %s", cases[i].text, ok ? "taken" : strbuf_text(&error));
        if (!ok)
            continue;
        assert_int_equal(list.count, 1);
        assert_string_equal(label_of(list.targets[0], "l"), cases[i].label);
        target_list_release(&list);
    }
}

/* As Prometheus takes it, and as tools write it that have none to tell. */
static void nothing_is_no_targets_and_no_labels(void **state) {
    static const char *const texts[] = {"[]", "- targets:\n  labels:\n", "[{targets: null, labels: ~}]", "[{}]"};
    struct target_list list;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!read_file_named("x.yml", texts[i], strlen(texts[i]), &list))
            fail_msg("%s: %s", texts[i], strbuf_text(&error));
        assert_int_equal(list.count, 0);
        target_list_release(&list);
    }
}

/* Depth costs neither stack nor time: what no group has ends the reading. */
static void deep_nesting_is_refused_where_it_begins(void **state) {
    static const struct {
        const char *before, *again, *error;
    } cases[] = {
        {"", "[", ":1:2: a group must be a map"},
        {"", "{\"a\":", ":1:1: the file must be a list of groups, each with targets"},
        {"[{\"targets\":", "[", ":1:14: a target must be a text, HOST:PORT"},
        {"[{\"labels\":", "{\"a\":", ":1:17: a label's value must be a text"},
        {"", "{", NULL}, /* wherever YAML itself gives up */
        {"", "- ", ":1:3: a group must be a map"},
    };
    struct target_list list;
    struct strbuf text;
    (void)state;
    strbuf_init(&text, 4 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        strbuf_reset(&text);
        strbuf_addstr(&text, cases[i].before);
        while (text.len < (4 << 20) - 16)
            strbuf_addstr(&text, cases[i].again);
        assert_false(read_file_named("x.json", text.data, text.len, &list));
        if (cases[i].error)
            expect_error(path_of("x.json"), cases[i].error);
    }
    strbuf_release(&text);
}

static void bounds(void **state) {
    struct target_list list;
    struct strbuf text;
    (void)state;
    strbuf_init(&text, 1 << 20);
    strbuf_addstr(&text, "[{targets: [");
    for (int i = 0; i <= FILE_SD_TARGETS_MAX; i++)
        strbuf_addf(&text, "a:%d,", i + 1);
    strbuf_addstr(&text, "]}]");
    assert_false(read_file_named("x.yml", text.data, text.len, &list));
    assert_non_null(strstr(strbuf_text(&error), "there are more than 10000 targets"));
    strbuf_reset(&text);
    strbuf_addstr(&text, "[{labels: {");
    for (int i = 0; i < 33; i++)
        strbuf_addf(&text, "l%d: v,", i);
    strbuf_addstr(&text, "}}]");
    assert_false(read_file_named("x.yml", text.data, text.len, &list));
    assert_non_null(strstr(strbuf_text(&error), "more than 32 labels"));
    for (int len = 1024; len <= 1025; len++) {
        strbuf_reset(&text);
        strbuf_addf(&text, "[{labels: {a: '%0*d'}}]", len, 0);
        assert_int_equal(read_file_named("x.yml", text.data, text.len, &list), len == 1024);
        target_list_release(&list);
    }
    assert_non_null(strstr(strbuf_text(&error), ":1:15: a label's value may have 1024 bytes at most"));
    strbuf_release(&text);
}

static void the_first_of_one_name_stays(void **state) {
    static const char yaml[] = "[{targets: [b, a], labels: {n: '1'}}, {targets: [a, c, b], labels: {n: '2'}}]";
    struct target_list list, both = {NULL, 0};
    (void)state;
    assert_true(read_file_named("a.yml", yaml, sizeof yaml - 1, &list));
    assert_int_equal(list.count, 5);
    for (size_t i = 0; i < list.count; i++)
        assert_true(target_list_add_copy(&both, list.targets[i]));
    target_list_release(&list);
    assert_true(target_list_make_unique(&both));
    assert_int_equal(both.count, 3);
    assert_string_equal(both.targets[0]->name, "b");
    assert_string_equal(both.targets[1]->name, "a");
    assert_string_equal(both.targets[2]->name, "c");
    assert_string_equal(label_of(both.targets[1], "n"), "1");
    target_list_release(&both);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_give_their_targets),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(json_is_read_as_json),
        cmocka_unit_test(nothing_is_no_targets_and_no_labels),
        cmocka_unit_test(deep_nesting_is_refused_where_it_begins),
        cmocka_unit_test(bounds),
        cmocka_unit_test(the_first_of_one_name_stays),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
