"""What the product costs, held against floors and peers: alternating rounds in one run, CPU time from the kernel's own account of
each process, medians with their spread, printed as ratios. Ratios carry over to other machines; the figures do not."""

import argparse
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import abandonment  # noqa: E402
from lib.certificates import Authority  # noqa: E402
from lib.exporter import Exporter, target  # noqa: E402
from lib.mariadb import MONITOR, MariaDB  # noqa: E402
from lib.process import Process, free_port, wait_until  # noqa: E402
from log_bench import log_bench  # noqa: E402
from page_bench import page_bench, undisturbed  # noqa: E402
from verdict import summary, verdict  # noqa: E402

PEER = "prometheus-mysqld-exporter"


def cpu_ns(pid):
    """CPU time of a process so far, by its own clock (clock_getcpuclockid(3)): all its threads, ended ones included."""
    return time.clock_gettime_ns(~pid << 3 | 2)


def rss_kb(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(l.split()[1]) for l in f if l.startswith(field + ":"))


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


class Row:
    """One comparison: rounds of ours and of the other, and the bound that their ratio is held against (None: it is shown)."""

    def __init__(self, what, unit, bound, other):
        self.what, self.unit, self.bound, self.other = what, unit, bound, other
        self.ours_values, self.other_values = [], []

    def add(self, ours, other):
        self.ours_values.append(ours)
        self.other_values.append(other)

    def line(self):
        ours, other = statistics.median(self.ours_values), statistics.median(self.other_values)
        ratios = sorted(a / b for a, b in zip(self.ours_values, self.other_values) if b)
        ratio = statistics.median(ratios)
        said = "" if self.bound is None else verdict(f"{self.what} against {self.other}", ratio <= self.bound)
        bound = "" if self.bound is None else f"<= {self.bound:.3f}"
        return (f"{self.what:<46} {ours:>9.1f} {other:>9.1f} {self.unit:<3} {ratio:>7.3f} "
                f"[{ratios[0]:.3f} .. {ratios[-1]:.3f}]  {bound:<8}  {said:<5}  against {self.other}")


def bare_us(program, *args):
    done = subprocess.run([program, *map(str, args)], env={**os.environ, "MYSQL_PWD": MONITOR[1]}, capture_output=True, text=True,
                          check=True)
    return int(done.stdout) / 1000


def probe_against_bare(build, server, rounds, seconds, pace_ms, tls, rows):
    """CPU of one probe against bare loops: `rows` are (row, the bare loop's CA argument, its share of the rounds). The daemon does
    nothing else meanwhile, its next poll is an hour away, and is stopped while a bare loop runs."""
    count = int(seconds * 1000 / pace_ms)
    config = {"poll": {"interval": "1h"}, "probe": {"interval": f"{pace_ms}ms", "timeout": f"{pace_ms}ms", "grace": "10s"},
              "targets": [target(server, tls=tls)]}
    with Exporter(f"{build}/mysqlconn_exporter", config) as exporter:
        exporter.wait_for(lambda m: m.value("mysqlconn_probe_success") == 1 and m.value("mysql_up") == 1, 10)
        for _ in range(rounds):
            exporter.process.signal(signal.SIGSTOP)
            bares = [bare_us(f"{build}/tests/bench/bare", "127.0.0.1", server.port, MONITOR[0], max(int(count * share), 1), pace_ms, *ca)
                     for _, ca, share in rows]
            exporter.process.signal(signal.SIGCONT)
            time.sleep(0.2)
            probes = exporter.scrape().value("mysqlconn_probes_total")
            before = cpu_ns(exporter.pid)
            time.sleep(seconds)
            spent = cpu_ns(exporter.pid) - before
            done = exporter.scrape().value("mysqlconn_probes_total") - probes
            for (row, _, _), bare in zip(rows, bares):
                row.add(spent / done / 1000, bare)
    return [row for row, _, _ in rows]


def plain_probe(build, server, rounds, seconds):
    row = Row("CPU per probe (20 ms apart)", "us", 1.4, "a bare libmariadb loop")
    return probe_against_bare(build, server, rounds, seconds, 20, {"mode": "disabled"}, [(row, (), 1)])


def tls_probe(build, server, ca, rounds, seconds):
    """… and the share that libmariadb spends on the SSL_CTX that it makes for each connection."""
    pace_ms = 50
    tls = {"mode": "verify-identity", "ca": ca}
    rows = [(Row("CPU per verified TLS probe (50 ms apart)", "us", 1.1, "a bare loop with the same CA"), (ca,), 1),
            (Row("    …", "us", 0.1, "a bare loop that loads the system's bundle"), ("system",), 0.2)]
    yield from probe_against_bare(build, server, rounds, seconds, pace_ms, tls, rows)
    context = statistics.median(bare_us(f"{build}/tests/bench/tls_context", int(seconds * 1000 / pace_ms), pace_ms, ca)
                                for _ in range(rounds))
    row = Row("    … of which libmariadb's SSL_CTX with that CA", "us", None, "the whole probe")
    for whole in rows[0][0].ours_values:
        row.add(context, whole)
    yield row


def idle_ns(server, seconds):
    before = cpu_ns(server.pid)
    time.sleep(seconds)
    return (cpu_ns(server.pid) - before) / seconds


class Scraper:
    """Scrapes as Prometheus does: gzip accepted, over one connection that is kept."""

    def __init__(self, port, path):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.path = path

    def scrape(self):
        self.connection.request("GET", self.path, headers={"Accept-Encoding": "gzip"})
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise OSError(f"{self.path}: {answer.status}")
        return body


def product_against_peer(build, server, rounds, seconds, targets, interval_s, sessions=False):
    """CPU of everything that one target costs in one interval, on our side and on the server's, against mysqld_exporter scraped for
    status and variables alone. Ours watches `targets` targets and is scraped once an interval; the peer, which watches one server, is
    scraped once for each of them, so that both do equally much a second. `sessions`: ours reads the process list, too, each time."""
    ours = Row(f"CPU per target and interval, {targets} target{'s' * (targets > 1)}", "us", 1 / 30, PEER)
    servers = Row("    … and the server's CPU for it", "us", 1 / 3, PEER)
    if sessions:
        server.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")
        ours.what, servers.what, ours.bound = "    … and with the process list at each poll", "    … the server's", None
    settings = {"interval": f"{interval_s}s"}
    config = {"poll": settings, "probe": settings, "sessions": settings, "targets": [target(server, name=f"db{i}") for i in range(targets)]}
    cycles = seconds // interval_s
    port = free_port()
    env = {**os.environ, "DATA_SOURCE_NAME": f"{MONITOR[0]}:{MONITOR[1]}@(127.0.0.1:{server.port})/"}
    peer_path = "/metrics?collect[]=global_status&collect[]=global_variables"

    def spent(pid, scraper, count, gap_s):
        mine, servers_before = cpu_ns(pid), cpu_ns(server.pid)
        started = time.monotonic()
        for i in range(count):
            time.sleep(max(0.0, started + i * gap_s - time.monotonic()))
            scraper.scrape()
        time.sleep(max(0.0, started + count * gap_s - time.monotonic()))
        return (cpu_ns(pid) - mine) / 1000 / (cycles * targets), (cpu_ns(server.pid) - servers_before) / 1000 / (cycles * targets)

    peer = Process([PEER, f"--web.listen-address=127.0.0.1:{port}"], env=env)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}{peer_path}"), 20, f"{PEER} answers")
        idle = idle_ns(server, 3) * interval_s / 1000 / targets
        for _ in range(rounds):
            with Exporter(f"{build}/mysqlconn_exporter", config) as exporter:
                exporter.wait_for(lambda m: m.sum("mysql_up") == targets and m.sum("mysqlconn_probe_success") == targets, 20)
                time.sleep(2.5)  # past the start
                mine, servers_mine = spent(exporter.pid, Scraper(exporter.port, "/metrics"), cycles, interval_s)
            theirs, servers_theirs = spent(peer.pid, Scraper(port, peer_path), cycles * targets, interval_s / targets)
            ours.add(mine, theirs)
            servers.add(max(servers_mine - idle, 0), servers_theirs - idle)
        peer_rss = rss_kb(peer.pid)
    finally:
        peer.end(10)
    return [ours, servers], peer_rss


def answers(url):
    try:
        return get(url)
    except OSError:
        return None


def memory(build, server, many=1001):
    """Resident memory with one target, and what each further one adds, kept connection included. Both sides run first: on a busy
    machine conversations last longer, more of them are under way at once, and each takes some 46 KB meanwhile."""
    undisturbed(server.pid)
    def measure(count):
        settings = {"interval": "2s", "timeout": "2s"}
        config = {"poll": settings, "probe": settings, "targets": [target(server, name=f"db{i}") for i in range(count)]}
        with Exporter(f"{build}/mysqlconn_exporter", config) as exporter:
            undisturbed(exporter.pid)
            # each is polled and probed some times: what grows has grown
            exporter.wait_for(lambda m: m.sum("mysql_up") == count and m.sum("mysqlconn_probes_total") >= 4 * count, 120,
                              "all targets are up")
            return rss_kb(exporter.pid), rss_kb(exporter.pid, "RssAnon")
    one, anon = measure(1)
    all_kb, _ = measure(many)
    return one, anon, (all_kb - one) / (many - 1)


def servers(build, rounds, seconds, quick):
    """What watching costs."""
    with tempfile.TemporaryDirectory(prefix="mysqlconn-bench-") as folder:
        authority = Authority(folder)
        certificate = authority.sign("server", names="IP:127.0.0.1")
        with MariaDB().use_certificate(*certificate) as server:
            for row in tls_probe(build, server, authority.ca, rounds, seconds):
                print(row.line(), flush=True)
    with MariaDB(options=["--max-connections=3000", "--back-log=2000"]) as server:
        for row in plain_probe(build, server, rounds, seconds):
            print(row.line(), flush=True)
        for targets, interval_s in ((50, 2), (1, 1)):
            rows, peer_rss = product_against_peer(build, server, rounds, seconds, targets, interval_s)
            for row in rows:
                print(row.line(), flush=True)
        for row in product_against_peer(build, server, rounds, seconds, 1, 1, sessions=True)[0]:
            print(row.line(), flush=True)
        server.execute(f"REVOKE PROCESS ON *.* FROM '{MONITOR[0]}'@'%'")
        for line in abandonment.lines(build, PEER, server, 100 if quick else 300):
            print(line, flush=True)
    with MariaDB(options=["--max-connections=3000", "--back-log=2000"]) as server:
        one, anon, further = memory(build, server)
    print(f"{'resident memory with 1 target':<46} {one:>9.0f} {peer_rss:>9.0f} KB  {one / peer_rss:>7.3f}  <= 8192 KB: "
          f"{verdict('resident memory with 1 target', one <= 8192)}  ({anon} KB of it our own, the rest pages of shared libraries)  against {PEER}")
    print(f"{'resident memory of each further target':<46} {further:>9.1f} {'':>9} KB  {'':>7}  <= 45 KB: "
          f"{verdict('resident memory of each further target', further <= 45)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--quick", action="store_true", help="one short round of each: to see that it works")
    parser.add_argument("--only", choices=["logs", "pages", "servers"], help="a part of it")
    args = parser.parse_args()
    rounds, seconds = (1, 4) if args.quick else (5, 6)

    print(f"{'what':<46} {'ours':>9} {'other':>9} {'':<3} {'ratio':>7} [lowest .. highest]  bound", flush=True)
    if args.only in (None, "logs"):
        log_bench(args.build, Row, rounds, (1 << 30) // (16 if args.quick else 1))
    if args.only in (None, "pages"):
        with MariaDB(options=["--max-connections=3000", "--back-log=2000"]) as server:
            for line in page_bench(args.build, server, cpu_ns):
                print(line, flush=True)
    if args.only in (None, "servers"):
        servers(args.build, rounds, seconds, args.quick)
    print(summary(), flush=True)


if __name__ == "__main__":
    main()
