/*
 * Listening sockets for HTTP: made from an address, or inherited from systemd.
 */
#ifndef EXPOSE_LISTEN_H
#define EXPOSE_LISTEN_H

#include "base/strbuf.h"

#include <stdint.h>

/* A socket that listens on "host:port", "[v6]:port", ":port" (all addresses, IPv6 and IPv4 where the system has both)
 * or "unix:/path"; a socket's file that nobody listens on is replaced. Non-blocking and close-on-exec. A name is looked
 * up here, which can take time: for the start only. -1 on failure, with one line in `error`. */
int listen_open(const char *address, struct strbuf *error);
/* The path in "unix:/path", else NULL. */
const char *listen_unix_path(const char *address);
/* The sockets that systemd has opened for us (socket activation) into `fds`: how many, or -1 with one line in `error`,
 * also where there are none. Once only. */
int listen_inherited(int *fds, size_t max, struct strbuf *error);
/* The port that `fd` is bound to; 0 where it has none. */
uint16_t listen_port(int fd);
/* What it is bound to, as listen_open() takes it. */
void listen_describe(int fd, struct strbuf *out);

#endif
