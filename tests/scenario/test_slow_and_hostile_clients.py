"""Clients that are slow, rude or many: a good client's scrapes go on at once, and what they can take is bounded."""

import contextlib
import re
import resource
import select
import socket
import threading
import time

import pytest

from lib.exporter import target
from lib.process import PATIENCE, wait_until

# Time enough for a dribbling client to be noticed, and for the sanitizers to be slow.
NOTICED = 30
# So long one that asks no more is waited for.
IDLE = 90


@pytest.fixture
def watching(exporter):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield exporter({"poll": {"interval": "60s"}, "probe": {"interval": "60s"},
                    "targets": [target("127.0.0.1:1", f"target-{i}") for i in range(100)]})
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(stack, exporter, source=None, receive_buffer=None):
    sock = stack.enter_context(socket.socket())
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source:
        sock.bind((source, 0))
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", exporter.port))
    return sock


def scrapes(exporter, count):
    """How long `count` scrapes took, each over a connection of its own, sorted."""
    times = []
    for _ in range(count):
        started = time.monotonic()
        assert "mysql_up" in exporter.get("/metrics")
        times.append(time.monotonic() - started)
    return sorted(times)


def memory(exporter):
    """Bytes in RAM."""
    with open(f"/proc/{exporter.pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def refused(exporter, reason):
    return exporter.scrape().value("mysqlconn_exporter_http_refused_total", reason=reason)


def closed(sock):
    """Whether the server has closed the connection."""
    readable, _, _ = select.select([sock], [], [], 0)
    if not readable:
        return False
    try:
        return sock.recv(65536) == b""
    except ConnectionError:
        return True


class Dribble:
    """Sends a byte a second on each of these connections, from a thread of its own, until the end."""

    def __init__(self, socks, text):
        self._socks, self._text, self._end = socks, text, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        for at in range(len(self._text)):
            for sock in self._socks:
                with contextlib.suppress(OSError):
                    sock.send(self._text[at:at + 1])
            if self._end.wait(1):
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def test_500_connections_that_dribble(watching, figure):
    alone = scrapes(watching, 20)
    before = memory(watching)
    with contextlib.ExitStack() as stack:
        kept = connect(stack, watching, "127.0.0.3")
        kept.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(4096).startswith(b"HTTP/1.1 200")
        answered = time.monotonic()
        # Of one address that is the good client's, of another one, and of many.
        sources = ["127.0.0.1", "127.0.0.2"] + [f"127.0.1.{i}" for i in range(1, 51)]
        socks = [connect(stack, watching, sources[i % len(sources)] if i >= 400 else sources[i % 2]) for i in range(500)]
        with Dribble(socks, b"GET /metrics HTTP/1.1\r\nX-Slow: " + b"x" * 1000):
            beside = scrapes(watching, 20)
            grown = memory(watching) - before
            # Though they never stop to send, they are not waited for.
            wait_until(lambda: all(closed(s) for s in socks), NOTICED, "the dribbling connections to be closed", step=0.2)
        # One that waits for the next scrape is: longer than a new one may take for its first request.
        if time.monotonic() - answered < IDLE - 10:
            kept.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            assert kept.recv(4096).startswith(b"HTTP/1.1 200")
    assert refused(watching, "slow_request") + refused(watching, "crowded_out") >= 500
    figure(f"scrapes alone {1000 * alone[10]:.1f} ms (median), {1000 * alone[-1]:.1f} ms (worst); beside 500 dribbling "
           f"connections {1000 * beside[10]:.1f} ms, {1000 * beside[-1]:.1f} ms, {grown / 2**20:.1f} MB more")
    assert grown < 100 * 2**20


def test_200_scrapers_that_read_slowly(watching, figure):
    before = memory(watching)
    with contextlib.ExitStack() as stack:
        socks = [connect(stack, watching, receive_buffer=2048) for _ in range(200)]
        for i, sock in enumerate(socks):
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + (b"Accept-Encoding: gzip\r\n" if i % 2 else b"") + b"\r\n")
        for sock in socks:
            assert sock.recv(10)
        beside = scrapes(watching, 20)
        grown = memory(watching) - before
        figure(f"beside 200 slow readers a scrape takes {1000 * beside[10]:.1f} ms (median), {1000 * beside[-1]:.1f} ms (worst); "
               f"{grown / 2**20:.1f} MB more")
        assert grown < 200 * 2**20
        # Each of them gets his page, whole, if he wants it.
        socks[0].setblocking(True)
        whole = b""
        while not whole.endswith(b"\r\n0\r\n\r\n"):
            part = socks[0].recv(65536)
            assert part
            whole += part


def test_more_connections_than_there_may_be(watching, figure):
    """Who asks for nothing makes room, also for others of his own address."""
    with contextlib.ExitStack() as stack:
        for i in range(1100):
            connect(stack, watching, f"127.0.{i % 5}.9")
        assert "mysql_up" in watching.get("/metrics")
        metrics = watching.scrape()
        open_now = metrics.value("mysqlconn_exporter_http_connections")
        figure(f"of 1100 idle connections {open_now:.0f} stay, "
               f"{metrics.value('mysqlconn_exporter_http_refused_total', reason='crowded_out'):.0f} made room")
        assert open_now <= 512
        for i in range(300):
            connect(stack, watching, "127.0.0.1")
        assert "mysql_up" in watching.get("/metrics")


@pytest.mark.parametrize("request_, statuses", [
    (b"GET /" + b"a" * 2**20 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {b"414"}),
    (b"G" * 2**20, {b"414", b"400", b""}),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"b" * 2**20 + b"\r\n\r\n", {b"431"}),
    (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 2**17 + b"\r\n", {b"431"}),
    (b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\nnot hexadecimal\r\n", {b"413"}),
    (b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\n", {b"413"}),
    (b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", {b"400", b"413"}),
    (b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", {b"400", b"413"}),
    (b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", {b"400", b"413"}),
    (b"GET /metrics HTTP/1.1\r\n\r\n", {b"400", b"200"}),
    (b"\r\n" * 2**19, {b"414"}),
], ids=lambda v: repr(v[:24]) if isinstance(v, bytes) else "")
def test_rude_requests(watching, request_, statuses):
    with contextlib.ExitStack() as stack:
        sock = connect(stack, watching)
        with contextlib.suppress(ConnectionError):
            sock.sendall(request_)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := sock.recv(65536):
                answer += part
    assert (answer.split()[1] if answer else b"") in statuses, answer[:200]
    assert "mysql_up" in watching.get("/metrics")


def test_pipelining(watching):
    """Each of many requests sent at once has its answer, in order; a rude one among them ends it."""
    with contextlib.ExitStack() as stack:
        sock = connect(stack, watching)
        paths = ["/-/healthy", "/nothing", "/-/ready", "/metrics"] * 5 + ["/-/healthy", "/nothing"] * 40
        sock.sendall(b"".join(f"GET {p} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for p in paths)
                     + b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        parts = []
        while part := sock.recv(65536):
            parts.append(part)
        answer = b"".join(parts)
    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", answer)
    assert len(statuses) == 101 and statuses[:2] == [b"200", b"404"] and statuses[-1] == b"200"
