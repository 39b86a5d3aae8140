/*
 * Escaping for the formats that we write, and UTF-8 made safe: hostile bytes go in, well-formed text comes out.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/strbuf.h"

/* At most the first `max` bytes, and not a part of a character: two texts that differ behind the cut are then the same
 * text, and not two that only look the same. */
struct span text_cut(struct span text, size_t max);
/* The same text, with invalid UTF-8 replaced by U+FFFD: two texts that will look alike are alike afterwards. */
void text_add_utf8(struct strbuf *sb, struct span value);
/* A Prometheus label value, without the quotes around it: \ " and newline escaped, invalid UTF-8 replaced by U+FFFD. */
void text_add_label_value(struct strbuf *sb, struct span value);
/* The inside of a JSON string; control bytes as \u00XX, invalid UTF-8 as U+FFFD. */
void text_add_json(struct strbuf *sb, struct span value);
/* HTML text or attribute value: & < > " ' escaped, invalid UTF-8 replaced, control bytes as U+FFFD. */
void text_add_html(struct strbuf *sb, struct span value);
/* A logfmt value: bare where it needs no quotes, else quoted with \ escapes; invalid UTF-8 replaced. */
void text_add_logfmt(struct strbuf *sb, struct span value);
/* Something for a terminal to show: nothing in it can steer the terminal or turn the direction of writing. What could,
 * and what is not UTF-8, becomes U+FFFD; without `utf8` all that is not printable ASCII becomes '?'. */
void text_add_terminal(struct strbuf *sb, struct span value, bool utf8);

#endif
