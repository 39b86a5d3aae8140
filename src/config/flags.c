/*
 * What flags describe without a configuration file: mysqld_exporter's, see config_from_flags(), and those of `probe`
 * and `doctor`, see config_for_probe() and config_for_doctor().
 */
#include "config/address.h"
#include "config/loading.h"
#include "config/option_file.h"
#include "config/value.h"

#include "base/number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD_VARIABLE "MYSQLD_EXPORTER_PASSWORD"
#define DEFAULT_ADDRESS "localhost:3306"

/* What mysqld_exporter reads of an option file's [client]. */
struct client_group {
    char *user, *password, *host, *port, *socket, *ssl_ca, *ssl_cert, *ssl_key;
};

static void client_group_release(struct client_group *g) {
    char *const all[] = {g->user, g->password, g->host, g->port, g->socket, g->ssl_ca, g->ssl_cert, g->ssl_key};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        secret_free(all[i]);
}

static bool client_group_read(const char *path, struct client_group *g, struct strbuf *error) {
    const struct option_wanted wanted[] = {
        {"user", &g->user},     {"password", &g->password}, {"host", &g->host},         {"port", &g->port},
        {"socket", &g->socket}, {"ssl-ca", &g->ssl_ca},     {"ssl-cert", &g->ssl_cert}, {"ssl-key", &g->ssl_key},
    };
    struct option_file_facts facts;
    struct strbuf why;
    strbuf_init(&why, 256);
    bool ok = option_file_read(path, "client", wanted, sizeof wanted / sizeof wanted[0], &facts, &why);
    if (!ok)
        strbuf_addf(error, "%s: %s", path, strbuf_text(&why));
    strbuf_release(&why);
    return ok;
}

/* Set one key of the struct that it belongs to as if it stood in a file. `text` may be NULL: then nothing is done. */
static bool set(void *base, const char *path, const char *text, const char *source, struct strbuf *error) {
    struct strbuf why;
    strbuf_init(&why, 256);
    bool ok = !text || value_parse(schema_at(path), span_of(text), true, base, &why);
    if (!ok)
        strbuf_addf(error, "%s: %s", source, strbuf_text(&why));
    strbuf_release(&why);
    return ok;
}

/* The file's socket, or else its host and port, each of which replaces that of the flag. */
static void choose_address(const struct client_group *g, const struct address *flag, struct strbuf *out) {
    if (g->socket || (flag->socket && !g->host)) {
        strbuf_addf(out, "unix:%s", g->socket ? g->socket : flag->socket);
        return;
    }
    const char *host = g->host ? g->host : flag->host;
    strbuf_addf(out, strchr(host, ':') ? "[%s]:" : "%s:", host);
    if (g->port)
        strbuf_addstr(out, g->port);
    else
        strbuf_addu64(out, flag->port ? flag->port : ADDRESS_DEFAULT_PORT);
}

static bool set_address(struct target_config *target, const struct client_group *g, const char *flag_text,
                        struct strbuf *error) {
    struct address flag = {0};
    struct strbuf text, why;
    strbuf_init(&text, 1024);
    strbuf_init(&why, 256);
    bool ok = address_parse(flag_text, &flag, &why);
    if (ok) {
        choose_address(g, &flag, &text);
        ok = address_parse(strbuf_text(&text), &target->address, &why);
    }
    if (!ok)
        strbuf_addf(error, "--mysqld.address or host, port and socket of the option file: %s", strbuf_text(&why));
    ok = ok && set(target, "address", strbuf_text(&text), "--mysqld.address", error) &&
         set(target, "name", strbuf_text(&text), "--mysqld.address", error);
    address_release(&flag);
    strbuf_release(&text);
    strbuf_release(&why);
    return ok;
}

static bool set_tls(struct target_config *target, const struct client_group *g, const char *file,
                    struct strbuf *error) {
    if (target->address.socket)
        return set(target, "tls.mode", "disabled", file, error);
    if (!g->ssl_cert != !g->ssl_key) {
        strbuf_addf(error, "%s: ssl-cert and ssl-key need each other", file);
        return false;
    }
    return set(target, "tls.mode", g->ssl_ca ? "verify-identity" : NULL, file, error) &&
           set(target, "tls.ca", g->ssl_ca, file, error) && set(target, "tls.cert", g->ssl_cert, file, error) &&
           set(target, "tls.key", g->ssl_key, file, error);
}

static bool set_account(struct target_config *target, const struct client_group *g, const char *username,
                        const char *file, struct strbuf *error) {
    const char *user = g->user && *g->user ? g->user : username;
    const char *variable = getenv(PASSWORD_VARIABLE);
    bool from_file = g->password && *g->password;
    if (!user || !*user) {
        strbuf_addstr(error,
                      "no user: give --mysqld.username, or user in [client] of the file that --config.my-cnf names");
        return false;
    }
    if (!set(target, "credentials.user", user, "user", error) ||
        !set(target, "credentials.my_cnf", from_file ? file : NULL, "--config.my-cnf", error) ||
        !set(target, "credentials.password_env", !from_file && variable ? PASSWORD_VARIABLE : NULL, "password", error))
        return false;
    target->user = strdup(user);
    target->password = strdup(from_file ? g->password : variable ? variable : "");
    if (target->user && target->password)
        return true;
    strbuf_addstr(error, "out of memory");
    return false;
}

/* The absolute path of the option file; *out stays NULL where there is none to read. */
static bool find_option_file(const char *my_cnf, const char *username, char **out, struct strbuf *error) {
    const char *home = getenv("HOME");
    struct strbuf path;
    bool implied = !my_cnf && !username && home;
    if (!my_cnf && !implied)
        return true;
    strbuf_init(&path, 4095);
    if (implied)
        strbuf_addf(&path, "%s/.my.cnf", home);
    else
        strbuf_addstr(&path, my_cnf);
    *out = realpath(strbuf_text(&path), NULL);
    bool ok = *out || implied;
    if (!ok)
        strbuf_addf(error, "%s: the file cannot be opened: %s", my_cnf, strerror(errno));
    strbuf_release(&path);
    return ok;
}

/* The one module of a target without a file. `definition` may be NULL. */
static bool set_module(struct target_config *target, const struct module_config *definition, struct strbuf *error) {
    struct strbuf why;
    strbuf_init(&why, 256);
    bool ok = module_add(target, MODULE_DEFAULT, definition, &why);
    if (!ok)
        strbuf_addf(error, "the probe %s", strbuf_text(&why));
    strbuf_release(&why);
    return ok;
}

static struct config *config_of_one(struct target_config *target) {
    struct config *config = calloc(1, sizeof *config);
    struct target_config **targets = calloc(1, sizeof(struct target_config *));
    bool ok = config && targets;
    for (size_t i = 0; ok && i < schema_rows; i++)
        if (schema[i].scope == SCOPE_TOP)
            ok = value_set_initial(&schema[i], config);
    if (!ok) {
        free(config);
        free(targets);
        return NULL;
    }
    targets[0] = target;
    config->targets = targets;
    config->target_count = 1;
    return config;
}

struct config *config_from_flags(const char *address, const char *username, const char *my_cnf, struct strbuf *error) {
    struct client_group group = {0};
    struct config *config = NULL;
    char *file = NULL;
    struct target_config *target = target_config_new();
    if (!target)
        strbuf_addstr(error, "out of memory");
    if (target && find_option_file(my_cnf, username, &file, error) &&
        (!file || client_group_read(file, &group, error)) &&
        set_address(target, &group, address ? address : DEFAULT_ADDRESS, error) &&
        set_tls(target, &group, file ? file : "", error) && set_account(target, &group, username, file, error) &&
        set_module(target, NULL, error)) {
        config = config_of_one(target);
        if (!config)
            strbuf_addstr(error, "out of memory");
    }
    if (!config)
        target_config_free(target);
    client_group_release(&group);
    free(file);
    return config;
}

/* --- the flags of `probe` --- */

#define PROBE_PASSWORD_VARIABLE "MYSQL_PWD"

static bool wrong(struct strbuf *error, const char *text) {
    strbuf_addstr(error, text);
    return false;
}

static bool set_probe_address(struct target_config *target, const char *text, struct strbuf *error) {
    struct strbuf why;
    strbuf_init(&why, 256);
    bool ok = address_parse(text, &target->address, &why);
    if (!ok)
        strbuf_addf(error, "HOST: %s", strbuf_text(&why));
    strbuf_release(&why);
    return ok && set(target, "address", text, "HOST", error) && set(target, "name", "probe", "HOST", error);
}

/* As if it stood in a file, so that the same range holds. */
static bool set_duration(void *base, const char *path, int64_t ns, const char *source, struct strbuf *error) {
    struct strbuf text;
    strbuf_init(&text, 64);
    number_add_duration(&text, ns);
    bool ok = set(base, path, strbuf_text(&text), source, error);
    strbuf_release(&text);
    return ok;
}

/* People name files from where they are. */
static bool set_file(struct target_config *target, const char *path, const char *file, const char *source,
                     struct strbuf *error) {
    char *absolute = file ? realpath(file, NULL) : NULL;
    bool ok = (!file || absolute) && set(target, path, absolute, source, error);
    if (file && !absolute)
        strbuf_addf(error, "%s: the file cannot be opened: %s", source, strerror(errno));
    free(absolute);
    return ok;
}

static bool set_probe_tls(struct target_config *target, const struct probe_flags *flags, const struct client_group *g,
                          struct strbuf *error) {
    bool own_pair = flags->tls_cert || flags->tls_key;
    const char *ca = flags->tls_ca ? flags->tls_ca : g->ssl_ca;
    const char *cert = own_pair ? flags->tls_cert : g->ssl_cert, *key = own_pair ? flags->tls_key : g->ssl_key;
    const char *implied_mode = ca ? "verify-identity" : NULL;
    if (target->address.socket) {
        if (own_pair || flags->tls_ca || (flags->tls_mode && strcmp(flags->tls_mode, "disabled") != 0))
            return wrong(error, "--tls.…: TLS has no use over a unix socket");
        return set(target, "tls.mode", "disabled", "--tls.mode", error);
    }
    if (!cert != !key)
        return wrong(error, "--tls.cert and --tls.key need each other");
    if (!set(target, "tls.mode", flags->tls_mode ? flags->tls_mode : implied_mode, "--tls.mode", error))
        return false;
    if (flags->tls_ca && target->tls.mode < TLS_VERIFY_CA)
        return wrong(error, "--tls.ca: only verify-ca and verify-identity look at it");
    return set_file(target, "tls.ca", ca, "--tls.ca", error) &&
           set_file(target, "tls.cert", cert, "--tls.cert", error) &&
           set_file(target, "tls.key", key, "--tls.key", error);
}

static bool set_probe_account(struct target_config *target, const struct probe_flags *flags,
                              const struct client_group *g, struct strbuf *error) {
    const char *user = flags->user ? flags->user : g->user ? g->user : "";
    const char *password = g->password ? g->password : getenv(PROBE_PASSWORD_VARIABLE);
    target->credentials.get_server_public_key = flags->get_server_public_key ? ANSWER_YES : ANSWER_NO;
    target->user = strdup(user);
    if (password || !flags->user)
        target->password = strdup(password ? password : "");
    else if (!(target->password = flags->ask_password(user, error)))
        return false;
    return (target->user && target->password) || wrong(error, "out of memory");
}

/* Who names a close style here means it: nothing further must allow it. */
static bool set_probe_module(struct target_config *target, const struct probe_flags *flags, struct strbuf *error) {
    struct module_config *definition = module_new(span_of(MODULE_DEFAULT));
    bool ok = definition || wrong(error, "out of memory");
    ok = ok && set_duration(definition, "modules.NAME.hold", flags->hold_ns, "--hold", error) &&
         set_duration(definition, "modules.NAME.timeout", flags->timeout_ns, "--timeout", error) &&
         set(definition, "modules.NAME.close", flags->close, "--close", error);
    if (ok) /* here one is made when the one before has ended */
        definition->schedule.interval_ns = flags->interval_ns + flags->timeout_ns + flags->hold_ns;
    target->allowed_closes = ~0U;
    ok = ok && set_module(target, definition, error);
    module_free(definition);
    return ok;
}

struct target_config *config_for_probe(const struct probe_flags *flags, struct strbuf *error) {
    struct client_group group = {0};
    char *file = NULL;
    struct target_config *target = target_config_new();
    bool ok = target || wrong(error, "out of memory");
    ok = ok && find_option_file(flags->my_cnf, flags->user, &file, error) &&
         (!file || client_group_read(file, &group, error)) && set_probe_address(target, flags->address, error) &&
         set_duration(target, "probe.interval", flags->interval_ns, "--interval", error) &&
         set_probe_module(target, flags, error) && set_probe_tls(target, flags, &group, error) &&
         set_probe_account(target, flags, &group, error);
    if (!ok && target) {
        target_config_free(target);
        target = NULL;
    }
    client_group_release(&group);
    free(file);
    return target;
}

/* --- the flags of `doctor` --- */

static bool set_doctor_log(struct target_config *target, const struct probe_flags *flags, struct strbuf *error) {
    const char *source = flags->error_log_source ? flags->error_log_source : "auto";
    if (flags->error_log_file)
        return set(target, "error_log.source", "file", "--error-log.file", error) &&
               set_file(target, "error_log.file", flags->error_log_file, "--error-log.file", error);
    return set(target, "error_log.source", source, "--error-log.source", error) &&
           (target->error_log.source == LOG_AUTO || target->error_log.source == LOG_TABLE ||
            target->error_log.source == LOG_NONE ||
            wrong(error, "--error-log.source: auto, table or none; a file is named by --error-log.file"));
}

struct config *config_for_doctor(const struct probe_flags *flags, struct strbuf *error) {
    struct target_config *target = config_for_probe(flags, error);
    bool ok = target && set_duration(target, "poll.interval", flags->interval_ns, "--interval", error) &&
              set_duration(target, "poll.timeout", flags->timeout_ns, "--timeout", error) &&
              set_duration(target, "sessions.interval", flags->interval_ns, "--interval", error) &&
              set_doctor_log(target, flags, error);
    if (ok)
        target->modules[0].schedule.interval_ns = flags->interval_ns;
    struct config *config = ok ? config_of_one(target) : NULL;
    if (ok && !config)
        wrong(error, "out of memory");
    if (!config && target)
        target_config_free(target);
    return config;
}
