"""Wrong password, TLS that is required and not used, certificates that are expired or another's: each says what is wrong in one
log line and one metric for each of poll and probe, and the password appears nowhere."""

import pytest

from lib.certificates import Authority
from lib.exporter import target
from lib.mariadb import MONITOR, MariaDB

SECRET = "hunter2-Passw0rd"
SCHEDULE = {"poll": {"interval": "300ms", "timeout": "300ms"}, "probe": {"interval": "300ms", "timeout": "300ms"}}
OPERATIONS = ("poll", "probe")


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A server with TLS, a certificate that has only the DNS name localhost, and accounts for what can go wrong."""
    authority = Authority(tmp_path_factory.mktemp("ca"))
    with MariaDB().use_certificate(*authority.sign("server", "DNS:localhost")) as running:
        running.authority = authority
        running.execute(f"CREATE USER 'onlytls'@'%' IDENTIFIED BY '{SECRET}' REQUIRE SSL")
        running.execute(f"CREATE USER 'nothing'@'%' IDENTIFIED BY '{SECRET}'")
        running.execute(f"CREATE USER 'locked'@'%' IDENTIFIED BY '{SECRET}' ACCOUNT LOCK")
        running.execute(f"CREATE USER 'elsewhere'@'192.0.2.1' IDENTIFIED BY '{SECRET}'")
        yield running


def refused(exporter, configured, phase, reasons):
    """Watch one target that cannot be reached; check all that is said of it. Returns the log lines about it."""
    watching = exporter({**SCHEDULE, "targets": [configured]}, args=["--log.level=debug"])
    expected = {(phase, reason) for reason in reasons}
    metrics = watching.wait_for(lambda m: {m.down("db1", "poll"), m.down("db1", "probe")} <= expected
                                and m.value("mysqlconn_polls_total") >= 3 and m.value("mysqlconn_probes_total") >= 3, 15,
                                "poll and probe say why")
    for operation in OPERATIONS:
        assert len(metrics.samples("mysqlconn_target_down_info", operation=operation)) == 1
        watching.wait_for_log(10, msg="target is down", target="db1", operation=operation, phase=phase,
                              reason=metrics.down("db1", operation)[1])
        lines = [(l["phase"], l["reason"]) for l in watching.log(msg="target is down", target="db1", operation=operation)]
        # A line for each change, and on a busy machine they may be out of time in between.
        assert {said for said in lines if said[1] != "timeout"} == {metrics.down("db1", operation)}
        assert all(said != before for before, said in zip(lines, lines[1:])), lines
    assert metrics.value("mysql_up") == 0 and metrics.value("mysqlconn_probe_success") == 0
    assert metrics.value("mysqlconn_probe_failures_total", phase=phase, reason=metrics.down("db1", "probe")[1]) >= 1
    everything = watching.everything_said()
    assert SECRET not in everything and MONITOR[1] not in everything
    return [line for line in watching.log(msg="target is down") if line["reason"] != "timeout"]


def test_wrong_password(exporter, server):
    lines = refused(exporter, target(server, password=SECRET), "auth", {"access_denied"})
    assert lines[0]["code"] == "1045" and "Access denied" in lines[0]["error"]


def test_unknown_user(exporter, server):
    refused(exporter, target(server, user="nobody-here", password=SECRET), "auth", {"access_denied"})


def test_locked_account(exporter, tls):
    refused(exporter, target(tls, user="locked", password=SECRET), "auth", {"account_locked"})


def test_account_without_grants_is_enough(exporter, tls):
    """What polls and probes ask needs no privilege in the first place."""
    watching = exporter({**SCHEDULE, "targets": [target(tls, user="nothing", password=SECRET)]})
    metrics = watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probe_success") == 1, 10)
    assert metrics.value("mysql_global_variables_max_connections") > 0
    assert SECRET not in watching.everything_said()


def test_account_that_requires_tls_and_a_client_without(exporter, tls):
    lines = refused(exporter, target(tls, user="onlytls", password=SECRET, tls={"mode": "disabled"}), "auth",
                    {"access_denied", "tls_required"})
    assert "TLS" in lines[0]["error"] or lines[0]["reason"] == "tls_required", "it says that TLS could be the reason"


def test_server_that_requires_tls_and_a_client_without(exporter, tls):
    with MariaDB(["--require-secure-transport=ON"]).use_certificate(*tls.authority.sign("strict")) as strict:
        lines = refused(exporter, target(strict, tls={"mode": "disabled"}), "auth", {"access_denied", "tls_required"})
        assert "TLS" in lines[0]["error"] or lines[0]["reason"] == "tls_required", "it says that TLS could be the reason"


def test_tls_wanted_and_the_server_has_none(exporter, server):
    assert dict(server.execute("SHOW VARIABLES LIKE 'have_ssl'"))["have_ssl"] == "DISABLED"
    refused(exporter, target(server, tls={"mode": "required"}), "greeting", {"tls_unsupported"})


def localhost(tls):
    return f"localhost:{tls.port}"


def verified(tls, address=None):
    return target(address or localhost(tls), tls={"mode": "verify-identity", "ca": tls.authority.ca})


def test_certificate_with_a_dns_name_only_is_verified_by_name(exporter, tls):
    watching = exporter({**SCHEDULE, "targets": [verified(tls)]})
    watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probe_success") == 1
                      and m.sum("mysqlconn_probe_phase_duration_seconds_count", phase="tls") >= 2, 10)
    kept = tls.kept_thread_of(MONITOR[0])
    assert kept


def test_certificate_for_another_name(exporter, tls):
    tls.use_certificate(*tls.authority.sign("other", "DNS:db.example.org"))
    refused(exporter, verified(tls), "tls", {"certificate_name"})


def test_address_that_the_certificate_does_not_name(exporter, tls):
    tls.use_certificate(*tls.authority.sign("server", "DNS:localhost"))
    refused(exporter, verified(tls, tls.address), "tls", {"certificate_name"})


def test_expired_certificate(exporter, tls):
    tls.use_certificate(*tls.authority.sign("expired", "DNS:localhost", days=-1))
    refused(exporter, verified(tls), "tls", {"certificate_expired"})


def test_certificate_of_a_stranger(exporter, tls, tmp_path):
    tls.use_certificate(*Authority(tmp_path, "a stranger").sign("server", "DNS:localhost"))
    refused(exporter, verified(tls), "tls", {"certificate_untrusted"})
