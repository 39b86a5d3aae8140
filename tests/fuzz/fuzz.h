/*
 * What every fuzz target needs. A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput(); its corpus, and what was
 * once found with it, is in corpus/fuzz_NAME/. `make fuzz` builds it with libFuzzer; in `make test` replay.c gives it
 * its corpus.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_check(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#endif
