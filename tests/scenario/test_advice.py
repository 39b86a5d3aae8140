"""Advice on a real MariaDB: what clients and settings give reason for is raised, shown with its evidence, and goes away again."""

import gc
import json

import pytest

from lib import clients
from lib.exporter import target
from lib.mariadb import APP, MONITOR, MariaDB, close
from lib.netns import why_not
from lib.process import wait_until
from scenario.test_host_cache import HOSTS, LIMIT, Refusing, watchable

FAST = {"poll": {"interval": "200ms", "timeout": "200ms"}, "sessions": {"interval": "200ms"}, "probe": {"interval": "60s"}}


@pytest.fixture(scope="module")
def watched():
    with MariaDB(["--performance-schema=ON", "--max-connections=10"]) as running:
        running.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")
        running.execute(f"GRANT SELECT ON performance_schema.* TO '{MONITOR[0]}'@'%'")
        yield running


def advice(metrics):
    return {l["rule"]: l["severity"] for l, v in metrics.samples("mysqlconn_advice") if v == 1}


def watch(exporter, server, **settings):
    watching = exporter({**FAST, "targets": [target(server, error_log={"file": server.error_log}, **settings)]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1 and m.value("mysqlconn_polls_total") >= 2, 10)
    return watching


def test_settings_are_advised_for_as_long_as_they_are_so(exporter, watched):
    watching = watch(exporter, watched)
    watching.wait_for(lambda m: advice(m) == {}, 10)
    watched.execute("SET GLOBAL interactive_timeout = 600")
    watching.wait_for(lambda m: advice(m) == {"timeouts_differ": "info"}, 10)
    watched.execute("SET GLOBAL log_warnings = 1")
    watching.wait_for(lambda m: advice(m) == {"timeouts_differ": "info", "log_level": "warning"}, 10)
    watched.execute("SET GLOBAL interactive_timeout = DEFAULT, log_warnings = DEFAULT")
    watching.wait_for(lambda m: advice(m) == {}, 10)


def test_a_log_that_is_truncated_without_a_copy_may_have_lost_lines(exporter, watched, tmp_path):
    log = tmp_path / "error.log"
    log.write_text("a line\n")
    watching = exporter({**FAST, "targets": [target(watched, error_log={"file": str(log), "start": "beginning"})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_lines_total") == 1 and m.value("mysqlconn_polls_total") >= 2, 10)
    assert "error_log_loses_lines" not in advice(watching.scrape())
    log.write_text("")
    watching.wait_for(lambda m: advice(m).get("error_log_loses_lines") == "info", 10)


def test_a_full_server_is_critical_and_who_was_refused_is_counted(exporter, watched):
    watching = watch(exporter, watched)
    with clients.Crowd(watched):
        watching.wait_for(lambda m: advice(m).get("max_connections") == "critical", 10)
        target_of, = json.loads(watching.get("/api/v1/advice?target=db1"))["data"]["advice"]
        full, = (f for f in target_of["findings"] if f["rule"] == "max_connections")
        assert target_of["target"] == "db1" and full["severity"] == "critical"
        assert any("of max_connections = 10 (" in text for text in full["evidence"]) and full["change"]
        assert full["runbook"] == "README.md#advice-max_connections" and full["since"].endswith("Z")
        page = watching.get("/target?target=db1")
        assert "The server is about to run out of connections" in page and "of max_connections = 10 (" in page


def test_sleepers_near_their_timeout(exporter, watched):
    connection = watched.connect(*APP)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = 1000")
    watched.execute("SET GLOBAL wait_timeout = 1000, interactive_timeout = 1000")
    watching = watch(exporter, watched)
    assert "sleepers_near_timeout" not in advice(watching.scrape())

    def near():
        """The limit stays just ahead of it: in a tenth of each second it is near, and in more the longer it sleeps."""
        (slept,), = watched.execute("SELECT TIME_MS FROM information_schema.PROCESSLIST WHERE USER = %s", (APP[0],))
        watched.execute("SET GLOBAL wait_timeout = %s", (int(slept / 1000) + 1,))
        return advice(watching.scrape()).get("sleepers_near_timeout") == "warning"
    try:
        wait_until(near, 30, "a sleeper is near its timeout", step=0.05)
        watched.execute("SET GLOBAL wait_timeout = 1000")
        watching.wait_for(lambda m: "sleepers_near_timeout" not in advice(m), 15)
    finally:
        watched.execute("SET GLOBAL wait_timeout = DEFAULT, interactive_timeout = DEFAULT")
        close(connection)


def test_an_abort_is_laid_to_its_driver(exporter, watched):
    """PyMySQL, garbage-collected without close(): explain/drivers.inc says what is known of it."""
    watching = watch(exporter, watched)
    connection = watched.connect(*APP)
    watching.wait_for(lambda m: m.sum("mysqlconn_sessions_by_user", user=APP[0]) == 1
                      and m.sum("mysqlconn_sessions_by_driver", driver="pymysql") == 2, 10)  # and our own of root
    assert "drivers" not in advice(watching.scrape()), "that it is connected is no reason"
    dead = connection.thread_id()
    del connection
    gc.collect()
    watching.wait_for(lambda m: advice(m).get("drivers") == "warning" and advice(m).get("clients_vanish") == "info", 10)
    page = watching.get("/target?target=db1")
    assert "1 abort of PyMySQL 1." in page and f"the last: app@127.0.0.1, connection {dead}, pymysql 1." in page


def test_what_is_not_seen_is_advised_until_it_is(exporter, server):
    watching = exporter({**FAST, "targets": [target(server)]})
    watching.wait_for(lambda m: advice(m) == {"error_log_not_read": "info", "privileges_missing": "info",
                                              "performance_schema_off": "info"}, 10)
    server.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")
    kept = server.kept_thread_of(MONITOR[0])
    server.execute(f"KILL CONNECTION {kept}")
    watching.wait_for(lambda m: "privileges_missing" not in advice(m) and m.value("mysql_up") == 1, 10)
    server.stop()
    watching.wait_for(lambda m: advice(m).get("server_down") == "critical", 10)
    server.start()
    watching.wait_for(lambda m: "server_down" not in advice(m), 15)


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_hosts_that_are_nearly_blocked_and_then_are_and_have_no_names(exporter):
    with Refusing(MariaDB, "--performance-schema=ON") as refusing:
        watchable(refusing.server)
        watching = exporter({**FAST, "host_cache": {"interval": "10ms"}, "targets": [refusing.target()]})
        watching.wait_for(lambda m: m.value("mysqlconn_host_cache_hosts") == 0 and m.value("mysqlconn_polls_total") >= 2, 10)
        assert not {"hosts_blocked", "reverse_dns"} & set(advice(watching.scrape()))
        refusing.left(HOSTS[0], LIMIT - 1)
        watching.wait_for(lambda m: advice(m).get("hosts_blocked") == "warning" and advice(m).get("reverse_dns") == "warning", 15)
        assert f"{HOSTS[0]} has {LIMIT - 1} failed handshakes in a row, of max_connect_errors = {LIMIT}" in watching.get("/target?target=db1")
        refusing.left(HOSTS[0], 1)
        watching.wait_for(lambda m: advice(m).get("hosts_blocked") == "critical", 15)
        refusing.server.execute("TRUNCATE TABLE performance_schema.host_cache")
        watching.wait_for(lambda m: "hosts_blocked" not in advice(m), 15)
