/*
 * The table of drivers (drivers.inc), and which of its rows a client fits; see driver.h.
 */
#include "explain/driver.h"

#include "base/number.h"
#include "explain/cause.h"

#include <string.h>

#define BIT(cause) (UINT32_C(1) << CAUSE_##cause)

const struct driver driver_table[] = {
#include "explain/drivers.inc"
};

const size_t driver_count = sizeof driver_table / sizeof driver_table[0];

const char *driver_fault_name(enum driver_fault fault) {
    static const char *const names[] = {
#define DRIVER_FAULT_NAME(id, name, meaning) name,
        DRIVER_FAULTS(DRIVER_FAULT_NAME)
#undef DRIVER_FAULT_NAME
    };
    return names[fault];
}

/* --- versions --- */

enum { PARTS_MAX = 6, PART_MAX = 1000000000 };

struct version {
    uint64_t part[PARTS_MAX];
    struct span early; /* what stands after '-'; len 0 none */
};

static bool read_version(const char *text, struct version *out) {
    *out = (struct version){0};
    text += *text == 'v';
    for (size_t i = 0; i < PARTS_MAX; i++) {
        size_t digits = strspn(text, "0123456789");
        if (number_parse_u64((struct span){text, digits}, PART_MAX, &out->part[i]) < 0)
            return false;
        text += digits;
        if (*text != '.')
            break;
        text++;
    }
    if (*text == '-')
        out->early = (struct span){text + 1, strcspn(text + 1, "+ ")};
    return strchr("-+ ", *text) != NULL;
}

/* As whole numbers where both begin with one: rc2 is before rc10 to nobody else either. */
static int compare_early(struct span a, struct span b) {
    if (a.len == 0 || b.len == 0)
        return (a.len == 0) - (b.len == 0);
    size_t least = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.ptr, b.ptr, least);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool driver_version_compare(const char *a, const char *b, int *order) {
    struct version left, right;
    if (!read_version(a, &left) || !read_version(b, &right))
        return false;
    *order = 0;
    for (size_t i = 0; i < PARTS_MAX && *order == 0; i++)
        *order = (left.part[i] > right.part[i]) - (left.part[i] < right.part[i]);
    if (*order == 0)
        *order = compare_early(left.early, right.early);
    return true;
}

static bool in_range(const struct driver *driver, const char *version) {
    int order;
    if (driver->from && (!driver_version_compare(version, driver->from, &order) || order < 0))
        return false;
    return !driver->before || (driver_version_compare(version, driver->before, &order) && order < 0);
}

const struct driver *driver_next(const struct driver *after, const char *client_name, const char *version) {
    for (const struct driver *d = after ? after + 1 : driver_table; d < driver_table + driver_count; d++)
        if (d->client_name && strcmp(d->client_name, client_name) == 0 && in_range(d, version))
            return d;
    return NULL;
}

/* --- the README --- */

static void add_range(struct strbuf *out, const struct driver *driver) {
    if (!driver->from && !driver->before)
        strbuf_addstr(out, "all");
    else
        strbuf_addf(out, "%s%s%s%s", driver->from ? "from " : "", driver->from ? driver->from : "",
                    driver->from && driver->before ? ", " : "", driver->before ? "before " : "");
    if (driver->before)
        strbuf_addstr(out, driver->before);
}

static void add_announced(struct strbuf *out, const struct driver *driver) {
    if (!driver->client_name)
        strbuf_addch(out, '-');
    else
        strbuf_addf(out, "`%s`", driver->client_name);
    if (driver->announced_from)
        strbuf_addf(out, " from %s on", driver->announced_from);
}

void driver_reference(struct strbuf *out) {
    strbuf_addstr(out, "| Library | Announces | Versions | Call | Its users see | The server sees | Why | What to do | "
                       "Source | Reproduced here |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (const struct driver *d = driver_table; d < driver_table + driver_count; d++) {
        strbuf_addf(out, "| <a id=\"driver-%s\"></a>%s | ", d->id, d->library);
        add_announced(out, d);
        strbuf_addstr(out, " | ");
        add_range(out, d);
        strbuf_addf(out, " | %s | %s | %s | %s | %s | <%s> | %s |\n", d->calls, d->users_see, d->server_sees, d->why,
                    d->remedy, d->source, d->reproduced ? d->reproduced : "no");
    }
}
