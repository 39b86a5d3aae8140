"""What a probe learns on the way: the TLS session and the certificates, the kernel's view of the path, a name's addresses."""

import contextlib
import subprocess
import time

import pytest

from fake import liar
from lib.certificates import Authority
from lib.exporter import Exporter, target
from lib.mariadb import MariaDB

SCHEDULE = {"poll": {"interval": "1h"}, "probe": {"interval": "5s", "timeout": "5s"}}


def not_after(certificate):
    text = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in", certificate],
                          capture_output=True, text=True, check=True, timeout=30).stdout
    moment = text.strip().removeprefix("notAfter=").removesuffix("Z")
    return int(time.mktime(time.strptime(moment, "%Y-%m-%d %H:%M:%S")) - time.timezone)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


def test_tls_session_and_certificates_are_told(exporter, authority):
    good = authority.sign("good", names="IP:127.0.0.1", days=5)  # before the CA's 30
    with MariaDB().use_certificate(*good) as server:
        targets = [target(server, "verified", tls={"mode": "verify-identity", "ca": authority.ca}),
                   target(server, "unchecked", tls={"mode": "required"}),
                   target(server, "untrusted", tls={"mode": "verify-ca"}),
                   target(server, "plain", tls={"mode": "disabled"})]
        watching = exporter({**SCHEDULE, "targets": targets})

        def by_target(metrics, name, label=None):
            return {l["target"]: l[label] if label else v for l, v in metrics.samples(f"mysqlconn_probe_{name}") if v}
        verdicts = {"verified": "ok", "unchecked": "not_checked", "untrusted": "certificate_untrusted"}
        page = watching.wait_for(lambda m: by_target(m, "tls_verify_info", "result") == verdicts
                                 and len(by_target(m, "auth_plugin_info", "plugin")) == 3, 15)
        assert page.down("untrusted", "probe")
        assert by_target(page, "tls_version_info", "version") == {"verified": "TLS 1.3", "unchecked": "TLS 1.3"}
        ciphers = by_target(page, "tls_cipher_info", "cipher")
        assert set(ciphers) == {"verified", "unchecked"} and all(c.startswith("TLS_") for c in ciphers.values())
        assert by_target(page, "tls_earliest_cert_expiry_timestamp_seconds") == dict.fromkeys(verdicts, not_after(good[0]))
        assert by_target(page, "auth_plugin_info", "plugin") == dict.fromkeys(("verified", "unchecked", "plain"), "mysql_native_password")


def test_an_expired_certificate_shows_when_it_expired(exporter, authority):
    expired = authority.sign("expired", names="IP:127.0.0.1", days=-1)
    with MariaDB().use_certificate(*expired) as server:
        watching = exporter({**SCHEDULE, "targets": [target(server, tls={"mode": "verify-ca", "ca": authority.ca})]})
        page = watching.wait_for(lambda m: m.down("db1", "probe"), 15)
        assert page.down("db1", "probe") == ("tls", "certificate_expired")
        assert page.value("mysqlconn_probe_tls_verify_info", result="certificate_expired") == 1
        assert page.value("mysqlconn_probe_tls_earliest_cert_expiry_timestamp_seconds") == not_after(expired[0])


def test_the_kernel_tells_of_the_path(exporter, server):
    socket = target(server, "socket")
    socket["address"] = f"unix:{server.socket}"
    watching = exporter({**SCHEDULE, "targets": [target(server, "tcp"), socket]})
    page = watching.wait_for(lambda m: m.value("mysqlconn_probe_closes_total", target="tcp", outcome="clean") >= 1 and
                             m.value("mysqlconn_probe_success", target="socket") in (0, 1), 15)
    least, smooth = (page.value(f"mysqlconn_probe_tcp_{n}_seconds", target="tcp") for n in ("min_rtt", "rtt"))
    assert 0 < least <= smooth < 1
    assert page.value("mysqlconn_probe_tcp_rttvar_seconds", target="tcp") > 0
    assert page.value("mysqlconn_probe_tcp_retransmissions_total", target="tcp") == 0
    probes = page.value("mysqlconn_probe_closes_total", target="tcp", outcome="clean")
    sent, received = (page.value(f"mysqlconn_probe_tcp_{n}_bytes_total", target="tcp") / probes for n in ("sent", "received"))
    assert 80 < sent < 1000 and 100 < received < 2000, "a login, a ping and a query"
    assert not page.samples("mysqlconn_probe_tcp_rtt_seconds", target="socket")
    assert not page.samples("mysqlconn_probe_address_info", target="socket")
    assert page.value("mysqlconn_probe_address_info", target="tcp", address="127.0.0.1") == 1
    assert page.value("mysqlconn_probe_addresses", target="tcp", family="ipv4") == 1
    assert page.value("mysqlconn_probe_addresses", target="tcp", family="ipv6") == 0


def can_mount():
    """Not without root, nor in a container or chroot that forbids it."""
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="a mount namespace with an /etc/hosts of its own cannot be made here")
def test_a_dead_first_address_leaves_time_for_the_next(program, server, tmp_path, figure):
    hosts, wrapper = tmp_path / "hosts", tmp_path / "exporter"
    # getaddrinfo() puts ::1 before all IPv4 addresses, and 127.0.0.1 before the rest of them.
    hosts.write_text("".join(f"{address} {name}.test\n" for name in ("silent", "refusing")
                             for address in ("127.0.0.9", "127.0.0.1", "::1")))
    wrapper.write_text(f"#!/bin/sh\nexec unshare -m sh -c 'mount --bind {hosts} /etc/hosts && exec {program} \"$@\"' sh \"$@\"\n")
    wrapper.chmod(0o755)
    with contextlib.ExitStack() as stack:
        stack.enter_context(liar.BlackHole("::1", server.port))
        honest = stack.enter_context(liar.Liar(liar.honest))
        targets = [target(f"silent.test:{server.port}", "silent"), target(f"refusing.test:{honest.port}", "refusing")]
        watching = stack.enter_context(Exporter(wrapper, {**SCHEDULE, "probe": {"interval": "6s", "timeout": "5s"},
                                                          "targets": targets}))
        page = watching.wait_for(lambda m: all(m.value("mysqlconn_probe_success", target=name) == 1 and
                                               m.value("mysqlconn_probe_address_info", target=name, address="127.0.0.1") == 1
                                               for name in ("silent", "refusing")), 20)
        took = page.value("mysqlconn_probe_last_phase_duration_seconds", target="silent", phase="connect")
        figure(f"the address that took the connection: {took * 1e6:.0f} us")
        for name in ("silent", "refusing"):
            assert page.value("mysqlconn_probe_addresses", target=name, family="ipv4") == 2
            assert page.value("mysqlconn_probe_addresses", target=name, family="ipv6") == 1
            probes = page.value("mysqlconn_probes_total", target=name)
            # A probe is counted when it begins.
            assert probes - 1 <= page.value("mysqlconn_probe_address_failures_total", target=name) <= probes
