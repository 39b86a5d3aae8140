"""Two dozen accounts and hosts misbehave at the same time, each in a way of its own. At either log level each abort is one event under
its account, with the right cause, and the books close to the last unit: whether lines tell of it, or sums of errors, or both."""

import contextlib
import os
import socket
import struct
import threading

import pymysql
import pytest
from pymysql.constants import COMMAND

from lib import clients
from lib.exporter import target
from lib.ledger import Ledger
from lib.mysql import APP, MONITOR, MySQL, close
from lib.process import wait_until
from scenario.test_sessions import granted

CLIENTS, CONNECTS, FULL = "Aborted_clients", "Aborted_connects", "Connection_errors_max_connections"
OPTIONS = ["--connect-timeout=2", "--max-allowed-packet=4M", "--local-infile=ON", "--log-error-verbosity=3"]
# 40 MB: more than all buffers between a server and a client that does not read.
BIG = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT REPEAT('x', 1000000) FROM n"
FAILING = "SET @a = (SELECT 1 FROM (SELECT 1 UNION SELECT 2) t WHERE CURRENT_USER() LIKE 'init@%')"


# --- what they do -------------------------------------------------------------------------------------------------------------
def log_in(server, user, **extra):
    return server.connect(user, "x", **{"ssl_disabled": True, **extra})


def leave(connection, how=socket.SHUT_RDWR):
    """FIN without COM_QUIT; how=None: RST."""
    sock = socket.socket(fileno=os.dup(connection._sock.fileno()))
    connection._force_close()
    if how is None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        sock.shutdown(how)
    sock.close()


def begin(connection, sql):
    connection._execute_command(COMMAND.COM_QUERY, sql)
    connection._sock.recv(1, socket.MSG_PEEK)


def set_session(connection, **variables):
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION " + ", ".join(f"{name} = {value}" for name, value in variables.items()))


def until_ended(connection):
    clients.wait_for_eof(socket.socket(fileno=os.dup(connection._sock.fileno())))
    connection._force_close()


def listed(server, connection, condition=""):
    """Whether it is in the process list; as a function, for threads cannot share the server's own connection."""
    with contextlib.closing(server.connect()) as admin, admin.cursor() as cursor:
        return cursor.execute(f"SELECT 1 FROM performance_schema.processlist WHERE ID = %s {condition}", (connection.thread_id(),))


def fin(server, user):
    leave(log_in(server, user))
    leave(log_in(server, user))


def rst(server, user):
    leave(log_in(server, user), None)


def tls(server, user):
    leave(server.connect(user, "x"))


def idle(server, user):
    clients.idle_past_wait_timeout(server, user, "x", ssl_disabled=True)


def killed(server, user, sql=None):
    connection = log_in(server, user)
    if sql:
        connection._execute_command(COMMAND.COM_QUERY, sql)
        wait_until(lambda: listed(server, connection, "AND COMMAND = 'Query'"), 10, "it runs")
    with contextlib.closing(server.connect()) as admin, admin.cursor() as cursor:
        cursor.execute(f"KILL CONNECTION {connection.thread_id()}")
    until_ended(connection)


def killed_asleep(server, user):
    killed(server, user, "SELECT SLEEP(30)")


def midway(server, user):
    connection = log_in(server, user)
    begin(connection, BIG)
    leave(connection)


def crash(server, user):
    """One idle and one in the middle of a result, at once: their numbers look like those of one."""
    first, second = log_in(server, user), log_in(server, user)
    begin(second, BIG)
    leave(first)
    leave(second)


def unread(server, user):
    connection = log_in(server, user)
    set_session(connection, net_write_timeout=1)
    begin(connection, BIG)
    wait_until(lambda: not listed(server, connection), 10, "the server has had enough", step=0.2)
    leave(connection)


def half_packet(server, user):
    connection = log_in(server, user)
    set_session(connection, wait_timeout=3)
    connection._sock.sendall(b"\x20\0\0\0\x03SELE")
    until_ended(connection)


def load(server, user):
    connection = log_in(server, user, local_infile=True, database="shop")
    set_session(connection, net_read_timeout=1)
    connection._execute_command(COMMAND.COM_QUERY, "LOAD DATA LOCAL INFILE 'x' INTO TABLE t")
    until_ended(connection)


def too_big(server, user):
    clients.oversized_packet(server, user, "x", ssl_disabled=True)


def disorder(server, user):
    connection = log_in(server, user)
    connection._sock.sendall(b"\x02\0\0\x05\x03X")
    until_ended(connection)


def refused(server, user, password="x", code=1045, **extra):
    with pytest.raises(pymysql.err.MySQLError) as failure:
        server.connect(user, password, **extra)
    assert failure.value.args[0] == code


def wrong(server, user):
    refused(server, user, "not the password")
    refused(server, user, "nor this")


def no_right(server, user):
    refused(server, user, code=1044, database="mysql")


def no_such(server, user):
    refused(server, user, code=1049, database="nonesuch")


def locked(server, user):
    refused(server, user, code=3118)


def expired(server, user):
    refused(server, user, code=1862)


def limited(server, user):
    connection = log_in(server, user)
    refused(server, user, code=1226)
    close(connection)


def init(server, user):
    connection = log_in(server, user)
    with contextlib.suppress(pymysql.err.MySQLError):
        connection.ping(reconnect=False)
    connection._force_close()


def statements(server, user):
    """Errors of statements under the numbers of refused logins."""
    connection = log_in(server, user)
    for database in ("nonesuch", "mysql", "nonesuch"):
        with contextlib.suppress(pymysql.err.MySQLError):
            connection.select_db(database)
    close(connection)


def before_login(server, host, say=b"", how=socket.SHUT_RDWR, wait=False):
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=10, source_address=(host, 0))
    sock.recv(4096)
    sock.sendall(say)
    if wait:
        clients.wait_for_eof(sock)
        return
    if how is None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def look(server, host):
    before_login(server, host)


def look_and_reset(server, host):
    before_login(server, host, how=None)


def garbage(server, host):
    before_login(server, host, b"GET / HTTP/1.1\r\n\r\n" + b"x" * 64, wait=True)


def half_handshake(server, host):
    before_login(server, host, b"\x40\x00\x00\x01\x85\xa6", wait=True)


def tls_and_leave(server, host):
    before_login(server, host, b"\x20\0\0\x01" + struct.pack("<IIB", 0x8aa85, 1 << 24, 45) + bytes(23))


# Who does what, and what it is.
ACCOUNTS = [
    (fin, {"client_vanished": 2}),
    (rst, {"client_vanished": 1}),
    (tls, {"client_vanished": 1}),
    (idle, {"idle_timeout": 1}),
    (midway, {"left_mid_result": 1}),
    (unread, {"write_timeout": 1}),
    (half_packet, {"read_timeout": 1}),
    (too_big, {"packet_too_large": 1}),
    (disorder, {"protocol_error": 1}),
    (wrong, {"access_denied": 2}),
    (no_right, {"access_denied": 1}),
    (no_such, {"unknown_database": 1}),
    (locked, {"access_denied": 1}),
    (expired, {"access_denied": 1}),
    (limited, {"user_limit": 1}),
]
# One after the other: among others it could not be said whose they are, or which of them was a KILL. And init's line is written at its
# login, and the counter rises with its first command: among others that may be long after.
ALONE = [(load, {"read_timeout": 1}), (crash, {"client_vanished": 1, "left_mid_result": 1}), (init, {"init_connect": 1}),
         (statements, {}), (killed, {"killed": 1}), (killed_asleep, {"killed": 1})]
HOSTS = {"127.0.0.11": (look, "health_check"), "127.0.0.12": (look_and_reset, "health_check"),
         "127.0.0.13": (garbage, "protocol_error"), "127.0.0.14": (half_handshake, "handshake_timeout"),
         "127.0.0.15": (tls_and_leave, "tls_failure")}
NOT_COUNTED = {("disorder", "protocol_error")}


@pytest.fixture(scope="module")
def watched():
    with MySQL(OPTIONS) as running:
        granted(running)
        for does, _ in ACCOUNTS + ALONE:
            user = f"'{does.__name__}'@'%'"
            running.execute(f"CREATE USER {user} IDENTIFIED BY 'x'")
            running.execute(f"GRANT INSERT ON shop.* TO {user}")
            close(running.connect(does.__name__, "x"))  # MySQL then knows the password, and takes it without TLS
        running.execute("GRANT SELECT ON *.* TO no_such@'%'")
        running.execute("ALTER USER locked@'%' ACCOUNT LOCK")
        running.execute("ALTER USER expired@'%' PASSWORD EXPIRE")
        running.execute("ALTER USER limited@'%' WITH MAX_USER_CONNECTIONS 1")
        running.execute("SET GLOBAL init_connect = %s", (FAILING,))
        yield running


def watch(exporter, watched, interval):
    found = exporter({"poll": {"interval": interval}, "probe": {"interval": "1h"},
                      "targets": [target(watched, get_server_public_key=True, error_log={"file": watched.error_log})]})
    found.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1 and m.samples("mysqlconn_sessions_by_user"), 10)
    return found


@pytest.fixture
def watching(exporter, watched):
    return watch(exporter, watched, "500ms")


def misbehave(server):
    failures = []

    def run(does, who):
        try:
            does(server, who)
        except BaseException as e:
            failures.append((does.__name__, e))
    threads = [threading.Thread(target=run, args=(does, does.__name__)) for does, _ in ACCOUNTS]
    threads += [threading.Thread(target=run, args=(does, host)) for host, (does, _) in HOSTS.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def add(found, who, cause, n):
    causes = found.setdefault(who, {})
    causes[cause] = causes.get(cause, 0) + n


def told(events):
    """{user, or host before the login where no line told, else None: {cause: n}}."""
    found = {}
    for e in events:
        add(found, e["user"] or (e["host"] if e["source"] == "error_summary" else None), e["cause"], e["n"])
    return found


def wanted_events(log_tells):
    found = {}
    for does, causes in ACCOUNTS:
        for cause, n in causes.items():
            add(found, does.__name__, cause, n)
    for host, (_, cause) in HOSTS.items():
        add(found, None if log_tells else host, cause, 1)
    return found


def in_ledger(events):
    connects = ("access_denied", "unknown_database", "user_limit", "health_check", "protocol_error", "handshake_timeout", "tls_failure")
    books = {}
    for who, causes in events.items():
        for cause, n in causes.items():
            key = (CONNECTS if cause in connects else CLIENTS, cause)
            if (who, cause) not in NOT_COUNTED:
                books[key] = books.get(key, 0) + n
    return books


@pytest.mark.parametrize("level", [3, 2])
def test_each_once(watching, watched, level):
    watched.execute(f"SET GLOBAL log_error_verbosity = {level}")
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_level_sufficient") == (level == 3), 10)
    ledger = Ledger(watching, watched)
    misbehave(watched)
    wanted = wanted_events(level == 3)
    ledger.wait_for(in_ledger(wanted))
    events = watching.wait_for_events(lambda events: told(events) == wanted)
    assert ledger.unmatched() == {}
    by_sums = {e["user"] for e in events if e["source"] == "error_summary"}
    silent = {"disorder", "limited", "expired"}  # no line tells of these
    assert by_sums == silent if level == 3 else by_sums >= silent
    assert {e["host"] for e in events if e["user"]} == {"127.0.0.1"} | ({"%"} if level == 3 else set()), "%: an account's"

    for does, causes in ALONE:
        polls = watching.scrape().value("mysqlconn_polls_total")  # what was in doubt, such as a second error of an abort, is dropped
        watching.wait_for(lambda m, n=polls + 4: m.value("mysqlconn_polls_total") >= n, 10)
        ledger.begin()
        does(watched, does.__name__)
        for cause, n in causes.items():
            add(wanted, does.__name__, cause, n)
        ledger.wait_for({(CLIENTS, cause): n for cause, n in causes.items()})
        events = watching.wait_for_events(lambda events: told(events) == wanted)
    assert {(e["source"], e["confidence"]) for e in events if e["cause"] == "killed"} == {
        ("error_summary", "certain" if level == 3 else "likely")}, "no line tells of a KILL"
    assert ledger.unmatched() == {}


def between_looks(watching, server, act):
    """Act when the last look is over and before the next one begins; whether that was so."""
    wait_until(lambda: server.execute("SELECT 1 FROM performance_schema.processlist WHERE USER = %s AND COMMAND = 'Sleep' AND TIME > 0",
                                      (MONITOR[0],)), 10, "the kept connection has had nothing to do for a while")
    polls = watching.scrape().value("mysqlconn_polls_total")
    act()
    return watching.scrape().value("mysqlconn_polls_total") == polls


def test_what_may_be_anothers_is_not_guessed(exporter, watched):
    """A login that is refused for its database, while statements of others raise the same errors, all found by one look: the counter
    tells that there was one, and not whose it was."""
    def act():
        no_right(watched, "no_right")
        statements(watched, "statements")
    watched.execute("SET GLOBAL log_error_verbosity = 2")
    watching = watch(exporter, watched, "3s")
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_level_sufficient") == 0, 10)
    ledger = Ledger(watching, watched)
    while not between_looks(watching, watched, act):
        wait_until(ledger.added, 20, "what two looks found is settled")
        ledger.begin()
    before = len(watching.events())
    ledger.wait_for({(CONNECTS, None): 1})
    assert told(watching.events()[:len(watching.events()) - before]) == {None: {"unknown": 1}}
    assert ledger.unmatched() == {}


def test_a_session_that_is_refused_for_want_of_a_place_is_one_event(watching, watched):
    watched.execute("SET GLOBAL log_error_verbosity = 2")
    watched.execute("SET GLOBAL max_connections = 4")
    try:
        ledger = Ledger(watching, watched)
        close(watched.connect(*APP))
        with clients.Crowd(watched):
            pass
        ledger.wait_for({(CONNECTS, "too_many_connections"): 1, (FULL, "too_many_connections"): 1})
        events = watching.wait_for_events(len)
        polls = watching.scrape().value("mysqlconn_polls_total")
        watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 3, 10)
        events = watching.events()
        assert told(events) == {APP[0]: {"too_many_connections": 1}}
    finally:
        watched.execute("SET GLOBAL max_connections = DEFAULT")
