/*
 * Loading: everything that may stand in the file, inheritance, defaults, printing and loading again, comparison; and
 * each mistake with its place, its path and its words.
 */
#include "config_fixture.h"

#include "base/clock.h"

static const char everything[] =
    "limits: {users_per_target: 50}\n"
    "poll:  {interval: 30s, timeout: 10s}\n"
    "probe: {interval: 10s, grace: 1m}\n"
    "tls:   {mode: verify-ca, ca: @/ca.pem}\n"
    "credentials: {user: top, password_file: @/password}\n"
    "modules:\n"
    "  pool: {hold: 10m, query: 'SELECT 2', grace: 0s}\n"
    "  rude: {close: reset, interval: 1h, timeout: 2s}\n"
    "  default:\n"
    "targets:\n"
    "  - name: db1\n"
    "    address: db1.example:3307\n"
    "    labels: {env: prod, az: \"e\\\"\xC3\xBC\", no: no}\n"
    "    probe: {interval: 5s, modules: [rude, default, pool], allow_close: [none, reset]}\n"
    "    tls: {mode: verify-identity, cert: @/cert.pem, key: @/key.pem}\n"
    "    error_log: {file: /var/log/mysql/error.log, start: beginning}\n"
    "  - name: '[::1]:3306'\n"
    "    address: '[::1]'\n"
    "    poll: {timeout: \"250ms\"}\n"
    "    tls: {mode: disabled}\n"
    "    credentials: {user: \"o'wn \\\\\", password: \"p: #w\"}\n"
    "  - {name: sock, address: unix:/run/mysqld/mysqld.sock}\n";

static int make_files(void **state) {
    if (make_folder(state) < 0)
        return -1;
    write_text("ca.pem", "-");
    write_text("cert.pem", "-");
    write_text("key.pem", "-");
    write_text("password", "of the file\nsecond line\n");
    return 0;
}

static void happy_path(void **state) {
    (void)state;
    struct config *c = load_good(everything);
    assert_string_equal(strbuf_text(&warnings), "");
    assert_int_equal(c->limits.users_per_target, 50);
    assert_int_equal(c->target_count, 3);

    const struct target_config *db1 = c->targets[0], *v6 = c->targets[1], *sock = c->targets[2];
    assert_string_equal(db1->name, "db1");
    assert_string_equal(db1->address_text, "db1.example:3307");
    assert_string_equal(db1->address.host, "db1.example");
    assert_int_equal(db1->address.port, 3307);
    assert_int_equal(db1->label_count, 3);
    assert_string_equal(db1->labels[0].name, "az");
    assert_string_equal(db1->labels[0].value, "e\"\xC3\xBC");
    assert_string_equal(db1->labels[1].name, "env");
    assert_string_equal(db1->labels[2].value, "no");
    assert_int_equal(db1->poll.interval_ns, 30 * NS_PER_S);
    assert_int_equal(db1->poll.timeout_ns, 10 * NS_PER_S);
    assert_int_equal(db1->probe.interval_ns, 5 * NS_PER_S);
    assert_int_equal(db1->probe.timeout_ns, 5 * NS_PER_S);
    assert_int_equal(db1->probe_grace_ns, 60 * NS_PER_S);
    assert_int_equal(db1->tls.mode, TLS_VERIFY_IDENTITY);
    assert_string_equal(db1->tls.ca, path_of("ca.pem"));
    assert_string_equal(db1->tls.cert, path_of("cert.pem"));
    assert_string_equal(db1->tls.key, path_of("key.pem"));
    assert_string_equal(db1->user, "top");
    assert_string_equal(db1->password, "of the file");
    assert_string_equal(db1->error_log.file, "/var/log/mysql/error.log");
    assert_int_equal(db1->error_log.start, LOG_START_BEGINNING);

    assert_string_equal(v6->address.host, "::1");
    assert_int_equal(v6->address.port, 3306);
    assert_int_equal(v6->poll.interval_ns, 30 * NS_PER_S);
    assert_int_equal(v6->poll.timeout_ns, 250 * NS_PER_MS);
    assert_int_equal(v6->tls.mode, TLS_DISABLED);
    assert_string_equal(v6->user, "o'wn \\");
    assert_string_equal(v6->password, "p: #w");
    assert_null(v6->credentials.password_file); /* replaced as a whole */
    assert_null(v6->error_log.file);

    /* Inherited TLS is not meant for a socket. */
    assert_string_equal(sock->address.socket, "/run/mysqld/mysqld.sock");
    assert_null(sock->address.host);
    assert_int_equal(sock->tls.mode, TLS_DISABLED);
    assert_null(sock->tls.ca);
    config_free(c);
}

/* What a module does not say is the target's; a hold lengthens an interval that the module does not say. */
static void modules(void **state) {
    (void)state;
    struct config *c = load_good(everything);
    const struct target_config *db1 = c->targets[0];
    assert_int_equal(db1->module_count, 3);
    const struct module_config *rude = &db1->modules[0], *plain = &db1->modules[1], *pool = &db1->modules[2];
    assert_string_equal(rude->name, "rude");
    assert_int_equal(rude->close, CLOSE_RST);
    assert_int_equal(rude->schedule.interval_ns, 3600 * NS_PER_S);
    assert_int_equal(rude->schedule.timeout_ns, 2 * NS_PER_S);
    assert_int_equal(rude->grace_ns, 60 * NS_PER_S);
    assert_string_equal(rude->query, "SELECT 1");
    assert_string_equal(plain->name, "default");
    assert_int_equal(plain->schedule.interval_ns, 5 * NS_PER_S);
    assert_int_equal(plain->close, CLOSE_QUIT_WAIT);
    assert_int_equal(plain->hold_ns, 0);
    assert_int_equal(pool->hold_ns, 600 * NS_PER_S);
    assert_int_equal(pool->schedule.interval_ns, 605 * NS_PER_S);
    assert_int_equal(pool->schedule.timeout_ns, 5 * NS_PER_S);
    assert_int_equal(pool->grace_ns, 0);
    assert_string_equal(pool->query, "SELECT 2");

    assert_int_equal(c->targets[1]->module_count, 1);
    assert_string_equal(c->targets[1]->modules[0].name, "default");
    assert_int_equal(c->targets[1]->modules[0].schedule.interval_ns, 10 * NS_PER_S);
    config_free(c);

    c = load_good("modules: {a: }\nprobe: {modules: [a]}\ntargets: [{name: a, address: a}]\n");
    assert_int_equal(c->targets[0]->module_count, 1);
    assert_string_equal(c->targets[0]->modules[0].name, "a");

    /* A module that changes changes the targets that run it. */
    struct config *other =
        load_good("modules: {a: {query: SELECT 2}}\nprobe: {modules: [a]}\ntargets: [{name: a, address: a}]\n");
    assert_false(target_config_equal(c->targets[0], other->targets[0]));
    config_free(other);
    config_free(c);
}

static void defaults(void **state) {
    (void)state;
    struct config *c = load_good("targets: [{name: a, address: a}]\n");
    const struct target_config *a = c->targets[0];
    assert_int_equal(c->limits.users_per_target, 100);
    assert_int_equal(a->poll.interval_ns, 15 * NS_PER_S);
    assert_int_equal(a->poll.timeout_ns, 5 * NS_PER_S);
    assert_int_equal(a->probe.interval_ns, 15 * NS_PER_S);
    assert_int_equal(a->probe.timeout_ns, 5 * NS_PER_S);
    assert_int_equal(a->probe_grace_ns, 10 * NS_PER_S);
    assert_int_equal(a->tls.mode, TLS_PREFERRED);
    assert_int_equal(a->error_log.start, LOG_START_END);
    assert_int_equal(a->label_count, 0);
    assert_string_equal(a->user, "");
    assert_string_equal(a->password, "");
    config_free(c);
}

/* A timeout that nobody gave follows a shorter interval, wherever that was given. */
static void default_timeout_follows_a_shorter_interval(void **state) {
    (void)state;
    struct config *c = load_good("poll: {interval: 2s}\n"
                                 "targets: [{name: a, address: a, probe: {interval: 100ms}}, {name: b, address: b}]\n");
    assert_int_equal(c->targets[0]->poll.timeout_ns, 2 * NS_PER_S);
    assert_int_equal(c->targets[0]->probe.timeout_ns, 100 * NS_PER_MS);
    assert_int_equal(c->targets[1]->probe.timeout_ns, 5 * NS_PER_S);
    config_free(c);
}

/* Defaults may stand after the targets, and lines may end in CRLF. */
static void order_and_line_ends(void **state) {
    (void)state;
    struct config *c =
        load_good("---\r\n# a comment\r\ntargets:\r\n- name: a\r\n  address: a\r\npoll:\r\n  interval: 7s\r\n...\r\n");
    assert_int_equal(c->targets[0]->poll.interval_ns, 7 * NS_PER_S);
    config_free(c);
}

/* What is printed is valid, says everything but the secrets, and gives the same configuration again. */
static void print_and_load_again(void **state) {
    struct strbuf text, restored, again;
    (void)state;
    strbuf_init(&text, 1 << 16);
    strbuf_init(&restored, 1 << 16);
    strbuf_init(&again, 1 << 16);
    struct config *first = load_good(everything);
    config_print(first, &text);
    assert_null(strstr(strbuf_text(&text), "p: #w"));
    assert_null(strstr(strbuf_text(&text), "of the file"));
    const char *secret = strstr(strbuf_text(&text), "<secret>");
    assert_non_null(secret);
    strbuf_add(&restored, strbuf_text(&text), (size_t)(secret - strbuf_text(&text)));
    strbuf_addstr(&restored, "p: #w");
    strbuf_addstr(&restored, secret + strlen("<secret>"));

    struct config *second = load_good(strbuf_text(&restored));
    assert_string_equal(strbuf_text(&warnings), "");
    assert_int_equal(second->limits.users_per_target, first->limits.users_per_target);
    assert_int_equal(second->target_count, first->target_count);
    for (size_t i = 0; i < first->target_count; i++)
        assert_true(target_config_equal(first->targets[i], second->targets[i]));
    config_print(second, &again);
    assert_string_equal(strbuf_text(&again), strbuf_text(&text));
    config_free(first);
    config_free(second);
    strbuf_release(&text);
    strbuf_release(&restored);
    strbuf_release(&again);
}

static void equality(void **state) {
    static const char base[] = "name: a, address: a, labels: {x: y}, credentials: {password: p}";
    static const char *const changes[] = {
        "name: b, address: a, labels: {x: y}, credentials: {password: p}",
        "name: a, address: b, labels: {x: y}, credentials: {password: p}",
        "name: a, address: a, labels: {x: z}, credentials: {password: p}",
        "name: a, address: a, labels: {z: y}, credentials: {password: p}",
        "name: a, address: a, labels: {x: y, z: y}, credentials: {password: p}",
        "name: a, address: a, credentials: {password: p}",
        "name: a, address: a, labels: {x: y}, credentials: {password: q}",
        "name: a, address: a, labels: {x: y}, credentials: {user: u, password: p}",
        "name: a, address: a, labels: {x: y}, credentials: {password: p}, poll: {interval: 16s}",
        "name: a, address: a, labels: {x: y}, credentials: {password: p}, probe: {grace: 9s}",
        "name: a, address: a, labels: {x: y}, credentials: {password: p}, tls: {mode: required}",
        "name: a, address: a, labels: {x: y}, credentials: {password: p}, tls: {mode: verify-ca, ca: @/ca.pem}",
        "name: a, address: a, labels: {x: y}, credentials: {password: p}, error_log: {file: /x}",
    };
    char text[256];
    (void)state;
    snprintf(text, sizeof text, "targets: [{%s}]", base);
    struct config *one = load_good(text), *two = load_good(text);
    assert_true(target_config_equal(one->targets[0], two->targets[0]));
    config_free(two);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        snprintf(text, sizeof text, "targets: [{%s}]", changes[i]);
        two = load_good(text);
        if (target_config_equal(one->targets[0], two->targets[0]))
            fail_msg("equal although changed: %s", changes[i]);
        config_free(two);
    }
    config_free(one);

    /* The same file with another password in it is another account. */
    static const char rotated[] = "targets: [{name: a, address: a, credentials: {password_file: @/rotated}}]";
    write_text("rotated", "old");
    one = load_good(rotated);
    write_text("rotated", "new");
    two = load_good(rotated);
    assert_false(target_config_equal(one->targets[0], two->targets[0]));
    config_free(one);
    config_free(two);
}

#define TARGET "targets:\n  - name: a\n    address: a\n" /* three lines; the fourth goes on at column 5 */

static void mistakes(void **state) {
    static const struct {
        const char *text, *error;
    } cases[] = {
        /* the form of the file */
        {"", ":1:1: the file is empty; it needs 'targets'"},
        {"# nothing\n", ":2:1: the file is empty; it needs 'targets'"},
        {"---\n", ":2:1: the file is empty; it needs 'targets'"},
        {"just text\n", ":1:1: must be a map (key: value)"},
        {"- a\n", ":1:1: must be a map (key: value)"},
        {"limits: {users_per_target: 1}\n",
         ":1:1: targets: is missing, and neither allow_targets nor file_sd is given"},
        {"targets: []\n", ":1:10: targets: must have one element at least"},
        {"targets:\n", ":1:9: targets: has no value"},
        {"targets: {a: b}\n", ":1:10: targets: must be a list (- ...)"},
        {"targets: [a]\n", ":1:11: targets[0]: must be a map (key: value)"},
        {"targets: [{name: a, address: a}, ~]\n", ":1:34: targets[1]: has no value"},
        {"targets: [{name: a}]\n", ":1:11: targets[0].address: is missing"},
        {"targets:\n  - address: a\n", ":2:5: targets[0].name: is missing"},
        {TARGET "---\n", ":4:1: a second document begins here; only one is supported"},
        {TARGET "...\n---\na: b\n", ":5:1: a second document begins here; only one is supported"},
        {"%YAML 1.1\n---\n" TARGET, ":1:1: directives (%) are not supported"},
        {"x: \xC3\xA9\n%TAG ! x\n", ":2:1: directives (%) are not supported"},
        {"targets: *x\n", ":1:10: targets: aliases are not supported"},
        {"targets: &x\n  - name: a\n", ":1:10: targets: anchors are not supported"},
        {"targets:\n  - &x {name: a}\n", ":2:5: targets[0]: anchors are not supported"},
        {"targets:\n  - name: &x a\n", ":2:11: targets[0].name: anchors are not supported"},
        {"targets:\n  - name: !!str a\n", ":2:11: targets[0].name: tags are not supported"},
        {"? [a]\n: b\n", ":1:3: a key must be a plain word"},
        {TARGET "    <<: {a: b}\n", ":4:5: targets[0]: merge keys (<<) are not supported"},
        {TARGET "   name: a\n", ":4:4: targets[1]: this is no valid YAML: did not find expected '-' indicator"},
        {TARGET "    labels: {a: b\n",
         ":5:1: targets[0].labels: this is no valid YAML: did not find expected ',' or '}'"},
        {TARGET "\tpoll: 1\n",
         ":4:1: targets[0].address: this is no valid YAML: found a tab character that violates indentation"},

        /* keys */
        {"target: []\n", ":1:1: unknown key 'target'; did you mean 'targets'?"},
        {"error_log: {}\n", ":1:1: unknown key 'error_log'; known here: " TOP_KEYS},
        {TARGET "    limits: {}\n", ":4:5: targets[0]: unknown key 'limits'; known here: " TARGET_KEYS},
        {TARGET "    probe: {intervall: 1s}\n",
         ":4:13: targets[0].probe: unknown key 'intervall'; did you mean 'interval'?"},
        {TARGET "    poll: {grace: 1s}\n",
         ":4:12: targets[0].poll: unknown key 'grace'; known here: interval, timeout"},
        {"\"a\\nb\xC3\xBC\": 1\n", ":1:1: unknown key 'a?b?\?'; known here: " TOP_KEYS},
        {"0123456789012345678901234567890123456789abc: 1\n",
         ":1:1: unknown key '0123456789012345678901234567890123456789...'; known here: " TOP_KEYS},
        {"poll: {timeout: 1s, timeout: 2s}\n", ":1:21: poll.timeout: this key is already there"},
        {TARGET "    name: b\n", ":4:5: targets[0].name: this key is already there"},
        {"poll: {}\n" TARGET "poll: {}\n", ":5:1: poll: this key is already there"},
        {TARGET TARGET, ":4:1: targets: this key is already there"},

        /* types */
        {"poll: 15s\n", ":1:7: poll: must be a map (key: value)"},
        {"poll: [15s]\n", ":1:7: poll: must be a map (key: value)"},
        {"poll:\n" TARGET, ":1:6: poll: has no value"},
        {"poll: {interval: }\n", ":1:18: poll.interval: has no value"},
        {"poll: {interval: ~}\n", ":1:18: poll.interval: has no value"},
        {"poll: {interval: {s: 15}}\n", ":1:18: poll.interval: must be a single value, neither a map nor a list"},
        {"poll: {interval: [15s]}\n", ":1:18: poll.interval: must be a single value, neither a map nor a list"},
        {"poll: {interval: 15}\n",
         ":1:18: poll.interval: must be a duration with its unit, such as 15s, 500ms or 1m30s"},
        {"poll: {interval: -1s}\n",
         ":1:18: poll.interval: must be a duration with its unit, such as 15s, 500ms or 1m30s"},
        {"poll: {interval: 1.5s}\n",
         ":1:18: poll.interval: must be a duration with its unit, such as 15s, 500ms or 1m30s"},
        {"poll: {interval: 0}\n", ":1:18: poll.interval: must be 10ms to 1d"},
        {"poll: {interval: 9ms}\n", ":1:18: poll.interval: must be 10ms to 1d"},
        {"poll: {interval: 1d1ns}\n", ":1:18: poll.interval: must be 10ms to 1d"},
        {"poll: {interval: 99999999999999999999h}\n", ":1:18: poll.interval: must be 10ms to 1d"},
        {"limits: {users_per_target: 0}\n", ":1:28: limits.users_per_target: must be 1 to 10000"},
        {"limits: {users_per_target: 10001}\n", ":1:28: limits.users_per_target: must be 1 to 10000"},
        {"limits: {users_per_target: 010}\n",
         ":1:28: limits.users_per_target: must be a whole number, without quotes, sign or leading zeros"},
        {"limits: {users_per_target: \"10\"}\n",
         ":1:28: limits.users_per_target: must be a whole number, without quotes, sign or leading zeros"},
        {"limits: {users_per_target: yes}\n",
         ":1:28: limits.users_per_target: must be a whole number, without quotes, sign or leading zeros"},
        {"limits: {users_per_target: 1_0}\n",
         ":1:28: limits.users_per_target: must be a whole number, without quotes, sign or leading zeros"},
        {"tls: {mode: off}\n", ":1:13: tls.mode: must be disabled, preferred, required, verify-ca or verify-identity"},
        {TARGET "    error_log: {file: /x, start: middle}\n",
         ":4:34: targets[0].error_log.start: must be end or beginning"},
        {TARGET "    error_log: {file: x}\n", ":4:23: targets[0].error_log.file: must be an absolute path"},
        {TARGET "    error_log: {source: file}\n", ":4:16: targets[0].error_log.file: is missing"},
        {TARGET "    error_log: {source: table, file: /x}\n",
         ":4:38: targets[0].error_log.file: goes with source: file only"},
        {TARGET "    error_log: {journal: /x}\n",
         ":4:16: targets[0].error_log.unit: is missing, and so is error_log.identifier"},
        {TARGET "    error_log: {source: file, file: /x, unit: y}\n",
         ":4:25: targets[0].error_log.source: unit, identifier and journal go with source: journald only"},
        {TARGET "    error_log: {file: /x/*/y.log}\n",
         ":4:23: targets[0].error_log.file: may have * ? [ in its last part only"},
        {TARGET "    error_log: /x\n", ":4:16: targets[0].error_log: must be a map (key: value)"},
        {"targets: [{name: '', address: a}]\n", ":1:18: targets[0].name: must not be empty"},
        {"targets: [{name: a b, address: a}]\n", ":1:18: targets[0].name: may hold letters, digits and _.:/@%[]- only"},
        {"targets: [{name: a, address: 'a:0'}]\n",
         ":1:30: targets[0].address: the port must be a number from 1 to 65535"},
        {"targets: [{name: a, address: a, labels: [x]}]\n", ":1:41: targets[0].labels: must be a map (key: value)"},
        {"targets: [{name: a, address: a, labels: {x: [y]}}]\n",
         ":1:45: targets[0].labels.x: must be a single value, neither a map nor a list"},
        {"targets: [{name: a, address: a, labels: {x: }}]\n", ":1:45: targets[0].labels.x: has no value"},
        {"targets: [{name: a, address: a, labels: {x: ''}}]\n", ":1:45: targets[0].labels.x: has no value"},
        {"targets: [{name: a, address: a, labels: {x: \"\\u2028\"}}]\n",
         ":1:45: targets[0].labels.x: must not hold line breaks or other control characters"},
        {"targets: [{name: a, address: a, labels: {a-b: c}}]\n",
         ":1:42: targets[0].labels: a label's name is made of letters, digits and _, at most 128 of them"},
        {"targets: [{name: a, address: a, labels: {1a: c}}]\n",
         ":1:42: targets[0].labels: a label's name is made of letters, digits and _, at most 128 of them"},
        {"targets: [{name: a, address: a, labels: {__a: c}}]\n",
         ":1:42: targets[0].labels: label names that start with __ are Prometheus' own"},
        {"targets: [{name: a, address: a, labels: {job: c}}]\n",
         ":1:42: targets[0].labels: this label's name is reserved: Prometheus or our own metrics use it"},
        {"targets: [{name: a, address: a, labels: {x: 1, y: 2, x: 3}}]\n",
         ":1:54: targets[0].labels: this label is already there"},

        /* modules */
        {"modules: []\n" TARGET, ":1:10: modules: must be a map (key: value)"},
        {"modules: {a b: {}}\n" TARGET,
         ":1:11: modules: a module's name is made of letters, digits, _ and -, at most 64 of them"},
        {"modules: {a: {}, a: {}}\n" TARGET, ":1:18: modules: this module is already there"},
        {"modules: {a: {clos: none}}\n" TARGET, ":1:15: modules.a: unknown key 'clos'; did you mean 'close'?"},
        {"modules: {a: {close: never}}\n" TARGET,
         ":1:22: modules.a.close: must be quit_wait, quit_now, mid_result, none or reset"},
        {"modules: {a: {close: none, close: none}}\n" TARGET, ":1:28: modules.a.close: this key is already there"},
        {"modules: {a: 5}\n" TARGET, ":1:14: modules.a: must be a map (key: value)"},
        {"modules: {a: {hold: 25h}}\n" TARGET, ":1:21: modules.a.hold: must be 0s to 1d"},
        {"probe: {modules: a}\n" TARGET, ":1:18: probe.modules: must be a list (- ...)"},
        {"probe: {modules: []}\n" TARGET, ":1:18: probe.modules: must have one element at least"},
        {"probe: {modules: [default, default]}\n" TARGET, ":1:28: probe.modules[1]: is already in this list"},
        {"probe: {modules: [{}]}\n" TARGET,
         ":1:19: probe.modules[0]: must be a single value, neither a map nor a list"},
        {"probe: {modules: [b]}\n" TARGET, ":1:18: probe.modules: module 'b': is not defined in modules"},
        {"probe: {allow_close: [none]}\n" TARGET,
         ":1:9: probe: unknown key 'allow_close'; known here: interval, timeout, grace, modules"},
        {TARGET "    probe: {allow_close: [fin]}\n", ":4:27: targets[0].probe.allow_close[0]: must be quit_wait, "
                                                     "quit_now, mid_result, none or reset"},
        {"modules: {a: {close: none}}\n" TARGET "    probe: {modules: [a], allow_close: [reset]}\n",
         ":5:22: targets[0].probe.modules: module 'a': closes by none, which the target must allow: "
         "probe.allow_close: [none]"},
        {"modules: {a: {close: reset}}\n"
         "targets: [{name: a, address: /s, probe: {modules: [a], allow_close: [reset]}}]\n",
         ":2:51: targets[0].probe.modules: module 'a': closes by reset, which a unix socket does not know"},
        {"modules: {a: {timeout: 20s}}\nprobe: {modules: [a]}\n" TARGET,
         ":2:18: probe.modules: module 'a': the timeout (20s) must not be longer than its interval (15s)"},
        {"modules: {a: {hold: 2m, interval: 1m}}\nprobe: {modules: [a]}\n" TARGET,
         ":2:18: probe.modules: module 'a': the hold (2m) must not be longer than its interval (1m)"},

        /* for requests */
        {"auth_modules: {p: {allow_targets: [2001:db8::/32]}}\n",
         ":1:36: auth_modules.p.allow_targets[0]: an IPv6 address needs brackets, as in [2001:db8::]/32"},
        {"auth_modules: {p: {allow_targets: [x], tls: {cert: /etc/hostname}}}\n",
         ":1:52: auth_modules.p.tls.cert: needs tls.key"},
        {"auth_modules: {p: {allow_targets: [x], credentials: {password_file: /nonexistent}}}\n",
         ":1:69: auth_modules.p.credentials.password_file: the file cannot be opened: No such file or directory"},
        {"auth_modules: {p: {allow_targets: [x]}, p: {}}\n", ":1:41: auth_modules: this auth_module is already there"},
        {"auth_modules: {p: {targets: []}}\n",
         ":1:20: auth_modules.p: unknown key 'targets'; known here: "
         "allow_targets, poll, sessions, host_cache, userstat, probe, tls, credentials, host_network, max_age"},
        {"auth_modules: {p: {}}\n", ":1:1: targets: is missing, and neither allow_targets nor file_sd is given"},
        {"allow_targets: []\n", ":1:16: allow_targets: must have one element at least"},
        {"targets: [{name: a, address: a, allow_targets: [x]}]\n",
         ":1:33: targets[0]: unknown key 'allow_targets'; known here: " TARGET_KEYS},

        /* what must fit together */
        {"targets: [{name: a, address: a}, {name: b, address: b}, {name: a, address: c}]\n",
         ":1:64: targets[2].name: targets[0] has this name already"},
        {"poll: {interval: 2s, timeout: 3s}\n" TARGET,
         ":1:31: poll.timeout: the timeout (3s) must not be longer than the interval (2s)"},
        {"poll: {timeout: 16s}\n" TARGET,
         ":1:17: poll.timeout: the timeout (16s) must not be longer than the interval (15s)"},
        {"probe: {timeout: 4s}\n" TARGET "    probe: {interval: 2s}\n",
         ":5:23: targets[0].probe.interval: the timeout (4s) must not be longer than the interval (2s)"},
        {"probe: {interval: 4s, timeout: 1s}\n" TARGET "    probe: {timeout: 5s}\n",
         ":5:22: targets[0].probe.timeout: the timeout (5s) must not be longer than the interval (4s)"},
        {TARGET "    tls: {cert: @/cert.pem}\n", ":4:17: targets[0].tls.cert: needs tls.key"},
        {"tls: {key: @/key.pem}\n" TARGET, ":1:12: tls.key: needs tls.cert"},
        {"tls: {ca: @/none}\n" TARGET, ":1:11: tls.ca: the file cannot be opened: No such file or directory"},
        {"tls: {ca: @/}\n" TARGET, ":1:11: tls.ca: this is not a regular file"},
        {"tls: {ca: ca.pem}\n" TARGET, ":1:11: tls.ca: must be an absolute path"},
        {"targets: [{name: a, address: /s, tls: {mode: preferred}}]\n",
         ":1:46: targets[0].tls.mode: TLS has no use over a unix socket"},
        {"targets: [{name: a, address: /s, tls: {mode: disabled, ca: @/ca.pem}}]\n",
         ":1:60: targets[0].tls.ca: TLS has no use over a unix socket"},
    };
    size_t prefix = strlen(path_of("config.yml")), wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *c = load_text(cases[i].text);
        bool ok = !c && strcmp(strbuf_text(&error) + prefix, cases[i].error) == 0;
        if (!ok)
            print_error("%s  expected %s\n  got      %s\n", cases[i].text, cases[i].error,
                        c ? "no error" : strbuf_text(&error) + prefix);
        wrong += !ok;
        config_free(c);
    }
    assert_int_equal(wrong, 0);
}

static const char for_requests[] =
    "credentials: {user: top, password: t}\n"
    "modules: {slow: {timeout: 3s}, rude: {close: reset}, hold: {hold: 1m}}\n"
    "allow_targets: [127.0.0.1]\n"
    "poll: {timeout: 2s}\n"
    "auth_modules:\n"
    "  prod: {credentials: {user: prod, password: p}, tls: {mode: required}, allow_targets: ['*.db']}\n"
    "  none: {}\n";

/* What a request names has its auth_module's settings, and the top level's where that says nothing. */
static void requests_name_targets(void **state) {
    static const struct {
        const char *address, *module, *auth;
        enum request_error error;
        const char *why;
    } cases[] = {
        {"127.0.0.1", NULL, NULL, REQUEST_OK, ""},
        {"127.0.0.1", "slow", "", REQUEST_OK, ""},
        {"a.db", "default", "prod", REQUEST_OK, ""},
        {"127.0.0.1", "nix", NULL, REQUEST_UNKNOWN, "there is no such module"},
        {"127.0.0.1", NULL, "nix", REQUEST_UNKNOWN, "there is no such auth_module"},
        {"", NULL, NULL, REQUEST_MALFORMED, "the host is missing"},
        {"127.0.0.1:x", NULL, NULL, REQUEST_MALFORMED, "the port must be a number from 1 to 65535"},
        {"127.0.0.1", NULL, "prod", REQUEST_NOT_ALLOWED,
         "the address and port lie in no network of the module's allow_targets"},
        {"a.db", NULL, "none", REQUEST_NOT_ALLOWED, "the module allows no targets: its allow_targets is empty"},
        {"/tmp/sock", NULL, NULL, REQUEST_NOT_ALLOWED, "unix sockets are never allowed here"},
        {"127.0.0.1", "rude", NULL, REQUEST_NOT_ALLOWED,
         "closes by reset, which the target must allow: probe.allow_close: [reset]"},
    };
    struct config *config = load_text(for_requests);
    (void)state;
    assert_non_null(config);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct target_config *target = NULL;
        struct strbuf why;
        strbuf_init(&why, 1000);
        assert_int_equal(config_for_request(config, cases[i].address, cases[i].module, cases[i].auth, &target, &why),
                         cases[i].error);
        assert_string_equal(strbuf_text(&why), cases[i].why);
        assert_true((target != NULL) == (cases[i].error == REQUEST_OK));
        strbuf_release(&why);
        if (!target)
            continue;
        bool prod = cases[i].auth && strcmp(cases[i].auth, "prod") == 0;
        assert_string_equal(target->user, prod ? "prod" : "top");
        assert_string_equal(target->password, prod ? "p" : "t");
        assert_int_equal(target->tls.mode, prod ? TLS_REQUIRED : TLS_PREFERRED);
        assert_int_equal(target->poll.timeout_ns, 2 * NS_PER_S);
        assert_string_equal(target->address.host, cases[i].address);
        assert_int_equal(target->module_count, 1);
        assert_int_equal(target->modules[0].schedule.timeout_ns,
                         cases[i].module && strcmp(cases[i].module, "slow") == 0 ? 3 * NS_PER_S : 5 * NS_PER_S);
        target_config_free(target);
    }
    config_free(config);
}

/* The example that we ship is right, also where its comments are taken away; the tests run at the top of the tree. */
static void example(void **state) {
    static const char etc[] = "/etc/mysqlconn_exporter/";
    char shipped[8192] = "";
    struct strbuf text;
    (void)state;
    FILE *file = fopen("config/mysqlconn_exporter.example.yml", "re");
    assert_non_null(file);
    size_t len = fread(shipped, 1, sizeof shipped - 1, file);
    fclose(file);
    assert_in_range(len, 1, sizeof shipped - 2);
    strbuf_init(&text, 1 << 16);
    for (const char *at = shipped; *at; at++) {
        bool is_etc = strncmp(at, etc, strlen(etc)) == 0;
        bool comment = strncmp(at, "# ca:", 5) == 0 || strncmp(at, "# cert:", 7) == 0 || strncmp(at, "# key:", 6) == 0;
        if (is_etc)
            strbuf_addstr(&text, "@/");
        else if (!comment)
            strbuf_addch(&text, *at);
        at += is_etc ? strlen(etc) - 1 : comment;
    }
    write_text("client-cert.pem", "-");
    write_text("client-key.pem", "-");
    write_text("replica.cnf", "[monitor]\nuser=m\npassword=p\n");
    struct config *c = load_good(strbuf_text(&text));
    assert_string_equal(strbuf_text(&warnings), "");
    assert_int_equal(c->target_count, 4);
    assert_non_null(c->targets[1]->tls.key);
    assert_string_equal(c->targets[2]->user, "m");
    config_free(c);
    strbuf_release(&text);
}

static void warnings_about_ca(void **state) {
    char expected[512];
    (void)state;
    /* Said once for what all inherit, and for each target that says so itself. */
    config_free(load_good("tls: {mode: required, ca: @/ca.pem}\n"
                          "targets:\n"
                          "  - {name: a, address: a}\n"
                          "  - {name: b, address: b}\n"
                          "  - {name: c, address: c, tls: {mode: preferred}}\n"
                          "  - {name: d, address: d, tls: {mode: verify-ca}}\n"
                          "  - {name: e, address: e, tls: {mode: disabled}}\n"));
    snprintf(expected, sizeof expected,
             "%s/config.yml:1:27: tls.ca: not used: tls.mode is required, which does not check certificates\n"
             "%s/config.yml:1:27: tls.ca: not used: tls.mode is preferred, which does not check certificates\n",
             folder, folder);
    assert_string_equal(strbuf_text(&warnings), expected);
}

static void reference(void **state) {
    struct strbuf text;
    size_t bars = 0, lines = 0;
    (void)state;
    strbuf_init(&text, 1 << 16);
    config_reference(&text);
    assert_false(strbuf_failed(&text));
    for (const char *at = strbuf_text(&text); *at; at++) {
        bars += *at == '|';
        lines += *at == '\n';
    }
    assert_int_equal(bars, 7 * lines); /* no cell holds one */
    assert_non_null(
        strstr(strbuf_text(&text), "| `probe.timeout` | top level, target | duration | `5s` | 10ms to 1d |"));
    assert_non_null(strstr(strbuf_text(&text), "| `targets` | top level | list of maps |  |"));
    strbuf_release(&text);
}

static void names_of_tls_modes(void **state) {
    (void)state;
    assert_string_equal(tls_mode_name(TLS_DISABLED), "disabled");
    assert_string_equal(tls_mode_name(TLS_VERIFY_IDENTITY), "verify-identity");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modules),
        cmocka_unit_test(happy_path),
        cmocka_unit_test(defaults),
        cmocka_unit_test(default_timeout_follows_a_shorter_interval),
        cmocka_unit_test(order_and_line_ends),
        cmocka_unit_test(print_and_load_again),
        cmocka_unit_test(equality),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(example),
        cmocka_unit_test(warnings_about_ca),
        cmocka_unit_test(requests_name_targets),
        cmocka_unit_test(reference),
        cmocka_unit_test(names_of_tls_modes),
    };
    return cmocka_run_group_tests_name("config/load", tests, make_files, remove_folder);
}
