"""A private MariaDB of the system's packages."""

import os
import shutil

from .process import unprivileged_user
from .server import APP, MONITOR, Server, close

_SMALL = ("--skip-name-resolve", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M",
          "--innodb-flush-log-at-trx-commit=0", "--key-buffer-size=1M", "--aria-pagecache-buffer-size=1M",
          "--performance-schema=OFF", "--skip-log-bin", "--thread-cache-size=8")


def _find(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")
    if path is None:
        raise FileNotFoundError(f"{name} is not installed (tests/lib/install-packages demo)")
    return path


class MariaDB(Server):
    name = "MariaDB"
    init_sql = "DELETE FROM mysql.global_priv WHERE User='' OR (User='root' AND Host<>'localhost');\nFLUSH PRIVILEGES;\n"

    def __init__(self, options=(), folder=None, port=None):
        super().__init__(options, folder, port)
        self.user = unprivileged_user()

    def _installer(self):
        # --force: it need not resolve this machine's name.
        return [_find("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--skip-test-db", "--force",
                "--auth-root-authentication-method=normal", *_SMALL], {**os.environ, "TMPDIR": self.folder}

    def _program(self):
        return [_find("mariadbd"), "--no-defaults", *_SMALL]


__all__ = ["APP", "MONITOR", "MariaDB", "close"]
