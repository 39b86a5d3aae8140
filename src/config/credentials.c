/*
 * From where the account comes to what it is; see credentials.h.
 */
#include "config/credentials.h"

#include "config/file.h"
#include "config/option_file.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

#define PASSWORD_FILE_MAX 4096

typedef bool source_fn(const struct credentials_config *c, char **user, char **password,
                       struct credentials_report *report);

static bool wrong(struct credentials_report *report, const char *text) {
    strbuf_addstr(&report->why, text);
    return false;
}

static bool from_itself(const struct credentials_config *c, char **user, char **password,
                        struct credentials_report *report) {
    (void)user;
    *password = strdup(c->password);
    return *password || wrong(report, "out of memory");
}

static bool from_file(const struct credentials_config *c, char **user, char **password,
                      struct credentials_report *report) {
    struct file_content content = {0};
    (void)user;
    if (!file_read(c->password_file, PASSWORD_FILE_MAX, &content, &report->why))
        return false;
    report->exposed = content.readable_by_others;
    size_t len = strcspn(content.data, "\n");
    bool has_nul = memchr(content.data, '\0', content.len) != NULL;
    if (!has_nul && len > 0 && content.data[len - 1] == '\r')
        len--;
    if (has_nul)
        wrong(report, "the file holds a NUL byte");
    else if (len == 0)
        wrong(report, "the first line of the file is empty");
    else if (!(*password = strndup(content.data, len)))
        wrong(report, "out of memory");
    file_release(&content);
    return *password != NULL;
}

static bool from_environment(const struct credentials_config *c, char **user, char **password,
                             struct credentials_report *report) {
    const char *value = getenv(c->password_env);
    (void)user;
    if (!value)
        return wrong(report, "this environment variable is not set");
    *password = strdup(value);
    return *password || wrong(report, "out of memory");
}

static bool from_option_file(const struct credentials_config *c, char **user, char **password,
                             struct credentials_report *report) {
    const struct option_wanted wanted[] = {{"user", user}, {"password", password}};
    struct option_file_facts facts;
    const char *section = c->my_cnf_section ? c->my_cnf_section : "client";
    if (!option_file_read(c->my_cnf, section, wanted, 2, &facts, &report->why))
        return false;
    report->exposed = facts.readable_by_others && *password;
    return facts.group_found || wrong(report, "the file has no such group as my_cnf_section names (client by default)");
}

bool credentials_resolve(const struct credentials_config *c, char **user_out, char **password_out,
                         struct credentials_report *report) {
    const struct {
        const char *key;
        const char *given;
        source_fn *read;
    } sources[] = {
        {"credentials.password", c->password, from_itself},
        {"credentials.password_file", c->password_file, from_file},
        {"credentials.password_env", c->password_env, from_environment},
        {"credentials.my_cnf", c->my_cnf, from_option_file},
    };
    char *user = NULL, *password = NULL;
    source_fn *read = NULL;

    report->key = "credentials";
    report->exposed = false;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (!sources[i].given)
            continue;
        report->key = sources[i].key;
        if (read)
            return wrong(report, "only one of password, password_file, password_env and my_cnf may be given");
        read = sources[i].read;
    }
    if (c->my_cnf_section && !c->my_cnf) {
        report->key = "credentials.my_cnf_section";
        return wrong(report, "needs my_cnf");
    }
    if (read && !read(c, &user, &password, report))
        goto fail;
    if (c->user || !user) {
        free(user);
        user = strdup(c->user ? c->user : "");
    }
    if (!password)
        password = strdup("");
    if (!user || !password) {
        wrong(report, "out of memory");
        goto fail;
    }
    *user_out = user;
    *password_out = password;
    return true;
fail:
    free(user);
    secret_free(password);
    return false;
}
