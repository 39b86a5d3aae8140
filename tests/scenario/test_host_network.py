"""A server on this machine: the sockets on its port by state, the queue of those that wait for it to accept them, and the kernel's own
counters, which tell when that overflows. A server elsewhere has none of this. Each end of a cable between two namespaces is a machine,
so that nothing but the test moves the counters."""

import os
import signal
import socket
import struct
import time

import pymysql
import pytest

from lib.exporter import target
from lib.mariadb import APP, MariaDB
from lib.netns import FAR, Cable, why_not
from lib.process import free_port
from lib.server import close

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

POLLS = {"poll": {"interval": "1s", "timeout": "1s"}, "probe": {"interval": "60s"}}
BACKLOG = 2
RESETS = 3
COUNTED_S = 90
EVENTS = "mysqlconn_host_network_events_total"


@pytest.fixture(scope="module")
def cabled():
    """The cable, and a server at its far end."""
    with Cable() as cable:
        server = MariaDB([f"--bind-address={FAR}", f"--back-log={BACKLOG}"], port=free_port())
        with cable.far.inside():
            server.__enter__()
        yield cable, server
        server.remove()


def sockets(metrics, state, target="tcp"):
    return metrics.value("mysqlconn_server_sockets", target=target, state=state)


def queue(metrics):
    return metrics.value("mysqlconn_server_accept_queue", target="tcp")


def overflows(metrics):
    return metrics.value(EVENTS, counter="TcpExtListenOverflows")


def advised(metrics):
    return [labels["severity"] for labels, value in metrics.samples("mysqlconn_advice") if labels["rule"] == "accept_queue" and value]


def at(server):
    return {**target(server, name="tcp"), "address": f"{FAR}:{server.port}"}


def stop(server):
    """Until SIGCONT; all its threads stand still."""
    os.kill(server.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, server.pid, os.WSTOPPED)


def knock(server):
    """A connection that is asked for, and not waited for."""
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((FAR, server.port))
    return s


def test_sockets_on_the_servers_port(exporter, cabled):
    """All sockets are counted once a minute at least, more often where that is cheap, and soon where a target is new."""
    cable, server = cabled

    def config(*over_socket):
        return {**POLLS, "targets": [at(server)] + [{**target(server, name=name), "address": server.socket} for name in over_socket]}

    with cable.far.inside():
        watching = exporter(config())
        watching.wait_for(lambda m: sockets(m, "established") == m.sum("mysqlconn_probe_closes_total") == 1, COUNTED_S)
        connections = [server.connect(*APP, host=FAR) for _ in range(5)]
        assert watching.reload(config("one"))
        metrics = watching.wait_for(lambda m: sockets(m, "established") == sockets(m, "established", "one") == 6, COUNTED_S)
        assert queue(metrics) == sockets(metrics, "close_wait") == 0
        assert metrics.value("mysqlconn_server_accept_queue_limit", target="tcp") == BACKLOG
        ended = sockets(metrics, "time_wait")
        for connection in connections[:3]:  # the server's end comes first, and it is the one who waits
            close(connection)
        assert watching.reload(config("two"))
        watching.wait_for(lambda m: sockets(m, "time_wait") >= ended + 3, COUNTED_S)

        stop(server)
        try:
            for connection in connections[3:]:
                connection._force_close()
            # Of ours, too, once they were given up.
            watching.wait_for(lambda m: sockets(m, "close_wait") >= 2, COUNTED_S)
        finally:
            os.kill(server.pid, signal.SIGCONT)
        watching.wait_for(lambda m: sockets(m, "close_wait") == 0 and m.value("mysql_up", target="tcp") == 1, COUNTED_S)


def test_a_full_accept_queue(exporter, cabled):
    cable, server = cabled
    with cable.far.inside():
        watching = exporter({**POLLS, "targets": [at(server)]})
        before = watching.wait_for(lambda m: queue(m) == 0, 15)
        knocking = []
        stop(server)
        try:
            knocking += [knock(server) for _ in range(BACKLOG + 5)]
            after = watching.wait_for(lambda m: queue(m) == BACKLOG + 1 and overflows(m) > overflows(before), 15)
        finally:
            os.kill(server.pid, signal.SIGCONT)
            for s in knocking:
                s.close()
        watching.wait_for(lambda m: queue(m) == 0 and m.value("mysql_up") == 1, 15)
        assert advised(watching.wait_for(advised, 15)) == ["warning"], "the burst is over, and known of"
    assert after.value(EVENTS, counter="TcpExtListenDrops") >= overflows(after)
    assert {l["device"] for l, _ in after.samples("mysqlconn_host_interface_errors_total")} == {"lo", "cable"}
    assert after.sum("mysqlconn_host_network_failures_total") == 0
    assert abs(after.value("mysqlconn_host_network_last_sample_timestamp_seconds") - time.time()) < 60


def test_another_programs_full_accept_queue_is_not_ours(exporter, cabled):
    cable, server = cabled
    with cable.far.inside():
        watching = exporter({**POLLS, "targets": [at(server)]})
        before = overflows(watching.wait_for(lambda m: queue(m) == 0, 15))
        with socket.create_server((FAR, 0), backlog=0) as busy:
            knocking = [socket.socket() for _ in range(5)]
            for s in knocking:
                s.setblocking(False)
                s.connect_ex(busy.getsockname())
            metrics = watching.wait_for(lambda m: overflows(m) > before, 15)
            for s in knocking:
                s.close()
        polls = metrics.value("mysqlconn_polls_total")
        metrics = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 2, 15)
    assert not advised(metrics)


def test_an_abort_bears_what_moved(exporter, cabled):
    cable, server = cabled
    with cable.far.inside():
        watching = exporter({**POLLS, "targets": [{**at(server), "error_log": {"file": server.error_log}}]})
        watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1 and sockets(m, "established") > 0, 15)
        for _ in range(RESETS):
            connection = server.connect(*APP, host=FAR)
            connection._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            identifier = connection.thread_id()
            connection._force_close()
            watching.wait_for_events(lambda events, i=identifier: i in [e["connection_id"] for e in events], 15)
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            server.connect(APP[0], "not the password", host=FAR)
        events = watching.wait_for_events(lambda events: len(events) > RESETS, 15)
    moved = {cause: [said["text"] for e in events if e["cause"] == cause for said in e["evidence"]
                     if said["source"] == "host_network"] for cause in ("client_vanished", "access_denied")}
    # A sample that was taken just before an abort is not taken again at once.
    assert [text for text in moved["client_vanished"] if "EstabResets +" in text and "OutRsts +" in text], moved
    assert not moved["access_denied"], "the network has no part in that"


def test_a_server_elsewhere_has_no_sockets_here(exporter, cabled):
    cable, server = cabled
    with cable.near.inside():
        watching = exporter({**POLLS, "targets": [at(server)]})
        metrics = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 2, 15)
        assert not [n for n in metrics.names() if n.startswith(("mysqlconn_host_", "mysqlconn_server_sockets"))]
        assert watching.reload({**POLLS, "host_network": True, "targets": [at(server)]})
        metrics = watching.wait_for(lambda m: sockets(m, "established") == 0, 15)
        assert not metrics.samples("mysqlconn_server_accept_queue"), "nobody listens here"
        assert watching.reload({**POLLS, "targets": [at(server)]})
        watching.wait_for(lambda m: not [n for n in m.names() if n.startswith(("mysqlconn_host_", "mysqlconn_server_sockets"))], 15)
    with cable.far.inside():
        watching = exporter({**POLLS, "targets": [{**at(server), "host_network": False}]})
        metrics = watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 2, 15)
        assert not [n for n in metrics.names() if n.startswith(("mysqlconn_host_", "mysqlconn_server_sockets"))]
