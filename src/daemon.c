/*
 * The daemon's life; see daemon.h. It wires observe, explain and expose together on one loop.
 */
#include "daemon.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop_watch.h"
#include "base/signals.h"
#include "base/startup_pages.h"
#include "base/state_store.h"
#include "config/shard.h"
#include "discovery.h"
#include "explain/aborts.h"
#include "explain/advice.h"
#include "explain/clients.h"
#include "explain/event_ring.h"
#include "explain/judge.h"
#include "explain/ledger.h"
#include "explain/listeners.h"
#include "expose/http.h"
#include "expose/looker.h"
#include "expose/prefix.h"
#include "observe/client.h"
#include "observe/fleet.h"
#include "observe/host_network.h"
#include "observe/looks.h"
#include "reloader.h"
#include "service_manager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#define STOP_WITHIN_NS (2500 * NS_PER_MS) /* "ends within 3 s" */
#define POOL_WITHIN_NS NS_PER_S
#define SETTLED_AFTER_MS 2000 /* by then each library was used once */
#define CATCH_UP_WITHIN_NS (2 * NS_PER_S)
#define CATCH_UP_STEP_MS 1
#define ERROR_MAX 4096
#define PREFIX_MAX 2048
#define LOOKUP_THREADS "32" /* libuv lets half of its pool wait for name servers; idle ones cost next to nothing */

struct daemon {
    const struct options *options;
    uv_loop_t loop;
    struct loop_watch watch;
    struct signals signals;
    struct service_manager manager;
    struct reloader reloader;
    uv_timer_t settle, catch_up;
    struct mono catch_up_began;
    struct coroutines *coroutines;
    struct judge *judge;
    struct ledger_listener ledger_listener;
    struct aborts *aborts;
    struct event_ring *events;
    struct clients *clients;
    struct listeners listeners;
    struct state_store *store;
    struct host_network *network;
    struct fleet *fleet;
    struct looks *looks;
    struct looker looker;
    struct shard shard;
    struct discovery *discovery; /* NULL: no files name targets */
    struct config *config;       /* what is in force, but for the targets, which are the fleet's */
    struct http *http;
    struct strbuf route_prefix, link_prefix;
    struct exporter_state state;
    bool stopping;
};

struct config *daemon_load_config(const struct options *options, struct strbuf *error, struct strbuf *warnings) {
    if (options->config_file)
        return config_load(options->config_file, error, warnings);
    return config_from_flags(options->mysqld_address, options->mysqld_username, options->my_cnf, error);
}

/* --- reload --- */

static void log_warnings(const struct strbuf *warnings) {
    const char *line = strbuf_text(warnings);
    while (*line) {
        size_t len = strcspn(line, "\n");
        log_warn("configuration", LF_SPAN("warning", ((struct span){line, len})));
        line += len + (line[len] == '\n');
    }
}

static void note_reload(struct daemon *daemon, bool successful) {
    daemon->state.reload_successful = successful;
    if (successful)
        daemon->state.reload_success_wall_ns = wall_now_ns();
}

/* The configured targets and those of the files: fleet_apply() takes its targets over, so it is given copies, and what
 * comes in other files later can be put beside them again. */
static int apply_with_discovered(struct daemon *daemon) {
    const struct config *config = daemon->config;
    struct target_list all = {NULL, 0};
    bool ok = true;
    for (size_t i = 0; ok && i < config->target_count; i++)
        ok = target_list_add_copy(&all, config->targets[i]);
    ok = ok && discovery_add_targets(daemon->discovery, &all);
    struct config together = {.limits = config->limits, .targets = all.targets, .target_count = all.count};
    if (ok && daemon->options->shard)
        shard_keep(&daemon->shard, &together);
    int rc = ok ? fleet_apply(daemon->fleet, &together) : -ENOMEM;
    all.count = together.target_count;
    target_list_release(&all);
    return rc;
}

static void on_discovered(void *arg) {
    struct daemon *daemon = arg;
    if (daemon->stopping)
        return;
    if (apply_with_discovered(daemon) == 0)
        log_info("targets read from files", LF_NUM("targets", fleet_count(daemon->fleet)));
    else
        log_error("targets of files not applied, the old ones stay in force", LF_STR("error", "out of memory"));
}

/* Takes over `config` on success. */
static int apply_files(struct daemon *daemon, struct config *config) {
    struct config *old_config = daemon->config;
    struct discovery *old = daemon->discovery;
    daemon->discovery = discovery_start(&daemon->loop, config, &daemon->state.discovery, on_discovered, daemon);
    daemon->config = config;
    int rc = daemon->discovery ? apply_with_discovered(daemon) : -ENOMEM;
    if (rc < 0) {
        discovery_stop(daemon->discovery);
        daemon->discovery = old;
        daemon->config = old_config;
        return rc;
    }
    discovery_stop(old);
    config_free(old_config);
    return 0;
}

/* Takes over `config` on success. */
static int apply(struct daemon *daemon, struct config *config) {
    daemon->state.discovery.used = config->sd_files.count > 0;
    aborts_set_limit(daemon->aborts, config->limits.users_per_target);
    event_ring_set_limit(daemon->events, config->limits.events_per_target);
    clients_set_limits(daemon->clients, &config->limits);
    if (config->sd_files.count > 0)
        return apply_files(daemon, config);
    if (daemon->options->shard)
        shard_keep(&daemon->shard, config);
    int rc = fleet_apply(daemon->fleet, config);
    if (rc < 0)
        return rc;
    discovery_stop(daemon->discovery);
    daemon->discovery = NULL;
    config_free(daemon->config);
    daemon->config = config;
    return 0;
}

/* In the pool: nothing but the options is looked at. */
static struct config *load_in_pool(const void *options, struct strbuf *error, struct strbuf *warnings) {
    return daemon_load_config(options, error, warnings);
}

static void on_reload_begins(void *arg) {
    struct daemon *daemon = arg;
    char reloading[64];
    log_flush(); /* who reloads wants to hear what is so now */
    snprintf(reloading, sizeof reloading, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(mono_now().ns / NS_PER_US));
    service_manager_tell(&daemon->manager, reloading);
    http_reload_begins(daemon->http);
}

/* The configuration is what the file says now, or all is as it was before. */
static void on_reloaded(void *arg, struct config *config, struct strbuf *error, const struct strbuf *warnings) {
    struct daemon *daemon = arg;
    log_warnings(warnings);
    bool ok = config && http_reload(daemon->http, error);
    if (ok && apply(daemon, config) < 0) {
        strbuf_addstr(error, "out of memory");
        ok = false;
    }
    if (!ok)
        config_free(config);
    note_reload(daemon, ok);
    if (ok)
        log_info("configuration reloaded", LF_NUM("targets", fleet_count(daemon->fleet)));
    else
        log_error("configuration not reloaded, the old one stays in force", LF_STR("error", strbuf_text(error)));
    service_manager_tell(&daemon->manager, "READY=1");
    http_reload_ends(daemon->http, ok, error);
}

static void reload(void *arg) {
    struct daemon *daemon = arg;
    if (!daemon->stopping)
        reloader_ask(&daemon->reloader);
}

/* --- looks at servers that requests name --- */

static bool look(void *arg, const struct look_request *request, void (*told)(void *told_arg, struct target *target),
                 void *told_arg, enum look_refusal *refusal, struct strbuf *why) {
    static const enum look_refusal refusals[] = {[REQUEST_UNKNOWN] = LOOK_BAD_REQUEST,
                                                 [REQUEST_MALFORMED] = LOOK_BAD_REQUEST,
                                                 [REQUEST_NOT_ALLOWED] = LOOK_NOT_ALLOWED,
                                                 [REQUEST_NO_MEMORY] = LOOK_OUT_OF_MEMORY};
    struct daemon *daemon = arg;
    struct target_config *config;
    enum request_error error =
        config_for_request(daemon->config, request->target, request->module, request->auth_module, &config, why);
    if (error != REQUEST_OK) {
        *refusal = refusals[error];
        return false;
    }
    int rc = looks_begin(daemon->looks, config, &daemon->config->limits, request->timeout_ns, told, told_arg);
    *refusal = rc == -EBUSY ? LOOK_TOO_MANY : rc == -EINVAL ? LOOK_BAD_REQUEST : LOOK_OUT_OF_MEMORY;
    if (rc < 0)
        strbuf_addstr(why, rc == -EBUSY    ? "too many probes are under way"
                           : rc == -EINVAL ? "the module holds its connection for longer than the scrape may take"
                                           : "out of memory");
    return rc == 0;
}

/* --- end --- */

static void all_targets_stopped(void *arg) {
    struct daemon *daemon = arg;
    http_stop(daemon->http);
    daemon->http = NULL;
    daemon->state.http = NULL;
    loop_watch_stop(&daemon->watch);
    signals_stop(&daemon->signals);
    service_manager_stop(&daemon->manager);
    uv_close((uv_handle_t *)&daemon->settle, NULL);
    uv_close((uv_handle_t *)&daemon->catch_up, NULL);
    coroutines_free(daemon->coroutines);
    daemon->coroutines = NULL;
    uv_stop(&daemon->loop); /* a lookup that is stuck in the pool must not hold us */
}

static void on_terminate(struct daemon *daemon, int signum) {
    if (daemon->stopping)
        return;
    daemon->stopping = true;
    log_info("ending: closing all connections with COM_QUIT", LF_STR("signal", strsignal(signum)));
    service_manager_tell(&daemon->manager, "STOPPING=1");
    reloader_stop(&daemon->reloader);
    looks_stop(daemon->looks);
    discovery_stop(daemon->discovery);
    daemon->discovery = NULL;
    fleet_stop(daemon->fleet, mono_add(mono_now(), STOP_WITHIN_NS), all_targets_stopped, daemon);
}

/* --- start --- */

static void on_settled(uv_timer_t *timer) {
    (void)timer;
    startup_pages_release();
}

static void on_signal(void *arg, int signum) {
    if (signum == SIGHUP)
        reload(arg);
    else
        on_terminate(arg, signum);
}

/* A target takes up to three descriptors at once; the usual soft limit of 1024 is for programs that use select(). */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* With the ports that were taken where 0 was asked for. */
static void say_listening(const struct daemon *daemon) {
    struct strbuf address;
    strbuf_init(&address, ERROR_MAX);
    for (size_t i = 0; http_address(daemon->http, i, &address); i++) {
        log_info("listening", LF_STR("address", strbuf_text(&address)),
                 LF_STR("path", daemon->options->telemetry_path));
        strbuf_reset(&address);
    }
    strbuf_release(&address);
}

static const struct config *running_config(void *arg) {
    const struct daemon *daemon = arg;
    return daemon->config;
}

/* Both were checked with the command line. */
static void set_prefixes(struct daemon *daemon) {
    const struct options *options = daemon->options;
    strbuf_init(&daemon->route_prefix, PREFIX_MAX);
    strbuf_init(&daemon->link_prefix, PREFIX_MAX);
    if (options->external_url)
        prefix_of_url(options->external_url, &daemon->link_prefix);
    if (options->route_prefix)
        prefix_of_path(options->route_prefix, &daemon->route_prefix);
    else
        strbuf_addstr(&daemon->route_prefix, strbuf_text(&daemon->link_prefix));
    if (!options->external_url)
        strbuf_addstr(&daemon->link_prefix, strbuf_text(&daemon->route_prefix));
    daemon->state.link_prefix = strbuf_text(&daemon->link_prefix);
}

static int start_http(struct daemon *daemon, struct strbuf *error) {
    const struct options *options = daemon->options;
    set_prefixes(daemon);
    const struct http_settings settings = {
        .listen_addresses = options->listen_addresses.texts,
        .listen_count = options->listen_addresses.count,
        .systemd_sockets = options->systemd_socket,
        .web_config_file = options->web_config_file,
        .route_prefix = strbuf_text(&daemon->route_prefix),
        .reload = reload,
        .config = running_config,
        .arg = daemon,
    };
    daemon->http = http_start(&daemon->loop, &settings, daemon->fleet, &daemon->state, error);
    if (!daemon->http) {
        log_error("cannot serve HTTP", LF_STR("error", strbuf_text(error)));
        return -EADDRNOTAVAIL;
    }
    daemon->state.http = http_facts(daemon->http);
    return 0;
}

/* After a kill we begin with the counts of the last state that was kept, some seconds old: who has seen the later ones
 * would take that for a reset. So nobody is answered until the logs are read again that far, within a bound. */
static void on_catch_up(uv_timer_t *timer) {
    struct daemon *daemon = timer->data;
    bool late = mono_between(daemon->catch_up_began, mono_now()) >= CATCH_UP_WITHIN_NS;
    if (!late && !fleet_logs_caught_up(daemon->fleet))
        return;
    uv_timer_stop(timer);
    if (daemon->http)
        http_serve(daemon->http);
}

static void start_catch_up(struct daemon *daemon) {
    daemon->catch_up_began = mono_now();
    uv_timer_start(&daemon->catch_up, on_catch_up, 0, CATCH_UP_STEP_MS);
    on_catch_up(&daemon->catch_up);
}

static bool follows_logs(const struct config *config) {
    for (size_t i = 0; i < config->target_count; i++)
        if (config->targets[i]->error_log.source != LOG_NONE)
            return true;
    return false;
}

static int open_store(struct daemon *daemon, const struct config *config, struct strbuf *error) {
    const char *path = daemon->options->storage_path;
    daemon->store = state_store_open(&daemon->loop, path, error);
    if (!daemon->store) {
        log_error("cannot keep state (--storage.path)", LF_STR("error", strbuf_text(error)));
        return -EIO;
    }
    daemon->state.store = state_store_facts(daemon->store);
    if (!path && follows_logs(config))
        log_info("no --storage.path: places in error logs and their counts are kept in memory only");
    return 0;
}

/* From the facts to what is made of them; the judge hears of a poll before the ledger does. */
static bool start_explaining(struct daemon *daemon, const struct config *config) {
    daemon->judge = judge_new();
    daemon->aborts = aborts_new(config->limits.users_per_target);
    daemon->events = event_ring_new(config->limits.events_per_target);
    daemon->clients = clients_new(&config->limits);
    if (!daemon->judge || !daemon->aborts || !daemon->events || !daemon->clients)
        return false;
    daemon->state.events = daemon->events;
    daemon->ledger_listener = judge_ledger_listener(daemon->judge);
    judge_add_sink(daemon->judge, ledger_sink());
    judge_add_sink(daemon->judge, aborts_sink(daemon->aborts));
    judge_add_sink(daemon->judge, event_ring_sink(daemon->events));
    judge_add_sink(daemon->judge, clients_sink(daemon->clients));
    judge_add_sink(daemon->judge, advice_sink());
    listeners_add(&daemon->listeners, judge_observer(daemon->judge));
    listeners_add(&daemon->listeners, ledger_observer(&daemon->ledger_listener));
    listeners_add(&daemon->listeners, aborts_observer(daemon->aborts));
    listeners_add(&daemon->listeners, event_ring_observer(daemon->events));
    listeners_add(&daemon->listeners, clients_observer(daemon->clients));
    listeners_add(&daemon->listeners, advice_observer());
    return true;
}

/* Takes over `config`. On failure the caller tears down what there is. */
static int start(struct daemon *daemon, struct config *config) {
    struct strbuf error;
    strbuf_init(&error, ERROR_MAX);
    if (signals_start(&daemon->signals, &daemon->loop, (const int[]){SIGHUP, SIGTERM, SIGINT, 0}, on_signal, daemon) <
        0)
        goto fail_memory;
    if (open_store(daemon, config, &error) < 0) {
        strbuf_release(&error);
        config_free(config);
        return -EIO;
    }
    daemon->coroutines = coroutines_new(&daemon->loop);
    daemon->network = host_network_new(&daemon->loop);
    if (!daemon->coroutines || !daemon->network || !start_explaining(daemon, config))
        goto fail_memory;
    daemon->state.network = host_network_facts(daemon->network);
    struct observer observer = listeners_observer(&daemon->listeners);
    daemon->fleet = fleet_new(&daemon->loop, daemon->coroutines, &observer);
    if (!daemon->fleet)
        goto fail_memory;
    fleet_set_store(daemon->fleet, daemon->store);
    fleet_set_network(daemon->fleet, daemon->network);
    daemon->looks = looks_new(&daemon->loop, daemon->coroutines, daemon->fleet);
    if (!daemon->looks)
        goto fail_memory;
    if (start_http(daemon, &error) < 0) {
        strbuf_release(&error);
        config_free(config);
        return -EADDRNOTAVAIL;
    }
    daemon->state.look_self_aborts = looks_self_aborts(daemon->looks);
    daemon->looker = (struct looker){daemon, look, &daemon->state};
    http_set_looker(daemon->http, &daemon->looker);
    if (apply(daemon, config) < 0)
        goto fail_memory;
    start_catch_up(daemon);
    say_listening(daemon);
    note_reload(daemon, true);
    strbuf_release(&error);
    return 0;

fail_memory:
    log_error("cannot start: out of memory or descriptors");
    strbuf_release(&error);
    config_free(config);
    return -ENOMEM;
}

/* What is under way in the pool (a password that is checked, a name server that says nothing) is waited for, within a
 * bound. Whether all is done. */
static bool close_loop(uv_loop_t *loop) {
    struct mono began = mono_now();
    int rc;
    while ((rc = uv_loop_close(loop)) == UV_EBUSY && mono_between(began, mono_now()) < POOL_WITHIN_NS) {
        uv_run(loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
    return rc == 0;
}

int daemon_run(const struct options *options, struct config *config) {
    struct daemon daemon = {
        .options = options,
        .state = {.version = VERSION,
                  .client_library = client_library_name(),
                  .telemetry_path = options->telemetry_path,
                  .shard = options->shard,
                  .look_offset_ns = options->timeout_offset_ns,
                  .start_wall_ns = wall_now_ns()},
        .reloader = {.loop = &daemon.loop,
                     .load = load_in_pool,
                     .load_arg = options,
                     .begins = on_reload_begins,
                     .read = on_reloaded,
                     .arg = &daemon},
    };
    if (options->shard)
        shard_parse(options->shard, &daemon.shard);
    setenv("UV_THREADPOOL_SIZE", LOOKUP_THREADS, 0);
    raise_descriptor_limit();
    uv_loop_init(&daemon.loop);
    loop_watch_start(&daemon.watch, &daemon.loop, &daemon.state.loop_step, &daemon.state.loop_step_max_ns);
    service_manager_start(&daemon.manager, &daemon.loop);
    uv_timer_init(&daemon.loop, &daemon.catch_up);
    daemon.catch_up.data = &daemon;
    uv_timer_init(&daemon.loop, &daemon.settle);
    uv_timer_start(&daemon.settle, on_settled, SETTLED_AFTER_MS, 0);
    int rc = start(&daemon, config);
    daemon.stopping = rc < 0;
    if (rc == 0) {
        log_info("watching", LF_NUM("targets", fleet_count(daemon.fleet)), LF_STR("version", VERSION),
                 LF_STR("client_library", client_library_name()));
        service_manager_tell(&daemon.manager, "READY=1");
    } else if (daemon.fleet) {
        fleet_stop(daemon.fleet, mono_now(), all_targets_stopped, &daemon);
    } else {
        all_targets_stopped(&daemon);
    }
    uv_run(&daemon.loop, UV_RUN_DEFAULT);
    uv_run(&daemon.loop, UV_RUN_NOWAIT); /* the last close call-backs */
    state_store_close(daemon.store);
    host_network_close(daemon.network);
    fleet_free(daemon.fleet);
    clients_free(daemon.clients);
    event_ring_free(daemon.events);
    looks_free(daemon.looks);
    config_free(daemon.config);
    aborts_free(daemon.aborts);
    judge_free(daemon.judge);
    strbuf_release(&daemon.route_prefix);
    strbuf_release(&daemon.link_prefix);
    bool all_done = close_loop(&daemon.loop);
    if (rc == 0)
        log_info("ended");
    log_flush();
    if (!all_done) { /* the pool's threads will tell the loop, which ends with us, and libuv's end waits for them */
        fflush(NULL);
        _exit(rc == 0 ? 0 : 1);
    }
    return rc == 0 ? 0 : 1;
}
