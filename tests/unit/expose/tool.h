/*
 * Hands a page to another program that knows the format.
 */
#ifndef TOOL_H
#define TOOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The exit status of a command that the test made up itself; what it prints is put into `output`. */
static inline int tool_run(const char *command, char *output, size_t size) {
    FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c) */
    assert_non_null(pipe);
    output[fread(output, 1, size - 1, pipe)] = '\0';
    return pclose(pipe);
}

/* Run `command` with `page` as its standard input: it must exit with 0 and print nothing. False, with the reason
 * printed, when there is no `tool` to run. */
static inline bool tool_accepts(const char *tool, const char *command, const char *page) {
    char line[4096], output[4096], path[] = "/tmp/mysqlconn-test-XXXXXX";
    snprintf(line, sizeof line, "command -v %s", tool);
    if (tool_run(line, output, sizeof output) != 0) {
        printf("skipped: %s is not installed\n", tool);
        return false;
    }
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, page, strlen(page)), (ssize_t)strlen(page));
    close(fd);
    snprintf(line, sizeof line, "%s < %s 2>&1", command, path);
    int status = tool_run(line, output, sizeof output);
    unlink(path);
    if (status != 0 || *output)
        fail_msg("%s: status %d: %s", tool, status, output);
    return true;
}

#endif
