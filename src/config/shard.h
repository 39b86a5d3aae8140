/*
 * Shards: which targets of a configuration are ours, so that n exporters behind one file watch each target once.
 *
 * A target belongs to shard CRC-32(its name) mod n: the same in every version of this program, and in others' hands,
 * too (zlib's crc32(), Python's zlib.crc32()). Shards count from 0; n/n is 0/n, for those who count from 1.
 */
#ifndef CONFIG_SHARD_H
#define CONFIG_SHARD_H

#include "config/config.h"

#define SHARDS_MAX 1000

struct shard {
    uint32_t index, count; /* count 0: there are no shards, all is ours */
};

/* "i/n"; false where it is none. */
bool shard_parse(const char *text, struct shard *out);
bool shard_has(const struct shard *shard, const char *target_name);
/* Free the targets that are not ours. */
void shard_keep(const struct shard *shard, struct config *config);

#endif
