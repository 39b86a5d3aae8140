/*
 * One life of a server after another; see server_life.h.
 */
#include "explain/server_life.h"

enum {
    SLACK_S = 3, /* the server's clocks count whole seconds, and travel */
    JUMP_S = 60, /* as far the server's clock may be set */
};

/* Both of the server's clocks count whole seconds from the same instant, so that their difference is steady. */
struct server_life server_life_now(const struct target *target) {
    double uptime_s = target_status(target, "Uptime");
    return (struct server_life){.polled = mono_now(),
                                .uptime_s = uptime_s,
                                .flushed_s = uptime_s - target_status(target, "Uptime_since_flush_status"),
                                .restarts = target->poll.restarts,
                                .connection = target->poll.connection_id};
}

/* What sets counters to zero came after the last poll; else they are another server's. */
enum life_change server_life_since(const struct server_life *before, const struct server_life *now, bool fell) {
    double passed_s = (double)mono_between(before->polled, now->polled) / NS_PER_S;
    double flushed_ago_s = now->uptime_s - now->flushed_s;
    /* Two lives within one second look like one, but no connection outlives a server. */
    bool told = before->start_told && now->connection != before->connection && now->uptime_s <= passed_s + SLACK_S;
    if (now->restarts != before->restarts || now->uptime_s < before->uptime_s || told)
        return now->uptime_s > passed_s + SLACK_S ? LIFE_OTHER : LIFE_RESTARTED;
    if (now->uptime_s - before->uptime_s > passed_s + JUMP_S || (fell && flushed_ago_s > passed_s + SLACK_S))
        return LIFE_OTHER;
    return fell || now->flushed_s > before->flushed_s ? LIFE_FLUSHED : LIFE_SAME;
}
