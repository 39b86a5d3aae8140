/*
 * Tables for people; see terminal.h.
 */
#include "cli/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CELL_MAX 256
#define COLUMNS_USUAL 80

bool terminal_is_utf8(void) {
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (!locale)
        return false;
    bool utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return utf8;
}

unsigned terminal_columns(int fd) {
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS_USUAL;
}

bool terminal_can_redraw(int fd) {
    const char *term = getenv("TERM");
    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

/* https://no-color.org: any value that is not empty. */
struct terminal_style terminal_style_of_stdout(void) {
    const char *no_colour = getenv("NO_COLOR");
    bool terminal = terminal_can_redraw(STDOUT_FILENO);
    return (struct terminal_style){
        .colour = terminal && !(no_colour && *no_colour),
        .bars = terminal,
        .utf8 = terminal_is_utf8(),
        .columns = terminal_columns(STDOUT_FILENO),
    };
}

void terminal_add_coloured(const struct terminal_style *style, const char *colour, const char *text,
                           struct strbuf *out) {
    if (style->colour && colour && *text)
        strbuf_addf(out, "\033[%sm%s\033[0m", colour, text);
    else
        strbuf_addstr(out, text);
}

unsigned terminal_width(const char *text) {
    unsigned width = 0;
    for (; *text; text++)
        width += (*text & 0xC0) != 0x80; /* our own texts have no wide and no combining characters */
    return width;
}

void terminal_add_spaces(struct strbuf *out, unsigned count) {
    strbuf_addf(out, "%*s", (int)count, "");
}

void terminal_add_cell(const struct terminal_style *style, unsigned width, const char *colour, const char *text,
                       struct strbuf *out) {
    unsigned have = terminal_width(text);
    terminal_add_spaces(out, have < width ? width - have : 0);
    terminal_add_coloured(style, colour, text, out);
}

void terminal_add_bar(const struct terminal_style *style, const char *colour, unsigned cells, struct strbuf *out) {
    struct strbuf bar;
    strbuf_init(&bar, CELL_MAX);
    for (unsigned i = 0; i < cells; i++)
        strbuf_addstr(&bar, style->utf8 ? "\xE2\x94\x81" : "=");
    terminal_add_coloured(style, colour, strbuf_text(&bar), out);
    strbuf_release(&bar);
}
