/*
 * Text to listening socket; see listen.h.
 */
#include "expose/listen.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
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

const char *listen_unix_path(const char *address) {
    static const char scheme[] = "unix:";
    return strncmp(address, scheme, sizeof scheme - 1) == 0 ? address + sizeof scheme - 1 : NULL;
}

/* Whether there is a socket's file that nobody listens on: left behind by somebody who was killed. */
static bool is_left_behind(const struct sockaddr_un *address) {
    struct stat st;
    if (lstat(address->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return dead;
}

static int open_unix(const char *path, const char **why) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (path[0] != '/' || len >= sizeof address.sun_path) {
        *why = "a unix socket is written as unix:/path, with at most 107 bytes in the path";
        return -1;
    }
    memcpy(address.sun_path, path, len + 1);
    int fd = open_one((struct sockaddr *)&address, sizeof address);
    if (fd == -EADDRINUSE && is_left_behind(&address) && unlink(path) == 0)
        fd = open_one((struct sockaddr *)&address, sizeof address);
    return fd;
}

int listen_open(const char *address, struct strbuf *error) {
    struct listen_name name;
    const char *path = listen_unix_path(address);
    const char *why = path ? NULL : parse(address, &name);
    int fd = -1;

    if (path) {
        fd = open_unix(path, &why);
        if (fd < 0 && !why)
            why = strerror(-fd);
    } else if (!why) {
        fd = name.host[0] ? open_host(&name, &why) : open_all_addresses(name.port);
        if (fd < 0 && !why)
            why = strerror(-fd);
    }
    if (fd >= 0)
        return fd;
    strbuf_addf(error, "cannot listen on '%s': %s", address, why);
    return -1;
}

int listen_inherited(int *fds, size_t max, struct strbuf *error) {
    int count = sd_listen_fds(1);
    if (count <= 0 || (size_t)count > max) {
        strbuf_addstr(error, count <= 0 ? "systemd has passed no socket to us" : "systemd has passed too many sockets");
        return -1;
    }
    for (int i = 0; i < count; i++) {
        fds[i] = SD_LISTEN_FDS_START + i;
        if (sd_is_socket(fds[i], AF_UNSPEC, SOCK_STREAM, 1) <= 0 || fcntl(fds[i], F_SETFL, O_NONBLOCK) < 0) {
            strbuf_addf(error, "what systemd has passed as descriptor %d is not a stream socket that listens", fds[i]);
            return -1;
        }
    }
    return count;
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

void listen_describe(int fd, struct strbuf *out) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } address = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof address;
    char text[INET6_ADDRSTRLEN] = "";

    if (getsockname(fd, &address.any, &len) < 0)
        return;
    if (address.any.sa_family == AF_INET && inet_ntop(AF_INET, &address.v4.sin_addr, text, sizeof text))
        strbuf_addf(out, "%s:%u", text, ntohs(address.v4.sin_port));
    else if (address.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &address.v6.sin6_addr, text, sizeof text))
        strbuf_addf(out, "[%s]:%u", text, ntohs(address.v6.sin6_port));
    else if (address.any.sa_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path))
        strbuf_addf(out, "unix:%.*s", (int)(len - offsetof(struct sockaddr_un, sun_path)), address.local.sun_path);
}
