"""The command line: help that fits a screen, configuration errors with file, line, column and key, exit status 2, no secret."""

import json
import resource
import socket
import subprocess

import pytest

from lib.exporter import sanitizer_environment, sanitizer_report, target

GOOD = 'targets: [{name: db1, address: "127.0.0.1:1", credentials: {user: u, password: "S3cr3t-in-file"}}]\n'


@pytest.fixture
def run(program):
    def run_it(*args, env=None, timeout=120):
        done = subprocess.run([program, *args], capture_output=True, text=True, check=False, timeout=timeout,
                              stdin=subprocess.DEVNULL, env={**sanitizer_environment(), **(env or {})})
        assert not sanitizer_report(done.stderr), done.stderr
        return done
    return run_it


@pytest.fixture
def check(run, tmp_path):
    """Check a configuration text; returns (status, stderr)."""
    path = tmp_path / "c.yml"

    def check_it(text):
        if text is not None:  # else it is there already
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            path.chmod(0o600)
        done = run(f"--config.file={path}", "--config.check")
        assert done.returncode in (0, 2), done
        return done.returncode, done.stderr
    check_it.path = path
    return check_it


def test_help_fits_a_screen(run):
    done = run("--help")
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) <= 40, len(lines)
    assert max(map(len, lines)) <= 80, max(lines, key=len)
    for option in ("--config.file", "--web.listen-address", "--config.check", "--log.level", "--version"):
        assert option in done.stdout


def test_version(run):
    done = run("--version")
    assert done.returncode == 0 and done.stdout.startswith("mysqlconn_exporter") and len(done.stdout) < 400


@pytest.mark.parametrize("args", [["--no-such-option"], ["--log.level=loud", "--config.file=/dev/null"], ["stray"],
                                  ["--config.file"], ["--web.listen-address=nonsense:port", "--config.file=/dev/null"]])
def test_wrong_options_are_status_2_and_one_line(run, args):
    done = run(*args)
    assert done.returncode == 2, done
    assert done.stdout == "" and 0 < len(done.stderr.splitlines()) <= 3, done.stderr


def test_listen_address_that_is_taken(run, tmp_path):
    (tmp_path / "c.yml").write_text(GOOD)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        done = run(f"--config.file={tmp_path}/c.yml", f"--web.listen-address={address}")
    assert done.returncode == 1 and address in done.stderr and "in use" in done.stderr


def test_good_file(check):
    assert check(GOOD)[0] == 0


def test_missing_file(run):
    done = run("--config.file=/no/such/file.yml", "--config.check")
    assert done.returncode == 2 and "/no/such/file.yml" in done.stderr and "No such file" in done.stderr


@pytest.mark.parametrize("text, line, key", [
    ("targets:\n  - name: a\n    address: h:1\n    pol: {}\n", 4, "targets[0]: unknown key 'pol'"),
    ("targets:\n  - name: a\n    address: h:1\n    name: b\n", 4, "targets[0].name"),
    ("targets:\n  - name: a\n    address: h:1\n    poll: {interval: soon}\n", 4, "targets[0].poll.interval"),
    ("targets:\n  - name: a\n    address: h:1\n    poll:\n      interval: 1ns\n", 5, "targets[0].poll.interval"),
    ("targets:\n  - name: a\n    address: h:1\n    probe: [1]\n", 4, "targets[0].probe"),
    ("targets:\n  - name: a\n    address: h:99999\n", 3, "targets[0].address"),
    ("targets:\n  - name: a\n", 2, "targets[0]"),
    ("targets:\n  - &x {name: a, address: 'h:1'}\n  - *x\n", 2, ""),
    ("targets: [{name: a, address: 'h:1'}]\n---\n{}\n", 2, ""),
    ("targets: [{name: a, address: 'h:1'}, {name: a, address: 'h:2'}]\n", 1, "targets[1].name"),
    ("limits: {users_per_target: 0}\ntargets: [{name: a, address: 'h:1'}]\n", 1, "limits.users_per_target"),
    ("targets: [\n", 2, ""),
    ("targets:\n\t- x\n", 2, ""),
    ("[]\n", 1, ""),
    ("targets: []\n", 1, "targets"),
])
def test_errors_say_file_line_column_and_key(check, text, line, key):
    status, said = check(text)
    assert status == 2
    assert f"c.yml:{line}:" in said and key in said, said
    assert len(said.splitlines()) == 1, said


def test_no_error_shows_the_password(check):
    for text in ('targets: [{name: a, address: "h:1", credentials: {user: u, password: [S3cr3t-in-file]}}]',
                 'targets: [{name: a, address: "h:1", credentials: {user: u, password: S3cr3t-in-file, password_env: X}}]',
                 'targets: [{name: a, address: "h:1", credentials: {user: u, password: {S3cr3t-in-file: 1}}}]'):
        status, said = check(text)
        assert status == 2 and "S3cr3t" not in said, said


def test_password_in_a_file_that_others_may_read_is_warned_about(run, tmp_path):
    path = tmp_path / "open.yml"
    path.write_text(GOOD)
    path.chmod(0o644)
    done = run(f"--config.file={path}", "--config.check")
    assert done.returncode == 0 and "open.yml:1:" in done.stderr and "S3cr3t" not in done.stderr


def cpu_seconds():
    """Of the programs that were run so far, however busy the machine was."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("make", [
    lambda: b"a: " + b"[" * 100_000,
    lambda: b"{a: " * 100_000,
    lambda: b"".join(b" " * i + b"- \n" for i in range(2000)),
    lambda: b"\x00\xff\xfe" * 1000,
    lambda: "\u2028targets: 1".encode(),
    lambda: b"targets: [" + b"{name: a, address: 'h:1'}," * 200_000 + b"]",
    lambda: b"x: " + b"y" * 5_000_000,
    lambda: b"? " * 100_000,
    lambda: b"%TAG ! tag:example.com,2000:\n" * 10_000,
    lambda: b"targets: !!binary |\n  AAAA\n",
    lambda: b"a: &a [x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
], ids=["deep-sequence", "deep-map", "deep-block", "binary", "separator", "many", "long", "keys", "tags", "binary-tag", "aliases"])
def test_hostile_files_fail_quickly(check, make):
    before = cpu_seconds()
    status, said = check(make())
    assert status == 2 and said.strip()
    assert cpu_seconds() - before < 10
    assert len(said) < 4000


def test_a_gigabyte_fails_quickly(check):
    with open(check.path, "wb") as f:
        f.truncate(1 << 30)
    before = cpu_seconds()
    status, said = check(None)
    assert status == 2 and said.strip()
    assert cpu_seconds() - before < 5


def test_print_config_fills_in_defaults_and_hides_secrets(run, tmp_path):
    path = tmp_path / "c.yml"
    path.write_text(GOOD)
    done = run(f"--config.file={path}", "--print-config")
    assert done.returncode == 0
    assert "S3cr3t" not in done.stdout and "<secret>" in done.stdout and "interval" in done.stdout
    again = tmp_path / "again.yml"
    again.write_text(done.stdout.replace("<secret>", "S3cr3t-in-file"))
    assert run(f"--config.file={again}", "--print-config").stdout == done.stdout


def test_logs_as_json(exporter):
    watching = exporter({"targets": [target("127.0.0.1:1")]}, args=["--log.format=json", "--log.level=debug"])
    watching.wait_for(lambda m: m.down("db1", "probe"), 20)
    lines = [json.loads(line) for line in list(watching.process.lines)
             if not line.startswith("==")]  # the sanitizer's
    assert all({"ts", "level", "msg"} <= set(line) for line in lines)
    assert any(line["msg"] == "target is down" and line["reason"] == "refused" for line in lines)


def test_wrong_shards_are_refused(run):
    for wrong in ("3/2", "x", "1/0"):
        done = run("--config.file=/dev/null", f"--shard={wrong}")
        assert done.returncode == 2 and "--shard must be I/N" in done.stderr
