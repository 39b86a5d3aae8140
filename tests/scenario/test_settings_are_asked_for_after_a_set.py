"""The server's settings are read again when somebody has executed a SET, and at once then; polls before and after leave them alone."""

from lib.exporter import target

POLLS = 6


def selects_of_polls(watching, server):
    """The SELECTs that the server executed during that many polls over one connection: those of settings, where nobody else asks."""
    while True:
        before = server.status("Com_select")
        first = watching.scrape()
        last = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= first.value("mysqlconn_polls_total") + POLLS, 60)
        selects = server.status("Com_select") - before
        if last.value("mysqlconn_poll_connects_total") == first.value("mysqlconn_poll_connects_total"):
            return selects


def watch(exporter, server):
    watching = exporter({"poll": {"interval": "500ms", "timeout": "500ms"}, "probe": {"interval": "1h"}, "targets": [target(server)]})
    watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 4 and m.value("mysql_up") == 1, 30)
    return watching


def test_each_set_is_seen(exporter, server):
    watching = watch(exporter, server)
    try:
        for seconds in (7777, 8888):
            server.execute(f"SET GLOBAL wait_timeout = {seconds}")
            polls = watching.scrape().value("mysqlconn_polls_total")
            metrics = watching.wait_for(lambda m, n=polls: m.value("mysqlconn_polls_total") >= n + 2  # so n + 1 is over
                                        and m.samples("mysql_global_variables_wait_timeout"), 30)
            assert metrics.value("mysql_global_variables_wait_timeout") == seconds, "not by the next poll"
    finally:
        server.execute("SET GLOBAL wait_timeout = DEFAULT")
    assert watching.scrape().value("mysql_global_status_commands_total", command="set_option") > 0


def test_without_one_they_are_left_alone(exporter, server):
    assert selects_of_polls(watch(exporter, server), server) < POLLS / 2
