/*
 * Shards; see shard.h.
 */
#include "config/shard.h"

#include "base/number.h"

#include <string.h>
#include <zlib.h>

bool shard_parse(const char *text, struct shard *out) {
    uint64_t index, count;
    const char *slash = strchr(text, '/');
    if (!slash || number_parse_u64((struct span){text, (size_t)(slash - text)}, SHARDS_MAX, &index) < 0 ||
        number_parse_u64(span_of(slash + 1), SHARDS_MAX, &count) < 0 || count == 0 || index > count)
        return false;
    *out = (struct shard){(uint32_t)(index % count), (uint32_t)count};
    return true;
}

bool shard_has(const struct shard *shard, const char *target_name) {
    if (shard->count == 0)
        return true;
    uLong hash = crc32(0, (const Bytef *)target_name, (uInt)strlen(target_name));
    return hash % shard->count == shard->index;
}

void shard_keep(const struct shard *shard, struct config *config) {
    size_t kept = 0;
    for (size_t i = 0; i < config->target_count; i++)
        if (shard_has(shard, config->targets[i]->name))
            config->targets[kept++] = config->targets[i];
        else
            target_config_free(config->targets[i]);
    config->target_count = kept;
}
