"""What the world's dashboards and alerts for mysqld_exporter ask of connections: metrics with mysqld_exporter's types and the labels that
the queries name besides those that Prometheus adds, and the queries. Read in the repositories named in SOURCES; a query stands here in
short, with the dashboards' variables in it."""

SOURCES = {
    "mixin": ("prometheus/mysqld_exporter", "55c0976be865760bfe8e9dcd7881d9bb50f4e5d8",
              "mysqld-mixin/dashboards/mysql-overview.json, mysqld-mixin/alerts/general.yaml"),
    "instance": ("percona/grafana-dashboards", "e79a1c8d2b6f22b10528a563be9994369b97473b",
                 "dashboards/MySQL/MySQL_Instance_Summary.json, MySQL_InnoDB_Details.json, MySQL_Instances_Compare.json"),
    "overview": ("percona/grafana-dashboards", "e79a1c8d2b6f22b10528a563be9994369b97473b",
                 "dashboards/MySQL/MySQL_Instances_Overview.json, dashboards/Insight/Home_Dashboard.json"),
    "pxc": ("percona/grafana-dashboards", "e79a1c8d2b6f22b10528a563be9994369b97473b",
            "dashboards/Experimental/PXC_Galera_Cluster_Summary_Experimental.json"),
    "users": ("percona/grafana-dashboards", "e79a1c8d2b6f22b10528a563be9994369b97473b", "dashboards/MySQL/MySQL_User_Details.json"),
    "awesome": ("samber/awesome-prometheus-alerts", "a8533189af0246de5e21a6d8d25bd37816894f07", "dist/rules/mysql/mysqld-exporter.yml"),
    "canonical": ("canonical/mysql-k8s-operator", "014ade66acc58696366d51fb47e7395fd1e01420",
                  "src/prometheus_alert_rules/metrics_alert_rules.yaml"),
    "sapcc": ("sapcc/helm-charts", "2fb7efae06ea8317deacab37107c90e6bdcd1f41", "common/pxc-db/templates/alerts/_pxc.alerts.tpl"),
    "grafana": ("Grafana Cloud's knowledge graph", "", "documentation: mysqld_exporter, Connection Usage and Error Ratio"),
}

STATUS = "mysql_global_status_"
SETTING = "mysql_global_variables_"
LIST = "mysql_info_schema_processlist_"
USER = "mysql_info_schema_user_statistics_"
CLIENT = "mysql_info_schema_client_statistics_"

# name: (type, labels). "unknown" is how Prometheus' parsers call untyped.
METRICS = {
    "mysql_up": ("gauge", ()),
    "mysql_version_info": ("gauge", ("version", "version_comment")),
    **{STATUS + name: ("unknown", ()) for name in (
        "aborted_clients", "aborted_connects", "bytes_received", "bytes_sent", "connections", "max_used_connections",
        "threads_cached", "threads_connected", "threads_created", "threads_running", "uptime")},
    STATUS + "connection_errors_total": ("counter", ("error",)),
    **{SETTING + name: ("gauge", ()) for name in (
        "connect_timeout", "interactive_timeout", "max_allowed_packet", "max_connect_errors", "max_connections",
        "net_read_timeout", "net_write_timeout", "thread_cache_size", "wait_timeout")},
    LIST + "threads": ("gauge", ("command", "state")),
    LIST + "seconds": ("gauge", ("command", "state")),
    LIST + "processes_by_user": ("gauge", ("mysql_user",)),
    LIST + "processes_by_host": ("gauge", ("client_host",)),
    "mysql_info_schema_threads": ("gauge", ("state",)),
}

# Where the server has userstat on (MariaDB, Percona Server). Two have names that OpenMetrics forbids a counter: untyped with us.
NOT_A_COUNTER = ("total_connections", "max_statement_time_exceeded")
_STATISTICS = (
    "connected_time_seconds_total", "busy_seconds_total", "cpu_time_seconds_total", "bytes_received_total", "bytes_sent_total",
    "binlog_bytes_written_total", "rows_read_total", "rows_sent_total", "rows_deleted_total", "rows_inserted_total",
    "rows_updated_total", "select_commands_total", "update_commands_total", "other_commands_total", "commit_transactions_total",
    "rollback_transactions_total", "denied_connections_total", "lost_connections_total", "access_denied_total",
    "empty_queries_total", "total_ssl_connections_total")
USERSTAT = {
    front + name: (kind, (label,)) for front, label in ((USER, "user"), (CLIENT, "client"))
    for name, kind in ((("total_connections", "unknown"), ("concurrent_connections", "gauge"))
                       + tuple((name, "counter") for name in _STATISTICS))}
USERSTAT[USER + "max_statement_time_exceeded"] = ("unknown", ("user",))
USERSTAT[CLIENT + "max_statement_time_exceeded_total"] = ("counter", ("client",))

# Labels that Prometheus or PMM's agent adds to all that is scraped.
ADDED = {"job", "instance", "service_name", "node_name", "environment", "cluster", "app"}

_MIXIN = '{job=~"$job", instance=~"$instance"}'
_PMM = '{service_name=~"$service_name"}'


def _over(function, metric, labels="service_name", selector=_PMM):
    """PMM's form of nearly all panels."""
    again = "irate" if function == "rate" else function
    return f"avg by ({labels}) ({function}({metric}{selector}[$interval]) or {again}({metric}{selector}[5m]))"


def _of_user(name):
    return _over("rate", USER + name, "service_name,user", '{service_name=~"$service_name",user=~"$username"}')


# (where, query, threshold): without its threshold a query must give data.
QUERIES = [
    ("mixin", "mysql_up", "!= 1"),
    ("mixin", f"{STATUS}uptime{_MIXIN}", ""),
    *[("mixin", f"sum({function}({STATUS}{name}{_MIXIN}[$__rate_interval]))", "") for function, name in (
        ("max_over_time", "threads_connected"), ("max_over_time", "threads_running"), ("avg_over_time", "threads_running"),
        ("rate", "threads_created"), ("rate", "aborted_connects"), ("rate", "aborted_clients"), ("rate", "bytes_received"),
        ("rate", "bytes_sent"))],
    *[("mixin", f"sum({name}{_MIXIN})", "") for name in (
        STATUS + "max_used_connections", SETTING + "max_connections", SETTING + "thread_cache_size", STATUS + "threads_cached")],
    ("mixin", f"{LIST}threads{_MIXIN}", ""),
    ("mixin", f"topk(5, avg_over_time({LIST}threads{_MIXIN}[$__rate_interval]))", ""),
    *[("instance", _over(function, name), "") for function, name in (
        ("max_over_time", STATUS + "threads_connected"), ("max_over_time", STATUS + "max_used_connections"),
        ("max_over_time", SETTING + "max_connections"), ("max_over_time", STATUS + "threads_running"),
        ("avg_over_time", STATUS + "threads_running"), ("rate", STATUS + "aborted_connects"), ("rate", STATUS + "aborted_clients"),
        ("max_over_time", SETTING + "thread_cache_size"), ("max_over_time", STATUS + "threads_cached"),
        ("rate", STATUS + "threads_created"), ("rate", STATUS + "bytes_received"), ("rate", STATUS + "bytes_sent"))],
    ("instance", _over("max_over_time", "mysql_info_schema_threads", "service_name,state"), ""),
    ("instance", f"avg by (service_name,state) (topk(5, avg_over_time(mysql_info_schema_threads{_PMM}[1h])))", ""),
    ("instance", f"avg by (version) (mysql_version_info{_PMM})", ""),
    ("instance", f"avg by (service_name) (increase({STATUS}bytes_received{_PMM}[1h]))", ""),
    ("overview", "count(min by (instance) (mysql_up)) or vector(0)", ""),
    ("overview", f"count({STATUS}uptime{_PMM})", ""),
    ("overview", f"clamp_max(max(max by (service_name) (max_over_time({STATUS}threads_connected{_PMM}[$interval]))"
                 f" / max by (service_name) ({SETTING}max_connections{_PMM})),1)", ""),
    ("overview", f"clamp_max((1 - avg by (service_name)(max_over_time({STATUS}threads_running{_PMM}[$interval]))"
                 f" / avg by (service_name) (max_over_time({STATUS}threads_connected{_PMM}[$interval]))),1)", ""),
    ("overview", f"topk(5,avg by (service_name)(rate({STATUS}aborted_connects{_PMM}[$interval])"
                 f" + rate({STATUS}aborted_clients{_PMM}[$interval])))", ""),
    *[("pxc", _over(function, name, "cluster", '{cluster=~"$cluster", environment=~"$environment"}'), "") for function, name in (
        ("max_over_time", STATUS + "max_used_connections"), ("rate", STATUS + "aborted_connects"),
        ("max_over_time", STATUS + "threads_connected"))],
    ("awesome", "mysql_up", "== 0"),
    ("awesome", f"max_over_time({STATUS}threads_connected[1m]) / {SETTING}max_connections * 100", f"> 80 and {SETTING}max_connections > 0"),
    ("awesome", f"max_over_time({STATUS}threads_running[1m]) / {SETTING}max_connections * 100", f"> 60 and {SETTING}max_connections > 0"),
    ("canonical", f"{STATUS}uptime", "< 60"),
    ("sapcc", f'{SETTING}max_connections{{app=~"$app"}} - {STATUS}threads_connected{{app=~"$app"}}', "< 200"),
    ("sapcc", f'{LIST}seconds{{app=~"$app"}} / 1000', "> 20"),
    ("grafana", f"rate({STATUS}connection_errors_total[5m]) / ignoring(error) group_left rate({STATUS}connections[5m])", ""),
]

# The same where userstat is on.
USERSTAT_QUERIES = [
    ("users", f"sum(increase({USER}{name}{{service_name=~\"$service_name\",user=~\"$username\"}}[$__range]))", "") for name in (
        "lost_connections_total", "denied_connections_total", "access_denied_total")
] + [("users", _of_user(name), "") for name in (
    "concurrent_connections", "lost_connections_total", "denied_connections_total", "busy_seconds_total", "cpu_time_seconds_total",
    "binlog_bytes_written_total", "rows_updated_total", "rollback_transactions_total", "commit_transactions_total",
    "update_commands_total", "select_commands_total", "other_commands_total", "access_denied_total", "empty_queries_total")
] + [
    ("users", f"count(sum by (user) (increase({USER}connected_time_seconds_total{_PMM}[$__range]) >= 0))", ""),
    ("users", f"avg by (service_name,user) (rate({USER}total_ssl_connections_total{_PMM}[$interval])"
              f" + rate({USER}total_connections{_PMM}[$interval]))", ""),
    ("users", f"topk(10, increase({USER}bytes_sent_total{_PMM}[$__range]) / ignoring(user) group_left"
              f" sum without(user) (increase({USER}bytes_sent_total{_PMM}[$__range])))", ""),
    ("users", f"sum by (user) (increase({USER}rows_fetched_total{_PMM}[$__range]) or increase({USER}rows_sent_total{_PMM}[$__range]))", ""),
    ("users", f"sum by (user) (increase({USER}table_rows_read_total{_PMM}[$__range]) or increase({USER}rows_read_total{_PMM}[$__range]))", ""),
]

# What the same collections ask and we do not serve, and why.
NOT_SERVED = {
    "mysql_exporter_last_scrape_error": "mysqld_exporter's own scrapes", "mysql_exporter_scrapes_total": "the same",
    "mysql_exporter_collector_duration_seconds": "the same",
}

_VARIABLES = {"$__rate_interval": "1m", "$__range": "1m", "$interval": "1m", "$job": ".*", "$instance": ".*", "$service_name": ".*",
              "$username": ".*", "$cluster": ".*", "$environment": ".*", "$app": ".*"}


def filled(query):
    """With values for the dashboards' variables; the longest names first, as one begins like another."""
    for name in sorted(_VARIABLES, key=len, reverse=True):
        query = query.replace(name, _VARIABLES[name])
    assert "$" not in query, query
    return query
