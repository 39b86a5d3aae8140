#!/usr/bin/python3
"""The product's first impression: a private MariaDB, clients that behave badly in five ways, and what the exporter makes of it,
live. DEMO_SECONDS=20 ends by itself; the exit status is 0 when all that was provoked was seen. Everything that is shown of the
aborts comes from the exporter: /metrics and /api/v1/events."""

import argparse
import os
import random
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib import clients  # noqa: E402
from lib.exporter import Exporter, target  # noqa: E402
from lib.mariadb import MariaDB, close  # noqa: E402
from demo.screen import PlainView, ScreenView  # noqa: E402

PASSWORD = "demo's own"
REFRESH_SECONDS = 0.25
CATCH_UP_SECONDS = 10


class Behaviour:
    """One way to behave: who does it, how, and how the exporter shows it."""

    def __init__(self, title, user, play, seen, weight):
        self.title, self.user, self.play, self.seen, self.weight = title, user, play, seen, weight
        self.provoked = self.counted = 0
        self.good = False  # behaves well: nothing may be seen of it

    @property
    def settled(self):
        return self.counted == (0 if self.good else self.provoked)


def aborts(user):
    """Whatever the reason: MariaDB was seen to call the FIN of one client a timeout, on a busy machine."""
    return lambda m: int(m.sum("mysqlconn_error_log_aborts_total", user=user))


def refusals(user):
    return lambda m: int(m.sum("mysqlconn_error_log_access_denied_total", user=user))


def quit_properly(server, user):
    close(server.connect(user, PASSWORD))


def behaviours():
    def leave(server, user):
        clients.leave_without_quit(server, user, PASSWORD, database="shop")

    def idle(server, user):
        clients.idle_past_wait_timeout(server, user, PASSWORD, seconds=1, database="shop")

    def killed(server, user):
        clients.killed(server, user, PASSWORD, database="shop")

    rows = [
        Behaviour("leaves without COM_QUIT", "webshop", leave,
                  aborts("webshop"), 5),
        Behaviour("idles past wait_timeout", "reports", idle,
                  aborts("reports"), 2),
        Behaviour("wrong password", "intern", lambda server, user: clients.wrong_password(server, user), refusals("intern"), 3),
        Behaviour("health check: connects, leaves", "unauthenticated", lambda server, _: clients.connect_and_leave(server),
                  aborts("unauthenticated"), 4),
        Behaviour("is killed by an administrator", "batch", killed, aborts("batch"), 2),
        Behaviour("says goodbye (COM_QUIT)", "goodapp", quit_properly,
                  lambda m: aborts("goodapp")(m) + refusals("goodapp")(m), 3),
    ]
    rows[-1].good = True
    return rows


class Players:
    """Plays the behaviours at random moments until stopped; each at least once, in turn."""

    def __init__(self, server, rows):
        self._server, self._rows = server, rows
        self._stop = threading.Event()
        self.error = None
        # Administrator's work is done on one connection: one thread plays all but what takes long.
        self._threads = [threading.Thread(target=self._run, args=(some,), daemon=True) for some in
                         ([r for r in rows if r.user != "reports"], [r for r in rows if r.user == "reports"])]

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            if thread.ident:
                thread.join(20)

    def _run(self, rows):
        dice = random.Random(2)
        turn = list(rows)
        pause = 2.2 / len(rows)
        try:
            while not self._stop.wait(dice.uniform(0.3, 1.7) * pause):
                row = turn.pop(0) if turn else dice.choices(rows, [r.weight for r in rows])[0]
                row.play(self._server, row.user)
                row.provoked += 1
        except Exception as e:  # shown by the main thread, which ends the demo
            self.error = e


class Demo:
    """What the views show: all of it as of the last refresh()."""

    def __init__(self, server, exporter, rows, seconds):
        self.server, self.exporter, self.rows, self.seconds = server, exporter, rows, seconds
        self.started = time.monotonic()
        self.events = []  # oldest first
        self.metrics = None
        self.first = {}
        self.history = {"aborted_clients": [], "aborted_connects": []}
        self._second = -1
        self.refresh()

    @property
    def elapsed(self):
        return time.monotonic() - self.started

    def counter(self, name):
        """A counter of the server's, as the exporter polled it last; None before."""
        found = self.metrics.samples(f"mysql_global_status_{name}")
        return int(found[0][1]) if found else None

    def refresh(self):
        """Ask the exporter; returns the events that are new."""
        self.metrics = self.exporter.scrape()
        for row in self.rows:
            row.counted = row.seen(self.metrics)
        if int(self.elapsed) != self._second:
            self._second = int(self.elapsed)
            for name, values in self.history.items():
                value = self.counter(name)
                if value is not None:
                    self.first.setdefault(name, value)
                    values.append(value)
        known = self.events[-1]["id"] if self.events else 0
        new = [event for event in reversed(self.exporter.events()) if event["id"] > known]
        self.events += new
        return new

    def caught_up(self):
        return all(row.settled for row in self.rows)

    def success(self):
        """Whether everything that was provoked was seen, and we ourselves did no harm."""
        return (self.caught_up() and all(row.provoked for row in self.rows)
                and self.metrics.sum("mysqlconn_self_aborts_total") == 0)


class Ended(Exception):
    """SIGTERM or the like: clean up and go."""


def on_signal(number, _frame):
    signal.signal(number, signal.SIG_IGN)  # once is enough: let the cleaning up finish
    raise Ended(number)


def play(demo, view, players):
    """Until the time is over (or for ever): let them play, and show it."""
    players.start()
    while demo.seconds is None or demo.elapsed < demo.seconds:
        view.show(demo, demo.refresh())
        if players.error:
            raise players.error
        time.sleep(REFRESH_SECONDS)
    players.stop()
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < deadline:
        view.show(demo, demo.refresh())
        if demo.caught_up():
            return
        time.sleep(REFRESH_SECONDS / 4)


def run(program, seconds):
    rows = behaviours()
    print("starting a private MariaDB …", flush=True)
    # Level 4 makes the server say KILLED too.
    with MariaDB(["--log-warnings=4", "--lc-messages=en_US"]) as server:
        server.execute("CREATE DATABASE shop")
        for row in rows:
            if row.user != "unauthenticated":
                server.execute(f"CREATE USER '{row.user}'@'%' IDENTIFIED BY '{PASSWORD.replace(chr(39), chr(39) * 2)}'")
                server.execute(f"GRANT SELECT ON shop.* TO '{row.user}'@'%'")
        print("starting the exporter on it …", flush=True)
        schedule = {"interval": "1s", "timeout": "1s"}
        watched = target(server, "demo", error_log={"file": server.error_log, "start": "beginning"})
        with Exporter(program, {"poll": schedule, "probe": schedule, "targets": [watched]}) as exporter:
            exporter.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probe_success") == 1, 20,
                              "the first poll and probe")
            demo = Demo(server, exporter, rows, seconds)
            players = Players(server, rows)
            view = ScreenView(sys.stdout) if ScreenView.fits(sys.stdout) else PlainView(sys.stdout)
            interrupted = False
            try:
                with view:
                    play(demo, view, players)
            except (KeyboardInterrupt, Ended) as e:
                interrupted = isinstance(e, KeyboardInterrupt) or e.args[0] == signal.SIGINT
                if not interrupted:
                    raise
            finally:
                players.stop()
            if interrupted:
                demo.refresh()
            view.summary(demo, complete=not interrupted)
            return 0 if interrupted or demo.success() else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="the exporter to show")
    options = parser.parse_args()
    text = os.environ.get("DEMO_SECONDS", "")
    try:
        seconds = float(text) if text else None
    except ValueError:
        sys.exit(f"DEMO_SECONDS={text}: a number of seconds is wanted")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    try:
        sys.exit(run(os.path.abspath(options.program), seconds))
    except Ended as e:
        sys.exit(128 + e.args[0])
    except (AssertionError, OSError, RuntimeError) as e:
        sys.exit(f"the demo failed: {e}")


if __name__ == "__main__":
    main()
