/*
 * What a client would rather have: the fields Accept and Accept-Encoding, by their quality values (RFC 9110, 12.4 and
 * 12.5). Whoever accepts nothing that we have gets text 0.0.4, as from Prometheus' own libraries.
 */
#ifndef EXPOSE_NEGOTIATE_H
#define EXPOSE_NEGOTIATE_H

#include "expose/sample.h"

#include <stdbool.h>

/* `accept` may be NULL: there is no such field; several are joined by commas. */
enum metric_format negotiate_format(const char *accept);
/* Whether to send gzip: only to those who ask for it by name or by *. */
bool negotiate_gzip(const char *accept_encoding);

#endif
