"""A MariaDB whose error log goes to a systemd-journald that runs: each abort is counted once, whatever happens to us and to the
journal."""

import os
import time

import pytest

from lib import clients, journald, unprivileged
from lib.exporter import target
from lib.journald import JournalMariaDB, Journald, Unit
from scenario.test_error_log_is_kept_over_restarts import WAITS_FOR_LOGS, kept

pytestmark = pytest.mark.skipif(bool(journald.why_not()), reason=journald.why_not())
FAST = {"poll": {"interval": "500ms", "timeout": "500ms"}, "probe": {"interval": "1h", "timeout": "1s"}}
SLOW = {"poll": {"interval": "1h", "timeout": "1s"}, "probe": {"interval": "1h", "timeout": "1s"}}
ABORTS = "mysqlconn_error_log_aborts_total"
NOBODY = "127.0.0.1:1"


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    with Journald(tmp_path_factory.mktemp("journald")) as running:
        yield running


@pytest.fixture(scope="module")
def server(journal):
    """Its pid file is in a folder that is open, and closed itself, as with Debian's service."""
    with unprivileged.OpenFolder() as folder:
        maria = JournalMariaDB(journal, options=[f"--pid-file={folder}/server.pid"])
        os.chown(folder, *maria.user)
        maria.pid_file = f"{folder}/server.pid"
        with maria as running:
            yield running


@pytest.fixture
def watch(journal, exporter, program, tmp_path, open_folder):
    """Starts an exporter that sees this journal; with `groups` as a user who is in no others."""
    def start(config, groups=None):
        if groups is not None:
            return exporter(config, program=unprivileged.wrap(program, open_folder, groups, journal.inside([])))
        wrapper = tmp_path / "wrapper"
        wrapper.write_text(f"#!/bin/sh\nexec {' '.join(journal.inside([program]))} \"$@\"\n")
        wrapper.chmod(0o755)
        return exporter(config, [f"--storage.path={tmp_path / 'state'}"], program=str(wrapper))
    return start


def abort(number, user="app"):
    return (f"2026-11-21  1:51:{number % 60:02} {number} [Warning] Aborted connection {number} to db: 'shop' user: '{user}' "
            f"host: '127.0.0.1' (Got an error reading communication packets)")


def counts(watching, aborts):
    """That it comes to count so many, and never more: what was read twice would come with what is read next."""
    metrics = watching.wait_for(lambda m: m.sum(ABORTS, user="app") >= aborts, 20, f"{aborts} aborts")
    assert metrics.sum(ABORTS, user="app") == aborts
    assert metrics.value("mysqlconn_error_log_gaps_total") == 0
    return metrics


def test_each_abort_is_counted_once_over_stops_kills_rotations_and_the_flush(journal, server, watch):
    watching = watch({**FAST, "targets": [target(server, error_log={"unit": "mariadb"})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 20)
    assert watching.log(msg="error log is readable", source="journald", name="mariadb")
    clients.leave_without_quit(server, count=2)
    counts(watching, 2)
    journal.flush()
    clients.leave_without_quit(server, count=3)
    counts(watching, 5)
    journal.rotate()
    clients.leave_without_quit(server, count=1)
    counts(watching, 6)
    watching.stop()
    clients.leave_without_quit(server, count=2)
    journal.rotate()
    clients.leave_without_quit(server, count=1)
    watching.start()
    counts(watching, 9)
    clients.leave_without_quit(server, count=1)
    counts(watching, 10)
    watching.process.kill()
    clients.leave_without_quit(server, count=1)
    watching.start()
    counts(watching, 11)
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) == 12, 20, "and our own connection, when we were killed")
    assert metrics.value("mysqlconn_error_log_source_info", source="journald", path="mariadb") == 1


def test_thousands_of_lines_are_counted_once_while_the_journal_is_rotated_and_we_are_killed(journal, watch, figure):
    watching = watch({**SLOW, "targets": [target(NOBODY, error_log={"identifier": "busy"})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 20)
    kept(watching)
    written = 0
    for turn in range(12):
        journal.write(*(abort(written + i) for i in range(1000)), identifier="busy", unit="busy.service")
        written += 1000
        if turn % 3 == 0:
            journal.rotate()
        if turn % 4 == 1:
            before = watching.scrape().sum(ABORTS)
            watching.process.kill()
            started = time.monotonic()
            watching.start()
            after = watching.scrape().sum(ABORTS)
            assert after >= before or time.monotonic() - started >= WAITS_FOR_LOGS, "no counter goes back"
    counts(watching, written)
    journal.write(abort(0, user="last"), identifier="busy", unit="busy.service")
    metrics = watching.wait_for(lambda m: m.sum(ABORTS, user="last") == 1, 20)
    assert metrics.sum(ABORTS, user="app") == written
    figure(f"{written} lines in {len(journal.files())} journal files")


def test_the_place_is_known_where_nothing_came_since_the_journal_was_rotated(journal, watch):
    watching = watch({**SLOW, "targets": [target(NOBODY, error_log={"unit": "quiet"})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 20)
    journal.write(abort(1), unit="quiet.service")
    counts(watching, 1)
    journal.rotate()
    watching.stop()
    journal.write(abort(2), unit="quiet.service")
    journal.wait_stored(abort(2), "quiet.service")
    watching.start()
    counts(watching, 2)


def test_the_place_is_found_in_the_copy_that_a_flush_made_while_we_were_stopped(journal, watch):
    journal.relinquish()
    watching = watch({**SLOW, "targets": [target(NOBODY, error_log={"unit": "copied"})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 20)
    journal.write(*(abort(i) for i in range(5)), unit="copied.service")  # some are of the same moment
    counts(watching, 5)
    watching.stop()
    journal.flush()
    journal.write(abort(5), unit="copied.service")
    journal.wait_stored(abort(5), "copied.service")
    watching.start()
    counts(watching, 6)


def test_what_was_vacuumed_before_it_was_read_is_a_gap(journal, watch):
    watching = watch({**SLOW, "targets": [target(NOBODY, error_log={"unit": "gap"})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 20)
    journal.write(abort(1), unit="gap.service")
    counts(watching, 1)
    watching.stop()
    journal.write(abort(2), unit="gap.service")
    journal.wait_stored(abort(2), "gap.service")
    journal.rotate()
    journal.vacuum()
    journal.write(abort(3), unit="gap.service")
    watching.start()
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) == 2, 20)
    assert metrics.value("mysqlconn_error_log_gaps_total") == 1


def test_who_is_not_in_the_group_is_told_at_once(journal, watch):
    config = {**SLOW, "targets": [target(NOBODY, error_log={"unit": "mariadb"})]}
    journal.write(abort(1), unit="mariadb.service")
    journal.wait_stored(abort(1), "mariadb.service")
    watching = watch(config, groups=[])
    said = watching.wait_for_log(10, msg="error log cannot be read", target="db1")
    assert said["reason"] == "permission"
    metrics = watching.scrape()
    assert metrics.value("mysqlconn_error_log_readable") == 0
    assert metrics.value("mysqlconn_error_log_unreadable_info", reason="permission") == 1
    watching.stop()
    watching = watch(config, groups=[journald.GROUP])
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 20)
    journal.write(abort(2), unit="mariadb.service")
    counts(watching, 1)


@pytest.fixture
def unit(server):
    """The server is a unit's."""
    if journald.why_no_unit():
        pytest.skip(journald.why_no_unit())
    with Unit("mariadb.service") as unit:
        unit.take(server.pid)
        yield


def auto(server, **settings):
    return {**FAST, "targets": [{**target(server, error_log={"source": "auto"}), **settings}]}


@pytest.mark.usefixtures("unit")
def test_auto_finds_the_journal_of_the_servers_unit(server, watch):
    watching = watch(auto(server))
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 20)
    assert metrics.value("mysqlconn_error_log_source_info", source="journald", path="mariadb.service") == 1
    clients.leave_without_quit(server, count=2)
    counts(watching, 2)
    watching.stop()
    clients.leave_without_quit(server, count=1)
    watching.start()
    counts(watching, 3)


@pytest.mark.usefixtures("unit")
def test_auto_over_the_socket_needs_no_pid_file(server, watch):
    os.rename(server.pid_file, f"{server.folder}/moved.pid")
    watching = watch(auto(server))
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_unreadable_info", reason="no_log") == 1, 20)
    watching.stop()
    watching = watch(auto(server, address=f"unix:{server.socket}"))
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_source_info", source="journald", path="mariadb.service") == 1, 20)
    os.rename(f"{server.folder}/moved.pid", server.pid_file)


@pytest.mark.usefixtures("unit")
def test_auto_says_that_it_may_not_know_the_servers_process(server, watch):
    watching = watch(auto(server), groups=[journald.GROUP])
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_unreadable_info", reason="permission") == 1, 20)
    os.chmod(server.pid_file, 0o664)
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_source_info", source="journald", path="mariadb.service") == 1, 20)
