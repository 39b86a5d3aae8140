/*
 * Option files of MySQL and MariaDB (my.cnf), read as their own clients read them: groups, comments, quotes, escapes.
 * Includes are not followed.
 */
#ifndef CONFIG_OPTION_FILE_H
#define CONFIG_OPTION_FILE_H

#include "base/strbuf.h"

/* An option that the caller wants; - and _ are the same in names. The last one in the file counts. */
struct option_wanted {
    const char *name;
    char **value; /* freed and replaced; wiped by secret_free() */
};

struct option_file_facts {
    bool group_found;
    bool readable_by_others;
};

/* Read the options of [group]. False with what is wrong in `why`, which never holds a value. Values that were set
 * before a failure stay set. */
bool option_file_read(const char *path, const char *group, const struct option_wanted *wanted, size_t count,
                      struct option_file_facts *facts, struct strbuf *why);

#endif
