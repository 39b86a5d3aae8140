"""Clients: who aborts, from where, with which driver, and why."""

import os
import re

from .fleet import TO_TARGET
from .grafana import (BLUE, CAUSES, GREEN, ORANGE, RED, YELLOW, bargauge, dashboard, heatmap, in_range, link_to, per_minute, query, row, stat,
                      table, texts, timeseries, variable, words)

WHO = '<target>, cause=~"$cause", user=~"$user"'


def aborts(matchers=""):
    return in_range(f"mysqlconn_client_aborts_total{{{WHO}{matchers}}}")


def events(matchers=""):
    return in_range(f'mysqlconn_abort_events_total{{<target>, cause=~"$cause"{matchers}}}')


ABORTS = aborts()
NOW = per_minute(f"mysqlconn_client_aborts_total{{{WHO}}}")
CAUSE = ', cause="{}"'
SURE = ', confidence="{}"'
COUNT = {"unit": "locale", "decimals": 0}
NARROW = {**COUNT, "custom_width": 85}
CAUSE_COLUMN = {"mappings": texts(CAUSES), "custom_cellOptions": {"type": "color-text"},
                "color": {"mode": "fixed", "fixedColor": "text"}, "custom_minWidth": 170}
ONLY_USER = link_to("mysqlconn-clients", "Only ${__value.text}", user="__value.text")
ONLY_CAUSE = link_to("mysqlconn-clients", "Only ${__value.text}", cause="__value.text")


def _known_drivers():
    """{the name that a driver announces: how it closes badly, and what to call instead}, from the table of src/explain."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/explain/drivers.inc")
    with open(path, encoding="utf-8") as f:
        rows = re.findall(r"^\{\n(.*?)^\},", f.read(), re.S | re.M)
    known = {}
    for fields in rows:
        if "DRIVER_CLOSES_BADLY" in fields and (name := re.search(r'\.client_name = "(.*)"', fields)):
            calls, remedy = (re.search(rf'\.{field} = "(.*)"', fields)[1].replace("`", "") for field in ("calls", "remedy"))
            known.setdefault(name[1], f"no COM_QUIT from {calls}. {remedy}")
    return known


KNOWN_DRIVERS = _known_drivers()


def by(label, title, description, palette=None):
    """Who has no name, as one who was never logged in has no user, is called so."""
    return timeseries(title, description, query(f'label_replace(sum by ({label}) ({NOW}) > 0, "{label}", "(none)", "{label}", "")',
                                                f"{{{{{label}}}}}"), stack=True, palette=palette, no_value="no aborts")


DASHBOARD = dashboard("mysqlconn-clients", "Which clients of MySQL and MariaDB servers abort their connections, and why.", [
    row("",
        stat("Aborts", "Aborts and refused logins of these clients in the time range.", f"sum({ABORTS}) or vector(0)", unit="locale",
             decimals=0),
        stat("Clients", "Users at a host with a driver that aborted in the time range.",
             f"count(sum by (job, instance, target, user, host, driver) ({ABORTS}) > 0) or vector(0)"),
        stat("Worst client", "How much of the aborts comes from the one client with the most.",
             f"max(sum by (job, instance, target, user, host, driver) ({ABORTS})) / (sum({ABORTS}) > 0)",
             unit="percentunit", decimals=0, steps=(BLUE, (0.5, ORANGE)), no_value="no aborts"),
        stat("Vanished", "Clients that were logged in and left without COM_QUIT: ended, crashed or were killed.",
             f"sum({aborts(CAUSE.format('client_vanished'))}) or vector(0)", unit="locale", decimals=0,
             steps=(GREEN, (1, CAUSES["client_vanished"]))),
        stat("Idle too long", "Connections that wait_timeout or interactive_timeout cut off: their pools keep them for longer.",
             f"sum({aborts(CAUSE.format('idle_timeout'))}) or vector(0)", unit="locale", decimals=0,
             steps=(GREEN, (1, CAUSES["idle_timeout"]))),
        stat("Logins refused", "Wrong passwords, users or hosts.",
             f"sum({aborts(CAUSE.format('access_denied'))}) or vector(0)", unit="locale", decimals=0,
             steps=(GREEN, (1, CAUSES["access_denied"]))),
        stat("Cause certain", "Share of the aborts whose cause the evidence leaves no doubt of.",
             f"(sum({events(SURE.format('certain'))}) or vector(0))"
             f" / (sum({events()}) > 0)", unit="percentunit", decimals=0, no_value="no aborts"),
        stat("Not told apart", "Aborts that are counted under the client 'other', because limits.clients_per_target was reached.",
             "sum(increase(mysqlconn_client_aborts_folded_total{<target>}[$__range]))", unit="locale", decimals=0, steps=(GREEN, (1, YELLOW)))),
    row("Who is it?",
        table("Clients by aborts", "Each client and cause, in the time range, and how many a minute there are now: where user is empty nobody had logged in, and 'unknown' is a driver "
              "that did not announce itself or whose session was not seen. A click on a user or a cause leaves only those.",
              query(f"topk(200, sum by (target, user, host, driver, cause) ({ABORTS}) > 0.5)", table=True),
              query(f"sum by (target, user, host, driver, cause) ({NOW}) > 0", table=True),
              columns={"target": ("Target", {"links": [TO_TARGET], "custom_minWidth": 130}), "user": ("User", {"custom_minWidth": 130, "links": [ONLY_USER]}),
                       "host": ("Host", {"custom_minWidth": 140}), "driver": ("Driver", {"custom_minWidth": 140}),
                       "cause": ("Cause", {**CAUSE_COLUMN, "links": [ONLY_CAUSE]}),
                       "Value #A": ("Aborts", {**COUNT, "custom_minWidth": 200, "color": {"mode": "continuous-YlRd"},
                                               "custom_cellOptions": {"type": "gauge", "mode": "gradient", "valueDisplayMode": "text"}}),
                       "Value #B": ("A minute", {"decimals": 1, "custom_width": 100})},
              sort="Aborts", height=13, filterable=True, no_value="no aborts by these clients in this time")),
    row("When, and by what?",
        by("cause", "Aborts a minute, by cause", "Each abort and refused login once.", palette=CAUSES),
        by("user", "Aborts a minute, by user", "The user that logged in, or tried to; (none): nobody had logged in."),
        by("host", "Aborts a minute, by host", "Where the clients are; see limits.client_hosts."),
        by("driver", "Aborts a minute, by driver", "The driver that the client announced (performance_schema.session_connect_attrs)."),
        table("How sure the causes are", "Aborts and refused logins in the time range. likely: other causes remain possible; unknown: the evidence does not "
              "tell. All users.",
              *[query(f"sum by (cause) ({events(SURE.format(sure))}) > 0", table=True)
                for sure in ("certain", "likely", "unknown")],
              columns={"cause": ("Cause", CAUSE_COLUMN), "Value #A": ("Certain", NARROW), "Value #B": ("Likely", NARROW),
                       "Value #C": ("Unknown", NARROW)}, sort="Certain", width=10),
        table("What the error log says", "Aborted connections in the error log in the time range, by the reason as an English server words it.",
              query("topk(100, sum by (target, user, reason) (increase(mysqlconn_error_log_aborts_total{<target>, user=~\"$user\"}[$__range])) > 0.5)",
                    table=True),
              columns={"reason": ("Reason", {"custom_minWidth": 330}), "user": ("User", {"custom_width": 130}),
                       "target": ("Target", {"custom_width": 120}),
                       "Value": ("Lines", NARROW)}, sort="Lines", width=14, no_value="no error log tells of aborts")),
    row("Are connections kept idle for too long?",
        heatmap("Idle before the abort", "How many aborted sessions a minute had slept for how long, of those that the process list showed asleep: near zero "
                "programs end or crash, at one fixed time somebody cuts idle connections, be it the server, a proxy or a firewall.",
                'sum by (le) (' + per_minute('mysqlconn_aborted_sessions_idle_seconds_bucket{<target>, cause=~"$cause"}') + ")", width=12,
                no_value="no session that was aborted was seen asleep before", height=9),
        heatmap("How long sessions have slept", "How many sleep for how long, at each moment: what nears wait_timeout will be cut off.",
                "sum by (le) (mysqlconn_sleeping_sessions_seconds_bucket{<target>})", width=12, no_value="PROCESS is not granted", height=9),
        timeseries("Idle connections cut off, a minute", "By wait_timeout or interactive_timeout, by user: their pools should drop them sooner.",
                   query('sum by (user) (' + per_minute('mysqlconn_client_aborts_total{<target>, user=~"$user", cause="idle_timeout"}') + ") > 0",
                         "{{user}}"), stack=True, no_value="none"),
        timeseries("Sessions near their end", "That have slept for nine tenths of wait_timeout, and longer than it (they have a timeout of their own).",
                   query("sum by (target) (mysqlconn_sessions_near_wait_timeout{<target>})", "{{target}}, near"),
                   query("sum by (target) (mysqlconn_sessions_past_wait_timeout{<target>})", "{{target}}, past"), no_value="PROCESS is not granted"),
        table("When the server cuts off", "The server's settings, and after how long a held probe was cut.",
              query("max by (target) (mysql_global_variables_wait_timeout{<target>})", table=True),
              query("max by (target) (mysql_global_variables_interactive_timeout{<target>})", table=True),
              query("max by (target) (mysqlconn_probe_hold_last_cut_after_seconds{<target>})", table=True),
              columns={"target": ("Target", {"links": [TO_TARGET]}), "Value #A": ("wait_timeout", {"unit": "s"}),
                       "Value #B": ("interactive_timeout", {"unit": "s"}), "Value #C": ("held probe cut after", {"unit": "s"})},
              width=12, height=7, no_value="not known"),
        table("Advice about clients", "Rules of advice that speak of clients; the README says of each what to change.",
              query('max by (target, rule, severity) (mysqlconn_advice{<target>, rule=~"drivers|clients_vanish|results_not_read|idle_cut|'
                    'sleepers_near_timeout|idle_transactions|packet_too_large|net_timeouts|connection_churn|logins_refused|user_limits|'
                    'protocol_errors|logins_not_finished"})', table=True),
              columns={"severity": ("Severity", {"mappings": texts({"critical": ORANGE, "warning": YELLOW, "info": BLUE}), "custom_width": 90,
                                                 "custom_cellOptions": {"type": "color-background", "mode": "basic"}}),
                       "rule": ("Rule", {}), "target": ("Target", {"links": [TO_TARGET]})}, width=12, height=7, no_value="no advice")),
    row("Which drivers are there?",
        table("Sessions by driver and version", "What is connected now; and of drivers whose usual call to close sends no COM_QUIT, which call that is and "
              "what to call instead. The README's table of drivers has the sources.",
              query("label_replace(sum by (target, driver, version) (mysqlconn_sessions_by_driver{<target>}), \"known\", \"$1\", \"driver\", "
                    f"\"({'|'.join(KNOWN_DRIVERS)})\")", table=True),
              columns={"driver": ("Driver", {"custom_width": 180}), "version": ("Version", {"custom_width": 90}),
                       "target": ("Target", {"custom_width": 120}), "Value": ("Sessions", {"decimals": 0, "custom_width": 85}),
                       "known": ("Known to close badly", {"mappings": words({name: (text, ORANGE) for name, text in KNOWN_DRIVERS.items()}),
                                                          "custom_cellOptions": {"type": "color-text"}, "color": {"mode": "fixed", "fixedColor": "text"},
                                                          "custom_minWidth": 420})},
              sort="Sessions", height=9, no_value="no drivers are seen: performance_schema.session_connect_attrs")),
    row("Who is refused?",
        bargauge("Refused logins by user", "By the error log, in the time range.",
                 'sort_desc(topk(10, sum by (user) (increase(mysqlconn_error_log_access_denied_total{<target>, user=~"$user"}[$__range])) > 0.5))',
                 "{{user}}", unit="locale", width=8, height=9, steps=(CAUSES["access_denied"],), decimals=0),
        table("Errors that MySQL counted, by account", "Errors by which connections end or are refused, in the time range: MySQL 8 and later, at every log level.",
              query("topk(100, sum by (target, error, code, user, client_host) (increase(mysqlconn_server_errors_total{<target>, user=~\"$user\"}"
                    "[$__range])) > 0.5)", table=True),
              columns={"error": ("Error", {"custom_minWidth": 210}), "code": ("Code", {"custom_width": 65}), "user": ("User", {}),
                       "client_host": ("Host", {}), "Value": ("Times", NARROW)},
              sort="Times", width=16, height=9, no_value="no MySQL 8 whose summary of errors may be read"),
        timeseries("Hosts near to being blocked", "SUM_CONNECT_ERRORS of the host that has most of them, against max_connect_errors: at 100 % it is blocked.",
                   query("max by (target, client_host) (mysqlconn_host_cache_nearest_host_ratio{<target>})", "{{target}} {{client_host}}"),
                   unit="percentunit", width=8, legend="bottom", steps=("transparent", (0.5, ORANGE), (1, RED)), no_value="host_cache is not read"),
        timeseries("Hosts blocked, or half way to it", "By max_connect_errors.",
                   query("sum by (target) (mysqlconn_host_cache_blocked_hosts{<target>})", "{{target}}, blocked"),
                   query("sum by (target) (mysqlconn_host_cache_near_hosts{<target>})", "{{target}}, half way"), width=8, legend="bottom",
                   no_value="host_cache is not read"),
        table("Errors of hosts", "What the server's host cache has of a host now, all kinds together.",
              query("topk(50, sum by (target, client_host) (mysqlconn_host_cache_host_errors{<target>}))", table=True),
              columns={"client_host": ("Host", {}), "target": ("Target", {}), "Value": ("Errors", NARROW)}, sort="Errors",
              width=8, height=8, no_value="no host with errors, or host_cache is not read")),
], variables=[
    variable("cause", "Cause", "label_values(mysqlconn_abort_events_total{<target>}, cause)", "Why connections were aborted."),
    variable("user", "User", "label_values(mysqlconn_client_aborts_total{<target>}, user)", "Whose connections were aborted.")])
