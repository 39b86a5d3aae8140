/*
 * What the tests of the configuration share: a private folder, files in it, and loading a text.
 */
#ifndef TESTS_CONFIG_FIXTURE_H
#define TESTS_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What may stand there, as the messages list it. */
#define TOP_KEYS                                                                                                       \
    "limits, modules, auth_modules, allow_targets, file_sd, targets, poll, sessions, host_cache, userstat, probe, "    \
    "tls, "                                                                                                            \
    "credentials, host_network, max_age"
#define TARGET_KEYS                                                                                                    \
    "name, address, labels, poll, sessions, host_cache, userstat, probe, tls, credentials, host_network, max_age, "    \
    "error_log"

static char folder[64];
static struct strbuf error, warnings; /* of the last load */

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where) {
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mysqlconn-config-XXXXXX");
    strbuf_init(&error, 4096);
    strbuf_init(&warnings, 65536);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    strbuf_release(&error);
    strbuf_release(&warnings);
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of `name` in the private folder; valid until the fourth call after it. */
static const char *path_of(const char *name) {
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *write_file(const char *name, const void *data, size_t len, mode_t mode) {
    const char *path = path_of(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

static inline const char *write_text(const char *name, const char *text) {
    return write_file(name, text, strlen(text), 0600);
}

static struct config *load_path(const char *path) {
    strbuf_reset(&error);
    strbuf_reset(&warnings);
    struct config *config = config_load(path, &error, &warnings);
    assert_int_equal(config == NULL, error.len > 0);
    assert_null(strchr(strbuf_text(&error), '\n'));
    return config;
}

/* Load `text`, in which each '@' followed by '/' stands for the private folder's '/'. */
static inline struct config *load_text(const char *text) {
    struct strbuf expanded;
    strbuf_init(&expanded, 1 << 20);
    for (; *text; text++)
        if (text[0] == '@' && text[1] == '/')
            strbuf_addstr(&expanded, folder);
        else
            strbuf_addch(&expanded, *text);
    const char *path = write_file("config.yml", strbuf_text(&expanded), expanded.len, 0600);
    strbuf_release(&expanded);
    return load_path(path);
}

static inline struct config *load_good(const char *text) {
    struct config *config = load_text(text);
    if (!config)
        fail_msg("%s", strbuf_text(&error));
    return config;
}

/* The error must be the file's path followed by `expected`. */
static inline void expect_error(const char *path, const char *expected) {
    assert_memory_equal(strbuf_text(&error), path, strlen(path));
    assert_string_equal(strbuf_text(&error) + strlen(path), expected);
}

#endif
