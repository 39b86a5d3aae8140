/*
 * struct config and struct target_config: made with defaults, compared, freed; all by the schema.
 */
#include "config/config.h"

#include "config/address.h"
#include "config/loading.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

static bool is_of_target(const struct schema_row *row) {
    return row->scope == SCOPE_TARGET || row->scope == SCOPE_BOTH || row->scope == SCOPE_DEFAULTS;
}

struct target_config *target_config_new(void) {
    struct target_config *target = calloc(1, sizeof *target);
    bool ok = target != NULL;
    for (size_t i = 0; ok && i < schema_rows; i++)
        if (is_of_target(&schema[i]))
            ok = value_set_initial(&schema[i], target);
    if (!ok) {
        target_config_free(target);
        target = NULL;
    }
    return target;
}

void target_config_free(struct target_config *target) {
    if (!target)
        return;
    for (size_t i = 0; i < schema_rows; i++)
        if (is_of_target(&schema[i]))
            value_release(&schema[i], target);
    for (size_t i = 0; i < target->label_count; i++) {
        free(target->labels[i].name);
        free(target->labels[i].value);
    }
    free(target->labels);
    target_modules_free(target);
    address_release(&target->address);
    free(target->user);
    secret_free(target->password);
    free(target);
}

void config_free(struct config *config) {
    if (!config)
        return;
    for (size_t i = 0; i < config->target_count; i++)
        target_config_free(config->targets[i]);
    free(config->targets);
    for (size_t i = 0; i < config->auth_module_count; i++)
        target_config_free(config->auth_modules[i]);
    free(config->auth_modules);
    for (size_t i = 0; i < schema_rows; i++)
        if (schema[i].scope == SCOPE_TOP)
            value_release(&schema[i], config);
    target_config_free(config->defaults);
    for (size_t i = 0; i < config->module_count; i++)
        module_free(config->modules[i]);
    free(config->modules);
    free(config);
}

static int compare_labels(const void *a, const void *b) {
    return strcmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

bool target_labels_copy(struct target_config *to, const struct label *labels, size_t count) {
    to->labels = calloc(count + 1, sizeof *to->labels);
    for (size_t i = 0; to->labels && i < count; i++) {
        to->labels[i] = (struct label){strdup(labels[i].name), strdup(labels[i].value)};
        to->label_count++;
        if (!to->labels[i].name || !to->labels[i].value)
            return false;
    }
    if (to->labels)
        qsort(to->labels, count, sizeof *to->labels, compare_labels);
    return to->labels != NULL;
}

struct target_config *target_config_copy(const struct target_config *target) {
    struct target_config *copy = target_config_new();
    struct strbuf why;
    bool ok = copy != NULL;
    for (size_t i = 0; ok && i < schema_rows; i++)
        if (is_of_target(&schema[i]))
            ok = value_copy(&schema[i], copy, target);
    strbuf_init(&why, 256);
    ok = ok && target_labels_copy(copy, target->labels, target->label_count) && target_modules_copy(copy, target) &&
         address_parse(target->address_text, &copy->address, &why) && (copy->user = strdup(target->user)) &&
         (copy->password = strdup(target->password));
    strbuf_release(&why);
    if (!ok) {
        target_config_free(copy);
        copy = NULL;
    }
    return copy;
}

static bool labels_equal(const struct target_config *a, const struct target_config *b) {
    if (a->label_count != b->label_count)
        return false;
    for (size_t i = 0; i < a->label_count; i++)
        if (strcmp(a->labels[i].name, b->labels[i].name) != 0 || strcmp(a->labels[i].value, b->labels[i].value) != 0)
            return false;
    return true;
}

bool target_config_equal(const struct target_config *a, const struct target_config *b) {
    for (size_t i = 0; i < schema_rows; i++)
        if (is_of_target(&schema[i]) && !value_equal(&schema[i], a, b))
            return false;
    if (a->module_count != b->module_count)
        return false;
    for (size_t i = 0; i < a->module_count; i++)
        if (!module_equal(&a->modules[i], &b->modules[i]))
            return false;
    return labels_equal(a, b) && strcmp(a->user, b->user) == 0 && strcmp(a->password, b->password) == 0;
}
