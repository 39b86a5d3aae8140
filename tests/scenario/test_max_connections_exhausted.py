"""max_connections is exhausted by others: polling goes on over the kept connection, the probe says what is the matter."""

from lib import clients
from lib.exporter import target
from lib.mariadb import MariaDB
from lib.process import wait_until


def test_polling_goes_on_over_the_kept_connection(exporter):
    with MariaDB(["--max-connections=10"]) as server:
        schedule = {"interval": "200ms", "timeout": "200ms"}
        watching = exporter({"poll": schedule, "probe": schedule, "targets": [target(server)]})
        watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probe_success") == 1, 10)
        with clients.Crowd(server) as crowd:
            assert len(crowd.connections) >= 5
            # The server keeps one place for an administrator: it hears our login before it refuses us.
            watching.wait_for(lambda m: crowd.fill() or m.down("db1", "probe") == ("auth", "too_many_connections"), 10,
                              "the probe meets error 1040 at its login")
            wait_until(crowd.fill_last, 10, "the last place")
            full = watching.wait_for(lambda m: m.down("db1", "probe") == ("greeting", "too_many_connections"), 10,
                                     "the probe meets error 1040 in place of a greeting")
            polls = full.value("mysqlconn_polls_total")
            later = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 5 and m.value("mysql_up") == 1, 10,
                                      "polling goes on")
            assert later.value("mysqlconn_poll_connects_total") == 1
            # A busy machine's answers may be late.
            assert later.sum("mysqlconn_poll_failed_total") == later.sum("mysqlconn_poll_failures_total", reason="timeout")
            assert later.value("mysql_global_status_threads_connected") >= 10
            assert later.value("mysql_global_status_connection_errors_total", error="max_connections") >= 1
        watching.wait_for(lambda m: m.value("mysqlconn_probe_success") == 1, 10, "the probe recovers when they leave")
