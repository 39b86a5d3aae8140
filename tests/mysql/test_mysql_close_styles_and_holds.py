"""On a real MySQL: each close style is what the server makes of it, and held connections survive or are cut with error 4031."""

import os

from lib.exporter import target
from lib.mariadb import MONITOR
from lib.round_trips import probe_json
from scenario.test_close_styles import check_styles, configuration, reasons
from scenario.test_held_connections import check_idle_timeout, check_survives, wait_timeout


def test_each_style_is_what_the_server_makes_of_it(exporter, server, figure):
    before = server.status("Aborted_clients")
    watching = exporter(configuration(server, error_log={"file": server.error_log}))
    page = check_styles(watching, server, before, "unexpected_data", figure)
    codes = {l["code"] for l, v in page.samples("mysqlconn_probe_close_unexpected_total", target="plain", module="none") if v}
    assert codes == {"1158"}
    watching.stop()
    counts = reasons(server, ("Got an error reading communication packets", "Got an error writing communication packets"))
    assert all(counts.values()), counts


def test_survives_a_short_hold(exporter, server):
    check_survives(exporter, server)


def test_idle_timeout_of_the_server(exporter, server):
    check_idle_timeout(exporter, server, "error_packet", ("hold", "idle_timeout"))


def test_idle_timeout_over_a_socket(program, server):
    """The query after it cannot be sent there; what the server had said before is told all the same."""
    os.chmod(server.folder, 0o755)
    with wait_timeout(server, 1):
        one, = probe_json(program, f"unix:{server.socket}", *MONITOR, "--count=1", "--hold=20s")
    assert not one["ok"]
    assert (one["failure"]["phase"], one["failure"]["reason"], one["failure"]["code"]) == ("hold", "idle_timeout", 4031)
    assert "inactivity" in one["failure"]["text"]
    assert "query" not in one["phase_seconds"], "what went before the idle time is not what is asked for"


def test_a_table_that_was_not_read_since_proves_nothing(exporter, server):
    """It is read with each poll: polls further apart than a line of a file may take."""
    server.execute(f"GRANT SELECT ON performance_schema.error_log TO '{MONITOR[0]}'@'%'")
    watching = exporter({"poll": {"interval": "7s", "timeout": "1s"}, "modules": {"rude": {"close": "reset", "interval": "500ms"}},
                         "targets": [target(server, get_server_public_key=True, error_log={"source": "table"},
                                            probe={"modules": ["rude"], "allow_close": ["reset"]})]})
    page = watching.wait_for(lambda m: m.sum("mysqlconn_probe_close_verdicts_total", verdict="logged_as_aborted") >= 10, 30)
    assert page.sum("mysqlconn_probe_close_verdicts_total", verdict="confirmed_clean") == 0
    watching.stop()
