/*
 * Probes for people; see probe_text.h.
 */
#include "cli/probe_text.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

#define CELL_MAX 256
#define TIME_WIDTH 6
#define NUMBER_WIDTH 4
#define LABEL_WIDTH 10 /* of the summary's rows */
#define BAR_MIN 6      /* a shorter bar tells nothing */
#define BAR_MAX 24
#define WATERFALL_MAX 48

static const char *phase_colour(int phase) {
    static const char *const colours[PHASE_COUNT] = {
        [PHASE_RESOLVE] = "35", [PHASE_CONNECT] = "34", [PHASE_GREETING] = "36", [PHASE_TLS] = "33",
        [PHASE_AUTH] = "32",    [PHASE_PING] = "95",    [PHASE_QUERY] = "94",    [PHASE_QUIT] = "96",
    };
    return colours[phase];
}

/* --- cells --- */

void probe_text_add_time(struct strbuf *out, int64_t ns, bool utf8) {
    const char *us = utf8 ? "\xC2\xB5s" : "us";
    /* Each row holds what its format does not round up into the next. */
    const struct {
        int64_t below_ns;
        int digits;
        double unit_ns;
        const char *unit;
    } rows[] = {
        {9950, 1, 1e3, us},
        {999500, 0, 1e3, us},
        {9995 * NS_PER_US, 2, 1e6, "ms"},
        {99950 * NS_PER_US, 1, 1e6, "ms"},
        {999500 * NS_PER_US, 0, 1e6, "ms"},
        {9995 * NS_PER_MS, 2, 1e9, "s"},
        {99950 * NS_PER_MS, 1, 1e9, "s"},
        {INT64_MAX, 0, 1e9, "s"},
    };
    size_t i = 0;
    while (ns >= rows[i].below_ns && rows[i].below_ns < INT64_MAX)
        i++;
    strbuf_addf(out, "%.*f%s", rows[i].digits, (double)ns / rows[i].unit_ns, rows[i].unit);
}

static void add_time_cell(const struct terminal_style *style, unsigned width, const char *colour, int64_t ns,
                          struct strbuf *out) {
    struct strbuf cell;
    strbuf_init(&cell, CELL_MAX);
    probe_text_add_time(&cell, ns, style->utf8);
    terminal_add_cell(style, width, colour, strbuf_text(&cell), out);
    strbuf_release(&cell);
}

static unsigned column_width(int phase) {
    unsigned label = terminal_width(phase_name((enum phase)phase));
    return 1 + (label > TIME_WIDTH ? label : TIME_WIDTH);
}

static void add_failure(const struct terminal_style *style, const struct failure *failure, struct strbuf *out) {
    struct strbuf cell;
    strbuf_init(&cell, CELL_MAX);
    strbuf_addf(&cell, "%s: %s", phase_name(failure->phase), failure_name(failure->failure));
    if (failure->code)
        strbuf_addf(&cell, " (%u)", failure->code);
    terminal_add_coloured(style, TERMINAL_BAD, strbuf_text(&cell), out);
    strbuf_release(&cell);
}

/* What a server may have chosen. */
static void add_foreign(const struct terminal_style *style, const char *text, struct strbuf *out) {
    struct strbuf safe;
    strbuf_init(&safe, 4 * CELL_MAX);
    text_add_terminal(&safe, span_of(text), style->utf8);
    terminal_add_coloured(style, TERMINAL_DIM, strbuf_text(&safe), out);
    strbuf_release(&safe);
}

/* --- a line a probe --- */

static void add_heading(const struct probe_text *text, struct strbuf *out) {
    terminal_add_cell(&text->style, NUMBER_WIDTH, TERMINAL_DIM, "#", out);
    for (int i = 0; i < PHASE_COUNT; i++)
        if (text->shown & (1U << i))
            terminal_add_cell(&text->style, column_width(i), phase_colour(i), phase_name((enum phase)i), out);
    terminal_add_cell(&text->style, 1 + TIME_WIDTH, TERMINAL_BOLD, "total", out);
    strbuf_addstr(out, "  ");
    terminal_add_coloured(&text->style, TERMINAL_DIM, "close", out);
    strbuf_addch(out, '\n');
}

/* The phases end to end, as long as their share of the longest probe so far. */
static void add_composition(const struct probe_text *text, const struct probe_result *result, unsigned used,
                            struct strbuf *out) {
    const struct terminal_style *style = &text->style;
    unsigned room = style->columns > used + 2 ? style->columns - used - 2 : 0, done = 0;
    int64_t sum = 0;
    if (!style->bars || room < BAR_MIN || text->longest_ns == 0)
        return;
    if (room > BAR_MAX)
        room = BAR_MAX;
    strbuf_addstr(out, "  ");
    for (int i = 0; i < PHASE_COUNT; i++) {
        if (i != PHASE_HOLD)
            sum += result->phase_ns[i] > 0 ? result->phase_ns[i] : 0;
        unsigned end = (unsigned)((double)sum / (double)text->longest_ns * room + 0.5);
        terminal_add_bar(style, phase_colour(i), end - done, out);
        done = end;
    }
}

static void add_close(const struct probe_result *result, struct strbuf *out) {
    strbuf_addstr(out, result->closed ? close_outcome_name(result->close) : "-");
    if (result->close_number)
        strbuf_addf(out, " (%u)", result->close_number);
}

static void add_success(const struct probe_text *text, const struct probe_result *result, unsigned used,
                        struct strbuf *out) {
    bool clean = result->closed && result->close == CLOSE_CLEAN;
    struct strbuf verdict;
    strbuf_init(&verdict, CELL_MAX);
    add_close(result, &verdict);
    add_time_cell(&text->style, 1 + TIME_WIDTH, TERMINAL_BOLD, probe_result_total_ns(result), out);
    strbuf_addstr(out, "  ");
    terminal_add_coloured(&text->style, clean ? TERMINAL_GOOD : TERMINAL_BAD, strbuf_text(&verdict), out);
    add_composition(text, result, used + 1 + TIME_WIDTH + 2 + terminal_width(strbuf_text(&verdict)), out);
    strbuf_addch(out, '\n');
    strbuf_release(&verdict);
}

/* Whether `now` differs from what was told last; it then takes its place. */
static bool is_news(char *last, size_t size, const char *now) {
    size_t len = strlen(now);
    if (len > size - 1)
        len = size - 1;
    if (strncmp(last, now, len) == 0 && last[len] == '\0')
        return false;
    memcpy(last, now, len);
    last[len] = '\0';
    return true;
}

/* "127.0.0.1, TLSv1.3 TLS_AES_256_GCM_SHA384, caching_sha2_password" */
static void add_way(struct probe_text *text, const struct probe_result *result, struct strbuf *out) {
    const char *const parts[][2] = {
        {result->address, NULL}, {result->tls_version, result->tls_cipher}, {result->auth_plugin, NULL}};
    struct strbuf way;
    strbuf_init(&way, CELL_MAX);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!parts[i][0] || !*parts[i][0])
            continue;
        strbuf_addf(&way, "%s%s", way.len ? ", " : "", parts[i][0]);
        if (parts[i][1])
            strbuf_addf(&way, " %s", parts[i][1]);
    }
    if (way.len && is_news(text->last_way, sizeof text->last_way, strbuf_text(&way))) {
        strbuf_addstr(out, "  via ");
        add_foreign(&text->style, strbuf_text(&way), out);
        strbuf_addch(out, '\n');
    }
    strbuf_release(&way);
}

/* What went wrong stands where the next phase would, and the close, if one was tried, after it. */
static void add_broken(struct probe_text *text, const struct probe_result *result, struct strbuf *out) {
    strbuf_addstr(out, "  ");
    add_failure(&text->style, &result->failure, out);
    if (result->closed) {
        strbuf_addstr(out, ", close: ");
        add_close(result, out);
    }
    strbuf_addch(out, '\n');
    if (!is_news(text->last_error, sizeof text->last_error, result->failure.text))
        return;
    terminal_add_spaces(out, NUMBER_WIDTH + 1);
    add_foreign(&text->style, result->failure.text, out);
    strbuf_addch(out, '\n');
}

void probe_text_result(struct probe_text *text, const struct probe_result *result, struct strbuf *out) {
    unsigned happened = 0, used = NUMBER_WIDTH, blank = 0;
    struct strbuf number;
    if (result->ok)
        add_way(text, result, out);
    for (int i = 0; i < PHASE_COUNT; i++)
        if (i != PHASE_HOLD) /* as long as was asked, or told with its failure */
            happened |= result->phase_ns[i] >= 0 ? 1U << i : 0;
    if (happened & ~text->shown) {
        text->shown |= happened;
        add_heading(text, out);
    }
    if (probe_result_total_ns(result) > text->longest_ns)
        text->longest_ns = probe_result_total_ns(result);

    strbuf_init(&number, CELL_MAX);
    strbuf_addu64(&number, result->number);
    terminal_add_cell(&text->style, NUMBER_WIDTH, TERMINAL_DIM, strbuf_text(&number), out);
    strbuf_release(&number);
    for (int i = 0; i < PHASE_COUNT; i++) {
        if (!(text->shown & (1U << i)))
            continue;
        used += column_width(i);
        blank += column_width(i);
        if (result->phase_ns[i] < 0)
            continue;
        terminal_add_spaces(out, blank - column_width(i));
        blank = 0;
        add_time_cell(&text->style, column_width(i), NULL, result->phase_ns[i], out);
    }
    if (result->ok) {
        terminal_add_spaces(out, blank);
        add_success(text, result, used, out);
    } else {
        add_broken(text, result, out);
    }
}

/* --- the summary --- */

static void add_quantiles(const struct terminal_style *style, const char *label, const char *colour,
                          const struct quantiles *q, struct strbuf *out) {
    const int64_t values[] = {q->min_ns, q->median_ns, q->p99_ns, q->max_ns};
    terminal_add_coloured(style, colour, label, out);
    terminal_add_spaces(out, terminal_width(label) < LABEL_WIDTH ? LABEL_WIDTH - terminal_width(label) : 0);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        add_time_cell(style, 2 + TIME_WIDTH, i == 1 ? TERMINAL_BOLD : NULL, values[i], out);
}

/* Where the time of a median probe goes: each phase begins where the one before it ends. */
static void add_waterfall(const struct terminal_style *style, int phase, int64_t start_ns, int64_t ns, int64_t whole_ns,
                          struct strbuf *out) {
    unsigned used = LABEL_WIDTH + 4 * (2 + TIME_WIDTH) + 2;
    unsigned room = style->columns > used + 1 ? style->columns - used - 1 : 0;
    if (!style->bars || room < BAR_MIN || whole_ns <= 0)
        return;
    if (room > WATERFALL_MAX)
        room = WATERFALL_MAX;
    unsigned begin = (unsigned)((double)start_ns / (double)whole_ns * room + 0.5);
    unsigned end = (unsigned)((double)(start_ns + ns) / (double)whole_ns * room + 0.5);
    if (begin >= room)
        begin = room - 1;
    terminal_add_spaces(out, 2 + begin);
    terminal_add_bar(style, phase_colour(phase), end > begin ? end - begin : 1, out);
}

static void add_table(const struct terminal_style *style, struct probe_summary *summary, struct strbuf *out) {
    static const char *const headings[] = {"min", "median", "p99", "max"};
    struct quantiles q[PHASE_COUNT], total;
    bool has[PHASE_COUNT], any = false;
    int64_t whole = 0, start = 0;
    for (int i = 0; i < PHASE_COUNT; i++) {
        has[i] = i != PHASE_HOLD && samples_quantiles(&summary->phase[i], &q[i]);
        whole += has[i] ? q[i].median_ns : 0;
        any |= has[i];
    }
    if (!any)
        return;
    terminal_add_spaces(out, LABEL_WIDTH);
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++)
        terminal_add_cell(style, 2 + TIME_WIDTH, TERMINAL_DIM, headings[i], out);
    strbuf_addch(out, '\n');
    for (int i = 0; i < PHASE_COUNT; i++) {
        if (!has[i])
            continue;
        add_quantiles(style, i == PHASE_PING ? "ping (RTT)" : phase_name((enum phase)i), phase_colour(i), &q[i], out);
        add_waterfall(style, i, start, q[i].median_ns, whole, out);
        strbuf_addch(out, '\n');
        start += q[i].median_ns;
    }
    if (samples_quantiles(&summary->total, &total)) {
        add_quantiles(style, "total", TERMINAL_BOLD, &total, out);
        strbuf_addch(out, '\n');
    }
}

static void add_closes(const struct terminal_style *style, const struct probe_summary *summary, struct strbuf *out) {
    const char *before = "close     ";
    for (int i = 0; i < CLOSE_COUNT; i++) {
        if (summary->closes[i] == 0)
            continue;
        strbuf_addf(out, "%s%llu ", before, (unsigned long long)summary->closes[i]);
        terminal_add_coloured(style, i == CLOSE_CLEAN ? TERMINAL_GOOD : TERMINAL_BAD,
                              close_outcome_name((enum close_outcome)i), out);
        before = ", ";
    }
    if (before[0] == ',')
        strbuf_addch(out, '\n');
    if (summary->retransmissions > 0)
        strbuf_addf(out, "TCP had to send %llu segment%s again.\n", (unsigned long long)summary->retransmissions,
                    summary->retransmissions == 1 ? "" : "s");
    if (summary->aborts_on_purpose > 0)
        strbuf_addf(out, "The server counts %llu connection%s of ours as aborted, as was asked for.\n",
                    (unsigned long long)summary->aborts_on_purpose, summary->aborts_on_purpose == 1 ? "" : "s");
    if (summary->self_aborts > 0)
        strbuf_addf(out, "The server counts %llu connection%s of ours as aborted.\n",
                    (unsigned long long)summary->self_aborts, summary->self_aborts == 1 ? "" : "s");
}

static void add_failures(const struct terminal_style *style, const struct probe_summary *summary, struct strbuf *out) {
    for (int p = 0; p < PHASE_COUNT; p++)
        for (int f = 0; f < FAILURE_COUNT; f++) {
            if (summary->failures[p][f] == 0)
                continue;
            strbuf_addf(out, "%llu failed: ", (unsigned long long)summary->failures[p][f]);
            add_failure(style, &summary->last[p][f], out);
            strbuf_addf(out, "\n  %s\n  ", failure_meaning((enum failure_class)f));
            add_foreign(style, summary->last[p][f].text, out);
            strbuf_addch(out, '\n');
        }
}

void probe_text_summary(const struct terminal_style *style, const char *host, struct probe_summary *summary,
                        struct strbuf *out) {
    uint64_t failed = summary->probes - summary->succeeded;
    double loss = summary->probes ? 100.0 * (double)failed / (double)summary->probes : 0;
    struct strbuf counts;
    strbuf_addstr(out, "\n--- ");
    text_add_terminal(out, span_of(host), style->utf8);
    strbuf_addf(out, " ---\n%llu probe%s in ", (unsigned long long)summary->probes, summary->probes == 1 ? "" : "s");
    probe_text_add_time(out, summary->duration_ns, style->utf8);
    strbuf_addf(out, ": %llu succeeded, ", (unsigned long long)summary->succeeded);
    strbuf_init(&counts, CELL_MAX);
    strbuf_addf(&counts, "%llu failed (%.3g%% loss)", (unsigned long long)failed, loss);
    terminal_add_coloured(style, failed ? TERMINAL_BAD : TERMINAL_GOOD, strbuf_text(&counts), out);
    strbuf_release(&counts);
    strbuf_addch(out, '\n');
    add_table(style, summary, out);
    add_closes(style, summary, out);
    add_failures(style, summary, out);
}
