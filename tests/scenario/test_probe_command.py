"""`mysqlconn_exporter probe HOST`: phases, closes and failures for people and for programs, exit statuses, Ctrl-C, the password's
ways in (and that it is in no command line), and that no server is harmed by it."""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import time

import pytest

from fake import liar
from lib.certificates import Authority
from lib.exporter import sanitizer_environment, sanitizer_report
from lib.mariadb import MONITOR, MariaDB
from lib.process import Process, free_port, wait_until
from lib.terminal import Terminal

USER, PASSWORD = MONITOR
FLAGS = ["--user", USER, "--interval=10ms", "--count=3"]
PHASES = ["connect", "greeting", "auth", "ping", "query", "quit"]
ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("ca"))
    with MariaDB(["--log-warnings=4"]).use_certificate(*authority.sign("server", "DNS:localhost")) as running:
        running.ca = authority.ca
        running.execute("CREATE USER 'open'@'%'")
        yield running


def said(text):
    """What the program itself wrote to stderr: the sanitizer has a warning of its own."""
    return "".join(line for line in text.splitlines(True) if not line.startswith("=="))


def environment(tmp_path, **extra):
    """Nobody's option file, nobody's terminal."""
    env = {**sanitizer_environment(), "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "MYSQL_PWD": PASSWORD,
           "NO_COLOR": None, **extra}
    return {name: value for name, value in env.items() if value is not None}


@pytest.fixture
def probe(program, tmp_path):
    def run(host, *args, **env):
        done = subprocess.run([program, "probe", host, *args], capture_output=True, text=True, check=False, timeout=60,
                              stdin=subprocess.DEVNULL, env=environment(tmp_path, **env))
        assert not sanitizer_report(done.stderr), done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done
    return run


@pytest.fixture
def terminal(program, tmp_path):
    with contextlib.ExitStack() as stack:
        def start(host, *args, **env):
            t = Terminal([program, "probe", host, *args], environment(tmp_path, **{"TERM": "xterm-256color", **env}))
            stack.callback(t.close)
            return t
        yield start


def objects(done):
    """(probes, summary) of --json."""
    parsed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [o["type"] for o in parsed] == ["probe"] * (len(parsed) - 1) + ["summary"]
    return parsed[:-1], parsed[-1]


def failure(done):
    """(phase, reason) of a run in which all failed alike."""
    assert done.returncode == 1, done
    probes, summary = objects(done)
    assert not any(p["ok"] for p in probes) and summary["failed"] == len(probes) == summary["probes"]
    one, = summary["failures"]
    assert one["count"] == len(probes) and one["text"]
    assert all((p["failure"]["phase"], p["failure"]["reason"]) == (one["phase"], one["reason"]) for p in probes)
    return one["phase"], one["reason"]


def test_a_line_a_probe_and_a_table(probe, tls):
    done = probe(tls.address, *FLAGS)
    assert done.returncode == 0 and said(done.stderr) == "", done
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"  via 127\.0\.0\.1, TLS 1\.\d \w+, \w+", lines.pop(0))
    assert lines[0].split() == ["#", "resolve", "connect", "greeting", "tls", *PHASES[2:], "total", "close"]
    assert [line.split()[0] for line in lines[1:4]] == ["1", "2", "3"]
    assert all(line.endswith("  clean") and len(line) <= 80 for line in lines[1:4])
    assert "3 probes in" in done.stdout and "3 succeeded, 0 failed (0% loss)" in done.stdout
    assert re.search(r"^ping \(RTT\) +\S+s +\S+s +\S+s +\S+s$", done.stdout, re.M), done.stdout
    assert "close     3 clean" in done.stdout
    assert ESCAPE not in done.stdout and "━" not in done.stdout, "a pipe gets no colours and no bars"


def test_json_over_tcp_tls_and_a_socket(probe, tls):
    for host, args, phases in ((tls.address, ["--tls.mode=disabled"], {"resolve", *PHASES}),
                               (f"localhost:{tls.port}", [f"--tls.ca={tls.ca}"], {"resolve", "tls", *PHASES}),
                               (f"unix:{tls.socket}", [], set(PHASES))):
        done = probe(host, *FLAGS, *args, "--json")
        assert done.returncode == 0, done
        probes, summary = objects(done)
        assert [p["number"] for p in probes] == [1, 2, 3]
        for p in probes:
            assert p["ok"] and p["close"] == "clean" and p["host"] == host and p["connection_id"] > 0
            assert set(p["phase_seconds"]) == phases
            assert ("tls_version" in p) == ("tls" in phases) and p.get("address") in ("127.0.0.1", "::1", None)
            assert p["total_seconds"] == pytest.approx(sum(p["phase_seconds"].values()))
            assert ("tcp_min_rtt_seconds" in p) == host.startswith(("1", "l"))
            assert abs(p["time"] - time.time()) < 60
        assert summary["closes"] == {"clean": 3} and summary["failures"] == [] and summary["self_aborts"] == 0
        for phase in phases:
            s = summary["phase_seconds"][phase]
            values = sorted(p["phase_seconds"][phase] for p in probes)
            assert (s["count"], s["min"], s["median"], s["p99"], s["max"]) == (3, values[0], values[1], values[2], values[2])


def test_a_certificate_for_another_name(probe, tls):
    done = probe(tls.address, *FLAGS, "--tls.mode=verify-identity", f"--tls.ca={tls.ca}", "--json")
    assert failure(done) == ("tls", "certificate_name")
    assert probe(tls.address, *FLAGS, "--tls.mode=verify-ca", f"--tls.ca={tls.ca}").returncode == 0


def test_wrong_password_and_what_it_costs_the_server(probe, tls):
    before = tls.status("Aborted_connects")
    done = probe(tls.address, *FLAGS, "--json", MYSQL_PWD="wrong")
    assert failure(done) == ("auth", "access_denied")
    assert objects(done)[1]["self_aborts"] == tls.status("Aborted_connects") - before == 3
    text = probe(tls.address, *FLAGS, MYSQL_PWD="wrong").stdout
    assert text.count("auth: access_denied (1045)") == 4 and "3 failed (100% loss)" in text
    assert text.count("Access denied for user 'mysqlconn'") == 2, "once when it is new, once in the summary"
    assert "The server counts 3 connections of ours as aborted." in text


def test_nothing_listens_and_no_such_name(probe):
    assert failure(probe(f"127.0.0.1:{free_port()}", *FLAGS, "--json")) == ("connect", "refused")
    assert failure(probe("unix:/no/such.sock", *FLAGS, "--json")) == ("connect", "refused")
    assert failure(probe("no-such-name.invalid", *FLAGS, "--timeout=2", "--json"))[0] == "resolve"


def test_some_failed_is_status_1(program, tmp_path):
    """The server goes away between two probes."""
    with liar.Liar(liar.honest) as server:
        process = Process([program, "probe", server.address, "--count=0", "--interval=50ms", "--json"],
                          env=environment(tmp_path))
        process.wait_for_line('"ok":true', 20)
    process.wait_for_line('"ok":false', 20)
    process.signal(signal.SIGINT)
    assert process.wait(20) == 1
    summary = json.loads(process.lines[-1])
    assert summary["succeeded"] > 0 and summary["failed"] > 0
    assert not sanitizer_report(process.output())


@pytest.mark.parametrize("args", [[], ["127.0.0.1", "127.0.0.2"], ["127.0.0.1", "--count=x"], ["127.0.0.1", "--interval=0"],
                                  ["127.0.0.1", "--password=x"], ["127.0.0.1:99999"], ["127.0.0.1", "--tls.mode=maybe"],
                                  ["127.0.0.1", "--tls.ca=/no/such"], ["127.0.0.1", "--tls.ca=/dev/null"],
                                  ["127.0.0.1", "--tls.cert=/etc/passwd"], ["unix:/x", "--tls.mode=required"],
                                  ["127.0.0.1", "--config.my-cnf=/no/such"],
                                  ["127.0.0.1", "--close=politely"], ["unix:/x", "--close=reset"], ["127.0.0.1", "--hold=2d"]])
def test_wrong_usage_is_status_2_and_one_line(probe, args):
    done = probe(*(args or ["--json"]))
    assert done.returncode == 2 and done.stdout == "", done
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith(("mysqlconn_exporter: ", "/")), done.stderr


def test_help(program):
    texts = [subprocess.run([program, *args], capture_output=True, text=True, check=False, timeout=20)
             for args in (["probe", "--help"], ["help", "probe"])]
    assert texts[0].stdout == texts[1].stdout and texts[0].returncode == 0
    lines = texts[0].stdout.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert "There is no flag for it" in texts[0].stdout


def test_nobody_is_harmed_by_100_probes_at_10_ms(probe, tls, figure):
    counters = ("Aborted_clients", "Aborted_connects", "Aborted_connects_preauth", "Access_denied_errors")
    log, before, connections = tls.error_text(), tls.status(*counters), tls.status("Connections")
    started = time.monotonic()
    done = probe(tls.address, "--user", USER, "--count=100", "--interval=10ms", "--json")
    took = time.monotonic() - started
    assert done.returncode == 0
    assert objects(done)[1]["closes"] == {"clean": 100}
    assert tls.status(*counters) == before and tls.error_text() == log
    assert tls.status("Connections") - connections >= 100
    figure(f"100 probes at 10 ms took {took:.2f} s; no counter moved, no log line")


@pytest.mark.parametrize("style, outcome, aborts", [("quit_now", "not_watched", 0), ("mid_result", "not_watched", 3),
                                                    ("none", "clean", 3), ("reset", "not_watched", 3)])
def test_a_close_style_is_done_and_owned(probe, tls, style, outcome, aborts):
    before = tls.status("Aborted_clients")
    done = probe(tls.address, "--user", USER, "--count=3", "--interval=10ms", f"--close={style}", "--json")
    assert done.returncode == 0
    summary = objects(done)[1]
    assert summary["closes"] == {outcome: 3}
    assert (summary["aborts_on_purpose"], summary["self_aborts"]) == (aborts, 0)
    wait_until(lambda: tls.status("Aborted_clients") >= before + aborts, 5, "the server counts")
    assert tls.status("Aborted_clients") == before + aborts


def test_a_held_connection_is_used_again(probe, tls):
    done = probe(tls.address, "--user", USER, "--count=2", "--interval=10ms", "--hold=300ms", "--json")
    probes, summary = objects(done)
    assert done.returncode == 0 and summary["closes"] == {"clean": 2}
    assert all(p["phase_seconds"]["hold"] >= 0.3 and p["total_seconds"] < 0.3 for p in probes)


def test_a_held_connection_that_is_cut(probe, tls):
    tls.execute("SET GLOBAL wait_timeout = 1")
    try:
        done = probe(tls.address, "--user", USER, "--count=1", "--hold=20s", "--json")
    finally:
        tls.execute("SET GLOBAL wait_timeout = DEFAULT")
    probes, summary = objects(done)
    assert done.returncode == 1
    assert (probes[0]["failure"]["phase"], probes[0]["failure"]["reason"]) == ("hold", "reset")
    assert "the idle connection was reset after 1." in probes[0]["failure"]["text"]
    assert (summary["aborts_on_purpose"], summary["self_aborts"]) == (1, 0)


def test_ctrl_c_ends_an_idle_time_politely(program, tls, tmp_path):
    before = tls.status("Aborted_clients")
    process = subprocess.Popen([program, "probe", tls.address, "--user", USER, "--hold=60s", "--json"], stdout=subprocess.PIPE,
                               text=True, env=environment(tmp_path, MYSQL_PWD=PASSWORD))
    wait_until(lambda: any(row[1] == USER and row[4] == "Sleep" for row in tls.execute("SHOW PROCESSLIST")), 10, "it holds")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert json.loads(out.splitlines()[-1])["probes"] == 0, "a probe that we cut short is none"
    assert process.returncode == 1 and tls.status("Aborted_clients") == before


def test_the_interval_is_kept(probe, tls):
    probes, _ = objects(probe(tls.address, "--user", USER, "--count=4", "--interval=0.2", "--json"))
    gaps = [b["time"] - a["time"] for a, b in zip(probes, probes[1:])]
    assert all(gap >= 0.199 for gap in gaps), gaps


def test_ctrl_c_ends_with_the_summary(program, tls, tmp_path):
    process = Process([program, "probe", tls.address, "--user", USER, "--count=0", "--interval=50ms"], env=environment(tmp_path))
    process.wait_for_line(lambda line: line.startswith("   3 "), 20)
    with open(f"/proc/{process.pid}/cmdline", "rb") as f:
        assert PASSWORD.encode() not in f.read()
    process.signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert "0 failed (0% loss)" in process.output() and "close " in process.output()
    assert not sanitizer_report(process.output())


def test_a_late_probe_is_told_at_once_and_ctrl_c_does_not_wait_for_it(program, tmp_path):
    """The server hangs; the probe itself would go on for ten seconds more."""
    with liar.Liar(liar.hangs_at_ping) as server:
        process = Process([program, "probe", server.address, "--timeout=300ms", "--json"], env=environment(tmp_path))
        told = json.loads(process.wait_for_line('"type":"probe"', 8))
        assert (told["failure"]["phase"], told["failure"]["reason"]) == ("ping", "timeout") and "close" not in told
        process.signal(signal.SIGINT)
        process.signal(signal.SIGTERM)  # impatience is understood
        assert process.wait(8) == 1
    summary = json.loads(process.lines[-1])
    assert summary["probes"] == 1 and summary["failures"][0]["reason"] == "timeout"
    assert not sanitizer_report(process.output())


def test_a_probe_that_our_own_end_cut_short_is_no_failure(program, tmp_path):
    """Signals until it is gone, while the server says nothing and the probe has time yet."""
    async def tells(peer):
        peer.heard.append("connected")
        await peer.until_gone()

    with liar.Liar(tells) as server:
        process = Process([program, "probe", server.address, "--timeout=60", "--json"], env=environment(tmp_path))
        wait_until(lambda: server.heard, 20, "the probe is under way")
        numbers = itertools.cycle((signal.SIGINT, signal.SIGTERM))
        wait_until(lambda: process.signal(next(numbers)) or not process.running(), 20, "it ended", step=0.0001)
        assert process.wait(8) == 1, "no probe succeeded"
    lines = [line for line in process.lines if line.startswith("{")]
    assert len(lines) == 1 and json.loads(lines[0])["probes"] == 0


def test_an_unclean_close_is_shown(probe):
    with liar.Liar(liar.resets_after_quit) as server:
        done = probe(server.address, *FLAGS, "--json")
        assert done.returncode == 0 and objects(done)[1]["closes"] == {"reset": 3}, "the probes themselves succeeded"
    with liar.Liar(liar.speaks_after_quit) as server:
        assert "3 unexpected_data" in probe(server.address, *FLAGS).stdout


def test_a_reader_that_leaves_ends_it(program, tls, tmp_path):
    with subprocess.Popen([program, "probe", tls.address, "--user", USER, "--count=0", "--interval=10ms"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(tmp_path)) as child:
        assert child.stdout.readline()
        child.stdout.close()
        assert child.wait(20) == 0
        assert said(child.stderr.read()) == ""


def test_option_files(probe, tls, tmp_path):
    path = tmp_path / "client.cnf"
    path.write_text(f"[client]\nuser={USER}\npassword=\"{PASSWORD}\"\nssl-ca={tls.ca}\nhost=192.0.2.1\nport=1\n")
    flags = ["--count=1"]
    done = probe(f"localhost:{tls.port}", f"--config.my-cnf={path}", *flags, MYSQL_PWD=None)
    assert done.returncode == 0 and " TLS 1." in done.stdout.splitlines()[0], done
    done = probe(tls.address, f"--config.my-cnf={path}", *flags, "--json", MYSQL_PWD=None)
    assert failure(done) == ("tls", "certificate_name"), "a CA in the file means that the name is checked too"
    path.rename(tmp_path / ".my.cnf")
    assert probe(f"localhost:{tls.port}", *flags, MYSQL_PWD=None).returncode == 0


def test_without_a_terminal_nothing_is_asked(probe, tls):
    done = probe(tls.address, "--user", USER, MYSQL_PWD=None)
    assert done.returncode == 2 and "MYSQL_PWD" in done.stderr and done.stdout == ""
    assert probe(tls.address, "--user", "open", "--count=1", MYSQL_PWD="").returncode == 0, "the empty password is one"


def test_the_password_is_asked_for_unseen(terminal, tls):
    t = terminal(tls.address, *FLAGS, MYSQL_PWD=None)
    t.read_until(f"Password for {USER}: ")
    assert not t.echoes()
    with open(f"/proc/{t.pid}/cmdline", "rb") as f:
        assert PASSWORD.encode() not in f.read()
    t.type(PASSWORD + "\n")
    assert t.wait() == 0
    assert PASSWORD not in t.text and "3 succeeded" in t.text


@pytest.mark.parametrize("key, number", [("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT), (None, signal.SIGTERM)])
def test_a_signal_at_the_prompt_restores_the_terminal(terminal, tls, key, number):
    t = terminal(tls.address, *FLAGS, MYSQL_PWD=None)
    t.read_until("Password for ")
    assert not t.echoes()
    # The terminal must outlive the command, to be looked at.
    keeper = os.open(os.readlink(f"/proc/{t.pid}/fd/0"), os.O_RDWR | os.O_NOCTTY)
    if key:
        t.type("half a pass" + key)
    else:
        os.kill(t.pid, number)
    try:
        _, status = os.waitpid(t.pid, 0)
        t.pid = 0
        assert os.waitstatus_to_exitcode(status) == -number
        assert t.echoes()
    finally:
        os.close(keeper)


def test_after_a_stop_at_the_prompt_it_asks_again(terminal, tls):
    t = terminal(tls.address, *FLAGS, MYSQL_PWD=None)
    t.read_until("Password for ")
    t.text = ""
    t.type("half\x1a")  # there is no shell that could stop us, so it goes on at once
    t.read_until("Password for ")
    assert not t.echoes()
    t.type(PASSWORD + "\n")
    assert t.wait() == 0 and PASSWORD not in t.text


def test_an_end_of_file_at_the_prompt(terminal, tls):
    t = terminal(tls.address, *FLAGS, MYSQL_PWD=None)
    t.read_until("Password for ")
    t.type("\x04")
    assert t.wait() == 2 and "no password was given" in t.text


def test_colours_and_bars_on_a_terminal(terminal, tls):
    def shown(**env):
        t = terminal(tls.address, *FLAGS, **env)
        assert t.wait() == 0
        return t.text
    rich, no_colour, dumb, ascii_only = shown(), shown(NO_COLOR="1"), shown(TERM="dumb"), shown(LC_ALL="C")
    assert ESCAPE in rich and "━" in rich
    assert ESCAPE not in no_colour and "━" in no_colour
    assert ESCAPE not in dumb and "━" not in dumb
    assert ascii_only.isascii() and ESCAPE in ascii_only


def test_a_server_cannot_steer_the_terminal(terminal):
    async def writes_escapes(peer):
        await peer.greet()
        await peer.receive()
        await peer.error(1045, "\x1b]0;owned\x07\x1b[2J\u009b31m no", "28000")

    with liar.Liar(writes_escapes) as server:
        t = terminal(server.address, *FLAGS, NO_COLOR="1")
        assert t.wait() == 1
        assert "]0;owned" in t.text
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]", t.text), repr(t.text)
