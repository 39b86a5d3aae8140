"""Clients that behave badly, each in one way, and wait until the server has noticed (by its end of the connection)."""

import os
import socket

import pymysql
from pymysql.constants import COMMAND

from .mariadb import APP, close
from .process import PATIENCE, patience


def wait_for_eof(sock, timeout=15):
    """Read until the server ends the connection, by FIN or RST."""
    sock.settimeout(patience(timeout))
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
    sock.close()


def _dup(connection):
    """Its socket once more, also where that is TLS."""
    return socket.socket(fileno=os.dup(connection._sock.fileno()))


def connect_and_leave(server, count=1):
    """A health check that opens a connection, reads the greeting and goes without logging in."""
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        sock.recv(4096)
        sock.shutdown(socket.SHUT_WR)
        wait_for_eof(sock)


def leave_without_quit(server, user=APP[0], password=APP[1], count=1, **extra):
    """Logs in and closes the socket without COM_QUIT. Returns the connection ids."""
    ids = []
    for _ in range(count):
        connection = server.connect(user, password, **extra)
        ids.append(connection.thread_id())
        sock = _dup(connection)
        connection._sock.shutdown(socket.SHUT_WR)
        connection._force_close()
        wait_for_eof(sock)
    return ids


def wrong_password(server, user=APP[0], count=1):
    """Is refused."""
    for _ in range(count):
        try:
            connection = server.connect(user, "not the password")
        except pymysql.err.OperationalError as e:
            if e.args[0] != 1045:
                raise
        else:
            close(connection)
            raise AssertionError("the server took a wrong password")


def idle_past_wait_timeout(server, user=APP[0], password=APP[1], seconds=1, **extra):
    """Asks for a short wait_timeout and then says nothing until the server has had enough. Returns the connection id."""
    connection = server.connect(user, password, **extra)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = %s", (seconds,))
    wait_for_eof(_dup(connection), timeout=seconds + 15)
    connection._force_close()
    return connection.thread_id()


def killed(server, user=APP[0], password=APP[1], **extra):
    """Is killed by an administrator. Returns the connection id."""
    connection = server.connect(user, password, **extra)
    server.execute(f"KILL CONNECTION {connection.thread_id()}")
    wait_for_eof(_dup(connection))
    connection._force_close()
    return connection.thread_id()


class Crowd:
    """Takes every free connection of a server that its user can get; use it in a `with`."""

    def __init__(self, server, user=APP[0], password=APP[1]):
        self._who = (server, user, password)
        self.connections = []

    def __enter__(self):
        self.fill()
        return self

    def fill(self):
        """Takes what has become free since: a probe that held a place for its moment left it behind."""
        server, user, password = self._who
        while True:
            try:
                self.connections.append(server.connect(user, password))
            except pymysql.err.OperationalError as e:
                if e.args[0] != 1040:
                    raise
                return

    def fill_last(self):
        """Takes the place that the server keeps for an administrator; whether it was free: one who is just being refused has it
        until then."""
        try:
            self.connections.append(self._who[0].connect())
        except pymysql.err.OperationalError as e:
            if e.args[0] != 1040:
                raise
            return False
        return True

    def __exit__(self, *_):
        for connection in self.connections:
            close(connection)


def unknown_database(server, user="root", password=""):
    """Asks at login for a database that is not there, with the right to any."""
    try:
        connection = server.connect(user, password, database="nonesuch")
    except pymysql.err.OperationalError as e:
        if e.args[0] != 1049:
            raise
    else:
        close(connection)
        raise AssertionError("the server has a database that it should not have")


def garbage(server):
    """Speaks HTTP to the server."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as sock:
        sock.recv(4096)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"x" * 64)
        wait_for_eof(sock)


def half_handshake(server):
    """Sends half a login packet and then nothing until the server has had enough (connect_timeout)."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as sock:
        sock.recv(4096)
        sock.sendall(b"\x40\x00\x00\x01\x85\xa6")
        wait_for_eof(sock, timeout=20)


def oversized_packet(server, user=APP[0], password=APP[1], **extra):
    """Announces a packet above max_allowed_packet. Returns the connection id."""
    connection = server.connect(user, password, **extra)
    sock = connection._sock
    sock.sendall(b"\xff\xff\xff\x00\x03" + b"x" * 100000)
    try:
        for _ in range(400):
            sock.sendall(b"x" * 65536)
    except OSError:
        pass
    wait_for_eof(sock.dup())
    connection._force_close()
    return connection.thread_id()


def change_user_refused(server, user=APP[0], password=APP[1], **extra):
    """Logged in, asks for the rights of another, without a password. Returns the connection id."""
    connection = server.connect(user, password, **extra)
    connection._execute_command(COMMAND.COM_CHANGE_USER, b"another\0\0\0\x2d\0caching_sha2_password\0")
    try:
        connection._read_packet()
    except pymysql.err.OperationalError as e:
        if e.args[0] != 1045:
            raise
    else:
        raise AssertionError("the server let it be another")
    connection._force_close()
    return connection.thread_id()


def kill_query(server, user=APP[0], password=APP[1], **extra):
    """Its query is killed, its connection is not, and ends well."""
    connection = server.connect(user, password, **extra)
    server.execute(f"KILL QUERY {connection.thread_id()}")
    close(connection)
