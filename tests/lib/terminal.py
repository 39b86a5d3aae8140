"""A program with a terminal of its own."""

import os
import pty
import select
import signal
import termios
import time

from .process import PATIENCE


class Terminal:
    """argv, run in a pseudo terminal; `text` grows with what it shows there."""

    def __init__(self, argv, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGQUIT):  # which a shell lets its background jobs ignore
                signal.signal(number, signal.SIG_DFL)
            os.execve(argv[0], argv, env)
        self.text = ""

    def read_until(self, wanted, timeout=PATIENCE):
        """Read until `wanted` (None: the end) has come."""
        deadline = time.monotonic() + timeout
        while wanted is None or wanted not in self.text:
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{wanted!r} did not come: {self.text!r}"
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # the other end is closed
                data = b""
            if not data:
                assert wanted is None, f"ended without {wanted!r}: {self.text!r}"
                return self.text
            self.text += data.decode("utf-8", "backslashreplace")
        return self.text

    def read_some(self):
        """What is there already, if anything."""
        while select.select([self.fd], [], [], 0)[0]:
            self.text += os.read(self.fd, 65536).decode("utf-8", "backslashreplace")

    def type(self, text):
        os.write(self.fd, text.encode())

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def wait(self):
        """As subprocess does: the exit status, negative the signal."""
        self.read_until(None)
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
