/*
 * Any text as a web configuration: it is taken, or refused in one line that names its place; what is taken gives
 * priorities for TLS that fit.
 */
#include "expose/web_config.h"
#include "fuzz.h"

#include <string.h>

static void check_priorities(const struct web_config *config) {
    struct strbuf out;
    strbuf_init(&out, 2048);
    for (int rsa = 0; rsa < 2; rsa++)
        for (int stage = TLS_STAGE_HELLO; stage <= TLS_STAGE_13; stage++) {
            strbuf_reset(&out);
            tls_priority(&config->choice, (enum tls_stage)stage, rsa, &out);
            fuzz_check(!strbuf_failed(&out) && (out.len > 0 || stage == TLS_STAGE_UP_TO_12));
        }
    strbuf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char path[] = "folder/web.yml";
    struct strbuf error;
    strbuf_init(&error, 1 << 16);
    struct web_config *config = web_config_parse((struct span){(const char *)data, size}, path, &error);
    fuzz_check((config == NULL) == (error.len > 0));
    if (config) {
        check_priorities(config);
        for (size_t i = 0; i < config->user_count; i++)
            fuzz_check(strlen(config->users[i].hash) == 60 && !strchr(config->users[i].name, ':'));
        for (size_t i = 0; i < WEB_HEADERS; i++)
            fuzz_check(!config->headers[i] || !strpbrk(config->headers[i], "\r\n"));
        fuzz_check(!config->cert_file || config->cert_file[0] == '/' || strncmp(config->cert_file, path, 7) == 0);
    } else {
        fuzz_check(!strchr(strbuf_text(&error), '\n') && strncmp(strbuf_text(&error), path, strlen(path)) == 0);
    }
    web_config_free(config);
    strbuf_release(&error);
    return 0;
}
