"""sd_notify: READY when it serves, RELOADING and READY around a reload, WATCHDOG while the loop turns, STOPPING at the end; and a
manager that does not read for a while stops nothing."""

import os
import signal
import socket

import pytest

from lib.exporter import target
from lib.process import PATIENCE


def test_ready_reloading_watchdog_stopping(exporter, server):
    watching = exporter({"targets": [target(server)]}, env={"WATCHDOG_USEC": "400000"})
    watching.wait_notified("READY=1")
    for _ in range(3):
        watching.wait_notified("WATCHDOG=1")
    for config, good in ((None, True), ("targets: [", False)):
        if config is not None:
            watching.write_config(config)
        watching.process.signal(signal.SIGHUP)
        # systemd wants the time with it for Type=notify-reload.
        assert "MONOTONIC_USEC=" in watching.wait_notified("RELOADING=1")
        watching.wait_notified("READY=1")
        assert watching.scrape().value("mysqlconn_exporter_config_last_reload_successful") == good
    watching.wait_notified("WATCHDOG=1")
    watching.stop()
    watching.wait_notified("STOPPING=1")


@pytest.mark.parametrize("env", [{}, {"WATCHDOG_USEC": "100000", "WATCHDOG_PID": str(os.getpid())}],
                         ids=["none wanted", "another process's"])
def test_no_watchdog_where_none_of_ours_is_wanted(exporter, server, env):
    watching = exporter({"targets": [target(server)]}, env=env)
    messages = [watching.wait_notified("READY=1")]
    watching.wait_for(lambda m: m.value("mysqlconn_probe_success") == 1, 10)
    watching.stop()
    while "STOPPING=1" not in messages[-1]:
        messages.append(watching.wait_notified(""))
    assert not any("WATCHDOG=1" in m for m in messages), messages


def test_a_manager_that_stands_still_stops_nothing(exporter, server):
    watching = exporter({"targets": [target(server)]}, env={"WATCHDOG_USEC": "20000"})
    watching.wait_notified("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others:
        others.setblocking(False)
        try:
            while True:
                others.sendto(b"STATUS=", watching.env["NOTIFY_SOCKET"])
        except BlockingIOError:
            pass  # its queue is full
    watching.write_config("targets: [")
    watching.process.signal(signal.SIGHUP)
    watching.wait_for(lambda m: m.value("mysqlconn_exporter_config_last_reload_successful") == 0, 10)
    watching.wait_notified("READY=1")  # of the reload, which it must know: told when it reads again
    watching.stop()


def test_a_manager_that_makes_its_socket_anew_is_told(exporter, server):
    watching = exporter({"targets": [target(server)]}, env={"WATCHDOG_USEC": "20000"})
    watching.wait_notified("READY=1")
    path = watching.env["NOTIFY_SOCKET"]
    os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as successor:
        successor.bind(path)
        successor.settimeout(PATIENCE)
        while successor.recv(4096) != b"WATCHDOG=1":
            pass
    watching.stop()
