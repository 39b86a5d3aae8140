"""What a server with userstat on keeps of users and hosts comes under mysqld_exporter's names, within bounds; to look harms nothing,
whatever the account may, and what is not seen is said."""

import pytest

from fake.liar import COM_QUIT, Liar
from lib.exporter import Metrics, target
from lib.mariadb import APP, MONITOR, MariaDB
from lib.server import close
from scenario.test_sessions import refusals

POLLS = {"poll": {"interval": "100ms", "timeout": "100ms"}, "userstat": {"interval": "10ms"}, "probe": {"interval": "1h"}}
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

    def kept_by_server():
        return counting.execute("SELECT COUNT(*) FROM information_schema.USER_STATISTICS")[0][0]
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_userstat_left_out", by="user") == kept_by_server() - 3 >= 3, 10)
    users = {l["user"] for l, _ in metrics.samples(USER + "bytes_sent_total")}
    assert len(users) == 3 and "many5" in users and "many0" not in users, "those with the most connections"


def test_it_follows_the_servers_setting_and_ours(exporter, counting):
    grant(counting)
    watching = exporter({**POLLS, "targets": [target(counting)]})
    watching.wait_for(lambda m: m.value(READ) > 0, 10)
    counting.execute("SET GLOBAL userstat = OFF")
    try:
        metrics = watching.wait_for(lambda m: why_not_seen(m) == ["disabled"], 10)
        assert not statistics(metrics)
    finally:
        counting.execute("SET GLOBAL userstat = ON")
    watching.wait_for(lambda m: m.value(READ) > 0 and statistics(m), 10)
    never = exporter({**POLLS, "userstat": {"interval": "0s"}, "targets": [target(counting)]})
    metrics = never.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 3, 10)
    assert why_not_seen(metrics) == ["disabled"] and not statistics(metrics)


# Percona Server's; it has neither ROWS_READ nor ROWS_SENT.
PERCONA = ("TOTAL_CONNECTIONS", "CONCURRENT_CONNECTIONS", "CONNECTED_TIME", "BUSY_TIME", "CPU_TIME", "BYTES_RECEIVED", "BYTES_SENT",
           "BINLOG_BYTES_WRITTEN", "ROWS_FETCHED", "ROWS_UPDATED", "TABLE_ROWS_READ", "SELECT_COMMANDS", "UPDATE_COMMANDS",
           "OTHER_COMMANDS", "COMMIT_TRANSACTIONS", "ROLLBACK_TRANSACTIONS", "DENIED_CONNECTIONS", "LOST_CONNECTIONS", "ACCESS_DENIED",
           "EMPTY_QUERIES", "TOTAL_SSL_CONNECTIONS")


def keeps(rows):
    """A server with Percona's columns and these rows."""
    async def script(peer):
        await peer.log_in()
        while (command := await peer.receive())[:1] != bytes([COM_QUIT]):
            if b"SHOW GLOBAL VARIABLES" in command:
                await peer.rows(["Variable_name", "Value"], [("userstat", "ON"), ("wait_timeout", "28800")])
            elif b"information_schema.COLUMNS" in command and b"USER_STATISTICS" in command:
                await peer.rows(["TABLE_NAME", "COLUMN_NAME"], [(f"{of}_STATISTICS", name) for of in ("USER", "CLIENT")
                                                                for name in (of, *PERCONA)])
            elif b"_STATISTICS" in command:
                peer.heard.append(command)
                await peer.rows(["USER", *PERCONA], rows)
            else:
                await peer.answer(command)
    return script


def test_perconas_columns_and_rows_that_lie(exporter):
    rows = [("app", *range(100, 100 + len(PERCONA))), ("app", *["7"] * len(PERCONA)), ("quo\"te\n\\", *["x", "-1", "1e999", "inf", "nan", ""] + ["3"] * 15),
            ("ö" * 120, *["5"] * len(PERCONA)), ("", *["1"] * len(PERCONA))]
    with Liar(keeps(rows)) as liar:
        watching = exporter({**POLLS, "targets": [target(liar)]})
        metrics = watching.wait_for(lambda m: m.samples(USER + "rows_fetched_total"), 10)
        assert metrics.value(USER + "total_connections", user="app") == 100, "the first of two rows of one name"
        assert metrics.value(USER + "rows_fetched_total", user="app") == 108
        assert metrics.value(CLIENT + "total_ssl_connections_total", client="app") == 120
        assert {l["user"] for l, _ in metrics.samples(USER + "rows_updated_total")} == {"app", "quo\"te\n\\", "ö" * 120, ""}
        assert not metrics.samples(USER + "total_connections", user="quo\"te\n\\"), "what is no number has no sample"
        assert not metrics.samples(USER + "rows_read_total") and not metrics.samples(USER + "max_statement_time_exceeded")
        assert metrics.value("mysqlconn_userstat_left_out", by="user") == 1
        assert all(b"ROWS_READ" not in q.replace(b"TABLE_ROWS_READ", b"") for q in liar.heard)


def test_a_look_tells_them_too(exporter, counting):
    grant(counting)
    watching = exporter({"credentials": target(counting)["credentials"], "allow_targets": ["127.0.0.1:*"]})
    looked = Metrics(watching.get(f"/probe?target={counting.address}"))
    assert looked.value(USER + "total_connections", user=MONITOR[0]) >= 1
    assert all("target" not in labels for labels, _ in looked.samples(USER + "bytes_sent_total"))
    assert looked.value("mysqlconn_sessions_by_user", user=MONITOR[0]) >= 1, "within the limits, as on /metrics"
    assert looked.value("mysqlconn_userstat_left_out", by="user") == 0
