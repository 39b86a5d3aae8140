/*
 * How fast the lines of a log become events: the decoder alone over one block of synthetic lines in memory, by the
 * share of lines that are aborts. Prints GB/s and lines/s of CPU time. `log_decoder FILE` reads a file instead, once.
 */
#include "observe/log_decoder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 256 * 1024, LINES = 200000 };

static void on_event(void *arg, const struct log_event *event) {
    unsigned long *counts = arg;
    counts[event->kind] += 1 + 0 * event->user.len;
}

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const char *name, double seconds, unsigned long lines, size_t bytes, const unsigned long *counts) {
    printf("%-28s %6.2f GB/s  %6.1f million lines/s  %lu aborts\n", name, (double)bytes / seconds / 1e9,
           (double)lines / seconds / 1e6, counts[LOG_EVENT_ABORTED]);
}

/* What a server writes between aborts. */
static const char *const chatter[] = {
    "[Note] InnoDB: Buffer pool(s) dump completed at 261121  1:52:04",
    "[Warning] IP address '10.0.3.17' could not be resolved: Name or service not known",
    "[Note] Start binlog_dump to slave_server(2), pos(mysql-bin.000017, 4), using_gtid(0), gtid('')",
    "[ERROR] InnoDB: Table `shop`.`orders` has an unreadable root page",
    "[Note] Event Scheduler: Loaded 3 events",
    "[Warning] InnoDB: Retry attempts for reading partial data failed.",
};

static char *make_lines(unsigned per_1000, size_t *len, bool mysql8, bool denied) {
    char *text = malloc((size_t)LINES * 256), *p = text;
    for (unsigned i = 0; i < LINES; i++) {
        unsigned id = 1000 + i;
        if (mysql8)
            p += sprintf(p, "2026-11-21T01:%02u:%02u.%06uZ %u ", i / 60 % 60, i % 60, i, id);
        else
            p += sprintf(p, "2026-11-21  1:%02u:%02u %u ", i / 60 % 60, i % 60, id);
        if (i % 1000 < per_1000)
            p += denied
                     ? sprintf(p, "[Warning] Access denied for user 'app%u'@'10.0.%u.%u' (using password: YES)\n",
                               i % 7, i % 256, i % 199)
                     : sprintf(p,
                               "%sAborted connection %u to db: 'shop' user: 'app%u' host: '10.0.%u.%u' (Got an error "
                               "reading communication packets)%s\n",
                               mysql8 ? "[Note] [MY-010914] [Server] " : "[Warning] ", id, i % 7, i % 256, i % 199,
                               mysql8 ? "." : "");
        else
            p += sprintf(p, "%s\n", chatter[i % 100 ? (i % 5 ? i % 6 == 1 ? 0 : i % 6 : 0) : 1]);
    }
    *len = (size_t)(p - text);
    return text;
}

static void measure(const char *name, unsigned per_1000, bool mysql8, bool denied) {
    size_t len;
    char *text = make_lines(per_1000, &len, mysql8, denied);
    unsigned long counts[LOG_EVENT_KIND_COUNT] = {0};
    struct log_decoder *decoder = log_decoder_new(on_event, counts);
    double begin = cpu_seconds();
    int rounds = 0;
    for (; rounds < 200 && cpu_seconds() < begin + 1; rounds++)
        log_decoder_block(decoder, (struct span){text, len});
    log_decoder_flush(decoder);
    report(name, cpu_seconds() - begin, (unsigned long)log_decoder_lines(decoder), len * (size_t)rounds, counts);
    log_decoder_free(decoder);
    free(text);
}

static int read_file(const char *path) {
    static char block[BLOCK];
    unsigned long counts[LOG_EVENT_KIND_COUNT] = {0};
    struct log_decoder *decoder = log_decoder_new(on_event, counts);
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        perror(path);
        return 1;
    }
    size_t have = 0, bytes = 0;
    double begin = cpu_seconds();
    for (ssize_t n; (n = read(fd, block + have, sizeof block - have)) > 0;) {
        have += (size_t)n;
        bytes += (size_t)n;
        const char *end = memrchr(block, '\n', have);
        size_t whole = end ? (size_t)(end + 1 - block) : have;
        log_decoder_block(decoder, (struct span){block, whole});
        memmove(block, block + whole, have - whole);
        have -= whole;
    }
    log_decoder_block(decoder, (struct span){block, have});
    log_decoder_flush(decoder);
    report(path, cpu_seconds() - begin, (unsigned long)log_decoder_lines(decoder), bytes, counts);
    close(fd);
    log_decoder_free(decoder);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 1)
        return read_file(argv[1]);
    measure("MariaDB, 1 % aborts", 10, false, false);
    measure("MySQL 8, 1 % aborts", 10, true, false);
    measure("MariaDB, all aborts", 1000, false, false);
    measure("MySQL 8, all aborts", 1000, true, false);
    measure("MariaDB, all refused logins", 1000, false, true);
    return 0;
}
