/*
 * Times in the fronts of lines; see log_time.h.
 *
 * The forms, as the words that end them:
 *     2026-11-21T01:51:41.123456Z            MySQL 5.7 and later, Docker, CRI, Kubernetes, RFC 5424
 *     2026-11-21  1:51:41                    MySQL 5.6, MariaDB
 *     261121  1:51:41                        MySQL 5.5 and before, MariaDB 10.1.4 and before
 *     Nov 21 01:51:41                        syslog (RFC 3164), journalctl
 */
#include "observe/log_time.h"

#include "base/clock.h"
#include "observe/log_text.h"

enum { DAY_S = 24 * 60 * 60, YEAR_MAX = 2200 /* nanoseconds in 64 bits end in 2262 */ };

/* --- the calendar --- */

static int days_of_month(int64_t year, unsigned month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01; years begin in March here, so that the leap day ends them. */
static int64_t days_of(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = year / 400, year_of_era = year % 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/* --- numbers of a fixed width --- */

static bool take_digits(struct span *s, size_t digits, unsigned *out) {
    unsigned value = 0;
    if (s->len < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (!is_digit(s->ptr[i]))
            return false;
        value = value * 10 + (unsigned)(s->ptr[i] - '0');
    }
    *s = span_from(*s, digits);
    *out = value;
    return true;
}

static bool take_char(struct span *s, char c) {
    if (!s->len || s->ptr[0] != c)
        return false;
    *s = span_from(*s, 1);
    return true;
}

/* h:mm:ss with a fraction or none, in nanoseconds. */
static bool take_clock(struct span *s, int64_t *ns) {
    unsigned hour, minute, second;
    struct span rest = *s;
    if (!(rest.len > 1 && rest.ptr[1] == ':' ? take_digits(&rest, 1, &hour) : take_digits(&rest, 2, &hour)) ||
        !take_char(&rest, ':') || !take_digits(&rest, 2, &minute) || !take_char(&rest, ':') ||
        !take_digits(&rest, 2, &second) || hour > 23 || minute > 59 || second > 60)
        return false;
    *ns = ((int64_t)hour * 3600 + minute * 60 + second) * NS_PER_S;
    if (rest.len > 1 && (rest.ptr[0] == '.' || rest.ptr[0] == ',') && is_digit(rest.ptr[1])) {
        rest = span_from(rest, 1);
        for (int64_t unit = NS_PER_S / 10; rest.len && is_digit(rest.ptr[0]); unit /= 10) {
            *ns += (rest.ptr[0] - '0') * unit;
            rest = span_from(rest, 1);
        }
    }
    *s = rest;
    return true;
}

/* yyyy-mm-dd or yymmdd, in days. */
static bool take_date(struct span *s, int64_t *days) {
    unsigned year, month, day;
    struct span rest = *s;
    if (rest.len > 4 && rest.ptr[4] == '-') {
        if (!take_digits(&rest, 4, &year) || !take_char(&rest, '-') || !take_digits(&rest, 2, &month) ||
            !take_char(&rest, '-') || !take_digits(&rest, 2, &day))
            return false;
    } else {
        if (!take_digits(&rest, 2, &year) || !take_digits(&rest, 2, &month) || !take_digits(&rest, 2, &day))
            return false;
        year += year < 70 ? 2000 : 1900;
    }
    if (year < 1970 || year > YEAR_MAX || month < 1 || month > 12 || day < 1 || (int)day > days_of_month(year, month))
        return false;
    *days = days_of(year, month, day);
    *s = rest;
    return true;
}

/* Z, +hh:mm, +hhmm, +hh. */
static bool take_zone(struct span *s, int64_t *offset_ns) {
    unsigned hours, minutes = 0;
    if (take_char(s, 'Z')) {
        *offset_ns = 0;
        return true;
    }
    bool west = s->len && s->ptr[0] == '-';
    if (!take_char(s, west ? '-' : '+') || !take_digits(s, 2, &hours) || hours > 15)
        return false;
    take_char(s, ':');
    if (s->len && (!take_digits(s, 2, &minutes) || minutes > 59))
        return false;
    *offset_ns = ((int64_t)hours * 3600 + minutes * 60) * NS_PER_S * (west ? -1 : 1);
    return true;
}

/* --- words --- */

bool log_time_iso(struct span word, struct log_stamp *out) {
    int64_t days, ns, offset_ns;
    if (!take_date(&word, &days) || !(take_char(&word, 'T') || take_char(&word, ' ')) || !take_clock(&word, &ns))
        return false;
    struct log_stamp stamp = {LOG_TIME_LOCAL, days * DAY_S * NS_PER_S + ns};
    if (word.len) {
        if (!take_zone(&word, &offset_ns))
            return false;
        stamp = (struct log_stamp){LOG_TIME_UTC, stamp.wall_ns - offset_ns};
    }
    if (word.len)
        return false;
    *out = stamp;
    return true;
}

static bool is_number(struct span word) {
    for (size_t i = 0; i < word.len; i++)
        if (!is_digit(word.ptr[i]))
            return false;
    return word.len > 0;
}

/* "Nov", or "<28>Nov", where syslog's priority was not taken off. */
static unsigned month_of(struct span word) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const char *end = word.len && word.ptr[0] == '<' ? span_find_char(word, '>') : NULL;
    if (end && is_number((struct span){word.ptr + 1, (size_t)(end - word.ptr) - 1}))
        word = span_from(word, (size_t)(end + 1 - word.ptr));
    for (unsigned i = 0; word.len == 3 && i < 12; i++)
        if (memcmp(word.ptr, names + (size_t)3 * i, 3) == 0)
            return i + 1;
    return 0;
}

/* The latest such day of a year that is not after now, give or take the time zone. */
static int64_t latest_day(unsigned month, unsigned day) {
    int64_t today = wall_now_ns() / NS_PER_S / DAY_S;
    int64_t year = 1970 + today / 365 + 1;
    while (day > (unsigned)days_of_month(year, month) || days_of(year, month, day) > today + 1)
        year--;
    return days_of(year, month, day);
}

/* The time that `front` ends with, which is taken off. */
static bool take_last_time(struct span *front, struct log_stamp *out) {
    struct span rest = *front, word = span_take_last_word(&rest);
    int64_t ns, days;
    if (log_time_iso(word, out)) {
        *front = rest;
        return true;
    }
    if (!take_clock(&word, &ns) || word.len)
        return false;
    struct span day = span_take_last_word(&rest), left = day;
    if (!take_date(&left, &days) || left.len) {
        unsigned month = month_of(span_take_last_word(&rest)), number;
        left = day;
        if (!month || !(take_digits(&left, 2, &number) || take_digits(&left, 1, &number)) || left.len || number < 1 ||
            number > (month == 2 ? 29U : (unsigned)days_of_month(2000, month)))
            return false;
        days = latest_day(month, number);
    }
    *front = rest;
    *out = (struct log_stamp){LOG_TIME_LOCAL, days * DAY_S * NS_PER_S + ns};
    return true;
}

/* --- fronts --- */

bool log_front_is_plausible(struct span front) {
    if (front.len == 0)
        return true;
    if (span_find_char(front, '\'') || span_find_char(front, '"') || span_find_char(front, '`') ||
        span_find_char(front, '\t') || front.ptr[front.len - 1] != ' ')
        return false;
    struct span rest = front, word = span_take_last_word(&rest);
    struct log_stamp stamp;
    int64_t ns;
    if (span_ends(word, SPAN_LITERAL("]:")))
        return true;
    if (span_is(word, "mysqld:") || span_is(word, "mariadbd:")) {
        span_take_last_word(&rest); /* the host */
        return take_last_time(&rest, &stamp);
    }
    if (is_number(word))
        word = span_take_last_word(&rest);
    /* A clock is enough: what is in front of it differs. */
    return log_time_iso(word, &stamp) || (take_clock(&word, &ns) && !word.len);
}

struct span log_front_wrapper(struct span front) {
    struct span rest = front, before = front, word = span_take_last_word(&before);
    struct log_stamp stamp;
    if (is_number(word))
        rest = before;
    return take_last_time(&rest, &stamp) ? rest : front;
}

/* Where the clock without a zone agrees with `zoned` but for a whole number of quarter hours, that is its zone. Else it
 * was written at another time than it says, or the zone is none: only one of the two is Unix time. */
static struct log_stamp settle(struct log_stamp local, struct log_stamp zoned) {
    const int64_t quarter = 900 * NS_PER_S, tolerance = 60 * NS_PER_S;
    int64_t apart = local.wall_ns - zoned.wall_ns;
    int64_t quarters = (apart + (apart < 0 ? -quarter : quarter) / 2) / quarter;
    int64_t left = apart - quarters * quarter;
    if (quarters < -4 * 15 || quarters > 4 * 15 || left < -tolerance || left > tolerance)
        return zoned;
    return (struct log_stamp){LOG_TIME_UTC, local.wall_ns - quarters * quarter};
}

struct log_stamp log_front_time(struct span front, struct log_stamp outer, uint64_t *thread) {
    enum { WORDS_MAX = 16 };
    struct log_stamp own = {.time = LOG_TIME_NONE}, zoned = outer;
    struct span rest = front, before = front, word = span_take_last_word(&before);
    *thread = 0;
    if (is_number(word) && number_parse_u64(word, UINT64_MAX, thread) == 0)
        rest = before;
    for (int words = 0; rest.len && words < WORDS_MAX; words++) {
        struct log_stamp stamp;
        if (!take_last_time(&rest, &stamp)) {
            span_take_last_word(&rest);
            continue;
        }
        if (own.time == LOG_TIME_NONE)
            own = stamp;
        else if (stamp.time == LOG_TIME_UTC && zoned.time != LOG_TIME_UTC)
            zoned = stamp;
        if (own.time == LOG_TIME_UTC)
            return own;
    }
    if (own.time == LOG_TIME_NONE)
        return zoned;
    return zoned.time == LOG_TIME_UTC ? settle(own, zoned) : own;
}
