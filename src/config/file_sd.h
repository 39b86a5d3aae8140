/*
 * Targets out of files in the form of Prometheus' file_sd (https://prometheus.io/docs/prometheus/latest/configuration/
 * configuration/#file_sd_config): lists of groups, each with `targets` and `labels`, as YAML or JSON.
 *
 * A target's name is its address as it stands there; its settings are the top level's, or those of the auth_module in
 * the label `__param_auth_module`, and its probe is by the module in `__param_module`. Other labels that begin with
 * `__`, and `job` and `instance`, which Prometheus sets, are left out.
 */
#ifndef CONFIG_FILE_SD_H
#define CONFIG_FILE_SD_H

#include "config/config.h"

#define FILE_SD_TARGETS_MAX 10000 /* of one file */

struct target_list {
    struct target_config **targets; /* owned */
    size_t count;
};

/* Read one file. False with "file:line:column: what is wrong" in `error`. *out is set only on success. */
bool file_sd_read(const struct config *config, const char *path, struct target_list *out, struct strbuf *error);
/* The same of its text, which may be rewritten; `path` for its ending (.json) and for what is said. */
bool file_sd_parse(const struct config *config, const char *path, char *text, size_t len, struct target_list *out,
                   struct strbuf *error);
void target_list_release(struct target_list *list);
/* Of targets with the same name the first stays. False when memory is short. */
bool target_list_make_unique(struct target_list *list);
/* Add a copy. False when memory is short. */
bool target_list_add_copy(struct target_list *list, const struct target_config *target);

#endif
