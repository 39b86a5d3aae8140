/*
 * Rotated files by name and age; see log_folder.h.
 */
#include "observe/log_folder.h"

#include "base/clock.h"
#include "observe/log_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

bool log_folder_is_pattern(const char *path) {
    const char *slash = strrchr(path, '/');
    return strpbrk(slash ? slash : path, "*?[") != NULL;
}

int64_t log_folder_mtime_ns(const struct stat *st) {
    return (int64_t)st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
}

/* --- names --- */

static bool is_separator(char c) {
    return c == '.' || c == '-' || c == '_';
}

/* Compressed, or not there yet. */
static bool is_no_text(const char *name) {
    static const char *const endings[] = {".gz",   ".xz",  ".bz2", ".zst", ".lz4", ".Z",
                                          ".lzma", ".zip", ".new", ".tmp", ".part"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t ending = strlen(endings[i]);
        if (len > ending && strcmp(name + len - ending, endings[i]) == 0)
            return true;
    }
    return false;
}

/* What begins at `separator` tells servers of one machine apart, by port or number, and is not what a rotation counts
 * or dates: four or five digits that begin neither as a month and day nor as a date with separators. `inside`: an
 * ending follows, in front of which rotations count behind a dot. */
static bool is_of_another_server(const char *separator, bool inside) {
    const char *number = separator + 1;
    size_t digits = strspn(number, "0123456789");
    bool date = digits == 4 &&
                (number[0] < '2' || (strncmp(number, "20", 2) == 0 && is_separator(number[4]) && is_digit(number[5])));
    return (!date && (digits == 4 || digits == 5)) || (inside && *separator != '.' && digits < 4);
}

/* error.log: error.log.1, error.log-20261121, error.log.old; and error.1.log, error-20261121.log. Not error.log.3307,
 * error-3307.log, error-2.log: who reads those for ours counts another server's clients. */
static bool is_rotated(const char *base, const char *name) {
    size_t len = strlen(base), name_len = strlen(name);
    if (strncmp(name, base, len) == 0 && (name[len] == '\0' || is_separator(name[len])))
        return name[len] == '\0' || !is_of_another_server(name + len, false);
    const char *dot = strrchr(base, '.');
    if (!dot || dot == base)
        return false;
    size_t stem = (size_t)(dot - base), ending = len - stem;
    return name_len > len + 1 && strncmp(name, base, stem) == 0 && is_separator(name[stem]) &&
           is_digit(name[stem + 1]) && strcmp(name + name_len - ending, dot) == 0 &&
           !is_of_another_server(name + stem, true);
}

static bool is_match(const char *pattern, const char *name) {
    return !is_no_text(name) && fnmatch(pattern, name, FNM_PERIOD) == 0;
}

/* error.log.00.json, which MySQL's JSON sink writes beside error.log, is a log of its own, and so is what it was
 * renamed to. */
static bool is_of(const char *base, const char *name) {
    static const char json[] = ".json";
    char longer[NAME_MAX + 16];
    if (strstr(name, json) && !strstr(base, json))
        return false;
    if (!log_folder_is_pattern(base))
        return !is_no_text(name) && is_rotated(base, name);
    snprintf(longer, sizeof longer, "%s[-._]*", base);
    return is_match(base, name) || is_match(longer, name);
}

/* --- age --- */

/* By the digits at which two names differ; the one that has none was not renamed, and is the newest. `rotated`: numbers
 * are what rotations count, the higher the older; else what somebody counted on. */
static int compare_names(const char *a, const char *b, bool rotated) {
    size_t same = 0;
    while (a[same] && a[same] == b[same])
        same++;
    while (same > 0 && is_digit(a[same - 1]))
        same--;
    size_t a_digits = strspn(a + same, "0123456789"), b_digits = strspn(b + same, "0123456789");
    bool a_bare = !a[same] || (a_digits == 0 && b_digits > 0), b_bare = !b[same] || (b_digits == 0 && a_digits > 0);
    if (a_bare != b_bare)
        return a_bare ? 1 : -1;
    bool counted =
        rotated && a_digits > 0 && b_digits > 0 && a_digits <= 4 && b_digits <= 4; /* longer ones are dates */
    int order = a_digits != b_digits ? (a_digits < b_digits ? -1 : 1) : strcmp(a + same, b + same);
    return counted ? -order : order;
}

int log_folder_compare(const char *a, const struct stat *a_st, const char *b, const struct stat *b_st) {
    int64_t at = log_folder_mtime_ns(a_st), bt = log_folder_mtime_ns(b_st);
    if (at != bt)
        return at < bt ? -1 : 1;
    return compare_names(a, b, true);
}

static int64_t birth_ns(const char *path) {
    struct statx stx;
    if (statx(AT_FDCWD, path, 0, STATX_BTIME, &stx) < 0 || !(stx.stx_mask & STATX_BTIME))
        return 0;
    return stx.stx_btime.tv_sec * NS_PER_S + stx.stx_btime.tv_nsec;
}

/* Of two that match a pattern. The clock of files ticks slowly: many a file is made in the tick in which another was
 * written last. */
static int compare_matches(const char *a, const struct stat *a_st, const char *b, const struct stat *b_st) {
    int64_t at = log_folder_mtime_ns(a_st), bt = log_folder_mtime_ns(b_st);
    if (at == bt) {
        at = birth_ns(a);
        bt = birth_ns(b);
    }
    return at != bt ? (at < bt ? -1 : 1) : compare_names(a, b, false);
}

/* --- the folder --- */

/* What is in the folder of `path`, and of it by `is_wanted`. `follow`: 0, or AT_SYMLINK_NOFOLLOW. */
static int scan(const char *path, bool (*is_wanted)(const char *base, const char *name), int follow, log_folder_fn *fn,
                void *arg) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char folder[PATH_MAX] = ".", found[PATH_MAX];
    struct stat st;
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    /* One thread alone reads this DIR. */
    // cppcheck-suppress readdirCalled
    for (const struct dirent *e; (e = readdir(dir));) {
        if (!is_wanted(base, e->d_name) || fstatat(dirfd(dir), e->d_name, &st, follow) < 0 || !S_ISREG(st.st_mode))
            continue;
        int len = snprintf(found, sizeof found, "%s/%s", folder[1] ? folder : "", e->d_name);
        if (len > 0 && (size_t)len < sizeof found)
            fn(arg, found, &st);
    }
    closedir(dir);
    return 0;
}

int log_folder_scan(const char *path, log_folder_fn *fn, void *arg) {
    return scan(path, is_of, AT_SYMLINK_NOFOLLOW, fn, arg);
}

int log_folder_matches(const char *pattern, log_folder_fn *fn, void *arg) {
    return scan(pattern, is_match, 0, fn, arg);
}

struct newest {
    char *path;
    struct stat st;
    bool any;
};

static void take_newer(void *arg, const char *path, const struct stat *st) {
    struct newest *n = arg;
    if (n->any && compare_matches(n->path, &n->st, path, st) >= 0)
        return;
    snprintf(n->path, PATH_MAX, "%s", path);
    n->st = *st;
    n->any = true;
}

int log_folder_newest(const char *pattern, char out[PATH_MAX]) {
    struct newest n = {.path = out};
    int rc = log_folder_matches(pattern, take_newer, &n);
    return rc < 0 ? rc : n.any ? 0 : -ENOENT;
}
