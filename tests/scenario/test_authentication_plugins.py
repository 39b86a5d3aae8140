"""MariaDB's authentication plugins: mysql_native_password and ed25519, plain, over TLS and over the socket, and unix_socket."""

import os
import pwd

import pymysql
import pytest

from lib.certificates import Authority
from lib.exporter import target
from lib.mariadb import MariaDB

SECRET = "hunter2-Passw0rd"
SCHEDULE = {"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "200ms", "timeout": "200ms"}}
COUNTERS = ("Aborted_clients", "Aborted_connects", "Access_denied_errors")


@pytest.fixture(scope="module")
def plugins(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("ca"))
    system_user = pwd.getpwuid(os.geteuid()).pw_name
    with MariaDB(["--log-warnings=4"]).use_certificate(*authority.sign("server")) as running:
        running.execute(f"CREATE USER 'native'@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('{SECRET}')")
        try:
            running.execute("INSTALL SONAME 'auth_ed25519'")
            running.execute(f"CREATE USER 'ed25519'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{SECRET}')")
            running.has_ed25519 = True
        except pymysql.err.OperationalError as e:
            if e.args[0] != 1126:  # cannot open shared object file
                raise
            running.has_ed25519 = False
        # root has one already, which takes an empty password too.
        running.execute(f"CREATE OR REPLACE USER '{system_user}'@'localhost' IDENTIFIED VIA unix_socket")
        running.system_user = system_user
        yield running


def need(server, user):
    if user == "ed25519" and not server.has_ed25519:
        pytest.skip("auth_ed25519.so is not here: Debian has it in mariadb-server, which the tests do without")


def logs_in(exporter, server, **settings):
    before = server.status(*COUNTERS), server.error_text()
    watching = exporter({**SCHEDULE, "targets": [target(server, **settings)]})
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_probe_closes_total", outcome="clean") >= 3
                                and m.value("mysqlconn_polls_total") >= 3
                                and m.value("mysql_up") == 1 and m.value("mysqlconn_probe_success") == 1, 20)
    reasons = {l["reason"] for name in ("poll", "probe") for l, v in metrics.samples(f"mysqlconn_{name}_failures_total") if v}
    assert reasons <= {"timeout"}, "nothing but that a busy machine ran out of time"
    assert SECRET not in watching.everything_said()
    watching.stop()
    assert (server.status(*COUNTERS), server.error_text()) == before


@pytest.mark.parametrize("way", ["disabled", "required", "socket"])
@pytest.mark.parametrize("user", ["native", "ed25519"])
def test_password(exporter, plugins, user, way):
    need(plugins, user)
    how = {"address": f"unix:{plugins.socket}"} if way == "socket" else {"tls": {"mode": way}}
    logs_in(exporter, plugins, user=user, password=SECRET, **how)


def test_account_of_the_operating_system(exporter, plugins):
    logs_in(exporter, plugins, address=f"unix:{plugins.socket}", user=plugins.system_user, password="")


@pytest.mark.parametrize("user", ["native", "ed25519"])
def test_wrong_password(exporter, plugins, user):
    need(plugins, user)
    watching = exporter({**SCHEDULE, "targets": [target(plugins, user=user, password=SECRET + "x")]})
    watching.wait_for(lambda m: m.down("db1", "poll") == ("auth", "access_denied")
                      and m.down("db1", "probe") == ("auth", "access_denied"), 10)


def test_plugin_that_is_not_installed_here(exporter, plugins, tmp_path):
    """As where a distribution has it in a package of its own."""
    need(plugins, "ed25519")
    watching = exporter({**SCHEDULE, "targets": [target(plugins, user="ed25519", password=SECRET)]},
                        env={"MARIADB_PLUGIN_DIR": str(tmp_path)})
    watching.wait_for(lambda m: m.down("db1", "poll") and m.down("db1", "probe") == ("auth", "auth_plugin"), 10)
