/*
 * Listening sockets for HTTP.
 */
#ifndef EXPOSE_LISTEN_H
#define EXPOSE_LISTEN_H

#include "base/strbuf.h"

#include <stdint.h>

/* A socket that listens on "host:port", "[v6]:port" or ":port" (all addresses, IPv6 and IPv4 where the system has
 * both). Non-blocking and close-on-exec. A name is looked up here, which can take time: for the start only. -1 on
 * failure, with one line in `error`. */
int listen_open(const char *address, struct strbuf *error);
/* The port that `fd` is bound to; 0 where it has none. */
uint16_t listen_port(int fd);

#endif
