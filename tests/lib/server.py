"""What private servers of MariaDB and of MySQL have in common: a folder, a port and a socket of their own, no configuration of
the system's, never port 3306."""

import os
import shutil
import socket
import subprocess
import tempfile

import pymysql

from .process import PATIENCE, Process, TimeOut, free_port, wait_until

# The account that the exporter uses. It has no privilege but to log in: see config/ for what more it may be given.
MONITOR = ("mysqlconn", "monitor's s3cret")
# An application's account, for clients that behave well or badly.
APP = ("app", "app's s3cret")


class Server:
    """Started by start(); use it in a `with`. root works through the socket alone, which lies in a folder that is closed to
    other users; over TCP there are only the accounts above, made without rights. A subclass says how it is installed and run."""

    name = "server"
    reload_tls = "FLUSH SSL"
    init_sql = ""  # run before it listens, the accounts after it
    user = None    # (uid, gid) that it runs under, None for our own

    def __init__(self, options=(), folder=None, port=None):
        self._owns_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix=f"mysqlconn-{self.name.lower()}-")
        self.options = list(options)
        self.port = port or free_port()
        self.data = os.path.join(self.folder, "data")
        self.socket = os.path.join(self.folder, "server.sock")
        self.error_log = os.path.join(self.folder, "error.log")
        self.process = None
        self._admin = None

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

    # --- what differs -------------------------------------------------------------------------------------------------
    def _installer(self):
        """(argv, environment) of what makes self.data."""
        raise NotImplementedError

    def _program(self):
        """argv of the server, without what both understand."""
        raise NotImplementedError

    def _run(self, argv):
        return Process(argv, user=self.user, cwd=self.folder)

    # --- life ---------------------------------------------------------------------------------------------------------
    def _install(self):
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o700)
        if self.user:
            os.chown(self.folder, *self.user)
        argv, env = self._installer()
        extra = {"user": self.user[0], "group": self.user[1], "extra_groups": []} if self.user else {}
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.folder, check=False,
                              timeout=120, env=env, **extra)
        if done.returncode != 0:
            raise RuntimeError(f"{self.name} cannot be installed:\n{done.stdout}{done.stderr}")
        # Run by the server before it listens: nobody ever meets it without these accounts in place.
        with open(os.path.join(self.folder, "init.sql"), "w", encoding="utf-8") as f:
            f.write(self.init_sql)
            for user, password in (MONITOR, APP):
                quoted = password.replace("'", "''")
                f.write(f"CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY '{quoted}';\n")

    def start(self, options=None):
        """Start (again) and return when it takes connections. `options` replaces those of before."""
        if options is not None:
            self.options = list(options)
        if not os.path.isdir(self.data):
            self._install()
        argv = [*self._program(), f"--datadir={self.data}", f"--socket={self.socket}", f"--port={self.port}",
                "--bind-address=127.0.0.1", f"--log-error={self.error_log}", f"--init-file={self.folder}/init.sql",
                f"--pid-file={self.folder}/server.pid", f"--tmpdir={self.folder}", *self.options]
        self.process = self._run(argv)
        try:
            self._admin = wait_until(self._try_login, 60, f"{self.name} takes connections", step=0.03)
        except BaseException:
            self.process.kill()
            raise
        return self

    def _try_login(self):
        if not self.process.running():
            raise RuntimeError(f"{self.name} ended while starting:\n{self.process.output()}\n{self.error_text()}")
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
            if self.user:
                os.chown(name, *self.user)
            names.append(name)
        if self.process is not None and self.process.running():
            self.execute(self.reload_tls)
        else:
            self.options += [f"--ssl-cert={names[0]}", f"--ssl-key={names[1]}"]
        return self

    # --- talk ---------------------------------------------------------------------------------------------------------
    def _way_in(self, user):
        """root through the socket, everybody else over TCP."""
        return {"unix_socket": self.socket} if user == "root" else {"host": "127.0.0.1", "port": self.port}

    def connect(self, user="root", password="", **extra):
        """A connection as PyMySQL makes it. End it with close()."""
        return pymysql.connect(user=user, password=password,
                               **{"connect_timeout": PATIENCE, "autocommit": True, **self._way_in(user), **extra})

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
        return sorted(row[0] for row in self.execute("SHOW PROCESSLIST") if row[1] == user)

    def kept_thread_of(self, user):
        """The connection id that `user` keeps, asked for when those of its probes are gone."""
        threads = wait_until(lambda: [ids for ids in [self.threads_of(user)] if len(ids) == 1], 10, f"one connection of {user} alone")
        return threads[0][0]

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
        dup.settimeout(PATIENCE)
        while dup.recv(4096):
            pass
    except TimeoutError as e:
        raise TimeOut("the server did not close after COM_QUIT") from e
    except OSError:
        pass
    finally:
        dup.close()
