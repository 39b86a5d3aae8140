"""What a poll sees beyond counters, on a real MariaDB: who is connected, for how long they have slept, who idles in a transaction, by
which driver; and what is not seen is said, not shown as zero."""

import pytest

from lib.exporter import target
from lib.mariadb import APP, MONITOR, MariaDB
from lib.server import close

POLLS = {"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "60s"}}


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


def missing(metrics):
    return {l["kind"]: l["reason"] for l, _ in metrics.samples("mysqlconn_evidence_missing_info")}


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
                                and seen(m, "by_driver", driver="pymysql") >= 3, 10)
    sleepers = seen(metrics, "by_command", command="Sleep")
    assert sleepers >= 3
    assert seen(metrics, "by_driver", driver="libmariadb") == 1, "our own"
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
    limits = {"users_per_target": 2, "sessions_per_target": 3, "drivers_per_target": 1}
    watching = exporter({**POLLS, "limits": limits, "targets": [target(watched)]})
    metrics = watching.wait_for(lambda m: seen(m, "by_user", user="other") > 0, 10)
    assert len(metrics.samples("mysqlconn_sessions_by_user")) == 3
    assert len(metrics.samples("mysqlconn_sessions_by_driver")) <= 2
    total = seen(metrics, "by_user")
    assert total == seen(metrics, "by_command") == seen(metrics, "by_driver") >= 6
    assert metrics.value("mysqlconn_sessions_folded", by="user") == seen(metrics, "by_user", user="other")
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
    asked = server.status("Com_select")
    polls = watching.scrape().value("mysqlconn_polls_total")
    after = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 5, 10).value("mysqlconn_polls_total")
    assert server.status("Com_select") - asked <= after - polls + 1, "one SELECT a poll, of the settings"
    server.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")
    kept, = server.threads_of(MONITOR[0])
    server.execute(f"KILL CONNECTION {kept}")
    metrics = watching.wait_for(lambda m: seen(m, "by_user", user=MONITOR[0]) == 1, 10)
    assert missing(metrics)["client_attributes"] == "disabled" and "sessions" not in missing(metrics)
