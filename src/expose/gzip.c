/*
 * gzip in pieces; see gzip.h.
 */
#include "expose/gzip.h"

#include <stdlib.h>
#include <zlib.h>

enum {
    LEVEL = 1, /* pages of metrics repeat themselves: the quickest level makes a fifteenth of them */
    WINDOW_BITS = 14,
    GZIP_FORMAT = 16,
    MEMORY_LEVEL = 5, /* with the window 88 KB for each page on its way */
    ROOM = 16 * 1024,
    /* What fits into the window, of which zlib keeps two, at once. Begun anew after each, it need not be moved, which
     * would take a fourth of the time and spare a twentieth of the size. */
    PIECE = (2 << WINDOW_BITS) - 512,
};

struct gzip {
    z_stream stream;
};

struct gzip *gzip_new(void) {
    struct gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip && deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, WINDOW_BITS + GZIP_FORMAT, MEMORY_LEVEL,
                             Z_DEFAULT_STRATEGY) != Z_OK) {
        free(gzip);
        return NULL;
    }
    return gzip;
}

void gzip_free(struct gzip *gzip) {
    if (!gzip)
        return;
    deflateEnd(&gzip->stream);
    free(gzip);
}

static void add_piece(z_stream *z, struct span in, int flush, struct strbuf *out) {
    z->next_in = (z_const Bytef *)(uintptr_t)in.ptr;
    z->avail_in = (uInt)in.len;
    do { /* each piece is given out as soon as it is in, so that a slow page shows */
        char *room = strbuf_room(out, ROOM);
        if (!room)
            return;
        z->next_out = (Bytef *)room;
        z->avail_out = ROOM;
        deflate(z, flush);
        strbuf_grew(out, ROOM - z->avail_out);
    } while (z->avail_out == 0);
}

void gzip_add(struct gzip *gzip, struct span in, bool last, struct strbuf *out) {
    for (; in.len > PIECE; in = (struct span){in.ptr + PIECE, in.len - PIECE})
        add_piece(&gzip->stream, (struct span){in.ptr, PIECE}, Z_FULL_FLUSH, out);
    if (in.len > 0 || last)
        add_piece(&gzip->stream, in, last ? Z_FINISH : Z_FULL_FLUSH, out);
}
