"""A real Prometheus in a folder of its own, scraping one address: Debian 12's (2.42), or the 3.x of Debian sid."""

import json
import os
import re
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from . import sid
from .process import PATIENCE, Process, free_port, unprivileged_user, wait_until


def _of_prometheus_3(program):
    return sid.command(sid.fetch("prometheus", "prometheus", "prometheus-alertmanager", "libc6"), f"usr/bin/{program}")


def prometheus_3():
    """The command that runs Prometheus 3."""
    return _of_prometheus_3("prometheus")


def promtool_3():
    """… and its promtool."""
    return _of_prometheus_3("promtool")


class Prometheus:
    """Scrapes `address` each `interval` seconds from start() on; use it in a `with`. `command` is another one than
    Debian 12's, `scrape` has more settings of the scrape configuration, `args` more flags. `rules`, {file name: text}, are
    evaluated as often as it scrapes, and their alerts sent to the Alertmanager at `alertmanager`."""

    def __init__(self, address, interval=2, command=("prometheus",), scrape=None, args=(), rules=None, alertmanager=None):
        self._command = [*command, *args]
        self._folder = tempfile.TemporaryDirectory(prefix="mysqlconn-prometheus-")
        self.port = free_port()
        self._user = unprivileged_user() if command == ("prometheus",) else None  # others cannot reach our cache
        config = {"global": {"scrape_interval": f"{interval}s", "scrape_timeout": f"{interval}s",
                             "evaluation_interval": f"{interval}s"},
                  "rule_files": list(rules or ()),
                  "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []},
                  "scrape_configs": [{"job_name": "mysqlconn", "static_configs": [{"targets": [address]}],
                                      **(scrape or {})}]}
        self._config = os.path.join(self._folder.name, "prometheus.yml")
        with open(self._config, "w", encoding="utf-8") as f:
            json.dump(config, f)
        for name, text in (rules or {}).items():
            with open(os.path.join(self._folder.name, name), "w", encoding="utf-8") as f:
                f.write(text)
        if self._user:
            os.chown(self._folder.name, *self._user)
        self.process = None

    def __enter__(self):
        self.process = Process([*self._command, f"--config.file={self._config}", "--log.level=warn",
                                f"--storage.tsdb.path={self._folder.name}/data",
                                f"--web.listen-address=127.0.0.1:{self.port}"], user=self._user, cwd=self._folder.name)
        wait_until(self._ready, 30, lambda: f"Prometheus is ready:\n{self.process.output()}")
        return self

    def __exit__(self, *_):
        self.process.end()
        self._folder.cleanup()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def _get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return answer.read()

    def _ready(self):
        try:
            return b"Ready" in self._get("/-/ready")
        except (urllib.error.URLError, ConnectionError):
            return False

    def query(self, expression):
        """Result of an instant query: [(labels, value)]."""
        answer = json.loads(self._get("/api/v1/query?query=" + urllib.parse.quote(expression)))
        return [(r["metric"], float(r["value"][1])) for r in answer["data"]["result"]]

    def targets(self):
        """What Prometheus says of its scrape targets, errors included."""
        return json.loads(self._get("/api/v1/targets"))["data"]["activeTargets"]

    def alerts(self):
        """Those that are pending or fire now, with what is said of them now."""
        return json.loads(self._get("/api/v1/alerts"))["data"]["alerts"]

    def unhealthy_rules(self):
        """Rules whose last evaluation failed, with the reason."""
        groups = json.loads(self._get("/api/v1/rules"))["data"]["groups"]
        return [(r["name"], r.get("lastError")) for g in groups for r in g["rules"] if r["health"] == "err"]

    def warnings(self):
        """Its log at level warn and above: parse errors, out-of-order and duplicate samples."""
        return [l for l in self.process.lines if re.search("level=(warn|error)", l, re.I)]
