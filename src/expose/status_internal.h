/*
 * What the parts of the pages for people share; private to status_*.c.
 */
#ifndef EXPOSE_STATUS_INTERNAL_H
#define EXPOSE_STATUS_INTERNAL_H

#include "explain/advice.h"
#include "expose/event_filter.h"
#include "expose/html.h"
#include "expose/status_page.h"

#include <stdint.h>

/* How much a target needs somebody to look at it: the pages list the highest first. */
enum attention { ATTENTION_NONE, ATTENTION_UNSEEN, ATTENTION_WARNING, ATTENTION_CRITICAL, ATTENTION_DOWN, ATTENTIONS };

/* A parameter as it was given, but for empty ones. */
struct status_given {
    char *name, *value;
    size_t len;
};

struct status_page;

/* Writes a part of a page, or where it has rows, the one of page->row. True: it has another. */
typedef bool status_part(struct status_page *page, struct strbuf *out);

struct status_page {
    const struct exporter_state *state;
    const char *path;          /* STATUS_PATH or STATUS_TARGET_PATH */
    status_part *const *parts; /* what comes next, … */
    size_t row;                /* … and which row of it */
    unsigned status;
    int64_t now_wall_ns;
    struct status_given given[API_PARAMETERS_MAX];
    size_t given_count;
    struct strbuf error; /* what is wrong with a parameter; empty nothing */
    struct event_filter filter;
    struct event_list events;
    size_t watched, by_attention[ATTENTIONS]; /* all targets */
    size_t found, first;                      /* those that are looked for; the first on this page */
    size_t target_count;
    struct target *targets[]; /* that are shown, held */
};

/* The value of a parameter; ptr NULL: it was not given. */
struct span status_given(const struct status_page *page, const char *name);
/* A link to this page, without the quotes around it, with one parameter set to another value, or away where its ptr is
 * NULL. A list that is another begins at its start. */
void status_add_link(struct strbuf *out, const struct status_page *page, const char *set, struct span value);
/* … to another path of ours. */
void status_add_path(struct strbuf *out, const struct status_page *page, const char *path);
/* … to a target's page. */
void status_add_target_link(struct strbuf *out, const struct status_page *page, const char *name);

/* The text, as a link to the events that have the same; a dash where there is none. */
void status_add_filter_link(const struct status_page *page, struct strbuf *out, const char *name, struct span text);
/* A part of a page that the script keeps up to date; both texts are ours. */
void status_section_begin(struct strbuf *out, const char *id, const char *title);
void status_section_end(struct strbuf *out);

/* status_overview.c */
enum attention status_attention(const struct target *target);
extern status_part status_summary, status_targets_head, status_targets_row, status_targets_tail;

/* status_target.c: what one target is */
extern status_part status_target_state, status_target_probe, status_target_advice, status_target_connections,
    status_target_sight;
/* status_aborts.c */
extern status_part status_target_aborts;

/* status_cells.c: the same of a target in a few words, for both */
void status_add_state(struct strbuf *out, const struct status_page *page, const struct target *target);
void status_add_ago(struct strbuf *out, const struct status_page *page, int64_t wall_ns);
/* Since our start, of one cause. */
uint64_t status_aborts(const struct target *target, enum cause cause);
void status_add_closes(struct strbuf *out, const struct probe_facts *facts);
void status_add_connections(struct strbuf *out, const struct target *target);
void status_add_explained(struct strbuf *out, const struct target *target);
void status_add_log(struct strbuf *out, const struct target *target);
enum mood status_mood(enum advice_severity severity);

/* status_events.c */
extern status_part status_events_head, status_events_row, status_events_tail;

/* status_bars.c: the last probes as bars of their phases, and what the colours mean */
void status_add_bars(struct strbuf *out, const struct probe_facts *facts);
void status_add_legend(struct strbuf *out);

#endif
