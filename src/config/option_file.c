/*
 * Option files of MySQL and MariaDB; see option_file.h. The rules are those of mysys/my_default.c.
 */
#include "config/option_file.h"

#include "config/file.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

#define OPTION_FILE_MAX ((size_t)64 << 10)

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim_end(struct span s) {
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static struct span trim(struct span s) {
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    return trim_end(s);
}

/* Up to a '#' that stands outside of quotes. */
static struct span without_comment(struct span line) {
    char quote = 0;
    bool escaped = false;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if ((c == '\'' || c == '"') && !escaped) {
            if (!quote)
                quote = c;
            else if (quote == c)
                quote = 0;
        }
        if (!quote && c == '#')
            return (struct span){line.ptr, i};
        escaped = quote && c == '\\' && !escaped;
    }
    return line;
}

/* Quotes around the whole are taken off, escapes are resolved; an unknown escape stays as it is. */
static char *unquote(struct span value) {
    static const char escapes[] = "n\nt\tr\rb\bs \"\"''\\\\"; /* pairs: the letter, what it stands for */
    if (value.len > 1 && (value.ptr[0] == '"' || value.ptr[0] == '\'') && value.ptr[value.len - 1] == value.ptr[0]) {
        value.ptr++;
        value.len -= 2;
    }
    char *text = malloc(value.len + 1);
    size_t len = 0;
    for (size_t i = 0; text && i < value.len; i++) {
        char c = value.ptr[i];
        for (size_t e = 0; c == '\\' && i + 1 < value.len && e < sizeof escapes - 1; e += 2)
            if (value.ptr[i + 1] == escapes[e]) {
                text[len++] = escapes[e + 1];
                i++;
                goto next_character;
            }
        text[len++] = c;
    next_character:;
    }
    if (text)
        text[len] = '\0';
    return text;
}

static bool same_name(struct span name, const char *wanted) {
    if (name.len != strlen(wanted))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] != wanted[i] && !(name.ptr[i] == '_' && wanted[i] == '-'))
            return false;
    return true;
}

static bool take_option(struct span line, const struct option_wanted *wanted, size_t count, unsigned number,
                        struct strbuf *why) {
    line = without_comment(line);
    const char *equals = memchr(line.ptr, '=', line.len);
    struct span name = trim((struct span){line.ptr, equals ? (size_t)(equals - line.ptr) : line.len});
    for (size_t i = 0; i < count; i++) {
        if (!same_name(name, wanted[i].name))
            continue;
        if (!equals) {
            strbuf_addf(why, "line %u of the file: '%s' has no value", number, wanted[i].name);
            return false;
        }
        char *value = unquote(trim((struct span){equals + 1, (size_t)(line.ptr + line.len - equals - 1)}));
        if (!value) {
            strbuf_addstr(why, "out of memory");
            return false;
        }
        secret_free(*wanted[i].value);
        *wanted[i].value = value;
    }
    return true;
}

static bool take_lines(struct span text, const char *group, const struct option_wanted *wanted, size_t count,
                       struct option_file_facts *facts, struct strbuf *why) {
    bool in_group = false;
    unsigned number = 0;
    while (text.len > 0) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        size_t whole = newline ? (size_t)(newline - text.ptr) + 1 : text.len;
        struct span line = trim((struct span){text.ptr, whole});
        text.ptr += whole;
        text.len -= whole;
        number++;
        if (line.len == 0 || strchr("#;!", line.ptr[0]))
            continue;
        if (line.ptr[0] == '[') {
            const char *end = memchr(line.ptr, ']', line.len);
            if (!end) {
                strbuf_addf(why, "line %u of the file: ']' is missing", number);
                return false;
            }
            in_group = span_is(trim_end((struct span){line.ptr + 1, (size_t)(end - line.ptr - 1)}), group);
            facts->group_found |= in_group;
        } else if (in_group && !take_option(line, wanted, count, number, why)) {
            return false;
        }
    }
    return true;
}

bool option_file_read(const char *path, const char *group, const struct option_wanted *wanted, size_t count,
                      struct option_file_facts *facts, struct strbuf *why) {
    struct file_content content = {0};
    bool ok;
    *facts = (struct option_file_facts){0};
    if (!file_read(path, OPTION_FILE_MAX, &content, why))
        return false;
    facts->readable_by_others = content.readable_by_others;
    if (memchr(content.data, '\0', content.len)) {
        strbuf_addstr(why, "the file holds a NUL byte");
        ok = false;
    } else {
        ok = take_lines((struct span){content.data, content.len}, group, wanted, count, facts, why);
    }
    file_release(&content);
    return ok;
}
