"""Places in error logs and their counts outlive us: over stops, kills, reloads, state files that are wrong and disks that are
full."""

import http.client
import os
import random
import re
import shutil
import subprocess
import threading
import time

import pytest

from lib.exporter import target
from lib.process import wait_until

SLOW = {"poll": {"interval": "1h", "timeout": "1s"}, "probe": {"interval": "1h", "timeout": "1s"}}
ABORTS = "mysqlconn_error_log_aborts_total"
NOBODY = "127.0.0.1:1"
WAITS_FOR_LOGS = 2.0  # seconds after a start in which no page is served before the logs are read


def line_of(number, user="app"):
    """An abort line as MariaDB 10.11 writes it."""
    return (f"2026-11-21  1:51:{number % 60:02} {number} [Warning] Aborted connection {number} to db: 'shop' user: '{user}' "
            f"host: '127.0.0.1' (Got an error reading communication packets)\n")


def watch(exporter, log, state, server=NOBODY, **settings):
    return exporter({**SLOW, "targets": [target(server, error_log={"file": str(log), **settings})]},
                    [f"--storage.path={state}"])


def readable(watching):
    return watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)


def kept(watching):
    """Its place is in its state file: until then who kills it has it begin anew."""
    watching.wait_for(lambda m: m.value("mysqlconn_exporter_state_writes_total") >= 1, 10)


def append(log, text):
    with log.open("a") as f:
        f.write(text)


def test_every_line_is_counted_once_while_it_is_killed_and_its_log_rotated(exporter, tmp_path, figure):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    figure(f"seed {seed}")
    log, state = tmp_path / "error.log", tmp_path / "state"
    log.write_text("")
    watching = watch(exporter, log, state)
    kept(watching)
    written = rotations = 0
    marks = []  # how many lines there were after each rotation of which it has not read what came after
    done = threading.Event()

    def may_rotate():
        """Who rotates twice while we cannot look once takes lines away: on a busy machine a writer waits for that. While it is away
        the log may be rotated twice."""
        try:
            page = watching.get("/metrics", timeout=0.5)
        except (OSError, http.client.HTTPException):
            return len(marks) < 2
        read = re.search(r"^mysqlconn_error_log_lines_total\{.*\} (\d+)", page, re.M)
        marks[:] = [mark for mark in marks if not read or mark >= int(read[1])]
        return not marks

    def write():
        nonlocal written, rotations
        pace = random.Random(seed + 1)
        output = open(log, "ab", buffering=0)
        while not done.wait(0.002):
            for _ in range(pace.randrange(1, 20)):
                output.write(line_of(written).encode())
                written += 1
            if pace.random() < 0.02 and may_rotate():
                rotations += 1
                if pace.random() < 0.5:  # copytruncate; the writer and who rotates are one here, so nothing falls between
                    shutil.copyfile(log, tmp_path / f"error.log-2026112{rotations:03}")
                    os.truncate(log, 0)
                else:
                    os.rename(log, tmp_path / f"error.log-2026112{rotations:03}")
                    output.write(line_of(written).encode())
                    written += 1
                    output.close()
                    output = open(log, "ab", buffering=0)
                marks.append(written)
        output.close()

    writer = threading.Thread(target=write)
    writer.start()
    kills = stops = 0
    try:
        for _ in range(8):
            done.wait(chance.uniform(0.02, 0.6))
            if chance.random() < 0.7:
                watching.process.kill()
                kills += 1
            else:
                watching.stop()
                stops += 1
            done.wait(chance.uniform(0, 0.2))
            watching.start()
            watching.wait_notified("READY=1")  # who never reads what is said to systemd lets it block in the end
    finally:
        done.set()
        writer.join()
    append(log, line_of(1, "last"))
    metrics = watching.wait_for(lambda m: m.sum(ABORTS, user="last") == 1, 20)
    told = f"{metrics.sum(ABORTS, user='app'):.0f} of {written} lines over {rotations} rotations, {kills} kills, {stops} stops"
    figure(told)
    assert metrics.sum(ABORTS, user="app") == written, f"{told}, seed {seed}:\n{watching.process.output()[-5000:]}"
    assert metrics.value("mysqlconn_error_log_lines_total") == written + 1
    assert metrics.value("mysqlconn_error_log_events_total", kind="aborted") == written + 1
    assert metrics.value("mysqlconn_error_log_gaps_total") == 0


def test_no_scrape_after_a_kill_sees_less_than_before(exporter, tmp_path):
    """For as long as the reading takes, two seconds at most: where it took longer than that on a busy machine, once more."""
    log, state = tmp_path / "error.log", tmp_path / "state"
    log.write_text("")
    watching = watch(exporter, log, state)
    readable(watching)
    kept(watching)
    lines, took = 0, WAITS_FOR_LOGS
    while took >= WAITS_FOR_LOGS:
        append(log, "".join(line_of(i) for i in range(20000)))
        lines += 20000
        watching.wait_for(lambda m, n=lines: m.sum(ABORTS) == n, 20)
        watching.process.kill()  # the state that is kept is some seconds older
        started = time.monotonic()
        watching.start()
        seen = watching.scrape().sum(ABORTS)
        took = time.monotonic() - started
        assert seen == lines or took >= WAITS_FOR_LOGS
        assert lines < 20 * 20000, "this machine is too busy to tell"


def test_counts_of_names_outlive_a_stop(exporter, tmp_path):
    log, state = tmp_path / "error.log", tmp_path / "state"
    log.write_text("")
    watching = watch(exporter, log, state)
    readable(watching)
    users = ["app", 'a"b\\c %20', "x{y} ü"]
    append(log, "".join(line_of(i, user) for i, user in enumerate(users)))
    append(log, "2026-11-21  1:51:00 1 [Warning] Access denied for user 'eve'@'10.0.0.1' (using password: YES)\n")
    watching.wait_for(lambda m: m.sum("mysqlconn_error_log_access_denied_total", user="eve") == 1, 10)
    watching.stop()
    append(log, line_of(9))
    watching.start()
    metrics = watching.wait_for(lambda m: m.sum(ABORTS, user="app") == 2, 10)
    assert [metrics.sum(ABORTS, user=u) for u in users] == [2, 1, 1]
    assert metrics.sum("mysqlconn_error_log_access_denied_total", user="eve") == 1
    assert metrics.value("mysqlconn_error_log_lines_total") == 5


def test_changed_target_goes_on_without_a_storage_path(exporter, tmp_path):
    log = tmp_path / "error.log"
    log.write_text("")
    watching = exporter({**SLOW, "targets": [target(NOBODY, error_log={"file": str(log)})]})
    readable(watching)
    assert watching.log(msg="no --storage.path: places in error logs and their counts are kept in memory only")
    append(log, line_of(1))
    watching.wait_for(lambda m: m.sum(ABORTS) == 1, 10)
    assert watching.reload({**SLOW, "targets": [target(NOBODY, labels={"env": "x"}, error_log={"file": str(log)})]})
    append(log, line_of(2))
    metrics = watching.wait_for(lambda m: m.sum(ABORTS, env="x") == 2, 10)
    assert metrics.value("mysqlconn_error_log_lines_total") == 2


def test_log_that_is_configured_again_goes_on_where_it_was(exporter, tmp_path):
    logs = [tmp_path / "a.err", tmp_path / "b.err"]
    for log in logs:
        log.write_text(line_of(1) + line_of(2))
    watching = watch(exporter, logs[0], tmp_path / "state", start="beginning")
    lines = 2
    for turn, log in enumerate([logs[0], logs[1], logs[0], logs[1]]):
        if turn > 0:
            assert watching.reload({**SLOW, "targets": [target(NOBODY, error_log={"file": str(log), "start": "beginning"})]})
        append(log, line_of(3, f"last of turn {turn}"))
        lines += 3 if turn == 1 else 1  # b's first two are new then, and nothing comes twice later
        metrics = watching.wait_for(lambda m: m.sum(ABORTS, user=f"last of turn {turn}") == 1, 10)
        assert metrics.value("mysqlconn_error_log_lines_total") == lines
        if turn == 2:  # by the file, too
            watching.stop()
            watching.start()


@pytest.mark.parametrize("wrong", ["torn", "foreign", "empty", "binary", "other target"])
def test_state_that_cannot_be_used_is_kept_aside(exporter, tmp_path, wrong):
    log, state = tmp_path / "error.log", tmp_path / "state"
    log.write_text("")
    watching = watch(exporter, log, state, start="beginning")
    append(log, line_of(1))
    watching.wait_for(lambda m: m.sum(ABORTS) == 1, 10)
    watching.stop()
    file = state / "db1.state"
    text = file.read_bytes()
    file.write_bytes({"torn": text[:len(text) // 2], "foreign": b"[client]\nuser=x\n", "empty": b"",
                      "binary": bytes(range(256)) * 64, "other target": text.replace(b"target db1", b"target db2")}[wrong])
    watching.start()
    said = watching.wait_for_log(10, target="db1", file=str(file), level="error")
    assert os.path.dirname(said["kept_as"]) == str(state) and os.path.exists(said["kept_as"])
    assert int(said["line"]) >= 0 and said["error"]
    watching.wait_for(lambda m: m.sum(ABORTS) == 1, 10, "read from the configured start")
    watching.stop()
    assert file.exists()


def test_folder_that_another_keeps_its_state_in_is_refused(exporter, program, tmp_path):
    state = tmp_path / "state"
    log = tmp_path / "error.log"
    watching = watch(exporter, log, state)
    done = subprocess.run([program, f"--config.file={watching.config_file}", "--web.listen-address=127.0.0.1:0",
                           f"--storage.path={state}"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "another program keeps its state there" in done.stderr


def test_full_disk_is_said_and_nothing_is_lost(exporter, program, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root: a file system of its own")
    log, state = tmp_path / "error.log", tmp_path / "state"
    log.write_text("")
    state.mkdir()
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f"#!/bin/sh\nmount -t tmpfs -o size=64k tmpfs {state} || exit 77\n"
                       f"head -c 1M /dev/zero > {state}/fill 2> /dev/null\nexec {program} \"$@\"\n")
    inner = tmp_path / "inner"
    wrapper.chmod(0o755)
    inner.write_text(f"#!/bin/sh\nexec unshare --mount --propagation private {wrapper} \"$@\"\n")
    inner.chmod(0o755)
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("no mount namespaces here")
    watching = exporter({**SLOW, "targets": [target(NOBODY, error_log={"file": str(log)})]}, [f"--storage.path={state}"],
                        program=str(inner))
    readable(watching)
    append(log, line_of(1))
    watching.wait_for(lambda m: m.value("mysqlconn_exporter_state_write_failures_total") >= 1, 20)
    assert watching.log(msg="state cannot be written, it is kept in memory and tried again")
    append(log, line_of(2))
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) == 2, 10)
    assert metrics.value("mysqlconn_exporter_state_waiting") >= 1
    os.unlink(f"/proc/{watching.pid}/root{state}/fill")
    metrics = watching.wait_for(lambda m: m.value("mysqlconn_exporter_state_writes_total") >= 1, 20)
    assert metrics.value("mysqlconn_exporter_state_last_write_timestamp_seconds") > 0
    watching.wait_for(lambda m: m.value("mysqlconn_exporter_state_waiting") == 0, 20)


def context_switches(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M).group(1))


def test_quiet_log_wakes_nobody(exporter, server, tmp_path, figure):
    """How often the loop's thread went to sleep and was woken again, over ten seconds in which nothing happens. (The server
    is there: one that is not would be looked for.) What goes on wakes it in each ten seconds, a busy machine does not."""
    log, state = tmp_path / "error.log", tmp_path / "state"
    log.write_text("")
    watching = watch(exporter, log, state, server)
    readable(watching)
    append(log, line_of(1))
    watching.wait_for(lambda m: m.value("mysqlconn_exporter_state_writes_total") >= 3 and m.value("mysql_up") == 1
                      and m.value("mysqlconn_probe_success") == 1, 20)
    last = [-1]

    def settled():
        now, last[0] = context_switches(watching.pid), last[0]
        same, last[0] = now == last[0], now
        return same

    woken = []
    for _ in range(3):
        wait_until(settled, 30, "the start is over", step=2.5)
        before = context_switches(watching.pid)
        threading.Event().wait(10)
        woken.append(context_switches(watching.pid) - before)
        if woken[-1] == 0:
            break
    figure(f"woken {woken[-1]} times in 10 s")
    assert woken[-1] == 0, woken
    append(log, line_of(2))
    watching.wait_for(lambda m: m.sum(ABORTS) == 2, 10)


def test_pattern_means_the_newest_file(exporter, tmp_path):
    state = tmp_path / "state"
    first, second = tmp_path / "server-1.err", tmp_path / "server-2.err"
    first.write_text("")
    watching = watch(exporter, tmp_path / "server-*.err", state)
    readable(watching)
    append(first, line_of(1))
    watching.wait_for(lambda m: m.sum(ABORTS) == 1, 10)
    append(second, line_of(2))
    watching.wait_for(lambda m: m.sum(ABORTS) == 2, 10)
    watching.stop()
    append(second, line_of(3))
    append(tmp_path / "server-3.err", line_of(4))
    watching.start()
    metrics = watching.wait_for(lambda m: m.sum(ABORTS) == 4, 10)
    assert metrics.value("mysqlconn_error_log_rotations_total") == 2


