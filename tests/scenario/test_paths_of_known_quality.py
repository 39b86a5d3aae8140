"""Over a cable between two network namespaces, made slow by tbf and lossy by nftables: the kernel's least round-trip time is the
path's, what was lost is counted as sent again, and the time of a lost SYN is in connect."""

import socket
import statistics
import threading
import time

import pytest

from lib.mariadb import MONITOR, MariaDB
from lib.netns import FAR, Cable, why_not
from lib.process import free_port, wait_until
from lib.round_trips import probe_json

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

DATA = "tcp flags & psh == psh"
SYN = "tcp flags & (syn | ack) == syn"
# Behind the 32 bytes of a TCP header with time stamps and the 4 of a packet's header lies the command: COM_QUIT is 1.
QUIT = "@th,288,8 == 1"
PACKET_MS = 40
DISCARD_PORT = 9


@pytest.fixture(scope="module")
def cabled():
    """The cable, and a server at its far end."""
    with Cable() as cable:
        server = MariaDB([f"--bind-address={FAR}"])
        with cable.far.inside():
            server.__enter__()
        yield cable, server
        server.remove()


@pytest.fixture
def cable(cabled):
    yield cabled[0]
    cabled[0].mend()


@pytest.fixture
def probe(program, cable, cabled):
    where = f"{FAR}:{cabled[1].port}"

    def run(*flags):
        with cable.near.inside():
            probes = probe_json(program, where, *MONITOR, "--timeout=60s", *flags)
        assert all(p["ok"] and p["close"] == "clean" for p in probes), probes
        return probes
    return run


def fill(cable, packets):
    """So much is sent ahead that no packet finds the path rested for a while."""
    with cable.near.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ahead:
        for _ in range(packets):
            ahead.sendto(b"", (FAR, DISCARD_PORT))


def echo_times(cable, count):
    """Round trips of one byte over TCP: the path as another program sees it."""
    with cable.far.inside():
        listener = socket.create_server((FAR, free_port()))

    def echo():
        other, _ = listener.accept()
        other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := other.recv(1):
            other.sendall(data)
        other.close()

    thread = threading.Thread(target=echo, daemon=True)
    thread.start()
    fill(cable, 3)
    with cable.near.inside():
        conversation = socket.create_connection(listener.getsockname())
    conversation.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = []
    for _ in range(count):
        started = time.monotonic()
        conversation.sendall(b"x")
        conversation.recv(1)
        times.append(time.monotonic() - started)
    conversation.close()
    thread.join(5)
    listener.close()
    return times


def agree(measure):
    """What is measured must be what is told: again where the machine did other things meanwhile, within a bound. `measure` returns
    what is wrong, if anything."""
    wrong = []

    def good():
        wrong.append(measure())
        return not wrong[-1]
    wait_until(good, 60, lambda: f"what is told is what is measured: {wrong[-3:]}")


def test_the_least_round_trip_time_is_the_paths(cable, probe, figure):
    cable.one_packet_in(PACKET_MS)

    def measure():
        path = statistics.median(echo_times(cable, 15))
        told = []
        for _ in range(10):
            fill(cable, 20)
            one, = probe("--count=1", "--tls.mode=disabled")
            if one["phase_seconds"]["connect"] * 1000 > PACKET_MS / 2:  # else the program began so late that the path had rested
                told.append(one)
            if len(told) == 3:
                break
        # When a busy machine lets the path rest in the middle of a conversation, a packet passes at once: not in all of them.
        least = max((p["tcp_min_rtt_seconds"] for p in told), default=0)
        ping = statistics.median([p["phase_seconds"]["ping"] for p in told] or [0])
        text = (f"one packet in {PACKET_MS} ms: an echo takes {path * 1000:.1f} ms, tcp_min_rtt is {least * 1000:.1f} ms, "
                f"ping takes {ping * 1000:.1f} ms")
        if 0.8 * PACKET_MS < path * 1000 <= PACKET_MS + 1 and abs(least - path) < 0.1 * path and abs(ping - path) < 0.25 * path:
            figure(text)
            return None
        return text
    agree(measure)


class Losses:
    """What was lost and sent again since this was made."""

    def __init__(self, cable):
        self._cable, self._lost, self._again = cable, cable.lost(), cable.sent_again()

    def are_told(self, told):
        """Whether `told` segments sent again are those that were lost, and no more than were sent again. Returns how many were lost."""
        lost, again = self._cable.lost() - self._lost, self._cable.sent_again() - self._again
        assert lost <= told <= again, (lost, told, again)
        return lost


def test_what_was_lost_is_counted_as_sent_again(cable, probe, figure):
    cable.lose(DATA, one_in=4)
    losses = Losses(cable)
    probes = probe("--count=12", "--interval=10ms", "--tls.mode=disabled")
    again = sum(p["tcp_retransmissions"] for p in probes)
    slow = sum(1 for p in probes for s in p["phase_seconds"].values() if s > 0.15)
    lost = losses.are_told(again)
    figure(f"{lost} segments lost, {again} sent again, {slow} phases took long")
    assert lost > 0


def test_a_lost_quit_is_counted_too(cable, probe):
    cable.lose(f"{DATA} {QUIT}", one_in=2)
    losses = Losses(cable)
    probes = probe("--count=2", "--interval=10ms", "--tls.mode=disabled")
    assert losses.are_told(sum(p["tcp_retransmissions"] for p in probes)) > 0


def test_a_lost_syn_is_in_connect(cable, probe, figure):
    cable.lose(SYN, one_in=2)

    def measure():
        losses = Losses(cable)
        one, = probe("--count=1", "--tls.mode=disabled")
        phases, lost = one["phase_seconds"], losses.are_told(one["tcp_retransmissions"])
        text = f"{lost} SYN lost: connect {phases['connect'] * 1000:.0f} ms, greeting {phases['greeting'] * 1000:.2f} ms"
        if lost == 1 and 0.9 < phases["connect"] < 2 and phases["greeting"] < 0.5:
            figure(text)
            return None
        return text
    agree(measure)
