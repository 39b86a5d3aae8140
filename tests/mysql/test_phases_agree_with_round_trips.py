"""Over a path of 40 ms each phase lasts as many round trips as it needs: MySQL's ways to log in, with and without TLS. In brackets
the round trips, before them the milliseconds."""

import pytest

from lib.round_trips import Path

SECRET = "hunter2-Passw0rd"
PLAIN, ENCRYPTED = "--tls.mode=disabled", "--tls.mode=required"
KEY = "--get-server-public-key"
# TLS 1.3 needs one, but MySQL takes the NIST curves alone, and OpenSSL begins with a key on another: HelloRetryRequest.
TLS_TRIPS = 2


@pytest.fixture
def path(program, server):
    with Path(program, server) as running:
        yield running


@pytest.fixture(scope="module")
def account(server):
    server.execute(f"CREATE USER 'sha2'@'%' IDENTIFIED WITH caching_sha2_password BY '{SECRET}'")
    return "sha2", SECRET


def forget(server):
    """What the server has cached of passwords, as at each of its starts."""
    return lambda: server.execute("FLUSH PRIVILEGES")


def test_caching_sha2_password_in_full_over_rsa(server, path, account, figure):
    path.agrees(figure, "caching_sha2_password in full", account, PLAIN, KEY, auth=3, prepare=forget(server))


def test_caching_sha2_password_in_full_over_tls(server, path, account, figure):
    path.agrees(figure, "caching_sha2_password in full", account, ENCRYPTED, auth=2, tls=TLS_TRIPS, prepare=forget(server))


@pytest.mark.parametrize("mode", [PLAIN, ENCRYPTED])
def test_caching_sha2_password_from_the_servers_cache(path, account, mode, figure):
    path.probe(*account, mode, KEY)
    path.agrees(figure, "caching_sha2_password", account, mode, auth=1, tls=TLS_TRIPS if mode == ENCRYPTED else 0)


@pytest.mark.parametrize("mode, trips", [(PLAIN, 3), (ENCRYPTED, 2)])
def test_sha256_password(server, path, mode, trips, figure):
    if not server.execute("SELECT 1 FROM information_schema.plugins WHERE plugin_name = 'sha256_password'"):
        pytest.skip("this server has no sha256_password any more")
    server.execute("DROP USER IF EXISTS 'sha256'@'%'")
    server.execute(f"CREATE USER 'sha256'@'%' IDENTIFIED WITH sha256_password BY '{SECRET}'")
    path.agrees(figure, "sha256_password", ("sha256", SECRET), mode, KEY, auth=trips, tls=TLS_TRIPS if mode == ENCRYPTED else 0)
