/*
 * The error log as entries of the systemd journal, by unit or identifier; see log_backend.h. The only user of
 * <systemd/sd-journal.h>.
 *
 * The journal's descriptor tells when there is more; a timer runs only while the journal cannot be read, or where
 * libsystemd asks for one. The place is a cursor: of the last entry that was handed over, or of the first that is held
 * back. Where the entry of a cursor is gone, so that lines may be lost, that is counted as a gap.
 *
 * journald counts an entry before it can be found, and libsystemd 252 looks no more into a file with a count that it
 * knows. So, each time that the journal tells of something, it is made to look again from where we are.
 *
 * Entries of one moment libsystemd orders by a hash where they are in files of different rows: when the journal is
 * flushed from /run to /var it comes to copies of some that it was at before. Those are known by what their cursors
 * have in common. (With a disjunction of matches, which journald's word of what its rate limit left out would take, it
 * comes to them far oftener: that word is not asked for.)
 */
#include "base/clock.h"
#include "base/records.h"
#include "observe/log_backend.h"
#include "observe/log_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

enum {
    STEP_ENTRIES = 500,
    STEP_BYTES = 256 * 1024,
    ODD_MS = 10 * 1000, /* between looks while the journal cannot be read */
};
#define STEP_NS (2 * NS_PER_MS)

/* The number of the place. */
enum { CURSOR_UNREAD }; /* the cursor's entry is still to be handed over; without a cursor: there was none yet */

struct log_journald {
    const struct error_log_config *config;
    const struct log_sink *sink;
    struct log_source_state *state;
    uv_loop_t *loop;
    char *unit;
    sd_journal *journal;
    uv_poll_t poll;
    uv_idle_t wake;
    uv_timer_t timer;
    unsigned open_handles;
    bool polling, closing;
    bool told;        /* the journal said that something is new, and we did not look twice yet */
    char *cursor;     /* of the entry that we came to last, which may be gone since; NULL: there was none */
    bool unread;      /* … and it was not handed over yet */
    uint64_t entries; /* that we came to; not each is a line */
    struct {
        uint64_t entries, bytes; /* how many there were before it */
    } lines[LOG_HELD_MAX];       /* the last ones, in a ring */
    unsigned next_line;
    struct journal_entry {
        uint64_t content;   /* of the cursor: when it was written, and what it holds; copies have the same */
        uint64_t files;     /* … in which row of files … */
        uint64_t number;    /* … and at which place of that row it is: others of that very moment have another one */
    } passed[LOG_HELD_MAX]; /* the last ones, in a ring */
    unsigned next_passed;
    struct log_saved saved; /* until the journal could be opened */
    bool begin_at_end;
};

static void on_wake(uv_idle_t *handle);

static void wake(struct log_journald *j) {
    uv_idle_start(&j->wake, on_wake);
}

/* --- whether there is anything that we may read --- */

struct census {
    unsigned readable, unreadable;
};

static bool ends_in(const char *text, const char *ending) {
    size_t len = strlen(text), ending_len = strlen(ending);
    return len > ending_len && strcmp(text + len - ending_len, ending) == 0;
}

/* Journal files of a folder whose names begin like this, and (depth 1) of those in it, which are named after machines.
 */
static void count_files(const char *folder, const char *beginning, int depth, struct census *census) {
    DIR *dir = opendir(folder);
    char path[PATH_MAX];
    census->unreadable += !dir && errno == EACCES;
    if (!dir)
        return;
    /* One thread alone reads this DIR. */
    // cppcheck-suppress readdirCalled
    for (const struct dirent *e; (e = readdir(dir));) {
        int len = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || len < 0 || (size_t)len >= sizeof path)
            continue;
        if (ends_in(e->d_name, ".journal") && strncmp(e->d_name, beginning, strlen(beginning)) == 0) {
            bool readable = euidaccess(path, R_OK) == 0;
            census->readable += readable;
            census->unreadable += !readable;
        } else if (depth > 0 && e->d_type == DT_DIR) {
            count_files(path, beginning, depth - 1, census);
        }
    }
    closedir(dir);
}

/* libsystemd leaves out silently what it may not read. A user may read his own journal, where no unit's entries are. */
static int check_access(const struct log_journald *j) {
    struct census census = {0};
    if (j->config->journal) {
        count_files(j->config->journal, "", 1, &census);
    } else {
        count_files("/var/log/journal", "system", 1, &census);
        count_files("/run/log/journal", "system", 1, &census);
    }
    return census.readable > 0 ? 0 : census.unreadable > 0 ? -EACCES : -ENOENT;
}

/* --- which entries we came to --- */

/* The journal's pointer is on one. */
static void came_to_entry(struct log_journald *j) {
    char *cursor;
    if (sd_journal_get_cursor(j->journal, &cursor) < 0)
        return;
    free(j->cursor);
    j->cursor = cursor;
}

/* "s=FILES;i=NUMBER;b=BOOT;m=…;t=…;x=…", as sd_journal_get_cursor(3) has it. */
static bool identify(const char *cursor, struct journal_entry *out) {
    const char *number = cursor ? strstr(cursor, ";i=") : NULL, *content = number ? strstr(number, ";b=") : NULL;
    if (!content)
        return false;
    out->files = hash_bytes(cursor, (size_t)(number - cursor));
    out->number = hash_bytes(number, (size_t)(content - number));
    out->content = hash_bytes(content, strlen(content));
    return true;
}

/* Whether the entry that we came to, or that of which it is a copy, was passed already; from now on it was. */
static bool was_passed(struct log_journald *j) {
    struct journal_entry entry;
    if (!identify(j->cursor, &entry))
        return false;
    for (unsigned i = 0; i < LOG_HELD_MAX && i < j->next_passed; i++) {
        const struct journal_entry *other = &j->passed[i];
        if (other->content == entry.content && (other->files != entry.files || other->number == entry.number))
            return true;
    }
    j->passed[j->next_passed++ % LOG_HELD_MAX] = entry;
    return false;
}

/* What is in front of the place where we begin was passed before; copies look new only within its moment. */
static void note_moment(struct log_journald *j) {
    uint64_t moment_us = 0, us = 0, back = 0;
    sd_journal_get_realtime_usec(j->journal, &moment_us);
    while (back < LOG_HELD_MAX && sd_journal_previous(j->journal) > 0) {
        back++;
        if (sd_journal_get_realtime_usec(j->journal, &us) < 0 || us != moment_us)
            break;
        came_to_entry(j);
        was_passed(j);
    }
    if (back > 0)
        sd_journal_next_skip(j->journal, back);
    came_to_entry(j);
}

/* --- opening --- */

static int add_match(struct log_journald *j, const char *field, const char *value) {
    char match[512];
    snprintf(match, sizeof match, "%s=%s", field, value);
    return sd_journal_add_match(j->journal, match, 0);
}

/* A unit's name may be given without its kind. */
static int add_matches(struct log_journald *j) {
    char unit[300];
    snprintf(unit, sizeof unit, "%s%s", j->unit ? j->unit : "", j->unit && !strchr(j->unit, '.') ? ".service" : "");
    int rc = j->unit ? add_match(j, "_SYSTEMD_UNIT", unit) : 0;
    if (rc >= 0 && j->config->identifier)
        rc = add_match(j, "SYSLOG_IDENTIFIER", j->config->identifier);
    return rc < 0 ? rc : 0;
}

/* What comes after the newest entry that is there now. */
static int go_to_end(struct log_journald *j) {
    int rc = sd_journal_seek_tail(j->journal);
    if (rc >= 0)
        rc = sd_journal_previous(j->journal);
    if (rc > 0) {
        note_moment(j);
        was_passed(j);
    }
    return rc == 0 ? sd_journal_seek_head(j->journal) : rc < 0 ? rc : 0;
}

/* The journal was flushed meanwhile: from the first entry of the cursor's moment on, the one with its content. */
static bool go_to_copy(struct log_journald *j, const char *cursor) {
    const char *content = strstr(cursor, ";b="), *other;
    uint64_t moment_us, us;
    if (!content || sd_journal_get_realtime_usec(j->journal, &moment_us) < 0)
        return false;
    do {
        came_to_entry(j);
        if (j->cursor && (other = strstr(j->cursor, ";b=")) && strcmp(other, content) == 0)
            return true;
    } while (sd_journal_next(j->journal) > 0 && sd_journal_get_realtime_usec(j->journal, &us) >= 0 && us == moment_us);
    sd_journal_seek_cursor(j->journal, cursor);
    sd_journal_next(j->journal);
    return false;
}

static int go_to_cursor(struct log_journald *j, const struct log_place *place) {
    int rc = sd_journal_seek_cursor(j->journal, place->text);
    if (rc >= 0)
        rc = sd_journal_next(j->journal);
    if (rc == -EINVAL) { /* no cursor */
        j->state->gaps++;
        return go_to_end(j);
    }
    if (rc < 0)
        return rc;
    bool there = rc > 0 && (sd_journal_test_cursor(j->journal, place->text) > 0 || go_to_copy(j, place->text));
    j->unread = rc > 0 && (!there || place->number[CURSOR_UNREAD]);
    if (rc > 0)
        note_moment(j);
    if (rc > 0 && !j->unread)
        was_passed(j);
    j->state->gaps += !there;         /* it was vacuumed, and perhaps others after it; … */
    return rc > 0 ? 0 : go_to_end(j); /* … or what is there is older: the machine fell, and lost the journal's end */
}

static int go_to_place(struct log_journald *j) {
    const struct log_place *place = &j->saved.places[0];
    return j->saved.count > 0 && place->text ? go_to_cursor(j, place)
           : j->begin_at_end                 ? go_to_end(j)
                                             : sd_journal_seek_head(j->journal);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    struct log_journald *j = poll->data;
    (void)status, (void)events;
    sd_journal_process(j->journal);
    j->told = true;
    wake(j);
}

static void close_journal(struct log_journald *j) {
    sd_journal_close(j->journal);
    j->journal = NULL;
}

static int open_journal(struct log_journald *j) {
    int rc = check_access(j);
    if (rc < 0)
        return rc;
    rc = j->config->journal ? sd_journal_open_directory(&j->journal, j->config->journal, 0)
                            : sd_journal_open(&j->journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
    if (rc < 0)
        return rc;
    sd_journal_set_data_threshold(j->journal, j->config->max_line_bytes + sizeof "MESSAGE=");
    int fd = sd_journal_get_fd(j->journal); /* from here on it tells what comes */
    rc = fd < 0 ? fd : add_matches(j);
    if (rc >= 0)
        rc = go_to_place(j);
    if (rc >= 0)
        rc = uv_poll_init(j->loop, &j->poll, fd);
    if (rc < 0) {
        close_journal(j);
        return rc;
    }
    /* Not before: where it fails it is tried again from there. */
    log_saved_release(&j->saved);
    j->begin_at_end = false;
    j->poll.data = j;
    j->polling = true;
    return uv_poll_start(&j->poll, UV_READABLE, on_readable);
}

/* --- reading --- */

static void hand_over(struct log_journald *j, size_t *budget) {
    const void *data;
    size_t len, max = j->config->max_line_bytes;
    if (was_passed(j))
        return;
    uint64_t realtime_us = 0, entry = j->entries++;
    sd_journal_get_realtime_usec(j->journal, &realtime_us);
    j->state->last_read_wall_ns = wall_now_ns();
    if (sd_journal_get_data(j->journal, "MESSAGE", &data, &len) < 0 || len < strlen("MESSAGE="))
        return;
    struct span message = {(const char *)data + strlen("MESSAGE="), len - strlen("MESSAGE=")};
    j->lines[j->next_line % LOG_HELD_MAX].entries = entry;
    j->lines[j->next_line++ % LOG_HELD_MAX].bytes = j->state->bytes;
    j->state->cut_lines += message.len > max;
    message.len = message.len > max ? max : message.len;
    j->state->lines++;
    j->state->bytes += message.len;
    *budget -= message.len < *budget ? message.len : *budget;
    j->sink->entry(j->sink->arg, message, (int64_t)realtime_us * NS_PER_US);
}

/* 0 at the end, 1 where there may be more than one step may read, or a negative errno. */
static int read_entries(struct log_journald *j, bool *moved) {
    size_t budget = STEP_BYTES;
    struct mono ends = mono_add(mono_now(), STEP_NS);
    for (unsigned i = 0; i < STEP_ENTRIES && budget > 0 && mono_before(mono_now(), ends) && !j->closing; i++) {
        int rc = j->unread ? 1 : sd_journal_next(j->journal);
        if (rc <= 0)
            return rc;
        came_to_entry(j);
        j->unread = false;
        *moved = true;
        hand_over(j, &budget);
    }
    return 1;
}

static int look_again(struct log_journald *j) {
    j->told = false;
    if (!j->cursor)
        return sd_journal_seek_head(j->journal);
    int rc = sd_journal_seek_cursor(j->journal, j->cursor);
    if (rc >= 0)
        rc = sd_journal_next(j->journal);
    j->unread = rc > 0 && sd_journal_test_cursor(j->journal, j->cursor) <= 0;
    return rc;
}

static void on_timer(uv_timer_t *timer) {
    struct log_journald *j = timer->data;
    j->told = j->journal != NULL;
    if (j->journal)
        sd_journal_process(j->journal);
    wake(j);
}

static void arrange_next_look(struct log_journald *j) {
    uint64_t until_us = UINT64_MAX;
    if (j->state->error)
        uv_timer_start(&j->timer, on_timer, ODD_MS, 0);
    else if (sd_journal_get_timeout(j->journal, &until_us) >= 0 && until_us != UINT64_MAX)
        uv_timer_start(&j->timer, on_timer, 1000, 0);
    else
        uv_timer_stop(&j->timer);
}

static void on_wake(uv_idle_t *handle) {
    struct log_journald *j = handle->data;
    bool moved = false;
    uv_idle_stop(handle);
    int rc = j->journal ? 0 : open_journal(j);
    if (rc >= 0)
        rc = read_entries(j, &moved);
    if (rc == 0 && j->told && !j->closing && (rc = look_again(j)) >= 0)
        rc = read_entries(j, &moved);
    if (j->closing)
        return;
    if (rc > 0)
        wake(j);
    j->state->error = rc < 0 ? rc : 0;
    j->state->readable = rc >= 0;
    j->state->behind = rc > 0;
    arrange_next_look(j);
    j->sink->stepped(j->sink->arg, moved);
}

/* --- begin and end --- */

void *log_journald_begin(uv_loop_t *loop, const struct error_log_config *config, const char *unit,
                         const struct log_sink *sink, struct log_source_state *state, const struct log_saved *saved) {
    struct log_journald *j = calloc(1, sizeof *j);
    bool by_unit = config->unit || !config->identifier;
    if (!j || (by_unit && !(j->unit = strdup(unit)))) {
        free(j);
        return NULL;
    }
    j->loop = loop;
    j->config = config;
    j->sink = sink;
    j->state = state;
    j->begin_at_end = config->start == LOG_START_END;
    if (saved && saved->count > 0) {
        log_saved_add(&j->saved, saved->places[0].number, saved->places[0].text);
        j->begin_at_end = false;
    }
    uv_idle_init(loop, &j->wake);
    uv_timer_init(loop, &j->timer);
    j->wake.data = j->timer.data = j;
    j->open_handles = 2;
    int rc = open_journal(j); /* where to begin is fixed now */
    state->error = rc < 0 ? rc : 0;
    j->begin_at_end &= rc != -ENOENT; /* what comes is new */
    wake(j);
    return j;
}

static void journald_save(const void *self, struct log_saved *out) {
    const struct log_journald *j = self;
    unsigned held = j->sink->held(j->sink->arg);
    uint64_t place[LOG_PLACE_NUMBERS] = {0};
    char *cursor = NULL;
    if (j->saved.count > 0)
        log_saved_add(out, j->saved.places[0].number, j->saved.places[0].text);
    else if (!j->cursor && !j->begin_at_end)
        log_saved_add(out, place, NULL);
    if (!j->cursor)
        return;
    held = held < j->next_line ? held : j->next_line;
    held = held < LOG_HELD_MAX ? held : LOG_HELD_MAX;
    uint64_t back = 0;
    if (held > 0) {
        const unsigned first = (j->next_line - held) % LOG_HELD_MAX;
        back = j->entries - 1 - j->lines[first].entries;
        out->state.lines -= held;
        out->state.bytes = j->lines[first].bytes;
    }
    place[CURSOR_UNREAD] = held > 0 || j->unread;
    int went = back > 0 ? sd_journal_previous_skip(j->journal, back) : 0;
    bool there = went > 0 && sd_journal_get_cursor(j->journal, &cursor) >= 0;
    log_saved_add(out, place, there ? cursor : j->cursor);
    free(cursor);
    if (went > 0)
        sd_journal_next_skip(j->journal, (uint64_t)went);
}

static void on_handle_closed(uv_handle_t *handle) {
    struct log_journald *j = handle->data;
    if (--j->open_handles > 0)
        return;
    log_saved_release(&j->saved);
    free(j->cursor);
    free(j->unit);
    free(j);
}

static void on_poll_closed(uv_handle_t *handle) {
    struct log_journald *j = handle->data;
    sd_journal_close(j->journal);
    on_handle_closed(handle);
}

static void journald_close(void *self) {
    struct log_journald *j = self;
    j->closing = true;
    uv_close((uv_handle_t *)&j->wake, on_handle_closed);
    uv_close((uv_handle_t *)&j->timer, on_handle_closed);
    if (!j->polling) {
        sd_journal_close(j->journal);
        return;
    }
    j->open_handles++;
    uv_close((uv_handle_t *)&j->poll, on_poll_closed);
}

const struct log_backend log_journald_backend = {.save = journald_save, .close = journald_close};
