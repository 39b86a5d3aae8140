"""A child process with its output collected, that never outlives us and is ended by its handle, never by name."""

import contextlib
import ctypes
import os
import pwd
import select
import signal
import socket
import subprocess
import threading
import time

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1

# No wait for an event gives up sooner: a machine with much else to do stops a program for many seconds, and a wait that is not in
# vain takes no longer for it.
PATIENCE = 60


def patience(seconds):
    """How long to wait for what an idle machine does within `seconds`."""
    return max(PATIENCE, 3 * seconds)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def unprivileged_user():
    """The account that servers run under when we are root, as (uid, gid); None when we are not."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


class TimeOut(AssertionError):
    """Something that was waited for did not happen; the text says what."""


def starved(pid, main_thread=False):
    """Seconds in which threads of a process, or its main thread, could have run and were given no CPU. It may have ended, and not been
    waited for."""
    waited = 0
    for task in [str(pid)] if main_thread else os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            waited += int(f.read().split()[1])
    return waited / 1e9


def wait_until(condition, timeout, what, step=0.02):
    """Call `condition` until it returns something true, which is returned. For what gives no event to wait for. `timeout` is what an idle machine
    may need."""
    timeout = patience(timeout)
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeOut(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(step)


def _bindable(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port():
    """A TCP port of 127.0.0.1 for a server that cannot take port 0. It lies below the kernel's ephemeral range, so that no
    outgoing connection sits on it when the server (re)starts."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        top = min(int(f.read().split()[0]), 32768)
    for _ in range(200):
        port = 10000 + int.from_bytes(os.urandom(4), "big") % max(top - 10000, 1)
        if port < top and _bindable(port):
            return port
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    """A running program. `lines` is all that it has written to stderr (and stdout) so far; wait_for_line() waits for more of it."""

    def __init__(self, argv, env=None, user=None, cwd=None, stderr=subprocess.STDOUT):
        self.argv = [str(a) for a in argv]
        extra = {} if user is None else {"user": user[0], "group": user[1], "extra_groups": []}
        # A session of its own: a Ctrl-C in the terminal reaches us alone, and we end the children in order.
        self.popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=stderr, env=env, cwd=cwd, start_new_session=True,
                                      preexec_fn=_die_with_parent, **extra)
        self._lines = []
        self._rest = b""  # of a line
        self._changed = threading.Condition()
        self._closed = False
        os.set_blocking(self.popen.stdout.fileno(), False)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        ready = select.poll()
        ready.register(self.popen.stdout, select.POLLIN)
        while not self._closed:
            ready.poll()
            with self._changed:
                self._take()

    def _take(self):
        """What it has written by now; the lock is held."""
        try:
            while not self._closed:
                data = os.read(self.popen.stdout.fileno(), 65536)
                self._closed = not data
                *whole, self._rest = (self._rest + data).split(b"\n")
                if self._closed and self._rest:
                    whole.append(self._rest)
                self._lines += [raw.decode("utf-8", "backslashreplace") for raw in whole]
                self._changed.notify_all()
        except BlockingIOError:
            pass

    @property
    def lines(self):
        """Whoever has seen a page has also what was logged before it."""
        with self._changed:
            self._take()
            return self._lines

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def output(self):
        return "\n".join(self.lines)

    def wait_for_line(self, wanted, timeout, since=0):
        """The first line from index `since` on for which wanted(line) is true; a text is searched for in the line."""
        test = wanted if callable(wanted) else (lambda line: wanted in line)
        timeout = patience(timeout)
        deadline = time.monotonic() + timeout
        with self._changed:
            index = since
            while True:
                while index < len(self._lines):
                    if test(self._lines[index]):
                        return self._lines[index]
                    index += 1
                left = deadline - time.monotonic()
                if self._closed or left <= 0:
                    why = "the program ended" if self._closed else f"{timeout} s passed"
                    text = "\n".join(self._lines[-40:])
                    name = getattr(wanted, "__name__", wanted)
                    raise TimeOut(f"{why} without the line wanted ({name}); the last lines:\n{text}")
                self._changed.wait(left)

    def signal(self, number):
        if self.running():
            self.popen.send_signal(number)

    def wait(self, timeout):
        """The exit status (negative: the signal); all that it has written is in `lines` then."""
        return self.popen.wait(patience(timeout))

    def end(self, timeout=10):
        """SIGTERM, after `timeout` SIGKILL; returns the exit status. May be called again."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait(10)
