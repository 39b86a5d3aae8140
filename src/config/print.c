/*
 * The configuration as text: --print-config and the README's reference, both by the schema.
 */
#include "base/text.h"
#include "config/schema.h"
#include "config/value.h"

#include <string.h>

static void add_indent(struct strbuf *out, int depth) {
    for (int i = 0; i < 2 * depth; i++)
        strbuf_addch(out, ' ');
}

static void print_labels(const struct target_config *target, int depth, struct strbuf *out) {
    strbuf_addstr(out, "labels:\n");
    for (size_t i = 0; i < target->label_count; i++) {
        add_indent(out, depth);
        strbuf_addf(out, "\"%s\": \"", target->labels[i].name);
        text_add_json(out, span_of(target->labels[i].value));
        strbuf_addstr(out, "\"\n");
    }
}

/* Whether anything in the group is worth printing: nothing is where a required key is not given. */
static bool group_is_set(const struct schema_row *group, const void *base) {
    bool any = false;
    for (const struct schema_row *row = group + 1; row < schema + schema_rows && schema_group(row) == group; row++) {
        if (value_is_set(row, base))
            any = true;
        else if (row->required)
            return false;
    }
    return any;
}

static bool is_printed(const struct schema_row *row, const struct target_config *target) {
    const struct schema_row *group = row->type == VALUE_MAP ? row : schema_group(row);
    bool template = !target->address_text; /* what has no address has no error log either */
    if (row->scope == SCOPE_TOP || row->scope == SCOPE_MODULE || (template && row->scope == SCOPE_TARGET) ||
        (group && !group_is_set(group, target)))
        return false;
    if (row->type == VALUE_LABELS)
        return target->label_count > 0;
    return row->type == VALUE_MAP || value_is_set(row, target);
}

/* The keys that `target` has: the first one after `lead`, the others after `indent`. */
static void print_target(const struct target_config *target, const char *lead, const char *indent, struct strbuf *out) {
    for (size_t i = 0; i < schema_rows; i++) {
        const struct schema_row *row = &schema[i];
        if (!is_printed(row, target))
            continue;
        strbuf_addstr(out, lead);
        lead = indent;
        if (row->type == VALUE_LABELS) {
            print_labels(target, 3, out); /* of targets only */
            continue;
        }
        if (schema_group(row))
            strbuf_addstr(out, "  ");
        strbuf_addf(out, "%s:", schema_key(row));
        if (row->type != VALUE_MAP) {
            strbuf_addch(out, ' ');
            value_print(row, target, out);
        }
        strbuf_addch(out, '\n');
    }
}

/* What a module leaves to the target is 0 and has no default of its own. */
static void print_module(const struct module_config *module, struct strbuf *out) {
    strbuf_addf(out, "  %s:\n", module->name);
    for (size_t i = 0; i < schema_rows; i++) {
        const struct schema_row *row = &schema[i];
        if (row->scope != SCOPE_MODULE || !value_is_set(row, module))
            continue;
        strbuf_addf(out, "    %s: ", schema_key(row));
        value_print(row, module, out);
        strbuf_addch(out, '\n');
    }
}

/* Targets have all that they inherited: the top level's settings are of use to those that requests name only. */
static void print_for_requests(const struct config *config, struct strbuf *out) {
    if (config->defaults && (config->defaults->allow_targets.count > 0 || config->sd_files.count > 0))
        print_target(config->defaults, "", "", out);
    if (config->auth_module_count > 0)
        strbuf_addstr(out, "auth_modules:\n");
    for (size_t i = 0; i < config->auth_module_count; i++) {
        strbuf_addf(out, "  %s:\n", config->auth_modules[i]->name);
        print_target(config->auth_modules[i], "    ", "    ", out);
    }
}

void config_print_head(const struct config *config, struct strbuf *out) {
    for (size_t i = 0; i < schema_rows; i++) {
        const struct schema_row *row = &schema[i];
        if (row->scope != SCOPE_TOP || row->type == VALUE_TARGETS || row->type == VALUE_MODULES ||
            row->type == VALUE_AUTHS)
            continue;
        const struct schema_row *group = row->type == VALUE_MAP ? row : schema_group(row);
        if (group && !group_is_set(group, config))
            continue;
        add_indent(out, schema_group(row) ? 1 : 0);
        strbuf_addf(out, "%s:", schema_key(row));
        if (row->type != VALUE_MAP) {
            strbuf_addch(out, ' ');
            value_print(row, config, out);
        }
        strbuf_addch(out, '\n');
    }
    if (config->module_count > 0)
        strbuf_addstr(out, "modules:\n");
    for (size_t i = 0; i < config->module_count; i++)
        print_module(config->modules[i], out);
    print_for_requests(config, out);
}

void config_print_listed(const struct target_config *target, struct strbuf *out) {
    print_target(target, "  - ", "    ", out);
}

void config_print(const struct config *config, struct strbuf *out) {
    config_print_head(config, out);
    if (config->target_count > 0)
        strbuf_addstr(out, "targets:\n");
    for (size_t i = 0; i < config->target_count; i++)
        config_print_listed(config->targets[i], out);
}

void config_print_target(const struct target_config *target, struct strbuf *out) {
    print_target(target, "", "", out);
    strbuf_addstr(out, "modules:\n");
    for (size_t i = 0; i < target->module_count; i++)
        print_module(&target->modules[i], out);
}

void config_reference(struct strbuf *out) {
    static const char *const where[] = {[SCOPE_TOP] = "top level",
                                        [SCOPE_MODULE] = "module",
                                        [SCOPE_TARGET] = "target",
                                        [SCOPE_BOTH] = "top level, target",
                                        [SCOPE_DEFAULTS] = "top level, auth_module"};
    strbuf_addstr(out, "| Key | Where | Type | Default | Range or form | Meaning |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < schema_rows; i++) {
        const struct schema_row *row = &schema[i];
        strbuf_addf(out, "| `%s` | %s | %s | ", row->path, where[row->scope], value_type_name(row));
        if (row->required)
            strbuf_addstr(out, "required");
        else if (row->initial)
            strbuf_addf(out, "`%s`", row->initial);
        strbuf_addstr(out, " | ");
        value_describe_range(row, out);
        strbuf_addf(out, " | %s |\n", row->meaning);
    }
}
