"""Where and how HTTP is served: addresses, sockets of systemd, prefixes, /config and /-/reload."""

import http.client
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.exporter import sanitizer_environment, target
from lib.process import PATIENCE
from lib.web_client import ask

QUIET = {"poll": {"interval": "60s"}, "probe": {"interval": "60s"}}
TARGETS = {**QUIET, "targets": [target("127.0.0.1:1", "db1", user="watcher", password="the password of db1")]}


def ask_unix(path, request="/-/healthy"):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(path))
        sock.sendall(f"GET {request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        parts = []
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


def test_many_addresses(exporter, tmp_path):
    path = tmp_path / "socket"
    left_behind = socket.socket(socket.AF_UNIX)
    left_behind.bind(str(path))
    left_behind.close()
    running = exporter(TARGETS, ["--web.listen-address=[::1]:0", f"--web.listen-address=unix:{path}"])
    line = running.process.wait_for_line(lambda l: "address=[::1]:" in l or 'address="[::1]:' in l, 10)
    six = re.search(r"\[::1\]:(\d+)", line)
    assert "is healthy" in ask_unix(path) and ask(running.port).status == 200
    with socket.create_connection(("::1", int(six.group(1))), timeout=PATIENCE) as sock:
        sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
    running.stop()
    assert not path.exists()


def test_a_socket_that_is_in_use_is_left_alone(program, tmp_path):
    path, config = tmp_path / "socket", tmp_path / "c.yml"
    config.write_text("targets:\n- name: a\n  address: 127.0.0.1:1\n")
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(path))
        taken.listen()
        done = subprocess.run([program, f"--config.file={config}", f"--web.listen-address=unix:{path}"], capture_output=True,
                              text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 1 and "Address already in use" in done.stderr and path.exists()
    path.unlink()
    path.write_text("a file of somebody")
    done = subprocess.run([program, f"--config.file={config}", f"--web.listen-address=unix:{path}"], capture_output=True,
                          text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1 and path.read_text() == "a file of somebody"


# What systemd does: the sockets are descriptors 3 and up, and LISTEN_PID is the process that is started.
ACTIVATE = """
import os, sys
for at, fd in enumerate(map(int, sys.argv[1].split(",")), 3):
    os.dup2(fd, at)
    os.set_inheritable(at, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sys.argv[1].split(","))))
os.execv(sys.argv[2], sys.argv[2:])
"""


def activated(program, config, fds, args=()):
    # High numbers, so that dup2() overwrites none of them.
    high = [os.dup(os.dup(os.dup(os.dup(fd)))) for fd in fds]
    for fd in high:
        os.set_inheritable(fd, True)
    return subprocess.Popen([sys.executable, "-c", ACTIVATE, ",".join(map(str, high)), program, f"--config.file={config}",
                             "--web.systemd-socket", *args], close_fds=False, stderr=subprocess.PIPE, text=True,
                            env=sanitizer_environment())


def test_sockets_of_systemd(program, tmp_path):
    config, path = tmp_path / "c.yml", tmp_path / "socket"
    config.write_text("targets:\n- name: a\n  address: 127.0.0.1:1\n")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        running = activated(program, config, [tcp.fileno(), unix.fileno()])
        try:
            assert ask(tcp.getsockname()[1]).status == 200 and "is healthy" in ask_unix(path)
        finally:
            running.terminate()
            assert running.wait(PATIENCE) == 0, running.stderr.read()
        assert path.exists(), "it is systemd's"


def test_no_sockets_of_systemd(program, tmp_path):
    config = tmp_path / "c.yml"
    config.write_text("targets:\n- name: a\n  address: 127.0.0.1:1\n")
    done = subprocess.run([program, f"--config.file={config}", "--web.systemd-socket"], capture_output=True, text=True,
                          check=False, timeout=PATIENCE)
    assert done.returncode == 1 and "systemd has passed no socket" in done.stderr
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        running = activated(program, config, [datagrams.fileno()])
        assert running.wait(PATIENCE) == 1 and "not a stream socket" in running.stderr.read()


@pytest.mark.parametrize("args, routes, links", [
    (["--web.route-prefix=/db/conn/"], "/db/conn", "/db/conn"),
    (["--web.external-url=https://ops.test:8443/conn/"], "/conn", "/conn"),
    (["--web.external-url=https://ops.test/conn", "--web.route-prefix=/"], "", "/conn"),
    (["--web.external-url=https://ops.test"], "", ""),
])
def test_prefixes(exporter, args, routes, links):
    running = exporter(TARGETS, args)
    page = ask(running.port, routes + "/")
    assert page.status == 200
    hrefs = re.findall(r'(?:href|src)="?([^">]+)', page.text)
    assert f"{links}/metrics" in hrefs and all(h.startswith((links + "/", "#")) or "://" in h for h in hrefs), hrefs
    assert "mysql_up" in ask(running.port, routes + "/metrics").text
    assert ask(running.port, routes + "/-/healthy").status == 200
    assert ask(running.port, routes + "/api/v1/targets").status == 200
    assert ask(running.port, routes + "/nothing").status == 404
    if routes:
        assert ask(running.port, "/metrics").status == 404 and ask(running.port, routes + "x/metrics").status == 404
        for path in ("/", routes):
            moved = ask(running.port, path)
            assert (moved.status, moved.headers["Location"]) == (302, links + "/")


@pytest.mark.parametrize("flag", ["--web.external-url=ops.test/x", "--web.external-url=http://", "--web.route-prefix=x",
                                  '--web.route-prefix=/"onload="', "--web.external-url=http://x/?a=b", "--web.route-prefix=/a//b"])
def test_prefixes_that_are_refused(program, flag):
    done = subprocess.run([program, "--mysqld.address=127.0.0.1:1", flag], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 2 and flag.split("=")[0] in done.stderr


def test_config_shows_what_runs_without_secrets(exporter):
    running = exporter(TARGETS)
    page = ask(running.port, "/config")
    assert page.status == 200 and "the password of db1" not in page.text and '"<secret>"' in page.text
    assert 'name: "db1"' in page.text and 'user: "watcher"' in page.text
    running.write_config({**QUIET, "targets": [target("127.0.0.1:1", "db2")]})
    assert "db2" not in ask(running.port, "/config").text, "not before it is reloaded"
    assert ask(running.port, "/-/reload", method="POST").status == 200
    page = ask(running.port, "/config").text
    assert "db2" in page and "db1" not in page


def test_config_of_many_targets_is_whole(exporter):
    running = exporter({**QUIET, "targets": [target("127.0.0.1:1", f"db{i}") for i in range(300)]})
    page = ask(running.port, "/config").text
    assert [f"db{i}" for i in range(300)] == re.findall(r'- name: "(db\d+)"', page)


def test_reload(exporter):
    running = exporter(TARGETS)
    for method in ("GET", "HEAD", "DELETE"):
        answer = ask(running.port, "/-/reload", method=method)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST, PUT"), method
    assert ask(running.port, "/-/reload", method="PUT").status == 200
    running.write_config({**QUIET, "targets": [{"name": "db1", "adress": "127.0.0.1:1"}]})
    answer = ask(running.port, "/-/reload", method="POST")
    assert answer.status == 500 and re.search(r":\d+:\d+: targets\[0\]: unknown key", answer.text), answer.text
    assert running.scrape().value("mysqlconn_exporter_config_last_reload_successful") == 0
    assert ask(running.port, "/-/reload", method="POST", headers={"Content-Length": "5"}).status == 413
    running.write_config(TARGETS)
    assert ask(running.port, "/-/reload", method="POST").status == 200
    assert running.scrape().value("mysqlconn_exporter_config_last_reload_successful") == 1


MANY = {**QUIET, "targets": [target("127.0.0.1:1", f"db{i}") for i in range(300)]}


def post_reload(running):
    return ask(running.port, "/-/reload", method="POST")


def test_reloads_in_a_loop_get_a_tenth_of_the_time_and_are_shared(exporter, figure):
    posts = 20
    running = exporter(MANY, env={"NOTIFY_SOCKET": ""})
    assert post_reload(running).status == 200
    running.write_config({**MANY, "targets": [*MANY["targets"], target("127.0.0.1:1", "one-more")]})
    with ThreadPoolExecutor(posts) as pool:
        answers = list(pool.map(lambda _: post_reload(running).status, range(posts)))
    assert answers == posts * [200]
    assert running.scrape().value("mysqlconn_exporter_targets") == 301  # whoever was answered got what was there when he asked
    running.stop()
    held = running.log(msg="repeated lines were suppressed", line="configuration reloaded")
    reloads = len(running.log(msg="configuration reloaded")) + sum(int(line["count"]) for line in held) - 1
    figure(f"{posts} requests at once: {reloads} reloads")
    assert 0 < reloads < posts


def test_it_ends_while_a_reload_is_waited_for(exporter):
    running = exporter(MANY, env={"NOTIFY_SOCKET": ""})
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(post_reload, running) for _ in range(4)]
        assert waiting[0].result().status in (200, 500)
        running.stop()
        for answer in waiting[1:]:
            try:
                assert answer.result().status in (200, 500)
            except (OSError, http.client.HTTPException):
                pass  # it came when nobody listened any more
