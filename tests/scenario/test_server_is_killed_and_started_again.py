"""The server is killed with -9 and started again: down is seen within one interval with its reason, recovery comes by itself,
the restart is counted."""

import time

from lib.exporter import target
from lib.mariadb import MariaDB
from lib.relay import Relay
from lib.server import close

INTERVAL = 1.0


def test_down_with_a_reason_and_back_without_our_restart(exporter, figure):
    with MariaDB() as server:
        schedule = {"interval": f"{INTERVAL:g}s", "timeout": f"{INTERVAL:g}s"}
        watching = exporter({"poll": schedule, "probe": schedule, "targets": [target(server)]})
        before = watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probe_success") == 1, 10)
        assert before.value("mysqlconn_server_restarts_total") == 0

        # Uptime counts whole seconds: a server that is no older than some of them is not told from its successor.
        before = watching.wait_for(lambda m: m.value("mysql_global_status_uptime") >= 5, 15)
        server.kill9()
        killed = time.monotonic()
        watching.wait_for(lambda m: m.value("mysql_up") == 0 and m.value("mysqlconn_probe_success") == 0
                          and m.down("db1", "poll") and m.down("db1", "probe"), 2 * INTERVAL, "down is seen")
        took_down = time.monotonic() - killed
        # What was under way when it died met its end.
        for operation in ("poll", "probe"):
            down = watching.wait_for(lambda m, o=operation: m.down("db1", o) == ("connect", "refused"), 5)
            watching.wait_for_log(10, msg="target is down", target="db1", operation=operation, reason="refused")
        lost = down.value("mysqlconn_poll_connection_losses_total")
        assert lost > before.value("mysqlconn_poll_connection_losses_total")
        tried = down.value("mysqlconn_polls_total")
        later = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= tried + 2, 10)
        assert later.value("mysqlconn_poll_connection_losses_total") == lost, "a try that fails loses none"

        server.start()
        started = time.monotonic()
        up = watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probe_success") == 1
                               and m.value("mysqlconn_server_restarts_total") == 1, 20, "it is up again")
        took_up = time.monotonic() - started
        assert up.down("db1", "poll") is None and up.down("db1", "probe") is None
        assert up.value("mysqlconn_poll_connects_total") >= 2
        figure(f"down seen after {took_down:.2f} s, up again after {took_up:.2f} s (interval {INTERVAL:g} s)")
        # It stays at one restart.
        polls = up.value("mysqlconn_polls_total")
        later = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 3, 10)
        assert later.value("mysqlconn_server_restarts_total") == 1


def test_a_restart_is_counted_although_the_poll_that_reconnected_was_late(exporter):
    with MariaDB() as server, Relay(server.port) as relay:
        for _ in range(5):  # so that the exporter's id is greater than after the restart: that tells it at once
            close(server.connect())
        watching = exporter({"poll": {"interval": "300ms", "timeout": "300ms"}, "probe": {"interval": "1h", "grace": "60s"},
                             "targets": [target(relay.address)]})
        watching.wait_for(lambda m: m.value("mysql_up") == 1, 10)
        server.stop()
        relay.delay = 0.2
        server.start()
        watching.wait_for(lambda m: m.value("mysqlconn_poll_connects_total") == 2, 20)
        relay.delay = 0
        up = watching.wait_for(lambda m: m.value("mysql_up") == 1, 10)
        assert up.value("mysqlconn_server_restarts_total") == 1
