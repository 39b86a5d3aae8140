"""The product as its users have it, alive: real servers under clients that misbehave, the daemon with everything on, Prometheus with
the tree's rules, Alertmanager. Every alert that is meant for what happens arrives, says who and why, and none that is not; then every
query that the dashboards make returns data, over a restart of the daemon too. Durations in the rules are shortened by the tables of
live/rules.py; the expressions are the tree's. With PROMETHEUS=3 in the environment it is Prometheus 3, else Debian 12's."""
# takes long

import collections
import math
import os
import re
import time
import urllib.parse

import pytest
import yaml

from lib.process import wait_until
from lib.prometheus import prometheus_3
from live import dashboards
from live.dashboards import Api, View
from live.rules import TOP, load
from live.stack import Stack

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="clients' hosts get names in a mount namespace, which needs root")

SCRAPE_SECONDS = 1
WAIT_SECONDS = 120  # for what takes half of it on an idle machine

# What must arrive: (alert, target), and what its description must say.
MEANT = {
    ("MysqlConnTargetDown", "down"): r"phase connect, reason refused",
    ("MysqlConnTargetDown", "stuck"): r"phase greeting, reason timeout",
    ("MysqlConnTargetDown", "untrusted"): r"phase tls, reason certificate_untrusted",
    ("MysqlConnLoginFailing", "lockedout"): r"phase auth, reason access_denied",
    ("MysqlConnProbeFailing", "crowded"): r"\d+.*% of the probes",
    ("MysqlConnConnectionsNearMax", "crowded"): r"of max_connections \(12\)",
    ("MysqlConnConnectionsRefused", "crowded"): r"\(error 1040\)",
    ("MysqlConnHostBlocked", "shop"): r"with the most errors is '127\.0\.0\.\d+'",
    ("MysqlConnHostNearBlocked", "shop"): r"127\.0\.0\.\d+.*max_connect_errors is 20",
    ("MysqlConnServerRestarted", "crowded"): r"has been up for",
    ("MysqlConnCloseNotClean", "legacy"): r"most of them (reset|timeout|unexpected_data)",
    ("MysqlConnRttSlow", "distant"): r"takes [\d.]+m?s, and in its own week",
    ("MysqlConnPhaseSlow", "legacy"): r"Phase greeting .* takes [\d.]+m?s, and in its own week",
    ("MysqlConnProbeProtocolViolations", "legacy"): r"most of them",
    ("MysqlConnCertificateExpiresSoon", "shop"): r"expires in 4d",
    ("MysqlConnCertificateExpires", "crowded"): r"expires in 23h",
    ("MysqlConnClientVanishing", "shop"): r"'webshop' \(driver Node-MySQL-2\).*'web1\.shop\.example'",
    ("MysqlConnAbortsAboveBase", "shop"): r"by access_denied .*'intern' on 'desk4\.shop\.example'",
    ("MysqlConnAbortsUnexplained", "crowded"): r"Aborted_connects",
    ("MysqlConnIdleTimeouts", "shop"): r"wait_timeout is 20s.*'(reports|invoices)'.*MySQL Connector/J",
    ("MysqlConnPacketTooLarge", "shop"): r"\(1MiB\).*'uploader' on 'app2\.shop\.example' \(driver mysqlnd\)",
    ("MysqlConnProtocolErrors", "shop"): r"'oldclient' on 'app3\.shop\.example'",
    ("MysqlConnTlsFailures", "orders"): r"TLS handshakes with orders failed",
    ("MysqlConnChurn", "shop"): r"new connections a second",
    ("MysqlConnAdviceCritical", "shop"): r"Rule hosts_blocked",
    ("MysqlConnAdviceStanding", "shop"): r"Rule clients_vanish",
    ("MysqlConnLogUnreadable", "legacy"): r"not_found",
    ("MysqlConnLogLevelTooLow", "legacy"): r"level",
    ("MysqlConnLogLosesLines", "crowded"): r"truncated",
    ("MysqlConnSelfAborts", "stuck"): r"to stuck could not be ended",
    ("MysqlConnServerRestartLoop", "moody"): r"moody was restarted \d+ times",
    ("MysqlConnCloseLoggedAsAborted", "moody"): r"\d+ probes of moody .* said COM_QUIT",
    ("MysqlConnConfigReloadFailed", None): r"--config\.file of mysqlconn_exporter 127.* cannot be used",
    ("MysqlConnFileSdFailing", None): r"found \d+ times within 15 minutes a file of targets",
    ("MysqlConnStateNotWritten", None): r"could not write its state \d+ times",
}
# What the stack does not have, and why; none may arrive.
NOT_HERE = {
    "MysqlConnLogBehind": "logs are read as fast as they are written; `make live` has one that is not",
    "MysqlConnExporterAbsent": "it is there",
    "MysqlConnRulesMissing": "they are loaded",
}
# What may arrive while clients play, where this machine is busy; and must while the exporter is stopped.
BY_CHANCE = {"MysqlConnExporterDown": "a scrape that takes more than a second has failed"}
# A server whose clients behave, and what may be said of it all the same.
WELL = "billing"
OF_THIS_MACHINE = {
    ("MysqlConnPhaseSlow", None): "whoever else is busy on it",
    ("MysqlConnRttSlow", None): "whoever else is busy on it",
    ("MysqlConnAdviceStanding", "accept_queue"): "a server that gets no CPU accepts nobody",
    ("MysqlConnAdviceStanding", "packet_loss"): "an answer that comes late is a segment sent again, on the loopback interface too",
}
# Causes of what nobody had logged in for.
NOBODY = ("before_login", "dns", "handshake_timeout", "health_check", "host_blocked", "host_not_allowed", "protocol_error",
          "tls_failure")

# Queries that have no data although all is well: (dashboard, what is in the expression) and why.
WITHOUT_DATA = {}


@pytest.fixture(scope="module")
def stack(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    for path in (folder, folder.parent, folder.parent.parent):
        os.chmod(path, 0o755)
    more = {"prometheus": prometheus_3()} if os.environ.get("PROMETHEUS") == "3" else {}
    with Stack(program, folder, load(), mysql=True, scrape_seconds=SCRAPE_SECONDS, **more) as running:
        running.began = time.time()
        yield running
        running.quiet()
        # At `crowded` all may fail: it is full, or restarts.
        troubled = {f"{p.name} at {t.server.name}": p.error for t in running.troupes for p in t.players
                    if t.server is not running.crowded and not p.played and p.error}
        assert not troubled, "these did never what they are here for"


def alerts_of_the_tree():
    with open(os.path.join(TOP, "alerts", "alerts.yml"), encoding="utf-8") as f:
        return [rule["alert"] for group in yaml.safe_load(f)["groups"] for rule in group["rules"] if "alert" in rule]


def test_each_alert_has_its_place():
    """A new one is either meant for what happens here, or has a reason why not."""
    names = alerts_of_the_tree()
    meant = {name for name, _ in MEANT}
    assert sorted(names) == sorted(meant | set(NOT_HERE) | set(BY_CHANCE))
    assert not meant & set(NOT_HERE)


def said(alerts, name, target):
    return [a["annotations"].get("description", "") for a in alerts
            if a["labels"]["alertname"] == name and a["labels"].get("target") == target]


def test_alerts_arrive_and_say_who_and_why(stack, figure):
    def missing():
        """What arrived first may have come when a poll had failed, on a busy machine; what is said of it later is not sent again."""
        alerts, now = stack.alertmanager.fired(), stack.prometheus.alerts()
        return {f"{name} of {target}": {"wanted": text, "came": came[-3:]} for (name, target), text in MEANT.items()
                for came in [said(alerts, name, target)] if not came or not any(re.search(text, s) for s in came + said(now, name, target))}

    wait_until(lambda: not missing(), WAIT_SECONDS,
               lambda: f"these alerts arrive: {missing()}\n{stack.prometheus.unhealthy_rules()}", 0.5)
    took = time.time() - stack.began
    alerts = stack.alertmanager.fired()
    unwanted = [a for a in alerts if a["labels"]["alertname"] in NOT_HERE or a["labels"].get("target") == WELL
                and (a["labels"]["alertname"], a["labels"].get("rule")) not in OF_THIS_MACHINE]
    told = "\n".join(f"{a['labels']['alertname']}: {a['annotations']['description']}" for a in unwanted)
    assert not unwanted, f"these are not meant:\n{told}"
    uids = {d.json["uid"] for d in dashboards.load()}
    wrong = [f"{why}: {a['labels']} {a['annotations']}" for a in alerts for why in what_is_wrong(a, uids)]
    assert not wrong, "\n".join(wrong[:5])
    assert not stack.prometheus.unhealthy_rules()
    assert not stack.prometheus.warnings()
    kinds = collections.Counter(a["labels"]["alertname"] for a in alerts)
    figure(f"{len({a['fingerprint'] for a in alerts})} alerts of {len(kinds)} kinds arrived, all that are meant after {took:.0f} s")


def what_is_wrong(alert, uids):
    """With what was rendered."""
    labels, notes = alert["labels"], alert["annotations"]
    text = notes.get("description", "")
    if labels.get("severity") not in ("critical", "warning", "info"):
        yield "no severity"
    if not notes.get("summary") or not text:
        yield "no summary or description"
    if re.search(r"<no value>|<error|%!|\{\{|NaN|[+-]Inf", " ".join(notes.values())):
        yield "not rendered"
    if labels.get("target", "") not in text:
        yield "the target is not named"
    if re.search(r"\bhost ''|on ''|driver \)|reason [.,]|phase ,", text, re.I):
        yield "something is empty"
    if re.search(r"\buser ''", text, re.I) and not any(cause in labels.get("cause", labels["alertname"]) for cause in NOBODY) \
            and not re.search("ProtocolErrors|TlsFailures|HostBlocked", labels["alertname"]):
        yield "no user"
    if not re.match(r"https?://.*#" + labels["alertname"].lower() + "$", notes.get("runbook_url", "")):
        yield "no runbook"
    dashboard = re.match(r"https?://[^?]*/d/([\w-]+)(?:\?(.*))?$", notes.get("dashboard_url", ""))
    chosen = urllib.parse.parse_qs(dashboard[2] or "") if dashboard else {}
    if not dashboard or dashboard[1] not in uids:
        yield "no dashboard"
    if [labels.get("target")] != chosen.get("var-target", [None]) and [labels["instance"]] != chosen.get("var-instance"):
        yield "a dashboard of another target"


def restart(stack):
    """The exporter is missed while it is away. For how many seconds Prometheus had nothing of the new one."""
    def is_missed():
        return any("has not answered Prometheus" in s for s in said(stack.alertmanager.fired(), "MysqlConnExporterDown", None))

    def starts():
        query = "process_start_time_seconds and on (job, instance) mysqlconn_exporter_build_info"
        return [value for _, value in stack.prometheus.query(query)]

    before, began = starts(), []

    def meanwhile():
        wait_until(is_missed, 60, "MysqlConnExporterDown arrives", 0.2)
        began.append(time.time())
    stack.restart_exporter(meanwhile)
    wait_until(lambda: any(value not in before for value in starts()), 60, "Prometheus has scraped it again", 0.1)
    return time.time() - began[0]


def test_every_query_returns_data(stack, figure):
    """At the end, with the daemon restarted; bounded waits for what comes and goes."""
    # Restarts are marked for four scrapes: where this machine was busy, in a view as of one that scrapes less often.
    scrape_seconds = max(SCRAPE_SECONDS, math.ceil(restart(stack) / 2))
    boards = dashboards.load()
    assert {d.json["uid"] for d in boards} >= {"mysqlconn-fleet", "mysqlconn-target", "mysqlconn-clients", "mysqlconn-exporter"}
    api = Api(stack.prometheus.url)
    asked = {board: board.queries() + board.selectors() for board in boards}
    excepted = {query for board in boards for query in asked[board]
                if any(board.name == name and part in query.expression for name, part in WITHOUT_DATA)}
    waiting = {board: [q for q in asked[board] if q not in excepted] for board in boards}
    errors = []

    def look():
        """Asks those that had none so far; what is wrong with the others."""
        errors.clear()
        now = time.time()
        for board in boards:
            view = View(board, api, stack.began, now, scrape_seconds).prepare()
            errors.extend(view.empty)
            waiting[board] = [q for q in waiting[board] if not view.has_data(q)]
            errors.extend(map(str, waiting[board]))
        return not errors

    wait_until(look, 100, lambda: "these return data:\n" + "\n".join(errors), 1)
    now = time.time()
    for board in boards:
        view = View(board, api, stack.began, now, scrape_seconds).prepare()
        assert not [str(q) for q in excepted if q.where.startswith(board.name) and view.has_data(q)], "excepted, and have data"
    figure(f"{sum(len(b.queries()) for b in boards)} queries of {len(boards)} dashboards return data")
