"""The error log of a real server is followed: each client that behaves badly is counted by reason and user and told in our log
with its connection; rotations and truncations lose no line and double none."""

import os
import time
from datetime import datetime

import pytest

from lib import clients
from lib.exporter import target
from lib.mariadb import APP, MONITOR, MariaDB

SLOW = {"poll": {"interval": "60s"}, "probe": {"interval": "60s"}}
ABORTS = "mysqlconn_error_log_aborts_total"
READ_ERROR = "Got an error reading communication packets"


@pytest.fixture(scope="module")
def watched():
    with MariaDB(["--log-warnings=4"]) as running:
        running.execute("CREATE DATABASE shop")
        running.execute(f"GRANT ALL ON shop.* TO '{APP[0]}'@'%'")
        yield running


def test_each_bad_client_is_counted_by_reason_and_user(exporter, watched):
    watching = exporter({**SLOW, "targets": [target(watched, error_log={"file": watched.error_log})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
    before = watched.status("Aborted_clients", "Aborted_connects")
    gone = clients.leave_without_quit(watched, count=3, database="shop")
    clients.connect_and_leave(watched, count=2)
    clients.wrong_password(watched, count=4)
    idle = clients.idle_past_wait_timeout(watched, database="shop")
    killed = clients.killed(watched)
    watched.wait_status("Aborted_clients", before["Aborted_clients"] + 5)
    after = watched.status("Aborted_clients", "Aborted_connects")
    assert after["Aborted_clients"] - before["Aborted_clients"] == 5
    assert after["Aborted_connects"] - before["Aborted_connects"] == 6

    wanted = {(READ_ERROR, "app"): 3, ("Got timeout reading communication packets", "app"): 1, ("KILLED", "app"): 1,
              ("This connection closed normally without authentication", "unauthenticated"): 2}

    def counted(m):
        return {(l["reason"], l["user"]): v for l, v in m.samples(ABORTS)}

    metrics = watching.wait_for(lambda m: counted(m) == wanted
                                and m.sum("mysqlconn_error_log_access_denied_total", user="app") == 4, 10,
                                lambda: f"the aborts are counted: {counted(watching.scrape())}")
    assert metrics.value("mysqlconn_error_log_events_total", kind="aborted") == 7
    told = {int(line["connection_id"]): line for line in watching.log(msg="connection aborted")}
    assert told[idle]["reason"] == "Got timeout reading communication packets"
    assert told[killed]["reason"] == "KILLED"
    line = next(told[i] for i in gone if i in told)  # repeats within a minute are suppressed
    assert (line["target"], line["user"], line["db"], line["host"]) == ("db1", "app", "shop", "127.0.0.1")
    assert watching.log(msg="access denied", target="db1", user="app")


def test_what_was_there_before_is_read_only_if_asked(exporter, tmp_path):
    log = tmp_path / "error.log"
    log.write_text(line_of(1) + line_of(2))
    watching = exporter({**SLOW, "targets": [
        target("127.0.0.1:1", "end", error_log={"file": str(log)}),
        target("127.0.0.1:1", "beginning", error_log={"file": str(log), "start": "beginning"})]})
    watching.wait_for(lambda m: m.sum(ABORTS, target="beginning") == 2, 10)
    with log.open("a") as f:
        f.write(line_of(3))
    metrics = watching.wait_for(lambda m: m.sum(ABORTS, target="end") == 1 and m.sum(ABORTS, target="beginning") == 3, 10)
    assert metrics.value("mysqlconn_error_log_lines_total", target="end") == 1


def line_of(number, user="app"):
    """An abort line as MariaDB 10.11 writes it."""
    return (f"2026-11-21  1:51:{number % 60:02} {number} [Warning] Aborted connection {number} to db: 'shop' user: '{user}' "
            f"host: '127.0.0.1' ({READ_ERROR})\n")


def test_ten_thousand_lines_over_rotations_are_counted_exactly(exporter, tmp_path, figure):
    """The writer behaves as a server under `mv` + FLUSH ERROR LOGS: without a pause it goes on writing into the renamed file
    for a while, then opens the name anew, in the middle of a burst. Its writes end in the middle of lines, its files do not."""
    lines, rotations, chunk = 10000, 8, 1777
    log = tmp_path / "error.log"
    log.write_text("")
    watching = exporter({**SLOW, "targets": [target("127.0.0.1:1", error_log={"file": str(log)})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)

    data = "".join(line_of(i) for i in range(lines)).encode()
    chunks = [data[at:at + chunk] for at in range(0, len(data), chunk)]
    rename_at = {len(chunks) * (i + 1) // (rotations + 1) for i in range(rotations)}
    reopen_at = {at + 5 for at in rename_at}
    done = 0
    output = open(log, "ab", buffering=0)
    for number, piece in enumerate(chunks):
        if number in rename_at:
            # Who rotates twice while we cannot look once takes lines away: rotate when the last one was seen, at the earliest.
            watching.wait_for(lambda m, n=done: m.value("mysqlconn_error_log_rotations_total") == n, 10)
            os.rename(log, tmp_path / f"error.log.{done}")
            done += 1
        if number in reopen_at:
            end = piece.index(b"\n") + 1
            output.write(piece[:end])
            output.close()
            output = open(log, "ab", buffering=0)
            piece = piece[end:]
        output.write(piece)
    output.close()
    watching.wait_for(lambda m: m.sum(ABORTS) >= lines, 20, lambda: f"all lines: {watching.scrape().sum(ABORTS):.0f}")
    # One line more, which is counted once all before it were.
    with log.open("a") as f:
        f.write(line_of(1, "last"))
    metrics = watching.wait_for(lambda m: m.sum(ABORTS, user="last") == 1, 10)
    assert metrics.sum(ABORTS, user="app") == lines
    assert metrics.value("mysqlconn_error_log_lines_total") == lines + 1
    assert metrics.value("mysqlconn_error_log_cut_lines_total") == 0
    figure(f"{metrics.sum(ABORTS, user='app'):.0f} of {lines} lines counted over "
           f"{metrics.value('mysqlconn_error_log_rotations_total'):.0f} rotations")


def test_real_server_reopens_its_log(exporter, watched, tmp_path):
    watching = exporter({**SLOW, "targets": [target(watched, error_log={"file": watched.error_log})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
    for rotation in range(3):
        clients.leave_without_quit(watched, count=2)
        os.rename(watched.error_log, f"{watched.error_log}.{rotation}")
        clients.leave_without_quit(watched, count=2)
        watched.execute("FLUSH ERROR LOGS")
        clients.leave_without_quit(watched, count=1)
    metrics = watching.wait_for(lambda m: m.sum(ABORTS, user="app") >= 15, 15, lambda: watching.scrape().sum(ABORTS))
    assert metrics.sum(ABORTS, user="app") == 15
    assert metrics.value("mysqlconn_error_log_rotations_total") >= 1


def test_missing_file_truncation_and_partial_lines(exporter, tmp_path):
    log = tmp_path / "logs" / "error.log"
    watching = exporter({**SLOW, "targets": [target("127.0.0.1:1", error_log={"file": str(log)})]})
    assert watching.scrape().value("mysqlconn_error_log_readable") == 0
    watching.wait_for_log(10, msg="error log cannot be read", target="db1")
    log.parent.mkdir()
    whole = line_of(1)
    with log.open("a") as f:
        f.write(whole[:50])
        f.flush()
        watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 20, "it appears")
        assert watching.scrape().sum(ABORTS) == 0
        f.write(whole[50:] + line_of(2))
        f.flush()
        watching.wait_for(lambda m: m.sum(ABORTS) == 2, 10, "the line is whole")
    os.truncate(log, 0)
    with log.open("a") as f:
        f.write(line_of(3))
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) == 3, 10, "the line after a truncation")
    assert metrics.value("mysqlconn_error_log_truncations_total") == 1


def test_user_names_are_bounded_and_hostile_ones_do_no_harm(exporter, tmp_path):
    log = tmp_path / "error.log"
    log.write_text("")
    watching = exporter({**SLOW, "limits": {"users_per_target": 5},
                         "targets": [target("127.0.0.1:1", error_log={"file": str(log)})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
    hostile = ['a"b\\c', "x{y}", "'quote'", "ünï ✓"]
    with log.open("ab") as f:
        f.write("".join(line_of(i, user) for i, user in enumerate(hostile)).encode())
        f.write(line_of(9, "bad").encode().replace(b"bad", b"\xff\xfe\x01"))
        f.write("".join(line_of(i, f"user{i}") for i in range(1000)).encode())
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) == len(hostile) + 1001, 10)
    users = {l["user"] for l, _ in metrics.samples(ABORTS)}
    assert set(hostile) <= users and "other" in users
    assert len(users) <= 6, users
    assert metrics.value("mysqlconn_error_log_folded_total") == 1000


def test_time_of_a_line_without_a_zone_is_by_the_servers_clock(exporter, monkeypatch, tmp_path):
    """From the first line on: of what was there before us, of what comes later, and after a restart without the server."""
    monkeypatch.setenv("TZ", "XXX+03:30")  # three and a half hours behind UTC, and not ours
    with MariaDB(["--default-time-zone=+09:00"]) as server:  # of sessions, not of the log
        monkeypatch.delenv("TZ")
        clients.leave_without_quit(server)
        watching = exporter({"targets": [target(server, poll={"interval": "1h"}, probe={"interval": "1h"},
                                                error_log={"file": server.error_log, "start": "beginning"})]},
                            [f"--storage.path={tmp_path / 'state'}"])

        def told_of(user):
            said = watching.wait_for_log(10, msg="connection aborted", user=user)
            seconds = datetime.fromisoformat(said["time"].replace("Z", "+00:00")).timestamp()
            assert abs(seconds - time.time()) < 60, said

        told_of("app")
        clients.leave_without_quit(server, *MONITOR)
        told_of(MONITOR[0])
        watching.stop()
        clients.leave_without_quit(server)
        server.stop()
        watching.start()
        told_of("app")

