"""The HTTP side: pages, health, wrong requests, and clients that are slow, rude or many do not delay a scrape."""

import asyncio
import concurrent.futures
import contextlib
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from fake import liar
from lib.exporter import target
from lib.process import starved

SCHEDULE = {"poll": {"interval": "500ms", "timeout": "500ms"}, "probe": {"interval": "500ms", "timeout": "500ms"}}


@pytest.fixture
def watching(exporter, server):
    running = exporter({**SCHEDULE, "targets": [target(server, "db1", labels={"env": 'a "b" \\c'}),
                                                target("127.0.0.1:1", "down-b")]})
    running.wait_for(lambda m: m.value("mysql_up", target="db1") == 1 and m.down("down-b", "poll"), 10)
    return running


def test_promtool_finds_nothing(watching):
    done = subprocess.run(["promtool", "check", "metrics"], input=watching.get("/metrics"), capture_output=True, text=True,
                          check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_labels_arrive_unharmed(watching):
    (labels, _), = watching.scrape().samples("mysql_up", target="db1")
    assert labels["env"] == 'a "b" \\c'


def test_pages(watching):
    with urllib.request.urlopen(watching.url + "/metrics", timeout=60) as answer:
        assert answer.headers["Content-Type"].replace(" ", "").startswith("text/plain;version=0.0.4")
    assert watching.get("/-/healthy")
    assert watching.get("/-/ready")
    page = watching.get("/")
    for wanted in ("/metrics", "db1", "down-b", "refused"):
        assert wanted in page, wanted


@pytest.mark.parametrize("request_, status", [("GET /nothing HTTP/1.1", 404), ("POST /metrics HTTP/1.1", 405),
                                              ("DELETE / HTTP/1.1", 405), ("GET /../etc/passwd HTTP/1.1", 404)])
def test_wrong_requests(watching, request_, status):
    with socket.create_connection(("127.0.0.1", watching.port), timeout=60) as sock:
        sock.sendall(f"{request_}\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        assert sock.recv(4096).split()[1] == str(status).encode()


def test_head_has_no_body(watching):
    request = urllib.request.Request(watching.url + "/metrics", method="HEAD")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200 and answer.read() == b""


def test_telemetry_path(exporter, server):
    watching = exporter({"targets": [target(server)]}, args=["--web.telemetry-path=/m"])
    assert "mysqlconn_polls_total" in watching.get("/m") and 'href="/m"' in watching.get("/").replace("'", '"')
    with pytest.raises(urllib.error.HTTPError):
        watching.get("/metrics")


def test_ready_only_when_all_were_tried(exporter):
    tried = threading.Event()

    async def silent(_peer):
        while not tried.is_set():
            await asyncio.sleep(0.02)

    slow = {"poll": {"interval": "5m", "timeout": "5m"}, "probe": {"interval": "5m", "timeout": "5m"}}
    with liar.Liar(silent) as server:
        watching = exporter({**slow, "targets": [target(server.address)]})
        assert watching.get("/-/healthy")
        with pytest.raises(urllib.error.HTTPError) as not_yet:
            watching.get("/-/ready")
        assert not_yet.value.code == 503
        tried.set()
        watching.wait_for(lambda m: m.down("db1", "poll") and m.down("db1", "probe"), 15)
        assert watching.get("/-/ready")


def test_slow_and_rude_clients_do_not_delay_a_scrape(watching, figure):
    with contextlib.ExitStack() as stack:
        def connect():
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", watching.port), timeout=60))
            return sock

        for _ in range(20):
            connect()                                          # says nothing
            connect().sendall(b"GET /metrics HT")              # stops in the request line
            connect().sendall(b"GET /metrics HTTP/1.1\r\nX: ")  # stops in the headers
            connect().sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)  # asks much and reads nothing
            connect().sendall(b"\x16\x03\x01\x02\x00\x01\x00")  # believes it is HTTPS
        times, before = [], starved(watching.pid) + starved(os.getpid())
        for _ in range(20):
            started = time.monotonic()
            assert "mysql_up" in watching.get("/metrics")
            times.append(time.monotonic() - started)
        assert max(times) < 1 + starved(watching.pid) + starved(os.getpid()) - before, times
        figure(f"beside 100 slow clients a scrape takes {1000 * sorted(times)[10]:.1f} ms (median), {1000 * max(times):.1f} ms (worst)")
    watching.wait_for(lambda m: m.value("mysqlconn_probe_success", target="db1") == 1, 10)


def test_scrapes_at_the_same_time(watching):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        pages = list(pool.map(lambda _: watching.get("/metrics"), range(200)))
    assert all(p.endswith("\n") and "mysql_up" in p for p in pages)
