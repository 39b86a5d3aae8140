/*
 * Any bytes as the state file of a target's error log, once as they are and once with the right first and last line
 * around them: what is taken from it, the counts of names too, is printed and read back the same.
 */
#include "explain/aborts.h"
#include "fuzz.h"
#include "observe/log_state.h"

#include <string.h>

enum { USERS = 8 };

/* What a run has of it: ours, and the listener's. */
struct taken {
    struct log_state state;
    struct target target;
    struct aborts *aborts;
    struct observer observer;
};

static bool take_other(void *arg, const struct record *record) {
    struct taken *taken = arg;
    return taken->observer.log_restore(taken->observer.arg, &taken->target, record);
}

static bool take(struct taken *taken, struct records *records, char *text, size_t len) {
    *taken = (struct taken){.aborts = aborts_new(USERS)};
    taken->observer = aborts_observer(taken->aborts);
    return log_state_parse(records, text, len, "db1", &taken->state, take_other, taken);
}

static void release(struct taken *taken) {
    log_state_release(&taken->state);
    taken->observer.target_removed(taken->observer.arg, &taken->target);
    aborts_free(taken->aborts);
}

static void print(struct strbuf *out, const struct taken *taken) {
    strbuf_init(out, 1 << 22);
    log_state_print(out, "db1", &taken->state);
    taken->observer.log_save(taken->observer.arg, &taken->target, out);
    records_end(out);
    fuzz_check(!strbuf_failed(out));
}

static void check_again(const struct taken *taken) {
    struct taken again;
    struct records records;
    struct strbuf text, once, twice;
    print(&text, taken);
    print(&once, taken);
    fuzz_check(take(&again, &records, text.data, text.len)); /* which changes the text */
    print(&twice, &again);
    fuzz_check(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    release(&again);
    strbuf_release(&text);
    strbuf_release(&once);
    strbuf_release(&twice);
}

static void parse(char *text, size_t len) {
    struct taken taken;
    struct records records;
    if (take(&taken, &records, text, len))
        check_again(&taken);
    else
        fuzz_check(records.wrong && records.line >= 1);
    release(&taken);
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
