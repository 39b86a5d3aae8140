/*
 * YAML as a flat run of items; see yaml_reader.h.
 */
#include "config/yaml_reader.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct yaml_reader {
    struct span text;
    yaml_parser_t parser;
    yaml_event_t event; /* the item that the caller has */
    bool document_seen;
};

struct yaml_reader *yaml_reader_new(struct span text) {
    struct yaml_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    if (!yaml_parser_initialize(&reader->parser)) {
        free(reader);
        return NULL;
    }
    reader->text = text;
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text.ptr, text.len);
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    return reader;
}

/* Scalars may be secrets. */
static void release_event(struct yaml_reader *reader) {
    if (reader->event.type == YAML_SCALAR_EVENT)
        explicit_bzero(reader->event.data.scalar.value, reader->event.data.scalar.length);
    yaml_event_delete(&reader->event);
}

void yaml_reader_free(struct yaml_reader *reader) {
    if (!reader)
        return;
    yaml_parser_t *parser = &reader->parser;
    release_event(reader);
    explicit_bzero(parser->buffer.start, (size_t)(parser->buffer.end - parser->buffer.start));
    explicit_bzero(parser->raw_buffer.start, (size_t)(parser->raw_buffer.end - parser->raw_buffer.start));
    yaml_parser_delete(parser);
    free(reader);
}

static bool wrong(struct yaml_item *item, struct mark mark, struct strbuf *why, const char *text) {
    item->mark = mark;
    strbuf_addstr(why, text);
    return false;
}

static struct mark mark_of(const yaml_mark_t *mark) {
    return (struct mark){(uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
}

/* Line and column of a byte, where libyaml knows the offset only. */
static struct mark mark_of_offset(struct span text, size_t offset) {
    struct mark mark = {1, 1};
    for (size_t i = 0; i < offset && i < text.len; i++) {
        if (text.ptr[i] == '\n')
            mark = (struct mark){mark.line + 1, 1};
        else if (((unsigned char)text.ptr[i] & 0xC0) != 0x80) /* not inside a character */
            mark.column++;
    }
    return mark;
}

/* The byte of the first '%' that begins a line, or text.len. libyaml takes time that is quadratic in the number of %TAG
 * directives, and needs all of them before it returns anything. Its line breaks are also U+0085, U+2028 and U+2029. */
static size_t find_directive(struct span text) {
    static const struct {
        const char *bytes;
        size_t len;
    } breaks[] = {
        {"\n", 1},           {"\r", 1},           {"\xC2\x85", 2},
        {"\xE2\x80\xA8", 3}, {"\xE2\x80\xA9", 3}, {"\xEF\xBB\xBF", 3}, /* a byte order mark has no column */
    };
    for (size_t at = 0; at < text.len; at++) {
        const char *percent = memchr(text.ptr + at, '%', text.len - at);
        if (!percent)
            break;
        at = (size_t)(percent - text.ptr);
        if (at == 0)
            return at;
        for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++)
            if (at >= breaks[i].len && memcmp(percent - breaks[i].len, breaks[i].bytes, breaks[i].len) == 0)
                return at;
    }
    return text.len;
}

static bool report_parser(const struct yaml_reader *reader, struct yaml_item *item, struct strbuf *why) {
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return wrong(item, (struct mark){0, 0}, why, "out of memory");
    item->mark = parser->error == YAML_READER_ERROR ? mark_of_offset(reader->text, parser->problem_offset)
                                                    : mark_of(&parser->problem_mark);
    /* libyaml's texts are constants, they hold nothing of the file. */
    strbuf_addf(why, "this is no valid YAML: %s", parser->problem ? parser->problem : "unknown problem");
    return false;
}

/* What every node may carry and none may carry here. */
static bool check_node(const unsigned char *anchor, const unsigned char *tag, struct yaml_item *item,
                       struct strbuf *why) {
    if (anchor)
        return wrong(item, item->mark, why, "anchors are not supported");
    if (tag)
        return wrong(item, item->mark, why, "tags are not supported");
    return true;
}

/* Whether the event is an item for the caller; a failure has text in `why`. */
static bool take_event(struct yaml_reader *reader, struct yaml_item *item, struct strbuf *why) {
    const yaml_event_t *event = &reader->event;
    item->mark = mark_of(&event->start_mark);
    switch (event->type) {
    case YAML_MAPPING_START_EVENT:
        item->kind = YAML_MAP;
        return check_node(event->data.mapping_start.anchor, event->data.mapping_start.tag, item, why);
    case YAML_SEQUENCE_START_EVENT:
        item->kind = YAML_LIST;
        return check_node(event->data.sequence_start.anchor, event->data.sequence_start.tag, item, why);
    case YAML_SCALAR_EVENT:
        item->kind = YAML_SCALAR;
        item->text = (struct span){(const char *)event->data.scalar.value, event->data.scalar.length};
        item->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        return check_node(event->data.scalar.anchor, event->data.scalar.tag, item, why);
    case YAML_MAPPING_END_EVENT:
        item->kind = YAML_MAP_END;
        return true;
    case YAML_SEQUENCE_END_EVENT:
        item->kind = YAML_LIST_END;
        return true;
    case YAML_STREAM_END_EVENT:
        item->kind = YAML_END;
        return true;
    case YAML_ALIAS_EVENT:
        return wrong(item, item->mark, why, "aliases are not supported");
    case YAML_DOCUMENT_START_EVENT:
        if (reader->document_seen)
            return wrong(item, item->mark, why, "a second document begins here; only one is supported");
        reader->document_seen = true;
        return false;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return false;
    }
    return false;
}

bool yaml_reader_next(struct yaml_reader *reader, struct yaml_item *item, struct strbuf *why) {
    size_t silent = why->len;
    *item = (struct yaml_item){.kind = YAML_END};
    if (!reader->document_seen) {
        size_t directive = find_directive(reader->text);
        if (directive < reader->text.len)
            return wrong(item, mark_of_offset(reader->text, directive), why, "directives (%) are not supported");
    }
    do {
        release_event(reader);
        if (!yaml_parser_parse(&reader->parser, &reader->event))
            return report_parser(reader, item, why);
        if (take_event(reader, item, why))
            return true;
    } while (why->len == silent);
    return false;
}
