"""What the world's dashboards and alerts for mysqld_exporter ask of connections is served, under its names, types and labels; and their
queries give data in a real Prometheus."""

import re

import pytest

from lib import world
from lib.exporter import Metrics, target
from lib.mariadb import APP, MONITOR, MariaDB
from lib.process import wait_until
from lib.prometheus import Prometheus
from lib.server import close

POLLS = {"poll": {"interval": "500ms", "timeout": "500ms"}, "userstat": {"interval": "10ms"}, "probe": {"interval": "1s", "timeout": "1s"}}
PMM = {"service_name": "s", "node_name": "n", "environment": "e", "cluster": "c", "app": "a"}


@pytest.fixture(scope="module")
def asked():
    with MariaDB(["--userstat=ON"]) as running:
        running.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")
        kept = running.connect(*APP)
        yield running
        close(kept)


def not_as_it_was(metrics, wanted, more=("target",)):
    """Of the metrics that are asked for: what is missing, of another type, or has other labels; `more` is on each."""
    wrong = []
    for name, (kind, labels) in wanted.items():
        samples = metrics.samples(name)
        if not samples:
            wrong.append((name, "missing"))
        elif metrics.types.get(name) != kind:
            wrong.append((name, metrics.types.get(name), "not", kind))
        elif any(set(labels) | set(more) != set(found) for found, _ in samples):
            wrong.append((name, samples[:2]))
    return wrong


def test_each_metric_has_its_type_and_labels(exporter, asked):
    watching = exporter({**POLLS, "targets": [target(asked)]})
    wrong = []

    def as_it_was(metrics):
        wrong[:] = not_as_it_was(metrics, {**world.METRICS, **world.USERSTAT})
        return not wrong
    watching.wait_for(as_it_was, 15, lambda: f"all is there as it was: {wrong}")


def test_probe_has_them_without_our_label(exporter, asked):
    watching = exporter({"credentials": target(asked)["credentials"], "allow_targets": ["127.0.0.1:*"]})
    looked = Metrics(watching.get(f"/probe?target={asked.address}"))
    assert not not_as_it_was(looked, {**world.METRICS, **world.USERSTAT}, more=())


def test_the_table_names_all_that_its_queries_ask():
    known = {**world.METRICS, **world.USERSTAT}
    percona = {world.USER + "rows_fetched_total", world.USER + "table_rows_read_total"}
    for where, query, threshold in world.QUERIES + world.USERSTAT_QUERIES:
        assert where in world.SOURCES
        for name, selector in re.findall(r"\b(mysql_\w+)(\{[^}]*\})?", query + threshold):
            assert name in known or name in percona, name
            labels = set(re.findall(r'(\w+)=~?"', selector))
            assert labels <= world.ADDED | set(known.get(name, (None, ("user",)))[1]), (name, labels)


def relabelled_to_instance():
    """What config/prometheus/ says for these dashboards: the target in the place of the exporter's address."""
    return [{"source_labels": ["target"], "regex": "(.+)", "target_label": "instance"}]


def test_the_queries_give_data(exporter, asked, figure):
    """One server, as the dashboards are used; and two of one exporter, told apart by `instance`."""
    watching = exporter({**POLLS, "targets": [target(asked, "db1"), target(asked, "db2")]})
    watching.wait_for(lambda m: len(m.samples(world.USER + "total_connections", user=APP[0])) == 2, 15)
    address = f"127.0.0.1:{watching.port}"
    one = {"static_configs": [{"targets": [address], "labels": PMM}],
           "metric_relabel_configs": [{"source_labels": ["target"], "regex": "db2", "action": "drop"}]}
    with Prometheus(address, 1, scrape=one) as alone, \
            Prometheus(address, 1, scrape={"static_configs": [{"targets": [address], "labels": PMM}],
                                           "metric_relabel_configs": relabelled_to_instance()}) as both:
        for prometheus in (alone, both):
            wait_until(lambda p=prometheus: p.query(f"count_over_time({world.USER}total_connections[1m]) >= 4"), 30, "four scrapes")
        queries = world.QUERIES + world.USERSTAT_QUERIES

        def empty(prometheus):
            return [(where, query) for where, query, _ in queries if not prometheus.query(world.filled(query))]
        for prometheus in (alone, both):
            wait_until(lambda p=prometheus: not empty(p), 20, lambda p=prometheus: f"no data: {empty(p)}", step=1)
        for _, query, threshold in queries:
            alone.query(world.filled(f"({query}) {threshold}"))
        # What names no labels to match by has one answer a server, by `instance`.
        share = "max_over_time(mysql_global_status_threads_connected[1m]) / mysql_global_variables_max_connections"
        wait_until(lambda: {labels["instance"] for labels, _ in both.query(share)} == {"db1", "db2"}, 20, lambda: f"{both.query(share)}")
        one = 'count(mysql_global_status_uptime{instance="db1"} / on(instance) mysql_global_variables_max_connections)'
        wait_until(lambda: [value for _, value in both.query(one)] == [1], 20, lambda: f"{both.query(one)}")
        assert not alone.warnings() and not both.warnings()
        figure(f"{len(queries)} queries of {len({w for w, _, _ in queries})} collections give data; "
               f"{len(world.METRICS) + len(world.USERSTAT)} metrics")
