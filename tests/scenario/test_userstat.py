"""What a server with userstat on keeps of users and hosts comes under mysqld_exporter's names, within bounds; to look harms nothing,
whatever the account may, and what is not seen is said."""

import pytest

from lib.exporter import target
from lib.mariadb import APP, MONITOR, MariaDB
from lib.server import close
from scenario.test_sessions import refusals

POLLS = {"poll": {"interval": "100ms", "timeout": "100ms"}, "userstat": {"interval": "10ms"}, "probe": {"interval": "60s"}}
USER = "mysql_info_schema_user_statistics_"
CLIENT = "mysql_info_schema_client_statistics_"
READ = "mysqlconn_userstat_last_success_timestamp_seconds"


def grant(server):
    server.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")


@pytest.fixture(scope="module")
def counting():
    with MariaDB(["--userstat=ON"]) as running:
        yield running


def why_not_seen(metrics):
    return [labels["reason"] for labels, _ in metrics.samples("mysqlconn_evidence_missing_info", kind="userstat")]


def statistics(metrics):
    return {name for name in metrics.names() if name.startswith((USER, CLIENT))}


def test_without_the_privilege_nothing_is_asked(exporter, counting):
    counting.execute(f"REVOKE PROCESS ON *.* FROM '{MONITOR[0]}'@'%'")
    before = refusals(counting)
    watching = exporter({**POLLS, "targets": [target(counting)]})
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 5, 10)
    assert why_not_seen(metrics) == ["no_privilege"] and not statistics(metrics)
    assert refusals(counting) == before


def test_users_and_clients(exporter, counting):
    grant(counting)
    before = refusals(counting)
    watching = exporter({**POLLS, "targets": [target(counting)]})
    start = watching.wait_for(lambda m: m.value(USER + "total_connections", user=MONITOR[0]) >= 1, 10)
    for _ in range(3):
        close(counting.connect(*APP))
    kept = counting.connect(*APP)
    with kept.cursor() as cursor:
        cursor.execute("SELECT 1")
    been = start.sum(USER + "total_connections", user=APP[0])
    metrics = watching.wait_for(lambda m: m.value(USER + "total_connections", user=APP[0]) == been + 4
                                and m.sum(USER + "select_commands_total", user=APP[0]) > 0, 10)
    assert metrics.value(CLIENT + "total_connections", client="127.0.0.1") >= 4
    assert metrics.value(USER + "concurrent_connections", user=APP[0]) >= 1
    assert metrics.value("mysqlconn_userstat_left_out", by="user") == metrics.value("mysqlconn_userstat_left_out", by="client") == 0
    assert metrics.value("mysqlconn_evidence_available", kind="userstat") == 1
    assert metrics.types[USER + "lost_connections_total"] == "counter"
    assert metrics.types[USER + "concurrent_connections"] == "gauge"
    close(kept)
    assert refusals(counting) == before


def test_series_are_bounded_by_the_limits(exporter, counting):
    grant(counting)
    for i in range(6):
        counting.execute(f"CREATE USER IF NOT EXISTS 'many{i}'@'%'")
        for _ in range(10 + i):
            close(counting.connect(f"many{i}", ""))
    watching = exporter({**POLLS, "limits": {"users_per_target": 3}, "targets": [target(counting)]})
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_userstat_left_out", by="user") >= 3, 10)
    users = {l["user"] for l, _ in metrics.samples(USER + "bytes_sent_total")}
    assert len(users) == 3 and "many5" in users and "many0" not in users, "those with the most connections"
    server_has = counting.execute("SELECT COUNT(*) FROM information_schema.USER_STATISTICS")[0][0]
    assert metrics.value("mysqlconn_userstat_left_out", by="user") == server_has - 3


def test_it_follows_the_servers_setting_and_ours(exporter, counting):
    grant(counting)
    watching = exporter({**POLLS, "targets": [target(counting)]})
    watching.wait_for(lambda m: m.value(READ) > 0, 10)
    counting.execute("SET GLOBAL userstat = OFF")
    try:
        metrics = watching.wait_for(lambda m: why_not_seen(m) == ["disabled"], 10)
        assert not statistics(metrics) and READ not in metrics.names()
    finally:
        counting.execute("SET GLOBAL userstat = ON")
    watching.wait_for(lambda m: m.value(READ) > 0 and statistics(m), 10)
    never = exporter({**POLLS, "userstat": {"interval": "0s"}, "targets": [target(counting)]})
    metrics = never.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 3, 10)
    assert why_not_seen(metrics) == ["disabled"] and not statistics(metrics)
