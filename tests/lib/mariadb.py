"""A private MariaDB in a folder of its own: its own port and socket, no configuration of the system's, never port 3306."""

import os
import shutil
import socket
import subprocess
import tempfile

import pymysql

from .process import Process, TimeOut, free_port, unprivileged_user, wait_until

# The account that the exporter uses. It has no privilege but to log in: see config/ for what more it may be given.
MONITOR = ("mysqlconn", "monitor's s3cret")
# An application's account, for clients that behave well or badly.
APP = ("app", "app's s3cret")

_SMALL = ("--skip-name-resolve", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M",
          "--innodb-flush-log-at-trx-commit=0", "--key-buffer-size=1M", "--aria-pagecache-buffer-size=1M",
          "--performance-schema=OFF", "--skip-log-bin", "--thread-cache-size=8")


def _find(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")
    if path is None:
        raise FileNotFoundError(f"{name} is not installed (tests/lib/install-packages demo)")
    return path


class MariaDB:
    """Started by start(); use it in a `with`. root works through the socket alone, which lies in a folder that is closed to
    other users; over TCP there are only the accounts above, made without rights."""

    def __init__(self, options=(), folder=None, port=None):
        self._owns_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="mysqlconn-mariadb-")
        self.options = list(options)
        self.port = port or free_port()
        self.data = os.path.join(self.folder, "data")
        self.socket = os.path.join(self.folder, "server.sock")
        self.error_log = os.path.join(self.folder, "error.log")
        self.process = None
        self._admin = None
        self._user = unprivileged_user()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *_):
        self.remove()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    # --- life ---------------------------------------------------------------------------------------------------------
    def _install(self):
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o700)
        if self._user:
            os.chown(self.folder, *self._user)
        extra = {"user": self._user[0], "group": self._user[1], "extra_groups": []} if self._user else {}
        done = subprocess.run(
            # --force: it need not resolve this machine's name.
            [_find("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--skip-test-db", "--force",
             "--auth-root-authentication-method=normal", *_SMALL],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.folder, check=False, timeout=120,
            env={**os.environ, "TMPDIR": self.folder}, **extra)
        if done.returncode != 0:
            raise RuntimeError(f"mariadb-install-db failed:\n{done.stdout}{done.stderr}")
        # Run by the server before it listens: nobody ever meets it without these accounts in place.
        with open(os.path.join(self.folder, "init.sql"), "w", encoding="utf-8") as f:
            f.write("DELETE FROM mysql.global_priv WHERE User='' OR (User='root' AND Host<>'localhost');\n"
                    "FLUSH PRIVILEGES;\n")
            for user, password in (MONITOR, APP):
                quoted = password.replace("'", "''")
                f.write(f"CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY '{quoted}';\n")

    def start(self, options=None):
        """Start (again) and return when it takes connections. `options` replaces those of before."""
        if options is not None:
            self.options = list(options)
        if not os.path.isdir(self.data):
            self._install()
        argv = [_find("mariadbd"), "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}",
                f"--port={self.port}", "--bind-address=127.0.0.1", f"--log-error={self.error_log}",
                f"--init-file={self.folder}/init.sql", f"--pid-file={self.folder}/server.pid", f"--tmpdir={self.folder}",
                *_SMALL, *self.options]
        self.process = Process(argv, user=self._user, cwd=self.folder)
        try:
            self._admin = wait_until(self._try_login, 60, "MariaDB takes connections", step=0.03)
        except BaseException:
            self.process.kill()
            raise
        return self

    def _try_login(self):
        if not self.process.running():
            raise RuntimeError(f"MariaDB ended while starting:\n{self.process.output()}\n{self.error_text()}")
        try:
            return self.connect()
        except pymysql.err.OperationalError as e:
            if e.args[0] in (2002, 2003):  # the socket is not there yet: nobody has counted this
                return None
            raise

    def stop(self, timeout=30):
        """An orderly shutdown. No effect when it does not run."""
        if self._admin is not None:
            close(self._admin)
            self._admin = None
        if self.process is not None:
            self.process.end(timeout)

    def kill9(self):
        self.process.kill()
        if self._admin is not None:
            self._admin._force_close()  # the peer is gone: nothing to say goodbye to
            self._admin = None

    def restart(self, options=None):
        self.stop()
        return self.start(options)

    def remove(self):
        """Stop and delete the folder."""
        try:
            self.stop()
        finally:
            if self.process is not None:
                self.process.kill()
            if self._owns_folder:
                shutil.rmtree(self.folder, ignore_errors=True)

    def use_certificate(self, certificate, key):
        """Serve TLS with these files: from the next start on, or at once when it runs."""
        names = []
        for path in (certificate, key):
            name = os.path.join(self.folder, "tls-" + ("cert" if path == certificate else "key") + ".pem")
            os.makedirs(self.folder, exist_ok=True)
            shutil.copyfile(path, name)
            if self._user:
                os.chown(name, *self._user)
            names.append(name)
        if self.process is not None and self.process.running():
            self.execute("FLUSH SSL")
        else:
            self.options += [f"--ssl-cert={names[0]}", f"--ssl-key={names[1]}"]
        return self

    # --- talk ---------------------------------------------------------------------------------------------------------
    def connect(self, user="root", password="", **extra):
        """A connection as PyMySQL makes it: root through the socket, everybody else over TCP. End it with close()."""
        where = {"unix_socket": self.socket} if user == "root" else {"host": "127.0.0.1", "port": self.port}
        return pymysql.connect(user=user, password=password, connect_timeout=10, autocommit=True, **{**where, **extra})

    def execute(self, sql, args=None):
        """Rows of `sql`, run by root on a connection that was opened at start (so it works when the server is full)."""
        with self._admin.cursor() as cursor:
            cursor.execute(sql, args)
            return cursor.fetchall()

    def status(self, *names):
        """Global status by name, as numbers; one name gives its number alone. FLUSH STATUS is not what this does."""
        rows = dict(self.execute("SHOW GLOBAL STATUS"))
        values = {n: int(rows[n]) for n in names}
        return values[names[0]] if len(names) == 1 else values

    def wait_status(self, name, at_least, timeout=15):
        return wait_until(lambda: (v := self.status(name)) >= at_least and v, timeout,
                          lambda: f"{name} >= {at_least} (it is {self.status(name)})")

    def threads_of(self, user):
        """Connection ids of `user`, as the process list has them."""
        rows = self.execute("SELECT id FROM information_schema.processlist WHERE user = %s ORDER BY id", (user,))
        return [r[0] for r in rows]

    def error_text(self):
        try:
            with open(self.error_log, encoding="utf-8", errors="backslashreplace") as f:
                return f.read()
        except FileNotFoundError:
            return ""


def close(connection):
    """COM_QUIT and wait for the server's end, so that all that the server counts is counted when this returns."""
    sock = connection._sock
    if sock is None:
        return
    dup = socket.socket(fileno=os.dup(sock.fileno()))  # also of a TLS socket
    try:
        connection.close()
        dup.settimeout(10)
        while dup.recv(4096):
            pass
    except TimeoutError as e:
        raise TimeOut("the server did not close after COM_QUIT") from e
    except OSError:
        pass
    finally:
        dup.close()
