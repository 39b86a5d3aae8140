/*
 * Any text as a JSON object, as a string and as a list of bytes: what is found lies in the text, and nothing is longer
 * taken out than as it is written.
 */
#include "fuzz.h"
#include "observe/log_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct span text = {(const char *)data, size};
    struct log_json_member m[] = {{.name = "msg"}, {.name = "log"}, {.name = "time"}, {.name = ""}};
    enum { MEMBERS = sizeof m / sizeof *m };
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    bool whole = log_json_read(text, m, MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++) {
        struct span raw = m[i].raw;
        if (!whole || !raw.ptr)
            continue;
        fuzz_check(raw.ptr >= text.ptr && raw.ptr + raw.len <= text.ptr + text.len);
        strbuf_reset(&out);
        log_json_add_text(&out, raw);
        fuzz_check(!strbuf_failed(&out) && out.len <= raw.len + raw.len / 2);
        strbuf_reset(&out);
        log_json_add_bytes(&out, raw);
        fuzz_check(!strbuf_failed(&out) && out.len <= raw.len / 2);
    }
    strbuf_reset(&out);
    log_json_add_text(&out, text);
    fuzz_check(!strbuf_failed(&out) || size > 1 << 19);
    strbuf_reset(&out);
    log_json_add_bytes(&out, text);
    strbuf_release(&out);
    return 0;
}
