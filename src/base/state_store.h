/*
 * Texts that outlive us: each under a name, in a file of its own in one folder, replaced as a whole, so that after a
 * crash there is the old text or the new one and nothing between. Files are written and synced in libuv's pool, one at
 * a time; the loop never waits for a disk. Without a folder the texts live as long as we do.
 */
#ifndef BASE_STATE_STORE_H
#define BASE_STATE_STORE_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct state_store;

struct state_store_facts {
    bool persistent; /* there is a folder */
    uint64_t writes, failures;
    int64_t last_write_wall_ns; /* of a file that is safe on the disk; 0 none yet */
    size_t waiting;             /* texts that are not on the disk yet */
};

/* `folder` NULL: none. It is made if it is missing (not its parents), and locked: two programs must not write to one.
 * NULL on failure with one line in `error`. */
struct state_store *state_store_open(uv_loop_t *loop, const char *folder, struct strbuf *error);

/* The last text that was put under `name`, by us or by one before us. malloc()ed and NUL-terminated; NULL where there
 * is none (0), none that could be read (negative errno in *rc), or where it is too long (-EFBIG). Blocks for the time
 * that a small file takes to read. */
char *state_store_load(struct state_store *store, const char *name, size_t *len, int *rc);
/* Put `text` under `name`: it is taken over, and written soon. Who puts again before that replaces it. A text whose
 * buffer failed is dropped. */
void state_store_put(struct state_store *store, const char *name, struct strbuf *text);
/* The text that was loaded is of no use: keep its file, for people, under another name, which is given in `kept` (may
 * be NULL). */
void state_store_set_aside(struct state_store *store, const char *name, struct strbuf *kept);

/* The file of `name`; "" without a folder. Valid until the next call. */
const char *state_store_file(struct state_store *store, const char *name);
const struct state_store_facts *state_store_facts(const struct state_store *store);

/* Write what waits (again what failed, once) and free all. Runs the loop until that is done. NULL is allowed. */
void state_store_close(struct state_store *store);

#endif
