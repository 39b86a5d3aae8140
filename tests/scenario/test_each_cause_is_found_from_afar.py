"""As test_each_cause_is_found, for what takes a network that fails: clients that vanish without a word, addresses without names, hosts
that are blocked (nobody is on a loopback address)."""

import pytest

from lib.mariadb import MariaDB
from lib.netns import why_not
from matrix.run import run_far
from matrix.stage import options

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


def test_each_cause_is_found_from_afar(exporter, tmp_path, figure):
    run_far("MariaDB, from afar", lambda more: MariaDB(options("MariaDB", "--skip-name-resolve=OFF", *more)), exporter, tmp_path, figure)
