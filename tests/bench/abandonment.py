"""What is left behind when the server answers too late: probes of ours and scrapes of prometheus-mysqld-exporter, both through a relay
whose round trip is longer than what they may take; what the server counts as aborted, and what of it the program owns up to."""

import concurrent.futures
import contextlib
import os
import time
import urllib.request

from lib.exporter import Exporter, target
from lib.mariadb import MONITOR
from lib.process import Process, free_port, wait_until
from lib.relay import Relay
from verdict import verdict

ROUND_TRIP_S = 0.2
PEER_SCRAPE_TIMEOUT_S = 0.3  # its time-out is this less --timeout-offset
PEER_OFFSET_S = 0.05
TARGETS = 40
AT_ONCE = 10  # scrapes


def _aborted(server):
    return sum(server.status("Aborted_clients", "Aborted_connects").values())


def _settle(server, relay, leaving=0):
    """The abort counters once nothing is under way any more."""
    relay.wait_drained(leaving=leaving, timeout=20)
    last = [_aborted(server)]

    def still():
        last.append(_aborted(server))
        return last[-1] == last[-2]
    wait_until(still, 10, "the abort counters stand still", step=0.5)
    return last[-1]


def ours(build, server, count, grace):
    """(late, moved, owned) of `count` probes that must be told as late before half of their first round trip is over."""
    settings = {"interval": "500ms", "timeout": f"{ROUND_TRIP_S * 500:.0f}ms", "grace": grace}
    with Relay(server.port, delay=ROUND_TRIP_S / 2) as relay:
        targets = [target(relay, f"db{i}", tls={"mode": "disabled"}, poll={"interval": "1h", "timeout": "10s"}, probe=settings)
                   for i in range(TARGETS)]
        before = _aborted(server)
        with Exporter(f"{build}/mysqlconn_exporter", {"targets": targets}) as exporter:
            exporter.wait_for(lambda m: m.sum("mysqlconn_probe_failed_total") >= count, 90, f"{count} late probes")
            relay.refuse()
            _settle(server, relay, leaving=TARGETS)  # the polls' kept connections
            done = exporter.scrape()
        after = _settle(server, relay)
        return int(done.sum("mysqlconn_probe_failures_total", reason="timeout")), after - before, int(done.sum("mysqlconn_self_aborts_total"))


def peer(program, server, count):
    """(late, moved) of `count` scrapes, as Prometheus makes them, AT_ONCE at a time."""
    port = free_port()
    with Relay(server.port, delay=ROUND_TRIP_S / 2) as relay:
        env = {**os.environ, "DATA_SOURCE_NAME": f"{MONITOR[0]}:{MONITOR[1]}@(127.0.0.1:{relay.port})/"}
        url = f"http://127.0.0.1:{port}/metrics?collect[]=global_status&collect[]=global_variables"
        request = urllib.request.Request(url, headers={"X-Prometheus-Scrape-Timeout-Seconds": str(PEER_SCRAPE_TIMEOUT_S)})

        def scrape(_):
            with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=10) as answer:
                return b"mysql_global_status_uptime" not in answer.read()
            return True
        running = Process([program, f"--web.listen-address=127.0.0.1:{port}", f"--timeout-offset={PEER_OFFSET_S}"], env=env)
        try:
            running.wait_for_line("istening", 20)
            before = _aborted(server)
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                late = sum(pool.map(scrape, range(count)))
            time.sleep(2 * ROUND_TRIP_S)
        finally:
            running.end(10)
        return late, _settle(server, relay) - before


def lines(build, program, server, count):
    """The comparison, as lines to print."""
    form = "{:<46} {:>5} late: aborted connections {:>+5}"
    late, moved, owned = ours(build, server, count, grace="10s")
    yield form.format(f"{count} probes, which may end for 10 s longer", late, moved) + f", {owned} owned  {_verdict(moved, 0, owned)}"
    late, moved, owned = ours(build, server, count, grace="100ms")
    yield form.format("    … for 0.1 s longer", late, moved) + f", {owned} owned  {_verdict(moved, owned, owned)}"
    late, moved = peer(program, server, count)
    yield form.format(f"{count} scrapes of {program}", late, moved)


def _verdict(moved, wanted, owned):
    return verdict("aborted connections of abandoned probes", moved == wanted == owned)
