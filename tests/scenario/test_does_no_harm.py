"""Thousands of probes and hundreds of polls, plain, over TLS and over the socket, and the end of the exporter after them, leave
the server's counters of aborted connections and its error log as they were."""
# takes long

import pytest

from lib.certificates import Authority
from lib.exporter import target
from lib.mariadb import MONITOR, MariaDB
from lib.process import wait_until

PROBES, POLLS = 2000, 200
COUNTERS = ("Aborted_clients", "Aborted_connects", "Aborted_connects_preauth", "Access_denied_errors",
            "Connection_errors_internal", "Connection_errors_max_connections", "Connection_errors_peer_address")


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("ca"))
    # At level 4 the server also says what it otherwise forgives.
    with MariaDB(["--log-warnings=4"]).use_certificate(*authority.sign("server")) as running:
        running.ca = authority.ca
        yield running


def test_probes_and_polls_leave_counters_and_log_as_they_were(exporter, watched, figure):
    log_before, before = watched.error_text(), watched.status(*COUNTERS)
    connections = watched.status("Connections")
    ways = [{"tls": {"mode": "disabled"}}, {"tls": {"mode": "preferred"}},
            {"tls": {"mode": "verify-ca", "ca": watched.ca}}, {"address": f"unix:{watched.socket}"}]
    targets = [target(watched, f"db{i}", **way) for i, way in enumerate(ways * 2)]
    watching = exporter({"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "50ms", "timeout": "50ms"},
                         "targets": targets})
    # Those that a busy machine left no time for do not count.
    done = watching.wait_for(lambda m: m.sum("mysqlconn_probe_closes_total", outcome="clean") >= PROBES
                             and m.sum("mysqlconn_polls_total") >= POLLS, 120, f"{PROBES} probes and {POLLS} polls")
    watching.stop()
    wait_until(lambda: not watched.threads_of(MONITOR[0]), 10, "the server has closed all connections, and counted them")

    assert watched.status(*COUNTERS) == before
    assert watched.error_text() == log_before
    probes, polls = done.sum("mysqlconn_probes_total"), done.sum("mysqlconn_polls_total")
    failed = done.sum("mysqlconn_probe_failed_total")
    assert watched.status("Connections") - connections >= probes - failed, "they were real connections"
    assert done.sum("mysqlconn_self_aborts_total") == 0
    clean = done.sum("mysqlconn_probe_closes_total", outcome="clean")
    for i in range(len(targets)):
        late = done.sum("mysqlconn_poll_failures_total", target=f"db{i}", reason="timeout")
        assert 1 <= done.value("mysqlconn_poll_connects_total", target=f"db{i}") <= 1 + late, "it is kept"
    figure(f"{probes:.0f} probes ({clean:.0f} closed cleanly, {failed:.0f} out of time), {polls:.0f} polls: no counter moved, "
           "no log line")
