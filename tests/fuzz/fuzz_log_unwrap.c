/*
 * Any line as a wrapped one: the text lies in the line or in what was decoded from it, and taking off once more what is
 * wrapped inside does no harm. And any text in each of the wrappers: it comes out as it went in.
 */
#include "fuzz.h"
#include "observe/log_unwrap.h"

#include <string.h>

enum { TEXT_MAX = 1 << 16 };

static bool lies_in(struct span part, const char *ptr, size_t len) {
    return ptr && part.ptr >= ptr && part.ptr + part.len <= ptr + len;
}

static void as_it_is(struct strbuf *out, struct span text) {
    strbuf_add(out, text.ptr, text.len);
}

static void as_string(struct strbuf *out, struct span text) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ')
            strbuf_addf(out, "\\u%04X", c);
        else
            strbuf_addf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
}

static void as_bytes(struct strbuf *out, struct span text) {
    for (size_t i = 0; i < text.len; i++)
        strbuf_addf(out, "%s%u", i ? ", " : "", (unsigned char)text.ptr[i]);
}

static const struct wrapper {
    const char *before, *behind;
    void (*add)(struct strbuf *out, struct span text);
    unsigned layer;
    bool is_message;
} wrappers[] = {
    {"db-1  | ", "", as_it_is, LOG_LAYER_COMPOSE, false},
    {"[pod/mysql-0/mysql] ", "", as_it_is, LOG_LAYER_POD, false},
    {"2026-11-21T01:51:41.123456789Z stderr F ", "", as_it_is, LOG_LAYER_CRI, false},
    {"{\"log\":\"", "\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T01:51:41.123456789Z\"}", as_string,
     LOG_LAYER_DOCKER, false},
    {"{ \"prio\" : 3, \"msg\" : \"", "\", \"thread\" : 5 }", as_string, LOG_LAYER_MYSQL, true},
    {"{\"__REALTIME_TIMESTAMP\":\"1795225901123456\",\"MESSAGE\":\"", "\"}", as_string, LOG_LAYER_JOURNAL, true},
    {"{\"__REALTIME_TIMESTAMP\":\"1795225901123456\",\"MESSAGE\":[", "]}", as_bytes, LOG_LAYER_JOURNAL, true},
    {"<30>1 2026-11-21T01:51:41.123456Z db1 mysqld 811 - [a@1 b=\"\\\"] \"] \xef\xbb\xbf", "", as_it_is,
     LOG_LAYER_SYSLOG, true},
};

static void wrap_and_unwrap(struct span text, const struct wrapper *w, struct strbuf scratch[2]) {
    struct log_unwrapped out;
    struct strbuf line;
    strbuf_init(&line, 8 * TEXT_MAX);
    strbuf_addstr(&line, w->before);
    w->add(&line, text);
    strbuf_addstr(&line, w->behind);
    fuzz_check(!strbuf_failed(&line));
    struct span wrapped = {line.data, line.len};
    fuzz_check(log_unwrap_is_needed(wrapped));
    log_unwrap(wrapped, LOG_LAYER_ALL, scratch, &out);
    fuzz_check(out.text.len == text.len && (text.len == 0 || memcmp(out.text.ptr, text.ptr, text.len) == 0));
    fuzz_check(out.layers == w->layer && out.is_message == w->is_message && !out.goes_on);
    strbuf_release(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct span line = {(const char *)data, size};
    struct strbuf scratch[4];
    struct log_unwrapped once, again;
    uint64_t thread;
    for (int i = 0; i < 4; i++)
        strbuf_init(&scratch[i], TEXT_MAX);
    log_unwrap(line, LOG_LAYER_ALL, scratch, &once);
    fuzz_check(once.text.len == 0 || lies_in(once.text, line.ptr, line.len) ||
               lies_in(once.text, scratch[0].data, scratch[0].len) ||
               lies_in(once.text, scratch[1].data, scratch[1].len));
    if (!log_unwrap_is_needed(line) && !once.is_message)
        fuzz_check(once.text.len == line.len && !once.goes_on);
    log_unwrap(once.text, LOG_LAYER_ALL, scratch + 2, &again);
    if (log_front_is_plausible(line))
        log_front_time(line, once.stamp, &thread);
    if (size > 0 && size < TEXT_MAX / 8 && !log_unwrap_is_needed(line))
        for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++)
            wrap_and_unwrap(line, &wrappers[i], scratch);
    for (int i = 0; i < 4; i++)
        strbuf_release(&scratch[i]);
    return 0;
}
