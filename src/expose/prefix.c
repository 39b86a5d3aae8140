/*
 * What stands before each path; see prefix.h.
 */
#include "expose/prefix.h"

#include <ctype.h>
#include <string.h>

enum { PREFIX_MAX = 1024 };

/* A part that is empty (not the last, which is cut off), or one that browsers take out. */
static bool has_odd_part(const char *path) {
    for (size_t len; *path == '/'; path += len) {
        path++;
        len = strcspn(path, "/");
        if ((len == 0 && *path) || (len == 1 && path[0] == '.') || (len == 2 && path[0] == '.' && path[1] == '.'))
            return true;
    }
    return false;
}

const char *prefix_of_path(const char *path, struct strbuf *out) {
    size_t len = strlen(path);
    if (path[0] != '/')
        return "it must begin with '/'";
    if (len > PREFIX_MAX)
        return "it is too long";
    for (size_t i = 0; i < len; i++)
        if (!isascii(path[i]) || !(isalnum((unsigned char)path[i]) || strchr("/-._~", path[i])))
            return "its path may have letters, digits and / - . _ ~ only";
    if (has_odd_part(path))
        return "its path has an empty part, or one of dots";
    while (len > 0 && path[len - 1] == '/')
        len--;
    strbuf_add(out, path, len);
    return NULL;
}

const char *prefix_of_url(const char *url, struct strbuf *out) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = strlen(schemes[i]);
        if (strncmp(url, schemes[i], len) != 0)
            continue;
        const char *path = strchr(url + len, '/');
        if (strcspn(url + len, "/?#") == 0)
            return "it has no host";
        return path ? prefix_of_path(path, out) : strpbrk(url, "?#") ? "it may end in a path only" : NULL;
    }
    return url[0] == '/' ? prefix_of_path(url, out) : "it must be as http://host:port/path";
}
