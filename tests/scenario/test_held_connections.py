"""A module that holds its connection idle, as a pool does: it survives, or is cut, and then after how long, how, and by whom is told;
an exporter that ends while it holds one says good-bye."""

import contextlib

import pytest

from lib.exporter import target
from lib.process import wait_until
from lib.relay import Relay

HOLD = {"poll": {"interval": "500ms", "timeout": "500ms"}, "probe": {"interval": "500ms", "timeout": "500ms", "grace": "1s"}}


def holding(server, hold, address=None, **module):
    watched = target(address or server, error_log={"file": server.error_log}, probe={"modules": ["pool"]})
    return {**HOLD, "modules": {"pool": {"hold": hold, **module}}, "targets": [watched]}


@contextlib.contextmanager
def wait_timeout(server, seconds):
    server.execute(f"SET GLOBAL wait_timeout = {seconds}")
    try:
        yield
    finally:
        server.execute("SET GLOBAL wait_timeout = DEFAULT")


def idle(server):
    """How many of the exporter's connections have nothing to do."""
    return sum(row[1] == "mysqlconn" and row[4] == "Sleep" for row in server.execute("SHOW PROCESSLIST"))


def holds(metrics):
    return {(l["how"], l["by"]): v for l, v in metrics.samples("mysqlconn_probe_holds_total") if v}


def check_survives(exporter, server):
    before = server.status("Aborted_clients")
    watching = exporter(holding(server, "1s"))
    page = watching.wait_for(lambda m: holds(m).get(("survived", "nobody"), 0) >= 2, 20)
    assert set(holds(page)) == {("survived", "nobody")}
    assert page.value("mysqlconn_probe_success", module="pool") == 1
    assert page.value("mysqlconn_probe_phase_duration_seconds_sum", phase="hold") >= 1
    watching.stop()
    assert server.status("Aborted_clients") == before


def check_idle_timeout(exporter, server, how, reason):
    """The server's own wait_timeout is shorter than the hold."""
    before = server.status("Aborted_clients")
    with wait_timeout(server, 2):
        watching = exporter(holding(server, "20s"))
        page = watching.wait_for(lambda m: holds(m), 20)
        assert holds(page) == {(how, "server"): 1}
        assert 1.5 < page.value("mysqlconn_probe_hold_last_cut_after_seconds") < 3.5
        down = watching.wait_for(lambda m: m.down("db1", "probe"), 5).down("db1", "probe")
        assert down == reason
        assert page.value("mysqlconn_self_aborts_total", operation="hold") == 1
        wait_until(lambda: server.status("Aborted_clients") == before + 1, 5, "the server counts it")
        watching.stop()
    assert server.status("Aborted_clients") == before + 1


def test_survives_a_short_hold(exporter, server):
    check_survives(exporter, server)


def test_idle_timeout_of_the_server(exporter, server):
    check_idle_timeout(exporter, server, "reset", ("hold", "reset"))


@pytest.mark.parametrize("how, seen, reason", [("fin", "fin", "closed"), ("rst", "reset", "reset")])
def test_something_between_ends_it(exporter, server, how, seen, reason):
    """The server's log says that it lost its client, and the client that it lost its server."""
    with Relay(server.port) as relay:
        watching = exporter(holding(server, "60s", relay.address))
        watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probes_total") == 1, 10)
        wait_until(lambda: relay.open == 2, 10, "the kept connection and the held one are there")
        wait_until(lambda: idle(server) == 2, 10, "both have nothing to do")
        relay.cut(how)
        down = watching.wait_for(lambda m: m.down("db1", "probe"), 10)
        assert down.down("db1", "probe") == ("hold", reason)
        page = watching.wait_for(lambda m: holds(m), 20, "its id is found in the log")
        assert holds(page) == {(seen, "path"): 1}
        assert page.value("mysqlconn_probe_close_verdicts_total", verdict="logged_as_aborted") == 1
        watching.stop()


def test_a_kill_that_the_log_hides_is_not_called_clean(exporter, server):
    before = server.status("Aborted_clients")
    watching = exporter(holding(server, "60s"))
    watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probes_total") == 1, 10)
    wait_until(lambda: idle(server) == 2, 10, "both have nothing to do")
    held = max(row[0] for row in server.execute("SHOW PROCESSLIST") if row[1] == "mysqlconn")
    server.execute(f"KILL {held}")
    page = watching.wait_for(lambda m: m.sum("mysqlconn_probe_close_verdicts_total"), 20, "its verdict")
    assert page.value("mysqlconn_probe_close_verdicts_total", verdict="unknown") == 1
    assert holds(page) == {("fin", "unknown"): 1}
    assert server.status("Aborted_clients") == before + page.value("mysqlconn_self_aborts_total", operation="hold") == before + 1
    watching.stop()


@pytest.mark.parametrize("close", ["none", "reset"])
def test_a_reload_during_a_hold_aborts_nothing(exporter, server, close):
    """What the target that goes would still abort nobody could read any more."""
    before = server.status("Aborted_clients")
    config = holding(server, "60s", close=close)
    config["targets"][0]["probe"]["allow_close"] = [close]
    watching = exporter(config)
    watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probes_total") == 1, 10)
    wait_until(lambda: idle(server) == 2, 10, "both have nothing to do")
    assert watching.reload({**HOLD, "targets": [target(server, "other")]})
    wait_until(lambda: idle(server) == 1, 10, "the held one is closed")
    watching.stop()
    assert server.status("Aborted_clients") == before


def test_silence_is_found_when_it_is_used(exporter, server):
    with Relay(server.port) as relay:
        watching = exporter(holding(server, "3s", relay.address, timeout="1s"))
        watching.wait_for(lambda m: m.value("mysqlconn_probes_total") == 1, 10)
        wait_until(lambda: relay.open == 2, 10, "the kept connection and the held one are there")
        wait_until(lambda: idle(server) == 2, 10, "both have nothing to do")
        relay.stall()
        page = watching.wait_for(lambda m: holds(m), 20)
        assert list(holds(page)) == [("silence", "unknown")]
        assert page.value("mysqlconn_probe_failures_total", module="pool", phase="query", reason="timeout") == 1
        assert page.value("mysqlconn_self_aborts_total", operation="hold") == 1
        relay.flow()


def test_ends_politely_while_it_holds(exporter, server, figure):
    before = server.status("Aborted_clients", "Aborted_connects"), server.error_text()
    watching = exporter(holding(server, "600s"))
    watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probes_total") == 1, 10)
    wait_until(lambda: idle(server) == 2, 10, "it holds")
    assert watching.get("/-/ready"), "nobody waits for a hold"
    took = watching.stop()
    assert took < 2
    assert (server.status("Aborted_clients", "Aborted_connects"), server.error_text()) == before
    figure(f"SIGTERM to the end while holding: {took:.2f} s")
