/*
 * Sums and lines that wait; see account_sums.h.
 */
#include "explain/account_sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ACCOUNTS_MAX = 256, LOGIN_REFUSED = 1045, NO_DATABASE = 1049, READ_ERROR = 1158 };

/* What came within so long waits together. */
#define BATCH_NS (500 * NS_PER_MS)

/* All that the log words as a refused login, whichever number it has. */
static const unsigned refusals[] = {1044, 1130, 3118, 3955};

int account_row(unsigned code) {
    for (int i = 0; i < ACCOUNT_CODES; i++)
        if (server_error_codes[i] == code)
            return i;
    return -1;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* --- accounts --- */

static void free_texts(struct account *a) {
    free(a->user);
    free(a->host);
}

int account_sums_init(struct account_sums *sums) {
    *sums = (struct account_sums){.accounts = calloc(1, sizeof *sums->accounts), .count = 1};
    if (!sums->accounts || !(sums->accounts->user = strdup("")) || !(sums->accounts->host = strdup(""))) {
        account_sums_release(sums);
        return -ENOMEM;
    }
    return 0;
}

void account_sums_release(struct account_sums *sums) {
    for (size_t i = 0; sums->accounts && i < sums->count; i++)
        free_texts(&sums->accounts[i]);
    free(sums->accounts);
    *sums = (struct account_sums){.count = 0};
}

static uint32_t hash_of(struct span user, struct span host) {
    return span_hash(user) * 31 + span_hash(host);
}

struct account *account_sums_find(const struct account_sums *sums, struct span user, struct span host) {
    uint32_t hash = hash_of(user, host);
    for (size_t i = 1; i < sums->count; i++) {
        struct account *a = &sums->accounts[i];
        if (a->hash == hash && span_is(user, a->user) && span_is(host, a->host))
            return a;
    }
    return NULL;
}

static struct account *find_or_add(struct account_sums *sums, struct span user, struct span host) {
    struct account *found = account_sums_find(sums, user, host);
    if (found)
        return found;
    struct account *accounts =
        sums->count < ACCOUNTS_MAX ? reallocarray(sums->accounts, sums->count + 1, sizeof *accounts) : NULL;
    if (!accounts)
        return sums->accounts;
    sums->accounts = accounts;
    struct account *a = &accounts[sums->count];
    *a = (struct account){
        .user = strndup(user.ptr, user.len), .host = strndup(host.ptr, host.len), .hash = hash_of(user, host)};
    if (!a->user || !a->host) {
        free_texts(a);
        return accounts;
    }
    a->known = true;
    sums->count++;
    return a;
}

uint64_t account_sum(const struct account *a, int row) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < a->batch_count; i++)
        sum += a->batches[i].sums[row];
    return sum;
}

bool account_waits(const struct account *a) {
    for (int row = 0; row < ACCOUNT_CODES; row++)
        if (account_sum(a, row))
            return true;
    return false;
}

static bool is_idle(const struct account *a) {
    for (int i = 0; i < ACCOUNT_CODES; i++)
        if (a->told[i].fresh || a->told[i].old)
            return false;
    for (int poll = 0; poll < DOUBT_POLLS; poll++)
        for (int i = 0; i < ACCOUNT_DOUBTS; i++)
            if (a->doubts[poll][i])
                return false;
    return !account_waits(a) && !a->reads_told.fresh && !a->reads_told.old;
}

static void forget_idle(struct account_sums *sums) {
    size_t kept = 1;
    for (size_t i = 1; i < sums->count; i++) {
        if (is_idle(&sums->accounts[i]))
            free_texts(&sums->accounts[i]);
        else
            sums->accounts[kept++] = sums->accounts[i];
    }
    sums->count = kept;
}

/* --- what comes --- */

void account_sums_add(struct account_sums *sums, struct mono now, const struct server_error *error) {
    int row = account_row(error->code);
    if (row < 0)
        return;
    struct account *a =
        error->account_known ? find_or_add(sums, span_of(error->user), span_of(error->host)) : sums->accounts;
    if (!account_waits(a)) {
        a->from_wall_ns = error->from_wall_ns;
        a->batch_count = 0;
    }
    struct batch *last = a->batch_count > 0 ? &a->batches[a->batch_count - 1] : NULL;
    bool is_over = last && (last->late || mono_between(last->since, now) >= BATCH_NS);
    if (!last || (is_over && a->batch_count < ACCOUNT_BATCHES_MAX)) {
        last = &a->batches[a->batch_count++];
        *last = (struct batch){.since = now};
    }
    last->sums[row] += error->increase;
    a->to_wall_ns = error->to_wall_ns;
}

void account_sums_add_lines(struct account_sums *sums, struct span user, struct span host, unsigned number,
                            unsigned with_number, uint32_t n) {
    struct account *a = find_or_add(sums, user, host);
    const unsigned numbers[] = {number, with_number};
    for (int i = 0; i < 2; i++) {
        int row = account_row(numbers[i]);
        if (row >= 0 && a->told[row].fresh <= UINT32_MAX / 2 && n <= UINT32_MAX / 2)
            a->told[row].fresh += n;
    }
}

/* --- lines against sums --- */

uint64_t told_take(struct told *told, uint64_t n) {
    uint32_t old = (uint32_t)least(told->old, n), fresh = (uint32_t)least(told->fresh, n - old);
    told->old -= old;
    told->fresh -= fresh;
    return old + fresh;
}

static void cancel_row(struct told *told, struct account *of_sums, int row) {
    for (unsigned i = 0; i < of_sums->batch_count; i++) {
        uint64_t *sum = &of_sums->batches[i].sums[row], n = told_take(told, *sum);
        *sum -= n;
        if (server_error_codes[row] == READ_ERROR)
            of_sums->reads_told.fresh += (uint32_t)n;
    }
}

static void cancel(struct account *of_lines, struct account *of_sums, int row) {
    struct told *told = &of_lines->told[row];
    cancel_row(told, of_sums, row);
    for (size_t i = 0; server_error_codes[row] == LOGIN_REFUSED && i < sizeof refusals / sizeof *refusals; i++)
        cancel_row(told, of_sums, account_row(refusals[i]));
}

bool account_may_be_nobody(const struct account *a, unsigned code) {
    return a->user[0] == '\0' || code == NO_DATABASE;
}

/* A line may name the account's host, not the client's. */
static bool may_be_of(const char *line_user, const struct account *sum, unsigned code) {
    if (line_user[0] == '\0')
        return account_may_be_nobody(sum, code);
    return !sum->known || strcmp(line_user, sum->user) == 0;
}

/* Those that have no place come last. */
static void cancel_elsewhere(struct account_sums *sums, struct account *line, int row) {
    for (size_t i = 1; i <= sums->count && line->told[row].fresh + line->told[row].old > 0; i++)
        if (may_be_of(line->user, &sums->accounts[i % sums->count], server_error_codes[row]))
            cancel(line, &sums->accounts[i % sums->count], row);
}

void account_sums_cancel(struct account_sums *sums) {
    for (int row = 0; row < ACCOUNT_CODES; row++) {
        for (size_t i = 0; i < sums->count; i++)
            cancel(&sums->accounts[i], &sums->accounts[i], row);
        for (size_t i = 0; i < sums->count; i++)
            cancel_elsewhere(sums, &sums->accounts[i], row);
    }
}

/* --- the end of a poll --- */

static void grow_old(struct told *told) {
    *told = (struct told){.old = told->fresh};
}

void account_sums_end(struct account_sums *sums, struct mono now) {
    bool aged = mono_between(sums->aged, now) >= LINE_WITHIN_NS;
    for (size_t i = 0; aged && i < sums->count; i++) {
        for (int row = 0; row < ACCOUNT_CODES; row++)
            grow_old(&sums->accounts[i].told[row]);
        grow_old(&sums->accounts[i].reads_told);
    }
    if (aged)
        sums->aged = now;
    forget_idle(sums);
}
