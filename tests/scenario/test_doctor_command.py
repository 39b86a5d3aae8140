"""`mysqlconn_exporter doctor HOST`: what clients do to a real MariaDB while it looks comes out as findings with their evidence, in
order of weight, for people and for programs; of a server where all is well nothing is said; and no server is harmed by it."""

import contextlib
import json
import os
import re
import signal
import subprocess

import pytest

from lib import clients
from lib.exporter import sanitizer_environment, sanitizer_report
from lib.mariadb import APP, MONITOR, MariaDB, close
from lib.process import PATIENCE, free_port, wait_until
from lib.terminal import Terminal

USER, PASSWORD = MONITOR
ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def seen():
    """A MariaDB that hides nothing from our account, and is well."""
    with MariaDB(["--performance-schema=ON", "--max-allowed-packet=1M"]) as running:
        running.execute(f"GRANT PROCESS ON *.* TO '{USER}'@'%'")
        running.execute(f"GRANT SELECT ON performance_schema.* TO '{USER}'@'%'")
        yield running


def environment(tmp_path, **extra):
    """Nobody's option file, nobody's terminal."""
    env = {**sanitizer_environment(), "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "MYSQL_PWD": PASSWORD, "NO_COLOR": None, **extra}
    return {name: value for name, value in env.items() if value is not None}


@pytest.fixture
def doctor(program, tmp_path):
    """Starts one; the function that it returns waits for its end, or ends it when it has begun to count."""
    with contextlib.ExitStack() as stack:
        def start(host, *args):
            process = subprocess.Popen([program, "doctor", host, "--user", USER, *args], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment(tmp_path))
            stack.callback(process.kill)

            def end(beginning=None):
                if beginning:
                    beginning.wait()
                    process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=PATIENCE)
                assert not sanitizer_report(err), err
                said = "".join(line for line in err.splitlines(True) if not line.startswith("=="))
                assert PASSWORD not in out + err
                return process.returncode, out, said
            end.process = process
            return end
        yield start


def unwrapped(text):
    return re.sub(r"\s+", " ", text)


class Beginning:
    """Made before a doctor is started; wait() returns when it has begun to count: what comes from then on is new to it."""

    def __init__(self, server):
        self.server = server
        self.before = server.status("Connections")

    def wait(self, probes=2):
        """The first probe comes when the first poll has ended, another every two seconds, as do polls. The ledger begins with the
        first poll, or where the log has to be found first, with the second or third."""
        wait_until(lambda: self.server.status("Connections") >= self.before + 1 + probes, 20, "it has polled", step=0.05)


def misbehave(server):
    clients.leave_without_quit(server, count=10)
    clients.wrong_password(server, count=3)
    clients.oversized_packet(server)
    clients.connect_and_leave(server, count=2)


def check_misbehaviour(findings):
    by_rule = {f["rule"]: f for f in findings}
    assert set(by_rule) == {"clients_vanish", "logins_refused", "packet_too_large", "logins_not_finished"}, findings
    for rule, severity, evidence in (
            ("clients_vanish", "warning", r"10 times in \d+s: .* the last: app@127\.0\.0\.1, connection \d+"),
            ("packet_too_large", "warning", r"1 time in \d+s: .* the last: app@127\.0\.0\.1, connection \d+"),
            ("logins_refused", "info", r"3 times in \d+s: a login was refused; the last: app@127\.0\.0\.1"),
            ("logins_not_finished", "info", r"2 times in \d+s: ")):
        assert by_rule[rule]["severity"] == severity
        assert re.match(evidence, by_rule[rule]["evidence"][0]), by_rule[rule]
        assert by_rule[rule]["change"] and by_rule[rule]["runbook"] == f"README.md#advice-{rule}"
    assert by_rule["packet_too_large"]["evidence"][1] == "max_allowed_packet = 1048576 (1 MiB)"
    assert [f["severity"] for f in findings] == ["warning", "warning", "info", "info"]


def test_what_clients_do_is_found(doctor, seen):
    beginning = Beginning(seen)
    end = doctor(seen.address, "--for=10m", "--json", f"--error-log.file={seen.error_log}")
    beginning.wait(probes=3)
    misbehave(seen)
    status, out, err = end(Beginning(seen))  # polls see what rose, and then that nothing more comes
    report = json.loads(out)
    assert status == 1 and err == "", report
    check_misbehaviour(report["findings"])
    assert report["type"] == "doctor" and report["host"] == seen.address and "MariaDB" in report["version"]
    assert report["polls"] - report["polls_failed"] >= 2 and report["probes"] - report["probes_failed"] >= 3
    assert report["aborted_while_looking"] == 16 and report["unexplained"] == 0
    assert report["error_log"]["readable"] and report["error_log"]["name"] == seen.error_log


def test_of_a_server_that_is_well_nothing_is_said_and_it_is_not_harmed(doctor, seen):
    counters = ("Aborted_clients", "Aborted_connects", "Aborted_connects_preauth", "Access_denied_errors")
    before, log = seen.status(*counters), seen.error_text()
    beginning = Beginning(seen)
    status, out, err = doctor(seen.address, "--for=10m")(beginning)
    assert status == 0 and err == "", (out, err)
    assert "Nothing is wrong" in out and f"error log: {seen.error_log}, 0 new lines" in unwrapped(out), out
    wait_until(lambda: not seen.threads_of(USER), 10, "all its connections are closed")
    assert seen.status(*counters) == before and seen.error_text() == log


def test_what_is_not_seen_is_found(doctor, server):
    """An account that may only log in, a server without performance_schema, a log that is not read. For a program and for people."""
    beginning = Beginning(server)
    status, out, _ = doctor(server.address, "--for=10m", "--json", "--error-log.source=none")(beginning)
    assert status == 0, "nothing of it is worse than an info"
    findings = {f["rule"]: f for f in json.loads(out)["findings"]}
    assert set(findings) == {"error_log_not_read", "privileges_missing", "performance_schema_off"}
    assert f"GRANT PROCESS ON *.* TO '{USER}'@'…';" in findings["privileges_missing"]["change"]

    beginning = Beginning(server)
    status, out, err = doctor(server.address, "--for=10m", "--error-log.source=none")(beginning)
    assert status == 0 and err == "" and ESCAPE not in out, (out, err)
    assert "3 findings: 3 info\n" in out
    assert re.search(r"^ 2  info     Our account lacks privileges.*\n    seen     sessions: not seen without PROCESS$", out, re.M), out
    assert all(len(line) <= 80 for line in out.splitlines()), "80 columns where there is no terminal"


def test_a_server_that_is_not_there(doctor):
    status, out, _ = doctor(f"127.0.0.1:{free_port()}", "--for=2500ms", "--json")()
    report = json.loads(out)
    assert status == 1
    assert [(f["rule"], f["severity"]) for f in report["findings"]][0] == ("server_down", "critical")
    assert "in phase connect: refused" in report["findings"][0]["evidence"][0]
    assert report["version"] == "" and "max_connections" not in report and "error_log" in report


@pytest.mark.parametrize("args, complaint", [
    (["--for=x"], "--for: 'x' is not right"),
    (["--error-log.file=/nonexistent"], "--error-log.file: the file cannot be opened"),
    (["--error-log.source=journald"], "--error-log.source: auto, table or none"),
    (["--error-log.source=none", "--error-log.file=/dev/null"], "exclude each other"),
    (["--tls.mode=disabled", "--tls.ca=/dev/null"], "--tls.ca: only verify-ca"),
])
def test_called_wrongly(doctor, args, complaint):
    status, out, err = doctor("localhost", *args)()
    assert status == 2 and out == "" and complaint in err


def test_ctrl_c_ends_the_looking_and_tells_what_was_found(program, tmp_path, seen):
    connection = seen.connect(*APP)
    beginning = Beginning(seen)
    t = Terminal([program, "doctor", seen.address, "--user", USER, "--for=10m"], environment(tmp_path, TERM="xterm-256color"))
    try:
        t.read_until(" of 600 s, 0 aborted, ")
        beginning.wait(probes=4)
        clients.leave_without_quit(seen, count=2)
        t.read_until("2 aborted, 1 finding")
        os.kill(t.pid, signal.SIGINT)
        status = t.wait()
    finally:
        t.close()
        close(connection)
    assert status == 0, t.text  # two are an info
    assert "1 finding: 1 info" in t.text and f"{ESCAPE}[36minfo{ESCAPE}[0m" in t.text and "Clients leave without" in t.text
    wait_until(lambda: not seen.threads_of(USER), 10, "all its connections are closed")
