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
from lib.process import wait_until
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
