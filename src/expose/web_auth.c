/*
 * Basic authentication; see web_auth.h. (The cache and the one check at a time are exporter-toolkit's ideas.)
 */
#include "expose/web_auth.h"

#include <crypt.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGEST = 32,
    CREDENTIALS_MAX = 1024, /* bytes of user, ':' and password */
    HASH_BYTES = 64,        /* of bcrypt's text, with its NUL */
    REMEMBERED = 256,
    QUEUE_MAX = 32, /* checks that wait or run */
    QUEUE_MAX_OF_ONE_PEER = 4,
};

/* One password against one hash. */
struct check {
    uv_work_t work;
    struct check *next;
    struct web_auth *auth; /* NULL: nobody waits any more */
    struct web_waiter *waiters;
    struct web_peer peer;
    unsigned char digest[DIGEST]; /* of what is checked */
    bool known;                   /* the user; else it is done for the time that it takes */
    bool right;
    char hash[HASH_BYTES];
    char password[CREDENTIALS_MAX + 1];
    struct crypt_data data;
};

struct web_auth {
    uv_loop_t *loop;
    struct check *queue; /* the first one runs */
    unsigned char secret[DIGEST];
    unsigned char remembered[REMEMBERED][DIGEST]; /* what was right; a ring */
    size_t remembered_count;
};

struct credentials {
    struct span user, password;
};

struct web_auth *web_auth_new(uv_loop_t *loop) {
    struct web_auth *auth = calloc(1, sizeof *auth);
    if (auth && gnutls_rnd(GNUTLS_RND_KEY, auth->secret, sizeof auth->secret) < 0) {
        free(auth);
        return NULL;
    }
    if (auth)
        auth->loop = loop;
    return auth;
}

/* --- what is checked --- */

/* "Basic " and base64. The parts of *text; false when it is something else. */
static bool decode(struct span authorization, gnutls_datum_t *text, struct credentials *out) {
    static const char scheme[] = "Basic ";
    size_t skip = sizeof scheme - 1;
    if (authorization.len <= skip || authorization.len - skip > CREDENTIALS_MAX / 3 * 4 ||
        strncasecmp(authorization.ptr, scheme, skip) != 0)
        return false;
    union {
        const char *in;
        unsigned char *out;
    } base64 = {.in = authorization.ptr + skip}; /* is only read */
    gnutls_datum_t in = {base64.out, (unsigned)(authorization.len - skip)};
    if (gnutls_base64_decode2(&in, text) < 0)
        return false;
    const char *all = (const char *)text->data, *colon = text->size > 0 ? memchr(all, ':', text->size) : NULL;
    if (!colon || text->size > CREDENTIALS_MAX)
        return false;
    out->user = (struct span){all, (size_t)(colon - all)};
    out->password = (struct span){colon + 1, text->size - out->user.len - 1};
    return true;
}

static void forget(gnutls_datum_t *text) {
    if (text->data)
        explicit_bzero(text->data, text->size);
    gnutls_free(text->data);
}

/* Each part with its length, so that no other parts give the same. The secret makes comparing digests tell nothing.
 * False when memory is short: then nothing may be compared, as all would be alike. */
static bool digest(const struct web_auth *auth, const struct span *parts, size_t count, unsigned char *out) {
    gnutls_hmac_hd_t hmac;
    bool ok = true;
    if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, auth->secret, sizeof auth->secret) < 0)
        return false;
    for (size_t i = 0; ok && i < count; i++)
        ok = gnutls_hmac(hmac, &parts[i].len, sizeof parts[i].len) == 0 &&
             gnutls_hmac(hmac, parts[i].ptr, parts[i].len) == 0;
    gnutls_hmac_deinit(hmac, out);
    return ok;
}

/* The user of that name; where there is none one of the others, always the same for the same name, so that a name that
 * is asked for costs what a user's costs. All are looked at. NULL when memory is short. */
static const struct web_user *find_user(const struct web_auth *auth, const struct web_user *users, size_t count,
                                        struct span name, bool *known) {
    unsigned char wanted[DIGEST], one[DIGEST];
    size_t found;
    *known = false;
    if (!digest(auth, &name, 1, wanted))
        return NULL;
    memcpy(&found, wanted, sizeof found);
    found %= count;
    for (size_t i = 0; i < count; i++) {
        struct span user = span_of(users[i].name);
        if (!digest(auth, &user, 1, one))
            return NULL;
        bool equal = gnutls_memcmp(one, wanted, DIGEST) == 0;
        found = equal ? i : found;
        *known |= equal;
    }
    return &users[found];
}

static bool is_remembered(const struct web_auth *auth, const unsigned char *what) {
    size_t count = auth->remembered_count < REMEMBERED ? auth->remembered_count : REMEMBERED;
    int equal = 0;
    for (size_t i = 0; i < count; i++)
        equal |= gnutls_memcmp(auth->remembered[i], what, DIGEST) == 0;
    return equal;
}

static void remember(struct web_auth *auth, const unsigned char *what) {
    if (!is_remembered(auth, what))
        memcpy(auth->remembered[auth->remembered_count++ % REMEMBERED], what, DIGEST);
}

/* --- one check after the other --- */

static void run_next(struct web_auth *auth);

static void check_free(struct check *check) {
    explicit_bzero(check->password, sizeof check->password);
    explicit_bzero(&check->data, sizeof check->data);
    free(check);
}

static void answer(struct check *check, enum web_auth_verdict verdict) {
    while (check->waiters) {
        struct web_waiter *waiter = check->waiters;
        check->waiters = waiter->next;
        waiter->done(waiter, verdict);
    }
}

/* In the pool. */
static void work(uv_work_t *request) {
    struct check *check = request->data;
    const char *made = crypt_r(check->password, check->hash, &check->data);
    size_t len = strlen(check->hash);
    check->right = made && strlen(made) == len && gnutls_memcmp(made, check->hash, len) == 0 && check->known;
}

static void worked(uv_work_t *request, int status) {
    struct check *check = request->data;
    struct web_auth *auth = check->auth;
    if (auth) {
        bool right = status == 0 && check->right;
        auth->queue = check->next;
        if (right)
            remember(auth, check->digest);
        answer(check, right ? WEB_AUTH_OK : WEB_AUTH_WRONG);
        run_next(auth);
    }
    check_free(check);
}

static void run_next(struct web_auth *auth) {
    if (auth->queue)
        uv_queue_work(auth->loop, &auth->queue->work, work, worked); /* cannot fail with these arguments */
}

void web_auth_free(struct web_auth *auth) {
    if (!auth)
        return;
    struct check *running = auth->queue;
    while (auth->queue) {
        struct check *check = auth->queue;
        auth->queue = check->next;
        answer(check, WEB_AUTH_BUSY);
        if (check == running)
            check->auth = NULL;
        else
            check_free(check);
    }
    explicit_bzero(auth, sizeof *auth);
    free(auth);
}

/* Wait for the same check where there is one already. */
static enum web_auth_verdict enqueue(struct web_auth *auth, const struct check *like, struct span password,
                                     const struct web_user *user, struct web_waiter *waiter) {
    struct check **at = &auth->queue;
    unsigned count = 0, of_peer = 0;
    for (; *at; at = &(*at)->next) {
        if (memcmp((*at)->digest, like->digest, DIGEST) == 0) {
            waiter->next = (*at)->waiters;
            (*at)->waiters = waiter;
            return WEB_AUTH_LATER;
        }
        count++;
        of_peer += memcmp(&(*at)->peer, &like->peer, sizeof like->peer) == 0;
    }
    struct check *check = NULL;
    size_t hash = strlen(user->hash);
    if (count < QUEUE_MAX && of_peer < QUEUE_MAX_OF_ONE_PEER && hash < HASH_BYTES)
        check = calloc(1, sizeof *check);
    if (!check)
        return WEB_AUTH_BUSY;
    check->auth = auth;
    check->work.data = check;
    check->peer = like->peer;
    check->known = like->known;
    memcpy(check->digest, like->digest, DIGEST);
    memcpy(check->hash, user->hash, hash);
    memcpy(check->password, password.ptr, password.len);
    waiter->next = NULL;
    check->waiters = waiter;
    *at = check;
    if (at == &auth->queue)
        run_next(auth);
    return WEB_AUTH_LATER;
}

enum web_auth_verdict web_auth_check(struct web_auth *auth, const struct web_user *users, size_t count,
                                     struct span authorization, const struct web_peer *peer,
                                     struct web_waiter *waiter) {
    gnutls_datum_t text = {NULL, 0};
    struct credentials given;
    enum web_auth_verdict verdict = WEB_AUTH_WRONG;
    if (decode(authorization, &text, &given)) {
        struct check like = {.peer = *peer};
        const struct web_user *user = find_user(auth, users, count, given.user, &like.known);
        struct span parts[] = {given.user, span_of(user ? user->hash : ""), given.password};
        /* crypt() would end at a NUL, and take what is before it for the password. */
        if (memchr(given.password.ptr, '\0', given.password.len))
            like.known = false;
        if (!user || !digest(auth, parts, sizeof parts / sizeof parts[0], like.digest))
            verdict = WEB_AUTH_BUSY;
        else if (is_remembered(auth, like.digest) && like.known) /* a name may go, and its hash become another's */
            verdict = WEB_AUTH_OK;
        else
            verdict = enqueue(auth, &like, given.password, user, waiter);
    }
    forget(&text);
    return verdict;
}
