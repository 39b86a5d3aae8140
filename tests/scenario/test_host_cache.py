"""The hosts that a server refuses, by its host cache: counted by kind and by host, near to being blocked, blocked; and what the
cache forgets is told, and takes nothing from the counts. The clients' addresses are those of a network namespace of the test's own."""

import contextlib
import socket

import pymysql
import pytest

from lib.exporter import target
from lib.mariadb import APP, MONITOR, MariaDB
from lib.netns import Namespace, NoNames, why_not
from lib.server import close
from scenario.test_sessions import granted

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

POLLS = {"poll": {"interval": "100ms", "timeout": "100ms"}, "host_cache": {"interval": "10ms"}, "probe": {"interval": "60s"}}
SERVER = "192.0.2.1"
HOSTS = ["192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14"]
LIMIT = 3
LOOK = "mysqlconn_host_cache_last_look_timestamp_seconds"


class Refusing:
    """A server in a namespace, where it resolves names, and clients there."""

    def __init__(self, kind, *options):
        self.namespace = Namespace()
        for address in [SERVER, *HOSTS]:
            self.namespace.run("ip", "address", "add", address, "dev", "lo")
        self.names = NoNames(self.namespace)
        self.server = kind([f"--bind-address={SERVER}", "--skip-name-resolve=OFF", f"--max-connect-errors={LIMIT}", *options])

    def __enter__(self):
        with self.namespace.inside():
            self.server.__enter__()
        return self

    def __exit__(self, *_):
        self.server.remove()
        self.names.close()
        self.namespace.close()

    def connect(self, host, password=APP[1]):
        with self.namespace.inside():
            return self.server.connect(APP[0], password, host=SERVER, bind_address=host)

    def refused(self, host, code, count=1):
        for _ in range(count):
            with pytest.raises(pymysql.err.OperationalError) as e:
                close(self.connect(host, "not the password"))
            assert e.value.args[0] == code

    def left(self, host, count=1):
        """Read the greeting and go."""
        for _ in range(count):
            with self.namespace.inside(), socket.create_connection((SERVER, self.server.port), 10, (host, 0)) as s:
                s.recv(4096)
                s.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    while s.recv(4096):
                        pass

    def target(self):
        return {**target(self.server), "address": self.server.socket}


def watchable(server):
    granted(server)
    server.execute(f"GRANT SELECT ON performance_schema.host_cache TO '{MONITOR[0]}'@'%'")


@pytest.fixture(scope="module")
def refusing():
    with Refusing(MariaDB, "--performance-schema=ON") as running:
        watchable(running.server)
        yield running


@pytest.fixture
def watching(exporter, refusing):
    refusing.server.execute("TRUNCATE TABLE performance_schema.host_cache")
    refusing.server.execute("SET GLOBAL host_cache_size = 279")
    running = exporter({**POLLS, "targets": [refusing.target()]})
    running.wait_for(lambda m: m.value("mysqlconn_host_cache_hosts") == 0, 10)
    return running


def why_not_seen(metrics):
    (labels, _), = metrics.samples("mysqlconn_evidence_missing_info", kind="host_cache")
    return labels["reason"]


def errors(metrics, kind):
    return metrics.value("mysqlconn_host_cache_errors_total", kind=kind)


def of_hosts(metrics):
    return {l["client_host"]: v for l, v in metrics.samples("mysqlconn_host_cache_host_errors")}


def nearest(metrics):
    (labels, ratio), = metrics.samples("mysqlconn_host_cache_nearest_host_ratio")
    return labels["client_host"], ratio


def test_errors_by_kind_and_host(watching, refusing):
    refusing.refused(HOSTS[0], 1045, count=3)
    refusing.refused(HOSTS[1], 1045, count=2)
    metrics = watching.wait_for(lambda m: errors(m, "authentication") == 5, 10)
    assert errors(metrics, "nameinfo_permanent") == 2, "none of them has a name"
    assert of_hosts(metrics) == {HOSTS[0]: 4, HOSTS[1]: 3}
    assert metrics.sum("mysqlconn_host_cache_errors_total") == 7
    assert metrics.value("mysqlconn_host_cache_hosts") == 2
    assert nearest(metrics) == ("", 0), "wrong passwords block nobody"
    assert metrics.value("mysqlconn_host_cache_hosts_lost_total") == 0


def test_a_host_comes_near_and_is_blocked(watching, refusing):
    refusing.left(HOSTS[0], count=1)
    refusing.left(HOSTS[1], count=LIMIT - 1)
    metrics = watching.wait_for(lambda m: errors(m, "handshake") == LIMIT, 10)
    assert nearest(metrics) == (HOSTS[1], pytest.approx((LIMIT - 1) / LIMIT))
    assert metrics.value("mysqlconn_host_cache_near_hosts") == 1
    assert metrics.value("mysqlconn_host_cache_blocked_hosts") == 0
    refusing.left(HOSTS[1], count=1)
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_host_cache_blocked_hosts") == 1, 10)
    assert nearest(metrics) == (HOSTS[1], 1)
    assert metrics.value("mysqlconn_host_cache_near_hosts") == 0
    refusing.refused(HOSTS[1], 1129, count=2)
    watching.wait_for(lambda m: errors(m, "host_blocked") == 2, 10)
    close(refusing.connect(HOSTS[0]))
    refusing.server.execute("TRUNCATE TABLE performance_schema.host_cache")
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_host_cache_blocked_hosts") == 0, 10)
    assert nearest(metrics) == ("", 0)


def test_what_the_cache_forgets_takes_nothing_from_the_counts(watching, refusing):
    def lost(metrics):
        return metrics.value("mysqlconn_host_cache_hosts_lost_total")

    for host in HOSTS[:2]:
        refusing.refused(host, 1045, count=2)
    watching.wait_for(lambda m: errors(m, "authentication") == 4, 10)
    refusing.server.execute("TRUNCATE TABLE performance_schema.host_cache")
    metrics = watching.wait_for(lambda m: lost(m) == 2, 10)
    assert errors(metrics, "authentication") == 4 and metrics.value("mysqlconn_host_cache_hosts") == 0
    refusing.refused(HOSTS[0], 1045)
    watching.wait_for(lambda m: errors(m, "authentication") == 5, 10)

    refusing.server.execute("SET GLOBAL host_cache_size = 2")  # empties it
    watching.wait_for(lambda m: lost(m) == 3, 10)
    for host in HOSTS[:2]:
        refusing.refused(host, 1045, count=2)
    seen = watching.wait_for(lambda m: errors(m, "authentication") == 9, 10).value(LOOK)
    # Hosts of the very second of a look cannot be told apart, and MySQL rounds when they were first seen.
    watching.wait_for(lambda m: m.value(LOOK) > seen + 2, 10)
    refusing.refused(HOSTS[2], 1045, count=3)
    metrics = watching.wait_for(lambda m: errors(m, "authentication") == 12, 10)
    assert metrics.value("mysqlconn_host_cache_hosts") == 2 and lost(metrics) == 4


def test_hosts_in_labels_are_bounded(exporter, refusing):
    refusing.server.execute("SET GLOBAL host_cache_size = 279")
    refusing.server.execute("TRUNCATE TABLE performance_schema.host_cache")
    running = exporter({**POLLS, "limits": {"host_cache_hosts_per_target": 1}, "targets": [refusing.target()]})
    running.wait_for(lambda m: m.value("mysqlconn_host_cache_hosts") == 0, 10)
    refusing.refused(HOSTS[0], 1045, count=5)
    for host in HOSTS[1:]:
        refusing.refused(host, 1045)
    metrics = running.wait_for(lambda m: errors(m, "authentication") == 8, 10)
    assert of_hosts(metrics) == {HOSTS[0]: 6, "other": 6}
    assert metrics.value("mysqlconn_host_cache_hosts_folded") == 3


def test_what_cannot_be_seen_is_said_and_does_no_harm(exporter, refusing):
    server = refusing.server
    denied = dict(server.execute("SHOW GLOBAL STATUS")).get("Access_denied_errors")
    server.execute(f"REVOKE SELECT ON performance_schema.host_cache FROM '{MONITOR[0]}'@'%'")
    try:
        running = exporter({**POLLS, "targets": [refusing.target()]})
        metrics = running.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 3, 10)
    finally:
        server.execute(f"GRANT SELECT ON performance_schema.host_cache TO '{MONITOR[0]}'@'%'")
    assert why_not_seen(metrics) == "no_privilege"
    assert dict(server.execute("SHOW GLOBAL STATUS")).get("Access_denied_errors") == denied
    assert not [name for name in metrics.names() if "host_cache" in name and name.startswith("mysqlconn_host")]
    running = exporter({**POLLS, "host_cache": {"interval": "0s"}, "targets": [refusing.target()]})
    metrics = running.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 3, 10)
    assert why_not_seen(metrics) == "disabled"


def test_a_server_that_resolves_no_names_has_none(exporter, server):
    running = exporter({**POLLS, "targets": [target(server)]})
    metrics = running.wait_for(lambda m: m.value("mysqlconn_polls_total") >= 3, 10)
    assert why_not_seen(metrics) == "disabled"
    assert "mysqlconn_host_cache_hosts" not in metrics.names()
