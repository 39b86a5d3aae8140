/*
 * Any text as a file of targets, the first byte says whether as JSON: it is taken, or refused with its place; what is
 * taken is targets that can be watched.
 */
#include "config/file_sd.h"
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct config *config;

static void start(void) {
    static const char text[] =
        "file_sd: {files: [/nowhere/*.yml]}\nauth_modules: {other: {credentials: {user: them}}}\n"
        "modules: {quick: {query: SELECT 2}}\n";
    struct strbuf error, warnings;
    char path[64];
    strbuf_init(&error, 4096);
    strbuf_init(&warnings, 4096);
    int fd = memfd_create("config", 0);
    fuzz_check(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    config = config_load(path, &error, &warnings);
    fuzz_check(config);
    close(fd);
    strbuf_release(&error);
    strbuf_release(&warnings);
}

static void check_target(const struct target_config *target) {
    fuzz_check(target->name && *target->name && (target->address.host || target->address.socket));
    fuzz_check(target->module_count == 1 && target->allow_targets.count == 0 && target->label_count <= 32);
    for (size_t i = 0; i < target->label_count; i++) {
        fuzz_check(strlen(target->labels[i].value) <= 1024 && strncmp(target->labels[i].name, "__", 2) != 0);
        for (size_t k = 0; k < i; k++)
            fuzz_check(strcmp(target->labels[i].name, target->labels[k].name) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    if (!config)
        start();
    const char *path = data[0] & 1 ? "a.json" : "a.yml";
    struct target_list list = {NULL, 0};
    struct strbuf error;
    char *text = malloc(size - 1 ? size - 1 : 1); /* of just this size, so that a step beyond it is seen */
    fuzz_check(text);
    memcpy(text, data + 1, size - 1);
    strbuf_init(&error, 4096);
    bool ok = file_sd_parse(config, path, text, size - 1, &list, &error);
    fuzz_check(ok == (error.len == 0));
    fuzz_check(ok || strncmp(strbuf_text(&error), path, strlen(path)) == 0);
    for (size_t i = 0; ok && i < list.count; i++)
        check_target(list.targets[i]);
    target_list_release(&list);
    strbuf_release(&error);
    free(text);
    return 0;
}
