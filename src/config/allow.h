/*
 * Which servers strangers may have probed with our account: host name patterns and networks, each with its ports.
 *
 *   db-*.example          a pattern of names, port 3306: * and ? stand for what is within a label,
 *   *.db.example:3306-3310  but at the beginning * for whole labels, too
 *   10.1.0.0/16:*         a network, every port
 *   192.0.2.7             one address
 *   [2001:db8::]/32:3306
 *
 * A name must match a pattern, where there is one, and each address that it has must lie in a network, where there is
 * one: our password goes to no server that a foreign zone file names. What is written as an address must lie in a
 * network. Unix sockets are never allowed.
 */
#ifndef CONFIG_ALLOW_H
#define CONFIG_ALLOW_H

#include "config/config.h"

/* Whether `text` is an entry; else what is wrong in `why`, which never repeats it. */
bool allow_check_entry(const char *text, struct strbuf *why);

/* Whether a server may be asked for, by what is written in its address; else the reason in `why`. */
bool allow_target(const struct text_list *allowed, const struct address *address, struct strbuf *why);
/* Whether a name that is allowed may be reached at this numeric address. */
bool allow_address(const struct text_list *allowed, const char *numeric, uint16_t port);

#endif
