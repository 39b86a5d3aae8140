"""What the world's dashboards for mysqld_exporter ask of connections is served for a real MySQL, too; it has no userstat, and that is
said."""

from lib import world
from lib.exporter import target
from lib.mariadb import MONITOR
from scenario.test_the_worlds_dashboards_keep_working import POLLS, not_as_it_was


def test_each_metric_has_its_type_and_labels(exporter, server):
    server.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")
    watching = exporter({**POLLS, "targets": [target(server)]})
    watching.wait_for(lambda m: m.samples(world.LIST + "threads"), 20)
    metrics = watching.scrape()
    assert not not_as_it_was(metrics, world.METRICS)
    assert not [name for name in metrics.names() if name.startswith((world.USER, world.CLIENT))]
    assert metrics.value("mysqlconn_evidence_missing_info", kind="userstat", reason="unsupported") == 1
