/*
 * What the reader's terminal can show, and the small parts that tables for people are made of.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "base/strbuf.h"

#include <stdbool.h>

struct terminal_style {
    bool colour;
    bool bars;
    bool utf8;
    unsigned columns;
};

/* Colours and bars on a terminal only; TERM=dumb and NO_COLOR are obeyed. */
struct terminal_style terminal_style_of_stdout(void);
unsigned terminal_columns(int fd); /* 80 where it is no terminal */
bool terminal_is_utf8(void);
/* Whether a line can be drawn over itself there. */
bool terminal_can_redraw(int fd);

/* SGR parameters. NULL: the terminal's own colour. */
#define TERMINAL_DIM "2"
#define TERMINAL_BOLD "1"
#define TERMINAL_GOOD "32"
#define TERMINAL_BAD "1;31"

void terminal_add_coloured(const struct terminal_style *style, const char *colour, const char *text,
                           struct strbuf *out);
void terminal_add_spaces(struct strbuf *out, unsigned count);
/* Right-aligned. */
void terminal_add_cell(const struct terminal_style *style, unsigned width, const char *colour, const char *text,
                       struct strbuf *out);
void terminal_add_bar(const struct terminal_style *style, const char *colour, unsigned cells, struct strbuf *out);

/* Columns of a text of our own. */
unsigned terminal_width(const char *text);

#endif
