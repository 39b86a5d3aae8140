"""Probes that close like bad clients, on request only: what the server, plain and over TLS, makes of each style is what the error log
and the counters say, the probe's verdicts agree with them, and all that was aborted is owned up to."""

import pytest

from lib.certificates import Authority
from lib.exporter import target
from lib.mariadb import MariaDB
from lib.process import wait_until

STYLES = ("quit_wait", "quit_now", "mid_result", "none", "reset")
ABORTED = ("mid_result", "none", "reset")
EACH = 4  # probes of each style and transport, at least


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("ca"))
    with MariaDB().use_certificate(*authority.sign("server")) as running:
        running.ca = authority.ca
        yield running


def configuration(server, **settings):
    modules = {style: {"close": style} for style in STYLES}
    ways = {"plain": {"tls": {"mode": "disabled"}}, "tls": {"tls": {"mode": "required"}}}
    return {"modules": modules, "poll": {"interval": "2s", "timeout": "2s"},
            "probe": {"interval": "1500ms", "timeout": "1500ms", "modules": list(STYLES)},
            "targets": [target(server, way, get_server_public_key=True, **tls, **settings, probe={"allow_close": list(STYLES)})
                        for way, tls in ways.items()]}


def settled(watching, server, before):
    """A page of a moment in which all probes have closed, and the server has counted as many aborts as we own."""
    def quiet(m):
        return m.sum("mysqlconn_probes_total") <= m.sum("mysqlconn_probe_closes_total") + m.sum("mysqlconn_probe_failed_total")

    def look():
        page, aborted = watching.scrape(), server.status("Aborted_clients")
        again = watching.scrape()
        same = page.sum("mysqlconn_probes_total") == again.sum("mysqlconn_probes_total")
        return page if quiet(page) and same and page.sum("mysqlconn_self_aborts_total") == aborted - before else None
    return wait_until(look, 60, lambda: f"as many as we own, and none else: {server.status('Aborted_clients') - before}, "
                                        f"{watching.scrape().samples('mysqlconn_self_aborts_total')}")


def check_styles(watching, server, before, none_outcome, figure):
    """`none_outcome`: what this server answers a FIN without COM_QUIT with. (Under TLS it has lost its voice by then, but for an
    alert.)"""
    # Of a probe that began before the first poll nothing is known, nor where a poll or a probe ran out of time on a busy machine.
    begun = watching.wait_for(lambda m: all(m.value("mysqlconn_error_log_level_sufficient", target=way) == 1
                                            and m.value("mysqlconn_error_log_readable", target=way) == 1 for way in ("plain", "tls")), 10)

    def verdicts(m, way, style):
        """Those of which something must be known."""
        found = {l["verdict"]: v for l, v in m.samples("mysqlconn_probe_close_verdicts_total", target=way, module=style) if v}
        late = m.sum("mysqlconn_poll_failed_total", target=way) + m.sum("mysqlconn_probe_failed_total", target=way, module=style)
        if late or found.get("unknown", 0) <= begun.sum("mysqlconn_probes_total", target=way, module=style):
            found.pop("unknown", None)
        return found

    watching.wait_for(lambda m: all(sum(verdicts(m, way, style).values()) >= EACH
                                    for way in ("plain", "tls") for style in STYLES), 60, "all styles have their verdicts")
    page = settled(watching, server, before)
    owned = page.sum("mysqlconn_self_aborts_total", operation="close_style")
    assert owned == page.sum("mysqlconn_self_aborts_total")
    for way in ("plain", "tls"):
        outcomes = {"quit_wait": "clean", "none": none_outcome if way == "plain" else "clean"}
        for style in STYLES:
            wanted = "logged_as_aborted" if style in ABORTED else "confirmed_clean"
            assert set(verdicts(page, way, style)) == {wanted}, (way, style, verdicts(page, way, style))
            failures = {l["reason"] for l, v in page.samples("mysqlconn_probe_failures_total", target=way, module=style) if v}
            assert failures <= {"timeout"}, (way, style, failures)
            seen = {l["outcome"] for l, v in page.samples("mysqlconn_probe_closes_total", target=way, close=style) if v}
            assert seen - ({"timeout"} if failures else set()) == {outcomes.get(style, "not_watched")}, (way, style, seen)
    figure(f"{page.sum('mysqlconn_probes_total'):.0f} probes in five styles: Aborted_clients + {owned:.0f}, as many as we own")
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
    begun = watching.wait_for(lambda m: m.value("mysql_up") == 1, 10)  # before, nothing is known of the counters
    page = watching.wait_for(lambda m: m.value("mysqlconn_probe_close_verdicts_total", verdict="confirmed_clean", evidence="counters") >= 10, 20)
    assert page.sum("mysqlconn_probe_close_verdicts_total", evidence="none") <= begun.sum("mysqlconn_probes_total") + page.sum(
        "mysqlconn_probe_failed_total"), "of those that were not too slow none is in doubt"
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
        page = watching.wait_for(lambda m: m.value("mysqlconn_probe_close_verdicts_total", evidence="counters") >= 5, 20)
        assert page.sum("mysqlconn_probe_close_verdicts_total", evidence="error_log") == 0


def test_what_was_given_up_is_not_called_clean(exporter, server):
    """The server notices a client that left in the middle of its query only seconds later: counters that stand still prove nothing."""
    given_up = {"slow": {"query": "SELECT SLEEP(3)", "interval": "1s", "timeout": "100ms", "grace": "100ms"}}
    watching = exporter({"poll": {"interval": "200ms", "timeout": "200ms"}, "modules": given_up,
                         "targets": [target(server, probe={"modules": ["slow"]})]})
    page = watching.wait_for(lambda m: m.sum("mysqlconn_probe_close_verdicts_total") >= 1, 20)
    assert page.sum("mysqlconn_self_aborts_total", operation="probe") >= 1
    assert page.sum("mysqlconn_probe_close_verdicts_total", evidence="none") == page.sum("mysqlconn_probe_close_verdicts_total")
    watching.stop()
