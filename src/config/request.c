/*
 * From what a request names to a target: config_for_request().
 */
#include "config/address.h"
#include "config/allow.h"
#include "config/loading.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

static const struct target_config *find_template(const struct config *config, const char *auth_module) {
    if (!auth_module || !*auth_module)
        return config->defaults;
    for (size_t i = 0; i < config->auth_module_count; i++)
        if (strcmp(config->auth_modules[i]->name, auth_module) == 0)
            return config->auth_modules[i];
    return NULL;
}

static const struct module_config *find_module(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->module_count; i++)
        if (strcmp(config->modules[i]->name, name) == 0)
            return config->modules[i];
    return NULL;
}

/* All but what is a target's own. */
static struct target_config *copy_template(const struct target_config *template, const char *address) {
    struct target_config *target = target_config_new();
    bool ok = target != NULL;
    for (size_t i = 0; ok && i < schema_rows; i++)
        if (schema[i].scope == SCOPE_BOTH || schema[i].scope == SCOPE_DEFAULTS)
            ok = value_copy(&schema[i], target, template);
    ok = ok && (target->name = strdup(address)) && (target->address_text = strdup(address)) &&
         (target->user = strdup(template->user)) && (target->password = strdup(template->password));
    if (!ok) {
        target_config_free(target);
        target = NULL;
    }
    return target;
}

static enum request_error check_address(const struct target_config *template, const char *address, struct strbuf *why) {
    struct address parsed;
    if (!address_parse(address, &parsed, why))
        return REQUEST_MALFORMED;
    bool allowed = allow_target(&template->allow_targets, &parsed, why);
    address_release(&parsed);
    return allowed ? REQUEST_OK : REQUEST_NOT_ALLOWED;
}

/* `module` and `auth_module` as in config_for_request(). *template may be NULL on success: there is none. */
static bool find(const struct config *config, const char *module, const char *auth_module,
                 const struct target_config **template, const struct module_config **definition, struct strbuf *why) {
    *template = find_template(config, auth_module);
    *definition = find_module(config, module);
    if (!*definition && strcmp(module, MODULE_DEFAULT) != 0)
        strbuf_addstr(why, "there is no such module");
    else if (!*template && auth_module && *auth_module)
        strbuf_addstr(why, "there is no such auth_module");
    return why->len == 0;
}

bool config_for_discovered(const struct config *config, const char *address, const char *module,
                           const char *auth_module, struct target_config **out, struct strbuf *why) {
    const char *name = module && *module ? module : MODULE_DEFAULT;
    const struct target_config *template;
    const struct module_config *definition;
    if (!find(config, name, auth_module, &template, &definition, why))
        return false;
    struct target_config *target = template ? copy_template(template, address) : NULL;
    if (!target) {
        strbuf_addstr(why, "out of memory");
        return false;
    }
    value_release(schema_at("allow_targets"), target); /* whoever writes the file may name any */
    target->allow_targets = (struct text_list){NULL, 0};
    if (address_parse(address, &target->address, why) && module_add(target, name, definition, why)) {
        if (target->address.socket)
            target->tls.mode = TLS_DISABLED;
        *out = target;
        return true;
    }
    target_config_free(target);
    return false;
}

enum request_error config_for_request(const struct config *config, const char *address, const char *module,
                                      const char *auth_module, struct target_config **out, struct strbuf *why) {
    const char *name = module && *module ? module : MODULE_DEFAULT;
    const struct target_config *template;
    const struct module_config *definition;
    if (!find(config, name, auth_module, &template, &definition, why))
        return REQUEST_UNKNOWN;
    if (!template) { /* flags describe one target and no others */
        strbuf_addstr(why, "allow_targets is not given");
        return REQUEST_NOT_ALLOWED;
    }
    enum request_error error = check_address(template, address, why);
    if (error != REQUEST_OK)
        return error;
    struct target_config *target = copy_template(template, address);
    if (!target || !address_parse(address, &target->address, why)) {
        target_config_free(target);
        strbuf_addstr(why, "out of memory");
        return REQUEST_NO_MEMORY;
    }
    /* It may close cleanly only: nobody has allowed more for a server that the configuration does not know. */
    if (!module_add(target, name, definition, why)) {
        target_config_free(target);
        return REQUEST_NOT_ALLOWED;
    }
    *out = target;
    return REQUEST_OK;
}
