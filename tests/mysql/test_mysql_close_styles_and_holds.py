"""On a real MySQL: each close style is what the server makes of it, and held connections survive or are cut with error 4031."""

from scenario.test_close_styles import check_styles, configuration, reasons
from scenario.test_held_connections import check_idle_timeout, check_survives


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
    check_idle_timeout(exporter, server, "error_packet", ("query", "idle_timeout"))
