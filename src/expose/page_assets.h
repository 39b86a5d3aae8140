/*
 * What pages for people load besides themselves: their style, their script and their icon, which are files of this
 * folder and parts of the program.
 */
#ifndef EXPOSE_PAGE_ASSETS_H
#define EXPOSE_PAGE_ASSETS_H

struct page_asset {
    const char *path, *type; /* under the prefix; Content-Type */
    const char *begin, *end; /* live as long as the program */
};

/* The one of that path, or NULL. */
const struct page_asset *page_asset_find(const char *path);

#endif
