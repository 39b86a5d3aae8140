"""Clients of a MySQL misbehave in a dozen ways: with the log at level 3 each rise of a counter has its cause, but for what no level
tells; at the default level nothing is guessed, and the books still close to the last unit, over FLUSH STATUS and a restart."""

from lib import clients
from lib.exporter import target
from lib.ledger import Ledger
from lib.mysql import APP, close

FAST = {"poll": {"interval": "1s"}, "probe": {"interval": "1h"}}
CLIENTS, CONNECTS, FULL = "Aborted_clients", "Aborted_connects", "Connection_errors_max_connections"
PLAIN = {"ssl_disabled": True}
OPTIONS = ["--connect-timeout=2", "--max-connections=12", "--max-allowed-packet=1M"]


def misbehave(server):
    """Each way once or more; what the books must gain when the log tells."""
    close(server.connect(*APP))  # MySQL then knows the password, and takes it without TLS
    clients.leave_without_quit(server, count=3, **PLAIN)
    clients.idle_past_wait_timeout(server, **PLAIN)
    clients.killed(server, **PLAIN)
    clients.kill_query(server)
    clients.wrong_password(server, count=4)
    clients.unknown_database(server)
    clients.connect_and_leave(server, count=2)
    clients.garbage(server)
    clients.half_handshake(server)
    clients.oversized_packet(server, **PLAIN)
    return {(CLIENTS, "client_vanished"): 3, (CLIENTS, "idle_timeout"): 1, (CLIENTS, "killed"): 1,  # no line at any level
            (CLIENTS, "packet_too_large"): 1, (CONNECTS, "access_denied"): 4, (CONNECTS, "unknown_database"): 1,
            (CONNECTS, "health_check"): 2, (CONNECTS, "protocol_error"): 1, (CONNECTS, "handshake_timeout"): 1}


def test_the_ledger_closes_at_both_levels(exporter, server, figure):
    server.restart([*OPTIONS, "--log-error-verbosity=3"])
    watching = exporter({**FAST, "targets": [target(server, get_server_public_key=True, error_log={"file": server.error_log})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
    ledger = Ledger(watching, server)
    ledger.wait_for(misbehave(server))

    ledger.begin()
    with clients.Crowd(server):  # the last one is refused after its login, and counted twice
        pass
    ledger.wait_for({(CONNECTS, "too_many_connections"): 1, (FULL, "too_many_connections"): 1})

    before = server.status(CONNECTS)
    server.execute("FLUSH STATUS")
    watching.wait_for(lambda m: m.value("mysqlconn_ledger_steps_total", step="flush_status") == 1, 10)
    assert server.status(CLIENTS, CONNECTS) == {CLIENTS: 0, CONNECTS: before}
    ledger.begin()
    clients.leave_without_quit(server, count=2, **PLAIN)
    clients.wrong_password(server)
    ledger.wait_for({(CLIENTS, "client_vanished"): 2, (CONNECTS, "access_denied"): 1})

    server.restart([*OPTIONS, "--log-error-verbosity=2"])
    watching.wait_for(lambda m: m.value("mysqlconn_ledger_steps_total", step="restart") == 1, 15)
    ledger.begin()
    sums = {}
    for (counter, _), n in misbehave(server).items():
        sums[(counter, None)] = sums.get((counter, None), 0) + n
    ledger.wait_for(sums)
    figure(f"steps {ledger.steps()}, unmatched {ledger.unmatched()}")
    assert ledger.unmatched() == {}
