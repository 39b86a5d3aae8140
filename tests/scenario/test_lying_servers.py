"""Servers that break the protocol, hang or close badly: each is told by its phase and reason, or by how it closed, and none
does the exporter any harm."""

import contextlib

from fake import liar
from lib.exporter import target

SCHEDULE = {"poll": {"interval": "1s", "timeout": "500ms"}, "probe": {"interval": "1s", "timeout": "500ms", "grace": "500ms"}}

# script: (phase, reasons) that a probe must give
FAILURES = {
    liar.closes_at_once: ("greeting", {"closed"}),
    liar.speaks_ssh: ("greeting", {"protocol"}),
    liar.greets_with_garbage: ("greeting", {"protocol", "auth_plugin"}),  # the library makes some sense of it
    liar.too_many_connections: ("greeting", {"too_many_connections"}),
    liar.hangs_after_login_packet: ("auth", {"timeout"}),
    liar.hangs_in_tls: ("tls", {"timeout"}),
    liar.hangs_at_ping: ("ping", {"timeout"}),
    liar.endless_row: ("query", {"timeout"}),
}
CLOSES = {
    liar.honest: "clean",
    liar.resets_after_quit: "reset",
    liar.speaks_after_quit: "unexpected_data",
    liar.stays_after_quit: "timeout",
}


def test_each_lie_has_its_phase_and_reason(exporter):
    with contextlib.ExitStack() as stack:
        targets = [target(stack.enter_context(liar.Liar(script)).address, script.__name__) for script in FAILURES]
        watching = exporter({**SCHEDULE, "targets": targets})
        names = {script.__name__: wanted for script, wanted in FAILURES.items()}
        metrics = watching.wait_for(lambda m: all(m.down(name, "probe") for name in names), 10, "all lies are seen through")
        wrong = {name: metrics.down(name, "probe") for name, (phase, reasons) in names.items()
                 if metrics.down(name, "probe")[0] != phase or metrics.down(name, "probe")[1] not in reasons}
        assert not wrong
        assert all(metrics.value("mysqlconn_probe_success", target=name) == 0 for name in names)


def test_each_close_has_its_outcome(exporter):
    with contextlib.ExitStack() as stack:
        targets = [target(stack.enter_context(liar.Liar(script)).address, script.__name__) for script in CLOSES]
        watching = exporter({**SCHEDULE, "targets": targets})
        watching.wait_for(lambda m: all(m.sum("mysqlconn_probe_closes_total", target=script.__name__, outcome=outcome) >= 2
                                        for script, outcome in CLOSES.items()), 15, "all ways to close are told apart")
        metrics = watching.scrape()
        for script, outcome in CLOSES.items():
            closes = {l["outcome"]: v for l, v in metrics.samples("mysqlconn_probe_closes_total", target=script.__name__) if v}
            assert set(closes) == {outcome}, (script.__name__, closes)
            # A bad close is the close's fault, not the probe's.
            assert metrics.value("mysqlconn_probe_success", target=script.__name__) == 1
