"""MySQL's performance_schema.error_log is read over the kept connection: every line once, over restarts of ours and of the server's,
with what the ring dropped before we came counted; and without the privilege that is said. `auto` takes it where there is no file."""

import pymysql
import pytest

from lib.exporter import target
from lib.mysql import APP, MONITOR, MySQL
from lib.process import wait_until

ABORTS = "mysqlconn_error_log_aborts_total"
LINES = "mysqlconn_error_log_lines_total"
MISSED = "mysqlconn_error_log_missed_lines_total"
FAST = {"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "1h", "timeout": "1s"}}


@pytest.fixture(scope="module")
def server():
    with MySQL(["--log-error-verbosity=3", "--connect-timeout=60"]) as running:
        yield running


def watch(exporter, server, tmp_path, **error_log):
    return exporter({**FAST, "targets": [target(server, error_log={"source": "table", **error_log})]},
                    [f"--storage.path={tmp_path / 'state'}"])


def leave(server, count, database=None):
    """Clients over the socket that go without COM_QUIT; when this returns the server has written its lines of them."""
    for _ in range(count):
        pymysql.connect(user=APP[0], password=APP[1], unix_socket=server.socket, database=database)._force_close()
    wait_until(lambda: not server.threads_of(APP[0]), 15, "the server has noticed")


def written(server):
    """How many lines were ever written to the ring, and how many of them it has dropped."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Error\\_log\\_%\\_events'")
        counts = {name: int(value) for name, value in cursor.fetchall()}
    return sum(counts.values()), counts["Error_log_expired_events"]


def grant(server):
    server.execute(f"GRANT SELECT ON performance_schema.error_log TO '{MONITOR[0]}'@'%'")


def test_without_the_privilege_that_is_said(exporter, server, tmp_path):
    watching = watch(exporter, server, tmp_path)
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_error_log_unreadable_info", reason="permission") == 1, 15)
    assert metrics.value("mysqlconn_error_log_readable") == 0
    grant(server)
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 15)


def test_each_line_once_over_restarts(exporter, server, tmp_path, figure):
    grant(server)
    watching = watch(exporter, server, tmp_path)
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 15)
    leave(server, count=3)
    watching.wait_for(lambda m: m.sum(ABORTS, user="app") == 3, 15)
    watching.stop()
    leave(server, count=2)
    watching.start()
    watching.wait_for(lambda m: m.sum(ABORTS, user="app") == 5, 15)
    leave(server, count=1)
    watching.wait_for(lambda m: m.sum(ABORTS, user="app") == 6, 15)
    watching.process.kill()
    leave(server, count=2)
    watching.start()
    assert watching.scrape().sum(ABORTS, user="app") >= 6  # no counter goes back
    watching.wait_for(lambda m: m.sum(ABORTS, user="app") == 8, 15)
    server.restart()
    leave(server, count=1)
    metrics = watching.wait_for(lambda m: m.sum(ABORTS, user="app") == 9, 30)
    assert metrics.value(MISSED) == 0 and metrics.value("mysqlconn_error_log_gaps_total") == 0
    figure(f"{metrics.value(LINES):.0f} lines, {metrics.sum(ABORTS, user='app'):.0f} aborts, none missed")


def test_what_the_ring_dropped_is_counted(exporter, server, tmp_path, figure):
    """The ring holds 5 MiB: while we are away it is filled anew."""
    grant(server)
    watching = watch(exporter, server, tmp_path)
    before = watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 15).value(LINES)
    watching.stop()
    first, _ = written(server)
    wide = "d" * 64
    server.execute(f"CREATE DATABASE {wide}")
    server.execute(f"GRANT ALL ON {wide}.* TO '{APP[0]}'@'%'")
    while written(server)[1] < first + 100:
        leave(server, 1000, wide)
    last, _ = written(server)
    watching.start()
    watching.wait_for(lambda m: m.value(MISSED) > 0, 60)
    metrics = watching.wait_for(lambda m: m.value(LINES) - before + m.value(MISSED) >= last - first, 60)
    assert metrics.value(LINES) - before + metrics.value(MISSED) == written(server)[0] - first
    figure(f"{metrics.value(LINES) - before:.0f} read, {metrics.value(MISSED):.0f} missed of {last - first}")


def test_auto_takes_the_table_of_a_server_that_is_not_here(exporter, server, tmp_path):
    grant(server)
    watching = exporter({**FAST, "targets": [target(server, error_log={"source": "auto"})]})
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 15)
    found = metrics.samples("mysqlconn_error_log_source_info")[0][0]
    assert found["source"] in ("file", "table"), found


def test_auto_goes_where_the_servers_sinks_write(exporter, server):
    """They can be changed while it runs. To syslog alone: then the file is there, and nothing is written to it."""
    watching = exporter({**FAST, "targets": [target(server, error_log={"source": "auto"})]})

    def reads(path, gaps):
        watching.wait_for(lambda m: m.value("mysqlconn_error_log_source_info", source="file", path=path) == 1
                          and m.value("mysqlconn_error_log_readable") == 1, 20)
        before = watching.scrape().sum(ABORTS, user="app")
        leave(server, count=2)
        metrics = watching.wait_for(lambda m: m.sum(ABORTS, user="app") == before + 2, 20)
        assert metrics.value("mysqlconn_error_log_gaps_total") == gaps

    text = str(server.error_log)
    for sink in ("json", "syseventlog"):
        server.execute(f"INSTALL COMPONENT 'file://component_log_sink_{sink}'")
    try:
        reads(text, gaps=0)
        server.execute("SET GLOBAL log_error_services = 'log_filter_internal; log_sink_json'")
        reads(f"{text}.00.json", gaps=1)
        server.execute("SET GLOBAL log_error_services = 'log_filter_internal; log_sink_syseventlog'")
        metrics = watching.wait_for(lambda m: m.value("mysqlconn_error_log_unreadable_info", reason="no_log") == 1, 20)
        assert metrics.value("mysqlconn_error_log_readable") == 0
    finally:
        server.execute("SET GLOBAL log_error_services = DEFAULT")
    reads(text, gaps=2)
