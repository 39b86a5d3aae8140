"""Advice on a real MySQL 9, told by `doctor`: at its default log level, and with what it needs to tell who was aborted and why."""

import json
import re
import signal
import subprocess

import pytest

from lib import clients
from lib.exporter import sanitizer_environment, sanitizer_report
from lib.mysql import MONITOR, MySQL
from lib.process import PATIENCE, wait_until
from scenario.test_doctor_command import Beginning

USER, PASSWORD = MONITOR


@pytest.fixture(scope="module")
def seen():
    """It hides nothing from our account."""
    with MySQL() as running:
        running.execute(f"GRANT PROCESS ON *.* TO '{USER}'@'%'")
        running.execute(f"GRANT SELECT ON performance_schema.* TO '{USER}'@'%'")
        yield running


@pytest.fixture
def findings(program, tmp_path):
    """What doctor finds while `meanwhile` happens, by rule."""
    def look(server, meanwhile, *args, probes=0):
        """`probes`: so many more, one each two seconds, before it is told to end."""
        beginning = Beginning(server)
        env = {**sanitizer_environment(), "HOME": str(tmp_path), "MYSQL_PWD": PASSWORD}
        with subprocess.Popen([program, "doctor", server.address, "--user", USER, "--for=10m", "--json", *args],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=env) as doctor:
            beginning.wait(probes=3)
            meanwhile()
            connections = server.status("Connections")
            server.wait_status("Connections", connections + probes, 30)
            doctor.send_signal(signal.SIGINT)
            out, err = doctor.communicate(timeout=PATIENCE)
        assert not sanitizer_report(err), err
        return {f["rule"]: f for f in json.loads(out)["findings"]}
    return look


def test_where_all_is_seen_nothing_is_said_and_nobody_is_harmed(findings, seen):
    seen.execute("SET GLOBAL log_error_verbosity = 3")
    counters = ("Aborted_clients", "Aborted_connects")
    before, log = seen.status(*counters), seen.error_text()
    assert findings(seen, lambda: None, "--error-log.source=table") == {}
    wait_until(lambda: not seen.threads_of(USER), 10, "all its connections are closed")
    assert seen.status(*counters) == before and seen.error_text() == log


@pytest.mark.parametrize("source", [("--error-log.source=table",), ()], ids=["table", "auto"])
def test_with_its_log_who_vanished_is_told(findings, seen, source):
    seen.execute("SET GLOBAL log_error_verbosity = 3")

    def misbehave():
        clients.leave_without_quit(seen, count=10)
        clients.idle_past_wait_timeout(seen)
    found = findings(seen, misbehave, *source, probes=4)
    severities = {rule: f["severity"] for rule, f in found.items()}
    severities.pop("drivers", None)  # where a poll saw a session of theirs
    assert severities == {"clients_vanish": "warning", "idle_cut": "warning"}
    assert re.match(r"10 times in \d+s: .* the last: app@127\.0\.0\.1, connection \d+", found["clients_vanish"]["evidence"][0])


def test_at_the_default_level_that_is_said(findings, seen):
    seen.execute("SET GLOBAL log_error_verbosity = DEFAULT")
    found = findings(seen, lambda: None)
    assert {rule: f["severity"] for rule, f in found.items()} == {"log_level": "info"}
    assert found["log_level"]["evidence"][0].startswith("log_error_verbosity = 2:")
    assert any("sums of errors" in text for text in found["log_level"]["evidence"])
    assert "SET GLOBAL log_error_verbosity = 3;" in found["log_level"]["change"][1]


def test_each_privilege_that_is_missing_is_named_with_its_grant(findings):
    with MySQL(["--log-error-verbosity=3"]) as server:
        found = findings(server, lambda: None)
        assert {rule: f["severity"] for rule, f in found.items()} == {"privileges_missing": "info"}
        for grant in found["privileges_missing"]["change"][1:]:
            server.execute(grant.replace("'@'…'", "'@'%'"))  # each is SQL
        assert findings(server, lambda: None) == {}


def test_a_list_that_suppresses_aborts_is_named(findings, seen):
    seen.execute("SET GLOBAL log_error_verbosity = 3, log_error_suppression_list = 'MY-010914'")
    try:
        found = findings(seen, lambda: None)
    finally:
        seen.execute("SET GLOBAL log_error_suppression_list = DEFAULT")
    assert found["log_level"]["evidence"][0].startswith("log_error_suppression_list has MY-010914")
