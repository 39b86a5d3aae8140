"""What pages of many targets cost: CPU for each MB as it is made, gzip apart, the time to the first byte, and the longest step of the
loop meanwhile. The targets are one MariaDB, each polled and probed once, and nothing else goes on while pages are made."""

import http.client
import os
import re
import statistics
import time

from lib.exporter import Exporter, target
from verdict import verdict

METRICS = (("text", "text/plain"), ("OpenMetrics", "application/openmetrics-text;version=1.0.0"),
           ("protobuf", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"))
OTHERS = ("/", "/api/v1/targets", "/api/v1/ledger", "/api/v1/advice")
ROUNDS = 7


def read(port, path, accept, coding="identity"):
    """(seconds to the first byte, the body)"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    started = time.monotonic()
    connection.request("GET", path, headers={"Accept": accept, "Accept-Encoding": coding})
    answer = connection.getresponse()
    body = answer.read(1)
    first = time.monotonic() - started
    return first, body + answer.read()


def steps(port):
    """How many steps of the loop there were so far, by their bounds in ms."""
    page = read(port, "/metrics", "text/plain")[1].decode()
    counts = re.findall(r'^mysqlconn_exporter_loop_step_seconds_bucket{le="([^"]*)"} (\d+)', page, re.M)
    below, by_bound = 0, {}
    for le, count in counts:
        by_bound[float(le) * 1000] = int(count) - below
        below = int(count)
    return by_bound


def longest_between(before, after):
    return max(bound for bound in after if after[bound] > before[bound])


def all_tried(port, count):
    page = read(port, "/metrics", "text/plain")[1]
    return (len(re.findall(rb"^mysql_up{.* 1$", page, re.M)) == count and
            len(re.findall(rb"^mysqlconn_probe_success{.* 1$", page, re.M)) == count)


def undisturbed(pid):
    """Whoever else runs on this machine is no part of a step: the kernel lets the process run whenever it can."""
    try:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return ""
    return ", run first (SCHED_FIFO)"


def cost(exporter, cpu_ns, path, accept, coding):
    """(CPU in ms, to the first byte in ms, size in MB)"""
    before = cpu_ns(exporter.pid)
    first, body = read(exporter.port, path, accept, coding)
    return (cpu_ns(exporter.pid) - before) / 1e6, first * 1000, len(body) / 1e6


def page_line(what, rounds, bound):
    plain, first, size = (statistics.median(r[0][i] for r in rounds) for i in range(3))
    packed, _, sent = (statistics.median(r[1][i] for r in rounds) for i in range(3))
    said = f"<= {bound:.1f}: {verdict(what, plain / size <= bound)}" if bound else ""
    return (f"{what:<46} {plain / size:>9.2f} {'':>9} ms CPU per MB  {said:<13} {size:.1f} MB, first byte after {first:.1f} ms; "
            f"gzip {(packed - plain) / size:.2f} ms per MB more, {sent:.2f} MB")


def page_bench(build, server, cpu_ns, count=1000):
    """Lines to print; `cpu_ns(pid)` is the CPU time of a process."""
    rare = {"interval": "1h", "timeout": "30s"}
    config = {"poll": rare, "probe": rare, "targets": [target(server, name=f"db{i}") for i in range(count)]}
    with Exporter(f"{build}/mysqlconn_exporter", config) as exporter:
        how = undisturbed(exporter.pid)
        deadline = time.monotonic() + 120
        while not all_tried(exporter.port, count):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{count} targets are not up")
            time.sleep(0.5)
        pages = [("/metrics", *m) for m in METRICS] + [(path, "", "*/*") for path in OTHERS]
        costs, longest = {page: [] for page in pages}, []
        for _ in range(ROUNDS):
            before = steps(exporter.port)
            for page in pages:
                costs[page].append([cost(exporter, cpu_ns, page[0], page[2], coding) for coding in ("identity", "gzip")])
            longest.append(longest_between(before, steps(exporter.port)))
        for (path, told, _), rounds in costs.items():
            yield page_line(" ".join((path, told)).strip() + f", {count} targets", rounds, 2 if told else None)
        yield (f"{'    … the longest step of the loop for them':<46} {min(longest):>9.1f} {max(longest):>9.1f} ms  at most, in the quietest and "
               f"the loudest of {ROUNDS} rounds{how}  <= 10.0: {verdict('the longest step of the loop for pages', min(longest) <= 10)}")
