"""Each value has its age, and is left out once it is too old: of a server that no longer answers, of one that went away, of what our
account may no longer see; what a target left goes with it."""

import os
import signal
import time

import pymysql
import pytest

from lib.exporter import target
from lib.mariadb import MONITOR, MariaDB
from lib.process import wait_until

SCHEDULE = {"interval": "200ms", "timeout": "200ms"}
CONFIG = {"max_age": "1s", "poll": SCHEDULE, "probe": {**SCHEDULE, "grace": "100ms"}}
# Of the last probe that succeeded and the last poll that did: they are not cleared when the next one fails.
OLD = ("mysqlconn_probe_auth_plugin_info", "mysqlconn_poll_duration_seconds")
STAYS = ("mysqlconn_polls_total", "mysqlconn_probe_phase_duration_seconds_bucket", "mysqlconn_probe_closes_total",
         "mysqlconn_poll_last_success_timestamp_seconds", "mysqlconn_sessions_read_timestamp_seconds",
         "mysqlconn_probe_last_success_timestamp_seconds", "mysqlconn_probe_last_timestamp_seconds",
         "mysqlconn_advice_last_check_timestamp_seconds")
NOW = ("mysql_global_status_threads_connected", "mysqlconn_sessions_by_command", "mysqlconn_sleeping_sessions_seconds_bucket")


@pytest.fixture
def server():
    with MariaDB() as running:
        running.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")
        yield running


def is_there(metrics, names, **labels):
    return [name for name in names if metrics.samples(name, **labels)] == list(names)


def none_is_there(metrics, names, **labels):
    return not any(metrics.samples(name, **labels) for name in names)


def stop(server):
    os.kill(server.pid, signal.SIGSTOP)


def go_on(server):
    os.kill(server.pid, signal.SIGCONT)


@pytest.mark.parametrize("leave, come_back", [(stop, go_on), (MariaDB.kill9, MariaDB.start)], ids=["silent", "gone"])
def test_what_a_server_said_before_it_fell_silent_is_not_served_for_ever(exporter, server, leave, come_back):
    watching = exporter({**CONFIG, "targets": [target(server)]})
    up = watching.wait_for(lambda m: is_there(m, OLD + STAYS + NOW), 15)
    leave(server)
    try:
        down = watching.wait_for(lambda m: m.value("mysql_up") == 0 and m.value("mysqlconn_probe_success") == 0
                                 and none_is_there(m, OLD + NOW), 15, "what is old is left out")
        assert is_there(down, STAYS)
        assert down.down("db1", "poll") and down.down("db1", "probe")
        last = down.value("mysqlconn_poll_last_success_timestamp_seconds")
        assert up.value("mysqlconn_poll_last_success_timestamp_seconds") <= last < time.time() - 1
        # A probe's tries go on, and so does what they found.
        tried = down.value("mysqlconn_probe_last_timestamp_seconds")
        watching.wait_for(lambda m: m.value("mysqlconn_probe_last_timestamp_seconds") > tried, 10)
        (told,) = watching.api("targets")["targets"]
        for part in (told["poll"], told["probes"][0]):
            assert part["health"] == "down" and part["old"] and part["age_seconds"] > 1
    finally:
        come_back(server)
    watching.wait_for(lambda m: is_there(m, OLD + STAYS + NOW), 30, "all is back")
    wait_until(lambda: not watching.api("targets")["targets"][0]["poll"]["old"], 10, "it is not old")


def killed(server):
    """Whether the oldest connection of ours was there to be killed."""
    for connection in server.threads_of(MONITOR[0])[:1]:
        try:
            server.execute(f"KILL {connection}")
            return True
        except pymysql.err.OperationalError as e:
            if e.args[0] != 1094:  # it has just ended
                raise
    return False


def test_a_look_that_is_no_longer_allowed_leaves_its_time(exporter, server):
    watching = exporter({**CONFIG, "targets": [target(server)]})
    before = watching.wait_for(lambda m: is_there(m, NOW), 15)
    server.execute(f"REVOKE PROCESS ON *.* FROM '{MONITOR[0]}'@'%'")
    wait_until(lambda: killed(server), 10, "its kept connection is killed")
    after = watching.wait_for(lambda m: m.value("mysql_up") == 1 and none_is_there(m, NOW[1:]) and
                              m.samples("mysqlconn_evidence_missing_info", kind="sessions", reason="no_privilege"), 15)
    read = after.value("mysqlconn_sessions_read_timestamp_seconds")
    assert read >= before.value("mysqlconn_sessions_read_timestamp_seconds")
    later = watching.wait_for(lambda m: m.value("mysqlconn_poll_last_success_timestamp_seconds") > read + 1, 15)
    assert later.value("mysqlconn_sessions_read_timestamp_seconds") == read


def test_nothing_is_left_of_a_target_that_is_gone(exporter, server):
    config = {**CONFIG, "targets": [target(server, "stays"), target(server, "goes", labels={"team": "left"}),
                                    target("127.0.0.1:1", "is-down")]}
    watching = exporter(config)
    watching.wait_for(lambda m: is_there(m, STAYS + NOW, target="goes") and m.down("is-down", "poll"), 15)
    assert watching.reload({**config, "targets": config["targets"][:1]})
    left = watching.wait_for(lambda m: none_is_there(m, ["mysql_up"], target="goes")
                             and none_is_there(m, ["mysqlconn_polls_total"], target="is-down")
                             and is_there(m, STAYS + NOW, target="stays"), 15)
    pages = [left.text, *(watching.get(f"/api/v1/{resource}") for resource in ("targets", "events", "ledger", "advice")),
             watching.get("/sd"), watching.get("/")]
    for page in pages:
        assert not [name for name in ("goes", "is-down", "team") if f'"{name}"' in page or f">{name}<" in page], page[:2000]
    assert left.value("mysqlconn_exporter_targets") == 1
