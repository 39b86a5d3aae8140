/*
 * Addresses of servers as they are written: host[:port], [v6][:port], unix:/path or a bare absolute path.
 */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include "config/config.h"

#define ADDRESS_DEFAULT_PORT 3306

/* False with what is wrong in `why`, which never repeats `text`. The caller releases *out after success. */
bool address_parse(const char *text, struct address *out, struct strbuf *why);
void address_release(struct address *address);

#endif
