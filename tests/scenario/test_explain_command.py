"""`mysqlconn_exporter explain FILE…`: what real servers' logs say, as tables and as JSON; plain, gzip and stdin, several files, long
lines and hostile bytes; times and their zones; terminals and pipes; bounded memory; exit statuses."""

import fcntl
import gzip
import json
import os
import re
import signal
import subprocess
import termios
import time

import pytest

from lib import clients
from lib.exporter import sanitizer_environment, sanitizer_report
from lib.mariadb import APP, MariaDB
from lib.process import wait_until
from lib.terminal import Terminal

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SAMPLES = os.path.join(TESTS, "samples")
MARIADB = os.path.join(SAMPLES, "mariadb-10.11.log")
KEYS = ["line", "time", "kind", "connection_id", "db", "user", "host", "reason", "suspect"]
KINDS = ["aborted", "access_denied", "too_many_connections", "host_blocked", "dns", "forced_close", "ssl", "init_connect",
         "timeout_note", "accept_error", "server_start", "server_stop", "other"]
FORGED = 164  # the line of the sample that a client wrote
READ_ERROR = "Got an error reading communication packets"


def environment(**extra):
    env = {**sanitizer_environment(), "LC_ALL": "C.UTF-8", "TZ": "Europe/Berlin", "NO_COLOR": None, **extra}
    return {name: value for name, value in env.items() if value is not None}


def said(text):
    """What the program itself wrote to stderr: the sanitizer has a warning of its own."""
    return "".join(line for line in text.splitlines(True) if not line.startswith("=="))


@pytest.fixture
def explain(program):
    def run(*args, stdin=b"", status=0, complaints=False, **env):
        done = subprocess.run([program, "explain", *map(str, args)], input=stdin, capture_output=True, check=False, timeout=60,
                              env=environment(**env), cwd=SAMPLES)
        stderr = done.stderr.decode("utf-8", "backslashreplace")
        assert not sanitizer_report(stderr), stderr
        assert done.returncode == status, (done.returncode, stderr)
        assert status or complaints or not said(stderr), stderr
        done.text, done.complaint = done.stdout.decode("utf-8"), said(stderr)
        return done
    return run


@pytest.fixture
def events(explain):
    def run(*args, **kwargs):
        found = [json.loads(line) for line in explain("--events", "--json", *args, **kwargs).text.splitlines()]
        several = any("file" in e for e in found)
        assert all(list(e) == ["file"] * several + KEYS for e in found)
        assert all(e["kind"] in KINDS and isinstance(e["suspect"], bool) for e in found)
        return found
    return run


@pytest.fixture
def summary(explain):
    return lambda *args, **kwargs: json.loads(explain("--json", *args, **kwargs).text)


def process_status(pid, field):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(line.split()[1] for line in f if line.startswith(field + ":"))


def has_signal(pid, field, number):
    """In one of the sets of proc(5): SigCgt, of those that are caught; ShdPnd, that wait to be delivered."""
    return int(process_status(pid, field), 16) >> (number - 1) & 1 == 1


def line_of(number, when="2026-11-21  1:51:41", user="app", host="127.0.0.1", reason=READ_ERROR, db="shop"):
    """An abort line as MariaDB 10.11 writes it."""
    return f"{when} {number} [Warning] Aborted connection {number} to db: '{db}' user: '{user}' host: '{host}' ({reason})\n"


def mysql8_line(number, when):
    return (f"{when} {number} [Note] [MY-010914] [Server] Aborted connection {number} to db: 'shop' user: 'app' host: 'h' "
            f"({READ_ERROR}).\n")


def top_of(lists, name):
    return {e.get(name) or f"{e['user']}@{e['host']}": e["count"] for e in lists[f"by_{name}"]["top"]}


# --- events ---

ABORTED = re.compile(r"(\d{4}-\d\d-\d\d) +(\d+):(\d\d:\d\d) \d+ \[Warning\] Aborted connection (\d+) to db: '(.*)' user: '(.*)' "
                     r"host: '([^']*)'(?: real ip: '[^']*')? \((.*)\)")
DENIED = re.compile(r"(\d{4}-\d\d-\d\d) +(\d+):(\d\d:\d\d) \d+ \[Warning\] Access denied for user '(.*)'@'([^']*)' "
                    r"\(using password: (?:YES|NO)\)")


def expected(number, line):
    """What an English line of the sample must give, or None."""
    if aborted := ABORTED.fullmatch(line):
        day, hour, rest, connection, db, user, host, reason = aborted.groups()
        kind = {"init_connect command failed": "init_connect", "Too many connections": "too_many_connections"}.get(reason, "aborted")
        connection = int(connection)
    elif denied := DENIED.fullmatch(line):
        day, hour, rest, user, host = denied.groups()
        kind, connection, db, reason = "access_denied", None, None, None
    else:
        return None
    return {"line": number, "time": f"{day}T{int(hour):02}:{rest}", "kind": kind, "connection_id": connection, "db": db,
            "user": user, "host": host, "reason": reason, "suspect": number == FORGED}


def test_each_event_of_a_real_log_is_told_exactly(events):
    with open(MARIADB, encoding="utf-8") as f:
        wanted = [e for number, line in enumerate(f, 1) if (e := expected(number, line.rstrip("\n")))]
    lines = {e["line"] for e in wanted}
    found = events(MARIADB)
    assert len(wanted) > 40
    assert [e for e in found if e["line"] in lines] == wanted
    assert all(e["line"] < later["line"] for e, later in zip(found, found[1:]))


def test_a_forged_line_is_told_apart(events, summary):
    suspect = [e for e in events(MARIADB) if e["suspect"]]
    assert [(e["line"], e["kind"]) for e in suspect] == [(FORGED, "aborted")]
    told = summary(MARIADB)
    assert told["events"]["aborted"]["suspect"] == 1
    assert list(told["events"]) == KINDS
    assert "b" not in top_of(told["aborts"], "user") and "c" not in top_of(told["aborts"], "host")


def test_texts_are_as_the_server_wrote_them(events, tmp_path):
    names = ['we) ird (u: \'x', 'tab\there "quoted" \\back', "ünï ✓ 𝄞", "\x01\x1b[31m\x7f", "a' host: 'b"]
    log = tmp_path / "error.log"
    log.write_text("".join(line_of(i, user=name) for i, name in enumerate(names)), encoding="utf-8")
    assert [e["user"] for e in events(log)] == names
    log.write_bytes(line_of(1).encode().replace(b"app", b"a\xff\xc3\xed\xa0\x80b"))
    assert [e["user"] for e in events(log)] == ["a" + "\ufffd" * 5 + "b"]


def test_a_real_server_and_its_bad_clients(events, summary):
    """The log of a server of this moment, whose lines have its local time."""
    with MariaDB() as server:
        server.execute("CREATE DATABASE shop")
        server.execute(f"GRANT ALL ON shop.* TO '{APP[0]}'@'%'")
        left = clients.leave_without_quit(server, count=3, database="shop")
        clients.connect_and_leave(server)
        clients.wrong_password(server, count=2)
        with open(server.error_log, "rb") as f:
            log = f.read()
    found = events("-", stdin=log)
    assert [e["connection_id"] for e in found if (e["kind"], e["db"], e["user"]) == ("aborted", "shop", "app")] == left
    assert [e["user"] for e in found if e["kind"] == "access_denied"] == ["app", "app"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", e["time"]) for e in found)
    told = summary("-", stdin=log)
    assert told["aborts"]["count"] == 4 and told["clock"] == "server"
    assert top_of(told["aborts"], "client") == {"app@127.0.0.1": 3, "unauthenticated@127.0.0.1": 1}
    assert top_of(told["refused_logins"], "client") == {"app@127.0.0.1": 2}


# --- files ---

def test_gzip_and_stdin_give_the_same(explain, tmp_path):
    with open(MARIADB, "rb") as f:
        plain = f.read()
    packed = tmp_path / "error.log.1.gz"
    packed.write_bytes(gzip.compress(plain[:5000]) + gzip.compress(plain[5000:]))  # joined …
    os.truncate(packed, 128 << 20)  # … and what tapes and block devices add
    wanted = explain("--json", "--events", MARIADB).text
    assert wanted
    assert explain("--json", "--events", packed).text == wanted
    assert explain("--json", "--events", "-", stdin=plain).text == wanted
    assert explain("--json", "--events", "-", stdin=gzip.compress(plain)).text == wanted


def test_several_files_have_lines_and_a_name_of_their_own(events, summary, tmp_path):
    old, new = tmp_path / "error.log.1", tmp_path / "error.log"
    old.write_text("\n" + line_of(1) + line_of(2, user="x").rstrip("\n"))
    new.write_text(line_of(3))
    assert [(e["file"], e["line"], e["connection_id"]) for e in events(old, new)] == [
        (str(old), 2, 1), (str(old), 3, 2), (str(new), 1, 3)]
    assert [e["file"] for e in events("-", new, stdin=line_of(4).encode())] == ["-", str(new)]
    told = summary(old, new)
    assert [(f["file"], f["lines"], f["error"]) for f in told["files"]] == [(str(old), 3, None), (str(new), 1, None)]
    assert told["lines"] == 4 and told["aborts"]["count"] == 3


def test_what_one_file_leaves_open_does_not_reach_into_the_next(events, tmp_path):
    """A refused name with a newline makes the lines after it suspect, but not another file's."""
    old, new = tmp_path / "error.log.1", tmp_path / "error.log"
    old.write_text("2026-11-21  1:53:10 4 [Warning] Access denied for user 'x\n")
    new.write_text(line_of(3))
    assert [e["suspect"] for e in events(old, new) if e["kind"] == "aborted"] == [False]


def test_a_file_that_cannot_be_read_does_not_hide_the_others(explain, tmp_path):
    good, damaged, short = tmp_path / "good", tmp_path / "damaged.gz", tmp_path / "short.gz"
    good.write_text(line_of(1))
    packed = gzip.compress("".join(map(line_of, range(5000))).encode())
    few = gzip.compress("".join(map(line_of, range(1000))).encode())
    damaged.write_bytes(few[:len(few) // 2] + b"\xff" * 200 + few[len(few) // 2 + 200:])
    short.write_bytes(packed[:-2000])
    for path, why in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory"), (damaged, "damaged"),
                      (short, "ends too early")):
        done = explain("--json", path, good, status=1)
        assert str(path) in done.complaint and why in done.complaint
        told = json.loads(done.text)
        if path == damaged:  # what is in front of the damage was read
            assert 100 < told["aborts"]["count"] < 1000
        assert why in told["files"][0]["error"] and told["files"][1] == {
            "file": str(good), "lines": 1, "cut_lines": 0, "bytes": len(line_of(1)), "error": None}
    assert told["aborts"]["count"] > 1000  # what could be read of the short one was
    nothing = explain(tmp_path, status=1).text
    assert "Is a directory" in nothing and "No aborted connection" not in nothing


def test_lines_of_every_length(summary, tmp_path):
    """Cut at the limit and counted; the next line is whole again."""
    log = tmp_path / "error.log"
    for limit in (1024, 65536):
        lengths = [0, limit - 1, limit, limit + 1, 3 * limit, 65535, 65536, 65537, 200000, 1]
        log.write_text("".join("x" * n + "\n" + line_of(n) for n in lengths) + "y" * (limit + 1))
        told = summary(f"--line-limit={limit}", log)
        assert told["lines"] == 2 * len(lengths) + 1
        assert told["cut_lines"] == sum(n > limit for n in lengths) + 1
        assert told["aborts"]["count"] == len(lengths)
        assert told["bytes"] == log.stat().st_size


def test_a_hole_in_a_file_hides_no_line(events, tmp_path):
    """As a writer leaves it that goes on at its old place after the file was truncated."""
    log = tmp_path / "error.log"
    with log.open("wb") as f:
        for number in (1, 2, 3):
            f.seek(300 * number ** 2 * 1000)
            f.write(line_of(number).encode() + b"\0" * 50)
    assert [(e["line"], e["connection_id"]) for e in events(log)] == [(1, 1), (2, 2), (3, 3)]


def test_crlf(events, tmp_path):
    log = tmp_path / "error.log"
    log.write_bytes(line_of(1).encode().replace(b"\n", b"\r\n") * 2)
    assert [e["reason"] for e in events(log)] == [READ_ERROR] * 2


# --- times ---

@pytest.fixture
def clocks(tmp_path):
    """Lines of three servers: in UTC, with an offset, and with a local time that names no zone; and one without any."""
    log = tmp_path / "error.log"
    log.write_text(mysql8_line(1, "2026-11-21T06:21:48.123456Z") + mysql8_line(2, "2026-11-21T08:30:00.000000+02:00")
                   + line_of(3, "2026-11-21  6:00:00")
                   + "[Warning] Aborted connection 4 to db: 'd' user: 'u' host: 'h' (KILLED)\n")
    return log


def test_times_and_their_zones(events, clocks):
    utc = ["2026-11-21T06:21:48.123456Z", "2026-11-21T06:30:00Z"]
    assert [e["time"] for e in events(clocks)] == [*utc, "2026-11-21T06:00:00", None]
    assert [e["time"] for e in events(clocks, "--time-zone=Asia/Tokyo")] == [*utc, "2026-11-20T21:00:00Z", None]
    assert [e["time"] for e in events(clocks, "--time-zone=-01:30")] == [*utc, "2026-11-21T07:30:00Z", None]
    assert [e["time"] for e in events(clocks, "--time-zone=local")] == [*utc, "2026-11-21T05:00:00Z", None]


def test_the_summary_says_which_clock_it_shows(explain, summary, clocks):
    assert summary(clocks)["clock"] == "mixed" and "--time-zone would tell" in explain(clocks).text
    told = summary(clocks, "--time-zone=UTC")
    assert told["clock"] == "utc"
    assert (told["aborts"]["first"], told["aborts"]["last"]) == ("2026-11-21T06:00:00Z", "2026-11-21T06:30:00Z")
    assert told["aborts"]["over_time"]["step_seconds"] == 120
    assert sum(s["count"] for s in told["aborts"]["over_time"]["steps"]) == 3
    assert "server's clock" in explain("-", stdin=line_of(1).encode()).text


@pytest.mark.parametrize("flags, wanted", [
    (["--since=2026-11-21T06:21:48.123456Z"], [1, 2]),
    (["--since=2026-11-21T06:21:48.123457Z"], [2]),
    (["--until=2026-11-21T06:30:00Z"], [1, 3]),
    (["--until=2026-11-21T07:30:01+01:00"], [1, 2, 3]),
    (["--since=2026-11-21 06:00"], [1, 2, 3]),                               # both are Berlin's: this machine's
    (["--since=2026-11-21 06:00:01"], [1, 2]),
    (["--since=2026-11-21 06:00", "--time-zone=UTC"], [1, 2, 3]),
    (["--since=2026-11-21 06:00:01", "--time-zone=UTC"], [1, 2]),
    (["--since=2026-11-21", "--until=2026-11-21 06:00:01", "--time-zone=America/New_York"], [1, 2, 3]),
    (["--since=2026-11-22"], []),
])
def test_since_and_until(events, summary, clocks, flags, wanted):
    assert sorted(e["connection_id"] for e in events(clocks, *flags, complaints=True)) == wanted
    told = summary(clocks, *flags)
    assert told["aborts"]["count"] == len(wanted)
    assert (told["outside"], told["without_time"]) == (3 - len(wanted), 1)


def test_since_a_while_ago(events, tmp_path):
    log = tmp_path / "error.log"
    log.write_text("".join(mysql8_line(i, time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() - ago)))
                           for i, ago in enumerate((3 * 86400, 7300, 7100, 10))))
    assert [e["connection_id"] for e in events(log, "--since=2h")] == [2, 3]
    assert [e["connection_id"] for e in events(log, "--since=2d", "--until=1m")] == [1, 2]
    assert [e["connection_id"] for e in events(log, "--since=5000d")] == [0, 1, 2, 3]


def test_events_without_a_time_are_owned_to(explain, clocks):
    text = explain("--since=2026-11-21T06:22:00Z", clocks).text
    assert "2 events outside of --since and --until left out" in text and "1 event without a time left out" in text
    done = explain("--since=2026-11-21T06:22:00Z", "--json", "--events", clocks, complaints=True)
    assert "1 event without a time left out" in done.complaint


@pytest.mark.parametrize("flags, complaint", [
    (["--since=yesterday"], "'yesterday' is no time"), (["--until=2026-02-30"], "'2026-02-30' is no time"),
    (["--since=2026-11-21T06:21:48+14"], "'2026-11-21T06:21:48+14' is no time"),
    (["--since=1h", "--until=2h"], "--until: '2h' is not after --since: '1h'"),
    (["--time-zone=Europe/Atlantis"], "there is no 'Europe/Atlantis'"), (["--events"], "--events needs --json"), ([], "which FILE?"),
])
def test_wrong_usage(explain, flags, complaint):
    done = explain(*flags, *([MARIADB] if flags else []), status=2)
    assert complaint in done.complaint and not done.text


# --- people ---

def test_no_colours_and_bars_in_a_pipe(explain):
    text = explain(MARIADB).text
    assert "\x1b" not in text and "━" not in text and READ_ERROR in text
    assert explain(MARIADB, LC_ALL="C").text.isascii()


@pytest.fixture
def terminal(program):
    opened = []

    def start(*args, **env):
        opened.append(Terminal([program, "explain", *map(str, args)], environment(**{"TERM": "xterm-256color", **env})))
        return opened[-1]
    yield start
    for t in opened:
        t.close()


def test_colours_and_bars_on_a_terminal(terminal):
    def shown(**env):
        t = terminal(MARIADB, **env)
        assert t.wait() == 0
        return t.text
    rich, no_colour, dumb, ascii_only = shown(), shown(NO_COLOR="1"), shown(TERM="dumb"), shown(LC_ALL="C")
    assert "\x1b[36m" in rich and "━" in rich
    assert "\x1b[36m" not in no_colour and "━" in no_colour
    assert "\x1b" not in dumb and "━" not in dumb
    assert ascii_only.isascii() and "\x1b[36m====" in ascii_only


def test_progress_is_shown_while_a_pipe_is_read(program, tmp_path):
    """On the terminal that stderr is; it is wiped before the summary."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    t = Terminal([program, "explain", str(pipe)], environment(TERM="xterm-256color", NO_COLOR="1"))
    try:
        with pipe.open("w") as f:
            deadline = time.monotonic() + 60
            while "/s" not in t.text:
                assert time.monotonic() < deadline, t.text
                f.write(line_of(1) * 1000)
                f.flush()
                t.read_some()
        assert t.wait() == 0
    finally:
        t.close()
    assert re.search(r"\r\x1b\[Kpipe [\d.]+ [kM]?B, [\d.]+ [kMG]?B/s", t.text)
    assert re.search(r"\r\x1b\[K[^\r\x1b]*/pipe: \d+ lines", t.text), t.text[-3000:]


def test_progress_fits_the_terminal_that_it_is_shown_on(program, tmp_path):
    """Also where the summary goes elsewhere."""
    pipe = tmp_path / "a-log-of-a-long-name"
    os.mkfifo(pipe)
    t = Terminal(["/bin/sh", "-c", 'exec "$0" explain "$1" >"$1.txt"', program, str(pipe)], environment(TERM="xterm-256color", NO_COLOR="1"))
    try:
        termios.tcsetwinsize(t.fd, (24, 30))
        with pipe.open("w") as f:
            f.write(line_of(1))
            f.flush()
            t.read_until("/s")
        assert t.wait() == 0
    finally:
        t.close()
    frames = said(t.text).split("\r\x1b[K")
    assert frames[1].startswith("a-lo ") and max(map(len, frames)) < 30, frames


def test_a_file_without_lines_shows_progress_and_can_be_left(terminal):
    """Such as the hole that a truncation leaves, or what gzip makes of it."""
    t = terminal("/dev/zero")
    t.read_until("/s")
    t.type("\x03")
    assert t.wait() == 1 and re.search(r"/dev/zero: 0 lines, .*interrupted", t.text), t.text


def test_a_client_cannot_steer_the_terminal(terminal, tmp_path):
    log = tmp_path / "error.log"
    evil = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202e"
    log.write_text(line_of(1, user=evil, host="h\x1b[1m", reason="r\x1b[1m", db="d\x1b[1m")
                   + f"2026-11-21  1:51:41 5 [Warning] Access denied for user '{evil}'@'h' (using password: YES)\n", encoding="utf-8")
    for args in ([log], [log, "--json"], [log, "--json", "--events"]):
        t = terminal(*args, NO_COLOR="1")
        assert t.wait() == 0 and "owned" in t.text
        shown = t.text.replace("\r\x1b[K", "")
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", shown), repr(shown)
        if "--json" not in args:
            assert not re.search("[\x80-\x9f\u202e]", shown), repr(shown)


def test_ctrl_c_ends_the_reading_and_tells_what_was_read(program, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    child = subprocess.Popen([program, "explain", "--json", "--events", pipe], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=environment())
    with pipe.open("w") as f:
        f.write(line_of(1))
        f.flush()
        assert json.loads(child.stdout.readline())["connection_id"] == 1  # as it comes
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=60)
    assert child.returncode == 1 and b"interrupted" in stderr


def test_ctrl_c_leaves_files_unread_and_says_so(program, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    child = subprocess.Popen([program, "explain", "--json", pipe, MARIADB], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             env=environment())
    with pipe.open("wb"):
        wait_until(lambda: process_status(child.pid, "State") == "S", 60, "it waits for a line")
        child.send_signal(signal.SIGINT)
        told, _ = child.communicate(timeout=60)
    assert [(file["lines"], file["error"]) for file in json.loads(told)["files"]] == [(0, "interrupted")] * 2


def test_ctrl_c_tears_no_line_apart(program, tmp_path):
    """Also where whoever reads them is slow, so that the pipe is full to its last byte before we write."""
    log, pipe = tmp_path / "error.log", 4096
    log.write_text("".join(map(line_of, range(300))))
    command = [program, "explain", "--json", "--events", str(log)]
    whole = subprocess.run(command, capture_output=True, check=True, timeout=60, env=environment()).stdout
    reader, writer = os.pipe()
    assert fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, pipe) == pipe
    before = b" " * pipe
    os.write(writer, before)
    child = subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE, env=environment())
    os.close(writer)
    with open(reader, "rb", buffering=0) as f:
        wait_until(lambda: has_signal(child.pid, "SigCgt", signal.SIGINT) and process_status(child.pid, "State") == "S", 60,
                   "it is about to write and nobody reads")
        child.send_signal(signal.SIGINT)
        wait_until(lambda: not has_signal(child.pid, "ShdPnd", signal.SIGINT), 60, "it has the signal")
        told = b"".join(iter(lambda: f.read(65536), b""))
    _, stderr = child.communicate(timeout=60)
    assert told == before + whole and said(stderr.decode()).splitlines() == [f"mysqlconn_exporter: {log}: interrupted"]
    assert child.returncode == 1


def test_nobody_reads_any_further(program, tmp_path):
    log = tmp_path / "error.log"
    log.write_text(line_of(1) * 20000)
    child = subprocess.Popen([program, "explain", "--json", "--events", log], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=environment())
    assert child.stdout.readline()
    child.stdout.close()
    assert child.wait(60) == 1 and said(child.stderr.read().decode()) == ""
    child.stderr.close()


def test_a_file_that_is_truncated_meanwhile_was_not_read_to_its_end(program, tmp_path):
    log = tmp_path / "error.log"
    log.write_text(line_of(1) * 50000)
    child = subprocess.Popen([program, "explain", "--json", "--events", log], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=environment())
    assert child.stdout.readline()  # of 9 MB; nobody reads the others yet
    os.truncate(log, 0)
    told, stderr = child.communicate(timeout=60)
    assert child.returncode == 1 and b"became shorter" in stderr and 100 < told.count(b"\n") < 40000
    log.write_text(line_of(1) + line_of(2))
    with log.open("rb") as f:
        f.seek(len(line_of(1)))  # stdin, of which somebody has read a part
        done = subprocess.run([program, "explain", "-"], stdin=f, capture_output=True, check=False, timeout=60, env=environment())
    assert done.returncode == 0 and b"stdin: 1 line," in done.stdout


def test_a_full_disk_is_told(program):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([program, "explain", MARIADB], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60, env=environment())
    assert done.returncode == 1 and b"No space left" in done.stderr


# --- bounds ---

REFUSED = "2026-11-21  1:51:41 5 [Warning] Access denied for user '%s'@'%s' (using password: YES)\n"


def test_gigabytes_in_bounded_memory(program, sanitized, figure):
    """A stream of different clients, reasons and databases with long names, with lines without end in between."""
    size = (30 if sanitized else 2000) * 1000 * 1000
    child = subprocess.Popen([program, "explain", "--json", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
    sent = events_sent = 0
    filler = b"2026-11-21  1:51:41 0 [Note] InnoDB: Buffer pool(s) load completed at 261121  1:51:41\n" * 8000
    while sent < size:
        different = "".join(line_of(i, user=f"u{i}" * 60, host=f"h{i}" * 60, db=f"d{i}" * 60, reason=f"r{i}" * 60) +
                            REFUSED % (f"u{i}" * 60, f"h{i}" * 60)
                            for i in range(events_sent, events_sent + 500)).encode()
        events_sent += 500
        for part in (different, filler, b"x" * 300000 + b"\n"):
            child.stdin.write(part)
            sent += len(part)
    with open(f"/proc/{child.pid}/status", encoding="ascii") as f:
        peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
    child.stdin.close()
    told = json.load(child.stdout)
    child.stdout.close()
    assert child.wait(60) == 0
    assert told["bytes"] == sent and told["aborts"]["count"] == events_sent and told["cut_lines"] == events_sent // 500
    users = told["aborts"]["by_user"]
    assert sum(e["count"] for e in users["top"]) + users["others"] == events_sent
    figure(f"{sent / 1e9:.2f} GB through a pipe, {events_sent} different clients: {peak} KB resident at most")
    assert sanitized or peak <= 16384
