"""A private MySQL 9, of Debian sid (sid.py)."""

import os
import ssl

from . import sid
from .server import APP, MONITOR, Server, close

_SMALL = ("--skip-name-resolve", "--innodb-buffer-pool-size=32M", "--innodb-redo-log-capacity=8M",
          "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--thread-cache-size=8")


def fetch():
    """The folder that holds it. RuntimeError says why it cannot be had."""
    return sid.fetch("mysql", "mysql-server-core", "libmysqlclient24", "libgcc-s1", "libc6")


class MySQL(Server):
    """As MariaDB's class. It runs as we do, root too: its files lie in our cache, where others may not reach."""

    name = "MySQL"
    reload_tls = "ALTER INSTANCE RELOAD TLS"

    def __init__(self, options=(), folder=None, port=None):
        self._root = fetch()
        super().__init__(options, folder, port)

    def _mysqld(self):
        usr = os.path.join(self._root, "usr")
        return [*sid.command(self._root, "usr/sbin/mysqld", "usr/lib/mysql/private"), "--no-defaults", f"--basedir={usr}", f"--lc-messages-dir={usr}/share/mysql",
                f"--plugin-dir={usr}/lib/mysql/plugin", "--secure-file-priv=", "--mysqlx=OFF",
                # Once given, it is not taken back by =OFF, whatever the variable says then.
                *(o for o in _SMALL if o != "--skip-name-resolve" or "--skip-name-resolve=OFF" not in self.options),
                *(["--user=root"] if os.geteuid() == 0 else [])]

    def _installer(self):
        return [*self._mysqld(), "--initialize-insecure", f"--datadir={self.data}"], None

    def _program(self):
        return self._mysqld()

    def _way_in(self, user):
        """Passwords go over TLS: without it PyMySQL would need a package that it does not depend on."""
        way = super()._way_in(user)
        if "host" in way:
            way["ssl"] = ssl.create_default_context(cafile=self.ca)
            way["ssl"].check_hostname = False
        return way

    def made(self, name):
        """The path of a file that it made for itself: ca.pem, client-cert.pem, client-key.pem."""
        return os.path.join(self.data, name)

    @property
    def ca(self):
        return self.made("ca.pem")


__all__ = ["APP", "MONITOR", "MySQL", "close", "fetch"]
