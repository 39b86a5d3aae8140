/*
 * One error log, wherever it is read; see log_source.h. This file puts a kind of source in front of the decoder, and
 * tells what the decoder holds back when nothing more has come for a while.
 */
#include "observe/log_source.h"

#include "observe/client.h"
#include "observe/log_backend.h"
#include "observe/log_decoder.h"
#include "observe/log_finder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_MS = 1000 }; /* what is held back is told after so long a silence */

struct log_source {
    uv_loop_t *loop;
    const struct error_log_config *config;
    struct error_log_config from_now; /* the same, but to begin at the end */
    struct log_source_listener listener;
    struct log_decoder *decoder;
    struct log_sink sink;
    struct log_source_state state, told;
    uint64_t events;       /* that the decoder has told */
    uv_timer_t held_timer; /* also while it waits, for nothing is held then */
    bool waiting;

    const struct log_backend *backend; /* NULL: what to read is not known yet */
    void *self;
    char *name;
    struct log_saved *former; /* what was read before */
    uint64_t asked;           /* the connection over which the server was asked, 0 none … */
    struct mono settings;     /* … and when its settings had been read then */
    bool closing;
    unsigned holders; /* the timer's handle, and a poll that runs: the last one frees it */
};

/* In the order of enum log_kind. */
static const struct kind {
    const struct log_backend *backend;
    void *(*begin)(uv_loop_t *loop, const struct error_log_config *config, const char *name,
                   const struct log_sink *sink, struct log_source_state *state, const struct log_saved *saved);
} kinds[] = {
    [LOG_FILE] = {&log_follower_backend, log_follower_begin},
    [LOG_JOURNALD] = {&log_journald_backend, log_journald_begin},
    [LOG_TABLE] = {&log_table_backend, log_table_begin},
};

const char *log_source_reason(int error) {
    static const struct {
        int error;
        const char *word;
    } words[] = {
        {0, ""},
        {-ENOENT, "not_found"},
        {-ENOTDIR, "not_found"},
        {-ELOOP, "not_found"},
        {-EACCES, "permission"},
        {-EPERM, "permission"},
        {-EISDIR, "not_a_file"},
        {-ESPIPE, "not_a_file"},
        {-EREMOTE, "not_here"},    /* the server is not on this machine, and has no table */
        {-ENODATA, "no_log"},      /* the server writes none that we could find */
        {-EOPNOTSUPP, "no_table"}, /* the server has no such table */
        {-ENOTCONN, "not_asked"},  /* the server was not reached yet */
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i].error == error)
            return words[i].word;
    return "io";
}

/* --- places --- */

static void free_saved(struct log_saved *saved) {
    log_saved_release(saved);
    free(saved);
}

void log_saved_release(struct log_saved *saved) {
    for (struct log_saved *former = saved->former, *next; former; former = next) {
        next = former->former;
        former->former = NULL;
        free_saved(former);
    }
    for (unsigned i = 0; i < saved->count; i++)
        free(saved->places[i].text);
    free(saved->name);
    *saved = (struct log_saved){0};
}

void log_saved_push(struct log_saved **former, struct log_saved *saved) {
    unsigned count = 0;
    saved->former = *former;
    *former = saved;
    while (*former && count++ < LOG_FORMER_MAX)
        former = &(*former)->former;
    if (*former)
        free_saved(*former);
    *former = NULL;
}

/* Kind, name and places. NULL when memory is short. */
static struct log_saved *copy_saved(const struct log_saved *saved) {
    struct log_saved *copy = calloc(1, sizeof *copy);
    bool ok = copy && (copy->name = strdup(saved->name));
    for (unsigned i = 0; ok && i < saved->count; i++)
        ok = log_saved_add(copy, saved->places[i].number, saved->places[i].text);
    if (!ok && copy)
        free_saved(copy);
    if (!ok)
        return NULL;
    copy->kind = saved->kind;
    return copy;
}

/* A copy of `saved` and of those before it, in their order, into *out. What memory is short for is left out. */
static void copy_all(const struct log_saved *saved, struct log_saved **out) {
    for (; saved; saved = saved->former) {
        if (!saved->name || saved->count == 0 || !(*out = copy_saved(saved)))
            continue;
        out = &(*out)->former;
    }
}

bool log_saved_add(struct log_saved *saved, const uint64_t numbers[LOG_PLACE_NUMBERS], const char *text) {
    char *copy = text ? strdup(text) : NULL;
    if (saved->count == LOG_PLACES_MAX || (text && !copy)) {
        free(copy);
        return false;
    }
    struct log_place *place = &saved->places[saved->count++];
    memcpy(place->number, numbers, sizeof place->number);
    place->text = copy;
    return true;
}

bool log_saved_add_all(struct log_saved *saved, const struct log_saved *other) {
    bool ok = true;
    for (unsigned i = 0; i < other->count; i++)
        ok &= log_saved_add(saved, other->places[i].number, other->places[i].text);
    return ok;
}

/* --- from the source to the decoder --- */

static void on_event(void *arg, const struct log_event *event) {
    struct log_source *source = arg;
    source->events++;
    source->listener.event(source->listener.arg, event);
}

static bool on_line(void *arg, struct span line, bool whole) {
    struct log_source *source = arg;
    uint64_t before = source->events;
    if (source->closing)
        return false;
    log_decoder_line(source->decoder, line);
    if (!whole)
        log_decoder_flush(source->decoder);
    return source->events > before;
}

static void on_entry(void *arg, struct span message, int64_t wall_ns) {
    struct log_source *source = arg;
    if (!source->closing)
        log_decoder_entry(source->decoder, message, wall_ns);
}

static unsigned on_held(void *arg) {
    const struct log_source *source = arg;
    return log_decoder_held(source->decoder);
}

static void on_silence(uv_timer_t *timer) {
    struct log_source *source = timer->data;
    uint64_t before = source->events;
    log_source_go(source);
    log_decoder_flush(source->decoder);
    if (source->events > before && source->listener.moved)
        source->listener.moved(source->listener.arg);
}

static bool state_differs(const struct log_source_state *a, const struct log_source_state *b) {
    return a->kind != b->kind || a->readable != b->readable || a->error != b->error || a->rotations != b->rotations ||
           a->truncations != b->truncations || a->gaps != b->gaps;
}

static void on_step(void *arg, bool moved) {
    struct log_source *source = arg;
    bool changed = state_differs(&source->state, &source->told);
    if (source->closing)
        return;
    if (source->state.readable)
        source->state.last_look_wall_ns = wall_now_ns();
    source->told = source->state;
    if (log_decoder_held(source->decoder) > 0)
        uv_timer_start(&source->held_timer, on_silence, HELD_MS, 0);
    if (moved && source->listener.moved)
        source->listener.moved(source->listener.arg);
    if (changed && source->listener.changed)
        source->listener.changed(source->listener.arg);
}

void log_source_wait(struct log_source *source, unsigned ms) {
    source->waiting = source->backend && (source->backend->wait || source->backend->poll);
    if (!source->waiting)
        return;
    if (source->backend->wait)
        source->backend->wait(source->self, true);
    uv_timer_start(&source->held_timer, on_silence, ms, 0);
}

void log_source_go(struct log_source *source) {
    if (!source->waiting)
        return;
    source->waiting = false;
    uv_timer_stop(&source->held_timer);
    if (source->backend->wait)
        source->backend->wait(source->self, false);
}

/* --- which one --- */

static bool same_text(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

/* Take it out of those that were read before; NULL where it was not. */
static struct log_saved *take_former(struct log_source *source, enum log_kind kind, const char *name) {
    struct log_saved **p = &source->former;
    while (*p && ((*p)->kind != kind || !same_text((*p)->name, name)))
        p = &(*p)->former;
    struct log_saved *found = *p;
    if (!found)
        return NULL;
    *p = found->former;
    found->former = NULL;
    return found;
}

/* Read `name` from now on: where it was left, if it was read before. */
static int begin(struct log_source *source, const struct error_log_config *config, enum log_kind kind,
                 const char *name) {
    char *copy = strdup(name);
    const struct kind *k = &kinds[kind];
    struct log_saved *saved;
    if (!copy)
        return -ENOMEM;
    source->state.kind = kind;
    source->state.error = 0;
    saved = take_former(source, kind, name);
    source->self = k->begin(source->loop, config, name, &source->sink, &source->state, saved);
    if (saved)
        free_saved(saved);
    if (!source->self) {
        free(copy);
        return -ENOMEM;
    }
    source->backend = k->backend;
    free(source->name);
    source->name = copy;
    return 0;
}

static void stop_reading(struct log_source *source) {
    log_source_go(source);
    if (source->backend)
        source->backend->close(source->self);
    source->backend = NULL;
}

static void free_source(struct log_source *source) {
    stop_reading(source);
    log_decoder_free(source->decoder);
    free(source->name);
    if (source->former)
        free_saved(source->former);
    free(source);
}

static void let_go(struct log_source *source) {
    if (--source->holders == 0)
        free_source(source);
}

/* What the configuration names; NULL where the server is to be asked. */
static const char *configured_name(const struct error_log_config *config) {
    return config->source == LOG_FILE       ? config->file
           : config->source == LOG_JOURNALD ? (config->unit ? config->unit : config->identifier)
           : config->source == LOG_TABLE    ? "performance_schema.error_log"
                                            : NULL;
}

/* Stop reading it, and keep its place. */
static void leave(struct log_source *source) {
    struct log_saved *saved = source->backend ? calloc(1, sizeof *saved) : NULL;
    if (saved && (saved->name = strdup(source->name))) {
        saved->kind = source->state.kind;
        source->backend->save(source->self, saved);
        log_saved_push(&source->former, saved);
    } else {
        free(saved);
    }
    stop_reading(source);
    free(source->name);
    source->name = NULL;
    source->state.readable = source->state.watched = source->state.behind = false;
    source->state.behind_bytes = 0;
}

/* What `auto` found: the same as before, or another. What the server wrote there before we asked is not known, and of
 * another kind it may be what we read already. */
static void take_finding(struct log_source *source, const struct log_finding *finding) {
    bool none = finding->kind == LOG_NONE, before = source->backend != NULL;
    if (before &&
        (none ? !finding->over : source->state.kind == finding->kind && same_text(source->name, finding->name)))
        return;
    log_decoder_flush(source->decoder);
    leave(source);
    source->state.gaps += before;
    struct log_saved *same_lines = before && !none && source->state.kind != finding->kind
                                       ? take_former(source, finding->kind, finding->name)
                                       : NULL;
    if (same_lines)
        free_saved(same_lines);
    source->state.kind = LOG_AUTO;
    source->state.error = finding->error;
    const struct error_log_config *config = before ? &source->from_now : source->config;
    if (none || begin(source, config, finding->kind, finding->name) == 0)
        on_step(source, before || !none);
}

bool log_source_wants_poll(const struct log_source *source) {
    return source->config->source == LOG_AUTO || (source->backend && source->backend->poll);
}

/* Once for each connection, and when its settings were read again: MySQL's sinks are one. A right that is missing may
 * be given any time. */
static void ask_server(struct log_source *source, struct client *client, bool local, struct mono settings) {
    struct log_finding finding = {0};
    uint64_t connection = client_connection_id(client);
    const char *reads = source->backend && source->state.readable ? source->name : NULL;
    if (source->asked == connection && !mono_before(source->settings, settings))
        return;
    if (log_finder_ask(client, local, reads, &finding) && !source->closing) {
        source->asked = finding.error == -EACCES ? 0 : connection;
        source->settings = settings;
        take_finding(source, &finding);
    }
    log_finding_release(&finding);
}

void log_source_poll(struct log_source *source, struct client *client, bool local, struct mono settings) {
    source->holders++;
    if (source->config->source == LOG_AUTO)
        ask_server(source, client, local, settings);
    if (!source->closing && source->backend && source->backend->poll)
        source->backend->poll(source->self, client);
    let_go(source);
}

/* --- begin and end --- */

static void restore_counts(struct log_source_state *state, const struct log_saved *saved) {
    state->since_wall_ns = saved && saved->state.since_wall_ns ? saved->state.since_wall_ns : wall_now_ns();
    if (!saved)
        return;
    state->lines = saved->state.lines;
    state->bytes = saved->state.bytes;
    state->cut_lines = saved->state.cut_lines;
    state->rotations = saved->state.rotations;
    state->truncations = saved->state.truncations;
    state->gaps = saved->state.gaps;
    state->missed = saved->state.missed;
    state->last_read_wall_ns = saved->state.last_read_wall_ns;
}

struct log_source *log_source_start(uv_loop_t *loop, const struct error_log_config *config,
                                    const struct log_source_listener *listener, const struct log_saved *saved) {
    struct log_source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    source->loop = loop;
    source->config = config;
    source->from_now = *config;
    source->from_now.start = LOG_START_END;
    source->listener = *listener;
    source->sink = (struct log_sink){source, on_line, on_entry, on_held, on_step};
    source->decoder = log_decoder_new(on_event, source);
    source->state.kind = config->source;
    restore_counts(&source->state, saved);
    copy_all(saved, &source->former);
    /* What `auto` found the last time is taken up at once: the server may be away, and its log tells why. */
    const char *name = configured_name(config);
    enum log_kind kind = name ? config->source : saved && saved->name && saved->count > 0 ? saved->kind : LOG_NONE;
    if (!name && kind != LOG_NONE)
        name = saved->name;
    if (!name)
        source->state.error = -ENOTCONN;
    if (!source->decoder || (name && begin(source, config, kind, name) < 0)) {
        free_source(source);
        return NULL;
    }
    uv_timer_init(loop, &source->held_timer);
    source->held_timer.data = source;
    source->told = source->state;
    source->told.error = name ? 0 : source->state.error; /* that nobody was asked yet is not worth telling */
    source->holders = 1;
    return source;
}

bool log_source_is_behind(const struct log_source *source) {
    return source->state.behind_bytes > 0 || source->state.behind;
}

bool log_source_caught_up(const struct log_source *source) {
    const struct log_source_state *state = &source->state;
    bool read = !log_source_is_behind(source) && !source->waiting;
    if (state->kind == LOG_FILE || state->kind == LOG_JOURNALD)
        return state->error || (state->readable && read);
    return read;
}

const struct log_source_state *log_source_state(const struct log_source *source) {
    return &source->state;
}

int64_t log_source_seen_wall_ns(const struct log_source *source) {
    const struct log_source_state *state = &source->state;
    bool told = state->readable && (state->kind == LOG_FILE ? state->watched : state->kind == LOG_JOURNALD);
    return told ? wall_now_ns() : state->last_look_wall_ns;
}

const char *log_source_name(const struct log_source *source) {
    return source->name ? source->name : "";
}

void log_source_save(const struct log_source *source, struct log_saved *out) {
    *out = (struct log_saved){.state = source->state};
    copy_all(source->former, &out->former);
    if (!source->backend)
        return;
    out->kind = source->state.kind;
    out->name = strdup(source->name);
    source->backend->save(source->self, out);
}

static void on_closed(uv_handle_t *handle) {
    let_go(handle->data);
}

void log_source_close(struct log_source *source) {
    if (!source || source->closing)
        return;
    source->closing = true;
    if (source->holders == 1) /* a poll that runs still needs what it reads */
        stop_reading(source);
    uv_close((uv_handle_t *)&source->held_timer, on_closed);
}
