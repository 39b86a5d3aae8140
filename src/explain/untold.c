/*
 * From sums and lines to the aborts that no line told of; see untold.h. There is an entry for each account of which
 * anything waits, and the first entry is for all that have no place.
 */
#include "explain/untold.h"

#include <stdlib.h>
#include <string.h>

enum { ACCOUNTS_MAX = 256, CODES = SERVER_ERROR_CODE_COUNT, BATCHES_MAX = 6 };

/* A line that was written before a look may be read so long after it: the decoder holds some back for a second, to see
 * whether they go on in the next. */
#define LINE_WITHIN_NS (2500 * NS_PER_MS)
/* What came within so long waits together. */
#define BATCH_NS (500 * NS_PER_MS)

enum {
    NO_RIGHT = 1044,
    LOGIN_REFUSED = 1045,
    NO_DATABASE = 1049,
    READ_ERROR = 1158,
    READ_TIMEOUT = 1159,
    WRITE_ERROR = 1160,
};

/* What may be no abort. */
static const struct {
    unsigned number;
    enum doubt { BY_STATEMENTS, TWICE, BESIDE_ANOTHER, DOUBT_COUNT } why; /* those that are seldom aborts last */
} doubtful[] = {
    {NO_RIGHT, BY_STATEMENTS}, {NO_DATABASE, BY_STATEMENTS}, {READ_TIMEOUT, TWICE}, {WRITE_ERROR, BESIDE_ANOTHER}};
enum { DOUBTS = sizeof doubtful / sizeof *doubtful };

/* Lines may come before their sum, which may come a look late: they wait over two looks that are as far apart as that,
 * and old ones are dropped with the second. */
struct told {
    uint32_t fresh, old;
};

/* Sums that came at about the same time. */
struct batch {
    struct mono since;
    bool late; /* a poll has ended since they came */
    uint64_t sums[CODES];
};

struct account {
    char *user, *host;
    uint32_t hash;
    bool known;
    int64_t from_wall_ns, to_wall_ns;
    struct batch batches[BATCHES_MAX]; /* the oldest first */
    unsigned batch_count;
    struct told told[CODES];
    uint64_t reads_told;                           /* lost connections that lines told of: some raise 1160, too */
    uint64_t doubts[DOUBTS], fresh_doubts[DOUBTS]; /* as `doubtful`: of the look before, and of the last one */
};

struct untold {
    struct account *accounts;
    size_t count;
    struct mono aged; /* when lines last became old */
};

static const struct pair {
    bool before_login;
    unsigned number, with_number;
} pairs[] = {
    {true, 1043, 1159},  {true, 1043, 1156},  {true, 1043, 1158},
    {false, 1158, 1160}, {false, 1105, 1160}, {false, 1045, 1873},
};

/* All that the log words as a refused login, whichever number it has. */
static const unsigned refusals[] = {1044, 1130, 3118, 3955};

/* Of these MySQL writes no line at any level, so that there is nothing to wait for. (1040 has one on MariaDB.) */
static const unsigned lineless[] = {1040, 1129, 1130, 1203, 1226, 1862, 3159};

static int row_of(unsigned code) {
    for (int i = 0; i < CODES; i++)
        if (server_error_codes[i] == code)
            return i;
    return -1;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

struct untold *untold_new(void) {
    struct untold *u = calloc(1, sizeof *u);
    if (u)
        u->accounts = calloc(1, sizeof *u->accounts);
    if (!u || !u->accounts || !(u->accounts->user = strdup("")) || !(u->accounts->host = strdup(""))) {
        untold_free(u);
        return NULL;
    }
    u->count = 1;
    return u;
}

static void free_texts(struct account *a) {
    free(a->user);
    free(a->host);
}

void untold_free(struct untold *u) {
    if (!u)
        return;
    for (size_t i = 0; u->accounts && i < (u->count ? u->count : 1); i++)
        free_texts(&u->accounts[i]);
    free(u->accounts);
    free(u);
}

/* --- accounts --- */

static struct account *find_or_add(struct untold *u, struct span user, struct span host) {
    uint32_t hash = span_hash(user) * 31 + span_hash(host);
    for (size_t i = 1; i < u->count; i++) {
        struct account *a = &u->accounts[i];
        if (a->hash == hash && span_is(user, a->user) && span_is(host, a->host))
            return a;
    }
    struct account *accounts =
        u->count < ACCOUNTS_MAX ? reallocarray(u->accounts, u->count + 1, sizeof *accounts) : NULL;
    if (!accounts)
        return u->accounts;
    u->accounts = accounts;
    struct account *a = &accounts[u->count];
    *a = (struct account){.user = strndup(user.ptr, user.len), .host = strndup(host.ptr, host.len), .hash = hash};
    if (!a->user || !a->host) {
        free_texts(a);
        return accounts;
    }
    a->known = true;
    u->count++;
    return a;
}

static bool is_empty(const struct batch *batch) {
    for (int i = 0; i < CODES; i++)
        if (batch->sums[i])
            return false;
    return true;
}

static bool waits(const struct account *a) {
    for (unsigned i = 0; i < a->batch_count; i++)
        if (!is_empty(&a->batches[i]))
            return true;
    return false;
}

static bool is_idle(const struct account *a) {
    for (int i = 0; i < CODES; i++)
        if (a->told[i].fresh || a->told[i].old)
            return false;
    for (int i = 0; i < DOUBTS; i++)
        if (a->doubts[i] || a->fresh_doubts[i])
            return false;
    return !waits(a);
}

static void forget_idle(struct untold *u) {
    size_t kept = 1;
    for (size_t i = 1; i < u->count; i++) {
        if (is_idle(&u->accounts[i]))
            free_texts(&u->accounts[i]);
        else
            u->accounts[kept++] = u->accounts[i];
    }
    u->count = kept;
}

/* --- what comes --- */

static struct span text_of(struct span text) {
    return text.ptr ? text : span_of("");
}

void untold_sum(struct untold *u, struct mono now, const struct server_error *error) {
    int row = row_of(error->code);
    if (row < 0)
        return;
    struct account *a = error->account_known ? find_or_add(u, span_of(error->user), span_of(error->host)) : u->accounts;
    if (!waits(a)) {
        a->from_wall_ns = error->from_wall_ns;
        a->batch_count = 0;
    }
    struct batch *last = a->batch_count > 0 ? &a->batches[a->batch_count - 1] : NULL;
    bool is_over = last && (last->late || mono_between(last->since, now) >= BATCH_NS);
    if (!last || (is_over && a->batch_count < BATCHES_MAX)) {
        last = &a->batches[a->batch_count++];
        *last = (struct batch){.since = now};
    }
    last->sums[row] += error->increase;
    a->to_wall_ns = error->to_wall_ns;
}

void untold_lines(struct untold *u, struct span user, struct span host, unsigned number, unsigned with_number,
                  uint32_t n) {
    struct account *a = find_or_add(u, text_of(user), text_of(host));
    const unsigned numbers[] = {number, with_number};
    for (int i = 0; i < 2; i++) {
        int row = row_of(numbers[i]);
        if (row >= 0 && a->told[row].fresh <= UINT32_MAX / 2 && n <= UINT32_MAX / 2)
            a->told[row].fresh += n;
    }
}

/* --- lines against sums --- */

static uint32_t take(uint32_t *told, uint64_t *sum) {
    uint32_t n = (uint32_t)least(*told, *sum);
    *told -= n;
    *sum -= n;
    return n;
}

static void cancel_row(struct told *told, struct account *of_sums, int row) {
    uint32_t n = 0;
    for (unsigned i = 0; i < of_sums->batch_count; i++)
        n += take(&told->old, &of_sums->batches[i].sums[row]) + take(&told->fresh, &of_sums->batches[i].sums[row]);
    if (server_error_codes[row] == READ_ERROR)
        of_sums->reads_told += n;
}

static void cancel(struct account *of_lines, struct account *of_sums, int row) {
    struct told *told = &of_lines->told[row];
    cancel_row(told, of_sums, row);
    for (size_t i = 0; server_error_codes[row] == LOGIN_REFUSED && i < sizeof refusals / sizeof *refusals; i++)
        cancel_row(told, of_sums, row_of(refusals[i]));
}

/* A line may name the account's host, not the client's. Before the login it names nobody, nor of a database that does
 * not exist. */
static bool may_be_of(const char *line_user, const struct account *sum, unsigned code) {
    if (line_user[0] == '\0')
        return sum->user[0] == '\0' || code == 1049;
    return !sum->known || strcmp(line_user, sum->user) == 0;
}

/* Those that have no place come last. */
static void cancel_elsewhere(struct untold *u, struct account *line, int row) {
    for (size_t i = 1; i <= u->count && line->told[row].fresh + line->told[row].old > 0; i++)
        if (may_be_of(line->user, &u->accounts[i % u->count], server_error_codes[row]))
            cancel(line, &u->accounts[i % u->count], row);
}

static void cancel_all(struct untold *u) {
    for (int row = 0; row < CODES; row++) {
        for (size_t i = 0; i < u->count; i++)
            cancel(&u->accounts[i], &u->accounts[i], row);
        for (size_t i = 0; i < u->count; i++)
            cancel_elsewhere(u, &u->accounts[i], row);
    }
}

static bool has_sum(const struct account *a, int row) {
    for (unsigned i = 0; i < a->batch_count; i++)
        if (a->batches[i].sums[row])
            return true;
    return false;
}

uint64_t untold_waiting(const struct untold *u, unsigned number) {
    int row = row_of(number);
    uint64_t sum = 0;
    for (size_t i = 0; row >= 0 && i < u->count; i++)
        for (unsigned k = 0; k < u->accounts[i].batch_count; k++)
            sum += u->accounts[i].batches[k].sums[row];
    return sum;
}

bool untold_who(const struct untold *u, unsigned number, const char **user, const char **host) {
    const struct account *who = NULL;
    int row = row_of(number);
    for (size_t i = 0; row >= 0 && i < u->count; i++) {
        const struct account *a = &u->accounts[i];
        if (!has_sum(a, row) || !may_be_of("", a, number))
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

static void grow_old(struct account *a) {
    for (int row = 0; row < CODES; row++) {
        a->told[row].old = a->told[row].fresh;
        a->told[row].fresh = 0;
    }
}

/* --- what is left --- */

struct telling {
    struct account *account;
    bool untold; /* where a line was to be expected, there was none */
    bool late;   /* what came with the look before, not with this one */
    bool again;  /* what is doubtful is offered a second time */
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
                                  .late = t->late,
                                  .n = n,
                                  .from_wall_ns = a->from_wall_ns,
                                  .to_wall_ns = a->to_wall_ns};
}

static void tell(const struct telling *t, unsigned number, unsigned with_number, uint64_t n) {
    struct untold_aborts aborts = aborts_of(t, number, with_number, n);
    if (n > 0)
        t->on_aborts(t->arg, &aborts);
}

static bool doubt(struct account *a, unsigned number, uint64_t n) {
    for (int i = 0; i < DOUBTS; i++)
        if (doubtful[i].number == number) {
            a->fresh_doubts[i] += n;
            return true;
        }
    return false;
}

/* Two numbers are most often one abort, but the second may be another's. */
static void tell_pairs(const struct telling *t, uint64_t sums[CODES], bool before_login) {
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        uint64_t *first = &sums[row_of(pairs[i].number)], *second = &sums[row_of(pairs[i].with_number)];
        if (pairs[i].before_login != before_login && t->account->known)
            continue;
        uint64_t n = least(*first, *second);
        *first -= n;
        *second -= n;
        tell(t, pairs[i].number, pairs[i].with_number, n);
        if (pairs[i].number == READ_ERROR)
            doubt(t->account, WRITE_ERROR, n);
    }
}

static void tell_batch(const struct telling *t, struct batch *batch) {
    struct account *a = t->account;
    bool before_login = a->user[0] == '\0';
    tell_pairs(t, batch->sums, before_login);
    uint64_t *writes = &batch->sums[row_of(WRITE_ERROR)], seconds = least(*writes, a->reads_told);
    if (before_login && a->known)
        *writes = seconds = 0; /* then it is always a second one */
    a->reads_told -= seconds;
    *writes -= seconds;
    doubt(a, WRITE_ERROR, seconds);
    for (int row = 0; row < CODES; row++) {
        unsigned number = server_error_codes[row];
        if (number == WRITE_ERROR || !doubt(a, number, batch->sums[row]))
            tell(t, number, 0, batch->sums[row]);
    }
}

static void tell_lineless(const struct telling *t, struct account *a) {
    struct telling at_once = *t;
    at_once.untold = false;
    for (unsigned i = 0; i < a->batch_count; i++)
        for (size_t l = 0; l < sizeof lineless / sizeof *lineless; l++) {
            uint64_t *sum = &a->batches[i].sums[row_of(lineless[l])];
            tell(&at_once, lineless[l], 0, *sum);
            *sum = 0;
        }
}

/* Where lines tell nothing all is told at once, or else with the next look. */
static bool is_due(const struct telling *t, const struct batch *batch, struct mono now) {
    if (t->untold)
        return mono_between(batch->since, now) >= LINE_WITHIN_NS;
    bool may_be_kill = batch->sums[row_of(WRITE_ERROR)] > 0 && (t->account->user[0] != '\0' || !t->account->known);
    return t->late ? batch->late : !may_be_kill;
}

static void settle(const struct telling *t, struct mono now) {
    struct account *a = t->account;
    unsigned done = 0;
    while (done < a->batch_count && is_due(t, &a->batches[done], now))
        tell_batch(t, &a->batches[done++]);
    a->batch_count -= done;
    memmove(a->batches, a->batches + done, a->batch_count * sizeof *a->batches);
    if (!waits(a))
        a->reads_told = 0;
}

/* --- doubts --- */

static void offer(struct telling *t, int i) {
    uint64_t *n = &t->account->doubts[i], *rivals = &t->rivals[doubtful[i].why];
    struct untold_aborts aborts = aborts_of(t, doubtful[i].number, 0, *n);
    aborts.doubtful = true;
    aborts.rivals = *rivals - *n;
    uint64_t taken = *n > 0 ? least(*n, t->on_aborts(t->arg, &aborts)) : 0;
    *rivals -= taken;
    *n -= taken;
}

/* All that is doubtful, and what still waits for lines. */
static void count_rivals(struct telling *t, const struct untold *u) {
    for (size_t i = 0; i < u->count; i++) {
        const struct account *a = &u->accounts[i];
        for (int k = 0; k < DOUBTS; k++)
            t->rivals[doubtful[k].why] += a->doubts[k] + (t->again ? a->fresh_doubts[k] : 0);
        for (unsigned b = 0; t->untold && b < a->batch_count; b++)
            for (int row = 0; row < CODES; row++)
                t->rivals[BESIDE_ANOTHER] += a->batches[b].sums[row];
    }
}

/* What the counters rose by at a later look may be anybody's. */
static void tell_doubts(struct telling *t, struct untold *u) {
    count_rivals(t, u);
    for (int k = 0; k < DOUBTS; k++)
        for (size_t i = 0; i < u->count; i++) {
            t->account = &u->accounts[i];
            offer(t, k);
        }
}

static void take_doubts(struct untold *u) {
    for (size_t i = 0; i < u->count; i++)
        for (int k = 0; k < DOUBTS; k++) {
            u->accounts[i].doubts[k] += u->accounts[i].fresh_doubts[k];
            u->accounts[i].fresh_doubts[k] = 0;
        }
}

static void drop_doubts(struct untold *u) {
    for (size_t i = 0; i < u->count; i++)
        memset(u->accounts[i].doubts, 0, sizeof u->accounts[i].doubts);
}

static void settle_all(struct telling *t, struct untold *u, struct mono now) {
    for (size_t i = 0; i < u->count; i++) {
        t->account = &u->accounts[i];
        settle(t, now);
    }
}

static void grow_late(struct untold *u) {
    for (size_t i = 0; i < u->count; i++)
        for (unsigned b = 0; b < u->accounts[i].batch_count; b++)
            u->accounts[i].batches[b].late = true;
}

/* A look reads number after number: of an abort's two it may have the second alone, and the next look the first. */
static void join_looks(struct account *a) {
    uint64_t *before = a->batches[0].sums, *now = a->batches[1].sums;
    int read = row_of(READ_ERROR), write = row_of(WRITE_ERROR);
    if (a->batch_count < 2 || !a->batches[0].late || a->batches[1].late)
        return;
    uint64_t lone_writes = before[write] - least(before[write], before[read]);
    uint64_t n = least(lone_writes, now[read] - least(now[read], now[write]));
    before[read] += n;
    now[read] -= n;
}

/* What is doubtful waits for a look, until the counters have been read after it, and for all that is sure and came
 * before it. */
static void settle_silent(struct telling *t, struct untold *u, struct mono now) {
    drop_doubts(u);
    for (size_t i = 0; i < u->count; i++)
        join_looks(&u->accounts[i]);
    t->late = true;
    settle_all(t, u, now);
    take_doubts(u);
    tell_doubts(t, u);
    t->late = false;
    settle_all(t, u, now);
    grow_late(u);
}

static void settle_against_lines(struct telling *t, struct untold *u, struct mono now, bool mysql) {
    for (size_t i = 0; mysql && i < u->count; i++) {
        t->account = &u->accounts[i];
        tell_lineless(t, t->account);
    }
    settle_all(t, u, now);
    take_doubts(u);
    tell_doubts(t, u);
    drop_doubts(u);
}

void untold_offer_again(struct untold *u, untold_fn *on_aborts, void *arg) {
    struct telling t = {.again = true, .late = true, .on_aborts = on_aborts, .arg = arg};
    tell_doubts(&t, u);
    drop_doubts(u);
}

void untold_settle(struct untold *u, struct mono now, enum untold_log log, untold_fn *on_aborts, void *arg) {
    struct telling t = {.untold = log != UNTOLD_SILENT, .on_aborts = on_aborts, .arg = arg};
    cancel_all(u);
    if (log == UNTOLD_SILENT)
        settle_silent(&t, u, now);
    else
        settle_against_lines(&t, u, now, log == UNTOLD_MYSQL);
    if (mono_between(u->aged, now) >= LINE_WITHIN_NS) {
        u->aged = now;
        for (size_t i = 0; i < u->count; i++)
            grow_old(&u->accounts[i]);
    }
    forget_idle(u);
}
