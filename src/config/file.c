/*
 * Small regular files, read whole; see file.h.
 */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK so that opening a pipe does not wait for its writer. */
static int open_regular(const char *path, struct stat *st, struct strbuf *why) {
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        strbuf_addf(why, "the file cannot be opened: %s", strerror(errno));
        return -1;
    }
    if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
        strbuf_addstr(why, "this is not a regular file");
        close(fd);
        return -1;
    }
    return fd;
}

static bool too_large(size_t max, struct strbuf *why) {
    strbuf_addf(why, "the file is larger than %zu KiB", max / 1024);
    return false;
}

/* Read until the end; the size is checked here too, because a file may grow and those of /proc do not tell theirs. */
static bool read_all(int fd, size_t max, struct file_content *content, struct strbuf *why) {
    for (;;) {
        ssize_t n = read(fd, content->data + content->len, max + 1 - content->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            strbuf_addf(why, "the file cannot be read: %s", strerror(errno));
            return false;
        }
        if (n == 0)
            break;
        content->len += (size_t)n;
        if (content->len > max)
            return too_large(max, why);
    }
    content->data[content->len] = '\0';
    return true;
}

bool file_read(const char *path, size_t max, struct file_content *out, struct strbuf *why) {
    struct file_content content = {0};
    struct stat st;
    bool ok = false;
    int fd = open_regular(path, &st, why);
    if (fd < 0)
        return false;
    if (st.st_size > (off_t)max) {
        too_large(max, why);
        goto out;
    }
    content.readable_by_others = st.st_mode & S_IROTH;
    content.data = malloc(max + 1); /* touched only as far as the file goes */
    if (!content.data) {
        strbuf_addstr(why, "out of memory");
        goto out;
    }
    ok = read_all(fd, max, &content, why);
out:
    close(fd);
    if (ok)
        *out = content;
    else
        file_release(&content);
    return ok;
}

void file_release(struct file_content *content) {
    if (content->data)
        explicit_bzero(content->data, content->len);
    free(content->data);
    *content = (struct file_content){0};
}

bool file_check(const char *path, struct strbuf *why) {
    struct stat st;
    int fd = open_regular(path, &st, why);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}
