/*
 * Reloads, one after the other: the configuration is read in libuv's pool, because that takes a while and a file system
 * can be stuck; what follows from it is done on the loop.
 */
#ifndef RELOADER_H
#define RELOADER_H

#include "config/config.h"

#include <uv.h>

struct reloader {
    uv_loop_t *loop;
    /* In the pool; as config_load(). */
    struct config *(*load)(const void *load_arg, struct strbuf *error, struct strbuf *warnings);
    const void *load_arg; /* for as long as the process lives */
    /* On the loop: */
    void (*begins)(void *arg);
    /* With what was read (taken over), or NULL and one line in `error`; either way perhaps lines in `warnings`. */
    void (*read)(void *arg, struct config *config, struct strbuf *error, const struct strbuf *warnings);
    void *arg;
    bool under_way, again, stopped;
};

/* Reload: at once, or when the one that is under way has ended. All who ask meanwhile get one. `reloader` must live as
 * long as the loop runs. */
void reloader_ask(struct reloader *reloader);
/* Nothing is called any more. */
void reloader_stop(struct reloader *reloader);

#endif
