/*
 * Refused names over several lines; see log_refusal.h.
 */
#include "observe/log_refusal.h"

#include "observe/log_text.h"

enum {
    NAME_MAX_CHARACTERS = 128, /* of MariaDB; MySQL 5.x takes fewer */
    /* With the beginning of a message and no end, what follows is inside for certain: be generous. */
    SURE_MAX_CHARACTERS = 512,
    ABORT_MAX_CHARACTERS = 640, /* what its values are cut at, and the frame */
    WRAPPER_MAX_BYTES = 1024,
    LINE_MAX_BYTES = 1024, /* longer ones hold no end: a name's last part, a host and the few words after it */
};

void log_refusal_init(struct log_refusal *refusal) {
    *refusal = (struct log_refusal){0};
    strbuf_init(&refusal->text, 4 * SURE_MAX_CHARACTERS + 2 * LINE_MAX_BYTES);
    strbuf_init(&refusal->wrapper, WRAPPER_MAX_BYTES);
}

void log_refusal_release(struct log_refusal *refusal) {
    strbuf_release(&refusal->text);
    strbuf_release(&refusal->wrapper);
}

void log_refusal_close(struct log_refusal *refusal) {
    refusal->open = false;
    refusal->outer = 0;
}

/* At most as many as the server counted. */
static size_t characters(struct span s) {
    size_t count = 0;
    for (size_t i = 0; i < s.len; i++)
        count += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return count;
}

static size_t reach(const struct log_refusal *refusal) {
    if (refusal->abort)
        return ABORT_MAX_CHARACTERS;
    return refusal->sure && !refusal->whole ? SURE_MAX_CHARACTERS : NAME_MAX_CHARACTERS;
}

/* Else it is one only where its end is in a language in which it can have begun. */
static bool is_sure(const struct log_refusal *refusal) {
    return refusal->sure || (refusal->outer && refusal->outer_sure);
}

void log_refusal_begin(struct log_refusal *refusal, struct span line, const struct log_parsed *parsed) {
    struct span name = parsed->open_name;
    refusal->outer_sure = is_sure(refusal);
    bool sure = refusal->sure && !refusal->whole;
    if (refusal->open && !sure && !refusal->abort && refusal->characters + refusal->outer < reach(refusal))
        refusal->outer = reach(refusal) - refusal->characters;
    refusal->whole = parsed->event.kind == LOG_EVENT_ACCESS_DENIED;
    if (refusal->whole)
        name = parsed->event.user;
    refusal->abort = parsed->open_abort.ptr;
    if (refusal->abort)
        name = parsed->open_abort;
    if (!name.ptr || parsed->one_line) {
        log_refusal_close(refusal);
        return;
    }
    struct span rest = span_from(line, (size_t)(name.ptr - line.ptr));
    refusal->sure = refusal->whole || !(parsed->maybe_open || refusal->abort);
    refusal->characters = characters(rest);
    refusal->open = refusal->characters < reach(refusal);
    if (!refusal->open) {
        log_refusal_close(refusal);
        return;
    }
    strbuf_reset(&refusal->text);
    strbuf_add(&refusal->text, rest.ptr, rest.len);
    if (refusal->outer) /* what is in front of it may be a part of that name; true lines have the same anyway */
        return;
    strbuf_reset(&refusal->wrapper);
    strbuf_add(&refusal->wrapper, parsed->wrapper.ptr, parsed->wrapper.len);
}

static void skip_digits(struct span *s) {
    while (s->len && is_digit(s->ptr[0]))
        *s = span_from(*s, 1);
}

/* The line without what is in front of the first one, too, but for times and other numbers: those may differ. All of it
 * where that is not there. */
static struct span without_wrapper(const struct log_refusal *refusal, struct span line) {
    struct span rest = line, wrapper = {strbuf_text(&refusal->wrapper), refusal->wrapper.len};
    while (wrapper.len && rest.len) {
        bool number = is_digit(wrapper.ptr[0]);
        if (number ? !is_digit(rest.ptr[0]) : wrapper.ptr[0] != rest.ptr[0])
            return line;
        wrapper = span_from(wrapper, 1);
        rest = span_from(rest, 1);
        if (number) {
            skip_digits(&wrapper);
            skip_digits(&rest);
        }
    }
    return wrapper.len == 0 || span_is(wrapper, " ") ? rest : line; /* a blank at the end of a line goes lost */
}

/* Whether the line is the beginning of a message by itself. (A lone quote ends names, too.) */
static bool begins_message(const struct log_parsed *parsed) {
    return parsed->event.kind != LOG_EVENT_NONE || (parsed->open_name.ptr && !parsed->maybe_open) ||
           parsed->open_abort.ptr;
}

static bool ends_here(struct log_refusal *refusal, struct span line, const struct log_parsed *parsed,
                      struct log_event *end) {
    size_t before = refusal->text.len;
    if (line.len > LINE_MAX_BYTES)
        return false;
    strbuf_addch(&refusal->text, '\n');
    strbuf_add(&refusal->text, line.ptr, line.len);
    if (strbuf_failed(&refusal->text))
        return false;
    struct span text = {strbuf_text(&refusal->text), refusal->text.len};
    while (span_cut_end(&text, SPAN_LITERAL(" ")) || span_cut_end(&text, SPAN_LITERAL("\r")))
        ;
    if (refusal->abort)
        return !begins_message(parsed) && log_frame_parse(text, end) == LOG_FRAME_FITS;
    return log_frame_refused_end(text, !is_sure(refusal), end) && end->user.len > before &&
           characters(end->user) <= reach(refusal);
}

enum log_refusal_step log_refusal_line(struct log_refusal *refusal, struct span line, const struct log_parsed *parsed,
                                       struct log_event *end) {
    bool begins = (parsed->event.kind == LOG_EVENT_ACCESS_DENIED && parsed->event.user.ptr) ||
                  (parsed->open_name.ptr && !parsed->maybe_open);
    line = without_wrapper(refusal, line);
    size_t passed = characters(line) + 1;
    refusal->characters += passed;
    if (ends_here(refusal, line, parsed, end)) {
        if (begins && (refusal->whole || !refusal->sure)) /* this beginning may be inside the name, too */
            return LOG_REFUSAL_REACHES;
        refusal->whole = true;
        refusal->open = refusal->characters < reach(refusal) && !refusal->abort;
        return LOG_REFUSAL_ENDS;
    }
    refusal->outer -= refusal->outer < passed ? refusal->outer : passed;
    if (!strbuf_failed(&refusal->text) && line.len <= LINE_MAX_BYTES && refusal->characters < reach(refusal))
        return LOG_REFUSAL_WAITS;
    log_refusal_close(refusal);
    return LOG_REFUSAL_PASSED;
}
