"""Probes that close like bad clients, on request only: what the server, plain and over TLS, makes of each style is what the error log
and the counters say, the probe's verdicts agree with them, and all that was aborted is owned up to."""

import pytest

from lib.certificates import Authority
from lib.exporter import target
from lib.mariadb import MariaDB

STYLES = ("quit_wait", "quit_now", "mid_result", "none", "reset")
ABORTED = ("mid_result", "none", "reset")
EACH = 6  # probes of each style and transport, at least


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("ca"))
    with MariaDB().use_certificate(*authority.sign("server")) as running:
        running.ca = authority.ca
        yield running


def configuration(server, **settings):
    modules = {style: {"close": style} for style in STYLES}
    ways = {"plain": {"tls": {"mode": "disabled"}}, "tls": {"tls": {"mode": "required"}}}
    return {"modules": modules, "poll": {"interval": "1s", "timeout": "1s"},
            "probe": {"interval": "800ms", "timeout": "800ms", "modules": list(STYLES)},
            "targets": [target(server, way, get_server_public_key=True, **tls, **settings, probe={"allow_close": list(STYLES)})
                        for way, tls in ways.items()]}


def settled(watching, server):
    """A page and the server's Aborted_clients that belong together: no probe ended between two looks."""
    def same(before):
        after = watching.scrape()
        names = ("mysqlconn_probes_total", "mysqlconn_probe_closes_total", "mysqlconn_self_aborts_total")
        return after if all(after.sum(n) == before.sum(n) for n in names) else None

    for _ in range(200):
        before = watching.scrape()
        aborted = server.status("Aborted_clients")
        page = same(before)
        if page and page.sum("mysqlconn_probes_total") == page.sum("mysqlconn_probe_closes_total"):
            return page, aborted
    raise AssertionError("there was no quiet moment")


def check_styles(watching, server, before, none_outcome, figure):
    """`none_outcome`: what this server answers a FIN without COM_QUIT with. (Under TLS it has lost its voice by then, but for an
    alert.)"""
    def verdicts(m, way, style):
        return {l["verdict"]: v for l, v in m.samples("mysqlconn_probe_close_verdicts_total", target=way, module=style) if v}

    watching.wait_for(lambda m: all(sum(verdicts(m, way, style).values()) >= EACH
                                    for way in ("plain", "tls") for style in STYLES), 60, "all styles have their verdicts")
    page, aborted = settled(watching, server)
    owned = page.sum("mysqlconn_self_aborts_total", operation="close_style")
    for way in ("plain", "tls"):
        outcomes = {"quit_wait": "clean", "none": none_outcome if way == "plain" else "clean"}
        for style in STYLES:
            wanted = "logged_as_aborted" if style in ABORTED else "confirmed_clean"
            assert set(verdicts(page, way, style)) == {wanted}, (way, style, verdicts(page, way, style))
            assert page.sum("mysqlconn_probe_failed_total", target=way, module=style) == 0, (way, style)
            seen = {l["outcome"] for l, v in page.samples("mysqlconn_probe_closes_total", target=way, close=style) if v}
            assert seen == {outcomes.get(style, "not_watched")}, (way, style)
    assert aborted - before == owned == page.sum("mysqlconn_self_aborts_total"), "as many as we own, and none else"
    figure(f"{page.sum('mysqlconn_probes_total'):.0f} probes in five styles: Aborted_clients + {aborted - before:.0f}, "
           f"owned {owned:.0f}")
    return page


def reasons(server, style_of_reason):
    """The reasons of the abort lines, each with how often it came."""
    text = server.error_text()
    return {reason: text.count(f"({reason})") for reason in style_of_reason}


def test_each_style_is_what_the_server_makes_of_it(exporter, server, figure):
    before = server.status("Aborted_clients")
    watching = exporter(configuration(server, error_log={"file": server.error_log}))
    check_styles(watching, server, before, "clean", figure)
    watching.stop()
    counts = reasons(server, ("Got an error reading communication packets", "Got an error writing communication packets"))
    assert all(count >= 2 * EACH for count in counts.values()), counts


def test_without_a_log_only_counters_that_stand_still_speak(exporter, server, figure):
    quiet = {"poll": {"interval": "300ms", "timeout": "300ms"}, "probe": {"interval": "250ms", "timeout": "250ms"},
             "targets": [target(server)]}
    watching = exporter(quiet)
    page = watching.wait_for(lambda m: m.sum("mysqlconn_probe_close_verdicts_total") >= 10, 20)
    assert page.value("mysqlconn_probe_close_verdicts_total", verdict="confirmed_clean", evidence="counters") >= 10
    assert page.sum("mysqlconn_probe_close_verdicts_total", evidence="none") == 0
    watching.stop()

    quiet["modules"] = {"rude": {"close": "reset"}}
    quiet["targets"] = [target(server, probe={"modules": ["default", "rude"], "allow_close": ["reset"]})]
    watching = exporter(quiet)
    page = watching.wait_for(lambda m: m.sum("mysqlconn_probe_close_verdicts_total", module="default", evidence="none") >= 5, 20)
    assert page.sum("mysqlconn_probe_close_verdicts_total", verdict="logged_as_aborted") == 0, "nothing was logged to us"
    assert page.sum("mysqlconn_probe_close_verdicts_total", module="rude", verdict="confirmed_clean") == 0
    watching.stop()


def test_a_log_that_hides_aborts_is_not_believed(exporter):
    with MariaDB(["--log-warnings=1"]) as server:
        watching = exporter({"poll": {"interval": "300ms", "timeout": "300ms"}, "probe": {"interval": "250ms", "timeout": "250ms"},
                             "targets": [target(server, error_log={"file": server.error_log})]})
        page = watching.wait_for(lambda m: m.sum("mysqlconn_probe_close_verdicts_total") >= 5, 20)
        assert page.sum("mysqlconn_probe_close_verdicts_total", evidence="error_log") == 0
        assert page.value("mysqlconn_probe_close_verdicts_total", evidence="counters") >= 5


def test_what_was_given_up_is_not_called_clean(exporter, server):
    """The server notices a client that left in the middle of its query only seconds later: counters that stand still prove nothing."""
    given_up = {"slow": {"query": "SELECT SLEEP(3)", "interval": "1s", "timeout": "100ms", "grace": "100ms"}}
    watching = exporter({"poll": {"interval": "200ms", "timeout": "200ms"}, "modules": given_up,
                         "targets": [target(server, probe={"modules": ["slow"]})]})
    page = watching.wait_for(lambda m: m.sum("mysqlconn_probe_close_verdicts_total") >= 1, 20)
    assert page.sum("mysqlconn_self_aborts_total", operation="probe") >= 1
    assert page.sum("mysqlconn_probe_close_verdicts_total", evidence="none") == page.sum("mysqlconn_probe_close_verdicts_total")
    watching.stop()
