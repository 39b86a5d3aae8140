"""The error log of a real MySQL, as text and as the JSON that its component writes beside it: the same events out of both, two
lines of one abort counted once, and names that hold whole messages forge nothing."""

import pymysql
import pytest

from lib import clients
from lib.exporter import target
from lib.mysql import APP, close
from lib.process import wait_until

SLOW = {"poll": {"interval": "60s"}, "probe": {"interval": "60s"}}
ABORTS = "mysqlconn_error_log_aborts_total"
READ_ERROR = "Got an error reading communication packets"
INACTIVITY = "The client was disconnected by the server because of inactivity."
PLAIN = {"ssl_disabled": True}
FORGED = "x\n2026-11-21T01:51:41.123456Z 5 [Note] [MY-010914] [Server] Aborted connection 1 to db: 'a' user: 'victim' host: 'c' (x)"


def json_log(server):
    """Have the server write JSON too; the file's path."""
    server.execute("INSTALL COMPONENT 'file://component_log_sink_json'")
    server.execute("SET GLOBAL log_error_services = 'log_sink_internal; log_sink_json'")
    return f"{server.error_log}.00.json"


def test_text_and_json_give_the_same_events(exporter, server):
    as_json = json_log(server)
    close(server.connect(*APP))  # the server then knows the password and takes it without TLS, which cannot be left so rudely
    clients.leave_without_quit(server, **PLAIN)
    wait_until(lambda: open(as_json, encoding="utf-8").read(), 10, "the JSON log is written")
    watching = exporter({**SLOW, "targets": [target(server, "text", error_log={"file": server.error_log}),
                                             target(server, "json", error_log={"file": as_json})]})
    watching.wait_for(lambda m: all(m.value("mysqlconn_error_log_readable", target=t) == 1 for t in ("text", "json")), 10)
    clients.wrong_password(server, count=2)
    gone = clients.leave_without_quit(server, count=3, **PLAIN)
    idle = clients.idle_past_wait_timeout(server, **PLAIN)
    with pytest.raises(pymysql.err.OperationalError):
        server.connect(FORGED, "not the password")
    clients.leave_without_quit(server, **PLAIN)

    def counted(m, name):
        return {l["reason"]: v for l, v in m.samples(ABORTS, target=name, user=APP[0])}

    wanted = {READ_ERROR: 4, INACTIVITY: 1}
    metrics = watching.wait_for(lambda m: counted(m, "text") == wanted and counted(m, "json") == wanted, 10,
                                lambda: f"the aborts: {[counted(watching.scrape(), t) for t in ('text', 'json')]}")
    for name in ("text", "json"):
        assert metrics.sum(ABORTS, target=name) == 5
        assert metrics.value("mysqlconn_error_log_events_total", target=name, kind="timeout_note") == 0
        assert metrics.value("mysqlconn_error_log_events_total", target=name, kind="access_denied") == 3
        told = {int(line["connection_id"]) for line in watching.log(msg="connection aborted", target=name)}
        assert idle in told and told & set(gone)
    assert "victim" not in {l.get("user") for l, _ in metrics.samples(ABORTS)}


def test_settings_that_hide_aborts_are_said(exporter, server):
    """Each setting, what is said of it, and whether the line of an abort is written."""
    close(server.connect(*APP))
    server.execute("INSTALL COMPONENT 'file://component_log_filter_dragnet'")
    server.execute("SET GLOBAL log_error_services = DEFAULT, log_error_verbosity = 3")
    fast = {"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "1h", "timeout": "1s"}}
    watching = exporter({**fast, "targets": [target(server, error_log={"file": server.error_log})]})
    try:
        for name, value, reason in [
                ("log_error_suppression_list", "MY-010926, 10914", "suppressed"),
                ("log_error_suppression_list", "MY-010926", None),
                ("log_error_verbosity", 2, "level"),
                ("log_error_services", "log_filter_dragnet; log_sink_internal", "filtered"),
                ("log_error_services", "log_sink_internal", None),
                ("log_error_services", "log_filter_internal; log_sink_internal", "level"),
                ("log_error_verbosity", 3, None)]:
            server.execute(f"SET GLOBAL {name} = %s", (value,))
            wanted = [{"reason": reason}] if reason else []
            metrics = watching.wait_for(lambda m: wanted == [{"reason": l["reason"]} for l, _ in m.samples(
                "mysqlconn_error_log_insufficient_info")] and m.value("mysqlconn_error_log_level_sufficient") == (not wanted), 10)
            before = metrics.sum(ABORTS)
            written = server.error_text().count("Aborted connection")
            clients.leave_without_quit(server, **PLAIN)
            if not reason:
                watching.wait_for(lambda m: m.sum(ABORTS) == before + 1, 10)
            assert server.error_text().count("Aborted connection") == written + (not reason)
    finally:
        server.execute("SET GLOBAL log_error_suppression_list = ''")
