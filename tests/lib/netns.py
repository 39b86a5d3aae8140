"""Two network namespaces of the test's own with a cable between them, which can be made slow and can lose what it carries.

    @pytest.mark.skipif(bool(why_not()), reason=why_not())
    with Cable() as cable:
        with cable.far.inside():        # sockets and programs that begin in here live there
            ...  on FAR
        with cable.near.inside():
            ...

They have no names and leave no trace: they end with the last program and socket in them. Nothing in them reaches any other network."""

import contextlib
import ctypes
import functools
import json
import os
import select
import shutil
import socket
import subprocess
import threading

NEAR, FAR = "192.0.2.1", "192.0.2.2"  # of the range that is kept for examples
NEAR_TOO = "192.0.2.3"
_CLONE_NEWNET = 0x40000000
_CLONE_NEWNS = 0x00020000
_MAC = {NEAR: "02:00:00:00:00:01", FAR: "02:00:00:00:00:02"}
_SBIN = ":/usr/sbin:/sbin"
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _run(*argv):
    """Its output; CalledProcessError when it fails."""
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
                          env={**os.environ, "PATH": os.environ.get("PATH", "") + _SBIN}).stdout


class Namespace:
    def __init__(self):
        with _back_again():
            _checked(_libc.unshare(_CLONE_NEWNET))
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            _run("ip", "link", "set", "lo", "up")

    @contextlib.contextmanager
    def inside(self):
        """This thread and what it starts are in the namespace. Fails where they would not be."""
        with _back_again():
            _checked(_libc.setns(self.fd, _CLONE_NEWNET))
            yield

    def run(self, *argv):
        with self.inside():
            return _run(*argv)

    def close(self):
        os.close(self.fd)


@contextlib.contextmanager
def _back_again():
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _checked(_libc.setns(here, _CLONE_NEWNET))
        os.close(here)


class NoNames:
    """What this machine asks for names answers in the namespace, too: there is none of that name, and no address has one. So
    programs in there are told at once, and nothing leaves it."""

    def __init__(self, namespace):
        with open("/etc/resolv.conf", encoding="utf-8") as f:
            servers = {words[1] for words in map(str.split, f) if len(words) > 1 and words[0] == "nameserver"} or {"127.0.0.1"}
        self._sockets = []
        for server in servers:
            family = socket.AF_INET6 if ":" in server else socket.AF_INET
            if not server.startswith("127.") and server != "::1":
                namespace.run("ip", "address", "add", server, "dev", "lo")
            with namespace.inside():
                self._sockets.append(socket.socket(family, socket.SOCK_DGRAM))
            self._sockets[-1].bind((server, 53))
        self._woken, self._end = os.pipe()
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self):
        while self._woken not in (ready := select.select([self._woken, *self._sockets], [], [])[0]):
            for s in ready:
                question, who = s.recvfrom(4096)
                end = question.index(b"\0", 12) + 5  # of the one question: a name, its type and class
                s.sendto(question[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + question[12:end], who)

    def close(self):
        os.close(self._end)
        self._thread.join()
        os.close(self._woken)
        for s in self._sockets:
            s.close()


@contextlib.contextmanager
def names(table, folder):
    """Programs that are started in here know these names, {address: name}, as from /etc/hosts. `folder` is for a file."""
    path, folder_before = os.path.join(folder, "hosts"), os.getcwd()
    with open(path, "w", encoding="ascii") as f:
        f.writelines(f"{address} {name}\n" for address, name in table.items())
    os.chmod(path, 0o644)
    here = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.unshare(_CLONE_NEWNS))
        _run("mount", "--make-rprivate", "/")
        _run("mount", "--bind", path, "/etc/hosts")
        yield
    finally:
        _checked(_libc.setns(here, _CLONE_NEWNS))
        os.close(here)
        os.chdir(folder_before)


class Cable:
    """near ===== far, of no length to speak of."""

    def __init__(self):
        self.near, self.far = Namespace(), Namespace()
        self.near.run("ip", "link", "add", "cable", "address", _MAC[NEAR], "type", "veth",
                      "peer", "name", "cable", "address", _MAC[FAR], "netns", f"/proc/{os.getpid()}/fd/{self.far.fd}")
        for namespace, own, other in ((self.near, NEAR, FAR), (self.far, FAR, NEAR)):
            # Nothing is on it but what the test sends: no search for neighbours, no IPv6.
            namespace.run("ip", "link", "set", "cable", "addrgenmode", "none", "up")
            namespace.run("ip", "address", "add", f"{own}/24", "dev", "cable")
            namespace.run("ip", "neighbour", "replace", other, "lladdr", _MAC[other], "nud", "permanent", "dev", "cable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.near.close()
        self.far.close()

    def add_address(self, address):
        """Another one on the near side."""
        self.near.run("ip", "address", "add", f"{address}/24", "dev", "cable")
        self.far.run("ip", "neighbour", "replace", address, "lladdr", _MAC[NEAR], "nud", "permanent", "dev", "cable")

    def mend(self):
        """As it was at first."""
        self.near.run("ip", "link", "set", "cable", "down")  # drops what waits
        self.near.run("tc", "qdisc", "replace", "dev", "cable", "root", "pfifo")
        self.near.run("ip", "link", "set", "cable", "up")
        self.near.run("ip", "neighbour", "replace", FAR, "lladdr", _MAC[FAR], "nud", "permanent", "dev", "cable")
        self.far.run("nft", "flush ruleset")

    def one_packet_in(self, milliseconds):
        """What near sends leaves one packet at a time, each as long after the one before, of whatever size it is. A packet after a
        pause is not delayed: tbf saves up for one."""
        size = 1500
        self.near.run("tc", "qdisc", "replace", "dev", "cable", "root", "stab", "overhead", "0", "mpu", str(size), "tbf", "rate",
                      f"{size * 8 * 1000 // milliseconds}bit", "burst", str(size + 8), "limit", str(size * 100))

    def lose(self, match, one_in):
        """Of the packets from near that `match` (nftables) one in so many is lost on the way, the first of them to begin with."""
        self.far.run("nft", f"""
            table ip path {{
                counter lost {{ }}
                chain arriving {{
                    type filter hook prerouting priority 0;
                    {match} numgen inc mod {one_in} 0 counter name lost drop
                }}
            }}""")

    def lost(self):
        """How many were."""
        listed = json.loads(self.far.run("nft", "-j", "list", "counter", "ip", "path", "lost"))
        return sum(item["counter"]["packets"] for item in listed["nftables"] if "counter" in item)

    def sent_again(self):
        """How many segments near has sent again, needlessly or not (a busy machine can be so late that TCP takes it for a loss)."""
        names, values = (line.split() for line in self.near.run("cat", "/proc/net/snmp").splitlines() if line.startswith("Tcp:"))
        return int(dict(zip(names, values))["RetransSegs"])


@functools.cache
def why_not():
    """Why this cannot be had here; "" where it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in ("ip", "tc", "nft") if not shutil.which(tool, path=os.environ.get("PATH", "") + _SBIN)]
    if missing:
        return f"not installed: {' '.join(missing)}"
    try:
        with Cable() as cable:
            cable.one_packet_in(milliseconds=1)
            cable.lose("tcp flags syn", 1)
    except OSError as e:
        return f"no network namespace can be made here: {e}"
    except subprocess.CalledProcessError as e:
        return f"this kernel or container refuses '{' '.join(e.cmd)[:60]}': {e.stderr.strip()[:100]}"
    return ""
