"""/probe: a look at a server that the request names. It is what /metrics would say, it harms nobody, it keeps to Prometheus'
deadline, and it goes to no server that is not allowed."""

import concurrent.futures
import contextlib
import http.client
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from fake import liar
from lib.exporter import Metrics, target
from lib.mariadb import APP
from lib.process import PATIENCE, wait_until
from lib.prometheus import Prometheus

DEADLINE = "X-Prometheus-Scrape-Timeout-Seconds"


def get(watching, deadline=None, **parameters):
    """(status, text, seconds) of a look."""
    url = watching.url + "/probe?" + urllib.parse.urlencode(parameters)
    request = urllib.request.Request(url, headers={DEADLINE: str(deadline)} if deadline else {})
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=2 * PATIENCE) as answer:
            return answer.status, answer.read().decode(), time.monotonic() - began
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), time.monotonic() - began


def why(text, operation):
    """(phase, reason) of what failed."""
    (labels, _), = Metrics(text).samples("mysqlconn_target_down_info", operation=operation)
    return labels["phase"], labels["reason"]


@pytest.fixture
def watching(exporter, server):
    """One that watches nobody, and may look at what is here."""
    known = target(server)
    return exporter({"credentials": known["credentials"], "allow_targets": ["127.0.0.0/8:*", "[::1]:*"],
                     "modules": {"slow": {"query": "SELECT SLEEP(0.2)"}, "patient": {"hold": "1m", "interval": "2m"},
                                 "endless": {"interval": "5m", "timeout": "5m"},
                                 "rude": {"close": "none"}},
                     "auth_modules": {"app": {"credentials": {"user": APP[0], "password": APP[1]},
                                              "allow_targets": ["127.0.0.1:*"]},
                                      "wrong": {"credentials": {"user": "nobody-knows", "password": "wr0ng"},
                                                "allow_targets": ["127.0.0.1:*"]},
                                      "names": {"allow_targets": ["localhost:*", "10.0.0.0/8:*"]}}})


def test_it_says_what_metrics_would_say(watching, exporter, server):
    status, text, _ = get(watching, target=server.address)
    looked = Metrics(text)
    assert status == 200
    assert looked.value("mysql_up") == 1 and looked.value("mysqlconn_probe_success", module="default") == 1
    assert looked.value("mysqlconn_probe_closes_total", outcome="clean") == 1
    assert looked.value("mysqlconn_probe_phase_duration_seconds_count", phase="auth") == 1
    assert "target=" not in text and "process_" not in text and "mysqlconn_exporter_" not in text
    watched = exporter({"targets": [target(server, "db1")]})
    metrics = watched.wait_for(lambda m: m.value("mysqlconn_probe_closes_total", target="db1", outcome="clean") >= 1, 15)
    of_exporter = {n for n in metrics.names() if not metrics.samples(n)[0][0].get("target")}
    # what is made of several looks cannot be had from one
    # … and the sockets here are counted for whom we go on to watch
    of_time = ("mysqlconn_ledger", "mysqlconn_aborts", "mysqlconn_advice", "mysqlconn_server_sockets", "mysqlconn_server_accept_queue")
    assert not {n for n in metrics.names() - looked.names() - of_exporter if not n.startswith(of_time)}


def test_many_looks_harm_nobody_and_share(watching, server, figure):
    names = ("Aborted_clients", "Aborted_connects")
    before, log, connections = server.status(*names), server.error_text(), server.status("Connections")
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda i: get(watching, target=server.address, module="slow"), range(200)))
    assert {status for status, _, _ in answers} == {200}
    assert all("\nmysqlconn_probe_success{" in text and " 1\n" in text for _, text, _ in answers)
    wait_until(lambda: not server.threads_of("mysqlconn"), 10, "all connections are closed")
    assert server.status(*names) == before and server.error_text() == log
    made = server.status("Connections") - connections
    assert made < 200
    figure(f"200 looks, 50 at a time: {made} connections, no abort")


def test_auth_modules_log_in_as_themselves(watching, server):
    before = server.status("Aborted_connects")
    assert Metrics(get(watching, target=server.address, auth_module="app")[1]).value("mysql_up") == 1
    status, text, _ = get(watching, target=server.address, auth_module="wrong")
    assert status == 200 and why(text, "probe") == ("auth", "access_denied")
    refused = 2  # by the poll and by the probe
    watching.wait_for(lambda m: sum(v for _, v in m.samples("mysqlconn_exporter_probe_requests_self_aborts_total")) == refused, 10)
    wait_until(lambda: server.status("Aborted_connects") - before >= refused, 10, "the server counts them")
    assert server.status("Aborted_connects") - before == refused


def test_others_do_not_wait(watching, server, figure):
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(liar.Liar(liar.never_speaks)) for _ in range(20)]
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(40))
        late = [pool.submit(get, watching, 2 * PATIENCE, target=l.address, module="endless") for l in silent]
        wait_until(lambda: all(l.connections >= 1 for l in silent), 15, "all looks wait")
        _, text, good = get(watching, PATIENCE, target=server.address)
        assert Metrics(text).value("mysql_up") == 1 and not any(f.done() for f in late)
        figure(f"a good look beside 20 that wait: {good * 1000:.0f} ms")
        watching.stop()  # which ends them
        for look in late:
            with contextlib.suppress(OSError, http.client.HTTPException):
                look.result()


def test_it_keeps_to_the_deadline(exporter, server, figure):
    """It answers as long before it as is wanted, half of it at most: so much that a busy machine does not make it late."""
    deadlines, patient = (10, 12), {"interval": "5m", "timeout": "5m"}
    watching = exporter({"credentials": target(server)["credentials"], "allow_targets": ["127.0.0.0/8:*"], "poll": patient,
                         "probe": patient}, ["--timeout-offset=60"])
    with liar.Liar(liar.never_speaks) as one, liar.Liar(liar.never_speaks) as other, concurrent.futures.ThreadPoolExecutor(2) as pool:
        looks = list(pool.map(lambda deadline, silent: get(watching, deadline, target=silent.address), deadlines, (one, other)))
    for deadline, (status, text, seconds) in zip(deadlines, looks):
        assert status == 200 and deadline / 2 <= seconds < deadline
        assert why(text, "poll") == why(text, "probe") == ("greeting", "timeout")
    figure("wanted after " + ", ".join(f"{deadline / 2:.0f} s: {look[2]:.2f} s" for deadline, look in zip(deadlines, looks)))


@pytest.mark.parametrize("parameters, status, reason", [
    ({}, 400, "'target' is missing"),
    ({"target": ""}, 400, "'target' is missing"),
    ({"target": "127.0.0.1:x"}, 400, "the port must be"),
    ({"target": "127.0.0.1:1", "module": "nix"}, 400, "no such module"),
    ({"target": "127.0.0.1:1", "auth_module": "nix"}, 400, "no such auth_module"),
    ({"target": "127.0.0.1:1", "module": "patient"}, 400, "longer than the scrape may take"),
    ({"target": "127.0.0.1:1", "module": "rude"}, 403, "allow_close"),
    ({"target": "10.0.0.1:3306"}, 403, "no network"),
    ({"target": "/run/mysqld/mysqld.sock"}, 403, "unix sockets"),
    ({"target": "127.0.0.1:1", "auth_module": "names"}, 403, "no network"),
    ({"target": "elsewhere:1", "auth_module": "names"}, 403, "no pattern"),
    ({"target": "localhost:1", "auth_module": "names"}, 403, "leads to an address"),  # once it is resolved
])
def test_what_is_wrong_or_not_allowed_is_refused_with_its_reason(watching, parameters, status, reason):
    got, text, _ = get(watching, 50, **parameters)
    assert (got, reason in text) == (status, True), text
    refused = watching.scrape()
    name = "mysqlconn_exporter_probe_requests_refused_total"
    assert refused.value(name, reason="bad_request" if status == 400 else "not_allowed") == 1


def test_bad_deadlines_and_doubled_parameters(watching):
    for deadline in ("x", "-1", "0.0", "1e99"):
        assert get(watching, deadline, target="127.0.0.1:1")[0] == 400
    with pytest.raises(urllib.error.HTTPError) as error:
        watching.get("/probe?target=127.0.0.1:1&target=127.0.0.2:1")
    assert error.value.code == 400


def test_nothing_is_allowed_that_is_not_named(exporter, server):
    watching = exporter({"targets": [target(server)]})
    status, text, _ = get(watching, target=server.address)
    assert status == 403 and "allow_targets is empty" in text


def test_debug_shows_the_way_and_no_secret(watching, server):
    status, text, _ = get(watching, target=server.address, debug="true")
    assert status == 200
    for wanted in ("operation=probe phase=auth duration=", "close=clean", "\nmysql_up 1\n", 'password: "<secret>"', "hold: 0s"):
        assert wanted in text, wanted
    assert target(server)["credentials"]["password"] not in text


def test_its_end_does_not_wait_for_looks(watching, figure):
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(liar.Liar(liar.never_speaks))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(5))
        looks = [pool.submit(get, watching, 2 * PATIENCE, target=silent.address, module="endless") for _ in range(5)]
        wait_until(lambda: silent.connections >= 1, 15, "the look waits")
        took = watching.stop()
        assert took < 2 * PATIENCE
        for look in looks:  # answered or cut off, but over
            with contextlib.suppress(OSError, http.client.HTTPException):
                look.result()
        figure(f"SIGTERM with a look that waits: ended in {took:.2f} s")


def test_prometheus_relabels(watching, server):
    scrape = {"metrics_path": "/probe", "static_configs": [{"targets": [server.address, "127.0.0.1:1"]}],
              "relabel_configs": [{"source_labels": ["__address__"], "target_label": "__param_target"},
                                  {"source_labels": ["__param_target"], "target_label": "instance"},
                                  {"target_label": "__address__", "replacement": f"127.0.0.1:{watching.port}"}]}
    with Prometheus("", 2, scrape=scrape) as prometheus:
        def found():
            return ({l["instance"]: v for l, v in prometheus.query("mysql_up")}, {v for _, v in prometheus.query("up")})
        wait_until(lambda: found() == ({server.address: 1, "127.0.0.1:1": 0}, {1}), 20, lambda: f"both were scraped: {found()}")
        assert not prometheus.warnings()
