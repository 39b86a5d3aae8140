/*
 * Addresses of servers as they are written; see address.h.
 */
#include "config/address.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define HOST_NAME_MAX_BYTES 253

static bool wrong(struct strbuf *why, const char *text) {
    strbuf_addstr(why, text);
    return false;
}

static bool parse_socket(const char *path, struct address *out, struct strbuf *why) {
    if (strncmp(path, "//", 2) == 0) /* unix:///path */
        path += 2;
    if (path[0] != '/')
        return wrong(why, "the path of a unix socket must be absolute");
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return wrong(why, "the path of a unix socket may have 107 bytes at most");
    out->socket = strdup(path);
    return out->socket || wrong(why, "out of memory");
}

static bool parse_port(const char *text, uint16_t *out, struct strbuf *why) {
    uint64_t port;
    if (text[0] == '0' || number_parse_u64(span_of(text), UINT16_MAX, &port) < 0)
        return wrong(why, "the port must be a number from 1 to 65535");
    *out = (uint16_t)port;
    return true;
}

/* `host` without its brackets; a zone (%eth0) may follow the address. */
static bool check_v6(const char *host, struct strbuf *why) {
    char digits[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    size_t len = strcspn(host, "%");
    bool zone_ok =
        host[len] == '\0' || (host[len + 1] && strspn(host + len + 1, "abcdefghijklmnopqrstuvwxyz"
                                                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                                      "0123456789_.-") == strlen(host + len + 1));
    if (!zone_ok || len >= sizeof digits)
        return wrong(why, "what is in the brackets is no IPv6 address");
    memcpy(digits, host, len);
    digits[len] = '\0';
    return inet_pton(AF_INET6, digits, address) == 1 || wrong(why, "what is in the brackets is no IPv6 address");
}

static bool check_host(const char *host, struct strbuf *why) {
    size_t len = strlen(host);
    unsigned char address[sizeof(struct in_addr)];
    if (len == 0)
        return wrong(why, "the host is missing");
    if (len > HOST_NAME_MAX_BYTES)
        return wrong(why, "the host's name may have 253 bytes at most");
    if (strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != len || host[0] == '-' ||
        host[0] == '.')
        return wrong(why, "the host must be a name, an IPv4 address, or an IPv6 address in brackets");
    /* No name ends in a part of digits only, so this must be an address: "127.1" or "10.0.0.256" would be guesses. */
    const char *last = strrchr(host, '.');
    last = last ? last + 1 : host;
    if (*last && strspn(last, "0123456789") == strlen(last) && inet_pton(AF_INET, host, address) != 1)
        return wrong(why, "the host is no IPv4 address");
    return true;
}

bool address_parse(const char *text, struct address *out, struct strbuf *why) {
    struct address address = {.port = ADDRESS_DEFAULT_PORT};
    const char *host = text, *end, *rest;
    bool v6 = text[0] == '[';

    if (strncmp(text, "unix:", 5) == 0 || text[0] == '/') {
        if (!parse_socket(text[0] == '/' ? text : text + 5, &address, why))
            return false;
        address.port = 0;
        *out = address;
        return true;
    }
    if (v6) {
        host = text + 1;
        end = strchr(host, ']');
        if (!end)
            return wrong(why, "']' is missing");
        rest = end + 1;
    } else {
        end = rest = text + strcspn(text, ":");
        if (*end && strchr(end + 1, ':'))
            return wrong(why, "an IPv6 address needs brackets, as in [::1]:3306");
    }
    if (*rest && *rest != ':')
        return wrong(why, "only :port may follow ']'");
    if (*rest && !parse_port(rest + 1, &address.port, why))
        return false;
    address.host = strndup(host, (size_t)(end - host));
    if (!address.host)
        return wrong(why, "out of memory");
    if (!(v6 ? check_v6 : check_host)(address.host, why)) {
        address_release(&address);
        return false;
    }
    *out = address;
    return true;
}

void address_release(struct address *address) {
    free(address->host);
    free(address->socket);
    *address = (struct address){0};
}
