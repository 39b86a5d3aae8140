"""Target: one server. Is it up, who hung up and why, how long does a connection take, how many are there, and what can we see."""

from .fleet import COUNTERS, EACH, FILLED, NAMED, STATE, STATES, TO_TARGET, unexplained
from .grafana import (BLUE, CAUSES, CONFIDENCES, GREEN, GREY, ORANGE, OUTCOMES, PHASES, RED, YELLOW, bargauge, dashboard, heatmap, in_range,
                      link_to, override, per_minute, query, row, stat, state_timeline, table, timeseries, words)

TO_CAUSE = [link_to("mysqlconn-clients", "Clients with the cause ${__field.labels.cause}", cause="__field.labels.cause")]
TO_USER = [link_to("mysqlconn-clients", "What ${__field.labels.user} does", user="__field.labels.user")]
YES = {1: ("yes", GREEN), 0: ("no", RED)}
COLOURED = {"type": "color-background", "mode": "basic"}
LINE = {"custom_drawStyle": "line", "custom_lineWidth": 2, "custom_fillOpacity": 0, "custom_stacking": {"mode": "none", "group": "B"}}


def phase_quantile(q):
    return (f"histogram_quantile({q}, sum by (phase, le) (rate(mysqlconn_probe_phase_duration_seconds_bucket"
            '{<target>, module="default"}[$__rate_interval]))) > 0')  # which not a number is not: a phase that nobody had


def ledger(counter, meaning):
    matchers = f'<target>, counter="{counter}"'
    return timeseries(
        f"{counter} a minute: the server's count against its causes",
        f"{meaning} The line is what the server counts; the areas are what is known of it: the causes, and what is left unexplained, which "
        "is decided some polls later. A click on a cause leads to its clients.",
        query(f"sum by (cause) ({per_minute(f'mysqlconn_aborts_total{{{matchers}}}')}) > 0", "{{cause}}"),
        query(f"sum(rate(mysqlconn_aborts_unexplained_total{{{matchers}}}[$__rate_interval])) * 60", "unexplained"),
        query(f"sum(rate(mysqlconn_ledger_increase_total{{{matchers}}}[$__rate_interval])) * 60", counter),
        stack=True, palette=CAUSES, links=TO_CAUSE, height=9,
        overrides=[override(counter, color={"mode": "fixed", "fixedColor": "text"}, links=[], **LINE), override("unexplained", links=[])])


def variables(*names):
    return [query(f"max {EACH} (mysql_global_variables_{name}{{<target>}})", table=True) for name in names]


TIMEOUTS = ("wait", "interactive", "net_read", "net_write", "connect", "lock_wait")
LIMITS = {"max_connections": ("connections", {}), "max_user_connections": ("of one user", {}), "max_connect_errors": ("connect errors", {}),
          "max_allowed_packet": ("packet", {"unit": "bytes"}), "back_log": ("back_log", {})}

DASHBOARD = dashboard("mysqlconn-target", "The connections of one MySQL or MariaDB server: who hung up, how, and why.", [
    row("",
        stat("State", "down: the last poll or plain probe failed. critical, warning: there is advice of that severity.", f"max({STATE})",
             steps=(GREY,), mappings=words(STATES), background=True),
        stat("Advice raised", "Rules that are raised, those of severity info included; the table below has them.",
             "count(mysqlconn_advice{<target>}) or vector(0)", steps=(GREEN, (1, BLUE))),
        stat("Up for", "How long the server has been running.", "min(mysql_global_status_uptime{<target>})", unit="s", decimals=1,
             steps=(ORANGE, (600, BLUE)), no_value="not known"),
        stat("In use", "Open connections against max_connections.", f"max({FILLED})", unit="percentunit", decimals=0,
             steps=(GREEN, (0.8, ORANGE), (0.95, RED)), no_value="not known"),
        stat("Aborts", "Aborted_clients and Aborted_connects in the time range, as the server counts them.",
             f"sum(increase(mysqlconn_ledger_increase_total{{<target>, {COUNTERS}}}[$__range]))", unit="locale", decimals=0, no_value="not known"),
        stat("Explained", "Share of these whose cause is known: neither unexplained nor of the causes unknown and before_login.",
             f"1 - {unexplained()}",
             unit="percentunit", decimals=0, steps=(ORANGE, (0.5, YELLOW), (0.9, GREEN)), no_value="no aborts"),
        stat("Round trip", "Median time of COM_PING over the probe's connection.",
             'histogram_quantile(0.5, sum by (le) (rate(mysqlconn_probe_phase_duration_seconds_bucket{<target>, phase="ping"}[$__rate_interval])))',
             unit="s", steps=(GREEN, (0.05, YELLOW), (0.2, ORANGE)), no_value="no probes"),
        stat("Login", "How long the last plain probe took until it was logged in: resolve, connect, greeting, TLS and authentication.",
             'max(sum by (job, instance, target) (mysqlconn_probe_last_phase_duration_seconds{<target>, module="default", '
             'phase=~"resolve|connect|greeting|tls|auth"}))', unit="s", steps=(GREEN, (0.2, YELLOW), (1, ORANGE)), no_value="no probes")),
    row("Is something wrong?",
        state_timeline("Polls and probes", "Whether the polls over the kept connection and the probes of each module succeed.",
                       query("min by (target) (mysql_up{<target>})", "{{target}} polls"),
                       query("min by (target, module) (mysqlconn_probe_success{<target>})", "{{target}} probes, {{module}}"),
                       mapping={1: ("fine", GREEN), 0: ("failing", RED)}, width=24, height=7),
        table("Advice", "What is wrong by the rules of the README, which says of each what to change.",
              query('max by (job, instance, target, rule) (3 * mysqlconn_advice{<target>, severity="critical"}'
                    ' or 2 * mysqlconn_advice{<target>, severity="warning"} or mysqlconn_advice{<target>, severity="info"})', table=True),
              columns={"Value": ("Severity", {"mappings": words({3: ("critical", ORANGE), 2: ("warning", YELLOW), 1: ("info", BLUE)}),
                                              "custom_width": 100, "custom_align": "center", "custom_cellOptions": COLOURED}),
                       "rule": ("Rule", {}), "target": ("Target", {"links": [TO_TARGET]})},
              sort="Severity", width=12, height=9, no_value="no advice: nothing is known to be wrong"),
        table("Failed polls and probes", "In the time range, by the phase that failed and the reason.",
              query(f"sum by (target, phase, reason) ({in_range('mysqlconn_probe_failures_total{<target>}')}) > 0", table=True),
              query(f"sum by (target, phase, reason) ({in_range('mysqlconn_poll_failures_total{<target>}')}) > 0", table=True),
              columns={"target": ("Target", {}), "phase": ("Phase", {}), "reason": ("Reason", {}),
                       "Value #A": ("Probes", {"decimals": 0, "custom_width": 80}),
                       "Value #B": ("Polls", {"decimals": 0, "custom_width": 80})},
              sort="Probes", width=12, height=9, no_value="none failed")),
    row("Who hung up, and why?",
        ledger("Aborted_clients", "Connections that were logged in and not closed cleanly."),
        ledger("Aborted_connects", "Attempts to connect that failed."),
        timeseries("Connection_errors_* a minute", "Connections that failed in the server before they had a user.",
                   query('sum by (counter) (rate(mysqlconn_ledger_increase_total{<target>, counter=~"Connection_errors_.*"}[$__rate_interval]))'
                         " * 60", "{{counter}}"), width=8, legend="bottom", stack=True,
                   palette={"Connection_errors_max_connections": CAUSES["too_many_connections"],
                            "Connection_errors_peer_address": CAUSES["peer_address"],
                            "Connection_errors_tcpwrap": CAUSES["host_not_allowed"],
                            **{f"Connection_errors_{name}": CAUSES["server_resources"] for name in ("accept", "internal", "select")}}),
        bargauge("Noisiest users", "Aborts and refused logins in the time range, by user, of those who logged in or tried to. A click leads "
                 "to what that user's clients do.",
                 f"sort_desc(topk(7, sum by (user) ({NAMED}) > 0))", "{{user}}", width=8,
                 links=TO_USER, unit="locale", decimals=0, steps=(ORANGE,)),
        timeseries("How sure the causes are", "Aborts and refused logins a minute. likely: other causes remain possible; unknown: the evidence "
                   "does not tell.", query(f"sum by (confidence) ({per_minute('mysqlconn_abort_events_total{<target>}')})", "{{confidence}}"),
                   width=8, legend="bottom", stack=True, palette=CONFIDENCES)),
    row("How long does a connection take, and does it end well?",
        timeseries("Phases of the probe, median", "Each phase of a fresh connection, on top of each other: about what a login, a ping and a query take.",
                   query(phase_quantile(0.5), "{{phase}}"), unit="s", stack=True, palette=PHASES, no_value="no probes"),
        timeseries("Phases of the probe, p99", "The slowest in a hundred of each phase.", query(phase_quantile(0.99), "{{phase}}"), unit="s",
                   stack=True, palette=PHASES, no_value="no probes"),
        timeseries("Round-trip time", "COM_PING through everything in between, and TCP's least round trip to the next hop, which a proxy is.",
                   query('histogram_quantile(0.5, sum by (le) (rate(mysqlconn_probe_phase_duration_seconds_bucket{<target>, phase="ping"}'
                         "[$__rate_interval])))", "ping, median"),
                   query('histogram_quantile(0.99, sum by (le) (rate(mysqlconn_probe_phase_duration_seconds_bucket{<target>, phase="ping"}'
                         "[$__rate_interval])))", "ping, p99"),
                   query("max(mysqlconn_probe_tcp_min_rtt_seconds{<target>})", "TCP, least"), unit="s", width=8, legend="bottom"),
        timeseries("How probes' connections end", "A minute, at our end: after COM_QUIT the server should close, and send nothing more.",
                   query("sum by (outcome) (rate(mysqlconn_probe_closes_total{<target>}[$__rate_interval])) * 60 > 0", "{{outcome}}"), width=8,
                   legend="bottom", stack=True, palette=OUTCOMES),
        timeseries("What the server made of it", "A minute: whether the ends of our connections are in its error log or moved its counters. Only "
                   "logged_as_aborted is bad; unknown is no proof of an abort.",
                   query("sum by (verdict) (rate(mysqlconn_probe_close_verdicts_total{<target>}[$__rate_interval])) * 60 > 0", "{{verdict}}"),
                   width=8, legend="bottom", stack=True, palette=OUTCOMES),
        table("What probes use", "Of the last probe of each module: the address, how it logged in, TLS and the certificate.",
              query("max by (target, module, address) (mysqlconn_probe_address_info{<target>})", table=True),
              query("max by (target, module, plugin) (mysqlconn_probe_auth_plugin_info{<target>})", table=True),
              query("max by (target, module, version) (mysqlconn_probe_tls_version_info{<target>})", table=True),
              query("max by (target, module, cipher) (mysqlconn_probe_tls_cipher_info{<target>})", table=True),
              query("max by (target, module, result) (mysqlconn_probe_tls_verify_info{<target>})", table=True),
              query("min by (target, module) (mysqlconn_probe_tls_earliest_cert_expiry_timestamp_seconds{<target>}) - time()", table=True),
              columns={"target": ("Target", {}), "module": ("Module", {"custom_width": 100}), "address": ("Address", {"custom_width": 150}),
                       "plugin": ("Authentication", {"custom_minWidth": 180}), "version": ("TLS", {"custom_width": 80}),
                       "cipher": ("Cipher", {"custom_minWidth": 240}), "result": ("Certificate", {"custom_width": 150}),
                       "Value #F": ("expires in", {"unit": "s", "custom_width": 100, "custom_cellOptions": {"type": "color-text"}, "decimals": 0,
                                                   "thresholds": {"mode": "absolute", "steps": [
                                                       {"color": RED, "value": None}, {"color": ORANGE, "value": 7 * 86400},
                                                       {"color": YELLOW, "value": 30 * 86400}, {"color": GREEN, "value": 90 * 86400}]}})}, height=6),
        timeseries("Packets that were lost, or not of the protocol", "A minute: TCP segments of the probes that had to be sent again, and packets by which the "
                   "server, or something between, broke the protocol, by kind.",
                   query("sum(rate(mysqlconn_probe_tcp_retransmissions_total{<target>}[$__rate_interval])) * 60", "sent again"),
                   query("sum by (kind) (rate(mysqlconn_probe_protocol_violations_total{<target>}[$__rate_interval])) * 60", "{{kind}}"), height=7),
        table("Held connections", "Of modules that keep their connection idle, as pools do: how that ended in the time range, and who cut it.",
              query(f"sum by (target, module, how, by) ({in_range('mysqlconn_probe_holds_total{<target>}')}) > 0", table=True),
              columns={"target": ("Target", {}), "module": ("Module", {}), "how": ("Ended", {}), "by": ("cut by", {}), "Value": ("Times", {"decimals": 0, "custom_width": 70})},
              sort="Times", width=12, height=7, no_value="no module holds its connection")),
    row("How many connections are there, and who has them?",
        timeseries("Connections", "Open and working connections, the most since the server's start or FLUSH STATUS, and the limit.",
                   query("sum(mysql_global_status_threads_connected{<target>})", "open"),
                   query("sum(mysql_global_status_threads_running{<target>})", "running"),
                   query("sum(mysql_global_status_max_used_connections{<target>})", "most so far"),
                   query("sum(mysql_global_variables_max_connections{<target>})", "max_connections"),
                   palette={"open": BLUE, "running": GREEN, "most so far": YELLOW, "max_connections": RED}, fill=0,
                   no_value="not known"),
        timeseries("New connections a second", "Attempts to connect, and threads made for them. Many that live for a short time want a pool.",
                   query("sum(rate(mysql_global_status_connections{<target>}[$__rate_interval]))", "connections"),
                   query("sum(rate(mysql_global_status_threads_created{<target>}[$__rate_interval]))", "threads created"),
                   query("sum(rate(mysql_global_status_ssl_finished_accepts{<target>}[$__rate_interval]))", "with TLS"),
                   unit="cps", palette={"connections": BLUE, "threads created": ORANGE, "with TLS": GREEN}, no_value="not known"),
        timeseries("Sessions by user", "Who has how many connections, by the process list.",
                   query("sum by (user) (mysqlconn_sessions_by_user{<target>})", "{{user}}"), width=8, legend="bottom", stack=True, height=9,
                   no_value="PROCESS is not granted", links=TO_USER),
        timeseries("Sessions by command and state", "What they do, by the process list; unknown: it names no state.",
                   query("sum by (command, state) (mysql_info_schema_processlist_threads{<target>}) > 0", "{{command}}: {{state}}"), width=8,
                   legend="bottom", stack=True, height=9, no_value="PROCESS is not granted"),
        heatmap("How long sessions have slept", "How many sleep for how long, at each moment: what nears wait_timeout will be cut off.",
                "sum by (le) (mysqlconn_sleeping_sessions_seconds_bucket{<target>})", width=8, height=9, no_value="PROCESS is not granted"),
        timeseries("Sessions that may be cut off or hold locks", "Sessions that have slept for nine tenths of wait_timeout, or longer than it, and "
                   "those that sleep with a transaction open.",
                   query("sum(mysqlconn_sessions_near_wait_timeout{<target>})", "near wait_timeout"),
                   query("sum(mysqlconn_sessions_past_wait_timeout{<target>})", "past wait_timeout"),
                   query("sum(mysqlconn_sessions_idle_in_transaction{<target>})", "idle in a transaction"),
                   palette={"near wait_timeout": YELLOW, "past wait_timeout": ORANGE, "idle in a transaction": RED}, no_value="PROCESS is not granted"),
        timeseries("Longest idle in a transaction", "How long the session has slept that sleeps longest with a transaction open.",
                   query("max by (target) (mysqlconn_sessions_longest_idle_in_transaction_seconds{<target>})", "{{target}}"), unit="s",
                   steps=("transparent", (60, ORANGE)), no_value="not seen"),
        table("Timeouts in force", "The server's global settings, each named …_timeout: wait_timeout and so on. A session may have set its own.",
              *variables(*(f"{name}_timeout" for name in TIMEOUTS)),
              columns={"target": ("Target", {"custom_minWidth": 110}),
                       **{f"Value #{chr(65 + i)}": (name, {"unit": "s"}) for i, name in enumerate(TIMEOUTS)}}, width=12, height=5, no_value="not known"),
        table("Limits in force", "The server's global settings max_connections, max_user_connections, max_connect_errors, max_allowed_packet and back_log.",
              *variables(*LIMITS),
              columns={"target": ("Target", {"custom_minWidth": 110}), **{f"Value #{chr(65 + i)}": shown for i, shown in enumerate(LIMITS.values())}},
              width=12, height=5, no_value="not known")),
    row("What can we see?",
        table("Error log", "Where it is read, whether it can be, and whether the server's settings let aborts into it.",
              query("max by (target, source, path) (mysqlconn_error_log_source_info{<target>})", table=True),
              query("max by (target) (mysqlconn_error_log_readable{<target>})", table=True),
              query("max by (target) (mysqlconn_error_log_level_sufficient{<target>})", table=True),
              query("max by (target) (mysqlconn_error_log_behind_bytes{<target>})", table=True),
              query("max by (target, reason) (mysqlconn_error_log_unreadable_info{<target>})", table=True),
              query("max by (target) (mysqlconn_error_log_configured{<target>})", table=True),
              columns={"target": ("Target", {}),
                       "Value #F": ("Configured", {"mappings": words({1: ("yes", GREEN), 0: ("no", ORANGE)}), "custom_cellOptions": COLOURED, "custom_width": 95}),
                       "Value #B": ("Readable", {"mappings": words(YES), "custom_cellOptions": COLOURED, "custom_width": 90}),
                       "reason": ("because", {"custom_width": 100}),
                       "Value #C": ("Shows aborts", {"mappings": words(YES), "custom_cellOptions": COLOURED, "custom_width": 110}),
                       "Value #D": ("Behind", {"unit": "bytes", "custom_width": 80}), "source": ("Source", {"custom_width": 80}), "path": ("Path", {"custom_minWidth": 300})},
              width=16, height=7),
        table("What our account cannot see", "Kinds of evidence that are missing, and why; advice tells which GRANT would help.",
              query("max by (target, kind, reason) (mysqlconn_evidence_missing_info{<target>})", table=True),
              columns={"target": ("Target", {}), "kind": ("Evidence", {"custom_minWidth": 200}), "reason": ("because", {"custom_width": 110})}, width=8, height=7,
              no_value="all is seen"),
        timeseries("Events in the error log, a minute", "Lines that tell of connections or of the server's start and stop, by what they tell.",
                   query("sum by (kind) (rate(mysqlconn_error_log_events_total{<target>}[$__rate_interval])) * 60 > 0", "{{kind}}"), stack=True,
                   no_value="none"),
        timeseries("What was lost or forged", "In each $__rate_interval: gaps in the log, lines that the server's table dropped, lines that were cut, and lines "
                   "that a client may have forged. All should stay at zero.",
                   query("sum(increase(mysqlconn_error_log_gaps_total{<target>}[$__rate_interval]))", "gaps"),
                   query("sum(increase(mysqlconn_error_log_missed_lines_total{<target>}[$__rate_interval]))", "lines missed"),
                   query("sum(increase(mysqlconn_error_log_cut_lines_total{<target>}[$__rate_interval]))", "lines cut"),
                   query("sum(increase(mysqlconn_error_log_suspect_lines_total{<target>}[$__rate_interval]))", "lines forged"),
                   palette={"gaps": RED, "lines missed": ORANGE, "lines cut": YELLOW, "lines forged": "#A352CC"}, no_value="no error log is configured"),
        timeseries("Evidence that did not fit", "In each $__rate_interval: evidence for which no counter rose, and steps in the counters by restarts and FLUSH "
                   "STATUS, at which what they gained since the poll before is lost.",
                   query("sum by (step) (increase(mysqlconn_ledger_steps_total{<target>}[$__rate_interval]))", "{{step}}"),
                   query("sum(increase(mysqlconn_ledger_unmatched_total{<target>}[$__rate_interval])) or vector(0)", "unmatched"), width=24, height=6,
                   palette={"restart": ORANGE, "flush_status": YELLOW, "gap": GREY, "unmatched": "#A352CC"})),
    row("The network of the server, where it is on the exporter's machine",
        timeseries("Sockets on the server's port", "close_wait that stays means a server that is stuck, many in time_wait clients without a pool.",
                   query("sum by (state) (mysqlconn_server_sockets{<target>}) > 0", "{{state}}"), width=8, legend="bottom",
                   no_value="the server is on another machine"),
        timeseries("Accept queue", "Connections that wait for the server to accept them, and how many may.",
                   query("sum(mysqlconn_server_accept_queue{<target>})", "waiting"),
                   query("sum(mysqlconn_server_accept_queue_limit{<target>})", "limit"), width=8, legend="bottom",
                   palette={"waiting": BLUE, "limit": RED}, fill=0, no_value="the server is on another machine"),
        timeseries("TCP trouble on the exporter's machine", "The kernel's counters a second, those that move, under the names that nstat gives them.",
                   query("sum by (counter) (rate(mysqlconn_host_network_events_total{<exporter>}[$__rate_interval])) > 0", "{{counter}}"), unit="cps",
                   width=8, legend="bottom", no_value="no server is on the exporter's machine"), collapsed=True),
])
