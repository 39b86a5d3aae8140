"""Clients that log in, and how they end; and ends of the server.

Each is a function of the stage. It returns the id of the connection that the server ends (or None where nothing tells it), when the
server has noticed; what it counts is then counted."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import time

import pymysql
from pymysql.constants import CLIENT, COMMAND

from lib.clients import wait_for_eof
from lib.process import wait_until
from lib.server import close

from .stage import APP, DATABASE

# 40 MB: more than all buffers between a server and a client that does not read.
BIG = ("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT REPEAT('x', 1000000) FROM n")


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
    stage.looked()
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
    stage.settle()  # at the begin of the time between two polls, so that both counts of it are of one
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


def change_user(stage):
    """Asks for another user's rights without that user's password. MySQL ends the connection, MariaDB goes on with it."""
    connection = stage.connect(autocommit=None)
    number = stage.seen(connection)
    plugin = {"MariaDB": b"mysql_native_password", "MySQL": b"caching_sha2_password"}[stage.flavour]
    wrong = {"MariaDB": b"x" * 20, "MySQL": b"\0"}[stage.flavour]  # MySQL's: none
    say = b"\x11" + APP[0].encode() + b"\0" + bytes([len(wrong)]) + wrong + b"\0" + struct.pack("<H", 45) + plugin + b"\0\0"
    connection._sock.sendall(struct.pack("<I", len(say)) + say)
    answer = connection._sock.recv(4096)
    if answer[4] == 0xfe:  # it wants another hash
        connection._sock.sendall(struct.pack("<I", len(wrong) | (answer[3] + 1) << 24) + wrong)
        answer = connection._sock.recv(4096)
    assert b"Access denied" in answer, answer
    close(connection)
    return stage.gone(number)


# --- the server ----------------------------------------------------------------------------------------------------------------
def flush_status(stage):
    leave(stage)
    stage.settle()
    stage.server.execute("FLUSH STATUS")
    stage.settle()
    number = leave(stage)
    assert stage.server.status("Aborted_clients") == 1
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
    assert stage.server.status("Aborted_clients") == 1
    return number


def server_restarted(stage):
    return _started_anew(stage, stage.server.restart)


def server_killed(stage):
    def kill_and_start():
        stage.server.kill9()
        stage.server.start()
    return _started_anew(stage, kill_and_start)
