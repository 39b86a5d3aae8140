"""SIGTERM and SIGINT: every kept connection is closed with COM_QUIT, within 3 s, whatever the servers do."""

import contextlib
import itertools
import signal

import pytest

from fake import liar
from lib.exporter import target
from lib.mariadb import MONITOR
from lib.process import wait_until

LIMIT = 3.0
SCHEDULE = {"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "200ms", "timeout": "200ms"}}


def nobody_is_left(server):
    """And so all is counted."""
    wait_until(lambda: not server.threads_of(MONITOR[0]), 10, "the server has closed all connections")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_kept_connections_end_with_com_quit(exporter, server, figure, number):
    watching = exporter({**SCHEDULE, "targets": [target(server, f"db{i}") for i in range(30)]})
    watching.wait_for(lambda m: m.sum("mysql_up") == 30, 15)
    wait_until(lambda: len(server.threads_of(MONITOR[0])) >= 30, 10, "it keeps 30 connections")
    before, log = server.status("Aborted_clients", "Aborted_connects"), server.error_text()
    took = watching.stop(number)
    assert took < LIMIT
    nobody_is_left(server)
    assert server.status("Aborted_clients", "Aborted_connects") == before
    assert server.error_text() == log
    figure(f"{number.name} with 30 kept connections: ended in {took:.2f} s")


def test_servers_that_hang_do_not_hold_it_up(exporter, figure):
    hang = {"poll": {"interval": "10s", "timeout": "10s"}, "probe": {"interval": "10s", "timeout": "10s", "grace": "60s"}}
    with contextlib.ExitStack() as stack:
        liars = [stack.enter_context(liar.Liar(script)) for script in
                 (liar.never_speaks, liar.hangs_after_login_packet, liar.hangs_at_ping, liar.stays_after_quit)]
        hole = stack.enter_context(liar.BlackHole())
        targets = [target(l.address, f"liar{i}") for i, l in enumerate(liars)] + [target(hole.address, "hole")]
        watching = exporter({**hang, "targets": targets})
        wait_until(lambda: all(l.connections >= 2 for l in liars), 15, "poll and probe hang")
        took = watching.stop()
        assert took < LIMIT
        figure(f"with ten operations that hang: ended in {took:.2f} s")


def test_who_asks_again_and_again_does_not_cut_the_end_short(exporter, server, tmp_path):
    """Signals until it is gone: none comes when it is caught no more, and what is written last is written."""
    settings = {"error_log": {"file": str(server.error_log)}}
    watching = exporter({**SCHEDULE, "targets": [target(server, "db", **settings)]}, [f"--storage.path={tmp_path}/state"])
    watching.wait_for(lambda m: m.sum("mysql_up") == 1, 15)
    numbers = itertools.cycle((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    wait_until(lambda: watching.process.signal(next(numbers)) or not watching.process.running(), 15, "it ended", step=0.0001)
    watching.check(watching.process.wait(15))
    assert "msg=ended" in watching.process.output()


def test_right_after_the_start(exporter, server):
    """No target has been tried yet, or is just being."""
    before = server.status("Aborted_clients", "Aborted_connects")
    for _ in range(5):
        watching = exporter({**SCHEDULE, "targets": [target(server, f"db{i}") for i in range(5)]})
        assert watching.stop() < LIMIT
    nobody_is_left(server)
    assert server.status("Aborted_clients", "Aborted_connects") == before
