/*
 * Small regular files, read whole: bounded in size, and opened so that a pipe or a device cannot make us wait.
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include "base/strbuf.h"

struct file_content {
    char *data; /* NUL-terminated */
    size_t len;
    bool readable_by_others; /* by everybody, not just by owner and group */
};

/* False with what is wrong in `why`: not there, no permission, no regular file, more than `max` bytes. */
bool file_read(const char *path, size_t max, struct file_content *out, struct strbuf *why);
/* Wipe and free. */
void file_release(struct file_content *content);
/* Whether `path` is a regular file that we may read. */
bool file_check(const char *path, struct strbuf *why);

#endif
