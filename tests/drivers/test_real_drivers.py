"""Clients of real drivers, in the versions of which reports tell: each closed properly, forgotten, killed and idle past wait_timeout. What
the server counts for it, the cause that we find, and the driver and version that it announces. As matrix/expected.txt has it, or
better."""

import contextlib
import os
import subprocess

import pytest

from lib.certificates import Authority
from lib.mariadb import MariaDB
from lib.mysql import MySQL
from lib.process import PATIENCE
from matrix.run import play_all
from matrix.scenarios import CLIENTS, Scenario
from matrix.stage import APP, DATABASE, Stage, configuration, furnish, options

from drivers.drivers import every_driver

# Those that say COM_QUIT although they were forgotten: the runtime ends them.
QUIT_WHEN_FORGOTTEN = ("MySQLdb", "PHP mysqlnd", "Perl DBD::mysql", "Perl DBD::MariaDB")


def announced(watching):
    return {(l["driver"], l["version"]): v for l, v in watching.scrape().samples("mysqlconn_sessions_by_driver")}


def act_of(driver, act):
    """What a client of this driver does, for a Scenario."""
    def run(stage):
        stage.acquaint(*APP)
        before = announced(stage.watching)
        argv = [*driver.argv, act, stage.host, str(stage.server.port), *APP, DATABASE]
        program = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, **(driver.env or {})})
        try:
            line = program.stdout.readline()
            assert line.strip().isdigit(), f"{driver.name}: {line}{program.stderr.read()}"
            stage.looked()
            new = [name for name, n in announced(stage.watching).items() if n > before.get(name, 0)]
            assert new == [driver.announces or ("unknown", "")], f"{driver.name} announces {new}"
            if act == "killed":
                program.kill()
            elif act != "idle":
                with contextlib.suppress(BrokenPipeError):
                    program.stdin.write("\n")
                    program.stdin.flush()
                program.wait(PATIENCE)
            return stage.gone(int(line))
        finally:
            program.kill()
            program.communicate()
    return run


def aborted(driver, act):
    if act in ("close", "end", "abort") and not (act == "close" and driver.name.startswith("mysql2")):
        return False
    return not (act in ("forget", "persistent") and driver.name in QUIT_WHEN_FORGOTTEN)


def scenarios_of(driver):
    for act in driver.acts:
        is_aborted = aborted(driver, act)
        cause = {"idle": "idle_timeout", "rows_open": "left_mid_result"}.get(act, "client_vanished")
        yield Scenario(f"{driver.name}: {act}", act_of(driver, act), (cause,) if is_aborted else (),
                       {CLIENTS: 1} if is_aborted else {}, who={"driver": driver.announces})


SERVERS = [pytest.param("MariaDB", id="MariaDB"), pytest.param("MySQL", id="MySQL")]


def make(flavour, folder):
    if flavour == "MySQL":
        return MySQL(options("MySQL", "--log-error-verbosity=3"))
    return MariaDB(options("MariaDB")).use_certificate(*Authority(folder).sign("server"))


@pytest.fixture(scope="module")
def drivers(tmp_path_factory):
    return every_driver(str(tmp_path_factory.mktemp("drivers")))


@pytest.mark.parametrize("flavour", SERVERS)
def test_what_becomes_of_their_connections(exporter, drivers, tmp_path, figure, flavour):
    with make(flavour, tmp_path / "ca") as server:
        furnish(server, "127.0.0.1")
        watching = exporter(configuration(server))
        watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 15)
        stage = Stage(server, watching)
        stage.settle_all()
        table = [scenario for driver in drivers for scenario in scenarios_of(driver)]
        play_all(f"drivers on {flavour}", stage, table, figure)
