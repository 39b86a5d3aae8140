/*
 * The parts that pages for people are made of: texts made safe, numbers and times as people read them, badges, cells of
 * tables that become cards on a narrow screen.
 */
#ifndef EXPOSE_HTML_H
#define EXPOSE_HTML_H

#include "base/strbuf.h"

#include <stdint.h>

/* Escaped as text or attribute value; nothing in it can turn the direction of writing: what could is U+FFFD. */
void html_text(struct strbuf *out, struct span text);
void html_str(struct strbuf *out, const char *text);
/* The same of what others chose, for whom a direction of its own is right; a dash where ptr is NULL. */
void html_name(struct strbuf *out, struct span text);
/* A name of ours, which may be broken behind each `_` and `.`. */
void html_word(struct strbuf *out, const char *word);
/* A value in the query of a URL: percent-encoded, which needs no escaping. */
void html_url_value(struct strbuf *out, struct span value);

/* "Nov 21 13:04:05", in UTC; a dash where it is 0. */
void html_time(struct strbuf *out, int64_t wall_ns);
/* How long, in the unit that fits: "0.06 ms", "12 s", "3 h". A dash where it is negative. */
void html_duration(struct strbuf *out, int64_t ns);
void html_bytes(struct strbuf *out, uint64_t bytes);

/* How something is, told by a word, a sign and a colour. */
enum mood { MOOD_GOOD, MOOD_FAINT, MOOD_INFO, MOOD_WARN, MOOD_BAD };
void html_badge_begin(struct strbuf *out, enum mood mood);
void html_badge_end(struct strbuf *out);
/* `word` is ours. */
void html_badge(struct strbuf *out, enum mood mood, const char *word);

/* Tables say their roles, for a table that is laid out as cards is none to a browser otherwise. All texts are ours. */
void html_table_begin(struct strbuf *out, const char *class, const char *caption);
void html_column(struct strbuf *out, const char *class, const char *title); /* class: "" none */
void html_rows_begin(struct strbuf *out);                                   /* after the columns */
void html_row(struct strbuf *out);
void html_row_head(struct strbuf *out);
void html_cell(struct strbuf *out, const char *class, const char *label); /* label: what it is, where it is a card */
void html_table_end(struct strbuf *out);

#endif
