/*
 * From an abort's time to the counters that moved about it; see network_evidence.h.
 */
#include "explain/network_evidence.h"

#include "base/clock.h"
#include "base/number.h"
#include "observe/host_network.h"

#define LOG_TIMES_WITHIN_NS NS_PER_S /* MariaDB writes whole seconds */

enum { TOLD_MAX = 5 };

#define BIT(cause) (UINT32_C(1) << CAUSE_##cause)

/* A refused password is none of these. */
static const uint32_t causes = BIT(CLIENT_VANISHED) | BIT(LEFT_MID_RESULT) | BIT(IDLE_TIMEOUT) | BIT(READ_TIMEOUT) |
                               BIT(WRITE_TIMEOUT) | BIT(PROTOCOL_ERROR) | BIT(REPLICATION_CLIENT) | BIT(HEALTH_CHECK) |
                               BIT(HANDSHAKE_TIMEOUT) | BIT(TLS_FAILURE) | BIT(BEFORE_LOGIN) | BIT(PEER_ADDRESS) |
                               BIT(SERVER_RESOURCES) | BIT(UNKNOWN);

int64_t network_evidence_add(const struct target *target, const struct abort_event *event, struct strbuf *out) {
    struct host_network_moves m;
    int64_t at = abort_event_wall_ns(event), since = event->since_wall_ns ? event->since_wall_ns : at;
    if (!target->port_watch || !(causes & UINT32_C(1) << event->cause.cause))
        return 0;
    host_network_look(target->network);
    /* What makes a connection fail moves before it does. */
    if (host_network_moved(target->network, since - target->config->poll.interval_ns, at + LOG_TIMES_WITHIN_NS, &m) < 0)
        return 0;
    for (size_t i = 0; i < m.count && i < TOLD_MAX; i++)
        strbuf_addf(out, "%s%s +%llu", i ? ", " : "", net_counter_short(m.moves[i].counter),
                    (unsigned long long)m.moves[i].increase);
    if (m.count == 0)
        return 0;
    if (m.count > TOLD_MAX)
        strbuf_addf(out, " and %zu more", m.count - TOLD_MAX);
    strbuf_addstr(out, " in ");
    int64_t apart_ms = (m.to_wall_ns - m.from_wall_ns) / NS_PER_MS;
    number_add_double(out, (double)apart_ms / 1000);
    strbuf_addstr(out, " s");
    return m.to_wall_ns;
}
