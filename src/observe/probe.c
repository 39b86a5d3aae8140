/*
 * The probe; see probe.h.
 */
#include "observe/probe.h"

#include "observe/client.h"

#include <string.h>

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

static void note_certificate(struct probe_facts *facts, const struct target_config *config,
                             const struct client_facts *learnt, enum failure_class failure) {
    bool refused = failure == FAILURE_CERTIFICATE_EXPIRED || failure == FAILURE_CERTIFICATE_NAME ||
                   failure == FAILURE_CERTIFICATE_UNTRUSTED;
    if (failure != FAILURE_NONE && learnt->cert_expiry_s == 0 && !refused)
        return; /* no handshake: what is known stays */
    facts->cert_expiry_s = learnt->cert_expiry_s;
    facts->tls_refusal = failure;
    if (refused)
        facts->tls_verdict = TLS_REFUSED;
    else if (learnt->cert_expiry_s == 0)
        facts->tls_verdict = TLS_VERDICT_NONE;
    else
        facts->tls_verdict = config->tls.mode >= TLS_VERIFY_CA ? TLS_VERIFIED : TLS_NOT_CHECKED;
}

static void note_facts(struct target *target, const struct client *client, const struct failure *failure) {
    struct probe_facts *facts = &target->probe;
    const struct client_facts *learnt = client_facts(client);
    facts->ipv4 = learnt->ipv4;
    facts->ipv6 = learnt->ipv6;
    memcpy(facts->address, learnt->address, sizeof facts->address);
    facts->addresses_failed += learnt->addresses_failed;
    for (int i = 0; i < WIRE_VIOLATION_COUNT; i++)
        facts->violations[i] += learnt->violations[i];
    facts->tcp = learnt->tcp;
    facts->tcp_retransmissions += learnt->tcp.retransmissions;
    facts->tcp_sent_bytes += learnt->tcp.sent_bytes;
    facts->tcp_received_bytes += learnt->tcp.received_bytes;
    note_certificate(facts, target->config, learnt, failure ? failure->failure : FAILURE_NONE);
    if (failure)
        return;
    facts->auth_plugin = learnt->auth_plugin;
    facts->tls_version = learnt->tls_version;
    facts->tls_cipher = learnt->tls_cipher;
}

static void quit(struct probe_run *run, struct client *client) {
    enum close_outcome outcome = client_quit(client);
    struct probe_facts *facts = &run->target->probe;
    facts->closes[outcome]++;
    if (outcome == CLOSE_UNEXPECTED_DATA) {
        facts->closes_unexpected[client_facts(client)->close_code]++;
        facts->close_number = client_facts(client)->close_number;
    }
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
    else
        client_drop(client); /* what is left of it */
    tell(&run, ok ? NULL : &failure);
    note_phases(&target->probe, client);
    note_facts(target, client, ok ? NULL : &failure);
    target->self_aborts[SELF_PROBE] += client_self_aborted(client);
    client_free(client);
}
