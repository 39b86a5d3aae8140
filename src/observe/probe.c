/*
 * The probe; see probe.h.
 */
#include "observe/probe.h"

#include "observe/client.h"

struct probe_run {
    struct target *target;
    bool told; /* the result is already in the facts: the probe was late */
};

static void tell(struct probe_run *run, const struct failure *failure) {
    struct probe_facts *facts = &run->target->probe;
    if (run->told)
        return;
    run->told = true;
    facts->last_wall_ns = wall_now_ns();
    if (failure) {
        facts->health = TARGET_DOWN;
        facts->down = *failure;
        facts->failures++;
        facts->failures_by[failure->phase][failure->failure]++;
    } else {
        facts->health = TARGET_UP;
        facts->last_success_wall_ns = facts->last_wall_ns;
    }
}

static void on_late(void *arg, const struct failure *failure) {
    tell(arg, failure);
}

/* Phases that ended count into the histograms, also those of a probe that failed later: they were true. */
static void note_phases(struct probe_facts *facts, const struct client *client) {
    for (int i = 0; i < PHASE_COUNT; i++) {
        int64_t ns = client_phase_ns(client, (enum phase)i);
        facts->last_phase_ns[i] = ns;
        if (ns >= 0)
            histogram_add(&facts->phase[i], ns);
    }
}

static void quit(struct probe_run *run, struct client *client) {
    enum close_outcome outcome = client_quit(client);
    struct probe_facts *facts = &run->target->probe;
    facts->closes[outcome]++;
}

void probe_run(struct target *target) {
    struct probe_run run = {.target = target};
    struct failure failure;
    const struct target_config *config = target->config;
    struct mono report = mono_add(mono_now(), config->probe.timeout_ns);
    struct client_deadline deadline = {report, mono_add(report, config->probe_grace_ns), on_late, &run};

    target->probe.probes++;
    struct client *client = client_new(config);
    if (!client) {
        tell(&run, &(struct failure){FAILURE_LOCAL, PHASE_CONNECT, 0, "out of memory"});
        return;
    }
    client_set_deadline(client, &deadline);
    bool ok = client_connect(client, &failure) == 0;
    target->probe.connection_id = client_connection_id(client);
    ok = ok && client_ping(client, &failure) == 0;
    ok = ok && client_query(client, "SELECT 1", NULL, NULL, &failure) == 0;
    if (client_connected(client))
        quit(&run, client);
    tell(&run, ok ? NULL : &failure);
    note_phases(&target->probe, client);
    target->self_aborts[SELF_PROBE] += client_self_aborted(client);
    client_free(client);
}
