"""All that can be wrong with a login at a real MySQL: each has its reason in one log line and one metric for each of poll and
probe, and the password appears nowhere."""

import pytest

from lib.certificates import Authority
from lib.exporter import target
from lib.mysql import MySQL, close
from scenario.test_says_why_it_cannot_log_in import SCHEDULE, SECRET, refused


@pytest.fixture(scope="module")
def accounts(server):
    for user, more in (("locked", "ACCOUNT LOCK"), ("expired", "PASSWORD EXPIRE"), ("onlytls", "REQUIRE SSL"),
                       ("onlyx509", "REQUIRE X509"), ("nothing", ""), ("limited", "WITH MAX_CONNECTIONS_PER_HOUR 1")):
        server.execute(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{SECRET}' {more}")
    return server


def account(server, user, **settings):
    return target(server, user=user, password=SECRET, **settings)


def test_wrong_password(exporter, server):
    lines = refused(exporter, target(server, password=SECRET), "auth", {"access_denied"})
    assert lines[0]["code"] == "1045"


def test_wrong_password_without_tls(exporter, server):
    """The password is asked for over RSA before it is refused."""
    refused(exporter, target(server, password=SECRET, tls={"mode": "disabled"}, get_server_public_key=True), "auth",
            {"access_denied"})


def test_who_names_a_key_without_tls_gets_no_password(exporter, server):
    """As with MySQL's own clients, that must be allowed first."""
    server.execute("CREATE USER 'unknown-yet'@'%%' IDENTIFIED WITH caching_sha2_password BY %s", (SECRET,))
    lines = refused(exporter, account(server, "unknown-yet", tls={"mode": "disabled"}), "auth", {"auth_plugin"})
    assert "get_server_public_key" in lines[0]["error"]


def test_unknown_user(exporter, server):
    refused(exporter, target(server, user="nobody-here", password=SECRET), "auth", {"access_denied"})


def test_locked_account(exporter, accounts):
    lines = refused(exporter, account(accounts, "locked"), "auth", {"account_locked"})
    assert lines[0]["code"] == "3118"


def test_expired_password(exporter, accounts):
    lines = refused(exporter, account(accounts, "expired"), "auth", {"password_expired"})
    assert lines[0]["code"] == "1862"


def test_limit_of_the_account(exporter, accounts):
    close(accounts.connect("limited", SECRET))
    refused(exporter, account(accounts, "limited"), "auth", {"user_limit"})


def test_account_that_requires_tls_and_a_client_without(exporter, accounts):
    without = account(accounts, "onlytls", tls={"mode": "disabled"}, get_server_public_key=True)
    lines = refused(exporter, without, "auth", {"access_denied", "tls_required"})
    assert "TLS" in lines[0]["error"] or lines[0]["reason"] == "tls_required", "it says that TLS could be the reason"


def test_account_that_requires_a_certificate(exporter, accounts):
    refused(exporter, account(accounts, "onlyx509"), "auth", {"access_denied"})


def test_account_that_requires_a_certificate_and_gets_it(exporter, accounts):
    tls = {"mode": "verify-ca", "ca": accounts.ca, "cert": accounts.made("client-cert.pem"), "key": accounts.made("client-key.pem")}
    watching = exporter({**SCHEDULE, "targets": [account(accounts, "onlyx509", tls=tls)]})
    watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probe_success") == 1, 10)


def test_account_without_grants_is_enough(exporter, accounts):
    watching = exporter({**SCHEDULE, "targets": [account(accounts, "nothing")]})
    metrics = watching.wait_for(lambda m: m.value("mysql_up") == 1 and m.value("mysqlconn_probe_success") == 1, 10)
    assert metrics.value("mysql_global_variables_max_connections") > 0
    assert SECRET not in watching.everything_said()


def test_server_that_requires_tls_and_a_client_without(exporter, accounts):
    accounts.execute("SET GLOBAL require_secure_transport = ON")
    try:
        lines = refused(exporter, account(accounts, "nothing", tls={"mode": "disabled"}), "auth", {"tls_required"})
        assert lines[0]["code"] == "3159"
    finally:
        accounts.execute("SET GLOBAL require_secure_transport = OFF")


def test_certificate_authority_of_another(exporter, server, tmp_path):
    stranger = {"mode": "verify-ca", "ca": Authority(tmp_path).ca}
    refused(exporter, target(server, tls=stranger), "tls", {"certificate_untrusted"})


def test_tls_wanted_and_the_server_has_none(exporter):
    with MySQL(["--tls-version="]) as plain:
        refused(exporter, target(plain, tls={"mode": "required"}), "greeting", {"tls_unsupported"})
