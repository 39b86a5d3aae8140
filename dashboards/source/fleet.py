"""Fleet: which targets need attention, the worst first, and what to look at next."""

from .grafana import (BLUE, CAUSES, GREEN, ORANGE, RED, YELLOW, dashboard, in_range, link_to, per_minute, query, row, stat,
                      state_timeline, table, timeseries, words)

EACH = "by (job, instance, target)"
COUNTERS = 'counter=~"Aborted_clients|Aborted_connects"'  # the others count the same connections once more
STATES = {3: ("down", RED), 2: ("critical", ORANGE), 1: ("warning", YELLOW), 0: ("fine", GREEN)}

# Down where the last poll or the last plain probe failed, else as its advice says.
STATE = (f'max {EACH} (3 * (mysql_up{{<target>}} == bool 0)'
         ' or 3 * (mysqlconn_probe_success{<target>, module="default"} == bool 0)'
         ' or 2 * mysqlconn_advice{<target>, severity="critical"} or mysqlconn_advice{<target>, severity="warning"})')
ABORTS = f"sum {EACH} (increase(mysqlconn_ledger_increase_total{{<target>, {COUNTERS}}}[$__range]))"
# As mysqlconn_ledger_explained_ratio has it.
NO_CAUSE = in_range(f'mysqlconn_aborts_total{{<target>, {COUNTERS}, cause=~"unknown|before_login"}}')


def unexplained(by=""):
    """The share of the aborts whose cause is not known."""
    nothing = f"sum {by} (increase(mysqlconn_aborts_unexplained_total{{<target>, {COUNTERS}}}[$__range]))"
    aborts = f"sum {by} (increase(mysqlconn_ledger_increase_total{{<target>, {COUNTERS}}}[$__range]))"
    return f"clamp(({nothing} + (sum {by} ({NO_CAUSE}) or 0 * {nothing})) / ({aborts} > 0), 0, 1)"


NAMED = in_range('mysqlconn_client_aborts_total{<target>, user!=""}')  # by who had logged in, or tried
FILLED = ("mysql_global_status_threads_connected{<target>} / mysql_global_variables_max_connections{<target>}")
P99 = ('histogram_quantile(0.99, sum by (job, instance, target, phase, le) ('
       'rate(mysqlconn_probe_phase_duration_seconds_bucket{<target>, module="default"}[$__rate_interval])))')


def share(what, hard):
    return {"unit": "percentunit", "decimals": 0, "min": 0, "max": 1,
            "custom_cellOptions": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"},
            "thresholds": {"mode": "absolute", "steps": [{"color": GREEN, "value": None}, {"color": YELLOW, "value": what},
                                                         {"color": RED, "value": hard}]}}


TO_TARGET = link_to("mysqlconn-target", "Target ${__data.fields.Target}", target="__data.fields.Target")
TO_CLIENTS = link_to("mysqlconn-clients", "Clients of ${__data.fields.Target}", target="__data.fields.Target")
TO_CAUSE = link_to("mysqlconn-clients", "Clients of ${__data.fields.Target} with this cause", target="__data.fields.Target",
                   cause="__value.text")
TO_USER = link_to("mysqlconn-clients", "What ${__value.text} does to ${__data.fields.Target}", target="__data.fields.Target",
                  user="__value.text")
LEGEND_TO_TARGET = [link_to("mysqlconn-target", "Target ${__field.labels.target}", target="__field.labels.target")]
LEGEND_TO_CAUSE = [link_to("mysqlconn-clients", "Clients with the cause ${__field.labels.cause}", cause="__field.labels.cause")]

TOP = [
    stat("Targets", "Servers that are watched.", "count(mysqlconn_error_log_configured{<target>})"),
    stat("Down", "Targets whose last poll or plain probe failed.", f"count({STATE} == 3) or vector(0)", steps=(GREEN, (1, RED)),
         background=True),
    stat("Critical", "Targets that are not down and have advice of severity critical: clients are turned away now.",
         f"count({STATE} == 2) or vector(0)", steps=(GREEN, (1, ORANGE)),
         background=True),
    stat("Warnings", "Targets that are neither, with advice of severity warning: clients are hurt or soon will be, or we cannot see whether "
         "they are.", f"count({STATE} == 1) or vector(0)", steps=(GREEN, (1, YELLOW)),
         background=True),
    stat("Aborts/min", "Aborted connections and refused logins a minute, as the servers count them (Aborted_clients and "
         "Aborted_connects).", f"sum(rate(mysqlconn_ledger_increase_total{{<target>, {COUNTERS}}}[$__rate_interval])) * 60",
         decimals=1, graph=True),
    stat("Unexplained", "Share of these, in the time range, whose cause is not known: unexplained, or of the causes unknown and before_login.",
         unexplained(), unit="percentunit",
         steps=(GREEN, (0.1, YELLOW), (0.5, ORANGE)), decimals=0, no_value="no aborts"),
    stat("Fullest server", "Open connections against max_connections, of the server that has most of them.", f"max({FILLED})",
         unit="percentunit", steps=(GREEN, (0.8, ORANGE), (0.95, RED)), decimals=0),
    stat("Slowest phase", "The slowest phase of the plain probes of any server, p99.", f"max({P99})", unit="s",
         steps=(GREEN, (0.2, YELLOW), (1, ORANGE)), no_value="no probes"),
]

RANKED = table(
    "Targets, those that need attention first",
    "Ranked by state, then by aborts in the time range. A click on a target leads to its dashboard, one on its aborts, its main cause or "
    "its noisiest user to the clients behind them.",
    query(f"{STATE} * 1e6 + on (job, instance, target) ({ABORTS} or max {EACH} (0 * mysql_up{{<target>}}))", table=True),
    query(STATE, table=True),
    query('max by (job, instance, target, phase, reason) (mysqlconn_target_down_info{<target>, operation="poll"}) or on (job, instance, target)'
          ' max by (job, instance, target, phase, reason) (mysqlconn_target_down_info{<target>, operation="probe", module="default"})', table=True),
    query(ABORTS, table=True),
    query(unexplained(EACH), table=True),
    query(f"topk {EACH} (1, sum by (job, instance, target, cause) ({in_range('mysqlconn_abort_events_total{<target>}')}) > 0)", table=True),
    query(f"topk {EACH} (1, sum by (job, instance, target, user) ({NAMED}) > 0)", table=True),
    query(f"max {EACH} ({FILLED})", table=True),
    query(f'max {EACH} ({P99}) and on (job, instance, target) mysqlconn_probe_success{{<target>, module="default"}} == 1', table=True),
    query(f"count {EACH} (mysqlconn_advice{{<target>}})", table=True),
    rows_sorted_by="Value #A",
    columns={
        "target": ("Target", {"links": [TO_TARGET], "custom_minWidth": 130}),
        "Value #B": ("State", {"mappings": words(STATES), "custom_cellOptions": {"type": "color-background", "mode": "basic"},
                               "custom_width": 85, "custom_align": "center"}),
        "phase": ("Fails in phase", {"custom_width": 110}),
        "reason": ("because", {"custom_width": 175}),
        "Value #D": ("Aborts", {"unit": "locale", "decimals": 0, "custom_width": 80, "links": [TO_CLIENTS]}),
        "Value #E": ("Unexplained", {**share(0.1, 0.5), "custom_width": 130}),
        "cause": ("Main cause", {"custom_minWidth": 140, "links": [TO_CAUSE]}),
        "user": ("Noisiest user", {"custom_minWidth": 130, "links": [TO_USER]}),
        "Value #H": ("Connections in use", {**share(0.8, 0.95), "custom_width": 150}),
        "Value #I": ("Slowest phase", {"unit": "s", "custom_width": 110}),
        "Value #J": ("Advice", {"custom_width": 70, "links": [TO_TARGET]}),
    }, height=9)

TIMELINE = state_timeline(
    "State of each target", "down: the last poll or plain probe failed. critical and warning: there is advice of that severity.",
    query(STATE, "{{target}}"), mapping=STATES, links=LEGEND_TO_TARGET, height=7)

DASHBOARD = dashboard("mysqlconn-fleet", "Which MySQL and MariaDB servers have unhealthy connections, the worst first.", [
    row("", *TOP),
    row("", RANKED, TIMELINE),
    row("Who is aborted, and why",
        timeseries("Aborts a minute, by target", "As the servers count them: Aborted_clients and Aborted_connects.",
                   query(f"sum by (target) (rate(mysqlconn_ledger_increase_total{{<target>, {COUNTERS}}}[$__rate_interval])) * 60",
                         "{{target}}"), stack=True, links=LEGEND_TO_TARGET),
        timeseries("Aborts a minute, by cause", "Each abort and refused login once, by its cause; a click leads to its clients.",
                   query(f"sum by (cause) ({per_minute('mysqlconn_abort_events_total{<target>}')}) > 0", "{{cause}}"),
                   stack=True, palette=CAUSES, links=LEGEND_TO_CAUSE),
        table("Advice", "The rules that are raised now, for which target. The README says of each what to change.",
              query('max by (job, instance, target, rule) (3 * mysqlconn_advice{<target>, severity="critical"}'
                    ' or 2 * mysqlconn_advice{<target>, severity="warning"} or mysqlconn_advice{<target>, severity="info"})', table=True),
              columns={"Value": ("Severity", {"mappings": words({3: ("critical", ORANGE), 2: ("warning", YELLOW), 1: ("info", BLUE)}),
                                              "custom_width": 100, "custom_align": "center",
                                              "custom_cellOptions": {"type": "color-background", "mode": "basic"}}),
                       "rule": ("Rule", {"custom_minWidth": 150}), "target": ("Target", {"links": [TO_TARGET], "custom_minWidth": 120})},
              sort="Severity", width=12, no_value="no advice"),
        table("What fails, and why", "What failed last: the poll over the kept connection, or a probe, in which phase and for what reason.",
              query("max by (job, instance, target, operation, module, phase, reason) (mysqlconn_target_down_info{<target>})", table=True),
              columns={"target": ("Target", {"links": [TO_TARGET]}), "operation": ("Operation", {}), "module": ("Module", {}),
                       "phase": ("Phase", {}), "reason": ("Reason", {})}, width=12, no_value="nothing fails")),
    row("How much room is left, and how long it takes",
        timeseries("Connections in use", "Open connections against max_connections.", query(f"max by (target) ({FILLED})", "{{target}}"),
                   unit="percentunit", width=8, legend="bottom", steps=("transparent", (0.8, ORANGE), (0.95, RED)), maximum=1, height=9,
                   links=LEGEND_TO_TARGET),
        # Of the last probes, not of the histograms: those have 150 series for each target.
        timeseries("Slowest phase of the probes", "Of resolve, connect, greeting, tls, auth, ping, query and quit, the slowest of the probes since the point "
                   "before.", query('max by (target) (max_over_time(mysqlconn_probe_last_phase_duration_seconds{<target>, module="default"}'
                                    "[$__rate_interval]))", "{{target}}"),
                   unit="s", width=8, height=9, legend="bottom", links=LEGEND_TO_TARGET),
        timeseries("Unexplained aborts a minute", "Aborts whose cause nothing tells. Where there are many, read the error log of that "
                   "target, or grant what its advice asks for.",
                   query(f"sum by (target) (rate(mysqlconn_aborts_unexplained_total{{<target>, {COUNTERS}}}[$__rate_interval])) * 60",
                         "{{target}}"), width=8, height=9, legend="bottom", stack=True, links=LEGEND_TO_TARGET, no_value="no aborts")),
])
