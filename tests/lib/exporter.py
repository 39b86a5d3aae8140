"""The program under test: its configuration, its life, its log lines and its metrics."""

import contextlib
import itertools
import json
import os
import re
import signal
import socket
import tempfile
import time
import urllib.parse
import urllib.request
from datetime import datetime

from prometheus_client.parser import text_string_to_metric_families

from .process import PATIENCE, Process, TimeOut, patience, starved, wait_until

_SANITIZER = re.compile(r"(Address|Leak|UndefinedBehavior|Thread|Memory)Sanitizer|runtime error:")
_LOGFMT = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)=("(?:[^"\\]|\\.)*"|[^ ]*)')
SANITIZER_STATUS = 99

_SUPPRESSIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lsan.supp")


def sanitizer_environment(base=None):
    """The environment in which a program built with ASan and UBSan stops at its first finding with a status of its own."""
    env = dict(os.environ if base is None else base)
    env["ASAN_OPTIONS"] = (f"detect_leaks=1:detect_stack_use_after_return=0:halt_on_error=1:exitcode={SANITIZER_STATUS}:"
                           "allocator_may_return_null=1")
    env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
    env["LSAN_OPTIONS"] = f"suppressions={_SUPPRESSIONS}:print_suppressions=0:exitcode={SANITIZER_STATUS}"
    return env


def sanitizer_report(text):
    """Whether `text` holds a report of a sanitizer."""
    return bool(_SANITIZER.search(text))


def excerpt(text, before=20, after=120):
    """The part of an output around its first report, repeated lines told once."""
    lines = [line for line, _ in itertools.groupby(text.splitlines())]
    first = next((i for i, line in enumerate(lines) if sanitizer_report(line)), len(lines))
    return "\n".join(lines[max(0, first - before):first + after])


def parse_logfmt(line):
    """A log line as a dictionary; {} for what is not logfmt."""
    fields = {}
    for key, value in _LOGFMT.findall(line):
        if value.startswith('"'):
            try:
                value = json.loads(value)
            except ValueError:
                value = value[1:-1]
        fields[key] = value
    return fields if "msg" in fields else {}


class Metrics:
    """One scraped page."""

    def __init__(self, text):
        self.text = text
        self.types = {}
        self._samples = {}
        for family in text_string_to_metric_families(text):
            self.types[family.name + ("_total" if family.type == "counter" else "")] = family.type
            for s in family.samples:
                self._samples.setdefault(s.name, []).append((s.labels, s.value))

    def names(self):
        return set(self._samples)

    def samples(self, name, **labels):
        """[(labels, value)] of the samples that bear these labels."""
        wanted = labels.items()
        return [(l, v) for l, v in self._samples.get(name, []) if wanted <= l.items()]

    def value(self, name, **labels):
        """The one sample that bears these labels."""
        found = self.samples(name, **labels)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} samples of {name}{labels}, not one: {found[:5]}")
        return found[0][1]

    def sum(self, name, **labels):
        """The sum of all samples that bear these labels; 0 when there is none."""
        return sum(v for _, v in self.samples(name, **labels))

    def down(self, target, operation):
        """(phase, reason) why `target` is down for `operation` ("poll" or "probe"); None when it is not."""
        found = [l for l, v in self.samples("mysqlconn_target_down_info", target=target, operation=operation) if v]
        return (found[0]["phase"], found[0]["reason"]) if found else None

    def quantile_bound(self, name, share, **labels):
        """Upper bound of the bucket that holds the given share of a classic histogram's observations, over all that match."""
        buckets = {}
        for l, v in self.samples(name + "_bucket", **labels):
            bound = float(l["le"])
            buckets[bound] = buckets.get(bound, 0) + v
        total = buckets.get(float("inf"), 0)
        for bound in sorted(buckets):
            if buckets[bound] >= share * total:
                return bound
        return float("nan")


def _says_where(line):
    """Whether a log line tells the address that the exporter listens on."""
    return "listening" in line and "127.0.0.1:" in line


def target(server, name="db1", user=None, password=None, get_server_public_key=False, **settings):
    """The configuration of a target: a server object or an address, the monitoring account unless told otherwise."""
    from .mariadb import MONITOR
    address = getattr(server, "address", server)
    credentials = {"user": user or MONITOR[0], "password": MONITOR[1] if password is None else password,
                   "get_server_public_key": get_server_public_key}
    return {"name": name, "address": address, "credentials": credentials, **settings}


class Exporter:
    """Started by start(); use it in a `with`, whose end fails on a sanitizer's report or an unexpected exit status."""

    def __init__(self, program, config, args=(), env=None, folder=None):
        self.program = str(program)
        self._temporary = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="mysqlconn-exporter-")
            folder = self._temporary.name
        self.folder = str(folder)
        self.config_file = os.path.join(self.folder, "config.yml")
        self.write_config(config)
        self.args = list(args)
        # As systemd does, we are told when it is ready and when a reload is done.
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(os.path.join(self.folder, "notify"))
        self.env = {**sanitizer_environment(), "NOTIFY_SOCKET": self._notify.getsockname(), **(env or {})}
        self.process = None
        self.port = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            status = self.process.end(15)
            if kind is None:
                self.check(status)
        finally:
            self._notify.close()
            if self._temporary is not None:
                self._temporary.cleanup()

    def write_config(self, config):
        """Replace the file at once, as an administrator's tool would. A dictionary is written as JSON, which is YAML too."""
        text = config if isinstance(config, str) else json.dumps(config, indent=1, ensure_ascii=False)
        new = self.config_file + ".new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as f:
            f.write(text + "\n")
        os.rename(new, self.config_file)

    def start(self, timeout=20):
        argv = [self.program, f"--config.file={self.config_file}", "--web.listen-address=127.0.0.1:0", *self.args]
        self.process = Process(argv, env=self.env)
        try:
            line = self.process.wait_for_line(_says_where, timeout)
        except BaseException:
            self.process.kill()
            raise
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", line).group(1))
        return self

    @property
    def pid(self):
        return self.process.pid

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    # --- what it says -------------------------------------------------------------------------------------------------
    def get(self, path, timeout=PATIENCE):
        """The body of a page that answers 200; urllib's HTTPError for other answers."""
        with urllib.request.urlopen(self.url + path, timeout=timeout) as answer:
            return answer.read().decode("utf-8")

    def scrape(self):
        return Metrics(self.get("/metrics"))

    def api(self, resource, **parameters):
        """`data` of /api/v1/RESOURCE."""
        answer = json.loads(self.get(f"/api/v1/{resource}?{urllib.parse.urlencode(parameters)}"))
        assert answer["status"] == "success"
        return answer["data"]

    def events(self, **parameters):
        """The newest aborts, as many as a page holds."""
        return self.api("events", **{"limit": 1000, **parameters})["events"]

    def wait_for_events(self, predicate, timeout=15, **parameters):
        """Ask until predicate(events) is true; returns those events."""
        last = []

        def attempt():
            last[:] = self.events(**parameters)
            return predicate(last)
        wait_until(attempt, timeout, lambda: "events:\n" + "\n".join(map(json.dumps, last[:30])), step=0.05)
        return last

    def wait_for(self, predicate, timeout, what="a condition on /metrics"):
        """Scrape until predicate(metrics) is true; returns those metrics. A sample that is missing counts as not true."""
        last = None

        def attempt():
            nonlocal last
            if not self.process.running():
                raise AssertionError(f"the exporter ended:\n{self.process.output()}")
            last = self.scrape()
            try:
                return last if predicate(last) else None
            except AssertionError:
                return None

        def explain():
            tail = "\n".join(self.process.lines[-25:])
            ours = "\n".join(l for l in last.text.splitlines() if l.startswith(("mysqlconn_target", "mysql_up")))
            text = what() if callable(what) else what
            return f"{text}; the last log lines:\n{tail}\nand of the page:\n{ours[-3000:]}"

        return wait_until(attempt, timeout, explain, step=0.05)

    def log(self, **fields):
        """The log lines so far (logfmt) as dictionaries, those with these fields."""
        parsed = (parse_logfmt(line) for line in list(self.process.lines))
        return [p for p in parsed if p and fields.items() <= p.items()]

    def wait_for_log(self, timeout, since=0, **fields):
        """The first line with these fields, from line `since` on."""
        line = self.process.wait_for_line(lambda l: fields.items() <= parse_logfmt(l).items(), timeout, since)
        return parse_logfmt(line)

    def everything_said(self):
        """All that a stranger could read of it: log, pages, command line, environment of the process list."""
        with open(f"/proc/{self.pid}/cmdline", encoding="utf-8") as f:
            cmdline = f.read()
        return "\n".join([self.process.output(), self.get("/metrics"), self.get("/"), cmdline])

    # --- what is done to it -------------------------------------------------------------------------------------------
    def wait_notified(self, wanted, timeout=10):
        """Wait for a message to systemd with the line `wanted` ("" takes any); returns the message."""
        self._notify.settimeout(patience(timeout))
        while True:
            try:
                message = self._notify.recv(4096).decode()
            except TimeoutError as e:
                raise TimeOut(f"{wanted} was not told to systemd; the log:\n{self.process.output()}") from e
            if not wanted or wanted in message.splitlines():
                return message

    def reload(self, config=None):
        """Write `config` if given, send SIGHUP and wait for the end of the reload. Returns whether it succeeded."""
        if config is not None:
            self.write_config(config)
        self.process.signal(signal.SIGHUP)
        self.wait_notified("RELOADING=1")
        self.wait_notified("READY=1")
        return self.scrape().value("mysqlconn_exporter_config_last_reload_successful") == 1

    def stop(self, number=signal.SIGTERM, timeout=15):
        """End it, check how it ended; returns the seconds that it took, without those in which others had the CPU, and without what
        a sanitizer does at the end."""
        began, before = time.time(), starved(self.pid, main_thread=True)
        since = len(self.process.lines)
        self.process.signal(number)
        ended = time.time
        with contextlib.suppress(TimeOut):  # of one that logs in another format, or crashes
            said = self.wait_for_log(timeout, since, msg="ended")
            ended = datetime.fromisoformat(said["ts"].replace("Z", "+00:00")).timestamp
        waited = starved(self.pid, main_thread=True) - before
        took = ended() - began
        self.check(self.process.wait(timeout))
        return max(took - waited, 0)

    def check(self, status):
        text = self.process.output()
        if sanitizer_report(text):
            raise AssertionError(f"a sanitizer found something:\n{excerpt(text)}")
        if status != 0:
            raise AssertionError(f"the exporter ended with status {status}:\n{text[-5000:]}")


__all__ = ["Exporter", "Metrics", "TimeOut", "parse_logfmt", "sanitizer_environment", "sanitizer_report", "target"]
