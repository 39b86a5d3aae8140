/*
 * The aborts on the page of one target: by cause, by client, and against the server's counters.
 */
#include "explain/clients.h"
#include "explain/ledger.h"
#include "expose/status_internal.h"

#include <string.h>

/* --- by cause --- */

static void add_cause(const struct status_page *page, struct strbuf *out, enum cause cause, uint64_t lately,
                      uint64_t all) {
    strbuf_addstr(out, "<tr><th scope=row><a class=quiet href=\"");
    status_add_link(out, page, "cause", span_of(cause_name(cause)));
    strbuf_addstr(out, "#events-title\">");
    html_word(out, cause_name(cause));
    strbuf_addf(out,
                "</a><td class=num>%llu<td class=num>%llu<td>%s <details id=cause-%s><summary>what to do</summary>%s "
                "More in <code>README.md#cause-%s</code></details>\n",
                (unsigned long long)lately, (unsigned long long)all, cause_meaning(cause), cause_name(cause),
                cause_advice(cause), cause_name(cause));
}

static void add_causes(const struct status_page *page, struct strbuf *out, const struct target *target) {
    struct advice_recent recent;
    bool any = false;
    if (!advice_lately(target, &recent))
        memset(&recent, 0, sizeof recent);
    for (unsigned cause = 0; cause < CAUSE_COUNT; cause++) {
        uint64_t all = status_aborts(target, (enum cause)cause);
        if (all == 0 && recent.aborts[cause] == 0)
            continue;
        if (!any)
            strbuf_addstr(
                out, "<table class=\"numbers causes\"><caption>By cause</caption>\n<thead><tr><th scope=col>Cause<th "
                     "scope=col class=num>Last hour<th scope=col class=num>In all<th scope=col>Meaning"
                     "</thead>\n<tbody>\n");
        add_cause(page, out, (enum cause)cause, recent.aborts[cause], all);
        any = true;
    }
    strbuf_addstr(out, any ? "</table>\n" : "<p class=empty>No abort was seen since the start.\n");
}

/* --- by client --- */

enum { TOP = 10 };

struct top_row {
    const struct client_aborts *client;
    enum cause cause;
};

static uint64_t row_count(const struct top_row *row) {
    return row->client->counts[row->cause];
}

/* Put it in its place among the `count` that there are, the one that was first before another with as many. */
static size_t insert(struct top_row *top, size_t count, struct top_row row) {
    size_t at = count < TOP ? count : TOP - 1;
    if (count == TOP && row_count(&top[at]) >= row_count(&row))
        return count;
    for (; at > 0 && row_count(&top[at - 1]) < row_count(&row); at--)
        top[at] = top[at - 1];
    top[at] = row;
    return count < TOP ? count + 1 : TOP;
}

/* Those with the most aborts of one cause, `other` left out; *all is how many there are. */
static size_t find_top(const struct target *target, struct top_row *top, size_t *all) {
    size_t clients_count, count = 0;
    const struct client_aborts *clients = clients_of(target, &clients_count);
    *all = 0;
    for (size_t i = 1; i < clients_count; i++)
        for (unsigned cause = 0; cause < CAUSE_COUNT; cause++)
            if (clients[i].counts[cause] > 0) {
                count = insert(top, count, (struct top_row){&clients[i], (enum cause)cause});
                ++*all;
            }
    return count;
}

static void add_client(const struct status_page *page, struct strbuf *out, const struct top_row *row) {
    const struct client_aborts *client = row->client;
    strbuf_addstr(out, "<tr><th scope=row>");
    if (*client->user)
        status_add_filter_link(page, out, "user", span_of(client->user));
    else
        strbuf_addstr(out, "<span class=sub>not known</span>");
    if (*client->host) {
        strbuf_addstr(out, "<span class=at>@</span>");
        html_name(out, span_of(client->host));
    }
    strbuf_addstr(out, "<div class=sub>driver ");
    html_name(out, span_of(client->driver));
    strbuf_addstr(out, "</div><td><a class=quiet href=\"");
    status_add_link(out, page, "cause", span_of(cause_name(row->cause)));
    strbuf_addstr(out, "#events-title\">");
    html_word(out, cause_name(row->cause));
    strbuf_addf(out, "</a><td class=num>%llu\n", (unsigned long long)row_count(row));
}

static void add_clients(const struct status_page *page, struct strbuf *out, const struct target *target) {
    struct top_row top[TOP];
    size_t all, count = find_top(target, top, &all);
    uint64_t folded = clients_folded(target);
    if (count == 0)
        return;
    strbuf_addstr(out, "<table class=\"numbers clients\"><caption>By client: those with the most</caption>\n<thead><tr>"
                       "<th scope=col>Client<th scope=col>Cause<th scope=col "
                       "class=num>Aborts</thead>\n<tbody>\n");
    for (size_t i = 0; i < count; i++)
        add_client(page, out, &top[i]);
    strbuf_addstr(out, "</table>\n");
    if (all > count)
        strbuf_addf(out, "<p class=sub>%zu more are in <code>mysqlconn_client_aborts_total</code>.\n", all - count);
    if (folded > 0)
        strbuf_addf(out, "<p class=sub>%llu aborts are of clients beyond <code>limits.clients_per_target</code>.\n",
                    (unsigned long long)folded);
}

/* --- the ledger --- */

static void add_ledger(struct strbuf *out, const struct target *target) {
    struct ledger_account account;
    if (ledger_began_wall_ns(target) == 0)
        return;
    strbuf_addstr(out, "<table class=numbers><caption>The server's counters, and what explains them, since ");
    html_time(out, ledger_began_wall_ns(target));
    strbuf_addstr(out, "</caption>\n<thead><tr><th scope=col>Counter<th scope=col class=num>Rose by<th scope=col "
                       "class=num>Unexplained<th scope=col class=num>Pending</thead>\n<tbody>\n");
    for (unsigned counter = 0; counter < COUNTER_COUNT; counter++)
        if (ledger_account_of(target, counter, &account) && account.known &&
            (account.increase > 0 || counter < COUNTER_LINED)) {
            strbuf_addstr(out, "<tr><th scope=row>");
            html_word(out, abort_counter_name(counter));
            strbuf_addf(out, "<td class=num>%llu<td class=num>%llu<td class=num>%llu\n",
                        (unsigned long long)account.increase, (unsigned long long)account.unexplained,
                        (unsigned long long)account.pending);
        }
    strbuf_addstr(out, "</table>\n");
}

bool status_target_aborts(struct status_page *page, struct strbuf *out) {
    status_section_begin(out, "aborts", "Aborts");
    add_causes(page, out, page->targets[0]);
    add_clients(page, out, page->targets[0]);
    add_ledger(out, page->targets[0]);
    status_section_end(out);
    return false;
}
