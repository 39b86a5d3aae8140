"""Over a slow path each phase lasts as many round trips as it needs: with each way to log in, with and without TLS. In brackets
the round trips, before them the milliseconds."""

import pymysql
import pytest

from lib.certificates import Authority
from lib.mariadb import MONITOR, MariaDB
from lib.round_trips import Path

SECRET = "hunter2-Passw0rd"
PLAIN, ENCRYPTED = "--tls.mode=disabled", "--tls.mode=required"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca")).sign("server")


@pytest.fixture(scope="module")
def modern(certificate):
    with MariaDB().use_certificate(*certificate) as running:
        yield running


@pytest.fixture
def path(program, modern):
    with Path(program, modern) as running:
        yield running


def test_mysql_native_password(path, figure):
    path.agrees(figure, "mysql_native_password", MONITOR, PLAIN)


def test_mysql_native_password_over_tls(path, figure):
    probe = path.agrees(figure, "mysql_native_password", MONITOR, ENCRYPTED, tls=1)
    assert probe["tls_version"] == "TLS 1.3"


def test_an_older_tls_takes_one_more(program, certificate, figure):
    with MariaDB(["--tls-version=TLSv1.2"]).use_certificate(*certificate) as server, Path(program, server) as path:
        probe = path.agrees(figure, "mysql_native_password", MONITOR, ENCRYPTED, tls=2)
    assert probe["tls_version"] == "TLS 1.2"


@pytest.mark.parametrize("mode", [PLAIN, ENCRYPTED])
def test_a_plugin_that_the_greeting_does_not_announce_takes_one_more(modern, path, mode, figure):
    try:
        modern.execute("INSTALL SONAME 'auth_ed25519'")
    except pymysql.err.OperationalError as e:
        if e.args[0] == 1126:  # cannot open shared object file
            pytest.skip("auth_ed25519.so is not here: Debian has it in mariadb-server, which the tests do without")
        if e.args[0] != 1968:  # already installed
            raise
    modern.execute(f"CREATE OR REPLACE USER 'ed25519'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{SECRET}')")
    probe = path.agrees(figure, "client_ed25519", ("ed25519", SECRET), mode, auth=2, tls=int(mode == ENCRYPTED))
    assert probe["auth_plugin"] == "client_ed25519"
