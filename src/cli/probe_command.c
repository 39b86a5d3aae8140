/*
 * The subcommand `probe`; see probe_command.h. A loop of its own runs one coroutine that starts the daemon's probes one
 * after the other and tells what they gave.
 */
#include "cli/probe_command.h"

#include "base/coroutine.h"
#include "base/signals.h"
#include "cli/probe_json.h"
#include "cli/probe_password.h"
#include "cli/probe_text.h"
#include "cli/terminal.h"
#include "observe/probe.h"
#include "observe/target_run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

#define OUT_MAX (1024 * 1024)
#define END_WITHIN_NS (2500 * NS_PER_MS) /* of a signal, a probe that is under way may take to end with COM_QUIT */
#define LATE_LOOK_NS (5 * NS_PER_MS)

enum { EXIT_USAGE = 2 };

struct probe_session {
    const struct probe_options *options;
    uv_loop_t loop;
    struct signals signals;
    struct coroutines *coroutines;
    struct target *target;
    struct coroutine *runner, *probe;
    bool probing;
    bool stopping;
    struct mono cut_at; /* when stopping: a probe that is still under way then is cut short … */
    bool cut;           /* … and was */
    bool broken_pipe;   /* nobody reads us any more */
    struct probe_text text;
    struct probe_summary summary;
};

/* No further probes. The first call lets the one that is under way end, the second does not. */
static void stop(struct probe_session *s) {
    s->cut_at = s->stopping ? mono_now() : mono_add(mono_now(), END_WITHIN_NS);
    s->stopping = true;
    if (s->probe)
        coroutine_wake(s->probe); /* from an idle time */
}

/* --- output --- */

static void write_out(struct probe_session *s, struct strbuf *out) {
    size_t written = fwrite(strbuf_text(out), 1, out->len, stdout);
    if (written < out->len || fflush(stdout) != 0) {
        s->broken_pipe = true;
        stop(s);
    }
    strbuf_release(out);
}

static void tell(struct probe_session *s, const struct probe_result *result) {
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    if (s->options->json) {
        probe_json_result(s->options->host, result, &out);
    } else {
        s->text.style.columns = terminal_columns(STDOUT_FILENO); /* people pull at their windows */
        probe_text_result(&s->text, result, &out);
    }
    write_out(s, &out);
}

static void tell_summary(struct probe_session *s) {
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    if (s->options->json)
        probe_json_summary(s->options->host, &s->summary, &out);
    else
        probe_text_summary(&s->text.style, s->options->host, &s->summary, &out);
    write_out(s, &out);
}

/* --- one probe --- */

static void probe_body(void *arg) {
    struct probe_session *s = arg;
    probe_run(&s->target->probes[0]);
    s->probing = false;
    coroutine_wake(s->runner);
}

/* What is known so far. `before` are the closes before the probe. */
static void read_facts(const struct probe_session *s, const uint64_t before[CLOSE_COUNT], struct probe_result *result) {
    const struct probe_facts *facts = &s->target->probes[0].facts;
    result->ok = facts->health == TARGET_UP;
    result->failure = facts->down;
    result->connection_id = facts->connection_id;
    memcpy(result->phase_ns, facts->last_phase_ns, sizeof result->phase_ns);
    memcpy(result->address, facts->address, sizeof result->address);
    result->tcp = facts->tcp;
    if (result->ok) { /* else they are an earlier one's */
        result->tls_version = facts->tls_version;
        result->tls_cipher = facts->tls_cipher;
        result->auth_plugin = facts->auth_plugin;
    }
    for (int i = 0; i < CLOSE_COUNT; i++)
        if (facts->closes[i] > before[i]) {
            result->closed = true;
            result->close = (enum close_outcome)i;
        }
    if (result->closed && result->close == CLOSE_UNEXPECTED_DATA)
        result->close_number = facts->close_number;
}

/* Wait for the end of the probe or, before it, for its being late. */
static void wait_for_result(struct probe_session *s) {
    struct mono late = mono_add(mono_now(), s->options->timeout_ns + s->options->hold_ns);
    while (s->probing && s->target->probes[0].facts.health == TARGET_UNTRIED && !s->stopping) {
        coroutine_park(late);
        late = mono_add(mono_now(), LATE_LOOK_NS);
    }
}

static void wait_for_end(struct probe_session *s) {
    while (s->probing) {
        if (s->stopping && !s->cut && !mono_before(mono_now(), s->cut_at)) {
            s->cut = true;
            coroutine_cancel(s->probe);
        }
        coroutine_park(s->stopping && !s->cut ? s->cut_at : MONO_NEVER);
    }
}

/* A probe that ran out of time is told at once, and then still ended politely. One that our own end cut short says
 * nothing of the server. */
static void probe_once(struct probe_session *s, uint64_t number) {
    struct probe_facts *facts = &s->target->probes[0].facts;
    struct probe_result result = {.number = number, .wall_ns = wall_now_ns()};
    uint64_t closes[CLOSE_COUNT];
    memcpy(closes, facts->closes, sizeof closes);
    facts->health = TARGET_UNTRIED;
    facts->connection_id = 0;
    facts->address[0] = '\0';
    facts->tcp.known = false;
    for (int i = 0; i < PHASE_COUNT; i++)
        facts->last_phase_ns[i] = -1;

    s->probing = true;
    if (coroutine_start(s->coroutines, probe_body, s, &s->probe) < 0) {
        fputs("mysqlconn_exporter: out of memory\n", stderr);
        s->probing = false;
        s->stopping = true;
        return;
    }
    wait_for_result(s);
    bool late = s->probing && facts->health != TARGET_UNTRIED;
    if (late) {
        read_facts(s, closes, &result);
        tell(s, &result);
    }
    wait_for_end(s);
    s->cut |= facts->health == TARGET_UNTRIED; /* an idle time that we ended */
    read_facts(s, closes, &result);
    if (!late && !s->cut)
        tell(s, &result);
    if ((late || !s->cut) && !probe_summary_add(&s->summary, &result))
        stop(s); /* out of memory: the summary of what there is */
}

/* --- all of them --- */

static void wait_for_turn(struct probe_session *s, struct mono due) {
    while (!s->stopping && mono_before(mono_now(), due))
        coroutine_park(due);
}

static void end(struct probe_session *s) {
    signals_stop(&s->signals);
    uv_stop(&s->loop); /* a lookup that is stuck in the pool must not hold us */
}

static void runner_body(void *arg) {
    struct probe_session *s = arg;
    const struct probe_options *options = s->options;
    struct mono start = mono_now(), due = start;
    for (uint64_t n = 1; !s->stopping && (options->count == 0 || n <= options->count); n++) {
        wait_for_turn(s, due);
        if (s->stopping)
            break;
        due = mono_add(mono_now(), options->interval_ns);
        probe_once(s, n);
    }
    s->summary.duration_ns = mono_between(start, mono_now());
    s->summary.self_aborts = s->target->self_aborts[SELF_PROBE];
    s->summary.aborts_on_purpose = s->target->self_aborts[SELF_CLOSE_STYLE] + s->target->self_aborts[SELF_HOLD];
    if (!s->broken_pipe)
        tell_summary(s);
    end(s);
}

static void on_signal(void *arg, int signum) {
    struct probe_session *s = arg;
    (void)signum;
    stop(s);
    if (s->runner)
        coroutine_wake(s->runner);
}

static struct target_config *find_config(const struct probe_options *options) {
    const struct probe_flags flags = {
        .address = options->host,
        .user = options->user,
        .my_cnf = options->my_cnf,
        .tls_mode = options->tls_mode,
        .tls_ca = options->tls_ca,
        .tls_cert = options->tls_cert,
        .tls_key = options->tls_key,
        .close = options->close,
        .get_server_public_key = options->get_server_public_key,
        .interval_ns = options->interval_ns,
        .timeout_ns = options->timeout_ns,
        .hold_ns = options->hold_ns,
        .ask_password = probe_password_ask,
    };
    struct strbuf error;
    strbuf_init(&error, 4096);
    struct target_config *config = config_for_probe(&flags, &error);
    if (!config)
        fprintf(stderr, "mysqlconn_exporter: %s\n", strbuf_text(&error));
    strbuf_release(&error);
    return config;
}

static bool start(struct probe_session *s, const struct observer *observer, struct target_config *config) {
    s->coroutines = coroutines_new(&s->loop);
    s->target = s->coroutines ? target_new(&s->loop, s->coroutines, observer, config) : NULL;
    if (!s->target)
        target_config_free(config);
    return s->target && signals_start(&s->signals, &s->loop, (const int[]){SIGINT, SIGTERM, 0}, on_signal, s) == 0 &&
           coroutine_start(s->coroutines, runner_body, s, &s->runner) == 0;
}

int probe_command(const struct probe_options *options) {
    static const struct observer nobody = {0};
    struct target_config *config = find_config(options);
    struct probe_session *s = config ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        target_config_free(config);
        return EXIT_USAGE;
    }
    s->options = options;
    s->text.style = terminal_style_of_stdout();
    prctl(PR_SET_TIMERSLACK, 1); /* as the daemon does, whose phases these are */
    uv_loop_init(&s->loop);
    if (!start(s, &nobody, config)) {
        fputs("mysqlconn_exporter: out of memory or descriptors\n", stderr);
        end(s);
    }
    uv_run(&s->loop, UV_RUN_DEFAULT);
    int status = s->summary.probes > 0 && s->summary.succeeded == s->summary.probes ? EXIT_SUCCESS : EXIT_FAILURE;
    target_unref(s->target);
    coroutines_free(s->coroutines);
    uv_run(&s->loop, UV_RUN_NOWAIT); /* the last close call-backs */
    if (uv_loop_close(&s->loop) != 0)
        _exit(status); /* libuv's end would wait for the lookup that is stuck; all is written */
    probe_summary_release(&s->summary);
    free(s);
    return status;
}
