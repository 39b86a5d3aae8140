"""Every authentication plugin that this MySQL has, in each of its ways: caching_sha2_password in full over TLS and over RSA and fast
afterwards, sha256_password over both, and both over the socket. No login moves a counter of aborts or writes to the log, and the
password is never on the wire in clear."""

import os
import pwd
import socket
import threading

import pytest

from lib.exporter import target

SECRET = "hunter2-Passw0rd"
ONCE = {"poll": {"interval": "1h", "timeout": "5s"}, "probe": {"interval": "1h", "timeout": "5s"}}
SOON = {"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "200ms", "timeout": "200ms"}}
COUNTERS = ("Aborted_clients", "Aborted_connects")
PLAIN, ENCRYPTED = {"mode": "disabled"}, {"mode": "required"}
# What the server says when it wants the password, and when it knows it already: two bytes, sequence number 2.
PUBLIC_KEY = b"-----BEGIN PUBLIC KEY-----"
FAST = b"\x02\x00\x00\x02\x01\x03"
# It says this of each login by sha256_password, whoever it is.
DEPRECATED = "Plugin sha256_password reported: ''sha256_password' is deprecated"


class Recorder:
    """A relay to the server that keeps what passes; use it in a `with`."""

    def __init__(self, server):
        self._port = server.port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self.said, self.sent = bytearray(), bytearray()  # by the server, by the client

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            for source, sink, kept in ((client, server, self.sent), (server, client, self.said)):
                threading.Thread(target=self._pump, args=(source, sink, kept), daemon=True).start()

    @staticmethod
    def _pump(source, sink, kept):
        try:
            while data := source.recv(65536):
                kept += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def fresh(server, name, plugin):
    """The settings of a new account that the server has cached nothing of."""
    server.execute(f"CREATE USER '{name}'@'%' IDENTIFIED WITH {plugin} BY '{SECRET}'")
    return {"user": name, "password": SECRET}


def counted_and_logged(server):
    return server.status(*COUNTERS), [line for line in server.error_text().splitlines() if DEPRECATED not in line]


def logs_in(exporter, server, schedule, least, **settings):
    """Watch with `settings` until `least` probes and polls went well: nothing may have failed, but been late on a busy machine, nor been
    counted or logged."""
    before = counted_and_logged(server)
    watching = exporter({**schedule, "targets": [target(server, **settings)]})
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_probe_closes_total", outcome="clean") >= least
                                and m.value("mysqlconn_polls_total") >= least
                                and m.value("mysql_up") == 1 and m.value("mysqlconn_probe_success") == 1, 20)
    for failures in ("mysqlconn_probe_failures_total", "mysqlconn_poll_failures_total"):
        assert {l["reason"] for l, v in metrics.samples(failures) if v} <= {"timeout"}
    assert metrics.sum("mysqlconn_self_aborts_total") == 0
    assert SECRET not in watching.everything_said()
    watching.stop()
    assert counted_and_logged(server) == before
    return metrics


def logs_in_recorded(exporter, server, **settings):
    """logs_in() once, without TLS, through a recorder, which is returned."""
    with Recorder(server) as recorder:
        logs_in(exporter, server, ONCE, 1, address=recorder.address, tls=PLAIN, get_server_public_key=True, **settings)
    assert SECRET.encode() not in recorder.sent + recorder.said
    return recorder


def test_caching_sha2_password_in_full_over_rsa_and_fast_afterwards(exporter, server):
    account = fresh(server, "rsa", "caching_sha2_password")
    assert PUBLIC_KEY in logs_in_recorded(exporter, server, **account).said
    again = logs_in_recorded(exporter, server, **account).said
    assert PUBLIC_KEY not in again and FAST in again
    logs_in(exporter, server, SOON, 3, tls=PLAIN, **account)


def test_caching_sha2_password_in_full_over_tls_and_fast_afterwards(exporter, server):
    account = fresh(server, "tls", "caching_sha2_password")
    logs_in(exporter, server, ONCE, 1, tls=ENCRYPTED, **account)
    # The server knows it now: that was the full way.
    assert PUBLIC_KEY not in logs_in_recorded(exporter, server, **account).said
    logs_in(exporter, server, SOON, 3, tls=ENCRYPTED, **account)


def test_caching_sha2_password_in_full_each_time(exporter, server):
    """As after each restart of the server, over TLS and without."""
    account = fresh(server, "forgotten", "caching_sha2_password")
    for tls in (PLAIN, ENCRYPTED, PLAIN):
        server.execute("FLUSH PRIVILEGES")
        logs_in(exporter, server, ONCE, 1, tls=tls, get_server_public_key=tls == PLAIN, **account)


def test_caching_sha2_password_over_the_socket(exporter, server):
    account = fresh(server, "local", "caching_sha2_password")
    logs_in(exporter, server, SOON, 3, address=f"unix:{server.socket}", **account)


def test_caching_sha2_password_of_nothing(exporter, server):
    server.execute("CREATE USER 'empty'@'%' IDENTIFIED WITH caching_sha2_password BY ''")
    logs_in(exporter, server, SOON, 3, user="empty", password="", tls=PLAIN)


def test_password_of_all_sorts_of_characters(exporter, server):
    secret = "ünïcode ' \\ \" € ;#%"
    server.execute("CREATE USER 'strange'@'%%' IDENTIFIED BY %s", (secret,))
    for tls in (PLAIN, ENCRYPTED):
        server.execute("FLUSH PRIVILEGES")
        logs_in(exporter, server, ONCE, 1, user="strange", password=secret, tls=tls, get_server_public_key=tls == PLAIN)


def has_plugin(server, name):
    return server.execute("SELECT 1 FROM information_schema.plugins WHERE plugin_name = %s AND plugin_status = 'ACTIVE'", (name,))


@pytest.fixture(scope="module")
def sha256(server):
    if not has_plugin(server, "sha256_password"):
        pytest.skip("this server has no sha256_password any more")
    return fresh(server, "sha256", "sha256_password")


def test_sha256_password_over_rsa(exporter, server, sha256):
    assert PUBLIC_KEY in logs_in_recorded(exporter, server, **sha256).said
    logs_in(exporter, server, SOON, 3, tls=PLAIN, get_server_public_key=True, **sha256)


def test_sha256_password_over_tls(exporter, server, sha256):
    logs_in(exporter, server, SOON, 3, tls=ENCRYPTED, **sha256)


def test_sha256_password_over_the_socket(exporter, server, sha256):
    logs_in(exporter, server, SOON, 3, address=f"unix:{server.socket}", **sha256)


def test_account_of_the_operating_system(exporter, server):
    """auth_socket, MySQL's unix_socket: root and whoever else runs the tests."""
    name = pwd.getpwuid(os.geteuid()).pw_name
    server.execute("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
    server.execute(f"CREATE USER 'system'@'localhost' IDENTIFIED WITH auth_socket AS '{name}'")
    logs_in(exporter, server, SOON, 3, address=f"unix:{server.socket}", user="system", password="")
