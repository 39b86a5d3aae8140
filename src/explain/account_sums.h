/*
 * What waits of MySQL's sums of errors, by account and by look, and of the lines that tell of the same: each takes the
 * other away. The heap that untold.h tells from.
 */
#ifndef EXPLAIN_ACCOUNT_SUMS_H
#define EXPLAIN_ACCOUNT_SUMS_H

#include "base/clock.h"
#include "base/text.h"
#include "observe/server_errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ACCOUNT_CODES = SERVER_ERROR_CODE_COUNT, ACCOUNT_BATCHES_MAX = 6, ACCOUNT_DOUBTS = 4, DOUBT_POLLS = 3 };

/* A line that was written before a look may be read so long after it: the decoder holds some back for a second, to see
 * whether they go on in the next. */
#define LINE_WITHIN_NS (2500 * NS_PER_MS)

/* Lines may come before their sum, which may come a look late: they wait over two looks that are as far apart as that,
 * and old ones are dropped with the second. */
struct told {
    uint32_t fresh, old;
};

/* Sums that came at about the same time. */
struct batch {
    struct mono since;
    bool late; /* a poll has ended since they came */
    uint64_t sums[ACCOUNT_CODES];
};

struct account {
    char *user, *host; /* owned */
    uint32_t hash;
    bool known;
    int64_t from_wall_ns, to_wall_ns;
    struct batch batches[ACCOUNT_BATCHES_MAX]; /* the oldest first */
    unsigned batch_count;
    struct told told[ACCOUNT_CODES];
    struct told reads_told; /* lost connections that lines told of: some raise a write error, too */
    uint64_t doubts[DOUBT_POLLS][ACCOUNT_DOUBTS]; /* what is doubtful of the batches told last, and of those before */
};

/* An entry for each account of which anything waits; the first is for all that have no place. */
struct account_sums {
    struct account *accounts;
    size_t count;
    struct mono aged; /* when lines last became old */
};

int account_sums_init(struct account_sums *sums); /* -ENOMEM */
void account_sums_release(struct account_sums *sums);

void account_sums_add(struct account_sums *sums, struct mono now, const struct server_error *error);
/* `n` lines, each of which tells of what raises these numbers; "" names nobody. */
void account_sums_add_lines(struct account_sums *sums, struct span user, struct span host, unsigned number,
                            unsigned with_number, uint32_t n);
/* Lines against sums. */
void account_sums_cancel(struct account_sums *sums);
/* At the end of a poll: lines grow old, and accounts of which nothing waits are forgotten. */
void account_sums_end(struct account_sums *sums, struct mono now);

/* NULL: nothing waits of it, or it has no place. */
struct account *account_sums_find(const struct account_sums *sums, struct span user, struct span host);
int account_row(unsigned code); /* in `sums` and `told`; -1 for a code that is not looked at */
uint64_t account_sum(const struct account *account, int row);
bool account_waits(const struct account *account);
/* Whether a line without a user may be of it: before the login, or of a database that does not exist. */
bool account_may_be_nobody(const struct account *account, unsigned code);
/* At most `n` of what is told, the old first; returns how many. */
uint64_t told_take(struct told *told, uint64_t n);

#endif
