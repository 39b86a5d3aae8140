/*
 * /api/v1/ledger: the books of each target, counter by counter.
 */
#include "base/json.h"
#include "explain/ledger.h"
#include "expose/api_internal.h"

static void add_by_cause(struct strbuf *out, const char *name, const struct target *target, enum abort_counter counter,
                         uint64_t (*count_of)(const struct target *, enum abort_counter, enum cause)) {
    json_open(out, name, '{');
    for (unsigned cause = 0; cause < CAUSE_COUNT; cause++) {
        uint64_t n = count_of(target, counter, (enum cause)cause);
        if (n > 0)
            json_u64(out, cause_name((enum cause)cause), n);
    }
    json_close(out, '}');
}

static void add_counter(struct strbuf *out, const struct target *target, enum abort_counter counter) {
    struct ledger_account account;
    if (!ledger_account_of(target, counter, &account) || !account.known)
        return;
    json_open(out, NULL, '{');
    json_text(out, "counter", abort_counter_name(counter));
    json_u64(out, "increase", account.increase);
    add_by_cause(out, "explained", target, counter, ledger_explained);
    json_u64(out, "unexplained", account.unexplained);
    json_u64(out, "pending", account.pending);
    add_by_cause(out, "unmatched", target, counter, ledger_unmatched);
    json_close(out, '}');
}

static bool item(const struct api_page *page, struct strbuf *out) {
    if (page->item >= page->target_count)
        return false;
    const struct target *target = page->targets[page->item];
    strbuf_addch(out, '{');
    json_text(out, "target", target->config->name);
    json_time(out, "began", ledger_began_wall_ns(target));
    json_open(out, "steps", '{');
    for (unsigned step = 0; step < LEDGER_STEP_COUNT; step++)
        json_u64(out, ledger_step_name((enum ledger_step)step), ledger_steps(target, (enum ledger_step)step));
    json_close(out, '}');
    json_open(out, "counters", '[');
    for (unsigned counter = 0; counter < COUNTER_COUNT; counter++)
        add_counter(out, target, (enum abort_counter)counter);
    json_close(out, ']');
    json_close(out, '}');
    return true;
}

const struct api_resource api_ledger = {
    .path = "/api/v1/ledger",
    .list = "ledger",
    .meaning =
        "Of each target since its ledger began (`began`; null: not yet), for each counter of the server's that it "
        "has: `increase` = the sum of `explained` by cause + `unexplained` + `pending`; `unmatched` is evidence "
        "for which the counter did not rise. `steps`: how often the counters began anew.",
    .item = item,
};
