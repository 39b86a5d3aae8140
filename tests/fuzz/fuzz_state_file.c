/*
 * Any bytes as the state file of a target's error log, once as they are and once with the right first and last line
 * around them: what is taken from it is printed and read back the same.
 */
#include "fuzz.h"
#include "observe/log_state.h"

#include <string.h>

static bool take_other(void *arg, const struct record *record) {
    uint64_t number;
    (void)arg;
    for (unsigned i = 0; i < record->count; i++)
        record_u64(record, i, &number);
    return record->name.len != 13;
}

static unsigned count_formers(const struct log_saved *saved) {
    unsigned count = 0;
    for (; saved->former; saved = saved->former)
        count += 1 + saved->former->count;
    return count;
}

static void check_again(const struct log_state *state) {
    struct log_state again;
    struct records records;
    struct strbuf text;
    strbuf_init(&text, 1 << 22);
    log_state_print(&text, "db1", state);
    records_end(&text);
    fuzz_check(!strbuf_failed(&text));
    fuzz_check(log_state_parse(&records, text.data, text.len, "db1", &again, NULL, NULL));
    fuzz_check(again.saved.kind == state->saved.kind && again.saved.count == state->saved.count);
    fuzz_check(memcmp(again.events, state->events, sizeof again.events) == 0);
    fuzz_check(again.saved.state.lines == state->saved.state.lines);
    fuzz_check(count_formers(&again.saved) == count_formers(&state->saved));
    fuzz_check(again.clock_known == state->clock_known && again.ahead_s == state->ahead_s);
    for (unsigned i = 0; i < again.saved.count; i++) {
        const struct log_place *a = &again.saved.places[i], *b = &state->saved.places[i];
        fuzz_check(memcmp(a->number, b->number, sizeof a->number) == 0 && !a->text == !b->text);
        fuzz_check(!a->text || strcmp(a->text, b->text) == 0);
    }
    log_state_release(&again);
    strbuf_release(&text);
}

static void parse(char *text, size_t len) {
    struct log_state state;
    struct records records;
    if (log_state_parse(&records, text, len, "db1", &state, take_other, NULL)) {
        check_again(&state);
        log_state_release(&state);
    } else {
        fuzz_check(records.wrong && records.line >= 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct strbuf text;
    strbuf_init(&text, 1 << 22);
    strbuf_add(&text, data, size);
    if (text.data)
        parse(text.data, text.len);
    strbuf_reset(&text);
    records_begin(&text, "mysqlconn_exporter-error-log 1");
    strbuf_addstr(&text, "target db1\n");
    strbuf_add(&text, data, size);
    if (text.data[text.len - 1] != '\n')
        strbuf_addch(&text, '\n');
    records_end(&text);
    if (!strbuf_failed(&text))
        parse(text.data, text.len);
    strbuf_release(&text);
    return 0;
}
