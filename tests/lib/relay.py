"""A TCP relay that is a path of known quality: what goes in on one side comes out on the other a set time later, in order, the
beginning and the end of a connection included. It can stall, and cut what it carries. Times hold to about a millisecond.

    with Relay(server.port, delay=0.020) as relay:      # a round trip takes 40 ms
        ...  relay.address

Only the client's TCP connect ends at the relay and takes no time: the connection to the server is begun when the client's SYN
would have arrived there.
"""

import asyncio
import collections
import contextlib
import select
import socket
import struct
import sys
import threading

from .process import PATIENCE, TimeOut, patience

_BACKLOG = 1024
# How long a thread that computes (the parsing of a scrape does) may keep the relay's thread waiting. By default it is 5 ms, at
# each turn: a path of 40 ms became one of 47.
_SWITCH_SECONDS = 0.0002


class _Side(asyncio.Protocol):
    """One of a connection's two sockets: hands what happens on it to the way that leads from it to the other side."""

    def __init__(self, way, begun=None):
        self.way = way
        self.transport = None
        self.lost = False
        self._begun = begun  # called when it is there
        self._fin_in = self._fin_out = False

    # What happens on the socket.
    def connection_made(self, transport):
        self.transport = transport
        # asyncio does this for some sockets only. Without it what is sent in small parts arrives 40 ms late (Nagle, delayed ACK).
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._begun is not None:
            self._begun()

    def data_received(self, data):
        self.way.put(lambda far: far.send(data))

    def eof_received(self):
        self._fin_in = True
        self.way.put(_Side.finish)
        self._close_if_done()
        return True  # the other direction stays open

    def connection_lost(self, exc):
        self.lost = True
        if exc is not None:
            self.way.put(_Side.reset)
        self.way.connection.over_if_lost()

    # What the far side does to it.
    def send(self, data):
        """Not to who has reset it: a write that fails would let asyncio forget what came before the RST, and is not read yet."""
        state = select.poll()
        state.register(self.transport.get_extra_info("socket"), select.POLLIN)
        if not any(events & (select.POLLERR | select.POLLHUP) for _, events in state.poll(0)):
            self.transport.write(data)

    def finish(self):
        """FIN."""
        self._fin_out = True
        with contextlib.suppress(OSError):  # the other end is gone already: connection_lost() is under way
            self.transport.write_eof()
        self._close_if_done()

    def reset(self):
        """RST."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _close_if_done(self):
        if self._fin_in and self._fin_out:
            self.transport.close()


class _Way:
    """One direction of a connection: what is under way, with the time when it is due at the far side."""

    def __init__(self, connection):
        self.connection = connection
        self.relay = connection.relay
        self.under_way = collections.deque()
        self.to = None  # the far side, once it is connected
        self._timer = None

    def put(self, action):
        self.under_way.append((self.relay.loop.time() + self.relay.delay, action))
        self.deliver()

    def deliver(self):
        """Do what is due, and come back for the rest."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self.under_way and self.to is not None and not self.relay.stalled:
            due, action = self.under_way[0]
            if due > self.relay.loop.time():
                self._timer = self.relay.loop.call_at(due, self.deliver)
                return
            self.under_way.popleft()
            if not self.to.lost:
                action(self.to)


class _Connection:
    def __init__(self, relay):
        self.relay = relay
        self.up, self.down = _Way(self), _Way(self)
        self.client, self.server = _Side(self.up, self.begin), _Side(self.down)
        self.down.to = self.client

    def begin(self):
        """The client is there, and its SYN sets off. (Not earlier: a connection that is accepted while the relay ends never gets
        this far, and the server must not hear of it.)"""
        self.relay.connection_begun(self)
        self.up.to = _Syn(self)
        self.up.put(_Syn.arrive)

    async def open(self):
        """The SYN has arrived at the server, which is sent what follows it from now on."""
        try:
            await self.relay.loop.create_connection(lambda: self.server, "127.0.0.1", self.relay.server_port)
        except OSError:
            self.server.lost = True
            self.down.put(_Side.reset)
        self.up.to = self.server
        self.up.deliver()
        self.over_if_lost()

    def sides(self):
        return [s for s in (self.client, self.server) if s.transport is not None and not s.lost]

    def over_if_lost(self):
        if self.client.lost and self.server.lost:
            self.relay.connection_over(self)


class _Syn:
    """Stands for the server's side until there is one."""
    lost = False

    def __init__(self, connection):
        self._connection = connection

    def arrive(self):
        connection = self._connection
        connection.up.to = None  # what follows waits for the connection
        connection.opening = connection.relay.loop.create_task(connection.open())


class Relay:
    """Runs in a thread of its own; use it in a `with`. `connections` counts what came, `open` what is there now."""

    def __init__(self, server_port, delay=0.0):
        self.server_port = server_port
        self.delay = delay  # of each direction, in seconds; may be set at any time, for what comes from then on
        self.stalled = False
        self.connections = 0
        self._alive = set()
        self._listener = None
        self._changed = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self.port = self._socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        listening = self.loop.create_server(lambda: _Connection(self).client, sock=self._socket, backlog=_BACKLOG)
        self._listener = self.loop.run_until_complete(listening)
        self.loop.run_forever()
        self._listener.close()
        for connection in list(self._alive):
            for side in connection.sides():
                side.transport.abort()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.close()

    def connection_begun(self, connection):
        self.connections += 1
        self._alive.add(connection)

    def connection_over(self, connection):
        with self._changed:
            self._alive.discard(connection)
            self._changed.notify_all()

    # --- from other threads -------------------------------------------------------------------------------------------
    @property
    def open(self):
        """Connections whose end has not reached both sides yet."""
        return len(self._alive)

    def _call(self, function):
        async def call():
            for _ in range(2):  # turns of the loop, in which what has arrived is taken first, however late this thread is
                await asyncio.sleep(0)
            return function()
        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(PATIENCE)

    def stall(self):
        """Nothing passes any more in either direction, and nothing is lost."""
        def stall():
            self.stalled = True
        self._call(stall)

    def flow(self):
        """The end of stall(): what was held back arrives now."""
        def flow():
            self.stalled = False
            for connection in list(self._alive):
                connection.up.deliver()
                connection.down.deliver()
        self._call(flow)

    def cut(self, how="rst"):
        """End all connections towards both sides, at once, by "fin" or "rst". Returns how many there were."""
        def cut():
            count = len(self._alive)
            for connection in list(self._alive):
                for side in connection.sides():
                    if how == "fin":
                        side.transport.close()
                    else:
                        side.reset()
            return count
        return self._call(cut)

    def refuse(self):
        """Further connections are refused; those that are there live on."""
        async def refuse():
            # Not closed: asyncio would leave those that it has accepted and not begun hanging for ever.
            self.loop.remove_reader(self._socket)
            self._socket.shutdown(socket.SHUT_RDWR)
            for _ in range(3):  # turns of the loop, in which they begin
                await asyncio.sleep(0)
        asyncio.run_coroutine_threadsafe(refuse(), self.loop).result(PATIENCE)

    def wait_drained(self, leaving=0, timeout=15):
        """Return when all connections but `leaving` have ended on both sides: what the client did has arrived, and the server has
        closed."""
        timeout = patience(timeout)
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._alive) <= leaving, timeout):
                raise TimeOut(f"{len(self._alive)} connections are still open on the relay after {timeout} s, not {leaving}")
