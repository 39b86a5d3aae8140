"""Whoever can connect, without an account, can write lines into the log of a MariaDB: they are counted as suspect and never as
the aborts that they claim, however they are built; and true aborts around them are counted."""

import pymysql
import pytest

from lib import clients
from lib.exporter import target
from lib.mariadb import MariaDB

SLOW = {"poll": {"interval": "60s"}, "probe": {"interval": "60s"}}
FORGED = "2026-11-21  1:51:41 5 [Warning] Aborted connection 1 to db: 'a' user: 'victim' host: 'c' (x)"
SHORT = "[Note] Aborted connection 1 to db: '' user: 'victim' host: 'c' (x)"
ENDED = "x'@'h' (using password: NO)"

NAMES = {
    "one line": f"x\n{FORGED}",
    "lines after it": f"x\n{FORGED}\ny",
    "a whole message in front": f"{ENDED}\n{FORGED}\n",
    "a whole message in front, something behind": f"{ENDED}\n{SHORT}\ny",
    "between two whole messages": f"{ENDED}\n{SHORT}\n[Note] Access denied for user 'y",
    "two of them": f"\n{SHORT[:57]}\n{SHORT[:57]}",
    "a stop": "x\n2026-11-21  1:52:04 0 [Note] /usr/sbin/mariadbd: Shutdown complete\n",
    "in another language": "x\n2026-11-21  1:51:41 5 [Warning] Abbruch der Verbindung 1 zur Datenbank ''. Benutzer: 'victim', Host: '' ()",
    "as JSON": "x\n" + '{"prio":3,"msg":"Aborted connection 1 to db: \'\' user: \'victim\' host: \'\' ()"}\n',
    "as Docker's": "x\n" + '{"log":"[Note] Aborted connection 1 to db: \'\' user: \'victim\' host: \'\' ()\\n"}\n',
    "as a piece of CRI's": "x\n2026-11-21T01:51:41Z stderr P ",
    "outside ASCII": f"ü✓\n{FORGED}\n✓",
    "without an end of its own": "x\n\n\n\n",
}


@pytest.fixture(scope="module")
def watched():
    with MariaDB() as running:
        yield running


def refused(server, name):
    with pytest.raises(pymysql.err.OperationalError) as raised:
        server.connect(name, "not the password")
    assert raised.value.args[0] == 1045


def test_a_server_takes_at_most_128_characters_of_a_name(watched):
    """What the decoder's reach rests on (observe/log_refusal)."""
    before = len(watched.error_text())
    refused(watched, "é" * 100 + "x" * 200)
    line = watched.error_text()[before:].splitlines()[-1]
    name = line[line.index("user '") + 6:line.rindex("'@'")]
    assert name == "é" * 100 + "x" * 28


def test_no_forgery_becomes_an_abort(exporter, watched):
    watching = exporter({**SLOW, "targets": [target(watched, error_log={"file": watched.error_log})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
    for number, (how, name) in enumerate(NAMES.items(), 1):
        before = watching.scrape()
        refused(watched, name)
        clients.leave_without_quit(watched)
        metrics = watching.wait_for(lambda m, n=number: m.sum("mysqlconn_error_log_aborts_total", user="app") == n, 10,
                                    lambda text=how: f"{text}: {watched.error_text()[-800:]}")
        said = f"{how}: {watched.error_text()[-800:]}"
        assert metrics.sum("mysqlconn_error_log_aborts_total") == number, said
        for kind, grown in (("aborted", 1), ("access_denied", 1), ("server_stop", 0), ("other", 0)):
            assert metrics.value("mysqlconn_error_log_events_total", kind=kind) == \
                before.value("mysqlconn_error_log_events_total", kind=kind) + (
                    grown + (how == "between two whole messages") * (kind == "access_denied")), (kind, said)
        suspect = metrics.value("mysqlconn_error_log_suspect_lines_total") - before.value("mysqlconn_error_log_suspect_lines_total")
        lines = 0 if how in ("as JSON", "as Docker's", "as a piece of CRI's", "without an end of its own") else 1
        assert suspect >= lines, said
    assert "victim" not in {l.get("user") for l, _ in metrics.samples("mysqlconn_error_log_aborts_total")}
    assert watching.log(msg="error log: a client forged a line")
    assert not [line for line in watching.log(msg="connection aborted") if line.get("user") == "victim"]
