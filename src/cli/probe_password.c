/*
 * Asking for a password; see probe_password.h.
 *
 * Signals are blocked but for the moment of waiting, so none can fall between a look and a sleep; one that comes is
 * only noted, and sent again once the terminal is as it was.
 */
#include "cli/probe_password.h"

#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 4096

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
enum { CAUGHT_COUNT = sizeof caught / sizeof caught[0] };

static volatile sig_atomic_t noted;

static void note(int signum) {
    noted = signum;
}

static void write_all(const char *text, size_t len) {
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, text, len);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void write_prompt(const char *user) {
    struct strbuf prompt;
    strbuf_init(&prompt, PASSWORD_MAX);
    strbuf_addstr(&prompt, "Password for ");
    text_add_terminal(&prompt, span_of(user), true);
    strbuf_addstr(&prompt, ": ");
    write_all(strbuf_text(&prompt), prompt.len);
    strbuf_release(&prompt);
}

enum got { GOT_LINE, GOT_END, GOT_SIGNAL };

/* Byte by byte, to take nothing that comes after the line. `during` is the signal mask while waiting. */
static enum got read_line(char *line, const sigset_t *during) {
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    size_t len = 0;
    for (;;) {
        char c;
        if (ppoll(&in, 1, NULL, during) < 0) {
            if (errno == EINTR && noted)
                return GOT_SIGNAL;
            if (errno == EINTR)
                continue;
            return GOT_END;
        }
        ssize_t n = read(STDIN_FILENO, &c, 1);
        if (n <= 0)
            return GOT_END;
        if (c == '\n') {
            line[len] = '\0';
            return GOT_LINE;
        }
        if (len < PASSWORD_MAX - 1)
            line[len++] = c;
    }
}

/* One try, with the echo off. */
static enum got ask_unseen(const char *user, char *line) {
    struct termios before, unseen;
    struct sigaction old[CAUGHT_COUNT], action = {.sa_handler = note};
    sigset_t block, mask;
    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return GOT_END;
    sigemptyset(&block);
    for (int i = 0; i < CAUGHT_COUNT; i++)
        sigaddset(&block, caught[i]);
    noted = 0;
    sigprocmask(SIG_BLOCK, &block, &mask);
    for (int i = 0; i < CAUGHT_COUNT; i++)
        sigaction(caught[i], &action, &old[i]);

    unseen = before;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    write_prompt(user);
    enum got got = read_line(line, &mask);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    write_all("\n", 1);

    for (int i = 0; i < CAUGHT_COUNT; i++)
        sigaction(caught[i], &old[i], NULL);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return got;
}

char *probe_password_ask(const char *user, struct strbuf *error) {
    char line[PASSWORD_MAX];
    enum got got = GOT_END;
    if (!isatty(STDIN_FILENO)) {
        strbuf_addstr(error,
                      "no password: set MYSQL_PWD or give --config.my-cnf; it can be asked for on a terminal only");
        return NULL;
    }
    while ((got = ask_unseen(user, line)) == GOT_SIGNAL)
        raise(noted); /* ends us; after SIGTSTP and "fg" we ask again */
    char *password = got == GOT_LINE ? strdup(line) : NULL;
    explicit_bzero(line, sizeof line);
    if (!password)
        strbuf_addstr(error, "no password was given");
    return password;
}
