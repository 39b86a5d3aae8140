/*
 * The folder of a log: which of its files may hold what the log held before it was rotated or copied, and which file a
 * pattern means.
 */
#ifndef OBSERVE_LOG_FOLDER_H
#define OBSERVE_LOG_FOLDER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Whether `path` is a pattern in its last part. */
bool log_folder_is_pattern(const char *path);
/* The file that was written last of those that match `pattern`, or that a symbolic link leads to which does; of two
 * that were in the same tick of the clock the one that was made later. 0 or a negative errno; -ENOENT where none does.
 */
int log_folder_newest(const char *pattern, char out[PATH_MAX]);
/* Hand over all that match. 0 or a negative errno. */
typedef void log_folder_fn(void *arg, const char *path, const struct stat *st);
int log_folder_matches(const char *pattern, log_folder_fn *fn, void *arg);

/* Hand over the regular files in the folder of `path` whose names say that they are what `path` was rotated to
 * (error.log.1, error.log-20261121, error.1.log, error.log.old), also a file of that very name, or (a pattern) that
 * match; not those that are compressed, or just being made (.new, .tmp, .part), nor another server's (error-3307.log).
 * 0 or a negative errno. */
int log_folder_scan(const char *path, log_folder_fn *fn, void *arg);

/* Order of two files by age, the older one first: below, at or above zero. By when they were written last, then by what
 * rotation makes of names: error.log.2 is older than error.log.1, error.log-20261120 than error.log-20261121. */
int log_folder_compare(const char *a, const struct stat *a_st, const char *b, const struct stat *b_st);

int64_t log_folder_mtime_ns(const struct stat *st);

#endif
