"""A real MySQL is polled and probed, plain, over TLS and over the socket; the kept connection is made anew when it is killed, lives
through an idle timeout shorter than the poll interval, goes on when the server is full, and a restart is seen."""

import pytest

from lib import clients
from lib.exporter import target
from lib.mysql import MONITOR, MySQL
from lib.process import wait_until
from scenario.test_prometheus_scrapes_it_for_a_minute import always_present
from scenario.test_settings_are_asked_for_after_a_set import test_each_set_is_seen  # noqa: F401

SCHEDULE = {"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "200ms", "timeout": "200ms"}}


def both_up(metrics):
    return metrics.value("mysql_up") == 1 and metrics.value("mysqlconn_probe_success") == 1


def kept_of(server, cursor):
    """The connection id of the exporter's kept connection, once the probes' are gone: the one that is seen twice, `cursor` looks."""
    def look():
        cursor.execute("SELECT id FROM performance_schema.processlist WHERE user = %s", (MONITOR[0],))
        return {row[0] for row in cursor.fetchall()}
    first = look()
    return wait_until(lambda: len(both := first & look()) == 1 and both, 10, "one connection is kept").pop()


@pytest.fixture
def ways(server):
    return {"plain": {"tls": {"mode": "disabled"}}, "preferred": {"tls": {"mode": "preferred"}},
            "required": {"tls": {"mode": "required"}}, "verify-ca": {"tls": {"mode": "verify-ca", "ca": server.ca}},
            "socket": {"address": f"unix:{server.socket}"}}


def test_every_way_in_and_every_series(program, exporter, server, ways):
    watching = exporter({**SCHEDULE, "targets": [target(server, name, **way) for name, way in ways.items()]})
    metrics = watching.wait_for(lambda m: all(
        m.value("mysql_up", target=name) == 1 and m.value("mysqlconn_probe_success", target=name) == 1
        and m.value("mysqlconn_probe_closes_total", target=name, outcome="clean") >= 2
        and m.value("mysqlconn_polls_total", target=name) >= 3 for name in ways), 30)
    for name in ways:
        labels, _ = metrics.samples("mysql_version_info", target=name)[0]
        assert labels["version"].startswith("9."), labels
        assert metrics.value("mysql_global_variables_max_connections", target=name) > 0
        assert metrics.value("mysql_global_status_threads_connected", target=name) >= 1
        assert metrics.value("mysqlconn_poll_connects_total", target=name) == 1
        encrypted = metrics.value("mysqlconn_probe_phase_duration_seconds_count", target=name, phase="tls") > 0
        assert encrypted == (name not in ("plain", "socket")), name
        for family, kind, of_target in always_present(program):
            series = f"{family}_bucket" if kind == "histogram" else family
            assert metrics.samples(series, **({"target": name} if of_target else {})), f"{family} of {name} is missing"
    for outcome in ("reset", "unexpected_data", "timeout", "peer_gone"):
        assert metrics.sum("mysqlconn_probe_closes_total", outcome=outcome) == 0, outcome


def test_certificate_of_its_own_making_has_no_such_name(exporter, server):
    verified = target(f"localhost:{server.port}", tls={"mode": "verify-identity", "ca": server.ca})
    watching = exporter({**SCHEDULE, "targets": [verified]})
    watching.wait_for(lambda m: m.down("db1", "poll") == ("tls", "certificate_name")
                      and m.down("db1", "probe") == ("tls", "certificate_name"), 10)


def test_wait_timeout_of_a_second_does_not_cut_the_kept_connection(exporter, server):
    before = server.status("Aborted_clients"), server.error_text()
    server.execute("SET GLOBAL wait_timeout = 1")
    try:
        watching = exporter({"poll": {"interval": "2500ms"}, "probe": {"interval": "10s"}, "targets": [target(server)]})
        metrics = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 3, 15)
        assert metrics.value("mysql_up") == 1 and metrics.value("mysql_global_variables_wait_timeout") == 1
        assert metrics.value("mysqlconn_poll_connects_total") == 1
        assert metrics.value("mysqlconn_poll_connection_losses_total") == 0
        watching.stop()
    finally:
        server.execute("SET GLOBAL wait_timeout = DEFAULT")
    assert (server.status("Aborted_clients"), server.error_text()) == before


def test_killed_connection_is_made_anew(exporter, server):
    watching = exporter({**SCHEDULE, "targets": [target(server)]})
    watching.wait_for(both_up, 10)
    with server._admin.cursor() as cursor:
        server.execute(f"KILL CONNECTION {kept_of(server, cursor)}")
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_poll_connection_losses_total") == 1 and both_up(m)
                                and m.value("mysqlconn_poll_connects_total") == 2, 10)
    assert metrics.value("mysqlconn_self_aborts_total", operation="poll") == 0, "that was not us"


def test_restart_and_a_full_server(exporter):
    with MySQL(["--max-connections=8", "--log-error-verbosity=3"]) as server:
        # Uptime counts whole seconds: a server that is no older than some of them is not told from its successor.
        watching = exporter({**SCHEDULE, "targets": [target(server)]})
        watching.wait_for(lambda m: both_up(m) and m.value("mysql_global_status_uptime") >= 5, 20)

        with clients.Crowd(server) as crowd:
            # The server keeps one place for an administrator, whom it knows by the login: then by 1040 in the greeting's place.
            watching.wait_for(lambda m: crowd.fill() or (m.down("db1", "probe") or ("", ""))[1] == "too_many_connections", 10)
            wait_until(crowd.fill_last, 10, "the last place")
            full = watching.wait_for(lambda m: m.down("db1", "probe") == ("greeting", "too_many_connections"), 10)
            polls = full.value("mysqlconn_polls_total")
            later = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 5, 10, "polling goes on")
            assert later.value("mysql_up") == 1 and later.sum("mysqlconn_poll_failed_total") == 0
            assert later.value("mysql_global_status_connection_errors_total", error="max_connections") >= 1
        watching.wait_for(both_up, 10, "the probe recovers when they leave")

        server.restart()
        after = watching.wait_for(lambda m: both_up(m) and m.value("mysqlconn_server_restarts_total") == 1, 20)
        assert after.value("mysqlconn_poll_connects_total") == 2
        assert after.value("mysqlconn_poll_connection_losses_total") == 1
        polls = after.value("mysqlconn_polls_total")
        later = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 3, 10)
        assert later.value("mysqlconn_server_restarts_total") == 1
