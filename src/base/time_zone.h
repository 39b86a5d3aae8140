/*
 * Time zones: what a clock that shows local time means, in one zone that is chosen once for the whole program (libc
 * knows only one at a time).
 */
#ifndef BASE_TIME_ZONE_H
#define BASE_TIME_ZONE_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct time_zone {
    bool fixed;
    int64_t offset_s;  /* east of UTC: of a fixed one, or the last that was looked up … */
    int64_t known_for; /* … for this minute of its local time */
};

/* "local" (this machine's, as TZ says), "+hh:mm" or "-hh:mm", "UTC" or "Z", or a name such as "Europe/Berlin", for
 * which the environment's TZ is changed. 0, or -EINVAL: there is none of that name. */
int time_zone_choose(const char *name, struct time_zone *out);

/* Unix time of local time, which is given as if that clock showed UTC. Of the hour that a clock shows twice the first
 * is meant. */
int64_t time_zone_to_utc_ns(struct time_zone *zone, int64_t local_ns);

/* "2026-11-21T06:21:48" of a Unix time, or of a clock as above; the fraction with 6 digits, or 9 where they matter, and
 * not at all where it is 0. Without a suffix. */
void time_add_rfc3339(struct strbuf *out, int64_t ns);

/* What people and programs write: "2026-11-21", "2026-11-21 06:21", "2026-11-21T06:21:48.123456Z", "… 06:21:48+01:00";
 * the years 1970 to 2261. *has_zone: *ns is Unix time; else it is local time as if that clock showed UTC. 0 or -EINVAL.
 */
int time_parse(struct span text, int64_t *ns, bool *has_zone);

#endif
