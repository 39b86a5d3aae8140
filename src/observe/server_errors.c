/*
 * From the server's sums to what came; see server_errors.h.
 */
#include "observe/server_errors.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 255 };

struct account {
    uint64_t sum;
    uint32_t hash;
    uint64_t increase; /* of this look */
};

struct server_errors {
    bool based, accounts_based; /* where the sums stand is known */
    struct {
        uint64_t sum;
        int64_t pending; /* came by the sum over all accounts, and by none of them; below 0: they were ahead */
        int64_t missing[SERVER_ERROR_LOOKS]; /* pending at the ends of the looks before, the last first */
        uint64_t without_account;
    } codes[SERVER_ERROR_CODE_COUNT];
    struct account *accounts;
    struct server_error_count *counts; /* as accounts */
    size_t count, refused;             /* refused: those of logins that were */
    uint64_t steps;
    int64_t last_wall_ns;
};

const unsigned server_error_codes[SERVER_ERROR_CODE_COUNT] = {
#define SERVER_ERROR_CODE(code, name) code,
    SERVER_ERROR_CODES(SERVER_ERROR_CODE)
#undef SERVER_ERROR_CODE
};

static int row_of(unsigned code) {
    for (int i = 0; i < SERVER_ERROR_CODE_COUNT; i++)
        if (server_error_codes[i] == code)
            return i;
    return -1;
}

const char *server_error_name(unsigned code) {
#define SERVER_ERROR_NAME(number, name) name,
    static const char *const names[] = {SERVER_ERROR_CODES(SERVER_ERROR_NAME)};
#undef SERVER_ERROR_NAME
    int row = row_of(code);
    return row < 0 ? NULL : names[row];
}

struct server_errors *server_errors_new(void) {
    return calloc(1, sizeof(struct server_errors));
}

void server_errors_free(struct server_errors *e) {
    if (!e)
        return;
    for (size_t i = 0; i < e->count; i++) {
        union {
            const char *ours;
            void *to_free;
        } text = {e->counts[i].user};
        free(text.to_free);
    }
    free(e->accounts);
    free(e->counts);
    free(e);
}

/* What came since `*last` was read. */
static uint64_t step(struct server_errors *e, uint64_t *last, uint64_t sum) {
    uint64_t increase = sum - *last;
    if (sum < *last) {
        e->steps++;
        increase = sum;
    }
    *last = sum;
    return increase;
}

void server_errors_global(struct server_errors *e, unsigned code, uint64_t sum) {
    int row = row_of(code);
    if (row < 0 || sum > INT64_MAX / 2)
        return;
    uint64_t increase = step(e, &e->codes[row].sum, sum);
    e->codes[row].pending += e->based ? (int64_t)increase : 0;
}

size_t server_errors_asked(const struct server_errors *e, unsigned codes[SERVER_ERROR_CODE_COUNT]) {
    size_t count = 0;
    for (int i = 0; i < SERVER_ERROR_CODE_COUNT; i++)
        if (e->accounts_based ? e->codes[i].pending > 0 : e->codes[i].sum > 0)
            codes[count++] = server_error_codes[i];
    return count;
}

/* --- by account --- */

static struct span cut(struct span text) {
    if (!text.ptr)
        return span_of("");
    text.len = strnlen(text.ptr, text.len);
    return text_cut(text, TEXT_MAX);
}

static struct account *find(struct server_errors *e, struct span user, struct span host, unsigned code, uint32_t hash) {
    for (size_t i = 0; i < e->count; i++)
        if (e->accounts[i].hash == hash && e->counts[i].code == code && span_is(user, e->counts[i].user) &&
            span_is(host, e->counts[i].host))
            return &e->accounts[i];
    return NULL;
}

/* Anybody can make up the names of those. */
static bool is_refusal(unsigned code) {
    static const unsigned refusals[] = {1040, 1044, 1045, 1049, 1251, 3118, 3159, 3955};
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (code == refusals[i])
            return true;
    return false;
}

/* NULL when there is no place, or memory is short. Half of the places are for those who got in. */
static struct account *add(struct server_errors *e, struct span user, struct span host, unsigned code, uint32_t hash) {
    bool refusal = is_refusal(code);
    if (e->count >= SERVER_ERROR_ACCOUNTS_MAX || (refusal && e->refused >= SERVER_ERROR_ACCOUNTS_MAX / 2))
        return NULL;
    struct account *accounts = reallocarray(e->accounts, e->count + 1, sizeof *accounts);
    if (accounts)
        e->accounts = accounts;
    struct server_error_count *counts = reallocarray(e->counts, e->count + 1, sizeof *counts);
    if (counts)
        e->counts = counts;
    char *text = malloc(user.len + host.len + 2);
    if (!accounts || !counts || !text) {
        free(text);
        return NULL;
    }
    memcpy(text, user.ptr, user.len);
    text[user.len] = '\0';
    memcpy(text + user.len + 1, host.ptr, host.len);
    text[user.len + 1 + host.len] = '\0';
    e->refused += refusal;
    accounts[e->count] = (struct account){.hash = hash};
    counts[e->count] = (struct server_error_count){.code = code, .user = text, .host = text + user.len + 1};
    return &accounts[e->count++];
}

void server_errors_account(struct server_errors *e, struct span user, struct span host, unsigned code, uint64_t sum) {
    user = cut(user);
    host = cut(host);
    if (row_of(code) < 0 || sum > INT64_MAX / 2)
        return;
    uint32_t hash = span_hash(user) * 31 + span_hash(host) + code;
    struct account *account = find(e, user, host, code, hash);
    if (!account)
        account = add(e, user, host, code, hash);
    if (!account)
        return;
    uint64_t increase = step(e, &account->sum, sum);
    account->increase += e->accounts_based ? increase : 0;
}

/* --- the end of a look --- */

static void tell_accounts(struct server_errors *e, struct server_error *error, server_error_fn *on_error, void *arg) {
    error->account_known = true;
    for (size_t i = 0; i < e->count; i++) {
        struct server_error_count *count = &e->counts[i];
        if (e->accounts[i].increase == 0)
            continue;
        error->code = count->code;
        error->user = count->user;
        error->host = count->host;
        error->increase = e->accounts[i].increase;
        count->total += error->increase;
        e->codes[row_of(count->code)].pending -= (int64_t)error->increase;
        e->accounts[i].increase = 0;
        on_error(arg, error);
    }
}

/* While a connection ends the server moves its numbers from the thread to the account, and a look in between finds them
 * in neither: so the accounts are given some looks more, and only what was missing at each of them is of none. */
static int64_t missing_for_long(int64_t missing[SERVER_ERROR_LOOKS], int64_t now) {
    int64_t least = now > 0 ? now : 0;
    for (int i = 0; i < SERVER_ERROR_LOOKS; i++)
        least = missing[i] < least ? missing[i] : least;
    memmove(missing + 1, missing, (SERVER_ERROR_LOOKS - 1) * sizeof *missing);
    missing[0] = now > 0 ? now : 0;
    for (int i = 0; i < SERVER_ERROR_LOOKS; i++)
        missing[i] -= least;
    return least;
}

static void tell_the_rest(struct server_errors *e, struct server_error *error, bool accounts_told,
                          server_error_fn *on_error, void *arg) {
    error->account_known = false;
    error->user = error->host = "";
    for (int i = 0; i < SERVER_ERROR_CODE_COUNT; i++) {
        int64_t rest = e->codes[i].pending;
        if (accounts_told)
            rest = missing_for_long(e->codes[i].missing, rest);
        if (rest <= 0)
            continue;
        error->code = server_error_codes[i];
        error->increase = (uint64_t)rest;
        e->codes[i].without_account += error->increase;
        e->codes[i].pending -= rest;
        on_error(arg, error);
    }
}

void server_errors_end(struct server_errors *e, bool accounts_told, bool wait, int64_t wall_ns,
                       server_error_fn *on_error, void *arg) {
    struct server_error error = {.from_wall_ns = e->last_wall_ns, .to_wall_ns = wall_ns};
    if (e->based) {
        tell_accounts(e, &error, on_error, arg);
        if (accounts_told || !wait)
            tell_the_rest(e, &error, accounts_told, on_error, arg);
    }
    e->based = true;
    e->accounts_based = e->accounts_based || accounts_told;
    e->last_wall_ns = wall_ns;
}

bool server_errors_missing(const struct server_errors *e) {
    for (int i = 0; i < SERVER_ERROR_CODE_COUNT; i++)
        if (e->codes[i].pending > 0)
            return true;
    return false;
}

int64_t server_errors_wall_ns(const struct server_errors *e) {
    return e->last_wall_ns;
}

void server_errors_restarted(struct server_errors *e) {
    for (int i = 0; i < SERVER_ERROR_CODE_COUNT; i++) {
        e->codes[i].sum = 0;
        if (e->codes[i].pending < 0)
            e->codes[i].pending = 0;
    }
    for (size_t i = 0; i < e->count; i++)
        e->accounts[i].sum = 0;
}

void server_errors_forget(struct server_errors *e) {
    server_errors_restarted(e);
    for (int i = 0; i < SERVER_ERROR_CODE_COUNT; i++) {
        e->codes[i].pending = 0;
        memset(e->codes[i].missing, 0, sizeof e->codes[i].missing);
    }
    for (size_t i = 0; i < e->count; i++)
        e->accounts[i].increase = 0;
    e->based = e->accounts_based = false;
}

/* --- reading --- */

const struct server_error_count *server_errors_counts(const struct server_errors *e, size_t *count) {
    *count = e->count;
    return e->counts;
}

uint64_t server_errors_without_account(const struct server_errors *e, unsigned code) {
    int row = row_of(code);
    return row < 0 ? 0 : e->codes[row].without_account;
}

uint64_t server_errors_steps(const struct server_errors *e) {
    return e->steps;
}
