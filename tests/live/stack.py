"""All that a user would have, alive: servers, their misbehaving clients, the daemon with everything on, Prometheus with the rules
of the tree, and Alertmanager."""

import asyncio
import collections
import contextlib
import itertools
import json
import os
import socket
import threading
import time

import pymysql

from fake import liar
from lib.alertmanager import Alertmanager
from lib.certificates import Authority
from lib.exporter import Exporter, target
from lib.mariadb import MONITOR, MariaDB
from lib.netns import names
from lib.process import free_port
from lib.prometheus import Prometheus
from lib.relay import Relay

from . import players
from .players import Hosts, Troupe

EVERY = {"interval": "1s", "timeout": "900ms"}
PATIENT = {"interval": "3s", "timeout": "3s"}  # nothing is said of it because this machine is busy
WAIT_TIMEOUT = 20
_COMMON = ("--performance-schema=ON", "--lc-messages=en_US", "--local-infile=ON")
# Why each differs from the defaults: what its clients do is done in seconds, and is told.
_SHOP = (*_COMMON, "--log-warnings=4", "--userstat=ON", "--max-connect-errors=20", f"--wait-timeout={WAIT_TIMEOUT}",
         "--connect-timeout=2", "--net-write-timeout=1", "--net-read-timeout=1", "--max-connections=150", "--max-allowed-packet=1M")
_BILLING = (*_COMMON, "--log-warnings=4")
_CROWDED = (*_COMMON, "--log-warnings=4", "--max-connections=12")
_TABLES = {"MariaDB": ("session_connect_attrs", "host_cache"),
           "MySQL": ("session_connect_attrs", "host_cache", "accounts", "events_errors_summary_global_by_error",
                     "events_errors_summary_by_account_by_error")}
_WEB = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n"
_ORDERS = (f"--wait-timeout={WAIT_TIMEOUT}", "--max-allowed-packet=1M", "--connect-timeout=2")


_LEGACY = [("version", "10.11.0-MariaDB-liar"), ("wait_timeout", 28800), ("max_connections", 100), ("log_warnings", 1)]


class Legacy:
    """A server whose log cannot tell of aborts. In turn it answers pings twice and ends its connections in one of three bad ways;
    it ends those that are held idle; and it may take `delay` seconds to greet."""

    def __init__(self):
        self.delay = 0
        self._turns = itertools.count()

    async def __call__(self, peer):
        turn = next(self._turns) % 4
        await asyncio.sleep(self.delay)
        await peer.log_in()
        while (command := await peer.receive())[0] != liar.COM_QUIT:
            if b"VARIABLES" in command.upper():
                await peer.rows(["Variable_name", "Value"], _LEGACY)
                continue
            if b"SESSION.wait_timeout" in command:  # what a probe asks before it holds its connection
                await peer.rows(["wait_timeout"], [(28800,)])
                await asyncio.sleep(0.5)
                return
            await peer.answer(command)
            if command[0] == liar.COM_PING and turn % 2 == 0:
                await peer.send(liar.OK)
        if turn == 1:
            peer.reset()
        elif turn == 2:
            peer.sequence = 0
            await peer.error(4031, "The client was disconnected by the server because of inactivity.")
        elif turn == 3:
            await peer.until_gone()


class Moody:
    """A server that starts anew every few seconds, and whose log calls connections aborted that were closed with COM_QUIT."""

    LIFE_SECONDS = 4

    def __init__(self, error_log):
        self.error_log = error_log
        self._ids = itertools.count(1)
        self._aborted = collections.Counter()  # by life
        self._born = time.monotonic()

    def _life(self):
        return int((time.monotonic() - self._born) / self.LIFE_SECONDS)

    def _status(self):
        return [("Uptime", int(time.monotonic() - self._born) % self.LIFE_SECONDS), ("Threads_connected", 1),
                ("Aborted_clients", self._aborted[self._life()]), ("Aborted_connects", 0)]

    def _log_abort(self, number):
        self._aborted[self._life()] += 1
        with open(self.error_log, "a", encoding="ascii") as f:
            f.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {number} [Warning] Aborted connection {number} to db: 'unconnected' user: "
                    f"'{MONITOR[0]}' host: '127.0.0.1' (Got an error reading communication packets)\n")

    async def __call__(self, peer):
        peer.connection_id, life = next(self._ids), self._life()
        await peer.log_in()
        while (command := await peer.receive())[0] != liar.COM_QUIT:
            if self._life() != life:
                return
            if b"VARIABLES" in command.upper():
                await peer.rows(["Variable_name", "Value"], [*_LEGACY[:-1], ("log_warnings", 2)])
            elif b"STATUS" in command.upper():
                await peer.rows(["Variable_name", "Value"], self._status())
            else:
                await peer.answer(command)
        self._log_abort(peer.connection_id)


class Stack:
    """Use it in a `with`. `rules` is {file name: text}; `mysql` has a MySQL, too; `big_log` a log of gigabytes, which costs
    seconds of CPU; `prometheus` is another command than Debian's. `say` is told what is being done."""

    def __init__(self, program, folder, rules=None, mysql=False, prometheus=("prometheus",), scrape_seconds=1,
                 big_log=False, say=lambda _: None):
        self.program, self.folder, self.rules, self._with_mysql = program, str(folder), rules or {}, mysql
        self._big_log = os.path.join(self.folder, "big.log") if big_log else None
        self._prometheus, self.scrape_seconds, self._say = tuple(prometheus), scrape_seconds, say
        # Here a state file is written before it gets its name; it cannot be.
        self._in_the_way = os.path.join(self.folder, "state", "shop.state.tmp")
        self._stack = contextlib.ExitStack()
        self._stop = threading.Event()
        self._events = None
        self._unfinished = collections.deque(maxlen=5)
        self._lie = Legacy()
        self.hosts = Hosts()
        self.troupes = []

    def __enter__(self):
        with self._stack:
            self._start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_):
        self.quiet()
        self._stack.close()

    def quiet(self):
        """No client does anything any more, and nothing happens to a server."""
        self._stop.set()
        if self._events:
            self._events.join(60)
        for troupe in self.troupes:
            troupe._stop.set()
        for troupe in self.troupes:
            troupe.stop()

    # --- servers ------------------------------------------------------------------------------------------------------
    def _server(self, kind, options, cast, certificate_days=None):
        """With what its players need; they begin later. Where we may, it looks up the names of clients' hosts."""
        troupe = Troupe(None, cast, self.hosts)
        resolves = os.geteuid() == 0 and options is _SHOP
        server = kind([*options, *(["--skip-name-resolve=OFF"] if resolves else [])])
        server.stranger = self._stranger
        if certificate_days:
            server.use_certificate(*self._authority.sign(f"server{certificate_days}", days=certificate_days))
        with names(self.hosts.table(), self.folder) if resolves else contextlib.nullcontext():
            self._stack.enter_context(server)
        troupe.server = server
        troupe.furnish()
        server.execute("SET SESSION wait_timeout = 28800")
        server.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")
        for table in _TABLES[server.name] if options is not _CROWDED else ():
            server.execute(f"GRANT SELECT ON performance_schema.{table} TO '{MONITOR[0]}'@'%'")
        self.troupes.append(troupe)
        return server

    def _start(self):
        self._authority = Authority(os.path.join(self.folder, "ca"))
        self._stranger = Authority(os.path.join(self.folder, "stranger"), "a stranger")
        self._say("the servers")
        self.shop = self._server(MariaDB, _SHOP, players.of_shop(), certificate_days=5)
        self.billing = self._server(MariaDB, _BILLING, players.of_billing(), certificate_days=300)
        self.crowded = self._server(MariaDB, _CROWDED, players.of_crowded(), certificate_days=1)
        self.orders = None
        if self._with_mysql:
            from lib.mysql import MySQL
            self.orders = self._server(MySQL, _ORDERS, players.of_orders())
        enter = self._stack.enter_context
        self.distant = enter(Relay(self.crowded.port, delay=0.002))
        self.down, self.legacy, self.stuck = map(enter, (liar.Refuses(), liar.Liar(self._lie), liar.Liar(liar.never_speaks)))
        self._moody_log = os.path.join(self.folder, "moody.log")
        self.moody = enter(liar.Liar(Moody(self._moody_log)))

        self._say("the daemon")
        os.makedirs(self._in_the_way)
        self._write("moody.log", "")
        self._write("web.yml", _WEB)
        self._write("sd.json", json.dumps([{"targets": [self.billing.address], "labels": {"env": "test", "role": "copy"}}]))
        self._write("bad.json", "[{")
        if self._big_log:
            self._write("big.log", "")
        port = free_port()  # that it has again when it is restarted
        self.exporter = enter(Exporter(self.program, self.configuration(), [
            f"--storage.path={self.folder}/state", f"--web.config.file={self.folder}/web.yml", "--shard=0/1",
            f"--web.listen-address=127.0.0.1:{port}"]))
        self._say("Alertmanager and Prometheus")
        self.alertmanager = enter(Alertmanager())
        self.prometheus = enter(Prometheus(f"127.0.0.1:{port}", self.scrape_seconds, self._prometheus, rules=self.rules,
                                           args=["--rules.alert.resend-delay=5s"], alertmanager=self.alertmanager.address))
        self.exporter.wait_for(lambda m: m.value("mysql_up", target="shop") == 1 and m.value("mysql_up", target="billing") == 1, 60)
        self._say("the clients")
        for troupe in self.troupes:
            enter(troupe)
        self._events = threading.Thread(target=self._happen, daemon=True)
        self._events.start()

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as f:
            f.write(text)

    # --- the daemon ---------------------------------------------------------------------------------------------------
    def configuration(self):
        def log(server):
            return {"file": server.error_log, "start": "beginning"}

        def labels(role, env="prod"):
            return {"env": env, "role": role}
        account = target("-")["credentials"]
        watched = [
            target(self.shop, "shop", error_log=log(self.shop), labels=labels("primary"),
                   probe={"modules": ["default", "pool", "rude"], "allow_close": ["reset"]}),
            target(self.billing, "billing", error_log=log(self.billing), labels=labels("primary"),
                   tls={"mode": "verify-ca", "ca": self._authority.ca}, poll=PATIENT,
                   probe={**PATIENT, "modules": ["default", "pool"]}),
            target(self.crowded, "crowded", error_log=log(self.crowded), labels=labels("replica")),
            target(self.distant, "distant", error_log=log(self.crowded), labels=labels("replica"),
                   poll=PATIENT, probe={**PATIENT, "modules": ["default", "pool"]}),
            target(self.down, "down", labels=labels("replica", "test")),
            target(self.legacy, "legacy", error_log={"file": os.path.join(self.folder, "no-such.log")},
                   labels=labels("primary", "test"), probe={"grace": "1s", "modules": ["default", "pool"]}),
            target(self.stuck, "stuck", labels=labels("primary", "test"), probe={"grace": "1s"}),
            target(self.shop, "lockedout", password="an old one", labels=labels("primary", "test"), poll={"interval": "2s"},
                   probe={"interval": "2s"}),
            target(self.shop, "untrusted", labels=labels("copy", "test"),
                   tls={"mode": "verify-ca", "ca": self._stranger.ca}),
            target(self.moody, "moody", error_log={"file": self._moody_log, "start": "beginning"}, labels=labels("replica", "test")),
        ]
        if self._big_log:
            watched.append(target(self.billing, "archive", error_log={"file": self._big_log}, poll=PATIENT, probe=PATIENT,
                                  labels=labels("copy", "test")))
        if self.orders:
            watched.append(target(self.orders, "orders", get_server_public_key=True, error_log=log(self.orders),
                                  labels=labels("primary")))
        return {"credentials": account, "poll": EVERY, "sessions": {"interval": "1s"}, "host_cache": {"interval": "1s"},
                "probe": EVERY, "host_network": "true",
                "modules": {"pool": {"hold": "3s"}, "rude": {"close": "reset", "interval": "2s"}},
                "allow_targets": ["127.0.0.0/8:*"],
                "file_sd": {"files": [os.path.join(self.folder, name) for name in ("sd.json", "bad.json")], "refresh_interval": "1s"},
                "targets": watched}

    # --- what happens besides -----------------------------------------------------------------------------------------
    def _break(self):
        """An administrator's bad day: neither configuration can be used."""
        self._write("web.yml", "tls_server_config: {cert_file: nonesuch}\n")
        self.exporter.reload("targets: [")

    def restart_exporter(self, meanwhile=lambda: None):
        """What is wrong with its files is mended; it says good-bye to all and begins anew, with its counts in its state files."""
        self._write("web.yml", _WEB)
        self.exporter.write_config(self.configuration())
        if os.path.isdir(self._in_the_way):
            os.rmdir(self._in_the_way)
        self.exporter.stop()
        meanwhile()
        self.exporter.start()

    def _happen(self):
        """What befalls the servers and the path to `distant`, step by step: connections are lost all the time."""
        steps = [lambda: None,
                 self.exporter.reload,
                 self._break,
                 self.crowded.restart,
                 self._flush,
                 self._truncate,
                 self._truncate,
                 self._grow_slow,
                 self._fill_big_log,
                 self._truncate,  # of one that found nothing to take away there is no trace, and two are needed
                 self._truncate]
        for number in itertools.count():
            if self._stop.wait(4):
                return
            # A restart may meet a step that needs the server.
            with contextlib.suppress(pymysql.err.Error, OSError, RuntimeError):
                if number < len(steps):
                    steps[number]()
                elif number % 5 == 0:
                    self._flush()
                self.distant.cut("fin")
                self._ask_badly()

    def _truncate(self):
        os.truncate(self.crowded.error_log, 0)

    def _fill_big_log(self):
        """Of nothing, which takes no place on the disk; but it is to be read."""
        if self._big_log:
            os.truncate(self._big_log, 2 << 30)

    def _flush(self):
        """Takes away what clients did since the last poll."""
        for server in (self.shop, self.crowded):
            server.execute("FLUSH STATUS")

    def _ask_badly(self):
        """Prometheus asks about a server that is allowed and one that is not; somebody begins a request and does not end it."""
        self._unfinished.append(socket.create_connection(("127.0.0.1", self.exporter.port), 5))
        self._unfinished[-1].sendall(b"GET /metr")
        self.exporter.get(f"/probe?target={self.billing.address}")
        self.exporter.get("/probe?target=192.0.2.1:3306")

    def _grow_slow(self):
        self.distant.delay, self._lie.delay = 0.12, 0.3
