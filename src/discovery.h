/*
 * Targets out of files (file_sd): which files there are, read again when they change. A file that cannot be read, or is
 * wrong, keeps the targets that it gave last; one that is gone has none.
 */
#ifndef DISCOVERY_H
#define DISCOVERY_H

#include "config/config.h"
#include "config/file_sd.h"
#include "expose/exporter_state.h"

#include <uv.h>

struct discovery;

/* Read what there is, and watch. `config` is borrowed until discovery_stop(); `changed(arg)` is called from the loop
 * when the targets have changed. NULL when memory is short. */
struct discovery *discovery_start(uv_loop_t *loop, const struct config *config, struct discovery_facts *facts,
                                  void (*changed)(void *arg), void *arg);
/* Add copies of the targets of all files whose names are not there yet. False when memory is short. */
bool discovery_add_targets(const struct discovery *discovery, struct target_list *list);
/* NULL is allowed. */
void discovery_stop(struct discovery *discovery);

#endif
