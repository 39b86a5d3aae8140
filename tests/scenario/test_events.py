"""Each abort of a real MariaDB is an event with all that is known of it: connection, user, host, database, driver, how long it had been
idle, whether in a transaction, cause, and the evidence of it; asked for one by one over the API."""

import datetime
import json
import urllib.error
import urllib.request

import pymysql
import pytest

from lib import clients
from lib.exporter import Exporter, target
from lib.mariadb import APP, MariaDB
from scenario.test_sessions import granted

FAST = {"poll": {"interval": "200ms", "timeout": "200ms"}, "sessions": {"interval": "200ms"}, "probe": {"interval": "60s"}}


@pytest.fixture(scope="module")
def watched():
    with MariaDB(["--performance-schema=ON", "--max-allowed-packet=1M"]) as running:
        yield granted(running)


def watch(exporter, server, modules=None, **settings):
    watching = exporter({**FAST, "modules": modules or {}, "targets": [target(server, error_log={"file": server.error_log}, get_server_public_key=True,
                                                    **settings)]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1 and m.sum("mysqlconn_ledger_begin_timestamp_seconds")
                      and m.sum("mysqlconn_sessions_by_user") > 0, 10)
    if server.name == "MariaDB":  # after the first line that names no zone the server is asked for its own
        clients.wrong_password(server, user="first")
        watching.wait_for(lambda m: m.value("mysqlconn_error_log_events_total", kind="access_denied") > 0, 10)
        polls = watching.scrape().value("mysqlconn_polls_total")
        watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 2, 10)
    return watching


def others(events):
    return [e for e in events if e["user"] != "first"]


def with_id(watching, identifier, timeout=10):
    found = watching.wait_for_events(lambda events: any(e["connection_id"] == identifier for e in events), timeout)
    event, = [e for e in found if e["connection_id"] == identifier]
    return event


def seen_by_poll(watching, server, user=APP[0], count=1):
    watching.wait_for(lambda m: m.sum("mysqlconn_sessions_by_user", user=user) == count, 10)


def vanish(connection):
    connection._sock.shutdown(2)
    connection._force_close()


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_who_vanished_is_known(exporter, watched):
    watching = watch(exporter, watched)
    connection = watched.connect(*APP, database="shop")
    connection.begin()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (1)")
    watching.wait_for(lambda m: m.value("mysqlconn_sessions_longest_idle_in_transaction_seconds") > 0.5, 10)
    before = datetime.datetime.now(datetime.timezone.utc)
    port = connection._sock.getsockname()[1]
    vanish(connection)
    event = with_id(watching, connection.thread_id())
    assert {k: event[k] for k in ("target", "n", "source", "kind", "cause", "confidence", "possible", "counters")} == {
        "target": "db1", "n": 1, "source": "error_log", "kind": "aborted", "cause": "client_vanished", "confidence": "certain",
        "possible": ["client_vanished"], "counters": ["Aborted_clients"]}
    assert (event["user"], event["host"], event["db"]) == (APP[0], "127.0.0.1", "shop")
    assert event["reason"] == "Got an error reading communication packets"
    assert (event["driver"], event["driver_version"]) == ("pymysql", pymysql.__version__)
    assert (event["command"], event["in_transaction"], event["port"]) == ("Sleep", True, port)
    assert 0.5 < event["idle_seconds"] < 300
    page = watching.scrape()
    assert page.sum("mysqlconn_aborted_sessions_idle_seconds_count", cause="client_vanished") == 1
    assert abs(page.sum("mysqlconn_aborted_sessions_idle_seconds_sum", cause="client_vanished") - event["idle_seconds"]) < 0.1
    assert abs((moment(event["time"]) - before).total_seconds()) < 300 and moment(event["seen"]) >= before
    sources = [e["source"] for e in event["evidence"]]
    assert sources[0] == "error_log" and "sessions" in sources
    assert all(e["text"] and e["time"] for e in event["evidence"])
    page = watching.get("/")
    assert "<bdi>client_vanished</bdi>" in page and ">certain</span>" in page and f"<bdi>{pymysql.__version__}</bdi>" in page


def test_each_cause_is_told_once(exporter, watched):
    watching = watch(exporter, watched)
    idle = clients.idle_past_wait_timeout(watched)
    large = clients.oversized_packet(watched)
    clients.wrong_password(watched)
    clients.connect_and_leave(watched)
    killed = clients.killed(watched)
    found = {e["cause"]: e for e in others(watching.wait_for_events(lambda events: len(events) >= 6))}
    assert set(found) == {"idle_timeout", "packet_too_large", "access_denied", "before_login", "killed"}
    assert found["idle_timeout"]["connection_id"] == idle and found["packet_too_large"]["connection_id"] == large
    assert {e["user"] for cause, e in found.items() if cause not in ("before_login", "killed")} == {APP[0]}
    assert {e["host"] for cause, e in found.items() if cause != "killed"} == {"127.0.0.1"}
    assert found["idle_timeout"]["confidence"] == "likely" 
    assert any(e["source"] == "settings" and "wait_timeout" in e["text"] for e in found["idle_timeout"]["evidence"])
    before = found["before_login"]
    assert before["confidence"] == "unknown" and {"health_check", "tls_failure"} < set(before["possible"])
    assert "handshake_timeout" not in before["possible"], "it was not there a look before"
    assert before["user"] is None and before["counters"] == ["Aborted_connects", "Aborted_connects_preauth"]
    counter = found["killed"]  # which leaves no line, only the counters' rise: of the aborts, and of the KILLs
    assert counter["confidence"] == "likely"
    assert (counter["source"], counter["n"], counter["counters"], counter["connection_id"]) == ("counter", 1, ["Aborted_clients"], 0)
    assert killed not in [e["connection_id"] for e in watching.events()]
    assert len(watching.events()) == 6


def test_filters_and_pages(exporter, watched):
    watching = watch(exporter, watched)
    ids = clients.leave_without_quit(watched, count=7)
    clients.wrong_password(watched, user="nobody", count=2)
    events = watching.wait_for_events(lambda e: len(e) == 10)
    assert [e["id"] for e in events] == sorted((e["id"] for e in events), reverse=True)
    assert [e["connection_id"] for e in watching.events(cause="client_vanished")] == ids[::-1]
    assert len(watching.events(user="nobody")) == 2 and not watching.events(user="nobod")
    assert not watching.events(user="") and len(watching.events(host="127.0.0.1", target="db1")) == 10
    middle = events[4]["time"]
    after, until = watching.events(since=middle), watching.events(until=middle)
    assert {e["id"] for e in after} | {e["id"] for e in until} == {e["id"] for e in events}
    assert all(moment(e["time"] or e["seen"]) >= moment(middle) for e in after)
    assert all(moment(e["time"] or e["seen"]) <= moment(middle) for e in until)
    assert not watching.events(since="4000000000") and len(watching.events(since=0, until=4e9)) == 10

    paged, cursor = [], {}
    for size in (4, 4, 2):
        page = watching.api("events", limit=4, **cursor)
        assert len(page["events"]) == size
        paged += page["events"]
        cursor = {"cursor": page["next_cursor"]}
    assert cursor == {"cursor": None} and paged == events


@pytest.fixture(scope="module")
def idle(program):
    with Exporter(program, {**FAST, "targets": [target("127.0.0.1:1")]}) as running:
        yield running


@pytest.mark.parametrize("query, named", [
    ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("limit=", "limit"), ("cause=nonsense", "cause"),
    ("since=yesterday", "since"), ("since=2026-11-21T06:00:00", "since"), ("until=1e300", "until"), ("cursor=-1", "cursor"),
    ("target=db9", "target"), ("colour=red", "colour"), ("limit=1&limit=2", "limit"), ("%FF%22%0A=1", "\ufffd\"\n"),
])
def test_wrong_parameters_are_named(idle, query, named):
    with pytest.raises(urllib.error.HTTPError) as raised:
        idle.get(f"/api/v1/events?{query}")
    answer = json.loads(raised.value.read())
    assert raised.value.code == 400 and raised.value.headers["Content-Type"] == "application/json"
    assert (answer["status"], answer["errorType"]) == ("error", "bad_data") and f"parameter '{named}'" in answer["error"]


def test_targets_and_ledger(exporter, watched):
    watching = watch(exporter, watched)
    clients.leave_without_quit(watched, count=3)
    metrics = watching.wait_for(lambda m: m.sum("mysqlconn_aborts_total", cause="client_vanished") == 3, 10)
    book, = watching.api("ledger", target="db1")["ledger"]
    counter, = [c for c in book["counters"] if c["counter"] == "Aborted_clients"]
    assert (counter["increase"], counter["explained"], counter["pending"]) == (3, {"client_vanished": 3}, 0)
    assert counter["increase"] == metrics.value("mysqlconn_ledger_increase_total", counter="Aborted_clients")
    assert moment(book["began"]) and book["steps"] == {"flush_status": 0, "restart": 0, "other_server": 0, "gap": 0}
    told, = watching.api("targets")["targets"]
    assert (told["poll"]["health"], told["server"]["flavour"], told["error_log"]["readable"]) == ("up", "MariaDB", True)
    assert told["server"]["settings"]["wait_timeout"] == 28800 and told["error_log"]["level_tells_aborts"] is True
    assert told["poll"]["age_seconds"] < 300 and told["sessions"]["sessions"] >= 1 and told["evidence"]["sessions"] == "seen"
    assert told["events"]["kept"] == len(watching.events())
    request = urllib.request.Request(watching.url + "/api/v1/events", method="HEAD")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200 and answer.headers["Content-Type"] == "application/json" and answer.read() == b""


def test_clients_have_their_series(exporter, watched):
    watching = watch(exporter, watched)
    connections = [watched.connect(*APP) for _ in range(2)]
    seen_by_poll(watching, watched, count=2)
    watching.wait_for(lambda m: m.sum("mysqlconn_sessions_by_driver", driver="pymysql") >= 2, 10)
    for connection in connections:
        vanish(connection)
    clients.wrong_password(watched, count=3)
    series = "mysqlconn_client_aborts_total"
    metrics = watching.wait_for(lambda m: m.sum(series, user=APP[0]) == 5, 10)
    assert metrics.value(series, user=APP[0], host="127.0.0.1", driver="pymysql", cause="client_vanished") == 2
    assert metrics.value(series, user=APP[0], host="127.0.0.1", driver="unknown", cause="access_denied") == 3
    assert metrics.value("mysqlconn_abort_events_total", cause="client_vanished", confidence="certain") == 2
    assert metrics.value("mysqlconn_client_aborts_folded_total") == 0


def test_who_is_killed_by_a_shutdown_is_not_killed_by_a_client(exporter):
    """Which MariaDB tells in the same words; and so it is in its next life."""
    with MariaDB(["--performance-schema=ON", "--log-warnings=4"]) as server:
        granted(server)
        watching = watch(exporter, server)
        for life, how in enumerate(["SIGTERM", "SHUTDOWN"]):
            newest = watching.events()[0]["id"]
            alive, killed = [server.connect(*APP) for _ in range(2)], server.connect(*APP)
            seen_by_poll(watching, server, count=3)
            server.execute("KILL %s", [killed.thread_id()])
            events = watching.wait_for_events(lambda events, new=newest: [e for e in events if e["id"] > new])
            assert (events[0]["connection_id"], events[0]["cause"]) == (killed.thread_id(), "killed")
            newest = events[0]["id"]
            if how == "SHUTDOWN":
                server.execute("SHUTDOWN")
            server.stop()
            ids = {connection.thread_id() for connection in alive}
            events = watching.wait_for_events(lambda events, new=newest: len([e for e in events if e["id"] > new and e["user"] == APP[0]]) == 2)
            events = [e for e in events if e["id"] > newest and e["user"] == APP[0]]
            assert {e["connection_id"] for e in events} == ids
            assert {(e["cause"], e["confidence"], e["driver"]) for e in events} == {("server_restart", "certain", "pymysql")}
            assert all("the server was shutting down" in [said["text"] for said in e["evidence"]] for e in events)
            for connection in [*alive, killed]:
                connection._force_close()
            server.start()
            watching.wait_for(lambda m, n=life + 1: m.value("mysqlconn_error_log_events_total", kind="server_start") == n, 20)


def test_ten_thousand_events_from_five_thousand_hosts_stay_within_bounds(exporter, tmp_path, figure, sanitized):
    log = tmp_path / "error.log"
    log.write_text("")
    limits = {"clients_per_target": 50, "events_per_target": 300, "users_per_target": 20}
    watching = exporter({**FAST, "limits": limits, "targets": [target("127.0.0.1:1", error_log={"file": str(log)})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
    resident = watching.scrape().value("process_resident_memory_bytes")
    with open(log, "a", encoding="utf-8") as f:
        for i in range(10000):
            user, db = ("app", "shop") if i % 10 == 0 else (f"u{i % 777}", "unconnected")
            host = "10.0.0.1" if i % 10 == 0 else f"10.1.{i % 5000 // 250}.{i % 250}"
            f.write(f"2026-11-21T10:00:00.{i:06}Z {i + 1} [Warning] Aborted connection {i + 1} to db: '{db}' user: '{user}' host: "
                    f"'{host}' (Got an error reading communication packets)\n")
    metrics = watching.wait_for(lambda m: m.sum("mysqlconn_abort_events_total") == 10000, 20)
    assert metrics.sum("mysqlconn_client_aborts_total") == 10000
    assert metrics.value("mysqlconn_client_aborts_total", user="app", host="10.0.0.1", cause="client_vanished") == 1000
    assert metrics.value("mysqlconn_client_aborts_clients") <= 50
    assert len(metrics.samples("mysqlconn_client_aborts_total")) <= 51
    assert metrics.value("mysqlconn_client_aborts_folded_total") == metrics.value("mysqlconn_client_aborts_total", user="other")
    events = watching.events()
    assert len(events) == 300 and events[0]["connection_id"] == 10000 and events[-1]["connection_id"] == 9701
    assert metrics.value("mysqlconn_abort_events_dropped_total") == 9700
    grown = watching.scrape().value("process_resident_memory_bytes") - resident
    longest = watching.scrape().value("mysqlconn_exporter_loop_longest_step_seconds")
    figure(f"{grown / 1024:.0f} KiB more, longest step {longest * 1000:.1f} ms")
    assert sanitized or grown < 4 << 20
