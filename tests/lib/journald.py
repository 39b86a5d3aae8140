"""Debian's own systemd-journald, run privately: in a mount namespace with a /run and a /var/log of its own, so that it and what
runs in there have the machine's journal to themselves. It reads no kernel messages and leaves the kernel's auditing alone.

    @pytest.mark.skipif(bool(why_not()), reason=why_not())
    with Journald(tmp_path) as journald, JournalMariaDB(journald) as server:
        ...  journald.inside(argv): the command that runs argv in there
"""

import contextlib
import functools
import os
import signal
import socket
import subprocess
import tempfile

from .mariadb import MariaDB
from .process import Process, wait_until

GROUP = 60123  # stands for systemd-journal, whose number is another on each machine
_PROGRAM = "/lib/systemd/systemd-journald"
_FOLDERS = ("/run/log/journal", "/var/log/journal")
_SETTINGS = """[Journal]
Storage=persistent
Audit=
ReadKMsg=no
ForwardToSyslog=no
ForwardToWall=no
RateLimitIntervalSec=0
"""
# As systemd and systemd-tmpfiles leave it. What comes before a flush is kept in /run, as it is while a machine boots.
_BEGIN = """
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mount --bind /dev/null /dev/kmsg
mount --bind "$1" /etc/machine-id
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d
cp "$2" /run/systemd/journald.conf.d/test.conf
for folder in /run/log/journal /var/log/journal; do
    mkdir -p "$folder/$(cat "$1")"
    chgrp -R "$3" "$folder"
    chmod -R 2750 "$folder"
done
"""


def _files(folder):
    machine, settings = os.path.join(folder, "machine-id"), os.path.join(folder, "journald.conf")
    with open(machine, "w", encoding="ascii") as f:
        f.write(os.urandom(16).hex() + "\n")
    with open(settings, "w", encoding="ascii") as f:
        f.write(_SETTINGS)
    return [machine, settings, str(GROUP)]


def _private(folder, then):
    return ["unshare", "--mount", "--propagation", "private", "sh", "-euc", _BEGIN + then, "sh", *_files(str(folder))]


@functools.cache
def why_not():
    """Why this cannot be had here; "" where it can."""
    if os.geteuid() != 0:
        return "a private journal needs root"
    if not os.access(_PROGRAM, os.X_OK):
        return "systemd-journald is not installed"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(_private(folder, ""), capture_output=True, text=True, check=False, timeout=60)
    return f"no mount namespace can be made here: {done.stderr.strip()[:100]}" if done.returncode != 0 else ""


class Journald:
    def __init__(self, folder):
        self.process = Process(_private(folder, f"exec {_PROGRAM}"), env={**os.environ, "SYSTEMD_LOG_TARGET": "null"})

    def __enter__(self):
        try:
            wait_until(self._listens, 20, lambda: f"systemd-journald takes streams; it said: {self.process.output()}")
        except BaseException:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_):
        self.process.end()

    def _listens(self):
        if not self.process.running():
            raise AssertionError(f"systemd-journald ended:\n{self.process.output()}")
        with contextlib.suppress(OSError):
            self.stream("test").close()
            return True
        return False

    def inside(self, argv):
        return ["nsenter", f"--mount=/proc/{self.process.pid}/ns/mnt", "--", *argv]

    def stream(self, identifier, unit=""):
        """What systemd makes of a service's standard error: each line written to this socket is an entry. journald accepts a stream first
        and asks for its writers then; SO_PASSCRED on this end has the kernel name them in between, too."""
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        try:
            stream.connect(f"/proc/{self.process.pid}/root/run/systemd/journal/stdout")
        except OSError:
            stream.close()
            raise
        stream.sendall(f"{identifier}\n{unit}\n6\n1\n0\n0\n0\n".encode())
        return stream

    def write(self, *lines, identifier="mariadbd", unit="mariadb.service"):
        """Entries of a service. Its unit is what journald takes the process for that writes: a process of its own."""
        with self.stream(identifier, unit) as stream:
            subprocess.run(["cat"], input="".join(line + "\n" for line in lines).encode(), stdout=stream, check=True, timeout=60)

    def wait_stored(self, line, unit):
        """Until what was written is in the journal: journald may have it and not have looked at it yet."""
        ask = self.inside(["journalctl", "--no-pager", "--output=cat", f"_SYSTEMD_UNIT={unit}"])
        wait_until(lambda: line in subprocess.run(ask, capture_output=True, text=True, check=False, timeout=60).stdout, 20, line)

    def files(self, *folders):
        """Names of the journal's files, archived ones too."""
        return sorted(name for folder in folders or _FOLDERS for _, _, names in os.walk(f"/proc/{self.process.pid}/root{folder}")
                      for name in names if name.endswith(".journal"))

    def rotate(self):
        """What is written from now on is in another file."""
        before = self.files()
        self.process.signal(signal.SIGUSR2)
        wait_until(lambda: self.files() != before, 20, "the journal is rotated")

    def flush(self):
        """From /run to /var/log, as at the end of a machine's boot."""
        self.process.signal(signal.SIGUSR1)
        wait_until(lambda: self.files(_FOLDERS[1]) and not self.files(_FOLDERS[0]), 20, "the journal is flushed to /var/log")

    def relinquish(self):
        """Back to /run, until the next flush."""
        done = subprocess.run(self.inside(["journalctl", "--relinquish-var"]), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr

    def vacuum(self):
        """Delete all archived files."""
        done = subprocess.run(self.inside(["journalctl", "--vacuum-files=1"]), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr


class Unit:
    """A control group by the name of a systemd unit, of which a process is said to be; use it in a `with`."""

    def __init__(self, name):
        self.slice = os.path.join(_unified(), f"mysqlconn-test-{os.getpid()}.slice")
        self.folder = os.path.join(self.slice, name)

    def __enter__(self):
        os.makedirs(self.folder)
        return self

    def __exit__(self, *_):
        with open(os.path.join(self.folder, "cgroup.procs"), encoding="ascii") as f:
            for pid in f.read().split():
                _put(pid, _unified())
        for folder in self.folder, self.slice:
            os.rmdir(folder)

    def take(self, pid):
        _put(pid, self.folder)


def _put(pid, group):
    with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as f:
        f.write(str(pid))


def _unified():
    """Where the unified control groups are; None where they are not."""
    with open("/proc/mounts", encoding="utf-8") as f:
        return next((fields[1] for fields in map(str.split, f) if fields[2] == "cgroup2"), None)


@functools.cache
def why_no_unit():
    """Why no process can be made to look like a unit's here; "" where it can."""
    if _unified() is None:
        return "no unified control groups here"
    try:
        with Unit("try.service"):
            return ""
    except OSError as e:
        return f"no control group can be made here: {e}"


class JournalMariaDB(MariaDB):
    """Its standard error, and so its error log, goes to the journal, as with Debian's service."""

    def __init__(self, journald, unit="mariadb.service", **more):
        super().__init__(**more)
        self.journald = journald
        self.unit = unit

    def _run(self, argv):
        with self.journald.stream("mariadbd", self.unit) as stream:
            return Process([a for a in argv if not a.startswith("--log-error=")], user=self.user, cwd=self.folder, stderr=stream)
