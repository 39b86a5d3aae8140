/*
 * The web configuration in force; see web.h.
 */
#include "expose/web.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ERROR_BYTES 4096
/* A file that was written so lately may be written again without its time of change showing it. */
#define SETTLED_NS (100 * NS_PER_MS)

enum { FILES = 4 };

/* A file as it was before it was read. */
struct seen {
    char *path; /* NULL: none */
    bool there;
    struct stat st;
    int64_t wall_ns; /* when */
};

struct web {
    const char *path;
    struct http_facts *facts;
    struct web_config *config;
    struct web_tls *tls;
    struct web_tls_turn turn;
    struct seen seen[FILES]; /* of the last attempt: itself, certificate, key, client CA */
    int64_t allowed_ns;      /* rate limit: when as many are allowed as there may be at once (GCRA) */
};

/* --- files --- */

static void look(struct seen *seen) {
    seen->there = stat(seen->path, &seen->st) == 0;
    seen->wall_ns = wall_now_ns();
}

static int64_t ns_of(const struct timespec *time) {
    return time->tv_sec * NS_PER_S + time->tv_nsec;
}

static bool same_time(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool has_changed(const struct seen *seen) {
    struct seen now = {.path = seen->path};
    look(&now);
    if (!now.there || !seen->there)
        return now.there != seen->there;
    return now.st.st_dev != seen->st.st_dev || now.st.st_ino != seen->st.st_ino || now.st.st_size != seen->st.st_size ||
           !same_time(&now.st.st_mtim, &seen->st.st_mtim) || !same_time(&now.st.st_ctim, &seen->st.st_ctim);
}

static bool is_fresh(const struct seen *seen) {
    int64_t age = seen->wall_ns - ns_of(&seen->st.st_ctim);
    return seen->there && age > -SETTLED_NS && age < SETTLED_NS;
}

/* See `path` from now on instead of what was there. */
static bool see(struct seen *seen, const char *path) {
    char *copy = path ? strdup(path) : NULL;
    if (path && !copy)
        return false;
    free(seen->path);
    *seen = (struct seen){.path = copy};
    if (copy)
        look(seen);
    return true;
}

/* --- reading --- */

static bool use(struct web *web, struct web_config *config, struct strbuf *error) {
    struct web_tls *tls = NULL;
    if (web->config && web->config->tls != config->tls) {
        strbuf_addf(error, "%s: TLS cannot be switched on or off without a restart", config->file);
        return false;
    }
    if (!see(&web->seen[1], config->cert_file) || !see(&web->seen[2], config->key_file) ||
        !see(&web->seen[3], config->client_ca_file)) {
        strbuf_addf(error, "%s: out of memory", config->file);
        return false;
    }
    if (config->tls) {
        tls = web_tls_new(config, &web->facts->refused[HTTP_REFUSED_CLIENT_CERTIFICATE], &web->turn, error);
        if (!tls)
            return false;
    }
    if (!web->config || web->config->interval_ns != config->interval_ns || web->config->burst != config->burst)
        web->allowed_ns = 0;
    web_tls_unref(web->tls);
    web->tls = tls;
    web_config_free(web->config);
    web->config = config;
    return true;
}

bool web_reload(struct web *web, struct strbuf *error) {
    struct web_config *config = NULL;
    if (!web->path)
        return true;
    bool ok = see(&web->seen[0], web->path) && (config = web_config_load(web->path, error)) != NULL &&
              use(web, config, error);
    if (!ok)
        web_config_free(config);
    web->facts->web_config_successful = ok;
    if (ok)
        web->facts->web_config_success_wall_ns = wall_now_ns();
    return ok;
}

void web_refresh(struct web *web) {
    struct strbuf error;
    bool changed = false, fresh = false;
    for (size_t i = 0; i < FILES && !changed; i++)
        if (web->seen[i].path) {
            changed = has_changed(&web->seen[i]);
            fresh |= is_fresh(&web->seen[i]);
        }
    if (!changed && !fresh)
        return;
    strbuf_init(&error, ERROR_BYTES);
    if (web_reload(web, &error)) {
        if (changed)
            log_info("web configuration read again");
    } else {
        log_error("web configuration not read again, the old one stays in force", LF_STR("error", strbuf_text(&error)));
    }
    strbuf_release(&error);
}

struct web *web_open(const char *path, struct http_facts *facts, struct strbuf *error) {
    struct web *web = calloc(1, sizeof *web);
    if (web) {
        web->facts = facts;
        web->path = path;
        facts->web_config = path != NULL;
        if (!path)
            web->config = web_config_parse((struct span){"", 0}, "", error);
    }
    if (!web || !web_reload(web, error) || !web->config) {
        if (error->len == 0)
            strbuf_addstr(error, "out of memory");
        web_close(web);
        return NULL;
    }
    return web;
}

void web_close(struct web *web) {
    if (!web)
        return;
    for (size_t i = 0; i < FILES; i++)
        free(web->seen[i].path);
    web_tls_unref(web->tls);
    web_config_free(web->config);
    free(web);
}

bool web_check(const char *path, struct strbuf *error) {
    struct http_facts facts = {0};
    struct web *web = web_open(path, &facts, error);
    web_close(web);
    return web;
}

/* --- what is in force --- */

const struct web_config *web_config(const struct web *web) {
    return web->config;
}

struct web_tls *web_tls(const struct web *web) {
    return web->tls;
}

void web_begin_turn(struct web *web) {
    web->turn = (struct web_tls_turn){.began = mono_now()};
}

bool web_put_off(const struct web *web) {
    return web->turn.put_off;
}

bool web_allows_request(struct web *web) {
    int64_t interval = web->config->interval_ns, now = mono_now().ns;
    if (interval == 0)
        return true;
    int64_t at = web->allowed_ns > now ? web->allowed_ns : now;
    if (at - now > interval * ((int64_t)web->config->burst - 1))
        return false;
    web->allowed_ns = at + interval;
    return true;
}
