/*
 * YAML as a flat run of items, one document of maps, lists and scalars: the only user of <yaml.h>. What the
 * configuration has no use for (aliases, anchors, tags, directives, further documents) is an error here, so that
 * nothing behind it can be blown up by a small file.
 */
#ifndef CONFIG_YAML_READER_H
#define CONFIG_YAML_READER_H

#include "base/strbuf.h"

#include <stdint.h>

/* A place in the file, counted from 1; line 0 is none. */
struct mark {
    uint32_t line, column;
};

enum yaml_kind { YAML_MAP, YAML_MAP_END, YAML_LIST, YAML_LIST_END, YAML_SCALAR, YAML_END };

struct yaml_item {
    enum yaml_kind kind;
    struct span text; /* of a scalar; wiped by the next call */
    bool quoted;      /* it was not a plain scalar */
    struct mark mark;
};

struct yaml_reader;

/* `text` is borrowed. NULL when memory is short. */
struct yaml_reader *yaml_reader_new(struct span text);
/* The next item; YAML_END after the last, at once if the file is empty. False with item->mark and what is wrong in
 * `why`. */
bool yaml_reader_next(struct yaml_reader *reader, struct yaml_item *item, struct strbuf *why);
void yaml_reader_free(struct yaml_reader *reader); /* NULL is allowed */

#endif
