/*
 * Remembering sessions; see sessions.h. They are found by id in a hash table, and stand in one of two lists: those that
 * are there, least lately seen first, and those that went, longest gone first.
 */
#include "observe/sessions.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "observe/target.h"
#include "observe/thread_state.h"

#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MAX = 80, /* a name has at most 80 bytes in MariaDB, 32 characters in MySQL */
    HOST_MAX = 255,
    DRIVER_MAX = 2 * TEXT_MAX + 1,
    COMMANDS_MAX = 48,
    STATES_MAX = 100,
    BUCKETS_FIRST = 64,
    FORGET_A_PASS = 4096, /* no long step */
    GONE_LOOKED_AT = 500,
    TEXTS = 6,
    READS_KEPT = 48, /* some seconds of the fastest polls */
};

#define LOGGING_IN "unauthenticated user" /* what both servers have for a user then */

const int64_t session_bound_s[SESSION_BOUNDS] = {1, 10, 60, 300, 600, 1800, 3600, 7200, 28800, 86400};

struct entry {
    struct session session; /* its texts lie in `texts`, one after the other */
    char *texts;
    uint64_t pass; /* in which it was seen last */
    struct entry *chain, *previous, *next;
};

struct list {
    struct entry *first, *last;
};

struct sessions {
    struct entry **buckets;
    size_t bucket_count, count;
    struct list there, gone;
    struct list *where[2]; /* by ->gone */
    struct session_limits limits;
    int64_t wait_timeout_ns, wall_ns;
    uint64_t pass;
    struct session_sums sums, next;
    int64_t read_wall_ns[READS_KEPT]; /* of the passes that ended, the last first */
    struct tally *tallies[SESSION_TALLY_COUNT];
    uint64_t *transactions; /* ids of this pass */
    size_t transaction_count, transactions_allocated;
    bool transactions_sorted;
    char own_user[TEXT_MAX + 1]; /* of the connection that asks; "" not seen yet */
};

struct sessions *sessions_new(void) {
    static const size_t text_max[SESSION_TALLY_COUNT] = {
        [SESSIONS_BY_COMMAND] = SESSION_COMMAND_MAX - 1,
        [SESSIONS_BY_USER] = TEXT_MAX,
        [SESSIONS_BY_DRIVER] = DRIVER_MAX,
        [SESSIONS_BY_HOST] = HOST_MAX,
        [SESSIONS_BY_STATE] = 2 * THREAD_STATE_MAX,
        [SESSIONS_BY_OLD_STATE] = THREAD_STATE_MAX,
    };
    struct sessions *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->buckets = calloc(BUCKETS_FIRST, sizeof(struct entry *));
    s->bucket_count = BUCKETS_FIRST;
    s->where[false] = &s->there;
    s->where[true] = &s->gone;
    bool ok = s->buckets != NULL;
    for (int i = 0; i < SESSION_TALLY_COUNT; i++) {
        s->tallies[i] = tally_new(text_max[i]);
        ok = ok && s->tallies[i];
    }
    if (!ok) {
        sessions_free(s);
        return NULL;
    }
    return s;
}

static void free_entry(struct entry *entry) {
    free(entry->texts);
    free(entry);
}

static void free_list(struct entry *entry) {
    while (entry) {
        struct entry *next = entry->next;
        free_entry(entry);
        entry = next;
    }
}

void sessions_free(struct sessions *s) {
    if (!s)
        return;
    free_list(s->there.first);
    free_list(s->gone.first);
    free(s->buckets);
    for (int i = 0; i < SESSION_TALLY_COUNT; i++)
        tally_free(s->tallies[i]);
    free(s->transactions);
    free(s);
}

/* --- the lists and the table --- */

static void unlink_entry(struct sessions *s, struct entry *entry) {
    struct list *list = s->where[entry->session.gone];
    *(entry->previous ? &entry->previous->next : &list->first) = entry->next;
    *(entry->next ? &entry->next->previous : &list->last) = entry->previous;
}

static void link_last(struct sessions *s, struct entry *entry, bool gone) {
    struct list *list = s->where[gone];
    entry->session.gone = gone;
    entry->next = NULL;
    entry->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = entry;
    list->last = entry;
}

static void move_last(struct sessions *s, struct entry *entry, bool gone) {
    unlink_entry(s, entry);
    link_last(s, entry, gone);
}

/* Ids are given one after the other. */
static struct entry **bucket_of(const struct sessions *s, uint64_t id) {
    return &s->buckets[id & (s->bucket_count - 1)];
}

static struct entry *find(const struct sessions *s, uint64_t id) {
    struct entry *entry = *bucket_of(s, id);
    while (entry && entry->session.id != id)
        entry = entry->chain;
    return entry;
}

static void insert(struct sessions *s, struct entry *entry) {
    struct entry **bucket = bucket_of(s, entry->session.id);
    entry->chain = *bucket;
    *bucket = entry;
}

static void grow_table(struct sessions *s) {
    struct entry **buckets = calloc(2 * s->bucket_count, sizeof(struct entry *));
    if (!buckets)
        return; /* the chains grow */
    free(s->buckets);
    s->buckets = buckets;
    s->bucket_count *= 2;
    for (int gone = 0; gone < 2; gone++)
        for (struct entry *entry = s->where[gone]->first; entry; entry = entry->next)
            insert(s, entry);
}

static void forget(struct sessions *s, struct entry *entry) {
    struct entry **at = bucket_of(s, entry->session.id);
    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    unlink_entry(s, entry);
    free_entry(entry);
    s->count--;
}

/* NULL when all places are taken by sessions that are there, or memory is short. */
static struct entry *remember(struct sessions *s, uint64_t id) {
    if (s->count >= s->limits.sessions && s->gone.first)
        forget(s, s->gone.first);
    struct entry *entry = s->count < s->limits.sessions ? calloc(1, sizeof *entry) : NULL;
    if (!entry)
        return NULL;
    if (s->count >= s->bucket_count)
        grow_table(s);
    struct session *session = &entry->session;
    session->id = id;
    session->user = session->host = session->db = session->driver = session->version = session->program = "";
    session->first_seen_wall_ns = s->wall_ns;
    insert(s, entry);
    link_last(s, entry, false);
    s->count++;
    return entry;
}

/* --- texts --- */

static void set_texts(struct entry *entry, const struct span texts[TEXTS]) {
    struct session *session = &entry->session;
    const char **const fields[TEXTS] = {&session->user,   &session->host,    &session->db,
                                        &session->driver, &session->version, &session->program};
    static const size_t max[TEXTS] = {TEXT_MAX, HOST_MAX, HOST_MAX, TEXT_MAX, TEXT_MAX, HOST_MAX};
    struct span cut[TEXTS];
    size_t total = 0;
    bool same = entry->texts != NULL;
    for (int i = 0; i < TEXTS; i++) {
        cut[i] = texts[i].ptr ? texts[i] : span_of("");
        cut[i].len = strnlen(cut[i].ptr, cut[i].len);
        cut[i] = text_cut(cut[i], max[i]);
        total += cut[i].len + 1;
        same = same && span_is(cut[i], *fields[i]);
    }
    char *block = same ? NULL : malloc(total);
    if (!block)
        return;
    for (int i = 0; i < TEXTS; i++) { /* the old block may be what they point into */
        memcpy(block, cut[i].ptr, cut[i].len);
        block[cut[i].len] = '\0';
        *fields[i] = block;
        block += cut[i].len + 1;
    }
    free(entry->texts);
    entry->texts = block - total;
}

/* "10.0.0.7:51234", "::1:51234", "localhost". */
static unsigned split_port(struct span *host) {
    const char *colon = host->ptr ? memrchr(host->ptr, ':', host->len) : NULL;
    uint64_t port;
    if (!colon ||
        number_parse_u64((struct span){colon + 1, (size_t)(host->ptr + host->len - colon - 1)}, UINT16_MAX, &port) < 0)
        return 0;
    host->len = (size_t)(colon - host->ptr);
    return (unsigned)port;
}

static void set_command(struct session *session, struct span command) {
    size_t len = command.ptr ? command.len : 0;
    len = len < sizeof session->command - 1 ? len : sizeof session->command - 1;
    if (len > 0)
        memcpy(session->command, command.ptr, len);
    session->command[len] = '\0';
}

/* --- a pass --- */

void sessions_begin(struct sessions *s, const struct session_limits *limits, int64_t wait_timeout_ns, int64_t wall_ns) {
    s->limits = *limits;
    s->wait_timeout_ns = wait_timeout_ns;
    s->wall_ns = wall_ns;
    s->pass++;
    s->next = (struct session_sums){0};
    s->transaction_count = 0;
    const size_t capacity[SESSION_TALLY_COUNT] = {
        [SESSIONS_BY_COMMAND] = COMMANDS_MAX,   [SESSIONS_BY_USER] = limits->users,
        [SESSIONS_BY_DRIVER] = limits->drivers, [SESSIONS_BY_HOST] = limits->hosts,
        [SESSIONS_BY_STATE] = STATES_MAX,       [SESSIONS_BY_OLD_STATE] = STATES_MAX,
    };
    for (int i = 0; i < SESSION_TALLY_COUNT; i++)
        tally_begin(s->tallies[i], capacity[i]);
}

/* More than are remembered need no place. */
void sessions_transaction(struct sessions *s, uint64_t id) {
    if (s->transaction_count == s->transactions_allocated) {
        size_t more = s->transactions_allocated ? 2 * s->transactions_allocated : 16;
        uint64_t *ids =
            s->transactions_allocated < s->limits.sessions ? reallocarray(s->transactions, more, sizeof *ids) : NULL;
        if (!ids)
            return;
        s->transactions = ids;
        s->transactions_allocated = more;
    }
    s->transactions[s->transaction_count++] = id;
    s->transactions_sorted = false;
}

static int compare_ids(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool in_transaction(struct sessions *s, uint64_t id) {
    if (s->transaction_count == 0)
        return false;
    if (!s->transactions_sorted)
        qsort(s->transactions, s->transaction_count, sizeof id, compare_ids);
    s->transactions_sorted = true;
    return bsearch(&id, s->transactions, s->transaction_count, sizeof id, compare_ids) != NULL;
}

static void tally_row(struct sessions *s, const struct session_row *row) {
    char key[2 * THREAD_STATE_MAX], old[THREAD_STATE_MAX];
    uint64_t seconds = row->time_ns > 0 ? (uint64_t)(row->time_ns / NS_PER_S) : 0;
    struct span host = row->host;
    tally_add(s->tallies[SESSIONS_BY_COMMAND], row->command, seconds);
    tally_add(s->tallies[SESSIONS_BY_USER], row->user, seconds);
    if (row->own) {
        struct span user = text_cut(row->user.ptr ? row->user : span_of(""), TEXT_MAX);
        memcpy(s->own_user, user.ptr, user.len);
        s->own_user[user.len] = '\0';
        return;
    }
    split_port(&host);
    tally_add(s->tallies[SESSIONS_BY_HOST], host, seconds);
    thread_state_label(key, row->command);
    size_t len = strlen(key) + 1;
    thread_state_label(key + len, row->state);
    len += strlen(key + len);
    tally_add(s->tallies[SESSIONS_BY_STATE], (struct span){key, len}, seconds);
    thread_state_old_label(old, row->command, row->state);
    tally_add(s->tallies[SESSIONS_BY_OLD_STATE], span_of(old), seconds);
}

static void sum_sleeper(struct sessions *s, int64_t idle_ns, bool transaction) {
    struct session_sums *sums = &s->next;
    int i = 0;
    while (i < SESSION_BOUNDS && idle_ns > session_bound_s[i] * NS_PER_S)
        i++;
    sums->sleeping++;
    sums->slept[i]++;
    sums->slept_ns += idle_ns;
    if (s->wait_timeout_ns > 0) {
        sums->past_timeout += idle_ns > s->wait_timeout_ns;
        sums->near_timeout += idle_ns <= s->wait_timeout_ns && idle_ns >= s->wait_timeout_ns / 10 * 9;
    }
    if (!transaction)
        return;
    sums->idle_in_transaction++;
    if (idle_ns > sums->longest_idle_in_transaction_ns)
        sums->longest_idle_in_transaction_ns = idle_ns;
}

static void count_driver(struct sessions *s, const struct session *session) {
    struct strbuf key;
    strbuf_init(&key, DRIVER_MAX);
    strbuf_addstr(&key, session && session->driver[0] ? session->driver : "unknown");
    strbuf_addch(&key, '\0');
    if (session && session->driver[0])
        strbuf_addstr(&key, session->version);
    tally_add(s->tallies[SESSIONS_BY_DRIVER], (struct span){key.data, key.len}, 0);
    strbuf_release(&key);
}

/* MariaDB's word for it, and MySQL's. */
static bool is_writing(struct span state) {
    return span_is(state, "Writing to net") || span_is(state, "Sending to client");
}

/* What it announces is known to the server only after that. */
static bool is_logging_in(const struct session *session) {
    return strcmp(session->user, LOGGING_IN) == 0;
}

static void take_row(struct sessions *s, struct entry *entry, const struct session_row *row, int64_t idle_ns,
                     bool transaction) {
    struct session *session = &entry->session;
    struct span host = row->host;
    session->port = split_port(&host);
    set_command(session, row->command);
    session->idle_ns = idle_ns;
    session->writing_ns = !is_writing(row->state) ? -1 : row->time_ns > 0 ? row->time_ns : 0;
    session->login_ns = !span_is(row->user, LOGGING_IN) ? -1 : row->time_ns > 0 ? row->time_ns : 0;
    session->in_transaction = transaction;
    session->last_seen_wall_ns = s->wall_ns;
    entry->pass = s->pass;
    set_texts(entry, (const struct span[TEXTS]){row->user, host, row->db, span_of(session->driver),
                                                span_of(session->version), span_of(session->program)});
    move_last(s, entry, false);
}

/* A connection has one port for life: ids have begun again, and nobody saw it. */
static bool is_another(const struct session *session, const struct session_row *row) {
    struct span host = row->host;
    unsigned port = split_port(&host);
    return port != 0 && session->port != 0 && port != session->port && !is_logging_in(session);
}

void sessions_add(struct sessions *s, const struct session_row *row) {
    bool sleeping = span_is(row->command, "Sleep");
    int64_t idle_ns = sleeping && row->time_ns > 0 ? row->time_ns : 0;
    struct entry *entry = find(s, row->id);
    bool transaction = in_transaction(s, row->id);
    if (entry && entry->pass == s->pass && !entry->session.gone)
        return;                                                               /* it came twice */
    if (entry && (entry->session.gone || is_another(&entry->session, row))) { /* ids have begun again */
        forget(s, entry);
        entry = NULL;
    }
    s->next.sessions++;
    tally_row(s, row);
    if (sleeping)
        sum_sleeper(s, idle_ns, transaction);
    if (!entry)
        entry = remember(s, row->id);
    s->next.not_remembered += !entry;
    if (entry)
        take_row(s, entry, row, idle_ns, transaction);
    if (!entry || entry->session.attributes_read)
        count_driver(s, entry ? &entry->session : NULL);
}

void sessions_end(struct sessions *s) {
    while (s->there.first && s->there.first->pass != s->pass)
        move_last(s, s->there.first, true);
    struct entry *oldest = s->gone.first;
    for (int i = 0; i < FORGET_A_PASS && oldest; i++) {
        struct entry *next = oldest->next;
        if (s->wall_ns - oldest->session.last_seen_wall_ns <= SESSION_REMEMBERED_NS)
            break;
        forget(s, oldest);
        oldest = next;
    }
    s->sums = s->next;
    memmove(s->read_wall_ns + 1, s->read_wall_ns, (READS_KEPT - 1) * sizeof *s->read_wall_ns);
    s->read_wall_ns[0] = s->wall_ns;
    for (int i = 0; i < SESSION_TALLY_COUNT; i++)
        tally_end(s->tallies[i]);
}

void sessions_restarted(struct sessions *s) {
    while (s->there.first)
        move_last(s, s->there.first, true);
    for (struct entry *entry = s->gone.first; entry; entry = entry->next)
        entry->session.before_restart = true;
}

/* --- what they announced --- */

/* New ones of this pass stand last, but so do all others of it. */
size_t sessions_unasked(const struct sessions *s, uint64_t *ids, size_t max) {
    size_t count = 0;
    for (const struct entry *entry = s->there.last; entry && entry->pass == s->pass; entry = entry->previous)
        if (!entry->session.attributes_read) {
            if (count < max)
                ids[count] = entry->session.id;
            count++;
        }
    return count;
}

void sessions_attribute(struct sessions *s, uint64_t id, struct span name, struct span value) {
    struct entry *entry = find(s, id);
    if (!entry || entry->session.gone || entry->session.attributes_read)
        return;
    const struct session *session = &entry->session;
    struct span texts[TEXTS] = {span_of(session->user),   span_of(session->host),    span_of(session->db),
                                span_of(session->driver), span_of(session->version), span_of(session->program)};
    int field = span_is(name, "_client_name")      ? 3
                : span_is(name, "_client_version") ? 4
                : span_is(name, "program_name")    ? 5
                                                   : -1;
    if (field < 0)
        return;
    texts[field] = value;
    set_texts(entry, texts);
}

void sessions_attributes_read(struct sessions *s) {
    for (struct entry *entry = s->there.last; entry && entry->pass == s->pass; entry = entry->previous)
        if (!entry->session.attributes_read) {
            entry->session.attributes_read = !is_logging_in(&entry->session);
            count_driver(s, &entry->session);
        }
}

/* --- reading --- */

const struct session_sums *sessions_sums(const struct sessions *s) {
    return &s->sums;
}

const struct tally *sessions_tally(const struct sessions *s, enum session_tally which) {
    return s->tallies[which];
}

const char *sessions_own_user(const struct sessions *s) {
    return s->own_user;
}

int64_t sessions_read_wall_ns(const struct sessions *s) {
    return s->read_wall_ns[0];
}

int64_t sessions_read_before(const struct sessions *s, int64_t wall_ns) {
    for (int i = 0; i < READS_KEPT; i++)
        if (s->read_wall_ns[i] < wall_ns)
            return s->read_wall_ns[i];
    return 0;
}

size_t sessions_remembered(const struct sessions *s) {
    return s->count;
}

void sessions_each(const struct sessions *s, void (*each)(void *arg, const struct session *session), void *arg) {
    for (const struct entry *entry = s->there.first; entry; entry = entry->next)
        each(arg, &entry->session);
}

const struct session *sessions_find(const struct sessions *s, uint64_t id) {
    const struct entry *entry = s ? find(s, id) : NULL;
    return entry ? &entry->session : NULL;
}

size_t sessions_gone(const struct sessions *s, struct span user, struct span host, int64_t since_wall_ns,
                     int64_t until_wall_ns, const struct session **out, size_t max) {
    size_t count = 0, looked_at = 0;
    const struct entry *entry = s ? s->gone.last : NULL;
    for (; entry && count < max && looked_at < GONE_LOOKED_AT; entry = entry->previous, looked_at++) {
        const struct session *session = &entry->session;
        if (session->last_seen_wall_ns < since_wall_ns)
            break;
        bool of_account = !user.ptr || (span_is(user, session->user) && span_is(host, session->host));
        if (of_account && !session->before_restart && session->last_seen_wall_ns <= until_wall_ns)
            out[count++] = session;
    }
    return count;
}

const struct session *session_find(const struct target *target, uint64_t id) {
    return sessions_find(target->sessions, id);
}
