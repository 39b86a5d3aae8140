/*
 * The subcommand `explain`; see explain_command.h. Reads one file after the other, each with a decoder of its own, and
 * either writes each event or adds it to the summary.
 */
#include "cli/explain_command.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "base/time_zone.h"
#include "cli/explain_input.h"
#include "cli/explain_json.h"
#include "cli/explain_text.h"
#include "observe/log_decoder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUT_MAX (64 * 1024 * 1024)
#define OUT_ENOUGH (256 * 1024) /* of events, before they are written */
#define AGO_MAX_NS (INT64_C(36500) * 86400 * NS_PER_S)
#define PROGRESS_EVERY_NS (100 * NS_PER_MS)

enum { EXIT_USAGE = 2 };

struct explain {
    const struct explain_options *options;
    struct time_zone zone; /* of times that name none */
    bool since_given, until_given;
    int64_t since_ns, until_ns;
    struct explain_summary *summary;
    struct explain_file *files;
    const char *event_file; /* to be named in each event, or NULL */
    struct strbuf out;
    bool failed; /* a file could not be read to its end, or we could not write */
    bool cannot_write;
    bool shows_progress;
    struct mono started, progress_due;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signum) {
    interrupted = signum;
}

/* The first Ctrl-C ends the reading, and what was read is told; the second one ends us. */
static void catch_signals(void) {
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* --- output --- */

static void complain(const char *what, const char *why) {
    struct strbuf safe;
    strbuf_init(&safe, 8192);
    text_add_terminal(&safe, span_of(what), true);
    fprintf(stderr, "mysqlconn_exporter: %s: %s\n", strbuf_text(&safe), why);
    strbuf_release(&safe);
}

/* The first Ctrl-C tears no line apart. 0 or a negative errno. */
static int write_whole(const char *text, size_t len) {
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);
        struct pollfd ready = {.fd = STDOUT_FILENO, .events = POLLOUT};
        if (n < 0 && errno == EAGAIN)
            poll(&ready, 1, -1);
        else if (n < 0 && errno != EINTR)
            return -errno;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void write_out(struct explain *x) {
    if (x->cannot_write)
        return;
    int rc = strbuf_failed(&x->out) ? -ENOMEM : write_whole(strbuf_text(&x->out), x->out.len);
    if (rc < 0) {
        x->cannot_write = x->failed = true;
        if (rc != -EPIPE) /* whoever read us has had enough */
            complain("stdout", strerror(-rc));
    }
    strbuf_reset(&x->out);
}

static void show_progress(struct explain *x, const char *name, const struct explain_input *input, bool last) {
    static const char erase[] = "\r\033[K";
    if (!x->shows_progress || (!last && mono_before(mono_now(), x->progress_due)))
        return;
    struct terminal_style style = {
        .bars = true, .utf8 = terminal_is_utf8(), .columns = terminal_columns(STDERR_FILENO)};
    struct strbuf line;
    strbuf_init(&line, 4096);
    if (!last)
        explain_text_progress(&style, name, explain_input_progress(input), mono_between(x->started, mono_now()), &line);
    fprintf(stderr, "%s%s", erase, strbuf_text(&line));
    strbuf_release(&line);
    x->progress_due = mono_add(mono_now(), PROGRESS_EVERY_NS);
}

/* --- events --- */

/* Whether the event lies within --since and --until; counts it where not. */
static bool is_wanted(struct explain *x, const struct log_event *event) {
    if (!x->since_given && !x->until_given)
        return true;
    if (event->time == LOG_TIME_NONE) {
        x->summary->without_time++;
        return false;
    }
    int64_t ns = event->time == LOG_TIME_LOCAL ? time_zone_to_utc_ns(&x->zone, event->wall_ns) : event->wall_ns;
    if ((x->since_given && ns < x->since_ns) || (x->until_given && ns >= x->until_ns)) {
        x->summary->outside++;
        return false;
    }
    return true;
}

static void on_event(void *arg, const struct log_event *logged) {
    struct explain *x = arg;
    if (!explain_tells(logged->kind) || !is_wanted(x, logged))
        return;
    struct log_event event = *logged;
    if (x->options->time_zone && event.time == LOG_TIME_LOCAL) {
        event.wall_ns = time_zone_to_utc_ns(&x->zone, event.wall_ns);
        event.time = LOG_TIME_UTC;
    }
    if (!x->options->events) {
        explain_summary_add(x->summary, &event);
        return;
    }
    explain_json_event(x->event_file, &event, &x->out);
    if (x->out.len >= OUT_ENOUGH)
        write_out(x);
}

/* --- files --- */

static void read_blocks(struct explain *x, struct explain_file *file, struct explain_input *input,
                        struct log_decoder *decoder) {
    const char *error = NULL;
    struct span block;
    while (!interrupted && !x->cannot_write && explain_input_next(input, &block, &error) > 0) {
        log_decoder_block(decoder, block);
        if (x->options->events)
            write_out(x); /* who follows a pipe wants them now */
        show_progress(x, file->name, input, false);
    }
    log_decoder_flush(decoder);
    if (error)
        snprintf(file->error, sizeof file->error, "%s", error);
    file->lines = log_decoder_lines(decoder);
    file->bytes = explain_input_progress(input).bytes;
    file->cut_lines = explain_input_progress(input).cut_lines;
}

static void read_file(struct explain *x, struct explain_file *file) {
    const char *error = NULL;
    struct explain_input *input = explain_input_open(file->name, (size_t)x->options->line_limit, &error);
    struct log_decoder *decoder = input ? log_decoder_new(on_event, x) : NULL;
    if (input && !decoder)
        error = strerror(ENOMEM);
    x->started = mono_now();
    x->event_file = x->options->file_count > 1 ? file->name : NULL;
    if (decoder)
        read_blocks(x, file, input, decoder);
    else
        snprintf(file->error, sizeof file->error, "%s", error);
    if (interrupted)
        snprintf(file->error, sizeof file->error, "interrupted");
    show_progress(x, file->name, input, true);
    log_decoder_free(decoder);
    explain_input_close(input);
    if (file->error[0]) {
        complain(file->name, file->error);
        x->failed = true;
    }
}

/* --- the times that bound it --- */

/* 0, or -EINVAL after a complaint. */
static int find_bound(struct explain *x, const char *flag, const char *text, int64_t *out) {
    bool has_zone;
    int64_t ago, ns;
    if (number_parse_duration(span_of(text), AGO_MAX_NS, &ago) == 0) {
        *out = wall_now_ns() - ago;
        return 0;
    }
    if (time_parse(span_of(text), &ns, &has_zone) < 0) {
        fprintf(stderr, "mysqlconn_exporter: %s: '%s' is no time: 2026-11-21, \"2026-11-21 06:21\", RFC 3339 or 2h\n",
                flag, text);
        return -EINVAL;
    }
    *out = has_zone ? ns : time_zone_to_utc_ns(&x->zone, ns);
    return 0;
}

static int find_times(struct explain *x) {
    const struct explain_options *options = x->options;
    const char *zone = options->time_zone ? options->time_zone : "local";
    if (time_zone_choose(zone, &x->zone) < 0) {
        fprintf(stderr, "mysqlconn_exporter: --time-zone: there is no '%s': Area/City, +hh:mm or local\n", zone);
        return -EINVAL;
    }
    x->since_given = options->since;
    x->until_given = options->until;
    if (options->since && find_bound(x, "--since", options->since, &x->since_ns) < 0)
        return -EINVAL;
    if (options->until && find_bound(x, "--until", options->until, &x->until_ns) < 0)
        return -EINVAL;
    if (options->since && options->until && x->since_ns >= x->until_ns) {
        fprintf(stderr, "mysqlconn_exporter: --until: '%s' is not after --since: '%s'\n", options->until,
                options->since);
        return -EINVAL;
    }
    return 0;
}

/* --- all of it --- */

/* Those that were left out of the events are not seen there. */
static void tell_left_out(const struct explain_summary *summary) {
    if (summary->without_time > 0)
        fprintf(stderr, "mysqlconn_exporter: %llu event%s without a time left out\n",
                (unsigned long long)summary->without_time, summary->without_time == 1 ? "" : "s");
}

static void tell(struct explain *x) {
    const struct explain_options *options = x->options;
    struct terminal_style style = terminal_style_of_stdout();
    if (options->events)
        tell_left_out(x->summary);
    else if (options->json)
        explain_json_summary(x->files, options->file_count, x->summary, options->top, &x->out);
    else
        explain_text_summary(&style, x->files, options->file_count, x->summary, options->top, &x->out);
    write_out(x);
}

int explain_command(const struct explain_options *options) {
    struct explain x = {.options = options};
    if (find_times(&x) < 0)
        return EXIT_USAGE;
    x.summary = explain_summary_new();
    x.files = calloc(options->file_count, sizeof *x.files);
    x.shows_progress = terminal_can_redraw(STDERR_FILENO) && !(options->events && isatty(STDOUT_FILENO));
    strbuf_init(&x.out, OUT_MAX);
    if (!x.summary || !x.files) {
        complain("explain", strerror(ENOMEM));
        x.failed = true;
    } else {
        catch_signals();
        for (size_t i = 0; i < options->file_count; i++) {
            x.files[i].name = options->files[i];
            if (interrupted)
                snprintf(x.files[i].error, sizeof x.files[i].error, "interrupted");
            else if (!x.cannot_write)
                read_file(&x, &x.files[i]);
        }
        tell(&x);
    }
    strbuf_release(&x.out);
    explain_summary_free(x.summary);
    free(x.files);
    return x.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
