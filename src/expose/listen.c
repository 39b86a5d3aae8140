/*
 * Text to listening socket; see listen.h.
 */
#include "expose/listen.h"

#include "base/number.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct listen_name {
    char host[256]; /* "" means all addresses */
    uint16_t port;
};

/* What is wrong with `address`, NULL if nothing is. */
static const char *parse(const char *address, struct listen_name *out) {
    const char *colon = strrchr(address, ':');
    struct span host = {address, colon ? (size_t)(colon - address) : 0};
    uint64_t port;

    if (!colon)
        return "it needs a port, as in :9704";
    if (number_parse_u64(span_of(colon + 1), UINT16_MAX, &port) < 0)
        return "the port must be a number from 0 to 65535";
    if (host.len > 0 && host.ptr[0] == '[') {
        if (host.len < 4 || host.ptr[host.len - 1] != ']')
            return "an IPv6 address must be written as [::1]:9704";
        host = (struct span){host.ptr + 1, host.len - 2};
    } else if (memchr(host.ptr, ':', host.len)) {
        return "an IPv6 address must be written as [::1]:9704";
    }
    if (host.len >= sizeof out->host)
        return "the host's name is too long";
    memcpy(out->host, host.ptr, host.len);
    out->host[host.len] = '\0';
    out->port = (uint16_t)port;
    return NULL;
}

/* The descriptor or a negative errno. */
static int open_one(const struct sockaddr *address, socklen_t len) {
    int on = 1, off = 0;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (address->sa_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) &&
        bind(fd, address, len) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

static int open_all_addresses(uint16_t port) {
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = open_one((struct sockaddr *)&any6, sizeof any6);

    /* Without IPv6 in the kernel, or with it switched off. */
    if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
        fd = open_one((struct sockaddr *)&any4, sizeof any4);
    return fd;
}

/* The first of the host's addresses that can be bound; IPv4 first, as most who write "localhost" mean it. */
static int open_host(const struct listen_name *name, const char **why) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    static const int families[] = {AF_INET, AF_INET6};
    int fd = -EADDRNOTAVAIL;

    int status = getaddrinfo(name->host, NULL, &hints, &found);
    if (status != 0) {
        *why = status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status);
        return -1;
    }
    for (size_t i = 0; i < 2 && fd < 0; i++)
        for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
            if (at->ai_family != families[i])
                continue;
            struct sockaddr_storage address;
            memcpy(&address, at->ai_addr, at->ai_addrlen);
            if (at->ai_family == AF_INET)
                ((struct sockaddr_in *)&address)->sin_port = htons(name->port);
            else
                ((struct sockaddr_in6 *)&address)->sin6_port = htons(name->port);
            fd = open_one((struct sockaddr *)&address, at->ai_addrlen);
        }
    freeaddrinfo(found);
    return fd;
}

int listen_open(const char *address, struct strbuf *error) {
    struct listen_name name;
    const char *why = parse(address, &name);
    int fd = -1;

    if (!why) {
        fd = name.host[0] ? open_host(&name, &why) : open_all_addresses(name.port);
        if (fd < 0 && !why)
            why = strerror(-fd);
    }
    if (fd >= 0)
        return fd;
    strbuf_addf(error, "cannot listen on '%s': %s", address, why);
    return -1;
}

uint16_t listen_port(int fd) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return 0;
}
