"""Servers that break the protocol, hang or close badly: each is told by its phase and reason, or by how it closed, and none
does the exporter any harm, nor learns anything from it."""

import contextlib
import os
import re

from fake import liar
from lib.exporter import target
from lib.process import starved, wait_until

SCHEDULE = {"poll": {"interval": "1s", "timeout": "1s"}, "probe": {"interval": "1s", "timeout": "1s", "grace": "500ms"}}

# name of the script: (script, phase, reason) that a probe must give
FAILURES = {
    "closes_at_once": (liar.closes_at_once, "greeting", "closed"),
    "speaks_ssh": (liar.speaks_ssh, "greeting", "protocol"),
    "greets_with_garbage": (liar.greets_with_garbage, "greeting", "auth_plugin"),  # the library makes some sense of it
    "too_many_connections": (liar.too_many_connections, "greeting", "too_many_connections"),
    "misnumbers_greeting": (liar.misnumbers_greeting, "greeting", "protocol"),
    "truncates_greeting": (liar.truncates_greeting, "greeting", "closed"),
    "claims_a_greeting_of_16_mb": (liar.claims_a_greeting_of_16_mb, "greeting", "protocol"),
    "greets_endlessly": (liar.greets_endlessly, "greeting", "protocol"),
    "drips_greeting": (liar.drips_greeting, "greeting", "timeout"),
    "hangs_in_tls": (liar.hangs_in_tls, "tls", "timeout"),
    "hangs_after_login_packet": (liar.hangs_after_login_packet, "auth", "timeout"),
    "switches_to_clear_password": (liar.switches_to_clear_password, "auth", "auth_plugin"),
    "switches_to_sha256_password": (liar.switches_to_sha256_password, "auth", "auth_plugin"),
    "asks_for_the_password_itself": (liar.asks_for_the_password_itself, "auth", "auth_plugin"),
    "switches_to_dialog": (liar.switches_to_dialog, "auth", "auth_plugin"),
    "switches_for_ever": (liar.switches_for_ever, "auth", "protocol"),
    "answers_login_with_nonsense": (liar.answers_login_with_nonsense, "auth", "protocol"),
    "hangs_at_ping": (liar.hangs_at_ping, "ping", "timeout"),
    "asks_for_a_file": (liar.asks_for_a_file, "query", "protocol"),
    "endless_row": (liar.endless_row, "query", "protocol"),
    "answers_endlessly": (liar.answers_endlessly, "query", "protocol"),
    **{f"{place}_{how}": (liar.ends_at(place, how), place, {"closes": "closed", "resets": "reset"}[how])
       for place in ("greeting", "tls", "auth", "ping", "query") for how in ("closes", "resets")},
}
# What may be seen in the phase before: who is reset at once may not have noticed that he was connected.
BEFORE = {"greeting_resets": {("connect", "reset")}}
# those whose breach has a name of its own: it is counted, and the log says what came
VIOLATIONS = {
    "misnumbers_greeting": ("sequence", "sequence number 3 where 0 was due, in phase greeting"),
    "claims_a_greeting_of_16_mb": ("oversized", "a packet of 16777215 bytes"),
    "greets_endlessly": ("oversized", "a packet of 16777215 bytes"),
    "switches_for_ever": ("oversized", "in phase auth"),
    "asks_for_a_file": ("file_request", "the server asked for a file of ours, in phase query"),
    "endless_row": ("oversized", "a packet of 16777215 bytes"),
    "answers_endlessly": ("oversized", "in phase query"),
}
# It takes a thousand round trips until that is enough.
SLOWER = {"switches_for_ever": {"probe": {"interval": "5m", "timeout": "5m"}}}
# script, outcome of the close, code of what came unexpectedly, violation; the library lets these pass
CLOSES = {
    "honest": (liar.honest, "clean", None, None),
    "resets_after_quit": (liar.resets_after_quit, "reset", None, None),
    "speaks_after_quit": (liar.speaks_after_quit, "unexpected_data", "4031", None),
    "drips_after_quit": (liar.drips_after_quit, "unexpected_data", "other", None),
    "says_nonsense_after_quit": (liar.says_nonsense_after_quit, "unexpected_data", "no_error_packet", None),
    "stays_after_quit": (liar.stays_after_quit, "timeout", None, None),
    "closes_before_quit": (liar.closes_before_quit, "peer_gone", None, None),
    "misnumbers_login": (liar.misnumbers_login, "clean", None, "sequence"),
    "misnumbers_ping": (liar.misnumbers(liar.COM_PING), "clean", None, "sequence"),
    "misnumbers_query": (liar.misnumbers(liar.COM_QUERY), "clean", None, "sequence"),
    # The second answer to the ping is taken for the query's, and the query's comes when nothing should.
    "repeats_ping_answer": (liar.repeats_ping_answer, "unexpected_data", "no_error_packet", "unexpected_packet"),
}
# script, how the idle time ended and by whom
IDLE_ERROR = b"\x18\x00\x00\x00\xff\xbf\x0f#HY000disconnected by"
HOLDS = {
    "an_error": (liar.while_idle(IDLE_ERROR), "error_packet", "server"),
    "half_an_error": (liar.while_idle(IDLE_ERROR[:8]), "error_packet", "server"),
    "nonsense": (liar.while_idle(b"\x15\x03\x03"), "on_use", "unknown"),  # by FIN, or RST where the query was faster
    "nothing": (liar.while_idle(b""), "fin", "unknown"),
    "nothing_and_resets": (liar.while_idle(b"", "resets"), "reset", "unknown"),
    "nothing_and_stays": (liar.while_idle(b"", "stays"), "silence", "unknown"),
    "nonsense_and_stays": (liar.while_idle(b"\x15\x03\x03", "stays"), "silence", "unknown"),
}
PASSWORD = "hunter2-and-more"


def watch(stack, exporter, scripts):
    """(the exporter, the liars by name)"""
    liars = {name: stack.enter_context(liar.Liar(script)) for name, (script, *_) in scripts.items()}
    targets = [target(it.address, name, password=PASSWORD, **SLOWER.get(name, {})) for name, it in liars.items()]
    return exporter({**SCHEDULE, "targets": targets}), liars


def memory_kb(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def test_each_lie_has_its_phase_and_reason_and_learns_nothing(exporter, sanitized, figure):
    with contextlib.ExitStack() as stack:
        watching, liars = watch(stack, exporter, FAILURES)
        def seen(m, name):
            """That a busy machine runs out of time is no lie."""
            reasons = {(l["phase"], l["reason"]) for l, v in m.samples("mysqlconn_probe_failures_total", target=name) if v}
            return {(phase, reason) for phase, reason in reasons - BEFORE.get(name, set())
                    if reason != "timeout" or FAILURES[name][2] == "timeout" and phase == FAILURES[name][1]}

        def blind(m):
            return [name for name in FAILURES if not seen(m, name)]

        metrics = watching.wait_for(lambda m: not blind(m), 60, lambda: f"not seen through: {blind(watching.scrape())}")
        wrong = {name: seen(metrics, name) for name, (_, *wanted) in FAILURES.items() if seen(metrics, name) != {tuple(wanted)}}
        assert not wrong
        assert all(metrics.down(name, "probe") for name in FAILURES)
        assert all(metrics.value("mysqlconn_probe_success", target=name) == 0 for name in FAILURES)

        for name in FAILURES:
            counted = {l["kind"] for l, v in metrics.samples("mysqlconn_probe_protocol_violations_total", target=name) if v}
            kind, text = VIOLATIONS.get(name, (None, ""))
            assert counted == ({kind} if kind else set()), name
            if kind:
                assert any(text in said["error"] for said in watching.log(target=name, operation="probe", msg="target is down")), name

        # They lie on and on, and it costs no memory: what was freed is used again.
        def rounds(more):
            at = {name: it.connections for name, it in liars.items()}
            wait_until(lambda: all(it.connections >= at[name] + more for name, it in liars.items()), 30, "they lie on")
            return memory_kb(watching.pid)
        first = rounds(3)
        last = rounds(3)
        figure(f"{len(liars)} liars: {first} KB, then {last} KB")
        if not sanitized:  # which keeps freed memory back for a while
            assert last <= first + 4096

        heard = [text for it in liars.values() for text in it.heard]
        assert any(heard) and not any(PASSWORD.encode() in text for text in heard)
        assert liars["switches_to_clear_password"].heard and liars["switches_to_dialog"].heard
        for name in ("switches_to_sha256_password", "asks_for_the_password_itself"):
            asked_for_a_key = {b"\x01", b"\x02"} & set(liars[name].heard)
            assert liars[name].heard and not asked_for_a_key, name
        assert set(liars["asks_for_a_file"].heard) <= {b""}  # of the file, nothing
        assert PASSWORD not in watching.everything_said()


def test_each_close_has_its_outcome(exporter):
    with contextlib.ExitStack() as stack:
        watching, _ = watch(stack, exporter, CLOSES)
        metrics = watching.wait_for(lambda m: all(m.sum("mysqlconn_probe_closes_total", target=name, outcome=outcome) >= 2
                                                  # A bad close is the close's fault, not the probe's.
                                                  and m.value("mysqlconn_probe_success", target=name) == 1
                                                  for name, (_, outcome, *_) in CLOSES.items()), 15,
                                    "all ways to close are told apart")
        # On a busy machine a server may be too late with its end.
        late = {"timeout"} if starved(watching.pid) + starved(os.getpid()) > 0.5 else set()

        def seen(name, family, label):
            return {l[label] for l, v in metrics.samples(family, target=name) if v}
        for name, (_, outcome, code, violation) in CLOSES.items():
            assert seen(name, "mysqlconn_probe_closes_total", "outcome") - (late - {outcome}) == {outcome}, name
            assert seen(name, "mysqlconn_probe_close_unexpected_total", "code") == ({code} if code else set()), name
            assert seen(name, "mysqlconn_probe_protocol_violations_total", "kind") == ({violation} if violation else set()), name
            if code:
                watching.wait_for_log(5, target=name, msg="the server sent something after COM_QUIT",
                                      code={"4031": "4031", "other": "1464"}.get(code, "0"))


def test_what_comes_while_it_is_held_is_told_as_what_it_was(exporter):
    with contextlib.ExitStack() as stack:
        liars = {name: stack.enter_context(liar.Liar(script)) for name, (script, *_) in HOLDS.items()}
        watching = exporter({**SCHEDULE, "modules": {"pool": {"hold": "3s", "interval": "20s", "timeout": "2s"}},
                             "targets": [target(it.address, name, probe={"modules": ["pool"]}) for name, it in liars.items()]})
        page = watching.wait_for(lambda m: len({l["target"] for l, _ in m.samples("mysqlconn_probe_holds_total")}) == len(HOLDS), 30)
        found = {(l["target"], re.sub("(fin|reset)_on_use", "on_use", l["how"]), l["by"])
                 for l, v in page.samples("mysqlconn_probe_holds_total") if v}
        assert found == {(name, how, by) for name, (_, how, by) in HOLDS.items()}
        watching.stop()
