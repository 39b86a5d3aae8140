"""A real Prometheus scrapes the exporter for a minute: it is up all the time, every series that the README lists as always
present is there for each target, and Prometheus has nothing to complain of."""
# takes long

import re
import subprocess
import time

from lib.exporter import target
from lib.prometheus import Prometheus
from lib.process import wait_until

SCRAPE_SECONDS = 5


def always_present(program):
    """(name, type, whether it is a target's) of the families that the metric table says are there always."""
    table = subprocess.run([program, "--print-metrics"], capture_output=True, text=True, check=True, timeout=30).stdout
    rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in table.splitlines()[2:]]
    return [(r[0].strip("`"), r[1], "target" in re.split(", ?", r[2])) for r in rows if r[3] == "always"]


def test_up_for_a_minute_and_every_series_is_there(program, exporter, server, tmp_path, figure):
    log = tmp_path / "error.log"
    log.write_text("")
    watching = exporter({"poll": {"interval": "1s", "timeout": "1s"}, "probe": {"interval": "1s", "timeout": "1s"},
                         "targets": [target(server, "db1", error_log={"file": str(log)}, labels={"env": "test"}),
                                     target("127.0.0.1:1", "down")]})
    families = always_present(program)
    assert len(families) > 15, families
    with Prometheus(f"127.0.0.1:{watching.port}", SCRAPE_SECONDS) as prometheus:
        started = time.monotonic()
        wait_until(lambda: time.monotonic() - started > 61, 70, "a minute", step=1)
        (_, up), = prometheus.query("min_over_time(up[1m])")
        (_, count), = prometheus.query("count_over_time(up[1m])")
        (_, slowest), = prometheus.query("max_over_time(scrape_duration_seconds[1m])")
        assert up == 1, prometheus.targets()
        assert count >= 60 / SCRAPE_SECONDS / 2
        selectors = [f'{name}{end}{{target="{want}"}}' if want else name + end for name, kind, of_target in families
                     for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))
                     for want in (("db1", "down") if of_target else (None,))]

        def missing():
            return [selector for selector in selectors if not prometheus.query(selector)]
        wait_until(lambda: not missing(), 10, lambda: f"all is there: {missing()}", step=1)

        def up_now():  # a busy machine's answer may be late once
            return {(l["target"], l.get("env")): v for l, v in prometheus.query("mysql_up")}
        wait_until(lambda: up_now() == {("db1", "test"): 1, ("down", None): 0}, 10, up_now, step=1)
        assert not prometheus.warnings()
        figure(f"{count:.0f} scrapes, up in all; {len(families)} families always there; slowest scrape {slowest * 1000:.0f} ms")
