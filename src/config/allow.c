/*
 * Allowed servers; see allow.h. The lists are short, and are read anew for each question.
 */
#include "config/allow.h"

#include "base/number.h"
#include "config/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

enum { ENTRY_MAX = 300, V6_BITS = 128, V4_BITS = 32, V4_OFFSET = 96 };

struct entry {
    char host[ENTRY_MAX]; /* a pattern, where it is no network */
    bool network;
    struct in6_addr address; /* IPv4 as ::ffff:0:0/96 */
    unsigned bits;
    uint16_t from, to; /* ports */
};

static bool wrong(struct strbuf *why, const char *text) {
    strbuf_addstr(why, text);
    return false;
}

/* Both families in one; a zone (%eth0) is left out. */
static bool parse_numeric(struct span text, struct in6_addr *out, bool *v4) {
    char digits[INET6_ADDRSTRLEN];
    struct in_addr in;
    const char *zone = memchr(text.ptr, '%', text.len);
    if (zone)
        text.len = (size_t)(zone - text.ptr);
    if (text.len == 0 || text.len >= sizeof digits)
        return false;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    if (inet_pton(AF_INET, digits, &in) == 1) {
        *out = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
        memcpy(&out->s6_addr[12], &in, sizeof in);
        *v4 = true;
        return true;
    }
    *v4 = false;
    return inet_pton(AF_INET6, digits, out) == 1;
}

/* `:3306`, `:3306-3310`, `:*`, or nothing. */
static bool parse_ports(struct span text, struct entry *out, struct strbuf *why) {
    uint64_t from, to;
    out->from = out->to = ADDRESS_DEFAULT_PORT;
    if (text.len == 0)
        return true;
    text.ptr++, text.len--;
    if (span_is(text, "*")) {
        out->from = 1;
        out->to = UINT16_MAX;
        return true;
    }
    const char *dash = memchr(text.ptr, '-', text.len);
    struct span first = {text.ptr, dash ? (size_t)(dash - text.ptr) : text.len};
    struct span last = dash ? (struct span){dash + 1, text.len - first.len - 1} : first;
    if (number_parse_u64(first, UINT16_MAX, &from) < 0 || number_parse_u64(last, UINT16_MAX, &to) < 0 || from == 0 ||
        to < from)
        return wrong(why, "ports are written as :3306, :3306-3310 or :*");
    out->from = (uint16_t)from;
    out->to = (uint16_t)to;
    return true;
}

/* The length of a network's prefix, from `text` behind the slash. */
static bool parse_bits(struct span text, bool v4, struct entry *out, struct strbuf *why) {
    uint64_t bits;
    if (number_parse_u64(text, v4 ? V4_BITS : V6_BITS, &bits) < 0)
        return wrong(why, v4 ? "a network of IPv4 addresses ends in /0 to /32"
                             : "a network of IPv6 addresses ends in /0 to /128");
    out->bits = (unsigned)bits + (v4 ? V4_OFFSET : 0);
    return true;
}

static bool is_pattern(struct span text) {
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-*?", text.ptr[i]))
            return false;
    return text.len > 0;
}

static bool parse(const char *text, struct entry *out, struct strbuf *why) {
    struct span all = span_of(text), host, bits = {NULL, 0};
    size_t end;
    bool v4;
    *out = (struct entry){.network = false};
    if (all.len >= ENTRY_MAX)
        return wrong(why, "is too long");
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (!close)
            return wrong(why, "']' is missing");
        host = (struct span){text + 1, (size_t)(close - text - 1)};
        end = (size_t)(close + 1 - text);
    } else {
        end = strcspn(text, "/:");
        host = (struct span){text, end};
    }
    if (text[end] == '/') {
        size_t from = end + 1;
        end = from + strcspn(text + from, ":");
        bits = (struct span){text + from, end - from};
    }
    if (text[end] && text[end] != ':')
        return wrong(why, "only /bits and :ports may follow ']'");
    if (strchr(text + end, ':') != strrchr(text + end, ':'))
        return wrong(why, "an IPv6 address needs brackets, as in [2001:db8::]/32");
    if (!parse_ports((struct span){text + end, all.len - end}, out, why))
        return false;
    out->network = parse_numeric(host, &out->address, &v4);
    if (out->network) {
        out->bits = V6_BITS;
        return !bits.ptr || parse_bits(bits, v4, out, why);
    }
    if (bits.ptr || text[0] == '[')
        return wrong(why, "is no network: an address, and behind a slash how many of its bits count");
    if (!is_pattern(host))
        return wrong(why, "must be a pattern of host names, or a network");
    memcpy(out->host, host.ptr, host.len);
    return true;
}

bool allow_check_entry(const char *text, struct strbuf *why) {
    struct entry entry;
    return parse(text, &entry, why);
}

static bool in_network(const struct entry *entry, const struct in6_addr *address) {
    unsigned whole = entry->bits / 8, rest = entry->bits % 8;
    if (memcmp(entry->address.s6_addr, address->s6_addr, whole) != 0)
        return false;
    return rest == 0 || (entry->address.s6_addr[whole] ^ address->s6_addr[whole]) >> (8 - rest) == 0;
}

/* A pattern whose * and ? stay within a label. */
static bool fits_labels(const char *pattern, const char *name) {
    const char *star = NULL, *from = NULL; /* behind the last *, and what it stands for ends there */
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            from = name;
        } else if (tolower((unsigned char)*pattern) == tolower((unsigned char)*name) ||
                   (*pattern == '?' && *name != '.')) {
            pattern++, name++;
        } else if (star && *from != '.') {
            pattern = star;
            name = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* At the beginning * may stand for labels, too: how the name ends says whose it is, and that is in the pattern. */
static bool fits(const char *pattern, const char *name) {
    if (*pattern != '*')
        return fits_labels(pattern, name);
    while (*pattern == '*')
        pattern++;
    while (*name && !fits_labels(pattern, name))
        name++;
    return fits_labels(pattern, name);
}

/* What the entries of one kind say. */
struct verdict {
    bool any;  /* there is one of this kind */
    bool fits; /* one allows it */
};

static void ask(const struct text_list *allowed, const char *host, uint16_t port, struct verdict *names,
                struct verdict *networks) {
    struct in6_addr address;
    bool v4, numeric = parse_numeric(span_of(host), &address, &v4);
    struct entry entry;
    struct strbuf why;
    *names = *networks = (struct verdict){false, false};
    strbuf_init(&why, 1000);
    for (size_t i = 0; i < allowed->count; i++) {
        if (!parse(allowed->texts[i], &entry, &why))
            continue;
        struct verdict *answer = entry.network ? networks : names;
        answer->any = true;
        if (port < entry.from || port > entry.to)
            continue;
        if (entry.network ? numeric && in_network(&entry, &address) : !numeric && fits(entry.host, host))
            answer->fits = true;
    }
    strbuf_release(&why);
}

static bool is_numeric(const char *host) {
    struct in6_addr address;
    bool v4;
    return parse_numeric(span_of(host), &address, &v4);
}

bool allow_target(const struct text_list *allowed, const struct address *address, struct strbuf *why) {
    struct verdict names, networks;
    if (address->socket)
        return wrong(why, "unix sockets are never allowed here");
    ask(allowed, address->host, address->port, &names, &networks);
    if (!names.any && !networks.any)
        return wrong(why, "the module allows no targets: its allow_targets is empty");
    if (is_numeric(address->host))
        return networks.fits || wrong(why, "the address and port lie in no network of the module's allow_targets");
    if (names.any)
        return names.fits || wrong(why, "the name and port match no pattern of the module's allow_targets");
    return true; /* the networks decide once its addresses are known */
}

bool allow_address(const struct text_list *allowed, const char *numeric, uint16_t port) {
    struct verdict names, networks;
    ask(allowed, numeric, port, &names, &networks);
    return !networks.any || networks.fits;
}
