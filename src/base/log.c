/*
 * The program's own log; see log.h. A small table of recent lines, keyed by everything in them but the numbers, makes
 * the suppression: rows of a few slots. A line that finds its row full takes the oldest slot, after the count that it
 * held was written.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define RECENT_ROWS 128
#define RECENT_SLOTS 4
#define SUPPRESS_NS (60 * NS_PER_S)
#define LINE_MAX_BYTES 8192

struct recent {
    uint64_t key; /* 0: free */
    struct mono written;
    uint64_t suppressed;
    enum log_level level;
    char message[48]; /* for log_flush() and for a count that is written when another line takes the slot */
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const format_names[] = {"logfmt", "json"};

static struct {
    enum log_level level;
    enum log_format format;
    FILE *out; /* NULL: stderr */
    struct recent recent[RECENT_ROWS][RECENT_SLOTS];
} logger = {.level = LOG_LEVEL_INFO};

static int name_parse(const char *text, const char *const *names, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return -EINVAL;
}

int log_level_parse(const char *text, enum log_level *out) {
    int i = name_parse(text, level_names, 4);
    if (i < 0)
        return i;
    *out = (enum log_level)i;
    return 0;
}

int log_format_parse(const char *text, enum log_format *out) {
    int i = name_parse(text, format_names, 2);
    if (i < 0)
        return i;
    *out = (enum log_format)i;
    return 0;
}

void log_configure(enum log_level level, enum log_format format, FILE *out) {
    logger.level = level;
    logger.format = format;
    logger.out = out;
}

bool log_enabled(enum log_level level) {
    return level >= logger.level;
}

static void add_key_value(struct strbuf *line, const char *key, struct span value) {
    if (logger.format == LOG_FORMAT_JSON) {
        strbuf_addstr(line, line->len ? ",\"" : "{\"");
        strbuf_addstr(line, key);
        strbuf_addstr(line, "\":\"");
        text_add_json(line, value);
        strbuf_addch(line, '"');
    } else {
        strbuf_addstr(line, line->len ? " " : "");
        strbuf_addstr(line, key);
        strbuf_addch(line, '=');
        text_add_logfmt(line, value);
    }
}

static void add_number(struct strbuf *line, const char *key, int64_t number) {
    strbuf_addf(line, logger.format == LOG_FORMAT_JSON ? ",\"%s\":%lld" : " %s=%lld", key, (long long)number);
}

static void add_duration(struct strbuf *line, const char *key, int64_t ns) {
    struct strbuf text;
    strbuf_init(&text, 64);
    number_add_duration(&text, ns / NS_PER_US * NS_PER_US);
    add_key_value(line, key, span_of(strbuf_text(&text)));
    strbuf_release(&text);
}

static void write_line(enum log_level level, const char *message, const struct log_field *fields, uint64_t suppressed) {
    struct strbuf line;
    int64_t now = wall_now_ns();
    time_t seconds = (time_t)(now / NS_PER_S);
    struct tm tm;
    char stamp[40], full[64];
    gmtime_r(&seconds, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(full, sizeof full, "%s.%03dZ", stamp, (int)(now % NS_PER_S / NS_PER_MS));

    strbuf_init(&line, LINE_MAX_BYTES);
    add_key_value(&line, "ts", span_of(full));
    add_key_value(&line, "level", span_of(level_names[level]));
    add_key_value(&line, "msg", span_of(message));
    for (const struct log_field *f = fields; f && f->key; f++) {
        size_t before = line.len;
        if (f->kind == LOG_FIELD_TEXT)
            add_key_value(&line, f->key, f->text);
        else if (f->kind == LOG_FIELD_NUMBER)
            add_number(&line, f->key, f->number);
        else
            add_duration(&line, f->key, f->number);
        if (strbuf_failed(&line)) { /* a field that does not fit is left out, the line stays well-formed */
            line.failed = false;
            strbuf_truncate(&line, before);
        }
    }
    if (suppressed)
        add_number(&line, "suppressed", (int64_t)suppressed);
    line.max += 2;
    if (logger.format == LOG_FORMAT_JSON)
        strbuf_addch(&line, '}');
    strbuf_addch(&line, '\n');
    FILE *out = logger.out ? logger.out : stderr;
    fwrite(line.data, 1, line.len, out);
    fflush(out);
    strbuf_release(&line);
}

static void hash_add(uint64_t *hash, const char *data, size_t len) {
    for (size_t i = 0; i < len; i++)
        *hash = (*hash ^ (unsigned char)data[i]) * 0x100000001b3; /* FNV-1a */
    *hash = (*hash ^ 0xff) * 0x100000001b3;
}

static uint64_t line_key(enum log_level level, const char *message, const struct log_field *fields) {
    uint64_t hash = 0xcbf29ce484222325 + (uint64_t)level;
    hash_add(&hash, message, strlen(message));
    for (const struct log_field *f = fields; f && f->key; f++)
        if (f->kind == LOG_FIELD_TEXT)
            hash_add(&hash, f->text.ptr, f->text.len);
    return hash ? hash : 1;
}

/* Say what a slot still holds back, when nobody will repeat the line itself. */
static void write_held_back(struct recent *slot) {
    if (slot->key && slot->suppressed)
        write_line(slot->level, "repeated lines were suppressed",
                   (const struct log_field[]){LF_STR("line", slot->message), LF_NUM("count", slot->suppressed), {0}},
                   0);
    slot->key = 0;
}

/* The slot of the line with this key: its own, else the one to take over. */
static struct recent *find_slot(uint64_t key) {
    struct recent *row = logger.recent[key % RECENT_ROWS], *oldest = row;
    for (size_t i = 0; i < RECENT_SLOTS; i++) {
        if (row[i].key == key)
            return &row[i];
        if (mono_before(row[i].written, oldest->written))
            oldest = &row[i];
    }
    return oldest;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields) {
    if (!log_enabled(level))
        return;
    uint64_t key = line_key(level, message, fields);
    struct recent *slot = find_slot(key);
    struct mono now = mono_now();
    uint64_t suppressed = 0;
    if (slot->key == key) {
        if (mono_between(slot->written, now) < SUPPRESS_NS) {
            slot->suppressed++;
            return;
        }
        suppressed = slot->suppressed;
    } else {
        write_held_back(slot);
    }
    write_line(level, message, fields, suppressed);
    *slot = (struct recent){.key = key, .written = now, .level = level};
    snprintf(slot->message, sizeof slot->message, "%s", message);
}

void log_flush(void) {
    for (size_t row = 0; row < RECENT_ROWS; row++)
        for (size_t i = 0; i < RECENT_SLOTS; i++)
            write_held_back(&logger.recent[row][i]);
}
