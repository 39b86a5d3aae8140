/*
 * The probe; see probe.h.
 */
#include "observe/probe.h"

#include "base/number.h"
#include "observe/client.h"
#include "observe/close_check.h"

#include <math.h>
#include <string.h>

/* The server's clock for idle connections starts with its last answer; its own timers are a little late. */
#define IDLE_EARLY_NS (500 * NS_PER_MS)
#define IDLE_LATE_NS (1500 * NS_PER_MS)

struct probe_run {
    struct probe *probe;
    bool told;                  /* the result is already in the facts: the probe was late */
    double wait_timeout_s;      /* of our session, where it is held */
    enum close_outcome outcome; /* CLOSE_COUNT: there was nothing to close */
    enum hold_end end;
    bool cut; /* while it was held, or when it was used again */
    uint64_t connection_id;
};

static void tell(struct probe_run *run, const struct failure *failure) {
    struct probe_facts *facts = &run->probe->facts;
    if (run->told)
        return;
    run->told = true;
    facts->last_wall_ns = wall_now_ns();
    if (failure) {
        facts->health = TARGET_DOWN;
        facts->down = *failure;
        facts->failures++;
        failure_counts_add(&facts->failures_by, failure, 1);
    } else {
        facts->health = TARGET_UP;
        facts->last_success_wall_ns = facts->last_wall_ns;
    }
}

static void on_late(void *arg, const struct failure *failure) {
    tell(arg, failure);
}

/* Phases that ended count into the histograms, also those of a probe that failed later: they were true. */
static void note_phases(const struct probe_run *run, const struct client *client) {
    struct probe_facts *facts = &run->probe->facts;
    facts->connection_id = run->connection_id; /* whose phases are shown: not before, while those of the last one are */
    for (int i = 0; i < PHASE_COUNT; i++) {
        int64_t ns = client_phase_ns(client, (enum phase)i);
        facts->last_phase_ns[i] = ns;
        if (ns < 0)
            continue;
        histogram_add(&facts->phase[i], ns);
        native_histogram_add(&facts->phase_native[i], ns);
    }
}

static void note_certificate(struct probe_facts *facts, const struct target_config *config,
                             const struct client_facts *learnt, enum failure_class failure) {
    bool refused = failure == FAILURE_CERTIFICATE_EXPIRED || failure == FAILURE_CERTIFICATE_NAME ||
                   failure == FAILURE_CERTIFICATE_UNTRUSTED;
    if (failure != FAILURE_NONE && learnt->cert_expiry_s == 0 && !refused)
        return; /* no handshake: what is known stays */
    facts->cert_wall_ns = wall_now_ns();
    facts->cert_expiry_s = learnt->cert_expiry_s;
    facts->tls_refusal = failure;
    if (refused)
        facts->tls_verdict = TLS_REFUSED;
    else if (learnt->cert_expiry_s == 0)
        facts->tls_verdict = TLS_VERDICT_NONE;
    else
        facts->tls_verdict = config->tls.mode >= TLS_VERIFY_CA ? TLS_VERIFIED : TLS_NOT_CHECKED;
}

static void note_facts(struct probe *probe, const struct client *client, const struct failure *failure) {
    struct probe_facts *facts = &probe->facts;
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
    note_certificate(facts, probe->target->config, learnt, failure ? failure->failure : FAILURE_NONE);
    if (failure)
        return;
    facts->auth_plugin = learnt->auth_plugin;
    facts->tls_version = learnt->tls_version;
    facts->tls_cipher = learnt->tls_cipher;
}

/* --- an idle time --- */

static void read_wait_timeout(void *arg, const struct span *fields, unsigned count) {
    struct probe_run *run = arg;
    if (count < 1 || !fields[0].ptr || number_parse_double(fields[0], &run->wait_timeout_s) < 0)
        run->wait_timeout_s = NAN;
}

/* How a connection ended that was used after its idle time. One that was answered in another way had survived it. */
static enum hold_end end_on_use(const struct failure *failure) {
    if (failure->failure == FAILURE_TIMEOUT)
        return HOLD_SILENCE;
    if (failure->failure == FAILURE_RESET)
        return HOLD_RST_ON_USE;
    return failure->failure == FAILURE_CLOSED ? HOLD_FIN_ON_USE : HOLD_SURVIVED;
}

/* Bytes came while it was idle, and the next query failed so. Where that was not for an error packet they said nothing:
 * a TLS alert in front of the end, say. */
static bool said_nothing(const struct failure *failure) {
    return failure->failure == FAILURE_CLOSED || failure->failure == FAILURE_RESET ||
           failure->failure == FAILURE_TIMEOUT;
}

/* Who is known to have ended it: an error packet is the server's, and an end that comes just when its own idle timeout
 * is over is taken for its. */
static enum hold_cutter cutter_of(enum hold_end end, int64_t idle_ns, double wait_timeout_s) {
    if (end == HOLD_ERROR)
        return CUTTER_SERVER;
    if ((end != HOLD_FIN && end != HOLD_RST) || isnan(wait_timeout_s))
        return CUTTER_UNKNOWN;
    double over_ns = (double)idle_ns - wait_timeout_s * NS_PER_S;
    return over_ns > -IDLE_EARLY_NS && over_ns < IDLE_LATE_NS ? CUTTER_SERVER : CUTTER_UNKNOWN;
}

static void note_hold(struct probe_run *run, const struct client *client) {
    struct probe_facts *facts = &run->probe->facts;
    int64_t idle_ns = client_phase_ns(client, PHASE_HOLD);
    if (!run->cut) {
        facts->holds[HOLD_SURVIVED][CUTTER_NOBODY]++;
        return;
    }
    facts->last_cut_after_ns = idle_ns;
    enum hold_cutter cutter = cutter_of(run->end, idle_ns, run->wait_timeout_s);
    if (cutter == CUTTER_UNKNOWN) /* the error log may know */
        return;
    facts->holds[run->end][cutter]++;
    run->end = HOLD_SURVIVED; /* nothing left to find out */
}

static struct client_deadline deadline_from_now(struct probe_run *run) {
    const struct module_config *module = run->probe->module;
    struct mono report = mono_add(mono_now(), module->schedule.timeout_ns);
    return (struct client_deadline){report, mono_add(report, module->grace_ns), on_late, run};
}

/* Idle, then the query again. */
static bool hold(struct probe_run *run, struct client *client, struct failure *failure) {
    const struct module_config *module = run->probe->module;
    run->wait_timeout_s = NAN;
    if (target_stopping(run->probe->target))
        return true;
    if (client_query(client, "SELECT @@SESSION.wait_timeout", read_wait_timeout, run, failure) < 0)
        return false;
    int rc = client_hold(client, module->hold_ns, &run->end, failure);
    bool ok = rc == 0;
    struct client_deadline deadline = deadline_from_now(run);
    client_set_deadline(client, &deadline);
    if (rc == 1) {
        run->told = true; /* our own end says nothing of the server */
        return true;
    }
    if (ok) {
        struct failure on_use = {.failure = FAILURE_NONE};
        ok = client_query(client, module->query, NULL, NULL, &on_use) == 0;
        if (failure->failure == FAILURE_NONE)
            *failure = on_use;
        if (on_use.failure == FAILURE_LOCAL) /* we cut it short, or cannot go on: nothing is known of the idle time */
            return false;
        if (ok) /* what came was not the end */
            run->end = HOLD_SURVIVED;
        else if (run->end == HOLD_ERROR ? said_nothing(failure) : !client_connected(client))
            run->end = end_on_use(&on_use);
        if (run->end == HOLD_ERROR)
            failure->phase = PHASE_HOLD; /* it came while nobody asked */
    }
    run->cut = run->end != HOLD_SURVIVED;
    note_hold(run, client);
    return ok;
}

/* --- the whole --- */

/* A target that goes takes its counts of what we abort with it: from there on nothing is aborted. */
static enum close_style style_of(const struct probe_run *run) {
    return target_stopping(run->probe->target) ? CLOSE_QUIT_WAIT : run->probe->module->close;
}

static enum close_end close_in_style(struct probe_run *run, struct client *client) {
    enum close_style style = style_of(run);
    enum close_outcome outcome = client_close(client, style);
    struct probe_facts *facts = &run->probe->facts;
    facts->closes[outcome]++;
    run->outcome = outcome;
    if (outcome == CLOSE_UNEXPECTED_DATA) {
        facts->closes_unexpected[client_facts(client)->close_code]++;
        facts->close_number = client_facts(client)->close_number;
    }
    if ((outcome != CLOSE_CLEAN && outcome != CLOSE_NOT_WATCHED) || client_self_aborted(client))
        return END_IN_DOUBT;
    return style == CLOSE_QUIT_WAIT ? END_WITH_QUIT : END_IN_STYLE;
}

static void note_self_aborts(const struct probe_run *run, const struct client *client) {
    struct target *target = run->probe->target;
    uint64_t *aborts = target->self_aborts;
    own_connections_ended(&target->own, client, run->cut ? OWN_ABORTED_CLIENT : client_own_abort(client));
    if (run->cut)
        aborts[SELF_HOLD]++;
    else if (client_aborted_on_purpose(client))
        aborts[SELF_CLOSE_STYLE]++;
    else
        aborts[SELF_PROBE] += client_self_aborted(client);
}

static void note_history(const struct probe_run *run, const struct failure *failure) {
    struct probe_facts *facts = &run->probe->facts;
    struct past_probe past = {.wall_s = (uint32_t)(wall_now_ns() / NS_PER_S), .end = (uint8_t)run->outcome};
    for (int i = 0; i < PHASE_COUNT; i++)
        past.phase_us[i] = past_probe_phase_us(facts->last_phase_ns[i]);
    if (failure) {
        past.failure = (uint8_t)failure->failure;
        past.failed_in = (uint8_t)failure->phase;
    }
    probe_history_add(&facts->history, &past);
}

static bool converse(struct probe_run *run, struct client *client, struct failure *failure) {
    const struct module_config *module = run->probe->module;
    bool ok = client_connect(client, failure) == 0;
    uint64_t id = run->connection_id = client_connection_id(client);
    if (ok)
        close_check_opened(run->probe->target->close_check, run->probe, id);
    bool opened = ok;
    ok = ok && client_ping(client, failure) == 0;
    ok = ok && client_query(client, module->query, NULL, NULL, failure) == 0;
    if (ok && module->hold_ns > 0)
        ok = hold(run, client, failure);
    enum close_end end = END_IN_DOUBT;
    if (client_connected(client))
        end = close_in_style(run, client);
    else
        client_drop(client); /* what is left of it */
    if (opened)
        close_check_closed(run->probe->target->close_check, run->probe, id, end, run->cut ? run->end : HOLD_SURVIVED);
    return ok;
}

void probe_run(struct probe *probe) {
    struct probe_run run = {.probe = probe, .outcome = CLOSE_COUNT};
    struct failure failure;
    struct client_deadline deadline = deadline_from_now(&run);

    probe->facts.probes++;
    struct client *client = client_new(probe->target->config);
    if (!client) {
        tell(&run, &(struct failure){FAILURE_LOCAL, PHASE_CONNECT, 0, "out of memory"});
        return;
    }
    client_set_deadline(client, &deadline);
    own_connections_began(&probe->target->own, client);
    bool ok = converse(&run, client, &failure);
    tell(&run, ok ? NULL : &failure);
    note_phases(&run, client);
    note_facts(probe, client, ok ? NULL : &failure);
    note_history(&run, ok ? NULL : &failure);
    note_self_aborts(&run, client);
    client_free(client);
}
