/*
 * The floor that our probe is held against: libmariadb in a plain blocking loop doing the same connect, ping, query and
 * close, paced alike. Prints the CPU nanoseconds that one round took.
 *
 *   bare HOST PORT USER ROUNDS PACE_MS [CA]    (the password comes from MYSQL_PWD)
 *
 * With CA, a file, over TLS with the server's name verified; with "system" over TLS and no CA named, so that libmariadb
 * loads what OpenSSL has for all.
 */
#include "base/clock.h"
#include "base/number.h"

#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void use_tls(MYSQL *mysql, const char *ca) {
    bool system = strcmp(ca, "system") == 0;
    my_bool yes = 1, verify = !system; /* no public authority has signed a test's certificate */
    mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (!system)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_CA, ca);
}

static int one_round(const char *host, unsigned port, const char *user, const char *ca) {
    MYSQL mysql;
    mysql_init(&mysql);
    if (ca)
        use_tls(&mysql, ca);
    int rc = !mysql_real_connect(&mysql, host, user, getenv("MYSQL_PWD"), NULL, port, NULL, 0) || mysql_ping(&mysql) ||
             mysql_query(&mysql, "SELECT 1");
    if (rc == 0)
        mysql_free_result(mysql_store_result(&mysql));
    else
        fprintf(stderr, "bare: %s\n", mysql_error(&mysql));
    mysql_close(&mysql);
    return rc;
}

int main(int argc, char **argv) {
    uint64_t port, rounds, pace_ms;
    if (argc < 6 || argc > 7 || number_parse_u64(span_of(argv[2]), 65535, &port) < 0 ||
        number_parse_u64(span_of(argv[4]), 1000000, &rounds) < 0 || rounds == 0 ||
        number_parse_u64(span_of(argv[5]), 10000, &pace_ms) < 0) {
        fputs("usage: bare HOST PORT USER ROUNDS PACE_MS [CA]\n", stderr);
        return 2;
    }
    const char *ca = argc == 7 ? argv[6] : NULL;
    if (one_round(argv[1], (unsigned)port, argv[3], ca) != 0) /* what is paid once a process is not part of it */
        return 1;
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    struct mono due = mono_now();
    for (uint64_t i = 0; i < rounds; i++) {
        due = mono_add(due, (int64_t)pace_ms * NS_PER_MS);
        struct timespec until = {due.ns / NS_PER_S, due.ns % NS_PER_S};
        if (pace_ms > 0)
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        if (one_round(argv[1], (unsigned)port, argv[3], ca) != 0)
            return 1;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    int64_t ns = (after.tv_sec - before.tv_sec) * NS_PER_S + (after.tv_nsec - before.tv_nsec);
    printf("%lld\n", (long long)(ns / (int64_t)rounds));
    return 0;
}
