"""The scenario tests' fixtures, with a MySQL for the server."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.mysql import MySQL  # noqa: E402
from scenario.conftest import exporter, figure, program, pytest_addoption, sanitized  # noqa: E402,F401


@pytest.fixture(scope="module")
def server():
    """A MySQL for the tests of one file, which tells in its log what it otherwise keeps to itself."""
    with MySQL(["--log-error-verbosity=3"]) as running:
        yield running
