"""Runs the tables of scenarios: on a server that listens here, and on one that is far away."""

import contextlib

from lib.certificates import Authority
from lib.netns import FAR as THERE
from lib.netns import NEAR as HERE
from lib.netns import NEAR_TOO, Cable, names

from . import scenarios
from .matrix import hopeless, judge
from .stage import PROXIED, Stage, configuration, furnish


def play_all(column, stage, table, figure):
    table = [s for s in table if s.only in ("", stage.flavour)]
    stage.column, stage.hopeless = column, hopeless(column)
    rows = [stage.play(scenario) for scenario in table]
    stage.settle_all()
    assert stage.books() == stage.books(), "nothing happens any more"
    judge(column, rows, {s.name: s.truth for s in table}, {s.name: s.note_of(stage.flavour) for s in table}, figure)


def run_here(column, server, exporter, tmp_path, figure):
    """A server that listens here."""
    furnish(server, "127.0.0.1", PROXIED)
    server.execute("CREATE USER 'reader'@'127.0.0.1' IDENTIFIED BY 'x'")
    server.execute("GRANT SELECT ON *.* TO 'reader'@'127.0.0.1'")
    watching = exporter(configuration(server))
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 15)
    stage = Stage(server, watching)
    stage.stranger = Authority(tmp_path / "stranger", "a stranger")
    stage.settle_all()
    play_all(column, stage, scenarios.SCENARIOS, figure)


NAME = "client.example"


class FarStage(Stage):
    """The server is in another network namespace than we and our clients."""

    def __init__(self, server, watching, cable):
        super().__init__(server, watching, THERE)
        self.cable = cable

    @contextlib.contextmanager
    def cut(self, connection):
        """From now on nothing of this connection passes, in either direction."""
        port = connection._sock.getsockname()[1]
        self.cable.far.run("nft", f"""
            table ip cut {{
                chain arriving {{ type filter hook prerouting priority 0; tcp sport {port} drop; }}
                chain leaving {{ type filter hook output priority 0; tcp dport {port} drop; }}
            }}""")
        try:
            yield
        finally:
            self.cable.far.run("nft", "delete table ip cut")


def run_far(column, make, exporter, tmp_path, figure):
    """make(options): a server that looks up the names of addresses. It knows one, and reaches nobody who knows more."""
    with contextlib.ExitStack() as stack:
        cable = stack.enter_context(Cable())
        cable.add_address(NEAR_TOO)
        with cable.far.inside(), names({HERE: NAME}, tmp_path):
            server = stack.enter_context(make(["--bind-address=0.0.0.0", "--max-connect-errors=1"]))
        furnish(server, NAME, NEAR_TOO, "localhost")
        with cable.near.inside():
            watching = exporter(configuration(server, "unix:" + server.socket))
            watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 15)
            stage = FarStage(server, watching, cable)
            stage.name, stage.nameless = NAME, NEAR_TOO
            stage.settle_all()
            play_all(column, stage, scenarios.FAR, figure)
            watching.stop()
