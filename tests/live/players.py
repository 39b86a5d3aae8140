"""The applications of the live stack and what each does wrong, over and over: what the matrix's scenarios do once. Each has an
account, a host, and a driver that it announces, so that there is a client to find behind each figure."""

import contextlib
import random
import socket
import threading
import time

import pymysql

from lib.clients import wait_for_eof
from lib.server import close
from matrix import logged_in, refused

DATABASE = "shop"
PASSWORD = "an application's s3cret"
DOMAIN = "shop.example"

NODE = ("Node-MySQL-2", "3.4.0")
JAVA = ("MySQL Connector/J", "8.0.33")
PHP = ("mysqlnd", "8.1.2")
GO = ("Go-MySQL-Driver", "1.8.1")


class Hosts:
    """Loopback addresses, each with a name: where applications live."""

    def __init__(self):
        self.addresses = {}

    def address(self, name):
        return self.addresses.setdefault(name, f"127.0.0.{len(self.addresses) + 11}")

    def table(self):
        """{address: name}, as lib.netns.names() takes it."""
        return {address: f"{name}.{DOMAIN}" for name, address in self.addresses.items()}


class Player:
    """One application at one server; what a scenario of the matrix takes for its stage. `act` is played until the end, with
    pauses of about `pause` seconds; `users` are accounts that it needs besides its own."""

    def __init__(self, name, host, act, pause=0.5, driver=None, account="", database=DATABASE):
        self.name, self.host_name, self.act, self.pause = name, host, act, pause
        self.driver, self.account, self.database = driver, account, database
        self.played, self.error = 0, None

    def enter(self, server, address, stop):
        """At this server, from this address, until `stop` is set."""
        self.server, self.source, self._stop = _View(server), address, stop
        self.flavour, self.host, self.stranger = server.name, "127.0.0.1", server.stranger
        self._known = False

    def leave(self):
        self.server.leave()

    # --- what scenarios ask of their stage ----------------------------------------------------------------------------
    def connect(self, user=None, password=PASSWORD, tls=False, **extra):
        """Whatever account a scenario names, it is this application's own."""
        way = {"host": "127.0.0.1", "port": self.server.port, "database": self.database, "bind_address": self.source,
               "defer_connect": True, **({} if tls else {"ssl_disabled": True})}
        deferred = extra.get("defer_connect", False)
        self.acquaint()
        connection = self.server.connect(self.name, password, **{**way, **extra, "defer_connect": True})
        if self.driver:
            connection._connect_attrs = dict(zip(("_client_name", "_client_version"), self.driver))
        if not deferred:
            connection.connect()
        return connection

    def acquaint(self, *_):
        """MySQL takes a password without TLS only of an account that it has seen since its start."""
        if self.flavour == "MySQL" and not self._known:
            self._known = True
            close(self.server.connect(self.name, PASSWORD))

    def socket(self, source=None):
        sock = socket.create_connection((self.host, self.server.port), timeout=60, source_address=(source or self.source, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def seen(self, connection):
        """Long enough there for a look at the process list."""
        self._stop.wait(1.5)
        return connection.thread_id()

    def settle(self):
        """Nobody reads here what one client did."""

    def gone(self, connection_id):
        """The server has done with it."""
        until = time.monotonic() + 15
        while time.monotonic() < until and not self._stop.is_set() and self.server.execute(
                "SELECT 1 FROM information_schema.processlist WHERE id=%s", (connection_id,)):
            self._stop.wait(0.1)
        return connection_id

    # --- life ---------------------------------------------------------------------------------------------------------
    def play(self):
        """In a thread of its own. What a server does to its clients when it restarts is no error."""
        dice = random.Random(self.name)
        while not self._stop.is_set():
            try:
                self.act(self)
                self.played += 1
            except Exception as e:  # the stack shows it
                self.error = e
            self._stop.wait(dice.uniform(0.5, 1.5) * self.pause)


class _View:
    """A server, with a connection for its administration that no other thread uses."""

    def __init__(self, server):
        self._server, self._admin = server, None

    def __getattr__(self, name):
        return getattr(self._server, name)

    def execute(self, sql, args=None):
        if self._admin is None:
            self._admin = self._server.connect(init_command="SET SESSION wait_timeout = 28800")
        try:
            with self._admin.cursor() as cursor:
                cursor.execute(sql, args)
                return cursor.fetchall()
        except pymysql.err.OperationalError:
            self._admin._force_close()
            self._admin = None
            raise

    def leave(self):
        if self._admin is not None:
            with contextlib.suppress(pymysql.err.Error):
                close(self._admin)


# --- what the matrix does not have: clients that stay, and what only many of them do ----------------------------------
def _wait(player, seconds, work=lambda: None):
    """For so long, or until the end, with some work each second."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not player._stop.wait(1):
        work()


def pool(player):
    """Five connections that live long, work now and then and end well."""
    connections = [player.connect() for _ in range(5)]

    def work():
        for connection in connections[:3]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT COUNT(*) FROM t")
    try:
        _wait(player, 60, lambda: (work(), [c.ping(reconnect=False) for c in connections]))
    finally:
        for connection in connections:
            close(connection)


def churn(player):
    """A connection for each piece of work."""
    for _ in range(8):
        close(player.connect())


def sleep_with_a_transaction(player):
    connection = player.connect()
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = 600")
        cursor.execute("BEGIN")
        cursor.execute("SELECT COUNT(*) FROM t")
    _wait(player, 120)
    close(connection)


def rely_on_wait_timeout(player):
    """Asks for nothing and says nothing: the server's wait_timeout ends it."""
    connections = [player.connect() for _ in range(3)]
    for connection in connections:
        wait_for_eof(connection._sock, 60)
        connection._force_close()


def leave_together(player):
    """Twenty at once, as when a program is killed."""
    connections = [player.connect() for _ in range(20)]
    player.seen(connections[0])
    for connection in connections:
        connection._force_close()


def crowd(player):
    """Takes all that there is for a while, the administrators' place too, is refused again and again, and goes."""
    connections = []

    def try_again():
        for _ in range(3):
            with contextlib.suppress(pymysql.err.OperationalError):
                connections.append(player.connect())
    try:
        with contextlib.suppress(pymysql.err.OperationalError):
            while not player._stop.is_set():
                connections.append(player.connect())
        with contextlib.suppress(pymysql.err.OperationalError):
            connections.append(player.server.connect())
        _wait(player, 8, try_again)
    finally:
        for connection in connections:
            close(connection)


def some_failed_handshakes(player, count):
    """So many in all, and no more."""
    if player.played == 0:
        for _ in range(count):
            refused.garbage(player)


def health_check(player):
    """Looks, and logs in now and then, so that its host is not blocked."""
    for _ in range(3):
        refused.look(player)
    close(player.connect("checker"))


def broken_login(player):
    try:
        refused.garbage(player)
    except (IndexError, ValueError):  # no greeting: this host is blocked
        pass


def untrusting(player):
    refused.untrusting(player)
    close(player.connect(tls=True))  # or its host would be blocked


def half_handshake(player):
    refused.half_handshake(player)
    close(player.connect())


def wrong_password(player):
    refused._refused(player, (1045,), player.name, "wrong", tls=True)


def unknown_database(player):
    refused._refused(player, (1049,), player.name, PASSWORD, database="nonesuch")


def account_limit(player):
    first = player.connect()
    refused._refused(player, (1226,), player.name, PASSWORD)
    close(first)


def locked(player):
    refused._refused(player, (3118, 4151), player.name, PASSWORD, tls=True)


def plaintext(player):
    refused._refused(player, (1045,), player.name, PASSWORD)


def killed(player):
    """In a query or idle, in turn."""
    if player.played % 2:
        logged_in.killed(player)
    else:
        logged_in.killed_in_query(player)


# --- who plays where --------------------------------------------------------------------------------------------------
def of_shop():
    """Everything that goes wrong; and who does nothing wrong among them."""
    return [
        Player("webshop", "web1", leave_together, 0.3, NODE),
        Player("webshop2", "web2", logged_in.leave_by_reset, 1, NODE),
        Player("reports", "reports1", logged_in.idle_past_wait_timeout, 0.5, JAVA),
        Player("invoices", "app1", rely_on_wait_timeout, 1, JAVA),
        Player("etl", "etl1", logged_in.leave_mid_result, 1, PHP),
        Player("uploader", "app2", logged_in.too_large, 1, PHP),
        Player("importer", "etl1", logged_in.silent_upload, 1, GO),
        Player("slowreader", "etl2", logged_in.result_not_read, 1, GO),
        Player("batch", "batch1", killed, 1),
        Player("oldclient", "app3", logged_in.broken_compression, 1),
        Player("ledger", "app1", sleep_with_a_transaction, 1, JAVA),
        Player("goodapp", "web3", pool, 1, GO),
        Player("cgi", "web4", churn, 0.3, PHP),
        Player("checker", "lb1", health_check, 0.5),
        Player("scanner", "stranger", broken_login, 0.2),
        Player("careless", "desk1", lambda p: some_failed_handshakes(p, 12), 1),
        Player("halfway", "desk2", half_handshake, 2),
        Player("untrusting", "desk3", untrusting, 1),
        Player("intern", "desk4", wrong_password, 0.1),
        Player("reader", "app3", unknown_database, 1),
        Player("limited", "app2", account_limit, 1, account="WITH MAX_USER_CONNECTIONS 1"),
        Player("former", "desk4", locked, 1, account="ACCOUNT LOCK"),
        Player("plaintext", "app3", plaintext, 1, account="REQUIRE SSL"),
    ]


def of_crowded():
    return [
        Player("burst", "web4", crowd, 2, PHP),
        Player("worker", "app1", pool, 1, GO),
        Player("hasty", "web5", logged_in.leave, 0.2, PHP),
    ]


def of_billing():
    return [Player("billing", "app4", pool, 1, GO)]


def of_orders():
    """On MySQL."""
    return [
        Player("orders", "web1", logged_in.leave, 0.5, NODE),
        Player("nightly", "etl1", logged_in.idle_past_wait_timeout, 1, JAVA),
        Player("export", "etl2", logged_in.leave_mid_result, 1, PHP),
        Player("intern", "desk4", wrong_password, 1),
        Player("untrusting", "desk3", untrusting, 0.5),
        Player("uploader", "app2", logged_in.too_large, 1, PHP),
        Player("goodapp", "web3", pool, 1, GO),
    ]


class Troupe:
    """The players of one server: accounts for them, and a thread each; use it in a `with`, after furnish()."""

    def __init__(self, server, players, hosts):
        self.server, self.players, self._hosts = server, players, hosts
        self._stop = threading.Event()
        self._threads = []
        for player in players:
            hosts.address(player.host_name)

    def furnish(self):
        run = self.server.execute
        run(f"CREATE DATABASE {DATABASE}")
        run(f"CREATE TABLE {DATABASE}.t (a LONGTEXT)")
        for player in self.players:
            run(f"CREATE USER '{player.name}'@'%%' IDENTIFIED BY %s {player.account}", (PASSWORD,))
            run(f"GRANT ALL ON *.* TO '{player.name}'@'%'" if player.act is unknown_database else
                f"GRANT ALL ON {DATABASE}.* TO '{player.name}'@'%'")

    def __enter__(self):
        for player in self.players:
            player.enter(self.server, self._hosts.address(player.host_name), self._stop)
            self._threads.append(threading.Thread(target=player.play, daemon=True))
            self._threads[-1].start()
        return self

    def stop(self):
        """Who waits for the server now is left behind: his thread ends with it."""
        self._stop.set()
        until = time.monotonic() + 3
        for player, thread in zip(self.players, self._threads):
            thread.join(max(until - time.monotonic(), 0))
            if not thread.is_alive():
                player.leave()
        self._threads = []

    def __exit__(self, *_):
        self.stop()
