"""Clients with something in between: a proxy, or a network that fails. As logged_in's."""

import os
import socket

from pymysql.constants import COMMAND

from lib.clients import wait_for_eof
from lib.process import Process, free_port, wait_until
from lib.server import close

from .logged_in import BIG
from .stage import APP, DATABASE, PROXIED


class HAProxy:
    def __init__(self, stage, *settings):
        self.port = free_port()
        self.file = os.path.join(stage.watching.folder, "haproxy.cfg")
        with open(self.file, "w", encoding="ascii") as f:
            f.write("\n".join(["defaults", "  mode tcp", "  timeout connect 5s", "  timeout client 30s", "  timeout server 30s",
                               *settings,
                               "listen mysql", f"  bind 127.0.0.1:{self.port}", f"  server db {stage.server.address}", ""]))

    def __enter__(self):
        self.process = Process(["/usr/sbin/haproxy", "-db", "-f", self.file])
        wait_until(self._listens, 10, lambda: f"HAProxy listens:\n{self.process.output()}")
        return self

    def _listens(self):
        """In the kernel's table: to connect would be a health check."""
        with open("/proc/net/tcp", encoding="ascii") as f:
            return f"0100007F:{self.port:04X} 00000000:0000 0A" in f.read()

    def __exit__(self, *_):
        self.process.kill()


def haproxy_timeout(stage):
    with HAProxy(stage, "  timeout client 1s") as proxy:
        connection = stage.connect(port=proxy.port)
        number = stage.seen(connection)
        wait_for_eof(connection._sock)
        return stage.gone(number)


def haproxy_killed(stage):
    with HAProxy(stage) as proxy:
        connection = stage.connect(port=proxy.port)
        number = stage.seen(connection)
        proxy.process.kill()
        connection._force_close()
        return stage.gone(number)


def _proxied(stage, source=None):
    sock = stage.socket(*([source] if source else []))
    sock.sendall(f"PROXY TCP4 {PROXIED} 127.0.0.1 40000 {stage.server.port}\r\n".encode())
    return sock


def proxy_protocol(stage):
    """Leaves without COM_QUIT, behind a proxy that says who it is."""
    connection = stage.server.connect(*APP, defer_connect=True, database=DATABASE, ssl_disabled=True)
    connection.connect(_proxied(stage))
    number = stage.seen(connection)
    connection._force_close()
    return stage.gone(number)


def proxy_protocol_misunderstood(stage):
    """The header of a proxy whose server does not expect it, or not from there."""
    sock = _proxied(stage, "127.0.0.3" if stage.flavour == "MariaDB" else None)
    wait_for_eof(sock)


# --- far away: another network namespace, whence the network can fail ----------------------------------------
def vanish(stage):
    """Nothing comes from it any more, no FIN and no RST."""
    connection = stage.connect()
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = 1")
    number = stage.seen(connection)
    with stage.cut(connection):
        stage.gone(number)
        connection._force_close()
    return number


def vanish_mid_result(stage):
    connection = stage.connect()
    stage.seen(connection)
    connection._execute_command(COMMAND.COM_QUERY, BIG)
    connection._sock.recv(1, socket.MSG_PEEK)
    with stage.cut(connection):
        number = stage.gone(connection.thread_id())
        connection._force_close()
    return number


def no_name(stage):
    """Its address has none that can be found."""
    connection = stage.connect(bind_address=stage.nameless)
    close(connection)


def host_blocked(stage):
    """As many handshakes failed as max_connect_errors allows; the next is refused whatever it wants."""
    sock = stage.socket()
    greeting = sock.recv(4096)
    assert b"is blocked" in greeting, (greeting, stage.server.execute("SELECT * FROM performance_schema.host_cache"))
    wait_for_eof(sock)
