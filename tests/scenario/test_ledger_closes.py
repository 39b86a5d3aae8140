"""Clients of a MariaDB misbehave in a dozen ways, and we too: at the end the ledger equals the server's counters to the last unit,
each rise under its cause; FLUSH STATUS, restarts and gaps are steps of it, and its lines are not counted twice."""

import pytest

from fake.liar import Liar, lives_of
from lib import clients
from lib.exporter import target
from lib.ledger import Ledger
from lib.mariadb import APP, MONITOR, MariaDB, close

FAST = {"poll": {"interval": "1s"}, "probe": {"interval": "1h"}}
CLIENTS, CONNECTS, PREAUTH = "Aborted_clients", "Aborted_connects", "Aborted_connects_preauth"


@pytest.fixture(scope="module")
def watched():
    with MariaDB(["--connect-timeout=2", "--max-connections=12", "--max-allowed-packet=1M"]) as running:
        yield running


def misbehave(server):
    """Each way once or more; what the books must gain."""
    clients.leave_without_quit(server, count=3)
    clients.idle_past_wait_timeout(server)
    clients.killed(server)
    clients.kill_query(server)
    clients.wrong_password(server, count=4)
    clients.unknown_database(server)
    clients.connect_and_leave(server, count=2)
    clients.garbage(server)
    clients.half_handshake(server)
    clients.oversized_packet(server)
    close(server.connect(*APP))
    with clients.Crowd(server):  # the last one is refused after its login: no line, and no counter of its own on MariaDB
        pass
    return {(CLIENTS, "client_vanished"): 3, (CLIENTS, "idle_timeout"): 1,
            (CLIENTS, "killed"): 1,  # no line at this level, but the server counts them
            (CLIENTS, "packet_too_large"): 1, (CONNECTS, "access_denied"): 4,
            (CONNECTS, None): 2,  # an unknown database, and the crowd's last: no line at any level
            (CONNECTS, "before_login"): 4, (PREAUTH, "before_login"): 4}


def test_the_ledger_closes_over_flush_and_restart(exporter, watched, figure):
    clients.leave_without_quit(watched, count=2)  # before we look: nobody's
    watching = exporter({**FAST, "targets": [target(watched, error_log={"file": watched.error_log})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
    ledger = Ledger(watching, watched)
    ledger.wait_for(misbehave(watched))

    watched.execute("FLUSH STATUS")
    watching.wait_for(lambda m: m.value("mysqlconn_ledger_steps_total", step="flush_status") == 1, 10)
    ledger.begin()
    clients.leave_without_quit(watched, count=2)
    clients.wrong_password(watched)
    ledger.wait_for({(CLIENTS, "client_vanished"): 2, (CONNECTS, "access_denied"): 1})

    watched.restart()
    watching.wait_for(lambda m: m.value("mysqlconn_ledger_steps_total", step="restart") == 1, 15)
    ledger.begin()
    clients.leave_without_quit(watched)
    clients.connect_and_leave(watched)
    ledger.wait_for({(CLIENTS, "client_vanished"): 1, (CONNECTS, "before_login"): 1, (PREAUTH, "before_login"): 1})
    figure(f"steps {ledger.steps()}, unmatched {ledger.unmatched()}")
    assert ledger.unmatched() == {}


def test_a_kill_is_told_where_the_level_is_high_and_kill_query_is_not_counted(exporter, watched):
    watched.restart([*watched.options, "--log-warnings=4"])
    watching = exporter({**FAST, "targets": [target(watched, error_log={"file": watched.error_log})]})
    ledger = Ledger(watching, watched)
    clients.killed(watched)
    clients.leave_without_quit(watched)
    ledger.wait_for({(CLIENTS, "killed"): 1, (CLIENTS, "client_vanished"): 1})
    ledger.begin()
    clients.kill_query(watched)
    clients.garbage(watched)  # two lines at this level
    ledger.wait_for({(CONNECTS, "before_login"): 1, (PREAUTH, "before_login"): 1})
    assert ledger.unmatched() == {}


@pytest.mark.parametrize("followed", [True, False], ids=["log", "no log"])
def test_our_own_aborts_are_ours_and_count_once(exporter, watched, followed):
    """With the log by their ids, without it by what we know of ourselves; of others' aborts beside them nothing is taken."""
    styles = ["none", "reset"]
    log = {"error_log": {"file": watched.error_log}} if followed else {}
    watching = exporter({**FAST, "modules": {style: {"close": style} for style in styles},
                         "probe": {"interval": "1500ms", "timeout": "1s", "modules": styles},
                         "targets": [target(watched, probe={"allow_close": styles}, **log)]})
    watching.wait_for(lambda m: m.sum("mysqlconn_ledger_begin_timestamp_seconds") > 0, 10)
    clients.leave_without_quit(watched, count=2)
    other = (lambda m: m.value("mysqlconn_aborts_total", counter=CLIENTS, cause="client_vanished")) if followed else (
        lambda m: m.value("mysqlconn_aborts_unexplained_total", counter=CLIENTS))
    page = watching.wait_for(lambda m: other(m) >= 2
                             and m.value("mysqlconn_aborts_total", counter=CLIENTS, cause="self") >= 6, 30)
    assert other(page) == 2
    assert page.value("mysqlconn_aborts_total", counter=CLIENTS, cause="self") <= page.sum("mysqlconn_self_aborts_total")

    # Logins of ours that are refused: the line names no connection, but the number in front of it does.
    refused = {"counter": CONNECTS, "cause": "self"}
    watched.execute(f"ALTER USER '{MONITOR[0]}'@'%' IDENTIFIED BY 'changed'")
    try:
        page = watching.wait_for(lambda m: m.value("mysqlconn_aborts_total", **refused) >= 2, 30)
    finally:
        watched.execute("ALTER USER %s@%s IDENTIFIED BY %s", (MONITOR[0], "%", MONITOR[1]))
    assert page.value("mysqlconn_aborts_total", **refused) <= page.sum("mysqlconn_self_aborts_total", operation="probe")
    assert page.value("mysqlconn_aborts_unexplained_total", counter=CONNECTS) == 0
    assert not page.samples("mysqlconn_aborts_total", cause="access_denied")


def test_another_server_under_the_same_address_is_a_step_and_no_rise(exporter):
    """What a failover does: a server answers that has long been up, with counters of its own. A restart is told from it."""
    first, second = {"Uptime": 1000, "Aborted_clients": 5}, {"Uptime": 900000, "Aborted_clients": 7000}
    anew = {"Uptime": 0, "Aborted_clients": 1}
    with Liar(lives_of(first, second, anew)) as liar:
        watching = exporter({"poll": {"interval": "200ms"}, "probe": {"interval": "1h"}, "targets": [target(liar)]})
        watching.wait_for(lambda m: m.value("mysqlconn_ledger_begin_timestamp_seconds"), 10)
        liar.heard.append("it fails over")
        metrics = watching.wait_for(lambda m: m.value("mysqlconn_ledger_steps_total", step="other_server") == 1, 10)
        assert metrics.value("mysqlconn_ledger_increase_total", counter=CLIENTS) == 0
        assert metrics.value("mysqlconn_server_restarts_total") == 0
        liar.heard.append("it is started anew")
        metrics = watching.wait_for(lambda m: m.value("mysqlconn_ledger_steps_total", step="restart") == 1, 10)
        assert metrics.value("mysqlconn_ledger_increase_total", counter=CLIENTS) == 1
        assert metrics.value("mysqlconn_server_restarts_total") == 1
        assert metrics.value("mysqlconn_ledger_steps_total", step="flush_status") == 0


def test_two_restarts_within_a_second_are_two(exporter):
    """Uptime counts whole seconds, and tells nothing here; but the connections' ids begin again."""
    lives = [{"Uptime": 1, "Aborted_clients": n, "connection_id": number} for n, number in ((5, 90), (3, 8), (4, 7))]
    with Liar(lives_of(*lives)) as liar:
        watching = exporter({"poll": {"interval": "200ms"}, "probe": {"interval": "1h"}, "targets": [target(liar)]})
        watching.wait_for(lambda m: m.value("mysqlconn_ledger_begin_timestamp_seconds"), 10)
        for restarts in (1, 2):
            liar.heard.append("it is started anew")
            metrics = watching.wait_for(lambda m: m.value("mysqlconn_ledger_steps_total", step="restart") == restarts, 10)
        assert metrics.value("mysqlconn_ledger_increase_total", counter=CLIENTS) == 3 + 4
        assert metrics.value("mysqlconn_ledger_steps_total", step="flush_status") == 0
