"""Clients of a MariaDB do all that ends connections, one after the other: for each the cause that we find, how sure, whom it names, and
the ledger, to the last unit. No cause is wrong, and no row worse than in matrix/expected.txt."""
# takes long

from lib.certificates import Authority
from lib.mariadb import MariaDB
from matrix.run import run_here
from matrix.stage import options


def test_each_cause_is_found(exporter, tmp_path, figure):
    with MariaDB(options("MariaDB")).use_certificate(*Authority(tmp_path / "ca").sign("server")) as server:
        run_here("MariaDB", server, exporter, tmp_path, figure)
