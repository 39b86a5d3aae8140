"""Clients of a MySQL do all that ends connections, near and far: as on MariaDB (scenario/test_each_cause_is_found), with the log at level 3
and at the default level, where it tells of no abort."""
# takes long

import pytest

from lib.mysql import MySQL
from lib.netns import why_not
from matrix.run import run_far, run_here
from matrix.stage import options

LEVELS = [pytest.param(3, "MySQL", id="level 3"), pytest.param(2, "MySQL, level 2", id="level 2")]


def of_level(level, *more):
    return options("MySQL", f"--log-error-verbosity={level}", *more)


@pytest.mark.parametrize("level, column", LEVELS)
def test_each_cause_is_found(exporter, tmp_path, figure, level, column):
    with MySQL(of_level(level)) as server:
        run_here(column, server, exporter, tmp_path, figure)


@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize("level, column", LEVELS)
def test_each_cause_is_found_from_afar(exporter, tmp_path, figure, level, column):
    run_far(f"{column}, from afar", lambda more: MySQL(of_level(level, "--skip-name-resolve=OFF", *more)), exporter, tmp_path, figure)
