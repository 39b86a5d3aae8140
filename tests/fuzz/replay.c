/*
 * Runs a fuzz target over files, without libFuzzer: what `make test` links each target with. `fuzz_NAME FOLDER…`
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>

/* The file's bytes in memory of exactly their size. False: it cannot be read. */
static bool replay(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return false;
    size_t size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(size ? size : 1);
    bool read = data && fread(data, 1, size, file) == size;
    fclose(file);
    if (read)
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    return read;
}

int main(int argc, char **argv) {
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        struct dirent *entry;
        while (folder && (entry = readdir(folder)))
            if (entry->d_name[0] != '.') {
                if (!replay(argv[i], entry->d_name)) {
                    fprintf(stderr, "cannot read %s/%s\n", argv[i], entry->d_name);
                    return 1;
                }
                count++;
            }
        if (folder)
            closedir(folder);
    }
    if (!count) {
        fprintf(stderr, "no corpus\n");
        return 1;
    }
    printf("%u inputs\n", count);
    return 0;
}
