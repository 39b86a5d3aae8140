"""SIGHUP: unchanged targets keep their connection and counters, changed ones are restarted, removed ones go, and a bad file
changes nothing and is told."""

import copy
import re

import pytest

from lib.exporter import target
from lib.mariadb import MONITOR, MariaDB
from lib.process import wait_until

SCHEDULE = {"poll": {"interval": "300ms", "timeout": "300ms"}, "probe": {"interval": "1s", "timeout": "1s"}}


@pytest.fixture
def two(server):
    """A second account, so that the server's process list tells the targets apart."""
    server.execute("CREATE USER IF NOT EXISTS second@'%' IDENTIFIED BY 'the second secret'")
    return {**SCHEDULE, "targets": [target(server, "keeps"), target(server, "changes", "second", "the second secret")]}


def kept_connection(server, user):
    """The longest-lived connection of `user`: polling's."""
    return server.threads_of(user)[0]


def ready(metrics, *names):
    return all(metrics.value("mysql_up", target=n) == 1 and metrics.value("mysqlconn_polls_total", target=n) >= 3 for n in names)


def test_unchanged_stay_changed_restart(exporter, server, two):
    watching = exporter(two)
    before = watching.wait_for(lambda m: ready(m, "keeps", "changes"), 10)
    aborted = server.status("Aborted_clients", "Aborted_connects")
    keeps, changes = kept_connection(server, MONITOR[0]), kept_connection(server, "second")

    new = copy.deepcopy(two)
    new["targets"][1]["poll"] = {"interval": "400ms"}
    new["targets"].append(target(server, "new"))
    assert watching.reload(new)
    after = watching.wait_for(lambda m: ready(m, "keeps", "changes", "new"), 10)
    assert kept_connection(server, MONITOR[0]) == keeps
    assert kept_connection(server, "second") != changes
    assert after.value("mysqlconn_polls_total", target="keeps") > before.value("mysqlconn_polls_total", target="keeps")
    assert after.value("mysqlconn_poll_connects_total", target="keeps") == 1
    assert after.value("mysqlconn_exporter_config_last_reload_success_timestamp_seconds") > before.value(
        "mysqlconn_exporter_config_last_reload_success_timestamp_seconds")

    del new["targets"][1]
    assert watching.reload(new)
    watching.wait_for(lambda m: not m.samples("mysql_up", target="changes") and ready(m, "keeps", "new"), 10,
                      "the removed target is gone")
    assert kept_connection(server, MONITOR[0]) == keeps
    watching.stop()
    wait_until(lambda: not server.threads_of("second"), 10, "its connections are over")
    assert server.status("Aborted_clients", "Aborted_connects") == aborted


def test_nothing_changed_nothing_restarted(exporter, server, two):
    watching = exporter(two)
    watching.wait_for(lambda m: ready(m, "keeps", "changes"), 10)
    ids = kept_connection(server, MONITOR[0]), kept_connection(server, "second")
    for _ in range(5):
        assert watching.reload()
    assert (kept_connection(server, MONITOR[0]), kept_connection(server, "second")) == ids
    metrics = watching.scrape()
    assert metrics.sum("mysqlconn_poll_connects_total") == 2


def test_the_log_goes_on_where_it_was(exporter, server, two, tmp_path):
    log = tmp_path / "error.log"
    log.write_text("")
    two["targets"][0]["error_log"] = {"file": str(log)}
    watching = exporter(two)
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
    line = "2026-11-21  1:51:42 6 [Warning] Aborted connection 6 to db: 'a' user: 'app' host: 'h' (Got an error reading communication packets)\n"
    with log.open("a") as f:
        for round_ in range(3):
            f.write(line * 10)
            f.flush()
            two["targets"][1]["poll"] = {"interval": f"{400 + round_}ms"}
            assert watching.reload(two)
    metrics = watching.wait_for(lambda m: m.sum("mysqlconn_error_log_aborts_total") >= 30, 10)
    assert metrics.sum("mysqlconn_error_log_aborts_total") == 30


def test_bad_file_keeps_the_old_configuration(exporter, server, two):
    watching = exporter(two)
    before = watching.wait_for(lambda m: ready(m, "keeps", "changes"), 10)
    keeps = kept_connection(server, MONITOR[0])
    for bad in ("targets: [", "{}", "targets: [{name: a, address: 'h:1', pol: {}}]", ""):
        assert not watching.reload(bad), bad
    watching.process.wait_for_line(lambda l: re.search(r'level=(warn|error) msg="[^"]*reload', l) and "config.yml:1:" in l, 10)
    metrics = watching.wait_for(lambda m: ready(m, "keeps", "changes"), 10)
    assert metrics.value("mysqlconn_exporter_config_last_reload_success_timestamp_seconds") == before.value(
        "mysqlconn_exporter_config_last_reload_success_timestamp_seconds")
    assert kept_connection(server, MONITOR[0]) == keeps
    assert watching.reload(two)


def test_password_file_that_changed_restarts_its_target(exporter, tmp_path):
    with MariaDB() as server:
        password = tmp_path / "password"
        password.write_text(MONITOR[1] + "\n")
        password.chmod(0o600)
        config = {**SCHEDULE, "targets": [{"name": "db1", "address": server.address,
                                           "credentials": {"user": MONITOR[0], "password_file": str(password)}}]}
        watching = exporter(config)
        watching.wait_for(lambda m: ready(m, "db1"), 10)
        kept = kept_connection(server, MONITOR[0])
        server.execute(f"ALTER USER '{MONITOR[0]}'@'%' IDENTIFIED BY 'rotated'")
        password.write_text("rotated\n")
        assert watching.reload()
        watching.wait_for(lambda m: ready(m, "db1") and m.value("mysqlconn_probe_success") == 1
                          and server.threads_of(MONITOR[0])[:1] not in ([], [kept]), 15, "it uses the new password")
