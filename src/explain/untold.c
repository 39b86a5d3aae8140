/*
 * From sums and lines to the aborts that no line told of; see untold.h.
 */
#include "explain/untold.h"

#include "explain/account_sums.h"

#include <stdlib.h>
#include <string.h>

enum {
    NO_RIGHT = 1044,
    NO_DATABASE = 1049,
    OF_A_DUMP = 1105,
    READ_ERROR = 1158,
    READ_TIMEOUT = 1159,
    WRITE_ERROR = 1160,
};

/* What may be no abort. */
static const struct {
    unsigned number;
    enum doubt { BY_STATEMENTS, TWICE, BESIDE_ANOTHER, DOUBT_COUNT } why; /* those that are seldom aborts last */
} doubtful[ACCOUNT_DOUBTS] = {
    {NO_RIGHT, BY_STATEMENTS}, {NO_DATABASE, BY_STATEMENTS}, {READ_TIMEOUT, TWICE}, {WRITE_ERROR, BESIDE_ANOTHER}};

struct untold {
    struct account_sums sums;
};

static const struct pair {
    bool before_login;
    unsigned number, with_number;
} pairs[] = {
    {true, 1043, 1159},  {true, 1043, 1156},  {true, 1043, 1158},
    {false, 1158, 1160}, {false, 1105, 1160}, {false, 1045, 1873},
};
enum { PAIRS = sizeof pairs / sizeof *pairs };

/* Of these MySQL writes no line at any level, and they are no part of a pair, so that there is nothing to wait for.
 * (1040 has one on MariaDB.) */
static const unsigned lineless[] = {1040, 1129, 1130, 1203, 1226, 1862, 3159};

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

struct untold *untold_new(void) {
    struct untold *u = calloc(1, sizeof *u);
    if (!u || account_sums_init(&u->sums) != 0) {
        free(u);
        return NULL;
    }
    return u;
}

void untold_free(struct untold *u) {
    if (u)
        account_sums_release(&u->sums);
    free(u);
}

/* --- what comes --- */

static struct span text_of(struct span text) {
    return text.ptr ? text : span_of("");
}

void untold_sum(struct untold *u, struct mono now, const struct server_error *error) {
    account_sums_add(&u->sums, now, error);
}

void untold_lines(struct untold *u, struct span user, struct span host, unsigned number, unsigned with_number,
                  uint32_t n) {
    account_sums_add_lines(&u->sums, text_of(user), text_of(host), number, with_number, n);
}

bool untold_who(const struct untold *u, unsigned number, const char **user, const char **host) {
    const struct account *who = NULL;
    int row = account_row(number);
    for (size_t i = 0; row >= 0 && i < u->sums.count; i++) {
        const struct account *a = &u->sums.accounts[i];
        if (account_sum(a, row) == 0 || !account_may_be_nobody(a, number))
            continue;
        if (who || !a->known)
            return false;
        who = a;
    }
    if (!who)
        return false;
    *user = who->user;
    *host = who->host;
    return true;
}

uint64_t untold_open(const struct untold *u, struct span user, struct span host, unsigned number) {
    const struct account *a = account_sums_find(&u->sums, text_of(user), text_of(host));
    int row = account_row(number);
    if (!a || row < 0)
        return 0;
    uint64_t sum = account_sum(a, row), told = (uint64_t)a->told[row].fresh + a->told[row].old;
    return sum - least(sum, told);
}

/* --- what is left --- */

struct telling {
    struct account *account;
    struct mono now;
    bool untold;    /* where a line was to be expected, there was none */
    uint64_t alike; /* of what is to be told: what a KILL may have raised … */
    uint64_t ended; /* … and all that ended connections which had logged in, as far as it is sure */
    untold_fn *on_aborts;
    void *arg;
    uint64_t rivals[DOUBT_COUNT]; /* what is doubtful and not told yet */
};

static struct untold_aborts aborts_of(const struct telling *t, unsigned number, unsigned with_number, uint64_t n) {
    const struct account *a = t->account;
    return (struct untold_aborts){.number = number,
                                  .with_number = with_number,
                                  .user = a->user,
                                  .host = a->host,
                                  .account_known = a->known,
                                  .untold = t->untold,
                                  .late = !t->untold,
                                  .n = n,
                                  .from_wall_ns = a->from_wall_ns,
                                  .to_wall_ns = a->to_wall_ns};
}

static bool may_be_kill(const struct account *a, unsigned number, unsigned with_number) {
    return (a->user[0] != '\0' || !a->known) &&
           (number == WRITE_ERROR || (number == READ_ERROR && with_number == WRITE_ERROR));
}

static void tell(const struct telling *t, unsigned number, unsigned with_number, uint64_t n) {
    struct untold_aborts aborts = aborts_of(t, number, with_number, n);
    if (n == 0)
        return;
    if (may_be_kill(t->account, number, with_number)) {
        aborts.alike = t->alike;
        aborts.ended = t->ended;
    }
    t->on_aborts(t->arg, &aborts);
}

static bool doubt(struct account *a, unsigned number, uint64_t n) {
    for (int i = 0; i < ACCOUNT_DOUBTS; i++)
        if (doubtful[i].number == number) {
            a->doubts[0][i] += n;
            return true;
        }
    return false;
}

/* Takes the pair out of `sums`; returns how many there were. */
static uint64_t take_pair(const struct account *a, const struct pair *pair, uint64_t sums[ACCOUNT_CODES]) {
    uint64_t *first = &sums[account_row(pair->number)], *second = &sums[account_row(pair->with_number)];
    if (a->known && pair->before_login != (a->user[0] == '\0'))
        return 0;
    uint64_t n = least(*first, *second);
    *first -= n;
    *second -= n;
    return n;
}

/* Two numbers are most often one abort, but the second may be another's. */
static void tell_pairs(const struct telling *t, uint64_t sums[ACCOUNT_CODES]) {
    for (size_t i = 0; i < PAIRS; i++) {
        uint64_t n = take_pair(t->account, &pairs[i], sums);
        tell(t, pairs[i].number, pairs[i].with_number, n);
        if (pairs[i].number == READ_ERROR)
            doubt(t->account, WRITE_ERROR, n);
    }
}

static void tell_batch(const struct telling *t, struct batch *batch) {
    struct account *a = t->account;
    tell_pairs(t, batch->sums);
    uint64_t *writes = &batch->sums[account_row(WRITE_ERROR)], seconds = 0;
    if (a->user[0] == '\0' && a->known)
        *writes = 0; /* then it is always a second one */
    else
        seconds = told_take(&a->reads_told, *writes);
    *writes -= seconds;
    doubt(a, WRITE_ERROR, seconds);
    for (int row = 0; row < ACCOUNT_CODES; row++) {
        unsigned number = server_error_codes[row];
        if (number == WRITE_ERROR || !doubt(a, number, batch->sums[row]))
            tell(t, number, 0, batch->sums[row]);
    }
}

static void tell_lineless(const struct telling *t, struct account *a) {
    struct telling at_once = *t;
    at_once.account = a;
    for (unsigned i = 0; i < a->batch_count; i++)
        for (size_t l = 0; l < sizeof lineless / sizeof *lineless; l++) {
            uint64_t *sum = &a->batches[i].sums[account_row(lineless[l])];
            struct untold_aborts aborts = aborts_of(&at_once, lineless[l], 0, *sum);
            aborts.untold = aborts.late = false;
            if (*sum > 0)
                t->on_aborts(t->arg, &aborts);
            *sum = 0;
        }
}

/* Where lines tell nothing all is told with the next look. */
static bool is_due(const struct telling *t, const struct batch *batch) {
    return t->untold ? mono_between(batch->since, t->now) >= LINE_WITHIN_NS : batch->late;
}

/* --- what is due --- */

static void find_lone(const struct account *a, const struct batch *batch, uint64_t lone[ACCOUNT_CODES]) {
    memcpy(lone, batch->sums, sizeof batch->sums);
    for (size_t i = 0; i < PAIRS; i++)
        take_pair(a, &pairs[i], lone);
    uint64_t *writes = &lone[account_row(WRITE_ERROR)];
    *writes -= least(*writes, (uint64_t)a->reads_told.old + a->reads_told.fresh);
}

static void move(struct batch *to, struct batch *from, uint64_t lone_to[], uint64_t lone_from[], int row, int other) {
    uint64_t n = least(lone_from[row], lone_to[other]);
    to->sums[row] += n;
    from->sums[row] -= n;
    lone_from[row] -= n;
    lone_to[other] -= n;
}

/* An abort raises its two numbers one after the other, and a look reads number after number: it may find the one, and
 * the next look the other, in whichever order. */
static void join_looks(const struct account *a, struct batch *before, struct batch *after) {
    uint64_t lone_before[ACCOUNT_CODES], lone_after[ACCOUNT_CODES];
    find_lone(a, before, lone_before);
    find_lone(a, after, lone_after);
    for (size_t i = 0; i < PAIRS; i++) {
        int first = account_row(pairs[i].number), second = account_row(pairs[i].with_number);
        if (a->known && pairs[i].before_login != (a->user[0] == '\0'))
            continue;
        move(before, after, lone_before, lone_after, second, first);
        move(before, after, lone_before, lone_after, first, second);
    }
}

static unsigned count_due(const struct telling *t, const struct account *a) {
    unsigned due = 0;
    while (due < a->batch_count && is_due(t, &a->batches[due]))
        due++;
    return due;
}

/* Those of accounts that had logged in, or may have. */
static void count_ended(struct telling *t, const struct batch *batch) {
    static const unsigned alone[] = {1153, 1157, 1158, 1161, 1184, 1873, 4031};
    uint64_t writes = batch->sums[account_row(WRITE_ERROR)], of_dumps = batch->sums[account_row(OF_A_DUMP)];
    uint64_t reads = batch->sums[account_row(READ_ERROR)], others = writes - least(writes, of_dumps);
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        t->ended += batch->sums[account_row(alone[i])];
    t->ended += writes - least(others, reads);
    t->alike += others;
}

/* Each batch that is due has what the next one knows of it. */
static void prepare(struct telling *t, struct account *a) {
    for (unsigned i = 0, due = count_due(t, a); i < due; i++) {
        struct batch *batch = &a->batches[i];
        if (i + 1 < a->batch_count)
            join_looks(a, batch, batch + 1);
        if (may_be_kill(a, WRITE_ERROR, 0))
            count_ended(t, batch);
    }
}

static void settle(struct telling *t, struct account *a) {
    unsigned due = count_due(t, a);
    t->account = a;
    for (unsigned i = 0; i < due; i++)
        tell_batch(t, &a->batches[i]);
    a->batch_count -= due;
    memmove(a->batches, a->batches + due, a->batch_count * sizeof *a->batches);
}

/* --- doubts --- */

static uint64_t doubts_of(const struct account *a, int i) {
    uint64_t n = 0;
    for (int poll = 0; poll < DOUBT_POLLS; poll++)
        n += a->doubts[poll][i];
    return n;
}

static void offer(struct telling *t, int i) {
    struct account *a = t->account;
    uint64_t n = doubts_of(a, i), *rivals = &t->rivals[doubtful[i].why];
    struct untold_aborts aborts = aborts_of(t, doubtful[i].number, 0, n);
    aborts.doubtful = true;
    aborts.rivals = *rivals - n;
    uint64_t taken = n > 0 ? least(n, t->on_aborts(t->arg, &aborts)) : 0;
    *rivals -= taken;
    if (doubtful[i].why == TWICE) /* the second ones, too */
        taken = least(n, 2 * taken);
    for (int poll = DOUBT_POLLS - 1; poll >= 0; poll--) { /* the oldest first */
        uint64_t part = least(taken, a->doubts[poll][i]);
        a->doubts[poll][i] -= part;
        taken -= part;
    }
}

/* All that is doubtful, and what still waits for lines. */
static void count_rivals(struct telling *t, const struct account *a) {
    for (int k = 0; k < ACCOUNT_DOUBTS; k++)
        t->rivals[doubtful[k].why] += doubts_of(a, k);
    for (unsigned b = 0; t->untold && b < a->batch_count; b++)
        for (int row = 0; row < ACCOUNT_CODES; row++)
            t->rivals[BESIDE_ANOTHER] += a->batches[b].sums[row];
}

/* Once told, what is doubtful may have been counted by the poll after its sums, and what is sure and was not counted
 * yet may have taken its rise: it is offered with the next polls again, but where lines are waited for: what the
 * counters rose by then may be anybody's. */
static void tell_doubts(struct telling *t, struct account *accounts, size_t count) {
    for (size_t i = 0; i < count; i++)
        count_rivals(t, &accounts[i]);
    for (int k = 0; k < ACCOUNT_DOUBTS; k++)
        for (size_t i = 0; i < count; i++) {
            t->account = &accounts[i];
            offer(t, k);
        }
    for (size_t i = 0; i < count; i++) {
        struct account *a = &accounts[i];
        if (t->untold)
            memset(a->doubts, 0, sizeof a->doubts);
        memmove(a->doubts[1], a->doubts[0], (DOUBT_POLLS - 1) * sizeof a->doubts[0]);
        memset(a->doubts[0], 0, sizeof a->doubts[0]);
        for (int k = 0; k < ACCOUNT_DOUBTS; k++) /* of clients' ends more may come meanwhile that no sum tells of */
            if (doubtful[k].why != BY_STATEMENTS)
                a->doubts[DOUBT_POLLS - 1][k] = 0;
    }
}

static void grow_late(struct account *a) {
    for (unsigned i = 0; i < a->batch_count; i++)
        a->batches[i].late = true;
}

void untold_settle(struct untold *u, struct mono now, enum untold_log log, untold_fn *on_aborts, void *arg) {
    struct telling t = {.now = now, .untold = log != UNTOLD_SILENT, .on_aborts = on_aborts, .arg = arg};
    struct account *accounts = u->sums.accounts;
    size_t count = u->sums.count;
    account_sums_cancel(&u->sums);
    for (size_t i = 0; log != UNTOLD_MARIADB && i < count; i++)
        tell_lineless(&t, &accounts[i]);
    for (size_t i = 0; i < count; i++)
        prepare(&t, &accounts[i]);
    for (size_t i = 0; i < count; i++)
        settle(&t, &accounts[i]);
    tell_doubts(&t, accounts, count);
    for (size_t i = 0; !t.untold && i < count; i++)
        grow_late(&accounts[i]);
    account_sums_end(&u->sums, now);
}
