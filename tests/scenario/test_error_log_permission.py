"""The exporter, as a user like any other, loses the right to read its log and is given it back: it says so both times, and every
line is counted once."""

import os

import pytest

from lib import unprivileged
from lib.exporter import target

pytestmark = pytest.mark.skipif(bool(unprivileged.why_not()), reason=unprivileged.why_not())
SLOW = {"poll": {"interval": "1h", "timeout": "1s"}, "probe": {"interval": "1h", "timeout": "1s"}}
ABORTS = "mysqlconn_error_log_aborts_total"


def append(log, first, last, mode=0o644):
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, mode), "a", encoding="ascii") as f:
        for number in range(first, last + 1):
            f.write(f"2026-11-21  1:51:00 {number} [Warning] Aborted connection {number} to db: 'shop' user: 'app' host: '127.0.0.1' "
                    f"(Got an error reading communication packets)\n")


@pytest.fixture
def folder(open_folder):
    (open_folder / "logs").mkdir(mode=0o755)
    return open_folder / "logs"


@pytest.fixture
def watching(exporter, program, folder, open_folder):
    state = open_folder / "state"
    state.mkdir()
    os.chown(state, unprivileged.USER, unprivileged.USER)
    append(folder / "error.log", 1, 0)
    running = exporter({**SLOW, "targets": [target("127.0.0.1:1", error_log={"file": str(folder / "error.log")})]},
                       [f"--storage.path={state}"], program=unprivileged.wrap(program, open_folder))
    reads(running, 0)
    return running


def reads(watching, aborts):
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1 and m.sum(ABORTS) >= aborts, 20)
    assert metrics.value("mysqlconn_error_log_gaps_total") == 0
    assert metrics.sum(ABORTS) == metrics.value("mysqlconn_error_log_lines_total") == aborts
    assert not metrics.samples("mysqlconn_error_log_unreadable_info")


def may_not_read(watching, since):
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_error_log_unreadable_info", reason="permission") == 1, 20)
    assert metrics.value("mysqlconn_error_log_readable") == 0
    watching.wait_for_log(10, since, msg="error log cannot be read", target="db1", reason="permission")


def test_the_next_file_may_not_be_read_at_first(watching, folder):
    log, old = folder / "error.log", folder / "error.log.1"
    append(log, 1, 2)
    reads(watching, 2)
    since = len(watching.process.lines)
    os.rename(log, old)
    append(old, 3, 4)
    append(log, 5, 6, mode=0o600)
    may_not_read(watching, since)
    append(log, 7, 8)
    os.chmod(log, 0o644)
    reads(watching, 8)


def test_the_folder_is_closed_and_opened(watching, folder):
    log = folder / "error.log"
    since = len(watching.process.lines)
    append(log, 1, 2)
    os.chmod(folder, 0o700)
    may_not_read(watching, since)
    append(log, 3, 4)
    os.rename(log, folder / "error.log.1")
    append(log, 5, 6)
    os.chmod(folder, 0o755)
    reads(watching, 6)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_it_was_lost_while_we_were_away(watching, folder, what):
    log = folder / "error.log"
    append(log, 1, 2)
    reads(watching, 2)
    watching.stop()
    append(log, 3, 4)
    path, mode = (log, 0o644) if what == "file" else (folder, 0o755)
    os.chmod(path, 0)
    watching.start()
    may_not_read(watching, 0)
    assert watching.scrape().sum(ABORTS) == 2
    watching.stop()  # what is kept is the place of before
    watching.start()
    may_not_read(watching, 0)
    append(log, 5, 6)
    os.chmod(path, mode)
    reads(watching, 6)


def test_a_folder_that_may_be_entered_and_not_read_hides_what_came_between(watching, folder):
    log = folder / "error.log"
    os.chmod(folder, 0o711)
    append(log, 1, 1)
    watching.wait_for(lambda m: m.sum(ABORTS) == 1 and m.value("mysqlconn_error_log_watched") == 0, 20)
    os.rename(log, folder / "error.log.2")
    append(log, 2, 2)
    os.rename(log, folder / "error.log.1")
    append(log, 3, 3)
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_error_log_rotations_total") >= 1 and m.sum(ABORTS) >= 2, 20)
    assert metrics.value("mysqlconn_error_log_gaps_total") >= 1
