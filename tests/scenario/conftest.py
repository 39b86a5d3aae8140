"""What the scenario tests are given: the program under test, servers, exporters, and a place for figures."""

import contextlib
import os
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)

from lib.exporter import Exporter  # noqa: E402
from lib.mariadb import MariaDB  # noqa: E402
from lib.unprivileged import OpenFolder  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--build", default=os.path.join(os.path.dirname(TESTS), "build", "asan"),
                     help="the build's folder (default: build/asan)")


@pytest.fixture(scope="session")
def program(request):
    path = os.path.join(os.path.abspath(request.config.getoption("--build")), "mysqlconn_exporter")
    assert os.access(path, os.X_OK), f"{path} is not built (make VARIANT=asan)"
    return path


@pytest.fixture(scope="session")
def sanitized(program):
    """Whether the build has a sanitizer in it, so that it is some times slower and bigger."""
    with open(program, "rb") as f:
        return b"__asan_init" in f.read()


@pytest.fixture(scope="module")
def server():
    """A MariaDB for the tests of one file."""
    with MariaDB() as running:
        yield running


@pytest.fixture
def exporter(program):
    """Starts exporters: exporter(config, args, env); `program` may be another that becomes ours. At the end each is stopped
    and must have ended well."""
    with contextlib.ExitStack() as stack:
        def start(config, args=(), env=None, program=program):
            return stack.enter_context(Exporter(program, config, args, env))
        yield start


@pytest.fixture
def open_folder():
    """A folder that everybody may enter."""
    with OpenFolder() as path:
        yield path


@pytest.fixture
def figure(record_property):
    """figure("text"): shown by run-all beside the test's verdict."""
    return lambda text: record_property("figure", text)
