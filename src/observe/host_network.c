/*
 * Sampling, what is kept of it, and the job in the pool; see host_network.h.
 */
#include "observe/host_network.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SAMPLES_KEPT = 256, /* at least half a second apart: two minutes */
    FILE_BYTES_MAX = 1024 * 1024,
    READ_BYTES = 16 * 1024,
};
#define INTERVAL_MIN_NS NS_PER_S
#define LOOK_MIN_NS (10 * NS_PER_MS)
#define APART_MIN_NS (NS_PER_S / 2)
#define WALK_SHARE 5000 /* of a core's time */
#define WALK_PAUSE_MAX_NS (60 * NS_PER_S)

struct sample {
    int64_t wall_ns;
    struct net_counters counters;
};

/* What the pool works on: nothing of it is touched by the loop meanwhile. */
struct job {
    uv_work_t work;
    struct host_network *network;
    struct port_sockets *ports; /* sorted, each once */
    size_t count;
    enum sockets_part part;
    enum sockets_source source;
    int rc;
    int64_t cost_ns;
};

struct port_watch {
    struct host_network *network;
    struct port_watch *next;
    int64_t interval_ns;
    bool counted;
    int64_t all_wall_ns, listening_wall_ns; /* the last time that they were */
    struct port_sockets sockets;
};

struct host_network {
    uv_loop_t *loop;
    uv_timer_t timer;
    bool timer_closed;
    struct port_watch *watches;
    struct job *job;  /* NULL when none runs */
    bool walk_wanted; /* a watch came: not all of its sockets have been counted yet */
    struct mono walk_due;
    int64_t walk_pause_ns;
    struct mono sampled;
    int fds[NETWORK_SOURCE_COUNT]; /* of files; -1 not open */
    struct strbuf text;            /* of one of them */
    struct host_network_facts facts;
    struct sample samples[SAMPLES_KEPT]; /* a ring */
    size_t kept, next;
};

const char *network_source_name(enum network_source source) {
    static const char *const names[] = {
#define NETWORK_SOURCE_NAME(id, name) name,
        NETWORK_SOURCES(NETWORK_SOURCE_NAME)
#undef NETWORK_SOURCE_NAME
    };
    return names[source];
}

/* --- counters --- */

static const char *const files[] = {
    [NETWORK_NETSTAT] = "/proc/self/net/netstat",
    [NETWORK_SNMP] = "/proc/self/net/snmp",
    [NETWORK_DEV] = "/proc/self/net/dev",
};

/* False when it cannot be read to its end. It stays open: to find it costs as much as to read it. */
static bool read_file(struct host_network *n, enum network_source source) {
    int *fd = &n->fds[source];
    ssize_t len = 0;
    if (*fd < 0)
        *fd = open(files[source], O_RDONLY | O_CLOEXEC);
    strbuf_reset(&n->text);
    do {
        char *room = strbuf_room(&n->text, READ_BYTES);
        len = room && *fd >= 0 ? pread(*fd, room, READ_BYTES, (off_t)n->text.len) : -1;
        if (len > 0)
            strbuf_grew(&n->text, (size_t)len);
    } while (len > 0);
    if (len == 0)
        return true;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return false;
}

/* The text of a file of /proc, or an empty one, which is counted. */
static struct span file_of(struct host_network *n, enum network_source source) {
    if (read_file(n, source))
        return (struct span){strbuf_text(&n->text), n->text.len};
    n->facts.failures[source]++;
    return (struct span){"", 0};
}

/* The i-th of those that are kept, the oldest first. */
static const struct sample *sample_at(const struct host_network *n, size_t i) {
    return &n->samples[(n->next + SAMPLES_KEPT - n->kept + i) % SAMPLES_KEPT];
}

/* A newest sample that came soon after the one before it makes room: then so many of them reach back two minutes. */
static bool is_too_dense(const struct host_network *n) {
    if (n->kept < 2)
        return false;
    int64_t apart = sample_at(n, n->kept - 1)->wall_ns - sample_at(n, n->kept - 2)->wall_ns;
    return apart >= 0 && apart < APART_MIN_NS;
}

void host_network_keep(struct host_network *n, const struct net_counters *counters, int64_t wall_ns) {
    if (is_too_dense(n)) {
        n->next = (n->next + SAMPLES_KEPT - 1) % SAMPLES_KEPT;
        n->kept--;
    }
    n->samples[n->next] = (struct sample){wall_ns, *counters};
    n->next = (n->next + 1) % SAMPLES_KEPT;
    n->kept += n->kept < SAMPLES_KEPT;
    n->facts.counters = *counters;
    n->facts.last_wall_ns = wall_ns;
    n->facts.samples++;
}

static void sample(struct host_network *n) {
    struct net_counters counters = {.known = 0};
    net_counters_read(&counters, file_of(n, NETWORK_NETSTAT));
    net_counters_read(&counters, file_of(n, NETWORK_SNMP));
    net_interfaces_read(&counters, &n->facts.interfaces, file_of(n, NETWORK_DEV));
    n->sampled = mono_now();
    if (counters.known)
        host_network_keep(n, &counters, wall_now_ns());
}

void host_network_look(struct host_network *n) {
    if (n->watches && (n->facts.samples == 0 || mono_between(n->sampled, mono_now()) >= LOOK_MIN_NS))
        sample(n);
}

const struct host_network_facts *host_network_facts(const struct host_network *n) {
    return &n->facts;
}

/* --- what moved --- */

/* A counter that is smaller than before began anew, or an interface went: that is no move. */
static uint64_t increase(const struct host_network *n, size_t from, size_t to, int counter) {
    uint64_t sum = 0;
    for (size_t i = from; i < to; i++) {
        const struct net_counters *a = &sample_at(n, i)->counters, *b = &sample_at(n, i + 1)->counters;
        if (a->known & b->known & UINT64_C(1) << counter && b->value[counter] > a->value[counter])
            sum += b->value[counter] - a->value[counter];
    }
    return sum;
}

int host_network_moved(const struct host_network *n, int64_t from_wall_ns, int64_t to_wall_ns,
                       struct host_network_moves *out) {
    size_t from = 0, to = n->kept ? n->kept - 1 : 0;
    while (from + 1 < n->kept && sample_at(n, from + 1)->wall_ns <= from_wall_ns)
        from++;
    while (to > from && sample_at(n, to - 1)->wall_ns >= to_wall_ns)
        to--;
    if (from >= to || sample_at(n, from)->wall_ns >= to_wall_ns)
        return -ENODATA;
    *out = (struct host_network_moves){.from_wall_ns = sample_at(n, from)->wall_ns,
                                       .to_wall_ns = sample_at(n, to)->wall_ns};
    for (int i = 0; i < NET_COUNTER_COUNT; i++) {
        uint64_t moved = increase(n, from, to, i);
        if (moved == 0)
            continue;
        out->moves[out->count].counter = (enum net_counter)i;
        out->moves[out->count++].increase = moved;
    }
    return 0;
}

/* --- sockets --- */

static int by_port(const void *a, const void *b) {
    const struct port_sockets *left = a, *right = b;
    return (int)left->port - (int)right->port;
}

int64_t host_network_pause_ns(int64_t cost_ns) {
    return cost_ns < WALK_PAUSE_MAX_NS / WALK_SHARE ? cost_ns * WALK_SHARE : WALK_PAUSE_MAX_NS;
}

static void free_job(struct job *job) {
    free(job->ports);
    free(job);
}

static struct job *job_new(struct host_network *n) {
    struct job *job = calloc(1, sizeof *job);
    struct port_sockets *ports = calloc(n->facts.watches, sizeof *ports);
    size_t count = 0;
    if (!job || !ports) {
        free(job);
        free(ports);
        return NULL;
    }
    for (const struct port_watch *w = n->watches; w; w = w->next)
        ports[count++] = w->sockets;
    qsort(ports, count, sizeof *ports, by_port);
    *job = (struct job){.network = n, .ports = ports};
    job->part = n->walk_wanted || !mono_before(mono_now(), n->walk_due) ? SOCKETS_ALL : SOCKETS_LISTENING;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || ports[i].port != ports[job->count - 1].port)
            ports[job->count++] = ports[i];
    job->work.data = job;
    return job;
}

static int64_t thread_cpu_ns(void) {
    struct timespec spent = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return (int64_t)spent.tv_sec * NS_PER_S + spent.tv_nsec;
}

static void run_job(uv_work_t *work) {
    struct job *job = work->data;
    int64_t before = thread_cpu_ns();
    job->rc = port_sockets_read(job->ports, job->count, job->part, &job->source);
    job->cost_ns = thread_cpu_ns() - before;
}

/* Where only those that listen were counted what is known of the others stays, unless it could not be counted. */
static void take_counts(struct port_watch *watch, const struct job *job) {
    const struct port_sockets *found = bsearch(&watch->sockets, job->ports, job->count, sizeof *job->ports, by_port);
    if (!found) /* it came later */
        return;
    watch->sockets = *found;
    watch->listening_wall_ns = wall_now_ns();
    if (job->part != SOCKETS_ALL)
        return;
    watch->all_wall_ns = watch->listening_wall_ns;
    watch->counted = true;
}

static void job_done(uv_work_t *work, int status) {
    struct job *job = work->data;
    struct host_network *n = job->network;
    bool good = status == 0 && job->rc == 0;
    n->job = NULL;
    n->facts.failures[NETWORK_SOCKETS] += !good && status != UV_ECANCELED;
    if (status == 0 && job->part == SOCKETS_ALL) {
        n->walk_pause_ns = host_network_pause_ns(job->cost_ns);
        n->walk_due = mono_add(mono_now(), n->walk_pause_ns);
    }
    for (struct port_watch *w = n->watches; w; w = w->next) {
        if (good)
            take_counts(w, job);
        else
            w->counted = false;
    }
    free_job(job);
}

static void start_job(struct host_network *n) {
    if (n->job) /* the pool is behind: its result is still to come */
        return;
    n->job = job_new(n);
    if (n->job && uv_queue_work(n->loop, &n->job->work, run_job, job_done) == 0) {
        n->walk_wanted = false;
        return;
    }
    if (n->job)
        free_job(n->job);
    n->job = NULL;
    n->facts.failures[NETWORK_SOCKETS]++;
}

/* --- when --- */

static void on_timer(uv_timer_t *timer) {
    struct host_network *n = timer->data;
    sample(n);
    start_job(n);
}

/* From now on at the shortest interval, and never later than was due; at once, where none has begun. */
static void schedule(struct host_network *n) {
    int64_t interval = INT64_MAX;
    for (const struct port_watch *w = n->watches; w; w = w->next)
        interval = w->interval_ns < interval ? w->interval_ns : interval;
    interval = interval > INTERVAL_MIN_NS ? interval : INTERVAL_MIN_NS;
    uint64_t ms = (uint64_t)(interval / NS_PER_MS), due = uv_timer_get_due_in(&n->timer);
    if (!n->watches)
        uv_timer_stop(&n->timer);
    else if (!uv_is_active((uv_handle_t *)&n->timer))
        uv_timer_start(&n->timer, on_timer, 0, ms);
    else if (ms != uv_timer_get_repeat(&n->timer))
        uv_timer_start(&n->timer, on_timer, due < ms ? due : ms, ms);
}

struct port_watch *host_network_watch(struct host_network *n, uint16_t port, int64_t interval_ns) {
    struct port_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    *watch = (struct port_watch){.network = n, .next = n->watches, .interval_ns = interval_ns, .sockets.port = port};
    n->watches = watch;
    n->facts.watches++;
    n->walk_wanted = true;
    schedule(n);
    return watch;
}

void port_watch_end(struct port_watch *watch) {
    if (!watch)
        return;
    struct host_network *n = watch->network;
    struct port_watch **at = &n->watches;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    n->facts.watches--;
    free(watch);
    schedule(n);
}

uint16_t port_watch_port(const struct port_watch *watch) {
    return watch->sockets.port;
}

const struct port_sockets *port_watch_sockets(const struct port_watch *watch) {
    return watch->counted ? &watch->sockets : NULL;
}

int64_t port_watch_wall_ns(const struct port_watch *watch, enum sockets_part part) {
    return part == SOCKETS_ALL ? watch->all_wall_ns : watch->listening_wall_ns;
}

int64_t port_watch_interval_ns(const struct port_watch *watch, enum sockets_part part) {
    const struct host_network *n = watch->network;
    int64_t interval = (int64_t)uv_timer_get_repeat(&n->timer) * NS_PER_MS;
    return part == SOCKETS_ALL ? interval + n->walk_pause_ns : interval;
}

/* --- life --- */

struct host_network *host_network_new(uv_loop_t *loop) {
    struct host_network *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->loop = loop;
    for (int i = 0; i < NETWORK_SOURCE_COUNT; i++)
        n->fds[i] = -1;
    strbuf_init(&n->text, FILE_BYTES_MAX);
    uv_timer_init(loop, &n->timer);
    n->timer.data = n;
    return n;
}

static void on_timer_closed(uv_handle_t *handle) {
    struct host_network *n = handle->data;
    n->timer_closed = true;
}

void host_network_close(struct host_network *n) {
    if (!n)
        return;
    uv_close((uv_handle_t *)&n->timer, on_timer_closed);
    if (n->job)
        uv_cancel((uv_req_t *)&n->job->work);
    while (n->job || !n->timer_closed)
        uv_run(n->loop, UV_RUN_ONCE);
    for (int i = 0; i < NETWORK_SOURCE_COUNT; i++)
        if (n->fds[i] >= 0)
            close(n->fds[i]);
    strbuf_release(&n->text);
    free(n);
}
