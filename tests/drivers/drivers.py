"""The drivers: how their clients are had and started, and what each of them can do.

A client (in clients/) is told ACT HOST PORT USER PASSWORD DATABASE. It connects, sets its wait_timeout (1 s for the act "idle"), prints
its connection's id, waits for a line, and then ends as it was told. For "killed" and "idle" it waits for ever."""

import glob
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
# The versions of reports, and the newest when this was written.
MYSQL2 = ("2.3.3", "3.11.0", "3.11.3", "3.24.5")
BASIC = ("close", "forget", "killed", "idle")


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "mysqlconn_exporter", "drivers")


def client(name):
    return os.path.join(HERE, "clients", name)


def _run(*argv, **environment):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
                          env={**os.environ, **environment})
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


@dataclass
class Driver:
    name: str
    argv: list
    acts: tuple = BASIC
    env: dict = None
    announces: tuple = None  # (driver, version), "" where it does not tell the version; None: it tells nothing


def node(version):
    """mysql2 of that version, installed with npm into the cache."""
    folder = os.path.join(cache(), f"mysql2-{version}")
    if not os.path.isdir(folder):
        os.makedirs(cache(), exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache()) as new:
            _run("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", new, f"mysql2@{version}")
            os.chmod(new, 0o755)
            os.rename(new, folder)
            os.mkdir(new)  # for its end
    return Driver(f"mysql2 {version}", ["node", client("client.js")],
                  ("end", "close", "destroy", "close_queued", "forget", "killed", "idle"),
                  {"MYSQL2": os.path.join(folder, "node_modules", "mysql2")},
                  None if version.startswith("2.") else ("Node-MySQL-2", version))


def go(folder):
    program = os.path.join(folder, "client-go")
    _run("go", "build", "-o", program, client("client.go"), GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="",
         GOCACHE=os.path.join(cache(), "go-build"))
    return Driver("go-sql-driver", [program], (*BASIC, "rows_open"))


def libmariadb_version():
    return "libmariadb", _run("pkg-config", "--modversion", "libmariadb").strip()


def package_version(name):
    """The upstream part of a Debian package's."""
    return _run("dpkg-query", "-W", "-f", "${Version}", name).split("-")[0]


def libmariadb(folder):
    program = os.path.join(folder, "client-c")
    flags = _run("pkg-config", "--cflags", "--libs", "libmariadb").split()
    _run("gcc", "-o", program, client("client.c"), *flags)
    return Driver("libmariadb", [program], announces=libmariadb_version())


def java(folder):
    _run("javac", "-d", folder, client("Client.java"))
    jar, = glob.glob("/usr/share/java/mariadb-java-client.jar")
    return Driver("MariaDB Connector/J", ["java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", f"{folder}:{jar}", "Client"],
                  (*BASIC, "abort"), announces=("MariaDB Connector/J", package_version("libmariadb-java")))


def php(_folder):
    return Driver("PHP mysqlnd", ["php", client("client.php")], (*BASIC, "persistent"), announces=("mysqlnd", ""))


def perl(name):
    return Driver(f"Perl DBD::{name}", ["perl", client("client.pl")], env={"DRIVER": name}, announces=libmariadb_version())


def python(name):
    announces = ("pymysql", package_version("python3-pymysql")) if name == "pymysql" else libmariadb_version()
    return Driver(name, ["/usr/bin/python3", client("client.py")], env={"DRIVER": name}, announces=announces)


def every_driver(folder):
    """Those that are to be had here. What is made for it goes into the folder."""
    assert shutil.which("npm"), "npm is not installed (tests/lib/install-packages npm)"
    return [*(node(version) for version in MYSQL2), go(folder), python("pymysql"), python("MySQLdb"), libmariadb(folder), php(folder),
            perl("mysql"), perl("MariaDB"), java(folder)]
