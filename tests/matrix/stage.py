"""One server and one daemon that watches it: clients do things one after the other, and each time what was counted and what was made
of it are read apart."""

import contextlib
import os
import socket
import time

import pymysql

from lib.exporter import target
from lib.ledger import counters_of
from lib.mariadb import APP, MONITOR
from lib.process import PATIENCE, wait_until
from lib.server import close

from .matrix import EXPECTED, UPDATE, make_row


# Dynamic settings that scenarios change, and what the servers begin with, so that each can be put back.
OPTIONS = ("--performance-schema=ON", "--log-bin=binlog", "--server-id=1", "--max-user-connections=100", "--local-infile=ON",
           "--require-secure-transport=OFF")
# Seconds that evidence takes on an idle machine: lines that are held back, and on MySQL sums of errors that wait for such lines.
HELD = {"MariaDB": 1.5, "MySQL": 3.6}
OPTIONS_OF = {"MariaDB": ("--proxy-protocol-networks=127.0.0.1",), "MySQL": ()}
PROXIED = "203.0.113.9"  # whence a proxy says that clients come
DATABASE = "shop"


def options(flavour, *more):
    return [*OPTIONS, *OPTIONS_OF[flavour], *more]


def furnish(server, *hosts):
    """The accounts from these hosts alone, the monitor's rights, a database and what scenarios need."""
    run = server.execute
    run(f"CREATE DATABASE {DATABASE}")
    run(f"CREATE TABLE {DATABASE}.t (a LONGTEXT)")
    for user, password in (MONITOR, APP, ("limited", "x"), ("locked", "x"), ("replica", "x"), ("tls", "x")):
        for host in hosts:
            run(f"CREATE USER '{user}'@'{host}' IDENTIFIED BY %s", (password,))
    for host in hosts:
        run(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'{host}'")
        run(f"GRANT SELECT ON performance_schema.* TO '{MONITOR[0]}'@'{host}'")
        for user in (APP[0], "limited", "tls"):
            run(f"GRANT ALL ON {DATABASE}.* TO '{user}'@'{host}'")
        run(f"ALTER USER 'limited'@'{host}' WITH MAX_USER_CONNECTIONS 1")
        run(f"ALTER USER 'locked'@'{host}' ACCOUNT LOCK")
        run(f"ALTER USER 'tls'@'{host}' REQUIRE SSL")
        run(f"GRANT REPLICATION SLAVE ON *.* TO 'replica'@'{host}'")
    for user in (MONITOR[0], APP[0]):
        run(f"DROP USER '{user}'@'%'")  # made again by the next start, and without rights
    run("FLUSH PRIVILEGES")


class Stage:
    """`server` runs and is furnished; `watching` watches it as db1."""

    def __init__(self, server, watching, host="127.0.0.1"):
        self.server, self.watching, self.host = server, watching, host
        self.flavour = server.name
        self.name = host  # of our clients, as the server has it
        self.column = ""       # of the matrix
        self.hopeless = set()  # scenarios of which nothing will tell: none is waited for
        self.driver = ("pymysql", pymysql.__version__)  # what they announce
        self._known = set()

    # --- for what clients do ------------------------------------------------------------------------------------------
    def connect(self, user=APP[0], password=APP[1], tls=False, **extra):
        """A client of PyMySQL's, without TLS unless asked for: such a one can be left as rudely as one likes."""
        way = {"host": self.host, "port": self.server.port, "database": DATABASE}
        if tls:
            return self.server.connect(user, password, **{**way, **extra})
        self.acquaint(user, password)
        return self.server.connect(user, password, ssl_disabled=True, **{**way, **extra})

    def acquaint(self, user, password):
        """MySQL takes a password without TLS only of an account that it has seen since its start."""
        life = (self.server.pid, user)
        if self.flavour == "MySQL" and life not in self._known:
            close(self.server.connect(user, password, host=self.host))
            self._known.add(life)
            self.looked()

    def socket(self, source="127.0.0.1"):
        """A connection that has not said anything yet."""
        sock = socket.create_connection((self.host, self.server.port), timeout=60,
                                        source_address=(source, 0) if self.host == "127.0.0.1" else None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def looked(self):
        """A look at the process list that began after now has ended well."""
        now = time.time()
        self.watching.wait_for(lambda m: m.value("mysqlconn_sessions_read_timestamp_seconds") > now, 10, "a look")

    def seen(self, connection):
        """Two looks have seen it. Returns its id."""
        self.looked()
        self.looked()
        return connection.thread_id()

    def gone(self, connection_id, timeout=15):
        """The server has done with that connection. Returns its id."""
        wait_until(lambda: not self.server.execute("SELECT 1 FROM information_schema.processlist WHERE id=%s", (connection_id,)),
                   timeout, f"connection {connection_id} is gone")
        return connection_id

    @contextlib.contextmanager
    def settings(self, **settings):
        """Global settings, for as long as a scenario runs."""
        before = {}
        try:
            for name, value in settings.items():
                (before[name],), = self.server.execute(f"SELECT @@GLOBAL.{name}")
                self.server.execute(f"SET GLOBAL {name} = %s", (value,))
            yield
        finally:
            for name, value in before.items():
                self.server.execute(f"SET GLOBAL {name} = %s", (value,))

    # --- for what is made of it ---------------------------------------------------------------------------------------
    def _polls(self):
        return self.watching.scrape().value("mysqlconn_polls_total")

    def counters(self):
        return counters_of(self.server)

    def books(self):
        """{(counter, cause): n}; cause None for what is unexplained, or pending as long as it is not explained."""
        metrics = self.watching.scrape()
        books = {(l["counter"], l["cause"]): int(v) for l, v in metrics.samples("mysqlconn_aborts_total")}
        for name in ("mysqlconn_aborts_unexplained_total", "mysqlconn_aborts_pending"):
            for l, v in metrics.samples(name):
                books[(l["counter"], None)] = books.get((l["counter"], None), 0) + int(v)
        for l, v in metrics.samples("mysqlconn_ledger_increase_total"):
            parts = sum(n for (counter, _), n in books.items() if counter == l["counter"])
            assert parts == v, f"the ledger does not close: {l['counter']} rose by {v}, its parts are {books}"
        return books

    def increase(self):
        return {l["counter"]: int(v) for l, v in self.watching.scrape().samples("mysqlconn_ledger_increase_total")}

    def settle(self, is_open=None):
        """Two polls that began after now have ended, and what they left open had time to meet its evidence: lines that may go on in
        the next one, as names may hold newlines, are held back for a second, and sums of errors wait for lines."""
        polls = self._polls()
        self.watching.wait_for(lambda m: m.value("mysqlconn_polls_total") >= polls + 2, 15, "two polls")
        # Where there is evidence it is waited for; while hope is being written down there may be none.
        until = time.monotonic() + (HELD[self.flavour] if os.environ.get(UPDATE) else PATIENCE)
        wait_until(lambda: is_open is None or not is_open() or time.monotonic() > until, 2 * PATIENCE, "evidence", 0.05)

    def _open(self):
        """What is not explained, or not yet."""
        return sum(n for (_, cause), n in self.books().items() if cause is None)

    def settle_all(self):
        """Nothing is pending."""
        self.watching.wait_for(lambda m: m.samples("mysqlconn_aborts_pending") and not m.sum("mysqlconn_aborts_pending"), 20,
                               "the ledger has begun and nothing is pending")

    def steps(self):
        return {l["step"]: int(v) for l, v in self.watching.scrape().samples("mysqlconn_ledger_steps_total")}

    def unmatched(self):
        found = self.watching.scrape().samples("mysqlconn_ledger_unmatched_total")
        return {(l["counter"], l["cause"]): int(v) for l, v in found}

    # --- a scenario ---------------------------------------------------------------------------------------------------
    def play(self, scenario):
        """What was found, as a Row. AssertionError where the server counts otherwise than the scenario says, or the books do not
        close."""
        counts = scenario.counts_of(self.flavour)
        books, counters, increase, steps = self.books(), self.counters(), self.increase(), self.steps()
        mark, open_before = self._newest_event(), self._open()
        with self.settings(**scenario.settings):
            identity = scenario.act(self)
        wait_until(lambda: difference(self.increase(), increase) == counts, 15, lambda: (
            f"{scenario.name}: the ledger rises by {counts}, not {difference(self.increase(), increase)}"), 0.05)
        hopeless = scenario.name in self.hopeless
        self.settle(lambda: not hopeless and (self._open() > open_before or scenario.truth and not self._events(mark)))
        if {self.flavour, self.column} & set(scenario.late):
            self.settle_all()
        found = difference(self.books(), books)
        assert difference(self.increase(), increase) == counts, (
            f"{scenario.name}: the ledger rose by {difference(self.increase(), increase)}, not {counts}")
        if not scenario.step:
            rise = difference(self.counters(), counters)
            assert rise == counts, f"{scenario.name}: the server counts {rise}, not {counts}"
        taken = difference(self.steps(), steps)
        taken.pop("gap", None)  # a poll may fail on a busy machine, or when there is no server
        assert taken == ({scenario.step: 1} if scenario.step else {}), f"{scenario.name}: {self.steps()} after {steps}"
        assert all(n > 0 for n in found.values()), (
            f"{scenario.name}: something was explained that came before: {found}; or is a row of {EXPECTED} "
            f"no longer without hope? ({UPDATE}=1)\n{self.server.error_text()[-3000:]}")
        return make_row(scenario, self._who(scenario, identity), counts, found, self._events(mark))

    def _newest_event(self):
        return max((e["id"] for e in self.watching.api("events", limit=1)["events"]), default=0)

    def _events(self, mark):
        """Those that have come since, the oldest first; without those that only say that a counter rose."""
        events = [e for e in self.watching.events() if e["id"] > mark]
        return [e for e in reversed(events) if (e["source"], e["cause"]) != ("counter", "unknown")]

    def _who(self, scenario, identity):
        """{field of an event: what it ought to say}; None where nobody can know."""
        logs_in = "Aborted_connects" not in scenario.counts_of(self.flavour)
        who = {"user": APP[0], "host": self.name, "db": DATABASE, "driver": self.driver if logs_in else None, **scenario.who}
        return {"connection_id": identity, **who}


def difference(after, before):
    return {key: n - before.get(key, 0) for key, n in after.items() if n != before.get(key, 0)}


def configuration(server, address=None):
    """Polls as fast as the server takes them in, so that scenarios follow each other quickly."""
    every = {"MariaDB": "100ms", "MySQL": "200ms"}[server.name]
    return {"poll": {"interval": every, "timeout": every}, "sessions": {"interval": "10ms"}, "probe": {"interval": "1h"},
            "targets": [target(address or server, get_server_public_key=not address, error_log={"file": server.error_log})]}
