/*
 * Where the account comes from: password files, the environment, option files; what mysqld_exporter's flags give; and
 * that no secret ever shows in a message.
 */
#include "config_fixture.h"

#include "config/option_file.h"
#include "config/value.h"

#define SECRET "hunter2"

/* The account that one target with these credentials has, "user/password". */
static const char *account_of(const char *credentials) {
    static char account[256];
    char text[512];
    snprintf(text, sizeof text, "targets: [{name: a, address: a, credentials: {%s}}]", credentials);
    struct config *c = load_good(text);
    snprintf(account, sizeof account, "%s/%s", c->targets[0]->user, c->targets[0]->password);
    config_free(c);
    return account;
}

/* The error that these credentials of a target give, from the key's path on. */
static const char *error_of(const char *credentials) {
    char text[512];
    snprintf(text, sizeof text, "targets: [{name: a, address: a, credentials: {%s}}]", credentials);
    struct config *c = load_text(text);
    if (c)
        fail_msg("taken without an error: %s", credentials);
    assert_null(strstr(strbuf_text(&error), SECRET));
    const char *path = strstr(strbuf_text(&error), "credentials");
    assert_non_null(path);
    return path;
}

static void password_files(void **state) {
    char long_line[5000];
    (void)state;
    write_text("password", SECRET);
    assert_string_equal(account_of("user: u, password_file: @/password"), "u/" SECRET);
    assert_string_equal(strbuf_text(&warnings), "");
    write_text("password", SECRET "\n");
    assert_string_equal(account_of("password_file: @/password"), "/" SECRET);
    write_text("password", " " SECRET " #\t\r\nnext\n");
    assert_string_equal(account_of("password_file: @/password"), "/ " SECRET " #\t");

    memset(long_line, 'x', sizeof long_line);
    write_file("password", long_line, 4096, 0600);
    assert_int_equal(strlen(account_of("password_file: @/password")), 255); /* cut by the test's own buffer */
    write_file("password", long_line, 4097, 0600);
    assert_string_equal(error_of("password_file: @/password"),
                        "credentials.password_file: the file is larger than 4 KiB");
    write_text("password", "\n" SECRET "\n");
    assert_string_equal(error_of("password_file: @/password"),
                        "credentials.password_file: the first line of the file is empty");
    write_text("password", "");
    assert_string_equal(error_of("password_file: @/password"),
                        "credentials.password_file: the first line of the file is empty");
    write_file("password", "a\0b\n", 4, 0600);
    assert_string_equal(error_of("password_file: @/password"), "credentials.password_file: the file holds a NUL byte");
    assert_string_equal(error_of("password_file: @/none"),
                        "credentials.password_file: the file cannot be opened: No such file or directory");
    assert_string_equal(error_of("password_file: " SECRET), "credentials.password_file: must be an absolute path");
    assert_string_equal(error_of("password_file: /dev/zero"), "credentials.password_file: this is not a regular file");
    /* Its size is not told before it is read. */
    assert_string_equal(error_of("password_file: /proc/self/smaps"),
                        "credentials.password_file: the file is larger than 4 KiB");
    mkfifo(path_of("fifo"), 0600);
    assert_string_equal(error_of("password_file: @/fifo"), "credentials.password_file: this is not a regular file");
}

static void environment(void **state) {
    (void)state;
    setenv("MYSQLCONN_TEST", SECRET, 1);
    assert_string_equal(account_of("user: u, password_env: MYSQLCONN_TEST"), "u/" SECRET);
    setenv("MYSQLCONN_TEST", "", 1);
    assert_string_equal(account_of("user: u, password_env: MYSQLCONN_TEST"), "u/");
    unsetenv("MYSQLCONN_TEST");
    assert_string_equal(error_of("password_env: MYSQLCONN_TEST"),
                        "credentials.password_env: this environment variable is not set");
    assert_string_equal(error_of("password_env: " SECRET),
                        "credentials.password_env: this environment variable is not set");
    assert_string_equal(error_of("password_env: '" SECRET "!'"),
                        "credentials.password_env: must be the name of an environment variable");
}

static void one_source_only(void **state) {
    static const char only_one[] = "only one of password, password_file, password_env and my_cnf may be given";
    char expected[256];
    (void)state;
    snprintf(expected, sizeof expected, "credentials.password_file: %s", only_one);
    assert_string_equal(error_of("password: " SECRET ", password_file: /x"), expected);
    assert_string_equal(error_of("password_file: /x, password: " SECRET), expected);
    snprintf(expected, sizeof expected, "credentials.my_cnf: %s", only_one);
    assert_string_equal(error_of("password_env: X, my_cnf: /x"), expected);
    assert_string_equal(error_of("my_cnf_section: x"), "credentials.my_cnf_section: needs my_cnf");
    assert_string_equal(account_of("password: ''"), "/");
    assert_string_equal(account_of("user: u"), "u/");
}

/* A mistake in the top level's credentials is placed there, not in a target. */
static void inherited_mistake(void **state) {
    (void)state;
    assert_null(load_text("credentials: {user: u, password_file: @/none}\ntargets: [{name: a, address: a}]\n"));
    expect_error(path_of("config.yml"),
                 ":1:39: credentials.password_file: the file cannot be opened: No such file or directory");
}

/* Secrets in places where they do not belong are not repeated. */
static void nothing_shows(void **state) {
    static const char *const cases[][2] = {
        {"password: [" SECRET "]", "credentials.password: must be a single value, neither a map nor a list"},
        {"password: {" SECRET ": x}", "credentials.password: must be a single value, neither a map nor a list"},
        {"password: \"" SECRET "\\n\"", "credentials.password: must not hold line breaks or other control characters"},
        {"password: !x " SECRET, "credentials.password: tags are not supported"},
        {"password: &" SECRET " x", "credentials.password: anchors are not supported"},
        {"password: *" SECRET, "credentials.password: aliases are not supported"},
        {"password: '" SECRET "' x", "credentials: this is no valid YAML: did not find expected ',' or '}'"},
        {SECRET, "credentials: unknown key; known here: user, password, password_file, "
                 "password_env, my_cnf, my_cnf_section, "
                 "get_server_public_key"},
        {SECRET ": x", "credentials: unknown key; known here: user, password, password_file, "
                       "password_env, my_cnf, my_cnf_section, "
                       "get_server_public_key"},
        {"passwort: " SECRET, "credentials: unknown key; did you mean 'password'?"},
        {"user: x, my_cnf: " SECRET, "credentials.my_cnf: must be an absolute path"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(error_of(cases[i][0]), cases[i][1]);
    assert_null(load_text("targets: [{name: a, address: 'root:" SECRET "@db'}]"));
    assert_null(strstr(strbuf_text(&error), SECRET));
    assert_null(load_text("credentials: " SECRET "\n"));
    expect_error(path_of("config.yml"), ":1:14: credentials: must be a map (key: value)");
}

static void readable_by_everybody(void **state) {
    static const char plain[] = "credentials: {password: " SECRET "}\ntargets: [{name: a, address: a}]\n";
    static const char by_file[] = "targets: [{name: a, address: a, credentials: {password_file: %s/password}}]\n";
    char text[512], expected[512];
    (void)state;
    config_free(load_path(write_file("plain.yml", plain, strlen(plain), 0640)));
    assert_string_equal(strbuf_text(&warnings), "");
    config_free(load_path(write_file("plain.yml", plain, strlen(plain), 0644)));
    snprintf(expected, sizeof expected,
             "%s/plain.yml:1:25: credentials.password: everybody on this machine may read the password in this file\n",
             folder);
    assert_string_equal(strbuf_text(&warnings), expected);

    snprintf(text, sizeof text, by_file, folder);
    write_file("password", SECRET, strlen(SECRET), 0640);
    config_free(load_path(write_file("file.yml", text, strlen(text), 0644)));
    assert_string_equal(strbuf_text(&warnings), "");
    write_file("password", SECRET, strlen(SECRET), 0644);
    config_free(load_path(write_file("file.yml", text, strlen(text), 0644)));
    snprintf(expected, sizeof expected,
             "%s/file.yml:1:62: targets[0].credentials.password_file: everybody on this machine may read this file\n",
             folder);
    assert_string_equal(strbuf_text(&warnings), expected);
    write_file("my.cnf", "[client]\npassword=x\n", 20, 0644);
    account_of("my_cnf: @/my.cnf");
    assert_non_null(
        strstr(strbuf_text(&warnings), "credentials.my_cnf: everybody on this machine may read this file\n"));
    write_file("my.cnf", "[client]\nuser=x\n", 16, 0644); /* no secret in it */
    account_of("my_cnf: @/my.cnf");
    assert_string_equal(strbuf_text(&warnings), "");
    remove(path_of("my.cnf"));
}

/* What the option in `text` is read as; NULL not there. The caller frees it. */
static char *option(const char *text, const char *name) {
    char *value = NULL;
    const struct option_wanted wanted[] = {{name, &value}};
    struct option_file_facts facts;
    strbuf_reset(&error);
    if (!option_file_read(write_text("option.cnf", text), "client", wanted, 1, &facts, &error))
        assert_null(value);
    return value;
}

/* The same answers as those of `my_print_defaults --defaults-file=option.cnf client`. */
static void option_values(void **state) {
    static const char *const cases[][2] = {
        {"[client]\npassword=secret\n", "secret"},
        {"[client]\npassword = secret \t \n", "secret"},
        {"[client]\r\npassword = secret\r\n", "secret"},
        {"[client]\npassword=secret", "secret"},
        {"  [client ] # group\n  password = secret\n", "secret"},
        {"[client]\npassword=\"sec ret \"\n", "sec ret "},
        {"[client]\npassword='sec\"ret'\n", "sec\"ret"},
        {"[client]\npassword=\"sec#ret\" # comment\n", "sec#ret"},
        {"[client]\npassword=sec#ret\n", "sec"},
        {"[client]\npassword=sec;ret\n", "sec;ret"},
        {"[client]\npassword=\"a\\\"#b\"\n", "a\"#b"},
        {"[client]\npassword=a\\tb\\nc\\rd\\be\\sf\\\\g\\\"\\'h\n", "a\tb\nc\rd\be f\\g\"'h"},
        {"[client]\npassword=a\\xb\\\n", "a\\xb\\"},
        {"[client]\npassword=a=b=c\n", "a=b=c"},
        {"[client]\npassword=\n", ""},
        {"[client]\npassword=\"\"\n", ""},
        {"[client]\npassword=\"\n", "\""},
        {"[client]\npassword=one\npassword=two\n", "two"},
        {"[mysql]\npassword=no\n[client]\npassword=yes\n", "yes"},
        {"[client]\npassword=yes\n[clientx]\npassword=no\n", "yes"},
        {"[client]\na=1\n[x]\npassword=no\n[client]\npassword=yes\n", "yes"},
        {"[client]\n# password=no\n;password=no\n!include /x\npassword=yes\n", "yes"},
        {"[client]\nskip-ssl\nquick\npassword=yes\n", "yes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *value = option(cases[i][0], "password");
        const char *got = value ? value : "nothing";
        if (strcmp(got, cases[i][1]) != 0)
            print_error("in\n%s%s\n", cases[i][0], strbuf_text(&error));
        assert_string_equal(got, cases[i][1]);
        secret_free(value);
    }
    char *path = option("[client]\nssl_ca = /x\n", "ssl-ca");
    assert_string_equal(path, "/x");
    free(path);
    assert_null(option("[client]\npasswords=x\npass=y\n", "password"));
    assert_null(option("[mysql]\npassword=x\n", "password"));
    assert_null(option("[ client]\npassword=x\n", "password"));
}

static void option_files(void **state) {
    (void)state;
    write_text("my.cnf",
               "[client]\nuser=c\npassword=" SECRET "\nhost=elsewhere\n[mon]\nuser = m\npassword = mp\n[bare]\n");
    assert_string_equal(account_of("my_cnf: @/my.cnf"), "c/" SECRET);
    assert_string_equal(account_of("my_cnf: @/my.cnf, my_cnf_section: mon"), "m/mp");
    assert_string_equal(account_of("my_cnf: @/my.cnf, my_cnf_section: mon, user: own"), "own/mp");
    assert_string_equal(account_of("my_cnf: @/my.cnf, my_cnf_section: bare"), "/");
    assert_string_equal(error_of("my_cnf: @/my.cnf, my_cnf_section: mo"),
                        "credentials.my_cnf: the file has no such group as my_cnf_section names (client by default)");
    assert_string_equal(error_of("my_cnf: @/none.cnf"),
                        "credentials.my_cnf: the file cannot be opened: No such file or directory");
    write_text("my.cnf", "[client]\npassword\n");
    assert_string_equal(error_of("my_cnf: @/my.cnf"),
                        "credentials.my_cnf: line 2 of the file: 'password' has no value");
    write_text("my.cnf", "[client]\npassword=" SECRET "\n\n[client\n");
    assert_string_equal(error_of("my_cnf: @/my.cnf"), "credentials.my_cnf: line 4 of the file: ']' is missing");
    write_file("my.cnf", "[client]\n\0", 10, 0600);
    assert_string_equal(error_of("my_cnf: @/my.cnf"), "credentials.my_cnf: the file holds a NUL byte");
    assert_int_equal(truncate(path_of("my.cnf"), (64 << 10) + 1), 0);
    assert_string_equal(error_of("my_cnf: @/my.cnf"), "credentials.my_cnf: the file is larger than 64 KiB");
}

/* --- mysqld_exporter's flags
 * ------------------------------------------------------------------------------------------ */

static struct config *flags(const char *address, const char *username, const char *my_cnf) {
    strbuf_reset(&error);
    struct config *c = config_from_flags(address, username, my_cnf, &error);
    assert_int_equal(c == NULL, error.len > 0);
    return c;
}

static void expect_flags(const char *address, const char *username, const char *my_cnf, const char *expected_address,
                         const char *expected_account) {
    char account[256];
    struct config *c = flags(address, username, my_cnf);
    if (!c)
        fail_msg("%s", strbuf_text(&error));
    const struct target_config *t = c->targets[0];
    snprintf(account, sizeof account, "%s/%s", t->user, t->password);
    assert_int_equal(c->target_count, 1);
    assert_int_equal(c->limits.users_per_target, 100);
    assert_int_equal(t->poll.interval_ns, INT64_C(15000000000));
    assert_string_equal(t->name, expected_address);
    assert_string_equal(t->address_text, expected_address);
    assert_string_equal(account, expected_account);
    config_free(c);
}

static void expect_no_flags(const char *address, const char *username, const char *my_cnf, const char *expected) {
    assert_null(flags(address, username, my_cnf));
    assert_string_equal(strbuf_text(&error), expected);
}

static void exporter_flags(void **state) {
    static const char no_user[] =
        "no user: give --mysqld.username, or user in [client] of the file that --config.my-cnf names";
    (void)state;
    setenv("HOME", folder, 1);
    unsetenv("MYSQLD_EXPORTER_PASSWORD");
    remove(path_of(".my.cnf"));
    expect_no_flags(NULL, NULL, NULL, no_user);
    expect_no_flags("db1:3306", "", NULL, no_user);
    expect_flags(NULL, "u", NULL, "localhost:3306", "u/");
    expect_flags("db1", "u", NULL, "db1:3306", "u/");
    expect_flags("[::1]:3307", "u", NULL, "[::1]:3307", "u/");
    expect_flags("unix:///run/m.sock", "u", NULL, "unix:/run/m.sock", "u/");
    setenv("MYSQLD_EXPORTER_PASSWORD", SECRET, 1);
    expect_flags("db1:3307", "u", NULL, "db1:3307", "u/" SECRET);

    /* The file goes before the flags and the environment. */
    write_text("flags.cnf", "[client]\nuser=f\npassword=fp\nhost=db9\nport=3399\n");
    expect_flags("db1:3307", "u", path_of("flags.cnf"), "db9:3399", "f/fp");
    write_text("flags.cnf", "[client]\nport=3399\n");
    expect_flags("db1:3307", "u", path_of("flags.cnf"), "db1:3399", "u/" SECRET);
    write_text("flags.cnf", "[client]\nhost=::1\nuser=f\n");
    expect_flags("db1:3307", NULL, path_of("flags.cnf"), "[::1]:3307", "f/" SECRET);
    write_text("flags.cnf", "[client]\nsocket=/run/m.sock\nhost=db9\n");
    expect_flags(NULL, "u", path_of("flags.cnf"), "unix:/run/m.sock", "u/" SECRET);

    /* ~/.my.cnf where nothing else was said. */
    write_text(".my.cnf", "[client]\nuser=h\npassword=hp\n");
    expect_flags(NULL, NULL, NULL, "localhost:3306", "h/hp");
    expect_flags(NULL, "u", NULL, "localhost:3306", "u/" SECRET);
    remove(path_of(".my.cnf"));

    expect_no_flags("db1:x", "u", NULL,
                    "--mysqld.address or host, port and socket of the option file: the port must be a number from 1 to "
                    "65535");
    write_text("flags.cnf", "[client]\nssl-cert=/x\n");
    assert_null(flags("db1", "u", path_of("flags.cnf")));
    assert_non_null(strstr(strbuf_text(&error), "flags.cnf: ssl-cert and ssl-key need each other"));
    assert_null(flags("db1", "u", path_of("none.cnf")));
    assert_non_null(strstr(strbuf_text(&error), "none.cnf: the file cannot be opened: No such file or directory"));
}

static void exporter_flags_tls(void **state) {
    char text[512];
    (void)state;
    write_text("ca.pem", "-");
    snprintf(text, sizeof text, "[client]\nuser=u\nssl-ca=%s/ca.pem\n", folder);
    write_text("flags.cnf", text);
    struct config *c = flags("db1", NULL, path_of("flags.cnf"));
    assert_non_null(c);
    assert_int_equal(c->targets[0]->tls.mode, TLS_VERIFY_IDENTITY);
    assert_string_equal(c->targets[0]->tls.ca, path_of("ca.pem"));
    config_free(c);
    c = flags("/run/m.sock", NULL, path_of("flags.cnf"));
    assert_non_null(c);
    assert_int_equal(c->targets[0]->tls.mode, TLS_DISABLED);
    assert_null(c->targets[0]->tls.ca);
    config_free(c);
}

/* What the flags gave can be printed as a file, and means the same there. */
static void exporter_flags_as_a_file(void **state) {
    struct strbuf text;
    (void)state;
    setenv("MYSQLD_EXPORTER_PASSWORD", SECRET, 1);
    write_text("flags.cnf", "[client]\nuser=f\npassword=fp\nhost=db9\n");
    for (int from_file = 0; from_file < 2; from_file++) {
        struct config *one = flags("[::1]:3307", "u", from_file ? path_of("flags.cnf") : NULL);
        assert_non_null(one);
        strbuf_init(&text, 1 << 16);
        config_print(one, &text);
        assert_null(strstr(strbuf_text(&text), SECRET));
        struct config *two = load_good(strbuf_text(&text));
        assert_true(target_config_equal(one->targets[0], two->targets[0]));
        config_free(one);
        config_free(two);
        strbuf_release(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(password_files),
        cmocka_unit_test(environment),
        cmocka_unit_test(one_source_only),
        cmocka_unit_test(inherited_mistake),
        cmocka_unit_test(nothing_shows),
        cmocka_unit_test(readable_by_everybody),
        cmocka_unit_test(option_values),
        cmocka_unit_test(option_files),
        cmocka_unit_test(exporter_flags),
        cmocka_unit_test(exporter_flags_tls),
        cmocka_unit_test(exporter_flags_as_a_file),
    };
    return cmocka_run_group_tests_name("config/credentials", tests, make_folder, remove_folder);
}
