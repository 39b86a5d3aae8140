"""The events of a real MySQL: as of a MariaDB where the log tells, with the KILL that no line tells of; and at the default level, where
the log tells nothing, from the server's sums of errors, with user, host and cause."""

import itertools

import pytest

from lib import clients
from lib.ledger import Ledger
from lib.mysql import APP, MySQL, close
from scenario.test_events import seen_by_poll, test_who_vanished_is_known, vanish, watch  # noqa: F401
from scenario.test_sessions import granted

PLAIN = {"ssl_disabled": True}
OPTIONS = ["--connect-timeout=2", "--max-allowed-packet=1M"]
CLIENTS, CONNECTS = "Aborted_clients", "Aborted_connects"


@pytest.fixture(scope="module")
def watched():
    with MySQL([*OPTIONS, "--log-error-verbosity=3"]) as running:
        close(granted(running).connect(*APP))  # MySQL then knows the password, and takes it without TLS
        yield running


def misbehave(server, watching):
    """Each way once or more: {cause: how often}, as they are where the log tells."""
    clients.leave_without_quit(server, count=3, **PLAIN)
    clients.leave_without_quit(server, count=2)  # over TLS
    watching.wait_for_events(lambda events: counts(events) == {"client_vanished": 5})  # at the same time as a KILL it could be that
    clients.idle_past_wait_timeout(server, **PLAIN)
    clients.killed(server, **PLAIN)
    clients.kill_query(server)
    clients.wrong_password(server, count=4)
    clients.unknown_database(server)
    clients.connect_and_leave(server, count=2)
    clients.garbage(server)
    clients.half_handshake(server)
    clients.oversized_packet(server, **PLAIN)
    return {"client_vanished": 5, "idle_timeout": 1, "killed": 1, "packet_too_large": 1, "access_denied": 4, "unknown_database": 1,
            "health_check": 2, "protocol_error": 1, "handshake_timeout": 1}


def counts(events, **wanted):
    found = {}
    for e in events:
        if wanted.items() <= e.items():
            found[e["cause"]] = found.get(e["cause"], 0) + e["n"]
    return found


def in_ledger(causes):
    before = ("access_denied", "unknown_database", "health_check", "protocol_error", "handshake_timeout")
    return {(CONNECTS if cause in before else CLIENTS, cause): n for cause, n in causes.items()}


def test_kill_is_told_by_the_line_that_is_missing(exporter, watched):
    watching = watch(exporter, watched)
    ledger = Ledger(watching, watched)
    wanted = misbehave(watched, watching)
    ledger.wait_for(in_ledger(wanted))
    events = watching.wait_for_events(lambda events: counts(events) == wanted)
    killed, = [e for e in events if e["cause"] == "killed"]
    assert (killed["source"], killed["confidence"], killed["user"], killed["host"]) == ("error_summary", "certain", APP[0], "127.0.0.1")
    assert counts(events, source="error_summary") == {"killed": 1}
    before = ("health_check", "protocol_error", "handshake_timeout")  # lines that name nobody: the sums tell the host
    whose = {(e["cause"] in before, e["user"], e["host"]) for e in events if e["cause"] != "unknown_database"}
    assert whose == {(False, APP[0], "127.0.0.1"), (True, None, "127.0.0.1")}
    database, = [e for e in events if e["cause"] == "unknown_database"]
    assert (database["user"], database["host"], database["db"]) == ("root", "localhost", "nonesuch")
    assert all(e["connection_id"] for e in events if e["source"] == "error_log")


def test_a_refused_change_of_user_that_no_look_saw_is_in_the_books(exporter, watched):
    watching = watch(exporter, watched, sessions={"interval": "1h"})
    ledger = Ledger(watching, watched)
    number = clients.change_user_refused(watched, **PLAIN)
    clients.wrong_password(watched)
    ledger.wait_for({(CLIENTS, "access_denied"): 1, (CONNECTS, "access_denied"): 1})
    events = watching.wait_for_events(lambda events: counts(events) == {"access_denied": 2})
    assert {(e["connection_id"] == number, e["user"], *e["counters"]) for e in events} == {
        (True, "another", CLIENTS), (False, APP[0], CONNECTS)}
    assert ledger.unmatched() == {}


def test_at_the_default_level_sums_of_errors_tell(exporter, watched):
    watched.restart([*OPTIONS, "--log-error-verbosity=2"])
    close(watched.connect(*APP))
    watching = watch(exporter, watched)
    ledger = Ledger(watching, watched)
    wanted = misbehave(watched, watching)
    ledger.wait_for(in_ledger(wanted))
    events = watching.wait_for_events(lambda events: counts(events) == wanted)
    assert {e["source"] for e in events} == {"error_summary"}
    assert counts(events, confidence="certain", cause="client_vanished") == {"client_vanished": wanted["client_vanished"]}
    assert [(e["confidence"], e["possible"]) for e in events if e["cause"] == "killed"] == [
        ("likely", ["client_vanished", "killed"])], "it looks the same, but there was one KILL"
    assert {e["host"] for e in events if e["cause"] != "unknown_database"} == {"127.0.0.1"}, "also before the login"
    assert {e["user"] for e in events if e["host"] and e["cause"] in ("idle_timeout", "access_denied")} == {APP[0]}
    assert all(e["since"] <= e["seen"] and e["time"] is None for e in events)


def test_sums_have_the_driver_of_the_sessions_that_went(exporter, watched):
    watched.execute("SET GLOBAL log_error_verbosity = DEFAULT")
    watching = watch(exporter, watched)
    for aborts in itertools.count(3, 3):
        connections = [watched.connect(*APP, **PLAIN) for _ in range(3)]
        seen_by_poll(watching, watched, count=3)
        watching.wait_for(lambda m: m.sum("mysqlconn_sessions_by_driver", driver="pymysql") >= 3, 10)
        for connection in connections:
            vanish(connection)
        events = watching.wait_for_events(lambda events, n=aborts: sum(e["n"] for e in events) == n)
        assert {(e["cause"], e["source"]) for e in events} == {("client_vanished", "error_summary")}
        # One that was counted while it was still in the process list had not gone: its driver is not guessed.
        assert {e["driver"] for e in events} <= {"pymysql", None}
        said = [e["text"] for event in events for e in event["evidence"] if e["source"] == "sessions"]
        known = events[0]["driver"] and any(str(connections[0].thread_id()) in text for text in said)
        if known or aborts == 60:
            break
    assert known


def test_our_own_are_ours_without_a_line(exporter, watched):
    watched.execute("SET GLOBAL log_error_verbosity = DEFAULT")
    watching = watch(exporter, watched, modules={"none": {"close": "none"}}, probe={"interval": "300ms", "timeout": "300ms", "modules": ["none"], "allow_close": ["none"]})
    events = watching.wait_for_events(lambda events: sum(e["n"] for e in events) >= 3)
    assert counts(events) == counts(events, source="error_summary", cause="self", confidence="certain")
