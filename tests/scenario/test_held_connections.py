"""A module that holds its connection idle, as a pool does: it survives, or is cut, and then after how long, how, and by whom is told;
an exporter that ends while it holds one says good-bye."""

import contextlib
import os
import re
import time
import urllib.error

import pytest

from lib.exporter import target
from lib.mariadb import MONITOR, MariaDB
from lib.process import wait_until
from lib.relay import Relay

HOLD = {"poll": {"interval": "500ms", "timeout": "500ms"}, "probe": {"interval": "3s", "timeout": "3s", "grace": "1s"}}


@pytest.fixture(scope="module")
def server():
    """One that tells what it is asked."""
    with MariaDB(["--general-log", "--general-log-file=general.log"]) as running:
        yield running


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
    """The exporter's connections that have nothing to do."""
    return {row[0] for row in server.execute("SHOW PROCESSLIST") if row[1] == "mysqlconn" and row[4] == "Sleep"}


def held(server):
    """… and of them those that it holds: each was asked for its wait_timeout last."""
    last = {}
    with open(os.path.join(server.data, "general.log"), encoding="utf-8", errors="replace") as f:
        for line in f:
            if found := re.search(r"\t *(\d+) (Query|Ping|Quit)\t(.*)", line):
                last[int(found[1])] = found[3]
    return {number for number in idle(server) if last.get(number) == "SELECT @@SESSION.wait_timeout"}


def wait_held(server):
    """Until it holds one, and its other connection has nothing to do. The id of the one."""
    return max(wait_until(lambda: len(idle(server)) == 2 and held(server), 10, "one is held"))


def counted(server, *names):
    """Its counters when all that ended has been counted: no connection of the exporter's is left."""
    wait_until(lambda: not server.threads_of(MONITOR[0]), 10, "all connections of the exporter's are gone")
    return server.status(*names)


def ready(watching):
    with contextlib.suppress(urllib.error.HTTPError):
        return watching.get("/-/ready")


def holds(metrics):
    return {(l["how"], l["by"]): v for l, v in metrics.samples("mysqlconn_probe_holds_total") if v}


def check_survives(exporter, server):
    before = counted(server, "Aborted_clients")
    watching = exporter(holding(server, "1s", interval="2s", timeout="2s"))
    page = watching.wait_for(lambda m: holds(m).get(("survived", "nobody"), 0) >= 2
                             and m.value("mysqlconn_probe_success", module="pool") == 1, 20)
    assert set(holds(page)) == {("survived", "nobody")}
    assert page.value("mysqlconn_probe_phase_duration_seconds_sum", phase="hold") >= 1
    watching.stop()
    assert counted(server, "Aborted_clients") == before


def check_idle_timeout(exporter, server, how, reason):
    """The server's own wait_timeout is shorter than the hold."""
    before = counted(server, "Aborted_clients")
    with wait_timeout(server, 2):
        began = time.monotonic()
        watching = exporter(holding(server, "600s"))
        page = watching.wait_for(lambda m: holds(m) and m.value("mysqlconn_self_aborts_total", operation="hold") == 1
                                 and m.down("db1", "probe") == reason, 20)
        assert holds(page) == {(how, "server"): 1}
        # About two, on a machine that lets us see when it begins and ends.
        assert 0.1 < page.value("mysqlconn_probe_hold_last_cut_after_seconds") < time.monotonic() - began
        wait_until(lambda: server.status("Aborted_clients") == before + 1, 5, "the server counts it")
        watching.stop()
    assert counted(server, "Aborted_clients") == before + 1


def test_survives_a_short_hold(exporter, server):
    check_survives(exporter, server)


def test_idle_timeout_of_the_server(exporter, server):
    check_idle_timeout(exporter, server, "reset", ("hold", "reset"))


@pytest.mark.parametrize("how, seen, reason", [("fin", "fin", "closed"), ("rst", "reset", "reset")])
def test_something_between_ends_it(exporter, server, how, seen, reason):
    """The server's log says that it lost its client, and the client that it lost its server."""
    with Relay(server.port) as relay:
        watching = exporter(holding(server, "60s", relay.address))
        wait_held(server)
        relay.cut(how)
        watching.wait_for(lambda m: m.down("db1", "probe") == ("hold", reason), 10)
        page = watching.wait_for(lambda m: holds(m), 20, "its id is found in the log")
        assert holds(page) == {(seen, "path"): 1}
        assert page.value("mysqlconn_probe_close_verdicts_total", verdict="logged_as_aborted") == 1
        watching.stop()


def test_a_kill_that_the_log_hides_is_not_called_clean(exporter, server):
    before = counted(server, "Aborted_clients")
    watching = exporter(holding(server, "60s"))
    server.execute(f"KILL {wait_held(server)}")
    page = watching.wait_for(lambda m: m.sum("mysqlconn_probe_close_verdicts_total"), 20, "its verdict")
    assert page.value("mysqlconn_probe_close_verdicts_total", verdict="unknown") == 1
    assert holds(page) == {("fin", "unknown"): 1}
    watching.stop()
    assert counted(server, "Aborted_clients") == before + page.value("mysqlconn_self_aborts_total", operation="hold") == before + 1


@pytest.mark.parametrize("close", ["none", "reset"])
def test_a_reload_during_a_hold_aborts_nothing(exporter, server, close):
    """What the target that goes would still abort nobody could read any more."""
    before = counted(server, "Aborted_clients")
    config = holding(server, "60s", close=close)
    config["targets"][0]["probe"]["allow_close"] = [close]
    watching = exporter(config)
    wait_held(server)
    assert watching.reload({**HOLD, "targets": [target(server, "other")]})
    wait_until(lambda: not held(server), 10, "the held one is closed")
    watching.stop()
    assert counted(server, "Aborted_clients") == before


def test_silence_is_found_when_it_is_used(exporter, server):
    with Relay(server.port) as relay:
        watching = exporter(holding(server, "3s", relay.address, timeout="1s"))
        wait_held(server)
        relay.stall()
        page = watching.wait_for(lambda m: holds(m) and m.value("mysqlconn_self_aborts_total", operation="hold") == 1, 20)
        assert list(holds(page)) == [("silence", "unknown")]
        assert page.value("mysqlconn_probe_failures_total", module="pool", phase="query", reason="timeout") >= 1
        relay.flow()


def test_ends_politely_while_it_holds(exporter, server, figure):
    before = counted(server, "Aborted_clients", "Aborted_connects"), server.error_text()
    watching = exporter(holding(server, "600s"))
    wait_held(server)
    wait_until(lambda: ready(watching), 10, "nobody waits for a hold")
    took = watching.stop()
    assert (counted(server, "Aborted_clients", "Aborted_connects"), server.error_text()) == before
    figure(f"SIGTERM to the end while holding: {took:.2f} s")
