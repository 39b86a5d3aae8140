/*
 * Asking for a password on the terminal, unseen.
 */
#ifndef CLI_PROBE_PASSWORD_H
#define CLI_PROBE_PASSWORD_H

#include "base/strbuf.h"

/* Ask on stderr, read a line from stdin without echo. NULL with a line in `error` when stdin is no terminal or ends.
 * A signal that ends us leaves the terminal as it was. The result is malloc()ed. */
char *probe_password_ask(const char *user, struct strbuf *error);

#endif
