/*
 * Text to number and back; see number.h.
 */
#include "base/number.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

int number_parse_u64(struct span text, uint64_t max, uint64_t *out) {
    uint64_t value = 0;
    bool overflow = false;
    if (text.len == 0)
        return -EINVAL;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return -EINVAL;
        overflow |= __builtin_mul_overflow(value, 10, &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)(text.ptr[i] - '0'), &value);
    }
    if (overflow || value > max)
        return -ERANGE;
    *out = value;
    return 0;
}

int number_parse_i64(struct span text, int64_t min, int64_t max, int64_t *out) {
    bool negative = text.len > 0 && text.ptr[0] == '-';
    if (negative) {
        text.ptr++;
        text.len--;
    }
    uint64_t magnitude;
    int rc = number_parse_u64(text, negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX, &magnitude);
    if (rc < 0)
        return rc;
    int64_t value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    if (value < min || value > max)
        return -ERANGE;
    *out = value;
    return 0;
}

int number_parse_double(struct span text, double *out) {
    char copy[64];
    uint64_t whole;
    if (number_parse_u64(text, UINT64_MAX, &whole) == 0) { /* most are; rounded as strtod does, and sooner */
        *out = (double)whole;
        return 0;
    }
    if (text.len == 0 || text.len >= sizeof copy)
        return -EINVAL;
    /* strtod takes more than we do: spaces, hexadecimal, inf, nan. */
    for (size_t i = 0; i < text.len; i++)
        if (!is_digit(text.ptr[i]) && !strchr("+-.eE", text.ptr[i]))
            return -EINVAL;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *end;
    double value = strtod(copy, &end);
    if (*end)
        return -EINVAL;
    if (!isfinite(value))
        return -ERANGE;
    *out = value;
    return 0;
}

static const struct {
    const char *name;
    int64_t ns;
} duration_units[] = {
    {"d", 86400 * NS_PER_S},
    {"h", 3600 * NS_PER_S},
    {"m", 60 * NS_PER_S},
    {"s", NS_PER_S},
    {"ms", NS_PER_MS},
    {"us", NS_PER_US},
    {"ns", 1},
};
#define DURATION_UNITS (sizeof duration_units / sizeof duration_units[0])

int number_parse_duration(struct span text, int64_t max_ns, int64_t *out_ns) {
    size_t at = 0, next_unit = 0;
    int64_t total = 0;
    bool overflow = false;
    if (span_is(text, "0")) {
        *out_ns = 0;
        return 0;
    }
    while (at < text.len || total == 0) {
        size_t digits = at, unit;
        while (at < text.len && is_digit(text.ptr[at]))
            at++;
        uint64_t count;
        int rc = number_parse_u64((struct span){text.ptr + digits, at - digits}, INT64_MAX, &count);
        if (rc == -EINVAL)
            return rc;
        overflow |= rc == -ERANGE;
        size_t name = at;
        while (at < text.len && !is_digit(text.ptr[at]))
            at++;
        for (unit = next_unit; unit < DURATION_UNITS; unit++)
            if (span_is((struct span){text.ptr + name, at - name}, duration_units[unit].name))
                break;
        if (unit == DURATION_UNITS)
            return -EINVAL;
        next_unit = unit + 1;
        int64_t part = 0;
        if (!overflow)
            overflow = __builtin_mul_overflow((int64_t)count, duration_units[unit].ns, &part) ||
                       __builtin_add_overflow(total, part, &total);
        if (at == text.len)
            break;
    }
    if (overflow || total > max_ns)
        return -ERANGE;
    *out_ns = total;
    return 0;
}

void number_add_duration(struct strbuf *sb, int64_t ns) {
    if (ns == 0) {
        strbuf_addstr(sb, "0s");
        return;
    }
    if (ns < 0)
        strbuf_addch(sb, '-');
    uint64_t rest = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    for (size_t i = 0; i < DURATION_UNITS; i++) {
        uint64_t unit = (uint64_t)duration_units[i].ns;
        if (rest < unit)
            continue;
        strbuf_addu64(sb, rest / unit);
        strbuf_addstr(sb, duration_units[i].name);
        rest %= unit;
    }
}

void number_add_double(struct strbuf *sb, double value) {
    if (isnan(value)) {
        strbuf_addstr(sb, "NaN");
    } else if (isinf(value)) {
        strbuf_addstr(sb, value > 0 ? "+Inf" : "-Inf");
    } else if (fabs(value) <= 9007199254740992.0 && value == floor(value)) {
        if (signbit(value) && value != 0)
            strbuf_addch(sb, '-');
        strbuf_addu64(sb, (uint64_t)fabs(value));
    } else {
        char text[32];
        snprintf(text, sizeof text, "%.15g", value);
        if (strtod(text, NULL) != value)
            snprintf(text, sizeof text, "%.17g", value);
        strbuf_addstr(sb, text);
    }
}
