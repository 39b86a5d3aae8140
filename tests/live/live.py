#!/usr/bin/python3
"""The live stack by hand (`make live`): runs until Ctrl-C, or for LIVE_SECONDS, and says where everything listens. The dashboards
can then be drawn from that Prometheus, and the alerts looked at in Alertmanager."""

import argparse
import os
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.prometheus import prometheus_3  # noqa: E402
from live.rules import load  # noqa: E402
from live.stack import Stack  # noqa: E402


def ended(number, _frame):
    raise KeyboardInterrupt(number)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="the daemon")
    parser.add_argument("--mysql", action="store_true", help="with a MySQL 9 (fetched once into a cache)")
    parser.add_argument("--prometheus-3", action="store_true", help="Prometheus 3 of Debian sid instead of Debian 12's")
    parser.add_argument("--rules", action="append", default=[], help="rule files instead of the tree's alerts/*.yml")
    parser.add_argument("--unscaled", action="store_true", help="durations of the rules as they are, not in seconds for minutes")
    parser.add_argument("--scrape-seconds", type=int, default=1)
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended)
    seconds = float(os.environ.get("LIVE_SECONDS") or "inf")
    more = {"prometheus": prometheus_3()} if options.prometheus_3 else {}
    with tempfile.TemporaryDirectory(prefix="mysqlconn-live-") as folder:
        os.chmod(folder, 0o755)
        with Stack(os.path.abspath(options.program), folder, load(options.rules, scaled=not options.unscaled),
                   mysql=options.mysql, scrape_seconds=options.scrape_seconds, big_log=True,
                   say=lambda what: print(f"starting {what} …", flush=True), **more) as stack:
            print(f"exporter      {stack.exporter.url}\nPrometheus    {stack.prometheus.url}\n"
                  f"Alertmanager  http://{stack.alertmanager.address}\nCtrl-C ends it.", flush=True)
            until, restart, seen, told = time.monotonic() + seconds, time.monotonic() + 90, 0, set()
            try:
                while time.monotonic() < until:
                    time.sleep(1)
                    if time.monotonic() > restart:
                        stack.restart_exporter()
                        restart += 900
                    alerts = stack.alertmanager.fired()
                    for alert in alerts[seen:]:  # what stands is sent again and again
                        if (which := (alert["fingerprint"], alert["startsAt"])) not in told:
                            told.add(which)
                            print(f"{alert['labels']['alertname']}: {alert['annotations'].get('description', '')}", flush=True)
                    seen = len(alerts)
            except KeyboardInterrupt:
                pass
            for troupe in stack.troupes:
                for player in troupe.players:
                    if player.error:
                        print(f"{player.name}: played {player.played} times, last failed with {player.error!r}", file=sys.stderr)


if __name__ == "__main__":
    main()
