/*
 * Families of the ledger: the aborts by cause, and what is left of the server's counters.
 */
#include "explain/event_ring.h"
#include "explain/ledger.h"
#include "expose/families.h"
#include "expose/sample.h"

#define BEGUN "after the first poll that succeeded"

/* Most of the combinations of counter and cause never happen: those that did not are left out. */

/* The newest event of counter and cause that is still kept. */
static struct sample_exemplar newest(const struct target *target, enum abort_counter counter, enum cause cause) {
    const struct kept_event *kept = event_ring_before(NULL, target, 0);
    for (; kept; kept = event_ring_before(NULL, target, kept->event.id)) {
        const struct abort_event *e = &kept->event;
        if (e->cause.cause == cause && e->cause.raises & 1U << counter)
            return (struct sample_exemplar){.label = "event_id", .id = e->id, .wall_ns = abort_event_wall_ns(e)};
    }
    return (struct sample_exemplar){.label = NULL};
}

static void emit_aborts(struct sample_writer *w, const struct target *target) {
    struct ledger_account account;
    for (unsigned counter = 0; counter < COUNTER_COUNT; counter++) {
        if (!ledger_account_of(target, counter, &account) || account.increase == 0)
            continue; /* as nearly always */
        for (unsigned cause = 0; cause < CAUSE_COUNT; cause++) {
            uint64_t count = ledger_explained(target, counter, cause);
            struct sample_exemplar exemplar = {.label = NULL};
            if (count > 0 && w->format != FORMAT_TEXT)
                exemplar = newest(target, counter, cause);
            if (count > 0)
                sample_count_with(w, SAMPLE_LABELS("counter", abort_counter_name(counter), "cause", cause_name(cause)),
                                  count, &exemplar);
        }
    }
}

static void emit_unmatched(struct sample_writer *w, const struct target *target) {
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++)
        for (unsigned cause = 0; cause < CAUSE_COUNT; cause++) {
            uint64_t count = ledger_unmatched(target, counter, cause);
            if (count > 0)
                sample_count(w, SAMPLE_LABELS("counter", abort_counter_name(counter), "cause", cause_name(cause)),
                             count);
        }
}

/* A family that is one number of each account. */
#define ACCOUNT_FAMILY(function, member)                                                                               \
    static void function(struct sample_writer *w, const struct target *target) {                                       \
        struct ledger_account account;                                                                                 \
        for (unsigned counter = 0; counter < COUNTER_COUNT; counter++)                                                 \
            if (ledger_account_of(target, counter, &account) && account.known)                                         \
                sample_count(w, SAMPLE_LABELS("counter", abort_counter_name(counter)), account.member);                \
    }

ACCOUNT_FAMILY(emit_increase, increase)
ACCOUNT_FAMILY(emit_unexplained, unexplained)
ACCOUNT_FAMILY(emit_pending, pending)

static void emit_ratio(struct sample_writer *w, const struct target *target) {
    struct ledger_account account;
    for (unsigned counter = 0; counter < COUNTER_LINED; counter++) {
        if (!ledger_account_of(target, counter, &account) || account.increase == account.pending)
            continue;
        uint64_t settled = account.increase - account.pending;
        uint64_t open = account.unexplained + ledger_explained(target, counter, CAUSE_UNKNOWN) +
                        ledger_explained(target, counter, CAUSE_BEFORE_LOGIN);
        sample_double(w, SAMPLE_LABELS("counter", abort_counter_name(counter)),
                      (double)(settled - open) / (double)settled);
    }
}

static void emit_steps(struct sample_writer *w, const struct target *target) {
    for (unsigned step = 0; step < LEDGER_STEP_COUNT && ledger_began_wall_ns(target) != 0; step++)
        sample_count(w, SAMPLE_LABELS("step", ledger_step_name(step)), ledger_steps(target, step));
}

static void emit_began(struct sample_writer *w, const struct target *target) {
    if (ledger_began_wall_ns(target) != 0)
        sample_seconds(w, SAMPLE_NO_LABELS, ledger_began_wall_ns(target));
}

static const struct metric_family rows[] = {
    {
        .name = "mysqlconn_aborts_total",
        .type = METRIC_COUNTER,
        .help = "What the server's counters rose by, as far as there is evidence, by cause.",
        .labels = "counter, cause",
        .condition = "once it has happened",
        .since = ledger_began_wall_ns,
        .of_target = emit_aborts,
    },
    {
        .name = "mysqlconn_aborts_unexplained_total",
        .type = METRIC_COUNTER,
        .help = "What the server's counters rose by without evidence of any cause.",
        .labels = "counter",
        .condition = BEGUN,
        .since = ledger_began_wall_ns,
        .of_target = emit_unexplained,
    },
    {
        .name = "mysqlconn_aborts_pending",
        .type = METRIC_GAUGE,
        .help = "What the server's counters rose by and may still be explained: lines have 5 seconds to come.",
        .labels = "counter",
        .condition = BEGUN,
        .known = KNOWN_OWN,
        .since = ledger_began_wall_ns,
        .of_target = emit_pending,
    },
    {
        .name = "mysqlconn_ledger_increase_total",
        .type = METRIC_COUNTER,
        .help = "What the server's counters rose by since the ledger began: explained, unexplained and pending.",
        .labels = "counter",
        .condition = BEGUN,
        .since = ledger_began_wall_ns,
        .of_target = emit_increase,
    },
    {
        .name = "mysqlconn_ledger_explained_ratio",
        .type = METRIC_GAUGE,
        .help = "Share of the increase whose cause is known: neither unexplained nor of the causes unknown and "
                "before_login.",
        .labels = "counter",
        .condition = "the counter rose",
        .known = KNOWN_OWN,
        .since = ledger_began_wall_ns,
        .of_target = emit_ratio,
    },
    {
        .name = "mysqlconn_ledger_unmatched_total",
        .type = METRIC_COUNTER,
        .help = "Evidence for which the counter did not rise, or for which a flush or restart took the rise away.",
        .labels = "counter, cause",
        .condition = "once it has happened",
        .since = ledger_began_wall_ns,
        .of_target = emit_unmatched,
    },
    {
        .name = "mysqlconn_ledger_steps_total",
        .type = METRIC_COUNTER,
        .help = "Steps in the server's counters: flush_status and restart set them to zero and what they gained since "
                "the poll before is lost; other_server: another one answers than before, or its clock was set, and the "
                "same is lost; a gap "
                "in polling loses nothing.",
        .labels = "step",
        .condition = BEGUN,
        .since = ledger_began_wall_ns,
        .of_target = emit_steps,
    },
    {
        .name = "mysqlconn_ledger_begin_timestamp_seconds",
        .type = METRIC_GAUGE,
        .unit = "seconds",
        .help = "Unix time when the ledger began, from the counters as they were: at each start of ours.",
        .condition = BEGUN,
        .known = KNOWN_OWN,
        .since = ledger_began_wall_ns,
        .of_target = emit_began,
    },
};

const struct metric_table ledger_families = {rows, sizeof rows / sizeof rows[0], KNOWN_POLL};
