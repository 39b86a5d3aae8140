"""A scripted server that speaks just enough of the MySQL protocol to lie in it.

    with Liar(reset_after_greeting) as liar:
        ...  liar.address

A script is an async function of one Peer, run for each connection; when it returns the connection is closed (FIN).
"""

import asyncio
import errno
import re
import socket
import struct
import threading

OK = b"\x00\x00\x00\x02\x00\x00\x00"
COM_QUIT, COM_QUERY, COM_PING = 1, 3, 14

_LONG_PASSWORD, _CONNECT_WITH_DB, _PROTOCOL_41, _SSL, _TRANSACTIONS, _SECURE, _PLUGIN_AUTH = (
    1, 8, 0x200, 0x800, 0x2000, 0x8000, 0x80000)


class Gone(Exception):
    """The other side left."""


def _read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


def _text(value):
    data = str(value).encode()
    return bytes([len(data)]) + data


class Peer:
    """One connection. Packets have their header made here; `sequence` may be set to lie."""

    def __init__(self, reader, writer, heard=None):
        self.reader = reader
        self.writer = writer
        self.sequence = 0
        self.connection_id = 7
        self.heard = [] if heard is None else heard  # what scripts keep of what the other side said

    async def send_raw(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def send(self, payload):
        header = struct.pack("<I", len(payload))[:3] + bytes([self.sequence & 255])
        self.sequence += 1
        await self.send_raw(header + payload)

    async def receive(self):
        """The next packet's payload; Gone when there is none."""
        try:
            header = await self.reader.readexactly(4)
            payload = await self.reader.readexactly(int.from_bytes(header[:3], "little"))
        except (asyncio.IncompleteReadError, ConnectionError) as e:
            raise Gone from e
        self.sequence = header[3] + 1
        return payload

    async def receive_tls_record(self):
        try:
            header = await self.reader.readexactly(5)
            await self.reader.readexactly(int.from_bytes(header[3:], "big"))
        except (asyncio.IncompleteReadError, ConnectionError) as e:
            raise Gone from e

    def reset(self):
        """RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def until_gone(self):
        """Say nothing until the other side leaves."""
        try:
            while await self.reader.read(4096):
                pass
        except ConnectionError:
            pass

    async def taken(self):
        """The other side, on this machine and over IPv4, has read all that it was sent."""
        here, there = ("0100007F:%04X" % self.writer.get_extra_info(name)[1] for name in ("sockname", "peername"))
        ends = re.compile(f"(?:{here} {there}|{there} {here}) \\w\\w (?!00000000:00000000)")
        while ends.search(_read("/proc/net/tcp")):
            await asyncio.sleep(0.02)

    def cork(self):
        """What is sent from now on leaves with the end of the connection, in one segment with it."""
        self.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)

    # --- honest parts -------------------------------------------------------------------------------------------------
    async def greet(self, tls=False):
        capabilities = (_LONG_PASSWORD | _CONNECT_WITH_DB | _PROTOCOL_41 | _TRANSACTIONS | _SECURE | _PLUGIN_AUTH |
                        (_SSL if tls else 0))
        salt = b"abcdefghijklmnopqrst"
        await self.send(b"\x0a5.5.5-10.11.0-MariaDB-liar\x00" + struct.pack("<I", self.connection_id) + salt[:8] + b"\x00" +
                        struct.pack("<HBHH", capabilities & 0xFFFF, 45, 2, capabilities >> 16) +
                        bytes([len(salt) + 1]) + bytes(10) + salt[8:] + b"\x00" + b"mysql_native_password\x00")

    async def log_in(self):
        """Greeting to OK, whatever the password."""
        await self.greet()
        await self.receive()
        await self.send(OK)

    async def error(self, code, text, state="HY000"):
        await self.send(b"\xff" + struct.pack("<H", code) + b"#" + state.encode() + text.encode())

    async def columns(self, names):
        """The head of a result set of text columns."""
        await self.send(bytes([len(names)]))
        for name in names:
            await self.send(_text("def") + _text("") * 3 + _text(name) * 2 + b"\x0c" +
                            struct.pack("<HIBHB", 45, 1024, 253, 0, 0) + b"\x00\x00")
        await self.send(b"\xfe\x00\x00\x02\x00")

    async def rows(self, names, rows):
        """A result set of text columns."""
        await self.columns(names)
        for row in rows:
            await self.send(b"".join(_text(v) for v in row))
        await self.send(b"\xfe\x00\x00\x02\x00")

    async def answer(self, command):
        """What an honest server says to `command`; the caller ends the connection at COM_QUIT."""
        if command[0] == COM_PING:
            await self.send(OK)
        elif command[0] != COM_QUERY:
            await self.error(1047, "Unknown command")
        elif b"STATUS" in command.upper():
            await self.rows(["Variable_name", "Value"], [("Uptime", 1000), ("Threads_connected", 1),
                                                         ("Aborted_clients", 0), ("Aborted_connects", 0)])
        elif b"VARIABLES" in command.upper():
            await self.rows(["Variable_name", "Value"], [("version", "10.11.0-MariaDB-liar"), ("wait_timeout", 28800)])
        elif command[1:].lstrip().upper().startswith(b"SELECT"):
            await self.rows(["1"], [("1",)])
        else:
            await self.send(OK)

    async def serve(self):
        """Answer honestly until COM_QUIT, which is not answered yet when this returns."""
        while True:
            command = await self.receive()
            if command[:1] == bytes([COM_QUIT]):
                return
            await self.answer(command)


# --- scripts ----------------------------------------------------------------------------------------------------------
async def honest(peer):
    await peer.log_in()
    await peer.serve()


async def never_speaks(peer):
    await peer.until_gone()


async def closes_at_once(_peer):
    pass


async def resets_after_greeting(peer):
    await peer.greet()
    await peer.receive()
    peer.reset()


async def speaks_ssh(peer):
    await peer.send_raw(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
    await peer.until_gone()


async def greets_with_garbage(peer):
    await peer.send(b"\x0a" + b"\xff" * 20)
    await peer.until_gone()


async def too_many_connections(peer):
    await peer.error(1040, "Too many connections", "08004")


async def hangs_after_login_packet(peer):
    await peer.greet()
    await peer.until_gone()


async def hangs_in_tls(peer):
    await peer.greet(tls=True)
    await peer.until_gone()


async def hangs_at_ping(peer):
    await peer.log_in()
    await peer.until_gone()


def hangs_at(text):
    """Answers all but the query that holds `text`, and keeps that."""
    async def script(peer):
        await peer.log_in()
        while True:
            command = await peer.receive()
            if text in command:
                peer.heard.append(command)
                await peer.until_gone()
                return
            if command[0] == COM_QUIT:
                return
            await peer.answer(command)
    return script


async def endless_row(peer):
    """Announces a row of 16 MB in the answer to a query and sends little of it."""
    await peer.log_in()
    while True:
        command = await peer.receive()
        if command[0] != COM_QUERY:
            await peer.answer(command)
            continue
        await peer.send(b"\x01")
        await peer.send_raw(b"\xff\xff\xff\x02" + b"x" * 100)
        await peer.until_gone()
        return


async def resets_after_quit(peer):
    await honest(peer)
    peer.reset()


def while_idle(data, how="closes"):
    """Sends `data` when its client begins to hold the connection, and ends it, or stays."""
    async def script(peer):
        await peer.log_in()
        while not (command := await peer.receive()).endswith(b"SELECT @@SESSION.wait_timeout"):
            if command[0] == COM_QUIT:
                return
            await peer.answer(command)
        await peer.rows(["wait_timeout"], [(28800,)])
        await peer.taken()  # what comes with the answer would be part of it
        await peer.send_raw(data)
        if how == "resets":
            peer.reset()
        elif how == "stays":
            await peer.until_gone()
    return script


async def speaks_after_quit(peer):
    """As MySQL does at an idle timeout: an error that nobody asked for, with sequence number 0."""
    await honest(peer)
    peer.sequence = 0
    await peer.error(4031, "The client was disconnected by the server because of inactivity.")


async def stays_after_quit(peer):
    await honest(peer)
    await peer.until_gone()
    await asyncio.sleep(30)


# wrong sequence numbers, by phase
async def misnumbers_greeting(peer):
    peer.sequence = 3
    await peer.greet()
    await peer.until_gone()


async def misnumbers_login(peer):
    await peer.greet()
    await peer.receive()
    peer.sequence = 5
    await peer.send(OK)
    await peer.serve()


def misnumbers(command):
    """Answers `command` with the right packets, three numbers too high."""
    async def script(peer):
        await peer.log_in()
        while True:
            got = await peer.receive()
            if got[0] == command:
                peer.sequence += 3
            if got[0] == COM_QUIT:
                return
            await peer.answer(got)
    return script


async def repeats_ping_answer(peer):
    """A second OK that nobody asked for, in the same segment as the first."""
    await peer.log_in()
    while True:
        got = await peer.receive()
        if got[0] == COM_PING:
            await peer.send_raw(b"\x07\0\0\x01" + OK + b"\x07\0\0\x02" + OK)
            continue
        if got[0] == COM_QUIT:
            return
        await peer.answer(got)


# greetings
async def truncates_greeting(peer):
    await peer.send_raw(b"\x50\x00\x00\x00\x0a5.5.5-10.11")


async def claims_a_greeting_of_16_mb(peer):
    await peer.send_raw(b"\xff\xff\xff\x00\x0a10.11")
    while True:
        await peer.send_raw(b"x")
        await asyncio.sleep(0.05)


async def greets_endlessly(peer):
    """A version text without an end, in packets that follow each other properly."""
    await peer.send_raw(b"\xff\xff\xff\x00\x0a")
    while True:
        await peer.send_raw(b"x" * 65536)


async def drips_greeting(peer):
    """One byte a second."""
    for byte in b"\x50\x00\x00\x00\x0a5.5.5-10.11.0-MariaDB":
        await peer.send_raw(bytes([byte]))
        await asyncio.sleep(1)


# the login
def switches_to(plugin, data=b"abcdefghijklmnopqrst\x00", then=None):
    async def script(peer):
        await peer.greet()
        peer.heard.append(await peer.receive())
        await peer.send(b"\xfe" + plugin + b"\x00" + data)
        while True:
            peer.heard.append(await peer.receive())
            if then:
                await peer.send(then)
    return script


switches_to_clear_password = switches_to(b"mysql_clear_password", b"")
# Both then hand the password to whoever names a key.
switches_to_sha256_password = switches_to(b"sha256_password", then=b"\x01-----BEGIN PUBLIC KEY-----\n")
asks_for_the_password_itself = switches_to(b"caching_sha2_password", then=b"\x01\x04")
switches_to_dialog = switches_to(b"dialog", b"\x04Password: ")


async def switches_for_ever(peer):
    await peer.greet()
    while True:
        await peer.receive()
        await peer.send(b"\xfemysql_native_password\x00abcdefghijklmnopqrst\x00")


async def answers_login_with_nonsense(peer):
    """An OK packet whose lengths lead far beyond its end."""
    await peer.greet()
    await peer.receive()
    await peer.send(b"\x00\xfe\xff\xff")
    await peer.until_gone()


# results
async def asks_for_a_file(peer):
    await peer.log_in()
    while True:
        got = await peer.receive()
        if got[0] == COM_QUERY:
            await peer.send(b"\xfb/etc/passwd")
            peer.heard.append(await peer.receive())
            await peer.send(OK)
        elif got[0] == COM_QUIT:
            return
        else:
            await peer.answer(got)


async def answers_endlessly(peer):
    """Proper rows, as fast as they are taken, without an end."""
    await peer.log_in()
    while True:
        got = await peer.receive()
        if got[0] != COM_QUERY:
            await peer.answer(got)
            continue
        await peer.send(b"\x01")
        await peer.send(b"\x03def\0\0\0\x011\x011\x0c" + struct.pack("<HIBHB", 45, 1024, 253, 0, 0) + b"\0\0")
        await peer.send(b"\xfe\x00\x00\x02\x00")
        row = b"\xfc\x00\x10" + b"x" * 4096
        while True:
            await peer.send(row)


# ends, at each place
def ends_at(place, how):
    """A server that is honest up to `place` and then ends the connection by `how`: "closes" or "resets"."""
    async def script(peer):
        if place != "greeting":
            await peer.greet(tls=place == "tls")
            await peer.receive()
        if place == "tls":  # a ClientHello that was not read would make a reset of each end
            await peer.receive_tls_record()
        if place in ("ping", "query"):
            await peer.send(OK)
            wanted = {"ping": COM_PING, "query": COM_QUERY}[place]
            while (got := await peer.receive())[0] != wanted:
                await peer.answer(got)
        if how == "resets":
            peer.reset()
    return script


async def closes_before_quit(peer):
    """Answers all and closes with its last answer."""
    await peer.log_in()
    while True:
        got = await peer.receive()
        if got[0] == COM_QUERY:
            peer.cork()
        await peer.answer(got)
        if got[0] == COM_QUERY:
            return


def leaves_every_other_time(text, query, names, rows):
    """Answers `query` with rows, and every second time that it is asked what holds `text` it closes instead."""
    async def script(peer):
        await peer.log_in()
        while (command := await peer.receive())[0] != COM_QUIT:
            if text in command:
                peer.heard.append(command)
                if len(peer.heard) % 2 == 0:
                    return
            if command[1:].startswith(query):
                await peer.rows(names, rows)
            else:
                await peer.answer(command)
    return script


def lives_of(*lives):
    """Each is the status variables of one server, and may have a connection_id; where something more has been `heard` the next one
    answers, on new connections."""
    async def script(peer):
        life = len(peer.heard)
        peer.connection_id = lives[life].get("connection_id", peer.connection_id)
        await peer.log_in()
        while (command := await peer.receive())[0] != COM_QUIT and life == len(peer.heard):
            if b"STATUS" in command.upper():
                await peer.rows(["Variable_name", "Value"], lives[life].items())
            else:
                await peer.answer(command)
    return script


async def drips_after_quit(peer):
    """An error packet, byte by byte, after COM_QUIT."""
    await honest(peer)
    for byte in b"\x0a\x00\x00\x00\xff\xb8\x05#08S01!":
        await peer.send_raw(bytes([byte]))
        await asyncio.sleep(0.01)


async def says_nonsense_after_quit(peer):
    await honest(peer)
    await peer.send_raw(b"good-bye, and thank you")


class Liar:
    """Runs `script` for each connection, in a thread of its own; use it in a `with`. connections counts them."""

    def __init__(self, script):
        self._script = script
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(64)
        self.port = self._socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.connections = 0
        self.heard = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._handle, sock=self._socket))
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _handle(self, reader, writer):
        self.connections += 1
        try:
            await self._script(Peer(reader, writer, self.heard))
        except (Gone, ConnectionError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
            return
        writer.close()


class Refuses:
    """An address where nothing listens, and nothing will while this is held: the port is bound and not listened to."""

    def __init__(self):
        self._socket = socket.socket()

    def __enter__(self):
        self._socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self._socket.close()


class BlackHole:
    """An address whose SYNs go unanswered: a listener whose backlog is full and who accepts nobody."""

    def __init__(self, host="127.0.0.1", port=0):
        self._where = (host, port)
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(self._family)
        self._waiting = []

    def __enter__(self):
        self._socket.bind(self._where)
        self._socket.listen(0)
        self.address = "%s:%d" % self._socket.getsockname()[:2]
        for _ in range(16):
            filler = socket.socket(self._family)
            filler.setblocking(False)
            self._waiting.append(filler)
            if filler.connect_ex(self._socket.getsockname()) not in (0, errno.EINPROGRESS):
                raise OSError("cannot fill the backlog")
        # Only when a further one is left waiting is the queue full.
        with socket.socket(self._family) as probe:
            probe.settimeout(0.3)
            try:
                probe.connect(self._socket.getsockname())
            except TimeoutError:
                return self
        raise OSError("the backlog takes more than 16 connections")

    def __exit__(self, *_):
        for filler in self._waiting:
            filler.close()
        self._socket.close()
