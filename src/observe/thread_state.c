/*
 * Commands and states to labels; see thread_state.h.
 */
#include "observe/thread_state.h"

#include <string.h>

static char lower(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c >= ' ' && c <= '~' ? c : '?');
}

/* In small letters, without those of `dropped`, those of `from` as `to`. */
static void normalise(char out[THREAD_STATE_MAX], struct span text, const char *dropped, const char *from, char to) {
    size_t len = 0;
    for (size_t i = 0; text.ptr && i < text.len && len < THREAD_STATE_MAX - 1; i++) {
        char c = lower(text.ptr[i]);
        if (!strchr(dropped, c))
            out[len++] = strchr(from, c) ? to : c;
    }
    out[len] = '\0';
}

static void set(char out[THREAD_STATE_MAX], const char *text) {
    memcpy(out, text, strlen(text) + 1);
}

void thread_state_label(char out[THREAD_STATE_MAX], struct span text) {
    normalise(out, text, ";,:.()", " -", '_');
    if (!out[0])
        set(out, "unknown");
}

static bool is_lock_wait(const char *state) {
    size_t len = strlen(state);
    bool ends_so = len > 5 && strcmp(state + len - 5, " lock") == 0;
    return ends_so || (strstr(state, "waiting for") && strstr(state, "lock"));
}

void thread_state_old_label(char out[THREAD_STATE_MAX], struct span command, struct span state) {
    static const char *const of_commands[][2] = {
        {"sleep", "idle"}, {"query", "executing"}, {"binlog dump", "replication master"}};
    char word[THREAD_STATE_MAX];
    normalise(out, state, "", "_", ' ');
    if (is_lock_wait(out))
        set(out, "waiting for lock");
    else if (strcmp(out, "user sleep") == 0)
        set(out, "idle");
    if (out[0])
        return;
    normalise(word, command, "", "_", ' ');
    set(out, "other");
    for (size_t i = 0; i < sizeof of_commands / sizeof of_commands[0]; i++)
        if (strcmp(word, of_commands[i][0]) == 0)
            set(out, of_commands[i][1]);
}
