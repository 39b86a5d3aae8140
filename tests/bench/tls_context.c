/*
 * What libmariadb spends on an SSL_CTX for each TLS connection: one made, told its CA and freed again, paced as probes
 * are. Prints the CPU nanoseconds that one took.
 *
 *   tls_context ROUNDS PACE_MS CA
 */
#include "base/clock.h"
#include "base/number.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <time.h>

static int one_round(const char *ca) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int rc = context && SSL_CTX_load_verify_locations(context, ca, NULL) == 1 ? 0 : -1;
    SSL_CTX_free(context);
    return rc;
}

int main(int argc, char **argv) {
    uint64_t rounds, pace_ms;
    if (argc != 4 || number_parse_u64(span_of(argv[1]), 1000000, &rounds) < 0 || rounds == 0 ||
        number_parse_u64(span_of(argv[2]), 10000, &pace_ms) < 0 || one_round(argv[3]) < 0) {
        fputs("usage: tls_context ROUNDS PACE_MS CA\n", stderr);
        return 2;
    }
    struct timespec before, after, pause = {(time_t)(pace_ms / 1000), (long)(pace_ms % 1000) * NS_PER_MS};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    for (uint64_t i = 0; i < rounds; i++) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        one_round(argv[3]);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int64_t ns = (after.tv_sec - before.tv_sec) * NS_PER_S + (after.tv_nsec - before.tv_nsec);
    printf("%lld\n", (long long)(ns / (int64_t)rounds));
    return 0;
}
