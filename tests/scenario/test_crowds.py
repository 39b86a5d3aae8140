"""100,000 sessions, and 10,000 aborts from 5,000 hosts within a minute: memory and labels stay within their bounds, and no step of the
loop is long. No real server here holds so many connections: a scripted one tells of them."""

import struct
import time

from fake import liar
from lib.exporter import target
from lib.process import wait_until

SESSIONS, ABORTS, HOSTS, USERS = 100_000, 10_000, 5_000, 500
BOUNDS = {"users_per_target": 100, "clients_per_target": 100, "hosts_per_target": 100, "events_per_target": 200,
          "sessions_per_target": 10_000}


def _row(values):
    return b"".join(bytes([len(v)]) + v for v in values)


PROCESS_LIST = [_row([str(1000 + i).encode(), b"user%d" % (i % USERS), b"10.%d.%d.%d:%d" % (i >> 16, i >> 8 & 255, i & 255, 1024 + i % 60000),
                      b"shop", b"Sleep" if i % 4 else b"Query", b"%d" % (i % 3000), b"", b"", b"0.000"]) for i in range(SESSIONS)]
COLUMNS = ["Id", "User", "Host", "db", "Command", "Time", "State", "Info", "Progress"]


async def crowd(peer):
    """As an honest server, with all these in its process list."""
    await peer.log_in()
    while True:
        command = await peer.receive()
        if command[0] == liar.COM_QUIT:
            return
        if b"SHOW PROCESSLIST" not in command.upper():
            await peer.answer(command)
            continue
        peer.heard.append(time.monotonic())
        await peer.columns(COLUMNS)
        data = bytearray()
        for row in PROCESS_LIST:
            data += struct.pack("<I", len(row))[:3] + bytes([peer.sequence & 255]) + row
            peer.sequence += 1
        await peer.send_raw(bytes(data))
        await peer.send(b"\xfe\x00\x00\x02\x00")


def abort_line(i):
    return (f"2026-11-21 12:00:00 {i + 10} [Warning] Aborted connection {i + 10} to db: 'shop' user: 'user{i % USERS}' "
            f"host: '10.9.{i % HOSTS // 250}.{i % 250}' (Got an error reading communication packets)\n")


def test_within_its_bounds(exporter, tmp_path, figure, sanitized):
    log = tmp_path / "error.log"
    log.write_text("")
    with liar.Liar(crowd) as server:
        watching = exporter({"poll": {"interval": "2s", "timeout": "2s"}, "sessions": {"interval": "2s"}, "limits": BOUNDS,
                             "targets": [target(server.address, "db1", error_log={"file": str(log)})]})
        watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1 and m.value("mysqlconn_polls_total") >= 2, 20)
        before = watching.scrape().value("process_resident_memory_bytes")
        began = time.monotonic()
        with open(log, "a", encoding="utf-8") as f:
            for i in range(ABORTS):
                f.write(abort_line(i))
                if i % 100 == 99:
                    f.flush()
                    wait_until(lambda i=i: time.monotonic() - began >= i * 30 / ABORTS, 60, "its moment", step=0.01)
        metrics = watching.wait_for(lambda m: sum(v for _, v in m.samples("mysqlconn_client_aborts_total")) == ABORTS
                                    and sum(v for _, v in m.samples("mysqlconn_sessions_by_user")) == SESSIONS, 60)
        took = time.monotonic() - began
    series = {name: len(metrics.samples(name)) for name in metrics.names()}
    assert series["mysqlconn_client_aborts_total"] <= BOUNDS["clients_per_target"] + 10
    assert series["mysqlconn_sessions_by_user"] <= BOUNDS["users_per_target"] + 1
    assert series["mysqlconn_error_log_aborts_total"] <= BOUNDS["users_per_target"] + 10
    assert metrics.value("mysqlconn_sessions_remembered") <= BOUNDS["sessions_per_target"]
    assert len(watching.get("/api/v1/events?limit=1000").split('"id":')) - 1 <= BOUNDS["events_per_target"]
    grown = (metrics.value("process_resident_memory_bytes") - before) / 2**20
    longest = metrics.value("mysqlconn_exporter_loop_longest_step_seconds") * 1000
    figure(f"{SESSIONS} sessions seen {len(server.heard)} times, {ABORTS} aborts from {HOSTS} hosts in {took:.0f} s: memory +{grown:.1f} MB, "
           f"longest step of the loop {longest:.1f} ms, {sum(series.values())} series")
    if not sanitized:
        assert grown < 12 and longest < 10
