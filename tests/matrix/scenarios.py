"""The scenarios: what a client does, what that truly is, and what the server counts for it. See test_matrix.py.

A client is a function of the stage. It returns the id of the connection that the server ends (or None where nothing tells it), when
the server has noticed; what it counts is then counted."""

import contextlib
import os
import signal
import socket
import ssl
import struct
import subprocess
import time
import warnings
from dataclasses import dataclass, field

import pymysql
from pymysql.constants import CLIENT, COMMAND

from lib.clients import wait_for_eof
from lib.netns import NEAR, NEAR_TOO
from lib.process import Process, free_port, wait_until
from lib.server import close

from .stage import APP, DATABASE, PROXIED

CLIENTS, CONNECTS, PREAUTH = "Aborted_clients", "Aborted_connects", "Aborted_connects_preauth"
FULL = "Connection_errors_max_connections"
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# 40 MB: more than all buffers between a server and a client that does not read.
BIG = ("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT REPEAT('x', 1000000) FROM n")


# --- clients that log in ------------------------------------------------------------------------------------------------------
def quit_and_wait(stage):
    connection = stage.connect()
    stage.seen(connection)
    close(connection)


def quit_and_close(stage):
    """COM_QUIT and close at once, nothing in flight."""
    connection = stage.connect()
    connection.close()
    stage.gone(connection.thread_id())


def leave(stage, how=socket.SHUT_WR, tls=False):
    connection = stage.connect(tls=tls)
    number = stage.seen(connection)
    raw = socket.socket(fileno=os.dup(connection._sock.fileno()))
    connection._force_close()
    if how is None:  # RST
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        raw.shutdown(how)
    raw.close()
    return stage.gone(number)


def leave_by_reset(stage):
    return leave(stage, how=None)


def leave_in_tls(stage):
    return leave(stage, tls=True)


def _begin_big_result(stage, **extra):
    """A connection to which a result is being written that is larger than what fits on the way."""
    connection = stage.connect(**extra)
    stage.seen(connection)
    connection._execute_command(COMMAND.COM_QUERY, BIG)
    connection._sock.recv(1, socket.MSG_PEEK)
    return connection


def leave_mid_result(stage, say_quit=True):
    connection = _begin_big_result(stage)
    if say_quit:
        connection._sock.sendall(b"\x01\x00\x00\x00\x01")
    connection._force_close()
    return stage.gone(connection.thread_id())


def leave_mid_result_silently(stage):
    return leave_mid_result(stage, say_quit=False)


def leave_mid_query(stage):
    """Closes without COM_QUIT while its query runs: the server sees it when it is done."""
    connection = stage.connect()
    stage.seen(connection)
    connection._execute_command(COMMAND.COM_QUERY, "SELECT SLEEP(0.5)")
    connection._force_close()
    return stage.gone(connection.thread_id())


VICTIM = """
import sys, time
import pymysql
c = pymysql.connect(host=sys.argv[1], port=int(sys.argv[2]), user=sys.argv[3], password=sys.argv[4], database=sys.argv[5],
                    ssl_disabled=True)
print(c.thread_id(), flush=True)
time.sleep(60)
"""


def kill_client(stage):
    stage.acquaint(*APP)
    victim = subprocess.Popen(["/usr/bin/python3", "-c", VICTIM, stage.host, str(stage.server.port), *APP, DATABASE],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    number = int(victim.stdout.readline())
    stage.settle()
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    return stage.gone(number)


def idle_past_wait_timeout(stage):
    connection = stage.connect()
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = 1")
    stage.seen(connection)
    wait_for_eof(connection._sock)
    return stage.gone(connection.thread_id())


def idle_past_interactive_timeout(stage):
    connection = stage.connect(client_flag=CLIENT.INTERACTIVE)
    stage.seen(connection)
    wait_for_eof(connection._sock)
    return stage.gone(connection.thread_id())


def killed(stage, query=None):
    connection = stage.connect()
    number = stage.seen(connection)
    if query:
        connection._execute_command(COMMAND.COM_QUERY, query)
        wait_until(lambda: stage.server.execute("SELECT 1 FROM information_schema.processlist WHERE id=%s AND command='Query'",
                                                (number,)), 10, "the query runs")
    stage.server.execute(f"KILL CONNECTION {number}")
    wait_for_eof(connection._sock)
    return stage.gone(number)


def killed_in_query(stage):
    return killed(stage, "SELECT SLEEP(30)")


def two_killed(stage):
    killed(stage)
    return killed_in_query(stage)


def kill_query(stage):
    connection = stage.connect()
    number = stage.seen(connection)
    connection._execute_command(COMMAND.COM_QUERY, "SELECT SLEEP(30)")
    wait_until(lambda: stage.server.execute("SELECT 1 FROM information_schema.processlist WHERE id=%s AND command='Query'",
                                            (number,)), 10, "the query runs")
    stage.server.execute(f"KILL QUERY {number}")
    with contextlib.suppress(pymysql.err.Error):
        connection._read_query_result()
    close(connection)


def too_large(stage):
    connection = stage.connect()
    stage.seen(connection)
    sock = connection._sock
    with contextlib.suppress(OSError):
        sock.sendall(b"\xff\xff\xff\x00\x03" + b"x" * 100000)
        for _ in range(400):
            sock.sendall(b"x" * 65536)
    wait_for_eof(sock)
    return stage.gone(connection.thread_id())


def half_packet(stage):
    """Half a packet, then silence: net_read_timeout does not apply there, wait_timeout does."""
    connection = stage.connect()
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = 1, SESSION net_read_timeout = 1")
    stage.seen(connection)
    connection._sock.sendall(b"\x64\x00\x00\x00\x03SELECT 1")
    wait_for_eof(connection._sock)
    return stage.gone(connection.thread_id())


def silent_upload(stage):
    """LOAD DATA LOCAL, and then no data: net_read_timeout."""
    connection = stage.connect(local_infile=True)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION net_read_timeout = 1")
    stage.seen(connection)
    connection._execute_command(COMMAND.COM_QUERY, "LOAD DATA LOCAL INFILE 'x' INTO TABLE t")
    wait_for_eof(connection._sock)
    return stage.gone(connection.thread_id())


def result_not_read(stage):
    connection = stage.connect()
    stage.seen(connection)
    connection._execute_command(COMMAND.COM_QUERY, BIG)
    number = stage.gone(connection.thread_id())
    connection._force_close()
    return number


def out_of_order(stage):
    """A command with a wrong sequence number."""
    connection = stage.connect()
    number = stage.seen(connection)
    connection._sock.sendall(b"\x09\x00\x00\x05\x03SELECT 1")
    wait_for_eof(connection._sock)
    return stage.gone(number)


def broken_compression(stage):
    connection = stage.connect(client_flag=CLIENT.COMPRESS, autocommit=None)
    stage.settle()
    connection._sock.sendall(b"\x0a\x00\x00\x00\x64\x00\x00" + b"\xaa" * 10)
    wait_for_eof(connection._sock)
    return stage.gone(connection.thread_id())


def release(stage):
    connection = stage.connect()
    stage.seen(connection)
    connection._execute_command(COMMAND.COM_QUERY, "COMMIT RELEASE")
    wait_for_eof(connection._sock)
    return stage.gone(connection.thread_id())


def init_connect(stage):
    stage.acquaint(*APP)
    with stage.settings(init_connect="SELECT * FROM nonesuch.t"):
        connection = stage.connect(autocommit=None)
        number = connection.thread_id()
        with contextlib.suppress(pymysql.err.Error):
            connection.ping(reconnect=False)  # MySQL ends it with its first command
        connection._force_close()
    return stage.gone(number)


def replication_client(stage):
    """Reads the binary log, says COM_QUIT, which nobody reads, and closes."""
    connection = stage.connect("replica", "x", database=None)
    with connection.cursor() as cursor:
        for setting in ("@master_binlog_checksum='NONE'", "@source_binlog_checksum='NONE'", "@mariadb_slave_capability=4",
                        "@replica_uuid='00000000-0000-0000-0000-000000000099'"):
            cursor.execute("SET " + setting)
    name, position = stage.server.execute("SHOW BINARY LOGS")[-1][:2]
    connection._execute_command(COMMAND.COM_BINLOG_DUMP, struct.pack("<IHI", position, 0, 99) + name.encode())
    number = stage.seen(connection)
    connection._sock.sendall(b"\x01\x00\x00\x00\x01")
    connection._force_close()
    for _ in range(50):  # it notices when it writes
        stage.server.execute(f"TRUNCATE TABLE {DATABASE}.t")
        if not stage.server.execute("SELECT 1 FROM information_schema.processlist WHERE id=%s", (number,)):
            break
        time.sleep(0.1)
    return stage.gone(number)


# --- clients that do not ------------------------------------------------------------------------------------------------------
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


# --- the server ---------------------------------------------------------------------------------------------------------------
def flush_status(stage):
    leave(stage)
    stage.settle()
    stage.server.execute("FLUSH STATUS")
    stage.settle()
    number = leave(stage)
    assert stage.server.status(CLIENTS) == 1
    return number


def _started_anew(stage, start):
    """With a client that waits and one in a query; another leaves after it."""
    idle, busy = stage.connect(), stage.connect()
    busy._execute_command(COMMAND.COM_QUERY, "SELECT SLEEP(30)")
    stage.seen(idle)
    restarts = stage.steps()["restart"]
    start()
    for connection in (idle, busy):
        wait_for_eof(connection._sock)
    stage.watching.wait_for(lambda m: m.value("mysqlconn_ledger_steps_total", step="restart") > restarts, 20)
    stage.settle()
    number = leave(stage)
    assert stage.server.status(CLIENTS) == 1
    return number


def server_restarted(stage):
    return _started_anew(stage, stage.server.restart)


def server_killed(stage):
    def kill_and_start():
        stage.server.kill9()
        stage.server.start()
    return _started_anew(stage, kill_and_start)


# --- something in between -----------------------------------------------------------------------------------------------------
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


# --- far away: another network namespace, whence the network can fail ----------------------------------------------------------
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


# --- the table ----------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Scenario:
    name: str
    act: callable
    truth: tuple               # the causes that are right, the first being the best; () where nothing was aborted
    counts: dict               # what the server's counters rise by: {counter: n}, or that for each server
    who: dict = field(default_factory=dict)  # other than APP of this host in DATABASE; None what nobody can know
    settings: dict = field(default_factory=dict)
    late: tuple = ()           # the servers, or columns, whose evidence comes, or is believed, after a second or more
    step: str = ""             # the step of the ledger that this is; the server's counters begin anew with it
    only: str = ""             # the one server that can do it
    note: dict = field(default_factory=dict)  # for each server that gives nothing to tell by: why

    def counts_of(self, flavour):
        return self.counts.get(flavour, self.counts) if set(self.counts) & set(BOTH) else self.counts

    def note_of(self, flavour):
        return self.note.get(flavour, "")


NOBODY = {"user": None, "db": None, "driver": None}
ONE = {CLIENTS: 1}
REFUSED = {CONNECTS: 1}
BEFORE = {"MariaDB": {CONNECTS: 1, PREAUTH: 1}, "MySQL": {CONNECTS: 1}}
BOTH = ("MariaDB", "MySQL")
SAME_LINE = {"MariaDB": "one line for all that ends before login"}
NO_LINE = {"MariaDB": "no line, no counter of its own"}
LEVEL_2 = "MySQL, level 2"  # the column
NO_LINE_BELOW_4 = {"MariaDB": "no line below log_warnings=4", "MySQL": "no line at any level"}

CANNOT_TELL = dict.fromkeys(BOTH, "to the server it is an idle client")

SCENARIOS = (
    Scenario("clean quit", quit_and_wait, (), {}),
    Scenario("quit and close at once, idle", quit_and_close, (), {}),
    Scenario("quit and close mid-result", leave_mid_result, ("left_mid_result",), ONE),
    Scenario("close mid-result, no quit", leave_mid_result_silently, ("left_mid_result", "client_vanished"), ONE),
    Scenario("close without quit", leave, ("client_vanished",), ONE),
    Scenario("close without quit, TLS", leave_in_tls, ("client_vanished",), ONE),
    Scenario("close while a query runs", leave_mid_query, ("client_vanished", "left_mid_result"), ONE),
    Scenario("client killed -9", kill_client, ("client_vanished",), ONE),
    Scenario("reset", leave_by_reset, ("client_vanished",), ONE),
    Scenario("idle past wait_timeout", idle_past_wait_timeout, ("idle_timeout",), ONE),
    Scenario("idle past interactive_timeout", idle_past_interactive_timeout, ("idle_timeout",), ONE,
             settings={"interactive_timeout": 1}),
    Scenario("KILL CONNECTION, idle", killed, ("killed",), ONE, only="MySQL", note=NO_LINE_BELOW_4),
    Scenario("KILL CONNECTION, in a query", killed_in_query, ("killed",), ONE, only="MySQL", note=NO_LINE_BELOW_4),
    Scenario("KILL CONNECTION, idle and in a query", two_killed, ("killed",), {CLIENTS: 2}, late=("MariaDB",), only="MariaDB",
             note=NO_LINE_BELOW_4),
    Scenario("KILL QUERY", kill_query, (), {}),
    Scenario("packet above max_allowed_packet", too_large, ("packet_too_large",), ONE, settings={"max_allowed_packet": 1048576}),
    Scenario("half a packet, then silence", half_packet, ("read_timeout", "idle_timeout"), ONE,
             note={"MariaDB": "the server applies wait_timeout, and says so"}),
    Scenario("LOAD DATA LOCAL, then silence", silent_upload, ("read_timeout",), ONE),
    Scenario("result not read", result_not_read, ("write_timeout",), ONE, settings={"net_write_timeout": 1}),
    Scenario("packets out of order", out_of_order, ("protocol_error",), {}, note=dict.fromkeys(BOTH, "not counted, no line")),
    Scenario("broken compression", broken_compression, ("protocol_error",), ONE, only="MariaDB", who={"driver": None}),
    Scenario("COMMIT RELEASE", release, ("released",), ONE, note=NO_LINE_BELOW_4),
    Scenario("init_connect fails", init_connect, ("init_connect",), ONE, who={"driver": None}),
    Scenario("binlog dump, quit and close", replication_client, ("replication_client",), ONE, who={"user": "replica", "db": None}),
    Scenario("connect, look and leave", look, ("health_check",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("connect and leave at once", look_at_once, ("health_check",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("connect, look and reset", look_and_reset, ("health_check",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("half a handshake, then silence", half_handshake, ("handshake_timeout",), BEFORE, NOBODY, {"connect_timeout": 2},
             note=SAME_LINE),
    Scenario("silence after the greeting", silence, ("handshake_timeout",), BEFORE, NOBODY, {"connect_timeout": 2}, note=SAME_LINE),
    Scenario("TLS begun, then silence", half_tls, ("handshake_timeout",), BEFORE, NOBODY, {"connect_timeout": 2}, only="MariaDB",
             note=SAME_LINE),  # MySQL waits for ever
    Scenario("garbage instead of a handshake", garbage, ("protocol_error",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("TLS wanted, none offered", tls_not_offered, ("health_check", "tls_failure"), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("client with an untrusting CA", untrusting, ("tls_failure",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("no TLS version in common", old_tls, ("tls_failure",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("plaintext where TLS is required", plaintext_where_tls_is_required, ("tls_required", "access_denied"), REFUSED),
    Scenario("plaintext, the account requires TLS", plaintext_where_the_account_requires_tls, ("tls_required", "access_denied"),
             REFUSED, who={"user": "tls"}),
    Scenario("wrong password", wrong_password, ("access_denied",), REFUSED),
    Scenario("unknown user", unknown_user, ("access_denied",), REFUSED, who={"user": "nobody", "db": None}),
    Scenario("database not allowed", database_not_allowed, ("access_denied",), REFUSED, who={"db": "mysql"}, late=("MariaDB", LEVEL_2)),
    Scenario("locked account", locked, ("account_locked", "access_denied"), REFUSED, {"user": "locked", "db": None}, note=NO_LINE),
    Scenario("unknown database", unknown_database, ("unknown_database",), REFUSED, {"user": "reader", "db": "nonesuch"}, late=(LEVEL_2,),
             note=NO_LINE),
    Scenario("host not allowed", host_not_allowed, ("host_not_allowed",), BEFORE, {**NOBODY, "host": "127.0.0.2"}),
    Scenario("MAX_USER_CONNECTIONS of the account", account_limit, ("user_limit",), REFUSED, who={"user": "limited"}, note=NO_LINE),
    Scenario("max_user_connections", user_limit, ("user_limit",), REFUSED, note=NO_LINE),
    Scenario("server restarted, then one leaves", server_restarted, ("server_restart", "client_vanished"), ONE, step="restart"),
    Scenario("max_connections, at login", too_many, ("too_many_connections",),
             {"MariaDB": {CONNECTS: 1}, "MySQL": {CONNECTS: 1, FULL: 1}}, late=("MySQL",), note=NO_LINE),
    Scenario("max_connections, at accept", too_many_at_accept, ("too_many_connections",),
             {"MariaDB": {CONNECTS: 1, FULL: 1}, "MySQL": {FULL: 1}}, NOBODY),
    Scenario("HAProxy's timeout client", haproxy_timeout, ("client_vanished",), ONE),
    Scenario("HAProxy killed", haproxy_killed, ("client_vanished",), ONE),
    Scenario("PROXY protocol, close without quit", proxy_protocol, ("client_vanished",), ONE, {"host": PROXIED}, only="MariaDB"),
    Scenario("PROXY header not expected", proxy_protocol_misunderstood, ("protocol_error",), BEFORE, {**NOBODY, "host": None}),
    Scenario("FLUSH STATUS in between", flush_status, ("client_vanished",), {CLIENTS: 2}, step="flush_status"),
    Scenario("server killed -9, then one leaves", server_killed, ("server_restart", "client_vanished"), ONE, step="restart"),
)

FAR = (
    Scenario("silent vanish, idle", vanish, ("idle_timeout",), ONE, note=CANNOT_TELL),
    Scenario("silent vanish mid-result", vanish_mid_result, ("write_timeout",), ONE, settings={"net_write_timeout": 1}),
    Scenario("reverse DNS fails", no_name, ("dns",), {}, {**NOBODY, "host": NEAR_TOO}, note=dict.fromkeys(BOTH, "a line, nothing counted")),
    Scenario("health check from afar", look, ("health_check",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("host blocked by max_connect_errors", host_blocked, ("host_blocked",), BEFORE, {**NOBODY, "host": NEAR}),
)
