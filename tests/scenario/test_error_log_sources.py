"""The other ways to an error log: the journal, and what the server itself says (`auto`)."""

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from lib import clients, unprivileged
from lib.exporter import target
from lib.mariadb import MariaDB

SLOW = {"poll": {"interval": "1h", "timeout": "1s"}, "probe": {"interval": "1h", "timeout": "1s"}}
ABORTS = "mysqlconn_error_log_aborts_total"
NOBODY = "127.0.0.1:1"
REMOTE = "/lib/systemd/systemd-journal-remote"


class Journal:
    """A journal file of our own, written as journald would, in pieces of the export format."""

    def __init__(self, folder):
        if not os.access(REMOTE, os.X_OK):
            pytest.skip("systemd-journal-remote is not installed")
        self.folder = folder
        folder.mkdir()
        self.seconds = int(time.time())
        self.count = 0

    def entry(self, message, unit="mariadb.service", identifier="mariadbd", field=b"MESSAGE"):
        self.count += 1
        stamp = self.seconds * 1000000 + self.count
        raw = message.encode()
        body = (field + b"\n" + len(raw).to_bytes(8, "little") + raw) if b"\n" in raw else field + b"=" + raw
        return (f"__CURSOR=s=00000000000000000000000000000001;i={self.count:x}\n__REALTIME_TIMESTAMP={stamp}\n"
                f"__MONOTONIC_TIMESTAMP={self.count}\n_BOOT_ID=00000000000000000000000000000002\n"
                f"_SYSTEMD_UNIT={unit}\nSYSLOG_IDENTIFIER={identifier}\nPRIORITY=4\n").encode() + body + b"\n\n"

    def write(self, *entries, file="test.journal"):
        done = subprocess.run([REMOTE, "-o", self.folder / file, "-"], input=b"".join(entries), check=False,
                              capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr


def abort(number, user="app"):
    return (f"2026-11-21  1:51:{number % 60:02} {number} [Warning] Aborted connection {number} to db: 'shop' user: '{user}' "
            f"host: '127.0.0.1' (Got an error reading communication packets)")


def journald(journal, **more):
    return {**SLOW, "targets": [target(NOBODY, error_log={"journal": str(journal.folder), **more})]}


def test_journal_is_read_by_unit_and_its_cursor_kept(exporter, tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.write(journal.entry(abort(1)))
    watching = exporter(journald(journal, unit="mariadb"), [f"--storage.path={tmp_path / 'state'}"])
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
    journal.write(journal.entry(abort(2)), journal.entry(abort(3), unit="other.service"), journal.entry("no abort\nin two lines"))
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_lines_total") == 2, 20)
    watching.stop()
    journal.write(journal.entry(abort(4)), journal.entry(abort(5)))
    watching.start()
    watching.wait_for(lambda m: m.sum(ABORTS) == 3, 20)
    watching.process.kill()
    journal.write(journal.entry(abort(6)))
    watching.start()
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) == 4, 20)
    assert metrics.value("mysqlconn_error_log_gaps_total") == 0
    assert metrics.value("mysqlconn_error_log_source_info", source="journald", path="mariadb") == 1


def test_journal_from_the_beginning_by_identifier_and_a_cursor_that_is_gone(exporter, tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.write(journal.entry(abort(1)), journal.entry(abort(2), identifier="sshd"))
    watching = exporter(journald(journal, identifier="mariadbd", start="beginning"), [f"--storage.path={tmp_path / 'state'}"])
    watching.wait_for(lambda m: m.sum(ABORTS) == 1, 20)
    watching.stop()
    os.unlink(journal.folder / "test.journal")  # vacuumed
    journal.write(journal.entry(abort(3)))
    watching.start()
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) == 2, 20)
    assert metrics.value("mysqlconn_error_log_gaps_total") == 1


def test_journal_that_lost_its_end_while_we_were_away_is_not_read_again(exporter, tmp_path):
    """The machine fell: what we had read was not on the disk yet, our state was."""
    journal = Journal(tmp_path / "journal")
    file, before = journal.folder / "test.journal", tmp_path / "before"
    journal.write(journal.entry(abort(1)), journal.entry(abort(2)))
    watching = exporter(journald(journal, unit="mariadb", start="beginning"), [f"--storage.path={tmp_path / 'state'}"])
    watching.wait_for(lambda m: m.sum(ABORTS) == 2, 20)
    shutil.copyfile(file, before)
    journal.write(journal.entry(abort(3)))
    watching.wait_for(lambda m: m.sum(ABORTS) == 3, 20)
    watching.stop()
    os.replace(before, file)
    watching.start()
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_gaps_total") == 1, 20)
    journal.count += 1
    journal.write(journal.entry(abort(5)))
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) >= 4, 20)
    assert metrics.sum(ABORTS) == metrics.value("mysqlconn_error_log_lines_total") == 4


def test_what_is_held_back_when_we_are_killed_is_counted_once(exporter, tmp_path):
    journal = Journal(tmp_path / "journal")
    lines = [abort(1), "2026-11-21  1:51:02 2 [Warning] Access denied for user 'eve'@'localhost' (using password: NO)"]
    silent = journal.entry("an entry without a message", field=b"NOTE")
    journal.write(*(journal.entry(line) for line in lines), silent, silent)
    watching = exporter(journald(journal, unit="mariadb", start="beginning"), [f"--storage.path={tmp_path / 'state'}"])
    watching.wait_for(lambda m: m.value("mysqlconn_exporter_state_writes_total") >= 2, 20)  # at the start, and when it was readable
    watching.process.kill()
    watching.start()
    metrics = watching.wait_for(lambda m: m.sum("mysqlconn_error_log_access_denied_total", user="eve") == 1, 20)
    assert metrics.sum(ABORTS) == 1
    assert metrics.value("mysqlconn_error_log_lines_total") == 2
    assert metrics.value("mysqlconn_error_log_read_bytes_total") == sum(map(len, lines))


N_ENTRIES = 152  # where a journal file has the number of its entries (systemd's journal-def.h)


def raise_number_of_entries(file, by):
    """As while journald writes an entry: it is counted first and can be found only then."""
    with open(file, "r+b") as f:
        f.seek(N_ENTRIES)
        number = int.from_bytes(f.read(8), "little")
        f.seek(N_ENTRIES)
        f.write((number + by).to_bytes(8, "little"))


def test_journals_entry_that_was_counted_and_not_there_yet_is_read(exporter, tmp_path):
    journal, other = Journal(tmp_path / "journal"), "other.journal"
    journal.write(journal.entry(abort(1)))
    watching = exporter(journald(journal, unit="mariadb", start="beginning"), [f"--storage.path={tmp_path / 'state'}"])
    watching.wait_for(lambda m: m.sum(ABORTS) == 1, 20)
    raise_number_of_entries(journal.folder / "test.journal", 1)
    journal.write(journal.entry(abort(2)), file=other)
    watching.wait_for(lambda m: m.sum(ABORTS) == 2, 20)  # and it has looked into both files
    watching.process.signal(signal.SIGSTOP)
    raise_number_of_entries(journal.folder / "test.journal", -1)
    journal.write(journal.entry(abort(3)))
    watching.process.signal(signal.SIGCONT)
    watching.wait_for(lambda m: m.sum(ABORTS) == 3, 20)
    watching.stop()
    watching.start()
    journal.write(journal.entry(abort(4)))
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) >= 4, 20)
    assert metrics.sum(ABORTS) == metrics.value("mysqlconn_error_log_lines_total") == 4


def test_place_in_the_journal_is_kept_where_its_entry_is_vacuumed_before_we_stop(exporter, tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.write(journal.entry(abort(1)))
    config = journald(journal, unit="mariadb")
    config["targets"].append(target("127.0.0.1:2", "db2", error_log={"journal": str(journal.folder), "unit": "sshd"}))
    watching = exporter(config, [f"--storage.path={tmp_path / 'state'}"])
    watching.wait_for(lambda m: m.sum("mysqlconn_error_log_readable") == 2, 20)
    journal.write(journal.entry(abort(2)))
    watching.wait_for(lambda m: m.sum(ABORTS) == 1, 20)
    os.unlink(journal.folder / "test.journal")
    journal.write(journal.entry("of another unit", unit="sshd.service"))
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_lines_total", target="db2") == 1, 20)
    watching.stop()
    journal.write(journal.entry(abort(3)))
    watching.start()
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) == 2, 20)
    assert metrics.value("mysqlconn_error_log_gaps_total", target="db1") == 1


def test_journals_first_entry_that_came_while_we_were_away_is_counted(exporter, tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.write(journal.entry(abort(1), unit="other.service"))
    watching = exporter(journald(journal, unit="mariadb"), [f"--storage.path={tmp_path / 'state'}"])
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 20)
    watching.stop()
    journal.write(journal.entry(abort(2)))
    watching.start()
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) == 1, 20)
    assert metrics.value("mysqlconn_error_log_gaps_total") == 0


@pytest.mark.skipif(bool(unprivileged.why_not()), reason=unprivileged.why_not())
def test_journal_that_may_not_be_read_is_said(exporter, program, open_folder):
    journal = Journal(open_folder / "journal")
    journal.write(journal.entry(abort(1)))
    os.chmod(journal.folder / "test.journal", 0o600)
    watching = exporter(journald(journal, unit="mariadb"), program=unprivileged.wrap(program, open_folder))
    said = watching.wait_for_log(10, msg="error log cannot be read", target="db1")
    assert said["reason"] == "permission"
    metrics = watching.scrape()
    assert metrics.value("mysqlconn_error_log_readable") == 0
    assert metrics.value("mysqlconn_error_log_unreadable_info", reason="permission") == 1


def test_auto_finds_the_file_of_a_server_here(exporter, tmp_path):
    fast = {"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "1h", "timeout": "1s"}}
    with MariaDB() as server:
        watching = exporter({**fast, "targets": [target(server, error_log={"source": "auto"})]},
                            [f"--storage.path={tmp_path / 'state'}"])
        watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
        metrics = watching.scrape()
        assert metrics.value("mysqlconn_error_log_source_info", source="file", path=str(server.error_log)) == 1
        assert metrics.value("mysqlconn_error_log_level_sufficient") == 1
        clients.leave_without_quit(server, count=2)
        watching.wait_for(lambda m: m.sum(ABORTS) == 2, 10)
        server.execute("SET GLOBAL log_warnings = 1")
        watching.wait_for(lambda m: m.value("mysqlconn_error_log_level_sufficient") == 0, 10)
        # The file is known from the last time, so it is read also while the server is away.
        watching.stop()
        clients.leave_without_quit(server, count=1)
        server.stop()
        watching.start()
        metrics = watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
        assert metrics.sum(ABORTS) >= 2


def test_auto_says_that_a_server_is_not_here(exporter, program, server, tmp_path):
    """The server calls its machine by another name than we: its paths are not ours."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a host name of its own")
    assert socket.gethostname() != "elsewhere"
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f"#!/bin/sh\nexec unshare --uts sh -c 'hostname elsewhere && exec \"$@\"' sh {program} \"$@\"\n")
    wrapper.chmod(0o755)
    fast = {"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "1h", "timeout": "1s"}}
    watching = exporter({**fast, "targets": [target(server, error_log={"source": "auto"})]}, program=str(wrapper))
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_error_log_unreadable_info", reason="not_here") == 1, 10)
    assert metrics.value("mysqlconn_error_log_readable") == 0
    assert metrics.value("mysqlconn_error_log_source_info", source="auto") == 1
