/*
 * Time zones; see time_zone.h.
 */
#include "base/time_zone.h"

#include "base/clock.h"
#include "base/number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DAY_S 86400
#define MINUTE_S 60 /* all zones change their offset at whole ones, since 1973 */

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* --- reading --- */

static bool take_char(struct span *s, const char *any_of) {
    if (s->len == 0 || s->ptr[0] == '\0' || !strchr(any_of, s->ptr[0]))
        return false;
    s->ptr++;
    s->len--;
    return true;
}

static bool take_digits(struct span *s, size_t digits, int min, int max, int *out) {
    uint64_t value;
    if (s->len < digits || number_parse_u64((struct span){s->ptr, digits}, (uint64_t)max, &value) < 0)
        return false;
    if ((int)value < min)
        return false;
    s->ptr += digits;
    s->len -= digits;
    *out = (int)value;
    return true;
}

/* "Z", "+hh:mm" */
static bool take_offset(struct span *s, int64_t *offset_s) {
    int hours, minutes;
    bool west = s->len > 0 && s->ptr[0] == '-';
    *offset_s = 0;
    if (take_char(s, "Zz"))
        return true;
    if (!take_char(s, "+-") || !take_digits(s, 2, 0, 23, &hours))
        return false;
    take_char(s, ":");
    if (!take_digits(s, 2, 0, 59, &minutes))
        return false;
    *offset_s = (west ? -60 : 60) * (hours * 60 + minutes);
    return true;
}

/* ".123456" */
static bool take_fraction(struct span *s, int64_t *ns) {
    int64_t unit = NS_PER_S;
    *ns = 0;
    if (!take_char(s, "."))
        return true;
    int digit;
    while (unit > 1 && take_digits(s, 1, 0, 9, &digit))
        *ns += digit * (unit /= 10);
    return unit < NS_PER_S;
}

int time_parse(struct span text, int64_t *ns, bool *has_zone) {
    struct tm tm = {0};
    int64_t fraction = 0, offset_s = 0;
    bool zone = false;
    if (!take_digits(&text, 4, 1970, 2261, &tm.tm_year) || !take_char(&text, "-") ||
        !take_digits(&text, 2, 1, 12, &tm.tm_mon) || !take_char(&text, "-") ||
        !take_digits(&text, 2, 1, 31, &tm.tm_mday))
        return -EINVAL;
    if (take_char(&text, "Tt ")) {
        if (!take_digits(&text, 2, 0, 23, &tm.tm_hour) || !take_char(&text, ":") ||
            !take_digits(&text, 2, 0, 59, &tm.tm_min))
            return -EINVAL;
        if (take_char(&text, ":") && (!take_digits(&text, 2, 0, 59, &tm.tm_sec) || !take_fraction(&text, &fraction)))
            return -EINVAL;
        zone = text.len > 0;
        if (zone && !take_offset(&text, &offset_s))
            return -EINVAL;
    }
    if (text.len > 0)
        return -EINVAL;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int day = tm.tm_mday;
    int64_t seconds = timegm(&tm);
    if (tm.tm_mday != day)
        return -EINVAL; /* no month has that many days */
    *ns = (seconds - offset_s) * NS_PER_S + fraction;
    *has_zone = zone;
    return 0;
}

/* --- zones --- */

/* Whether the system knows a zone of that name. Else libc would take it for UTC and say nothing. */
static bool zone_exists(const char *name) {
    const char *folder = getenv("TZDIR");
    struct strbuf path;
    struct stat st;
    if (!*name || name[0] == '/' || name[0] == '.' || strstr(name, ".."))
        return false;
    strbuf_init(&path, 4096);
    strbuf_addf(&path, "%s/%s", folder && *folder ? folder : "/usr/share/zoneinfo", name);
    bool exists = !strbuf_failed(&path) && stat(strbuf_text(&path), &st) == 0 && S_ISREG(st.st_mode);
    strbuf_release(&path);
    return exists;
}

int time_zone_choose(const char *name, struct time_zone *out) {
    struct time_zone zone = {.known_for = INT64_MIN};
    struct span offset = span_of(name);
    if (strcmp(name, "UTC") == 0 || (take_offset(&offset, &zone.offset_s) && offset.len == 0)) {
        zone.fixed = true;
    } else if (strcmp(name, "local") != 0) {
        if (!zone_exists(name) || setenv("TZ", name, 1) < 0)
            return -EINVAL;
    }
    tzset();
    *out = zone;
    return 0;
}

static int64_t offset_at(int64_t utc_s) {
    time_t seconds = utc_s;
    struct tm tm;
    return localtime_r(&seconds, &tm) ? tm.tm_gmtoff : 0;
}

/* How far east of UTC the clock is that shows `local_s`: as before a change within a day of it, where that can be. */
static int64_t find_offset(int64_t local_s) {
    int64_t before = offset_at(local_s - DAY_S), after = offset_at(local_s + DAY_S);
    return offset_at(local_s - before) == before ? before : after;
}

int64_t time_zone_to_utc_ns(struct time_zone *zone, int64_t local_ns) {
    int64_t minute = floor_div(local_ns, MINUTE_S * NS_PER_S), utc;
    if (!zone->fixed && minute != zone->known_for) {
        zone->offset_s = find_offset(minute * MINUTE_S);
        zone->known_for = minute;
    }
    if (__builtin_sub_overflow(local_ns, zone->offset_s * NS_PER_S, &utc))
        return local_ns;
    return utc;
}

/* --- writing --- */

static char *put_digits(char *to, unsigned value, unsigned digits) {
    for (unsigned i = digits; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    return to + digits;
}

void time_add_rfc3339(struct strbuf *out, int64_t ns) {
    time_t seconds = floor_div(ns, NS_PER_S);
    unsigned fraction = (unsigned)(ns - seconds * NS_PER_S);
    struct tm tm;
    char text[64], *to = text;
    if (!gmtime_r(&seconds, &tm))
        return;
    const struct {
        unsigned value, digits;
        char before;
    } parts[] = {{(unsigned)tm.tm_year + 1900, 4, 0}, {(unsigned)tm.tm_mon + 1, 2, '-'}, {(unsigned)tm.tm_mday, 2, '-'},
                 {(unsigned)tm.tm_hour, 2, 'T'},      {(unsigned)tm.tm_min, 2, ':'},     {(unsigned)tm.tm_sec, 2, ':'}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].before)
            *to++ = parts[i].before;
        to = put_digits(to, parts[i].value, parts[i].digits);
    }
    if (fraction) {
        *to++ = '.';
        to = fraction % 1000 ? put_digits(to, fraction, 9) : put_digits(to, fraction / 1000, 6);
    }
    strbuf_add(out, text, (size_t)(to - text));
}
