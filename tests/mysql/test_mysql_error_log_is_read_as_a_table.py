"""MySQL's performance_schema.error_log is read over the kept connection: every line once, over restarts of ours and of the server's,
with what the ring dropped before we came counted; and without the privilege that is said. `auto` takes it where there is no file."""

import pytest

from lib import clients
from lib.exporter import target
from lib.mysql import MONITOR, MySQL

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
    clients.leave_without_quit(server, count=3)
    watching.wait_for(lambda m: m.sum(ABORTS, user="app") == 3, 15)
    watching.stop()
    clients.leave_without_quit(server, count=2)
    watching.start()
    watching.wait_for(lambda m: m.sum(ABORTS, user="app") == 5, 15)
    watching.process.kill()
    clients.leave_without_quit(server, count=2)
    watching.start()
    watching.wait_for(lambda m: m.sum(ABORTS, user="app") == 7, 15)
    server.restart()
    clients.leave_without_quit(server, count=1)
    metrics = watching.wait_for(lambda m: m.sum(ABORTS, user="app") == 8, 30)
    assert metrics.value(MISSED) == 0 and metrics.value("mysqlconn_error_log_gaps_total") == 0
    figure(f"{metrics.value(LINES):.0f} lines, {metrics.sum(ABORTS, user='app'):.0f} aborts, none missed")


def test_what_the_ring_dropped_is_counted(exporter, server, tmp_path, figure):
    """The ring holds 5 MiB: while we are away it is filled anew."""
    grant(server)
    watching = watch(exporter, server, tmp_path)
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 15)
    before = watching.scrape().value(LINES)
    watching.stop()
    first = int(server.status("Error_log_buffered_events")["Error_log_buffered_events"]) + \
        int(server.status("Error_log_expired_events")["Error_log_expired_events"])
    connection = server.connect()
    while int(server.status("Error_log_expired_events")["Error_log_expired_events"]) < first + 100:
        # Each of these is a line of the log: a refused user with a long name of a database.
        clients.wrong_password(server, count=200)
    connection.close()
    watching.start()
    metrics = watching.wait_for(lambda m: m.value(MISSED) > 0, 60)
    last = int(server.status("Error_log_buffered_events")["Error_log_buffered_events"]) + \
        int(server.status("Error_log_expired_events")["Error_log_expired_events"])
    metrics = watching.wait_for(lambda m: m.value(LINES) - before + m.value(MISSED) >= last - first, 30)
    figure(f"{metrics.value(LINES) - before:.0f} read, {metrics.value(MISSED):.0f} missed of {last - first}")


def test_auto_takes_the_table_of_a_server_that_is_not_here(exporter, server, tmp_path):
    grant(server)
    watching = exporter({**FAST, "targets": [target(server, error_log={"source": "auto"})]})
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 15)
    found = metrics.samples("mysqlconn_error_log_source_info")[0][0]
    assert found["source"] in ("file", "table"), found
