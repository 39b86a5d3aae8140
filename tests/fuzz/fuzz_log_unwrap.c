/*
 * Any line as a wrapped one: the text lies in the line or in what was decoded from it, and taking off once more what is
 * wrapped inside does no harm.
 */
#include "fuzz.h"
#include "observe/log_unwrap.h"

static bool lies_in(struct span part, const char *ptr, size_t len) {
    return ptr && part.ptr >= ptr && part.ptr + part.len <= ptr + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct span line = {(const char *)data, size};
    struct strbuf scratch[4];
    struct log_unwrapped once, again;
    uint64_t thread;
    for (int i = 0; i < 4; i++)
        strbuf_init(&scratch[i], 4096);
    log_unwrap(line, LOG_LAYER_ALL, scratch, &once);
    fuzz_check(once.text.len == 0 || lies_in(once.text, line.ptr, line.len) ||
               lies_in(once.text, scratch[0].data, scratch[0].len) ||
               lies_in(once.text, scratch[1].data, scratch[1].len));
    if (!log_unwrap_is_needed(line) && !once.is_message)
        fuzz_check(once.text.len == line.len && !once.goes_on);
    log_unwrap(once.text, LOG_LAYER_ALL, scratch + 2, &again);
    if (log_front_is_plausible(line))
        log_front_time(line, once.stamp, &thread);
    for (int i = 0; i < 4; i++)
        strbuf_release(&scratch[i]);
    return 0;
}
