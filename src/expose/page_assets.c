/*
 * The files of pages, put into the program by the assembler; see page_assets.h. The paths are from the folder in which
 * the compiler runs: the source's root. The Makefile has them as what this file is made from.
 */
#include "expose/page_assets.h"

#include <string.h>

#define EMBED(name, path)                                                                                              \
    __asm__(".pushsection .rodata\n" #name "_begin: .incbin \"" path "\"\n" #name "_end: .byte 0\n.popsection\n");     \
    extern const char name##_begin[], name##_end[]

EMBED(status_css, "src/expose/status.css");
EMBED(status_js, "src/expose/status.js");
EMBED(icon_svg, "src/expose/icon.svg");

static const struct page_asset assets[] = {
    {"/static/status.css", "text/css; charset=utf-8", status_css_begin, status_css_end},
    {"/static/status.js", "text/javascript; charset=utf-8", status_js_begin, status_js_end},
    {"/static/icon.svg", "image/svg+xml", icon_svg_begin, icon_svg_end},
};

const struct page_asset *page_asset_find(const char *path) {
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++)
        if (strcmp(path, assets[i].path) == 0)
            return &assets[i];
    return NULL;
}
