"""A real MySQL: who is connected and by which driver, as on MariaDB; and which errors ended connections or refused them, of which
account, at the log level at which the log says nothing. TRUNCATE and a restart are steps."""

import pytest

from lib import clients
from lib.exporter import target
from lib.mysql import APP, MySQL
from lib.process import wait_until
from scenario.test_sessions import (POLLS, granted, missing, test_an_account_that_may_nothing_is_never_refused,  # noqa: F401
                                    test_labels_and_memory_are_bounded, test_mysqld_exporters_names,
                                    test_near_and_past_wait_timeout, test_sessions_are_summed, test_what_a_role_may_is_ours)

ERRORS = "mysqlconn_server_errors_total"


@pytest.fixture(scope="module")
def watched():
    with MySQL() as running:
        yield granted(running)


def errors(metrics):
    return {(int(l["code"]), l["user"], l["client_host"]): v for l, v in metrics.samples(ERRORS)}


def test_without_privileges_each_is_named(exporter, server):
    watching = exporter({**POLLS, "targets": [target(server)]})
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 3, 10)
    assert set(missing(metrics).values()) == {"no_privilege"} and len(missing(metrics)) == 5
    assert len(metrics.samples("mysqlconn_privilege_missing")) == 4
    assert not [name for name in metrics.names() if "sessions" in name] and not errors(metrics)


def test_errors_by_account(exporter, watched):
    clients.leave_without_quit(watched, count=2)  # before we look
    watching = exporter({**POLLS, "targets": [target(watched)]})
    watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 2 and not missing(m), 10)
    clients.leave_without_quit(watched, count=3)
    clients.wrong_password(watched, count=2)
    clients.connect_and_leave(watched, count=1)
    clients.idle_past_wait_timeout(watched)
    user, host = APP[0], "127.0.0.1"
    found = wait_until(lambda: (e := errors(watching.scrape())) and e.get((4031, user, host)) == 1
                       and e.get((1158, user, host)) == 3 and e.get((1045, user, host)) == 2
                       and e.get((1043, "", host)) == 1 and e, 15, lambda: str(errors(watching.scrape())))
    assert not [key for key in found if key[1] == "other"], found

    watched.execute("TRUNCATE TABLE performance_schema.events_errors_summary_by_account_by_error")
    watched.execute("TRUNCATE TABLE performance_schema.events_errors_summary_global_by_error")
    clients.leave_without_quit(watched, count=1)
    watching.wait_for(lambda m: errors(m).get((1158, user, host)) == 4, 10)
    watched.restart()
    watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_poll_connects_total") == 2, 20)
    clients.leave_without_quit(watched, count=5)
    metrics = watching.wait_for(lambda m: errors(m).get((1158, user, host)) == 9, 10)
    assert metrics.sum(ERRORS, user="other") == 0
