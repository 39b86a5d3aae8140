/*
 * Accept and Accept-Encoding; see negotiate.h.
 */
#include "expose/negotiate.h"

#include "base/number.h"

#include <string.h>
#include <strings.h>

/* --- lists with parameters --- */

static struct span trim(struct span s) {
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s.ptr++, s.len--;
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Cut the part before the next `separator` outside of quotes off `rest`; false where nothing is left. */
static bool next_part(struct span *rest, char separator, struct span *part) {
    bool quoted = false;
    size_t i;
    if (!rest->ptr)
        return false;
    for (i = 0; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (quoted && c == '\\' && i + 1 < rest->len)
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == separator && !quoted)
            break;
    }
    *part = trim((struct span){rest->ptr, i < rest->len ? i : rest->len});
    *rest = i < rest->len ? (struct span){rest->ptr + i + 1, rest->len - i - 1} : (struct span){NULL, 0};
    return true;
}

static bool same(struct span a, const char *b) {
    return a.len == strlen(b) && strncasecmp(a.ptr, b, a.len) == 0;
}

/* `name=value`, the value perhaps in quotes; false where there is no such thing. */
static bool split_parameter(struct span parameter, struct span *name, struct span *value) {
    const char *equals = memchr(parameter.ptr, '=', parameter.len);
    if (!equals)
        return false;
    *name = trim((struct span){parameter.ptr, (size_t)(equals - parameter.ptr)});
    *value = trim((struct span){equals + 1, parameter.len - (size_t)(equals + 1 - parameter.ptr)});
    if (value->len >= 2 && value->ptr[0] == '"' && value->ptr[value->len - 1] == '"')
        *value = (struct span){value->ptr + 1, value->len - 2};
    return true;
}

/* The weight among `parameters`; 1 where there is none, 0 where it is none. */
static double quality(struct span parameters) {
    struct span parameter, name, value;
    while (next_part(&parameters, ';', &parameter)) {
        double q = 0;
        if (!split_parameter(parameter, &name, &value) || !same(name, "q"))
            continue;
        return number_parse_double(value, &q) == 0 && q >= 0 && q <= 1 ? q : 0;
    }
    return 1;
}

/* --- formats --- */

struct parameter {
    const char *name, *value; /* what we serve; several ones are several rows */
};

static const struct offer {
    enum metric_format format;
    const char *type, *subtype;
    struct parameter parameters[3];
} offers[] = {
    /* in the order in which those who have no wish get them */
    {FORMAT_TEXT, "text", "plain", {{"version", "0.0.4"}}},
    {FORMAT_OPENMETRICS, "application", "openmetrics-text", {{"version", "1.0.0"}, {"version", "0.0.1"}}},
    {FORMAT_PROTOBUF,
     "application",
     "vnd.google.protobuf",
     {{"proto", "io.prometheus.client.MetricFamily"}, {"encoding", "delimited"}}},
};

enum { OFFERS = sizeof offers / sizeof offers[0] };

/* What a parameter asks for is among what we have. One that we have not heard of (charset, escaping) asks for nothing.
 */
static bool serves(const struct offer *offer, struct span name, struct span value) {
    bool named = false;
    for (size_t i = 0; i < 3 && offer->parameters[i].name; i++)
        if (same(name, offer->parameters[i].name)) {
            named = true;
            if (same(value, offer->parameters[i].value))
                return true;
        }
    return !named;
}

/* How exactly a media range names an offer: 0 not at all, 1 by all types, 2 by its type, 3 by its subtype, and one more
 * for each parameter. */
static unsigned fits(struct span range, struct span parameters, const struct offer *offer) {
    struct span type, parameter, name, value;
    if (same(range, "*/*"))
        return 1;
    if (!next_part(&range, '/', &type) || !same(type, offer->type) || !range.ptr)
        return 0;
    if (same(range, "*"))
        return 2;
    if (!same(range, offer->subtype))
        return 0;
    unsigned exactness = 3;
    while (next_part(&parameters, ';', &parameter)) {
        if (!split_parameter(parameter, &name, &value) || same(name, "q"))
            continue;
        if (!serves(offer, name, value))
            return 0;
        exactness++;
    }
    return exactness;
}

struct wish {
    double quality;
    unsigned exactness; /* 0: nothing was said of it */
    unsigned place;     /* in the list */
};

static bool rather(const struct wish *a, const struct wish *b) {
    if (a->quality > b->quality || a->quality < b->quality)
        return a->quality > b->quality;
    if ((a->exactness >= 3) != (b->exactness >= 3)) /* what is named, before what also fits */
        return a->exactness >= 3;
    return a->place < b->place;
}

enum metric_format negotiate_format(const char *accept) {
    struct wish wishes[OFFERS] = {0};
    struct span list = span_of(accept), range, parameters;
    for (unsigned place = 0; next_part(&list, ',', &parameters); place++) {
        if (!next_part(&parameters, ';', &range))
            continue;
        for (size_t i = 0; i < OFFERS; i++) {
            unsigned exactness = fits(range, parameters, &offers[i]);
            if (exactness > wishes[i].exactness) /* the most exact range counts, wherever it stands */
                wishes[i] = (struct wish){quality(parameters), exactness, place};
        }
    }
    size_t best = 0;
    for (size_t i = 1; i < OFFERS; i++)
        if (wishes[i].quality > 0 && rather(&wishes[i], &wishes[best]))
            best = i;
    return offers[best].format;
}

bool negotiate_gzip(const char *accept_encoding) {
    struct span list = span_of(accept_encoding), coding, parameters;
    double any = 0, gzip = -1, identity = 0;
    while (next_part(&list, ',', &parameters)) {
        if (!next_part(&parameters, ';', &coding))
            continue;
        if (same(coding, "gzip") || same(coding, "x-gzip"))
            gzip = quality(parameters);
        else if (same(coding, "identity"))
            identity = quality(parameters);
        else if (same(coding, "*"))
            any = quality(parameters);
    }
    gzip = gzip < 0 ? any : gzip;
    return gzip > 0 && gzip >= identity;
}
