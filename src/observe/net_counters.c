/*
 * The table of the kernel's counters, and reading them; see net_counters.h.
 */
#include "observe/net_counters.h"

#include "base/number.h"

#include <stdbool.h>
#include <string.h>

static const struct row {
    const char *group, *name, *joined, *meaning;
} rows[] = {
#define NET_COUNTER_ROW(id, group, name, meaning) {group, name, group name, meaning},
    NET_COUNTERS(NET_COUNTER_ROW)
#undef NET_COUNTER_ROW
};
_Static_assert(NET_COUNTER_COUNT <= 64, "`known` has a bit for each");

const char *net_counter_name(enum net_counter counter) {
    return rows[counter].joined;
}

const char *net_counter_short(enum net_counter counter) {
    return rows[counter].name;
}

const char *net_counter_meaning(enum net_counter counter) {
    return rows[counter].meaning;
}

/* --- parts of texts --- */

/* Up to the next `end`, which is taken off too. False at the end of `text`. */
static bool take_until(struct span *text, char end, struct span *out) {
    if (text->len == 0)
        return false;
    const char *at = memchr(text->ptr, end, text->len);
    size_t len = at ? (size_t)(at - text->ptr) : text->len;
    *out = (struct span){text->ptr, len};
    len += at != NULL;
    *text = (struct span){text->ptr + len, text->len - len};
    return true;
}

static bool take_word(struct span *line, struct span *out) {
    do
        if (!take_until(line, ' ', out))
            return false;
    while (out->len == 0);
    return true;
}

/* --- names and values --- */

static void set(struct net_counters *counters, struct span group, struct span name, struct span value) {
    uint64_t number;
    for (int i = 0; i < NET_COUNTER_COUNT; i++)
        if (span_is(name, rows[i].name) && span_is(group, rows[i].group) &&
            number_parse_u64(value, UINT64_MAX, &number) == 0) {
            counters->value[i] = number;
            counters->known |= UINT64_C(1) << i;
        }
}

void net_counters_read(struct net_counters *counters, struct span text) {
    struct span names, values, group, group_again, name, value;
    while (take_until(&text, '\n', &names) && take_until(&text, '\n', &values)) {
        if (!take_until(&names, ':', &group) || !take_until(&values, ':', &group_again) ||
            !span_equal(group, group_again))
            return; /* the lines are no pairs: nothing is certain from here on */
        while (take_word(&names, &name) && take_word(&values, &value))
            set(counters, group, name, value);
    }
}

/* --- interfaces --- */

static uint64_t add(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* "  eth0: 1 2 …": eight columns received, eight sent, errors and drops the third and the fourth of each. */
static bool read_interface(struct span line, struct net_interface *out) {
    enum { COLUMNS = 12 };
    uint64_t column[COLUMNS];
    struct span name, word;
    if (!memchr(line.ptr, ':', line.len) || !take_until(&line, ':', &name))
        return false;
    while (name.len > 0 && *name.ptr == ' ')
        name = (struct span){name.ptr + 1, name.len - 1};
    for (int i = 0; i < COLUMNS; i++)
        if (!take_word(&line, &word) || number_parse_u64(word, UINT64_MAX, &column[i]) < 0)
            return false;
    if (name.len == 0 || name.len > NET_INTERFACE_NAME_MAX)
        return false;
    *out = (struct net_interface){.receive_errors = column[2],
                                  .receive_drops = column[3],
                                  .transmit_errors = column[10],
                                  .transmit_drops = column[11]};
    memcpy(out->name, name.ptr, name.len);
    return true;
}

void net_interfaces_read(struct net_counters *counters, struct net_interfaces *interfaces, struct span text) {
    struct net_interface one;
    struct span line;
    uint64_t errors = 0, drops = 0;
    interfaces->count = 0;
    interfaces->further = 0;
    while (take_until(&text, '\n', &line)) {
        if (!read_interface(line, &one))
            continue;
        errors = add(errors, add(one.receive_errors, one.transmit_errors));
        drops = add(drops, add(one.receive_drops, one.transmit_drops));
        if (interfaces->count < NET_INTERFACES_MAX)
            interfaces->kept[interfaces->count++] = one;
        else
            interfaces->further++;
    }
    if (interfaces->count == 0)
        return;
    counters->value[NET_INTERFACE_ERRORS] = errors;
    counters->value[NET_INTERFACE_DROPS] = drops;
    counters->known |= UINT64_C(1) << NET_INTERFACE_ERRORS | UINT64_C(1) << NET_INTERFACE_DROPS;
}
