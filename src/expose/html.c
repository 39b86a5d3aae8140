/*
 * Parts of pages; see html.h.
 */
#include "expose/html.h"

#include "base/clock.h"
#include "base/text.h"

#include <time.h>

enum { TEXT_MAX = 16 * 1024 };

/* --- texts --- */

void html_text(struct strbuf *out, struct span text) {
    struct strbuf seen;
    strbuf_init(&seen, TEXT_MAX);
    text_add_terminal(&seen, text_cut(text, TEXT_MAX / 3), true);
    text_add_html(out, (struct span){seen.data, seen.len});
    strbuf_release(&seen);
}

void html_str(struct strbuf *out, const char *text) {
    html_text(out, span_of(text));
}

void html_name(struct strbuf *out, struct span text) {
    if (!text.ptr) {
        strbuf_addstr(out, "–");
        return;
    }
    strbuf_addstr(out, "<bdi>");
    html_text(out, text);
    strbuf_addstr(out, "</bdi>");
}

void html_word(struct strbuf *out, const char *word) {
    for (; *word; word++) {
        strbuf_addch(out, *word);
        if (*word == '_' || *word == '.')
            strbuf_addstr(out, "<wbr>");
    }
}

void html_url_value(struct strbuf *out, struct span value) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' ||
            c == '_') {
            strbuf_addch(out, (char)c);
        } else {
            strbuf_addch(out, '%');
            strbuf_addch(out, hex[c >> 4]);
            strbuf_addch(out, hex[c & 15]);
        }
    }
}

/* --- numbers and times --- */

void html_time(struct strbuf *out, int64_t wall_ns) {
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    char full[32], shown[32];
    if (wall_ns == 0 || !gmtime_r(&seconds, &tm) || strftime(full, sizeof full, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0 ||
        strftime(shown, sizeof shown, "%b %d %H:%M:%S", &tm) == 0)
        strbuf_addstr(out, "–");
    else
        strbuf_addf(out, "<time datetime=%s>%s</time>", full, shown);
}

void html_duration(struct strbuf *out, int64_t ns) {
    static const struct {
        int64_t below_ns, unit_ns;
        int digits;
        const char *unit;
    } units[] = {
        {10 * NS_PER_MS, NS_PER_MS, 2, "ms"},
        {100 * NS_PER_MS, NS_PER_MS, 1, "ms"},
        {NS_PER_S, NS_PER_MS, 0, "ms"},
        {10 * NS_PER_S, NS_PER_S, 1, "s"},
        {120 * NS_PER_S, NS_PER_S, 0, "s"},
        {7200 * NS_PER_S, 60 * NS_PER_S, 0, "min"},
        {172800 * NS_PER_S, 3600 * NS_PER_S, 0, "h"},
        {INT64_MAX, 86400 * NS_PER_S, 0, "d"},
    };
    size_t i = 0;
    if (ns < 0) {
        strbuf_addstr(out, "–");
        return;
    }
    while (ns >= units[i].below_ns && units[i].below_ns != INT64_MAX)
        i++;
    strbuf_addf(out, "%.*f&nbsp;%s", units[i].digits, (double)ns / (double)units[i].unit_ns, units[i].unit);
}

void html_bytes(struct strbuf *out, uint64_t bytes) {
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t i = 0;
    for (; value >= 1000; i++)
        value /= 1000;
    strbuf_addf(out, "%.*f&nbsp;%s", i > 0 && value < 10 ? 1 : 0, value, units[i]);
}

/* --- badges --- */

void html_badge_begin(struct strbuf *out, enum mood mood) {
    static const char *const classes[] = {
        [MOOD_GOOD] = "good", [MOOD_FAINT] = "none", [MOOD_INFO] = "info", [MOOD_WARN] = "warn", [MOOD_BAD] = "bad"};
    strbuf_addf(out, "<span class=\"badge %s\">", classes[mood]);
}

void html_badge_end(struct strbuf *out) {
    strbuf_addstr(out, "</span>");
}

void html_badge(struct strbuf *out, enum mood mood, const char *word) {
    html_badge_begin(out, mood);
    html_str(out, word);
    html_badge_end(out);
}

/* --- tables --- */

void html_table_begin(struct strbuf *out, const char *class, const char *caption) {
    strbuf_addf(out, "<table role=table class=\"%s\"><caption>%s</caption>\n<thead role=rowgroup><tr role=row>", class,
                caption);
}

static void add_class(struct strbuf *out, const char *class) {
    if (*class)
        strbuf_addf(out, " class=\"%s\"", class);
}

void html_column(struct strbuf *out, const char *class, const char *title) {
    strbuf_addstr(out, "<th role=columnheader scope=col");
    add_class(out, class);
    strbuf_addf(out, ">%s", title);
}

void html_rows_begin(struct strbuf *out) {
    strbuf_addstr(out, "</thead>\n<tbody role=rowgroup>\n");
}

void html_row(struct strbuf *out) {
    strbuf_addstr(out, "<tr role=row>");
}

void html_row_head(struct strbuf *out) {
    strbuf_addstr(out, "<th role=rowheader scope=row>");
}

void html_cell(struct strbuf *out, const char *class, const char *label) {
    strbuf_addstr(out, "<td role=cell");
    add_class(out, class);
    strbuf_addf(out, " data-label=\"%s\">", label);
}

void html_table_end(struct strbuf *out) {
    strbuf_addstr(out, "</table>\n");
}
