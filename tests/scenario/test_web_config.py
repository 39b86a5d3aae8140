"""--web.config.file: what exporter-toolkit's documentation says is taken, and refused with its place; what it says is done."""

import contextlib
import http.client
import os
import re
import socket
import ssl
import subprocess
import tempfile
import time
import warnings

import pytest

from lib.certificates import Authority
from lib.exporter import target
from lib.process import PATIENCE, wait_until
from lib.prometheus import Prometheus
from lib.web_client import ask, context

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import crypt

QUIET = {"poll": {"interval": "60s"}, "probe": {"interval": "60s"}}
TARGETS = {**QUIET, "targets": [target("127.0.0.1:1", "db1")]}


def hashed(password, cost=4):
    return crypt.crypt(password, f"$2b${cost:02d}$" + "abcdefghijklmnopqrstuu")


HASH = hashed("secret word")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """A folder with server.crt, server.key, client.crt, client.key, other_ca.pem and the CA of the first two."""
    folder = tmp_path_factory.mktemp("pki")
    authority, other = Authority(folder / "ca"), Authority(folder / "other", "another CA")
    for stem, signer, names in (("server", authority, "DNS:localhost,IP:127.0.0.1"),
                                ("client", authority, "DNS:prometheus.test,email:ops@test,IP:192.0.2.7,URI:spiffe://test/p"),
                                ("stranger", other, "DNS:prometheus.test")):
        certificate, key = signer.sign(stem, names)
        os.link(certificate, folder / f"{stem}.crt")
        os.link(key, folder / f"{stem}.key")
    expired = authority.sign("expired", "DNS:prometheus.test", days=-1)
    os.link(expired[0], folder / "expired.crt")
    os.link(expired[1], folder / "expired.key")
    os.link(authority.ca, folder / "ca.pem")
    return folder


TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
CIPHERS = ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
           "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
           "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
           "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
           "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
           "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA")

GOOD = {
    "empty": "",
    "comment": "# nothing\n",
    "tls": TLS,
    "verify if given": TLS + "  client_auth_type: VerifyClientCertIfGiven\n",
    "require any": TLS + "  client_auth_type: RequireAnyClientCert\n",
    "its older name": TLS + "  client_auth_type: RequireClientCert\n",
    "request": TLS + "  client_auth_type: RequestClientCert\n",
    "no client certificate": TLS + "  client_auth_type: NoClientCert\n",
    "verify": TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n",
    "verify by the system's": TLS + "  client_auth_type: RequireAndVerifyClientCert\n",
    "names": TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
                   "  client_allowed_sans: [a.test, 192.0.2.7]\n",
    "all ciphers": TLS + "  cipher_suites:\n" + "".join(f"  - {c}\n" for c in CIPHERS),
    "all curves": TLS + "  curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]\n",
    "versions": TLS + "  min_version: TLS10\n  max_version: TLS11\n",
    "1.3 alone": TLS + "  min_version: TLS13\n",
    "order": TLS + "  prefer_server_cipher_suites: false\n",
    "http2": TLS + "http_server_config:\n  http2: false\n",
    "http2 without TLS": "http_server_config: {http2: true}\n",
    "headers": "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-XSS-Protection: 1\n"
               "    Strict-Transport-Security: max-age=31536000; includeSubDomains\n    X-Content-Type-Options: nosniff\n"
               "    Content-Security-Policy: \"default-src 'self' *.test.example.net\"\n",
    "blank headers": "http_server_config:\n  headers:\n    X-Frame-Options: ''\n    Content-Security-Policy:\n",
    "users": TLS + f"basic_auth_users:\n  alice: {HASH}\n  bob: {HASH.replace('$2b', '$2y')}\n",
    "users without TLS": f"basic_auth_users:\n  alice: {HASH}\n",
    "no users": "basic_auth_users: {}\n",
    "rate": "rate_limit:\n  interval: 1s\n  burst: 20\n",
    "rate off": "rate_limit:\n  interval: 0\n  burst: 0\n",
    "empty texts": "tls_server_config:\n  cert_file: ''\n  key_file: ''\n",
}

# What is wrong, and the line and column of it.
BAD = {
    "junk": ("hWkNKCp3fvIx3jKnsaBI\nTuEjdwNS8A2vYdFbiKqr\n", "1:1", "map"),
    "no YAML": ("rate_limit: {interval: 1s\n", "2:1", "YAML"),
    "unknown key": ("tls_server_config:\n  cert_filse: server.crt\n", "2:3", "unknown key"),
    "unknown key at the top": ("tls_config: {}\n", "1:1", "unknown key"),
    "twice": (TLS + "  key_file: server.key\n", "4:3", "twice"),
    "no certificate": ("tls_server_config:\n  key_file: server.key\n", "1:1", "cert_file"),
    "empty certificate": ("tls_server_config:\n  cert_file: ''\n  key_file: server.key\n", "2:14", "cert_file"),
    "empty certificate inline": ("tls_server_config:\n  cert: ''\n  key_file: server.key\n", "1:1", "cert_file"),
    "no key": ("tls_server_config:\n  cert_file: server.crt\n", "1:1", "key_file"),
    "empty key": ("tls_server_config:\n  cert_file: server.crt\n  key_file: ''\n", "3:13", "key_file"),
    "versions alone": ("tls_server_config:\n  min_version: TLS13\n", "1:1", "cert_file"),
    "both": (TLS + "  cert: abc\n", "2:14", "both"),
    "certificate that is not there": ("tls_server_config:\n  cert_file: somefile\n  key_file: server.key\n", "2:14", "No such file"),
    "key that is not there": ("tls_server_config:\n  cert_file: server.crt\n  key_file: somefile\n", "3:13", "No such file"),
    "key of another": ("tls_server_config:\n  cert_file: server.crt\n  key_file: client.key\n", "2:14", "cannot be used"),
    "no PEM": ("tls_server_config:\n  cert_file: web.yml\n  key_file: server.key\n", "2:14", "cannot be used"),
    "CA without a policy": (TLS + "  client_ca_file: ca.pem\n", "4:19", "client_auth_type"),
    "names without a policy": (TLS + "  client_allowed_sans: [a.test]\n", "4:24", "client_auth_type"),
    "names where a certificate may be left out": (TLS + "  client_auth_type: VerifyClientCertIfGiven\n"
                                                  "  client_allowed_sans: [a.test]\n", "5:24", "requires a certificate"),
    "names where it is only asked for": (TLS + "  client_auth_type: RequestClientCert\n  client_allowed_sans: [a.test]\n", "5:24",
                                         "requires a certificate"),
    "no names": (TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: []\n", "5:24", "names nobody"),
    "CA that is not there": (TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: somefile\n", "5:19",
                             "No such file"),
    "CA that is none": (TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: server.key\n", "5:19",
                        "no certificate"),
    "policy": (TLS + "  client_auth_type: x\n", "4:21", "RequireAndVerifyClientCert"),
    "cipher": (TLS + "  cipher_suites:\n  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA2048\n", "5:5", "TLS_AES_128_GCM_SHA256"),
    "curve": (TLS + "  curve_preferences:\n  - CurveP257\n", "5:5", "CurveP256"),
    "version": (TLS + "  min_version: TLS111\n", "4:16", "TLS12"),
    "versions that cross": (TLS + "  min_version: TLS13\n  max_version: TLS12\n", "4:16", "above max_version"),
    "cipher of another key": (TLS + "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n", "5:18",
                              "no suite fits"),
    "boolean": ("http_server_config:\n  http2: perhaps\n", "2:10", "true or false"),
    "header": ("http_server_config:\n  headers:\n    Content-Type: foo\n", "3:5", "only"),
    "header's value": ("http_server_config:\n  headers:\n    X-Frame-Options: foo\n", "3:22", "deny or sameorigin"),
    "header's only value": ("http_server_config:\n  headers:\n    X-Content-Type-Options: sniff\n", "3:29", "nosniff"),
    "header with a line break": ('http_server_config:\n  headers:\n    X-XSS-Protection: "1\\r\\nSet-Cookie: a=b"\n', "3:23", ""),
    "password in clear": ("basic_auth_users:\n  john: doe\n", "2:9", "bcrypt"),
    "another hash": ("basic_auth_users:\n  john: $6$abcdefgh$" + "a" * 86 + "\n", "2:9", "bcrypt"),
    "cost": (f"basic_auth_users:\n  john: $2b$18{HASH[6:]}\n", "2:9", "cost above 15"),
    "user twice": (f"basic_auth_users:\n  a: {HASH}\n  a: {HASH}\n", "3:3", "twice"),
    "user list": (f"basic_auth_users:\n- a: {HASH}\n", "2:1", "map"),
    "rate without a unit": ("rate_limit:\n  interval: 5\n  burst: 1\n", "2:13", "duration"),
    "rate without a burst": ("rate_limit:\n  interval: 1s\n", "2:13", "burst"),
    "alias": ("a: &x 1\n", "1:1", ""),
}


@pytest.fixture
def check(program, pki):
    """check(text): what --config.check says of it as a web configuration; the file is in the PKI's folder."""
    config = pki / "config.yml"
    config.write_text("targets:\n- name: a\n  address: 127.0.0.1:1\n")

    def run(text):
        web = pki / "web.yml"
        web.write_text(text)
        return subprocess.run([program, f"--config.file={config}", f"--web.config.file={web}", "--config.check"],
                              capture_output=True, text=True, check=False, timeout=PATIENCE), str(web)
    return run


def test_good_ones_are_taken(check):
    refused = {name: done.stderr for name, text in GOOD.items() for done, _ in [check(text)] if done.returncode != 0}
    assert not refused


def test_bad_ones_are_refused_with_their_place(check):
    wrong = {}
    for name, (text, place, why) in BAD.items():
        done, path = check(text)
        lines = done.stderr.splitlines()
        if done.returncode != 2 or len(lines) != 1 or not lines[0].startswith(f"{path}:{place}: ") or why not in lines[0]:
            wrong[name] = done.stderr
        assert "doe" not in done.stderr and HASH[10:] not in done.stderr, name
    assert not wrong


# Where Debian's promtool, which has exporter-toolkit's own reader, says something else: its reader is older than these keys …
NEWER = {"names", "rate", "rate off"}
# … it refuses what its documentation allows …
DOCUMENTED = {"blank headers"}
# … and we refuse what it would take without doing it, or not as it is meant. The README tells.
STRICTER = {"versions alone", "CA that is none", "versions that cross", "cipher of another key", "header with a line break", "cost"}


def test_exporter_toolkit_agrees(pki):
    def takes(text):
        path = pki / "web.yml"
        path.write_text(text)
        return subprocess.run(["promtool", "check", "web-config", str(path)], capture_output=True, check=False,
                              timeout=PATIENCE).returncode == 0
    assert {name for name, text in GOOD.items() if not takes(text)} == NEWER | DOCUMENTED
    assert {name for name, (text, _, _) in BAD.items() if takes(text)} == STRICTER


def test_inline_certificates(check, pki):
    def indent(name):
        return "".join(f"    {line}\n" for line in (pki / name).read_text().splitlines())
    done, _ = check("tls_server_config:\n  cert: |\n" + indent("server.crt") + "  key: |\n" + indent("server.key") +
                    "  client_auth_type: RequireAndVerifyClientCert\n  client_ca: |\n" + indent("ca.pem"))
    assert done.returncode == 0, done.stderr


@pytest.fixture
def web(exporter, pki):
    """web(text): an exporter with that web configuration; its file is `path`, in the PKI's folder."""
    made = []

    def start(text, *args, config=None):
        path = pki / f"web-{len(made)}.yml"
        path.write_text(text)
        running = exporter(config or TARGETS, [f"--web.config.file={path}", *args])
        running.path = path
        made.append(running)
        return running
    return start


def test_a_bad_file_is_refused_at_the_start(program, pki):
    path = pki / "bad.yml"
    path.write_text("basic_auth_users:\n  john: doe\n")
    (pki / "config.yml").write_text("targets:\n- name: a\n  address: 127.0.0.1:1\n")
    done = subprocess.run([program, f"--config.file={pki}/config.yml", f"--web.config.file={path}",
                           "--web.listen-address=127.0.0.1:0"], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1 and f"{path}:2:9: basic_auth_users: must be a bcrypt hash" in done.stderr
    assert "doe" not in done.stderr


# --- TLS ------------------------------------------------------------------------------------------------------------------
def s_client(port, *args, text="GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"):
    """What openssl s_client says and is told."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", *args], input=text,
                          capture_output=True, text=True, check=False, timeout=PATIENCE)
    return done.stdout + done.stderr


def test_tls(web, pki):
    running = web(TLS)
    trusting = context(ca=str(pki / "ca.pem"))
    assert ask(running.port, tls=trusting).status == 200
    assert "mysql_up" in ask(running.port, "/metrics", tls=trusting).text
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(running.port)                                    # HTTP to an HTTPS server
    with pytest.raises(ssl.SSLError):
        ask(running.port, tls=context(ca=str(pki / "other" / "ca.pem")))
    old = context()
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, OSError)):
        ask(running.port, tls=old)
    assert "ALPN protocol: http/1.1" in s_client(running.port, "-alpn", "h2,http/1.1")


def test_versions_ciphers_and_curves(web):
    running = web(TLS + "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "
                        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n  curve_preferences: [CurveP384]\n")
    said = s_client(running.port)
    assert "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384" in said and "TLSv1.2" in said and "is healthy" in said
    assert "P-384" in said or "secp384r1" in said
    # The other suite is for RSA keys: its cipher with our key is not in the list.
    assert "is healthy" not in s_client(running.port, "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert "is healthy" not in s_client(running.port, "-curves", "P-256")
    assert "is healthy" not in s_client(running.port, "-tls1_3")


def test_cipher_suites_are_those_up_to_1_2_only(web):
    running = web(TLS + "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n")
    assert "is healthy" in s_client(running.port, "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256")
    assert "is healthy" in s_client(running.port, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384")
    assert "is healthy" not in s_client(running.port, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")


def test_old_versions_where_they_are_asked_for(web):
    running = web(TLS + "  min_version: TLS10\n  max_version: TLS11\n")
    assert "is healthy" in s_client(running.port, "-tls1", "-cipher", "ALL:@SECLEVEL=0")
    assert "is healthy" not in s_client(running.port, "-tls1_2")


@pytest.mark.parametrize("order, chosen", [("true", "AES256"), ("false", "AES128")])
def test_whose_order_counts(web, order, chosen):
    running = web(TLS + f"  max_version: TLS12\n  prefer_server_cipher_suites: {order}\n  cipher_suites: "
                        "[TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n")
    said = s_client(running.port, "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    assert f"Cipher is ECDHE-ECDSA-{chosen}" in said


# Which certificates are let in, by policy: none, ours, one of another CA, one that has expired.
POLICIES = {
    "NoClientCert": (True, True, True, True),
    "RequestClientCert": (True, True, True, True),
    "RequireAnyClientCert": (False, True, True, True),
    "VerifyClientCertIfGiven": (True, True, False, False),
    "RequireAndVerifyClientCert": (False, True, False, False),
}


def let_in(port, pki, stem, maximum):
    """Whether a request with this client certificate is answered at all."""
    files = (str(pki / f"{stem}.crt"), str(pki / f"{stem}.key")) if stem else (None, None)
    try:
        return ask(port, tls=context(None, *files, maximum)).status == 200
    except (ssl.SSLError, ConnectionError, http.client.HTTPException):
        return False


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("policy", POLICIES)
def test_client_certificates(web, pki, policy, maximum):
    ca = "" if policy == "NoClientCert" else "  client_ca_file: ca.pem\n"
    running = web(TLS + f"  client_auth_type: {policy}\n" + ca)
    seen = tuple(let_in(running.port, pki, stem, maximum) for stem in (None, "client", "stranger", "expired"))
    assert seen == POLICIES[policy]


@pytest.mark.parametrize("san, good", [("prometheus.test", True), ("ops@test", True), ("192.0.2.7", True), ("spiffe://test/p", True),
                                       ("Prometheus.test", False), ("rometheus.test", False), ("nobody.invalid", False)])
def test_names_of_clients(web, pki, san, good):
    running = web(TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
                        f"  client_allowed_sans: [other.test, '{san}']\n")
    assert let_in(running.port, pki, "client", None) == good
    assert not let_in(running.port, pki, "stranger", None) and not let_in(running.port, pki, None, None)


def test_who_is_refused_is_told_and_counted(web, pki):
    running = web(TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n")
    assert "certificate required" in s_client(running.port)
    assert "unknown ca" in s_client(running.port, "-cert", str(pki / "stranger.crt"), "-key", str(pki / "stranger.key"))
    assert "certificate expired" in s_client(running.port, "-cert", str(pki / "expired.crt"), "-key", str(pki / "expired.key"))
    page = ask(running.port, "/metrics", tls=context(None, str(pki / "client.crt"), str(pki / "client.key"))).text
    assert 'mysqlconn_exporter_http_refused_total{reason="client_certificate"} 3\n' in page


def hello():
    """What a TLS client says first."""
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context().wrap_bio(received, sent).do_handshake()
    return sent.read()


def cpu(running):
    """Seconds that it used so far."""
    with open(f"/proc/{running.pid}/stat", encoding="ascii") as f:
        return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def test_an_unfinished_handshake_costs_nothing(web, figure):
    """libmicrohttpd would try again and again, with all of a core."""
    running = web(TLS)
    first = hello()
    with contextlib.ExitStack() as stack:
        halves = [stack.enter_context(socket.create_connection(("127.0.0.1", running.port))) for _ in range(20)]
        for at, sock in enumerate(halves):
            sock.sendall(first if at % 2 else first[:100])
        assert ask(running.port, tls=context()).status == 200
        before = cpu(running)
        time.sleep(1)                                        # it is the cost of a second that counts
        used = cpu(running) - before
        figure(f"20 unfinished handshakes cost {100 * used:.0f} % of a core")
        assert used < 0.3


# So long one may take from the beginning of the connection to the end of its first request.
LOGIN_SECONDS = 10


def test_many_handshakes_at_once(web, figure):
    running = web(TLS)
    first = hello()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        socks = []
        for i in range(200):
            sock = stack.enter_context(socket.socket())
            sock.bind((f"127.0.3.{i % 4 + 1}", 0))
            sock.connect(("127.0.0.1", running.port))
            socks.append(sock)
        for sock in socks:
            sock.sendall(first)
        started = time.monotonic()
        page = ask(running.port, "/metrics", tls=context()).text
        took = time.monotonic() - started
        longest = float(re.search(r"^mysqlconn_exporter_loop_longest_step_seconds (\S+)", page, re.M).group(1))
        figure(f"beside 200 handshakes at once a scrape takes {1000 * took:.0f} ms, the loop's longest step {1000 * longest:.0f} ms")
        for sock in socks:                                   # each is answered, though put off, unless we are so slow that it is over
            sock.settimeout(PATIENCE)
            answer = b""
            with contextlib.suppress(ConnectionError):
                answer = sock.recv(1)
            assert answer == b"\x16" or time.monotonic() - began > LOGIN_SECONDS


def replace(path, content):
    """As a careful writer does it."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.rename(new, path)


def settle():
    """Files that are younger than this when they are read are read again in any case."""
    time.sleep(0.15)


def serial(port):
    """Of the certificate that the server shows."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        with context().wrap_socket(sock, server_hostname="localhost") as tls:
            return tls.getpeercert(binary_form=True)


def test_a_rotated_certificate_is_used_at_the_next_handshake(web, pki):
    for end in (".crt", ".key"):
        (pki / f"rotated{end}").write_bytes((pki / f"server{end}").read_bytes())
    running = web("tls_server_config:\n  cert_file: rotated.crt\n  key_file: rotated.key\n")
    settle()
    first = serial(running.port)
    old = http.client.HTTPSConnection("127.0.0.1", running.port, context=context(), timeout=PATIENCE)
    old.request("GET", "/-/healthy")
    assert old.getresponse().read()
    replace(pki / "rotated.crt", (pki / "client.crt").read_bytes())
    assert serial(running.port) == first, "without its key the new one cannot be used"
    replace(pki / "rotated.key", (pki / "client.key").read_bytes())
    second = serial(running.port)
    assert second != first
    old.request("GET", "/metrics")                           # a connection that is open goes on
    page = old.getresponse().read().decode()
    old.close()
    assert "mysqlconn_exporter_web_config_last_reload_successful 1\n" in page
    (pki / "rotated.crt").write_bytes((pki / "server.crt").read_bytes())  # in place
    (pki / "rotated.key").write_bytes((pki / "server.key").read_bytes())
    assert serial(running.port) == first


# --- users ----------------------------------------------------------------------------------------------------------------
USERS = f"basic_auth_users:\n  alice: {HASH}\n  bob: {hashed('', 5)}\n"


def test_users(web):
    running_hash = HASH
    running = web(USERS)
    for path in ("/metrics", "/", "/-/healthy", "/-/ready", "/config", "/nothing", "/api/v1/events", "/probe"):
        answer = ask(running.port, path)
        assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Basic"), path
    assert ask(running.port, "/-/reload", method="POST").status == 401
    for _ in range(2):
        assert ask(running.port, user="alice", password="secret word").status == 200
        assert ask(running.port, user="bob", password="").status == 200
        for user, password in (("alice", "secret wor"), ("alice", ""), ("alice", b"secret word\0more"), ("carol", "secret word"),
                               ("", ""), ("alice", "x" * 100), ("alice", "x" * 5000), ("Alice", "secret word")):
            assert ask(running.port, user=user, password=password).status == 401, (user, password)
    for field in ("Basic", "Basic ", "Basic !!!!", "Bearer abc", "Basic YWxpY2U=", "basic", "Basic " + "A" * 20000):
        assert ask(running.port, headers={"Authorization": field}).status == 401, field
    assert ask(running.port, headers={"Authorization": "bAsIc YWxpY2U6c2VjcmV0IHdvcmQ="}).status == 200
    said = running.process.output() + ask(running.port, "/config", user="bob", password="").text
    assert running_hash[7:] not in said and "secret word" not in said


def test_users_change_without_a_reload(web):
    running = web(USERS)
    settle()
    assert ask(running.port, user="alice", password="secret word").status == 200
    replace(running.path, f"basic_auth_users:\n  alice: {hashed('another')}\n".encode())
    assert ask(running.port, user="alice", password="secret word").status == 401
    assert ask(running.port, user="alice", password="another").status == 200
    assert ask(running.port, user="bob", password="").status == 401
    # A bad file changes nothing, and is told.
    running.path.write_text("basic_auth_users:\n  alice: in clear\n")
    page = ask(running.port, "/metrics", user="alice", password="another")
    assert page.status == 200 and "mysqlconn_exporter_web_config_last_reload_successful 0\n" in page.text
    line = running.wait_for_log(10, msg="web configuration not read again, the old one stays in force")
    assert f"{running.path}:2:10" in line["error"] and "in clear" not in running.process.output()
    replace(running.path, b"")
    assert ask(running.port, "/metrics").status == 200, "and now nobody is asked for"
    replace(running.path, TLS.encode())
    assert ask(running.port, "/metrics").status == 200, "TLS cannot begin within a process"


def test_wrong_passwords_delay_nobody_else(web, figure):
    """A flood of wrong passwords: who is known is answered at once, and what waits is bounded."""
    running = web(f"basic_auth_users:\n  alice: {hashed('secret word', 11)}\n")
    assert ask(running.port, user="alice", password="secret word").status == 200
    with contextlib.ExitStack() as stack:
        socks = []
        for i in range(120):
            sock = stack.enter_context(socket.socket())
            sock.bind((f"127.0.2.{i % 30 + 1}", 0))
            sock.connect(("127.0.0.1", running.port))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + f"YWxpY2U6{i:04d}".encode() + b"\r\n\r\n")
            socks.append(sock)
        times = []
        for _ in range(30):
            started = time.monotonic()
            page = ask(running.port, "/metrics", user="alice", password="secret word")
            times.append(time.monotonic() - started)
            assert page.status == 200
        statuses = []
        for sock in socks:
            sock.settimeout(PATIENCE)
            statuses.append(sock.recv(12)[-3:])
        page = ask(running.port, "/metrics", user="alice", password="secret word")
        busy = int(re.search(r'refused_total\{reason="auth_queue_full"\} (\d+)', page.text).group(1))
        figure(f"beside a flood of wrong passwords a scrape takes {1000 * sorted(times)[15]:.1f} ms (median), "
               f"{1000 * max(times):.1f} ms (worst); {busy} of 120 were not checked")
        assert set(statuses) == {b"401", b"503"} and statuses.count(b"503") == busy
        # Who is not known yet waits for his turn, or is told to come again: as long as there is a flood.
    wait_until(lambda: ask(running.port, user="alice", password="secret word").status == 200, 10, "the end of the flood")


def test_unknown_users_cost_what_known_ones_do(web, figure):
    running = web(f"basic_auth_users:\n  alice: {hashed('secret word', 10)}\n")

    def cost(user):
        before, times = cpu(running), []
        for i in range(12):
            started = time.monotonic()
            assert ask(running.port, user=user, password=f"wrong {i}").status == 401
            times.append(time.monotonic() - started)
        return (cpu(running) - before) / 12, sorted(times)[6]
    (known, known_time), (unknown, unknown_time) = cost("alice"), cost("mallory")
    figure(f"a wrong password takes {1000 * known_time:.1f} ms for a known user, {1000 * unknown_time:.1f} ms for an unknown one, "
           f"{1000 * known:.1f} and {1000 * unknown:.1f} ms of processor time")
    assert unknown > known / 4 and known > unknown / 4        # and not 1 ms against 60


@pytest.mark.parametrize("cost", [11, 15])
def test_it_ends_while_passwords_are_checked(web, cost, figure):
    """One second is waited for those under way. That of the greatest cost takes longer: it is left alone."""
    running = web(f"basic_auth_users:\n  alice: $2b${cost}${HASH[7:]}\n")
    with contextlib.ExitStack() as stack:
        for i in range(6):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + f"YWxpY2U6{i:04d}".encode() + b"\r\n\r\n")
        wait_until(lambda: cpu(running) > 0.2, 10, "passwords are checked", step=0.01)
        figure(f"SIGTERM while six passwords of cost {cost} are checked: ended in {running.stop():.2f} s")


# --- headers and rate -----------------------------------------------------------------------------------------------------
def test_headers(web):
    running = web("http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Content-Security-Policy: default-src 'self'\n"
                  "    X-XSS-Protection: ''\n" + USERS)
    for path, status in (("/", 401), ("/nothing", 401)):
        answer = ask(running.port, path)
        assert answer.status == status and answer.headers["X-Frame-Options"] == "deny"
    page = ask(running.port, "/", user="alice", password="secret word")
    assert page.headers.get_all("Content-Security-Policy") == ["default-src 'self'"]
    assert page.headers["X-XSS-Protection"] is None


def test_a_reload_reads_it_too(web):
    running = web("http_server_config:\n  headers: {X-Frame-Options: deny}\n")
    assert ask(running.port, "/-/reload", method="POST").status == 200
    replace(running.path, b"http_server_config:\n  headers: {X-Frame-Options: secret}\n")
    answer = ask(running.port, "/-/reload", method="POST")
    assert answer.status == 500 and answer.text.startswith(f"{running.path}:2:30: http_server_config.headers.X-Frame-Options: ")
    assert "secret" not in answer.text and answer.headers["X-Frame-Options"] == "deny"
    assert not running.reload()


@pytest.mark.parametrize("before, after, tls", [(USERS, TLS, None), (TLS, USERS, context())], ids=["on", "off"])
def test_tls_is_switched_by_a_restart_only(web, before, after, tls):
    running = web(before)
    replace(running.path, after.encode())
    answer = ask(running.port, "/-/reload", tls=tls, method="POST", user="alice", password="secret word")
    why = f"{running.path}: TLS cannot be switched on or off without a restart"
    assert answer.status == 500 and answer.text == why + "\n"
    running.wait_for_log(10, level="error", msg="configuration not reloaded, the old one stays in force", error=why)
    replace(running.path, before.encode())
    answer = ask(running.port, "/-/reload", tls=tls, method="POST", user="alice", password="secret word")
    assert answer.status == 200, answer.text


def test_rate_limit(web):
    running = web("rate_limit:\n  interval: 1h\n  burst: 3\n")
    statuses = [ask(running.port).status for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    replace(running.path, b"rate_limit: {interval: 1ms, burst: 100}\n")
    assert 'reason="rate_limit"} 2' in ask(running.port, "/metrics").text


# --- all of it, and Prometheus ------------------------------------------------------------------------------------------------
def test_prometheus_scrapes_with_tls_a_certificate_and_a_password(web, pki):
    running = web(TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
                        "  client_allowed_sans: [prometheus.test]\n" + USERS)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)                              # Prometheus is another user
        for name in ("ca.pem", "client.crt", "client.key"):
            with open(f"{folder}/{name}", "wb") as f:
                f.write((pki / name).read_bytes())
        scrape = {"scheme": "https", "basic_auth": {"username": "alice", "password": "secret word"},
                  "tls_config": {"ca_file": f"{folder}/ca.pem", "cert_file": f"{folder}/client.crt",
                                 "key_file": f"{folder}/client.key", "server_name": "localhost"}}
        with Prometheus(f"127.0.0.1:{running.port}", scrape=scrape) as prometheus:
            wait_until(lambda: prometheus.query("up == 1"), 30, lambda: f"{prometheus.targets()}\n{prometheus.process.output()}")
