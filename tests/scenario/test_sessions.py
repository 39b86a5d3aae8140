"""What a poll sees beyond counters, on a real MariaDB: who is connected, for how long they have slept, who idles in a transaction, by
which driver; and what is not seen is said, not shown as zero. To look harms nothing, whatever the account may."""

import pytest

from fake.liar import Liar, hangs_at, leaves_every_other_time
from lib.exporter import target
from lib.mariadb import APP, MONITOR, MariaDB
from lib.process import wait_until
from lib.server import close

# One probe at the start, and none beside the polls after it.
POLLS = {"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "1h"}}
ABORT_SAID = "the server will count an aborted connection of ours"


def granted(server):
    server.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")
    if server.name == "MySQL":
        for table in ("session_connect_attrs", "events_errors_summary_global_by_error",
                      "events_errors_summary_by_account_by_error", "accounts"):
            server.execute(f"GRANT SELECT ON performance_schema.{table} TO '{MONITOR[0]}'@'%'")
    else:
        server.execute(f"GRANT SELECT ON performance_schema.session_connect_attrs TO '{MONITOR[0]}'@'%'")
    server.execute("CREATE DATABASE shop")
    server.execute("CREATE TABLE shop.t (a INT) ENGINE=InnoDB")
    server.execute(f"GRANT ALL ON shop.* TO '{APP[0]}'@'%'")
    return server


@pytest.fixture(scope="module")
def watched():
    with MariaDB(["--performance-schema=ON"]) as running:
        yield granted(running)


def refusals(server):
    """How often a query was refused, as the server counts it."""
    if server.name == "MySQL":
        return int(server.execute("SELECT SUM(SUM_ERROR_RAISED) FROM performance_schema.events_errors_summary_global_by_error "
                                  "WHERE ERROR_NUMBER IN (1044, 1142, 1143, 1227)")[0][0])
    return server.status("Access_denied_errors")


def missing(metrics):
    """By kind, without the host cache and userstat, which these servers do not have: they have tests of their own."""
    return {l["kind"]: l["reason"] for l, _ in metrics.samples("mysqlconn_evidence_missing_info")
            if l["kind"] not in ("host_cache", "userstat")}


def seen(metrics, what, **labels):
    return metrics.sum(f"mysqlconn_sessions_{what}", **labels)


def test_sessions_are_summed(exporter, watched):
    watching = exporter({**POLLS, "targets": [target(watched)]})
    watching.wait_for(lambda m: seen(m, "by_user", user=MONITOR[0]) == 1 and seen(m, "by_user", user=APP[0]) == 0, 10)
    connections = [watched.connect(*APP, database="shop") for _ in range(3)]
    connections[0].begin()
    with connections[0].cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (1)")
    metrics = watching.wait_for(lambda m: seen(m, "by_user", user=APP[0]) == 3 and seen(m, "idle_in_transaction") == 1
                                and seen(m, "by_driver", driver="pymysql") >= 3
                                and seen(m, "by_driver", driver="libmariadb") == 1, 10)  # our own
    sleepers = seen(metrics, "by_command", command="Sleep")
    assert sleepers >= 3
    assert metrics.value("mysqlconn_sleeping_sessions_seconds_bucket", le="+Inf") == sleepers
    assert metrics.value("mysqlconn_sleeping_sessions_seconds_count") == sleepers
    assert metrics.types["mysqlconn_sleeping_sessions_seconds"] == "histogram"
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_sessions_longest_idle_in_transaction_seconds") > 0.5, 10)
    remembered = metrics.value("mysqlconn_sessions_remembered")
    for connection in connections:
        close(connection)
    metrics = watching.wait_for(lambda m: seen(m, "by_user", user=APP[0]) == 0, 10)
    assert seen(metrics, "idle_in_transaction") == 0
    assert metrics.value("mysqlconn_sessions_longest_idle_in_transaction_seconds") == 0
    assert metrics.value("mysqlconn_sessions_remembered") >= remembered, "those that went"
    assert metrics.value("mysqlconn_sessions_not_remembered") == 0
    assert not metrics.samples("mysqlconn_privilege_missing")
    assert metrics.value("mysqlconn_poll_connects_total") == 1


def test_mysqld_exporters_names(exporter, watched):
    """Its names, its labels, and the connection that asks left out."""
    watching = exporter({**POLLS, "targets": [target(watched)]})
    connections = [watched.connect(*APP) for _ in range(3)]
    prefix = "mysql_info_schema_"
    metrics = watching.wait_for(lambda m: m.sum(prefix + "processlist_processes_by_user", mysql_user=APP[0]) == 3
                                and not m.samples(prefix + "processlist_processes_by_user", mysql_user=MONITOR[0]), 10)
    assert metrics.value(prefix + "processlist_processes_by_host", client_host="127.0.0.1") == 3
    sleepers = metrics.value(prefix + "processlist_threads", command="sleep", state="unknown")
    assert sleepers == metrics.value(prefix + "threads", state="idle") >= 3
    total = metrics.sum(prefix + "processlist_threads")
    assert total == metrics.sum(prefix + "threads") == metrics.sum(prefix + "processlist_processes_by_host") \
        == metrics.sum(prefix + "processlist_processes_by_user") == seen(metrics, "by_user") - 1
    watching.wait_for(lambda m: m.sum(prefix + "processlist_seconds", command="sleep", state="unknown") >= 3, 10)
    for connection in connections:
        close(connection)


def test_at_an_interval_of_its_own(exporter, watched):
    watching = exporter({**POLLS, "sessions": {"interval": "1h"}, "targets": [target(watched)]})
    first = watching.wait_for(lambda m: m.samples("mysqlconn_sessions_read_timestamp_seconds"), 10)
    polls = watching.scrape().value("mysqlconn_polls_total")
    later = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 5, 10)
    name = "mysqlconn_sessions_read_timestamp_seconds"
    assert later.value(name) == first.value(name)


def test_an_account_that_may_nothing_is_never_refused(exporter, watched):
    """What it may is found out without trying: refusals are counted, and may be logged or audited."""
    before, log = refusals(watched), watched.error_text()
    watching = exporter({**POLLS, "targets": [target(watched, user=APP[0], password=APP[1])]})
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 3, 10)
    watching.stop()
    assert set(missing(metrics).values()) <= {"no_privilege", "unsupported"} and "sessions" in missing(metrics)
    assert refusals(watched) == before
    assert watched.error_text() == log


def test_what_a_role_may_is_ours(exporter, watched):
    user = "'by_role'@'%'"
    for sql in ("CREATE ROLE watching", "GRANT PROCESS ON *.* TO watching", f"CREATE USER {user} IDENTIFIED BY 'x'",
                "GRANT SELECT ON performance_schema.* TO watching", f"GRANT watching TO {user}",
                f"SET DEFAULT ROLE watching {'TO' if watched.name == 'MySQL' else 'FOR'} {user}"):
        watched.execute(sql)
    before = refusals(watched)
    watching = exporter({**POLLS, "targets": [target(watched, user="by_role", password="x")]})
    metrics = watching.wait_for(lambda m: seen(m, "by_user", user="by_role") == 1, 10)
    assert set(missing(metrics).values()) <= {"unsupported"}
    assert refusals(watched) == before


def test_near_and_past_wait_timeout(exporter, watched):
    connection = watched.connect(*APP)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = 1000")
    watched.execute("SET GLOBAL wait_timeout = 1")
    try:
        watching = exporter({**POLLS, "targets": [target(watched)]})
        watching.wait_for(lambda m: seen(m, "past_wait_timeout") >= 1, 10)
    finally:
        watched.execute("SET GLOBAL wait_timeout = DEFAULT")
        close(connection)


def test_labels_and_memory_are_bounded(exporter, watched):
    for i in range(4):
        watched.execute(f"CREATE USER IF NOT EXISTS 'user{i}'@'%' IDENTIFIED BY 'x'")
    connections = [watched.connect(f"user{i}", "x") for i in range(4)]
    limits = {"users_per_target": 2, "hosts_per_target": 1, "sessions_per_target": 3, "drivers_per_target": 1}
    watching = exporter({**POLLS, "limits": limits, "targets": [target(watched)]})
    metrics = watching.wait_for(lambda m: seen(m, "by_user", user="other") > 0, 10)
    assert len(metrics.samples("mysqlconn_sessions_by_user")) == 3
    assert len(metrics.samples("mysqlconn_sessions_by_driver")) <= 2
    total = seen(metrics, "by_user")
    assert total == seen(metrics, "by_command") == seen(metrics, "by_driver") >= 6
    assert metrics.value("mysqlconn_sessions_folded", by="user") == seen(metrics, "by_user", user="other")
    assert len(metrics.samples("mysql_info_schema_processlist_processes_by_host")) <= 2
    assert metrics.sum("mysql_info_schema_processlist_processes_by_user") == total - 1
    assert metrics.value("mysqlconn_sessions_remembered") == 3
    assert metrics.value("mysqlconn_sessions_not_remembered") == total - 3
    for connection in connections:
        close(connection)


def test_without_privileges_nothing_is_zero_but_missing(exporter, server):
    """This server's account may only log in, and its performance schema is off."""
    watching = exporter({**POLLS, "targets": [target(server)]})
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 3, 10)
    assert missing(metrics) == {"sessions": "no_privilege", "transactions": "no_privilege", "client_attributes": "disabled",
                                "error_summary": "unsupported", "error_summary_by_account": "unsupported"}
    assert [l["privilege"] for l, _ in metrics.samples("mysqlconn_privilege_missing")] == ["PROCESS"]
    assert metrics.sum("mysqlconn_evidence_available") == 0
    assert not [name for name in metrics.names() if "sessions" in name]
    # It is not asked for again on this connection, and the next one finds it granted.
    polls = watching.scrape().value("mysqlconn_polls_total")
    asked = server.status("Com_select")
    watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 5, 10)
    asked = server.status("Com_select") - asked
    polls = watching.scrape().value("mysqlconn_polls_total") - polls
    assert asked <= polls + 1, "one SELECT a poll, of the settings, and that of the one that was under way"
    server.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")
    kept = server.kept_thread_of(MONITOR[0])
    server.execute(f"KILL CONNECTION {kept}")
    metrics = watching.wait_for(lambda m: seen(m, "by_user", user=MONITOR[0]) == 1, 10)
    assert missing(metrics)["client_attributes"] == "disabled" and "sessions" not in missing(metrics)


def test_a_look_that_takes_too_long_is_owned_and_not_soon_repeated(exporter):
    """A server that answers all but the process list: what we give up there is counted as our doing, and each time would cost
    one more."""
    with Liar(hangs_at(b"PROCESSLIST")) as liar:
        watching = exporter({**POLLS, "targets": [target(liar, probe={"interval": "60s", "grace": "0s"})]})
        metrics = watching.wait_for(lambda m: m.value("mysqlconn_self_aborts_total", operation="poll") >= 1, 10)
        polls = metrics.value("mysqlconn_polls_total")
        metrics = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 5 and m.value("mysql_up") == 1
                                    and missing(m)["sessions"] == "failed", 10)
        assert len(liar.heard) == 1
        # On a busy machine other polls may be late, too: without grace each of them is one more.
        connects, aborts = metrics.value("mysqlconn_poll_connects_total"), metrics.value("mysqlconn_self_aborts_total", operation="poll")
        late = metrics.sum("mysqlconn_poll_failures_total", reason="timeout")
        assert connects <= aborts + 1 and aborts <= late + 1


def test_a_look_that_our_end_cuts_short_is_owned(exporter):
    with Liar(hangs_at(b"PROCESSLIST")) as liar:
        watching = exporter({**POLLS, "targets": [target(liar, probe={"interval": "60s", "grace": "60s"})]})
        wait_until(lambda: liar.heard, 10, "the look hangs")
        watching.stop()
    assert [line["operation"] for line in watching.log() if line["msg"] == ABORT_SAID] == ["poll"]


def test_a_look_that_the_server_cuts_short_sees_nobody_go(exporter):
    """The connection is lost before the process list was asked for: who was there is there still, as far as anybody knows."""
    columns = ["Id", "User", "Host", "db", "Command", "Time", "State", "Info"]
    rows = [(100 + i, "app", f"10.0.0.7:{40000 + i}", "shop", "Sleep", 5, "", "") for i in range(3)]
    with Liar(leaves_every_other_time(b"INNODB_TRX", b"SHOW PROCESSLIST", columns, rows)) as liar:
        watching = exporter({**POLLS, "targets": [target(liar)]})
        watching.wait_for(lambda m: seen(m, "by_user", user="app") == 3, 10)

        def nobody_goes():
            metrics = watching.scrape()
            assert seen(metrics, "by_user", user="app") in (3, 0 if missing(metrics).get("sessions") else 3)
            return len(liar.heard) >= 12
        wait_until(nobody_goes, 20, "twelve looks")
