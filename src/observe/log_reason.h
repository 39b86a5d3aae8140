/*
 * Why connections end, in every language that servers ship, and in English.
 */
#ifndef OBSERVE_LOG_REASON_H
#define OBSERVE_LOG_REASON_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

/* What an English server writes for `reason`: static text, or ptr NULL where the reason is not known in any language.
 * Servers cut a reason at 64 bytes; those are known too. */
struct span log_reason_english(struct span reason);

/* All that are known, in any language; ptr NULL behind the last. */
struct span log_reason_nth(size_t n);

/* Of a reason in English: "init_connect command failed", "Too many connections". */
bool log_reason_is_init_connect(struct span english);
bool log_reason_is_too_many(struct span english);
/* An error of the conversation itself, such as servers also write without a frame around it. */
bool log_reason_is_of_the_wire(struct span english);

#endif
