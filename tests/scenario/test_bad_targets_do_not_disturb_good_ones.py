"""50 good targets and, beside them, five that are bad in five ways: each bad one shows its own phase and reason within one
interval plus its timeout, and the good ones' probes stay on schedule."""
# runs alone: it measures lateness

import os
import time

from fake.liar import BlackHole, Liar, Refuses, never_speaks, resets_after_greeting
from lib.exporter import target
from lib.process import starved

GOOD = 50
INTERVAL, TIMEOUT = 2.0, 1.0
SETTLE = 1.0  # from the end of an operation to a scrape that shows it


def test_each_bad_one_says_why_and_the_good_ones_stay_on_schedule(exporter, server, sanitized, figure):
    with Liar(never_speaks) as silent, BlackHole() as hole, Refuses() as refuses, Liar(resets_after_greeting) as resets:
        expected = {
            "silent": (silent.address, "greeting", {"timeout"}),
            "blackhole": (hole.address, "connect", {"timeout"}),
            "refuses": (refuses.address, "connect", {"refused"}),
            "unresolvable": ("no-such-host.invalid:3306", "resolve", {"resolve", "timeout"}),
            "resets": (resets.address, "auth", {"reset"}),
        }
        schedule = {"interval": f"{INTERVAL:.0f}s", "timeout": f"{TIMEOUT:.0f}s"}
        patient = {"timeout": schedule["interval"]}
        targets = [target(server, f"good{i:02}", poll=patient, probe=patient) for i in range(GOOD)]
        targets += [target(address, name) for name, (address, _, _) in expected.items()]
        watching = exporter({"poll": schedule, "probe": {**schedule, "grace": "1s"}, "targets": targets})
        started, ours = time.monotonic(), starved(os.getpid())

        def waited():
            """Seconds in which this machine did something else."""
            return starved(watching.pid) + starved(os.getpid()) - ours

        def said(metrics, name, operation):
            _, phase, reasons = expected[name]
            return metrics.down(name, operation) in [(phase, reason) for reason in reasons]

        metrics = watching.wait_for(lambda m: all(said(m, name, operation) for name in expected for operation in ("poll", "probe")), 20,
                                    "all bad targets are down with a reason")
        took = time.monotonic() - started
        assert took <= INTERVAL + TIMEOUT + SETTLE + waited()

        # Some intervals more, for the schedule.
        metrics = watching.wait_for(lambda m: m.sum("mysqlconn_probes_total", target="good00") >= 6, 30, "six probes")
        for i in range(GOOD):
            name = f"good{i:02}"
            assert metrics.value("mysql_up", target=name) == 1
            assert metrics.value("mysqlconn_probe_success", target=name) == 1
            assert metrics.down(name, "probe") is None and metrics.down(name, "poll") is None
            assert metrics.sum("mysqlconn_probe_failed_total", target=name) == 0

        good = [l["target"] for l, _ in metrics.samples("mysql_up") if l["target"].startswith("good")]
        count = sum(metrics.value("mysqlconn_probe_schedule_lateness_seconds_count", target=t) for t in good)
        total = sum(metrics.value("mysqlconn_probe_schedule_lateness_seconds_sum", target=t) for t in good)
        buckets = {}
        for l, v in metrics.samples("mysqlconn_probe_schedule_lateness_seconds_bucket"):
            if l["target"] in good:
                buckets[float(l["le"])] = buckets.get(float(l["le"]), 0) + v
        worst = min(b for b in buckets if buckets[b] == count)
        p99 = min(b for b in buckets if buckets[b] >= 0.99 * count)
        figure(f"bad targets explained after {took:.1f} s; lateness of {count:.0f} good probes: mean {1000 * total / count:.2f} ms, "
               f"p99 <= {1000 * p99:g} ms, worst <= {1000 * worst:g} ms; the loop's longest step "
               f"{1000 * metrics.sum('mysqlconn_exporter_loop_longest_step_seconds'):.1f} ms; without a CPU for {waited():.1f} s")
        # Far below any timeout of the bad ones: they hold up nobody. Sanitizers make each step some times longer.
        assert p99 <= (0.1 if sanitized else 0.025) + waited()
        assert total / count <= (0.05 if sanitized else 0.01) + waited()
