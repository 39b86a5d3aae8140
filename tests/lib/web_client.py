"""Requests to the program under test as its web configuration wants them: TLS, client certificates, users."""

import base64
import http.client
import ssl

from .process import PATIENCE


def context(ca=None, certificate=None, key=None, maximum=None):
    """An SSL context that trusts `ca` alone, or whoever is there."""
    made = ssl.create_default_context(cafile=ca) if ca else ssl._create_unverified_context()
    if certificate:
        made.load_cert_chain(certificate, key)
    if maximum:
        made.maximum_version = maximum
    return made


def basic(user, password):
    """The value of an Authorization field."""
    if isinstance(password, str):
        password = password.encode()
    return "Basic " + base64.b64encode(user.encode() + b":" + password).decode()


class Answer:
    def __init__(self, answer):
        self.status, self.headers, self.text = answer.status, answer.headers, answer.read().decode("utf-8", "replace")


def ask(port, path="/-/healthy", tls=None, user=None, password=None, method="GET", headers=(), timeout=PATIENCE):
    """One request over a connection of its own."""
    connection = (http.client.HTTPSConnection("localhost", port, timeout=timeout, context=tls) if tls
                  else http.client.HTTPConnection("127.0.0.1", port, timeout=timeout))
    fields = dict(headers)
    if user is not None:
        fields["Authorization"] = basic(user, password)
    try:
        connection.request(method, path, headers=fields)
        return Answer(connection.getresponse())
    finally:
        connection.close()
