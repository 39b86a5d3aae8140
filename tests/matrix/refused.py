"""Clients that do not come to a login, or are refused. As logged_in's."""

import socket
import ssl
import struct
import warnings

import pymysql
from pymysql.constants import CLIENT

from lib.clients import wait_for_eof
from lib.server import close

from .stage import APP


def greeted(sock):
    """Reads the greeting; returns the connection's id."""
    greeting = sock.recv(4096)
    return int.from_bytes(greeting[greeting.index(b"\0", 5) + 1:][:4], "little")


def look(stage, read=True, reset=False):
    """A health check that opens a connection and goes without logging in."""
    sock = stage.socket()
    number = greeted(sock) if read else None
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    else:
        sock.shutdown(socket.SHUT_WR)
        wait_for_eof(sock)
    return number


def look_at_once(stage):
    return look(stage, read=False)


def look_and_reset(stage):
    return look(stage, reset=True)


def _after_greeting(stage, data):
    sock = stage.socket()
    number = greeted(sock)
    if data:
        sock.sendall(data)
    wait_for_eof(sock, 30)
    return number


def garbage(stage):
    return _after_greeting(stage, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"x" * 64)


def half_handshake(stage):
    return _after_greeting(stage, b"\x40\x00\x00\x01\x85\xa6")


def silence(stage):
    return _after_greeting(stage, b"")


_SSL_REQUEST = struct.pack("<IIB23s", CLIENT.PROTOCOL_41 | CLIENT.SSL | CLIENT.SECURE_CONNECTION | CLIENT.PLUGIN_AUTH, 1 << 24, 45,
                           b"")
_SSL_REQUEST = struct.pack("<I", len(_SSL_REQUEST) | 1 << 24) + _SSL_REQUEST


def half_tls(stage):
    """Asks for TLS and says no more."""
    return _after_greeting(stage, _SSL_REQUEST)


def _tls(stage, context):
    sock = stage.socket()
    number = greeted(sock)
    sock.sendall(_SSL_REQUEST)
    try:
        context.wrap_socket(sock, server_hostname="localhost").close()
    except (ssl.SSLError, OSError):
        sock.close()
    else:
        raise AssertionError("the handshake worked")
    return number


def untrusting(stage):
    """It knows no authority that signed the server's certificate."""
    return _tls(stage, ssl.create_default_context(cafile=stage.stranger.ca))


def old_tls(stage):
    """It speaks no version of TLS that the server does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return _tls(stage, context)


def tls_not_offered(stage):
    """It wants TLS, finds none in the greeting and goes: what a client does whose server has no certificate."""
    return look(stage)


def _refused(stage, numbers, *account, **extra):
    """Is not let in, with one of these errors. Returns the id that the greeting told; None when there was none."""
    connection = stage.connect(*account, **{"defer_connect": True, **extra})
    try:
        connection.connect()
    except pymysql.err.Error as e:
        if e.args[0] not in numbers:
            raise
    else:
        close(connection)
        raise AssertionError("it was let in")
    return connection.server_thread_id[0] if hasattr(connection, "server_thread_id") else None


def wrong_password(stage):
    return _refused(stage, (1045,), APP[0], "wrong", tls=True)


def unknown_user(stage):
    return _refused(stage, (1045,), "nobody", "x", tls=True, database=None)


def unknown_database(stage):
    stage.acquaint("reader", "x")
    return _refused(stage, (1049,), "reader", "x", database="nonesuch")


def database_not_allowed(stage):
    stage.acquaint(*APP)
    return _refused(stage, (1044,), database="mysql")


def host_not_allowed(stage):
    sock = stage.socket(source="127.0.0.2")
    assert b"is not allowed to connect" in sock.recv(4096)
    wait_for_eof(sock)


def locked(stage):
    return _refused(stage, (3118, 4151), "locked", "x", tls=True, database=None)


def plaintext_where_tls_is_required(stage):
    stage.acquaint(*APP)
    with stage.settings(require_secure_transport=1):
        return _refused(stage, (1045, 3159))


def plaintext_where_the_account_requires_tls(stage):
    stage.acquaint("tls", "x")
    return _refused(stage, (1045,), "tls", "x")


def account_limit(stage):
    first = stage.connect("limited", "x")
    stage.seen(first)
    number = _refused(stage, (1226,), "limited", "x")
    close(first)
    return number


def user_limit(stage):
    stage.acquaint(*APP)
    first = stage.connect()
    with stage.settings(max_user_connections=1):
        number = _refused(stage, (1203,))
    close(first)
    return number


class _Full:
    """max_connections clients are there."""

    def __init__(self, stage):
        self.stage, self.crowd = stage, []

    def __enter__(self):
        stage = self.stage
        stage.acquaint(*APP)
        limit, = stage.server.execute("SELECT @@GLOBAL.max_connections")[0]
        while True:
            count, = stage.server.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE command NOT IN "
                                          "('Daemon', 'Binlog Dump') AND user NOT IN ('event_scheduler', 'system user')")[0]
            if count >= limit:
                return self
            self.crowd.append(stage.connect())

    def __exit__(self, *_):
        for connection in self.crowd:
            close(connection)


def too_many(stage):
    """The one too many is refused after its login: a place is kept for an administrator."""
    with stage.settings(max_connections=10), _Full(stage):
        return _refused(stage, (1040,))


def too_many_at_accept(stage):
    """The administrator's place is taken, too."""
    with stage.settings(max_connections=10), _Full(stage):
        admin = stage.server.connect()
        _refused(stage, (1040,))
        close(admin)
