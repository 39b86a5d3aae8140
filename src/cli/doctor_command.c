/*
 * The subcommand `doctor`; see doctor_command.h. It is the daemon with one target and without HTTP: a fleet of one runs
 * for as long as was asked for, then what advice was raised is told, and all connections are closed with COM_QUIT.
 */
#include "cli/doctor_command.h"

#include "base/coroutine.h"
#include "base/log.h"
#include "base/signals.h"
#include "cli/doctor_report.h"
#include "cli/probe_password.h"
#include "explain/advice.h"
#include "explain/judge.h"
#include "explain/listeners.h"
#include "observe/fleet.h"
#include "observe/host_network.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#define OUT_MAX (4 * 1024 * 1024)
#define STOP_WITHIN_NS (2500 * NS_PER_MS)
#define PROGRESS_EVERY_MS 250
#define LOOKUP_THREADS "4"

enum { EXIT_USAGE = 2 };

struct doctor {
    const struct doctor_options *options;
    uv_loop_t loop;
    struct signals signals;
    uv_timer_t end, progress;
    struct coroutines *coroutines;
    struct judge *judge;
    struct ledger_listener ledger_listener;
    struct listeners listeners;
    struct host_network *network;
    struct fleet *fleet;
    struct mono began;
    bool shows_progress, ending;
    int status;
};

static struct doctor_report report_of(const struct doctor *d) {
    return (struct doctor_report){d->options->look.host, mono_between(d->began, mono_now()), fleet_target(d->fleet, 0)};
}

/* --- output --- */

static void draw_progress(const struct doctor *d, bool last) {
    static const char erase[] = "\r\033[K";
    struct terminal_style style = {
        .bars = true, .utf8 = terminal_is_utf8(), .columns = terminal_columns(STDERR_FILENO)};
    struct doctor_report report = report_of(d);
    struct strbuf line;
    if (!d->shows_progress)
        return;
    strbuf_init(&line, OUT_MAX);
    if (!last)
        doctor_report_progress(&style, &report, d->options->for_ns, &line);
    fprintf(stderr, "%s%s", erase, strbuf_text(&line));
    strbuf_release(&line);
}

static void on_progress(uv_timer_t *timer) {
    draw_progress(timer->data, false);
}

static void tell(struct doctor *d) {
    struct terminal_style style = terminal_style_of_stdout();
    struct doctor_report report = report_of(d);
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    if (d->options->look.json)
        doctor_report_json(&report, &out);
    else
        doctor_report_text(&style, &report, &out);
    bool written = fwrite(strbuf_text(&out), 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    bool well = report.target->poll.health != TARGET_UNTRIED && doctor_report_worst(&report) < SEVERITY_WARNING;
    d->status = written && well ? EXIT_SUCCESS : EXIT_FAILURE;
    strbuf_release(&out);
}

/* --- the end --- */

static void all_stopped(void *arg) {
    struct doctor *d = arg;
    signals_stop(&d->signals);
    uv_close((uv_handle_t *)&d->end, NULL);
    uv_close((uv_handle_t *)&d->progress, NULL);
    uv_stop(&d->loop); /* a lookup that is stuck in the pool must not hold us */
}

/* What was found is told at once; closing may take a while. */
static void end(struct doctor *d) {
    if (d->ending)
        return;
    d->ending = true;
    uv_timer_stop(&d->progress);
    draw_progress(d, true);
    tell(d);
    fleet_stop(d->fleet, mono_add(mono_now(), STOP_WITHIN_NS), all_stopped, d);
}

static void on_end(uv_timer_t *timer) {
    end(timer->data);
}

static void on_signal(void *arg, int signum) {
    (void)signum;
    end(arg);
}

/* --- the start --- */

static struct config *find_config(const struct doctor_options *options) {
    const struct probe_options *look = &options->look;
    const struct probe_flags flags = {
        .address = look->host,
        .user = look->user,
        .my_cnf = look->my_cnf,
        .tls_mode = look->tls_mode,
        .tls_ca = look->tls_ca,
        .tls_cert = look->tls_cert,
        .tls_key = look->tls_key,
        .get_server_public_key = look->get_server_public_key,
        .interval_ns = look->interval_ns,
        .timeout_ns = look->timeout_ns,
        .error_log_file = options->error_log_file,
        .error_log_source = options->error_log_source,
        .ask_password = probe_password_ask,
    };
    struct strbuf error;
    strbuf_init(&error, 4096);
    struct config *config = config_for_doctor(&flags, &error);
    if (!config)
        fprintf(stderr, "mysqlconn_exporter: %s\n", strbuf_text(&error));
    strbuf_release(&error);
    return config;
}

static void start_timer(struct doctor *d, uv_timer_t *timer, uv_timer_cb fired, uint64_t after_ms, uint64_t every_ms) {
    uv_timer_init(&d->loop, timer);
    timer->data = d;
    uv_timer_start(timer, fired, after_ms, every_ms);
}

static bool start(struct doctor *d, struct config *config) {
    d->judge = judge_new();
    d->coroutines = coroutines_new(&d->loop);
    d->network = host_network_new(&d->loop);
    if (!d->judge || !d->coroutines || !d->network ||
        signals_start(&d->signals, &d->loop, (const int[]){SIGINT, SIGTERM, 0}, on_signal, d) < 0)
        return false;
    d->ledger_listener = judge_ledger_listener(d->judge);
    judge_add_sink(d->judge, ledger_sink());
    judge_add_sink(d->judge, advice_sink());
    listeners_add(&d->listeners, judge_observer(d->judge));
    listeners_add(&d->listeners, ledger_observer(&d->ledger_listener));
    listeners_add(&d->listeners, advice_observer());
    struct observer observer = listeners_observer(&d->listeners);
    d->fleet = fleet_new(&d->loop, d->coroutines, &observer);
    if (d->fleet)
        fleet_set_network(d->fleet, d->network);
    d->began = mono_now();
    return d->fleet && fleet_apply(d->fleet, config) == 0;
}

int doctor_command(const struct doctor_options *options) {
    struct config *config = find_config(options);
    if (!config)
        return EXIT_USAGE;
    struct doctor d = {.options = options, .status = EXIT_FAILURE};
    d.shows_progress = terminal_can_redraw(STDERR_FILENO);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, stderr); /* what happens is told in the end */
    setenv("UV_THREADPOOL_SIZE", LOOKUP_THREADS, 0);
    uv_loop_init(&d.loop);
    start_timer(&d, &d.end, on_end, (uint64_t)(options->for_ns / NS_PER_MS), 0);
    start_timer(&d, &d.progress, on_progress, PROGRESS_EVERY_MS, PROGRESS_EVERY_MS);
    bool started = start(&d, config);
    config_free(config);
    if (!started) {
        fputs("mysqlconn_exporter: out of memory or descriptors\n", stderr);
        if (d.fleet)
            fleet_stop(d.fleet, mono_now(), all_stopped, &d);
        else
            all_stopped(&d);
    }
    uv_run(&d.loop, UV_RUN_DEFAULT);
    uv_run(&d.loop, UV_RUN_NOWAIT); /* the last close call-backs */
    host_network_close(d.network);
    fleet_free(d.fleet);
    judge_free(d.judge);
    coroutines_free(d.coroutines);
    if (uv_loop_close(&d.loop) != 0)
        _exit(d.status); /* libuv's end would wait for the lookup that is stuck; all is written */
    return d.status;
}
