"""/metrics in each format, by negotiation: other people's parsers read them all and find the same in each; Prometheus 2 and 3
store them, with native histograms that give the right quantiles."""

import gzip
import json
import math
import time
import urllib.request

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from lib import client_model, clients
from lib.exporter import Metrics, target
from lib.process import wait_until
from lib.prometheus import Prometheus, prometheus_3

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
TEXT = "text/plain; version=0.0.4; charset=utf-8"

HOSTILE = 'q" b\\ }{ € # HELP'
QUICK = {"poll": {"interval": "1s", "timeout": "1s"}, "probe": {"interval": "200ms", "timeout": "200ms"}}
SELDOM = {"poll": {"interval": "1h", "timeout": "1m"}, "probe": {"interval": "1h", "timeout": "1m"}}


def get(watching, accept, encoding=None):
    """(media type, body) of /metrics."""
    headers = {"Accept": accept, **({"Accept-Encoding": encoding} if encoding else {})}
    with urllib.request.urlopen(urllib.request.Request(watching.url + "/metrics", headers=headers), timeout=60) as answer:
        assert answer.headers["Vary"] == "Accept, Accept-Encoding"
        assert answer.headers.get("Content-Encoding") == ("gzip" if encoding else None)
        return answer.headers["Content-Type"], answer.read()


@pytest.fixture
def quiet(exporter, server):
    """One that has polled and probed, and now stands still."""
    watching = exporter({**SELDOM, "targets": [target(server, "db1", labels={"env": HOSTILE}), target("127.0.0.1:1", "down")]})
    watching.wait_for(lambda m: m.value("mysqlconn_probes_total", target="db1") == 1 and m.down("down", "probe")
                      and m.value("mysqlconn_probe_closes_total", target="db1", outcome="clean") == 1, 15)
    return watching


def of_targets(samples):
    """{(name, labels): value} of those that stand still."""
    return {(name, tuple(sorted(labels.items()))): value for name, labels, value in samples if "target" in labels}


def is_created(name):
    """Threads_created is the server's own."""
    return name.endswith("_created") and name != "mysql_global_status_threads_created"


def text_samples(text):
    metrics = Metrics(text)
    return of_targets((name, labels, value) for name in metrics.names() for labels, value in metrics.samples(name))


def get_beside_text(watching, accept):
    """(media type, body, the samples of the text), between two looks at the text that are alike: what is read in the pool, such as
    the network of this machine, may come in between."""
    got = []

    def attempt():
        before = text_samples(get(watching, TEXT)[1].decode())
        got[:] = [*get(watching, accept), before]
        return before == text_samples(get(watching, TEXT)[1].decode())
    wait_until(attempt, 60, "two looks at the text are alike")
    return got


def test_openmetrics_is_read_by_the_strict_parser_and_tells_the_same(quiet):
    kind, page, text = get_beside_text(quiet, OPENMETRICS)
    assert kind == OPENMETRICS
    families = list(parse_openmetrics(page.decode()))
    assert len({f.name for f in families}) == len(families) > 100
    samples = [s for f in families for s in f.samples]
    created = {s.name for s in samples if is_created(s.name)}
    assert {"mysqlconn_polls_created", "mysqlconn_probe_phase_duration_seconds_created"} <= created
    counters = {f.name for f in families if f.type in ("counter", "histogram")}
    assert {name.removesuffix("_created") for name in created} == counters
    openmetrics = of_targets((s.name, s.labels, s.value) for s in samples if not is_created(s.name))

    def canonical(found):  # le="1" and le="1.0" are one
        return {(n, tuple((k, float(v) if k == "le" else v) for k, v in l)): value for (n, l), value in found.items()}
    assert canonical(openmetrics) == canonical(text)
    assert HOSTILE in {s.labels.get("env") for s in samples}
    assert {f.unit for f in families} == {"", "seconds", "bytes"}
    shown = [s for s in samples if s.exemplar]
    assert {s.labels["phase"] for s in shown} >= {"connect", "greeting", "auth", "ping", "query", "quit"}
    for s in shown:
        assert s.exemplar.value <= float(s.labels["le"]) and int(s.exemplar.labels["connection_id"]) > 0


def native_histograms(families):
    """Those of db1's probes by phase."""
    phases, = [f for f in families if f.name == "mysqlconn_probe_phase_duration_seconds"]
    of = [(client_model.labels(m), m.histogram) for m in phases.metric]
    return {labels["phase"]: histogram for labels, histogram in of if labels["target"] == "db1"}


def test_protobuf_is_read_by_googles_library_and_tells_the_same(quiet):
    kind, page, text = get_beside_text(quiet, PROTOBUF)
    assert kind == PROTOBUF
    families = client_model.families(page)
    assert len({f.name for f in families}) == len(families) > 100
    found = []
    for family in families:
        for metric in family.metric:
            labels = client_model.labels(metric)
            one = next(field.name for field, _ in metric.ListFields() if field.name != "label")
            if one != "histogram":
                found.append((family.name, labels, getattr(metric, one).value))
                continue
            h = metric.histogram
            found += [(family.name + "_bucket", {**labels, "le": f"{b.upper_bound:g}"}, b.cumulative_count) for b in h.bucket]
            found += [(family.name + "_count", labels, h.sample_count), (family.name + "_sum", labels, h.sample_sum)]
            if h.HasField("schema"):
                assert h.zero_count + sum(count for _, count in client_model.native_buckets(h)) == h.sample_count
    protobuf = of_targets(found)
    wanted = {(n, tuple((k, f"{float(v):g}" if k == "le" else v) for k, v in l)): value
              for (n, l), value in text.items() if ("le", "+Inf") not in l}
    assert protobuf.keys() == wanted.keys()
    assert all(math.isclose(protobuf[key], wanted[key], rel_tol=1e-12) for key in wanted)
    connect = native_histograms(families)["connect"]
    assert connect.schema == 3 and connect.sample_count == 1 and connect.created_timestamp.seconds > 0
    (index, count), = client_model.native_buckets(connect)
    exemplar, = connect.exemplars
    assert count == 1 and 2 ** ((index - 1) / 8) < exemplar.value <= 2 ** (index / 8)


TYPES = {0: "counter", 1: "gauge", 3: "unknown", 4: "histogram"}  # of the .proto: OpenMetrics' names


def when(timestamp):
    return timestamp.seconds + timestamp.nanos / 1e9


def check_histogram(h):
    """Exemplars are in the bucket that they fell into; the native buckets tell the same as the classic ones, as far as bounds agree."""
    below, shown = 0, 0
    native = [((2 ** ((i - 1) / 8), 2 ** (i / 8)), count) for i, count in client_model.native_buckets(h)]
    for bucket in h.bucket:
        if bucket.HasField("exemplar"):
            assert below < bucket.exemplar.value <= bucket.upper_bound and when(bucket.exemplar.timestamp) > 0
            shown += 1
        below = bucket.upper_bound
        if h.HasField("schema"):
            surely = h.zero_count + sum(count for (_, upper), count in native if upper <= below)
            perhaps = h.zero_count + sum(count for (lower, _), count in native if lower < below)
            assert h.schema == 3 and surely <= bucket.cumulative_count <= perhaps
    assert shown <= 1
    return shown


def test_protobuf_has_all_that_openmetrics_has_besides_the_values(exporter, server, tmp_path):
    hostile = 'a\nb\\n"c'
    sd = tmp_path / "sd.json"
    sd.write_text(json.dumps([{"targets": ["127.0.0.1:1"], "labels": {"env": hostile}}]))
    known = target(server)
    watching = exporter({**QUICK, "credentials": known["credentials"], "file_sd": {"files": [str(sd)]}, "targets": [known]})
    watching.wait_for(lambda m: m.value("mysqlconn_probes_total", target="db1") >= 15, 30)

    def tell():
        return {f.name: (f.type, f.documentation, f.unit) for f in parse_openmetrics(get(watching, OPENMETRICS)[1].decode())}

    told = tell()
    created = {(s.name.removesuffix("_created"), tuple(sorted(s.labels.items()))): s.value for s in openmetrics(watching)
               if is_created(s.name)}
    families = client_model.families(get(watching, PROTOBUF)[1])
    found, found_created, shown, natives = {}, {}, 0, 0
    for f in families:
        name = f.name.removesuffix("_total") if TYPES[f.type] == "counter" else f.name
        found[name] = (TYPES[f.type], f.help, f.unit)
        for metric in f.metric:
            if TYPES[f.type] == "histogram":
                shown += check_histogram(metric.histogram)
                natives += len(metric.histogram.positive_span) > 1
            if TYPES[f.type] in ("counter", "histogram"):
                one = getattr(metric, TYPES[f.type])
                if one.HasField("created_timestamp"):
                    key = (name, tuple(sorted(client_model.labels(metric).items())))
                    found_created[key] = when(one.created_timestamp)
    later = tell()  # a family may come in between, with the first of what it counts
    assert {name: later.get(name) for name in found} == found and len(found) > 100
    assert set(told) - set(found) <= {"mysqlconn_target_down_info"}
    both = created.keys() & found_created.keys()
    assert len(both) > 100 and all(abs(created[key] - found_created[key]) < 1e-6 for key in both)
    assert shown >= 6 and natives >= 3
    assert hostile in {client_model.labels(m).get("env") for f in families for m in f.metric}


def openmetrics(watching):
    return [s for f in parse_openmetrics(get(watching, OPENMETRICS)[1].decode()) for s in f.samples]


def test_an_abort_shows_its_event_and_the_logs_counts_began_before_us(exporter, server, tmp_path):
    config = {**QUICK, "targets": [target(server, "db1", error_log={"file": server.error_log})]}
    args = [f"--storage.path={tmp_path}"]
    watching = exporter(config, args)
    watching.wait_for(lambda m: m.value("mysqlconn_aborts_unexplained_total", counter="Aborted_clients") == 0, 15)
    clients.leave_without_quit(server)
    watching.wait_for(lambda m: m.samples("mysqlconn_aborts_total", counter="Aborted_clients"), 15)
    event = json.loads(watching.get("/api/v1/events"))["data"]["events"][0]
    shown, = [s for s in openmetrics(watching) if s.name == "mysqlconn_aborts_total" and s.exemplar]
    assert shown.exemplar.labels == {"event_id": str(event["id"])} and shown.labels["cause"] == event["cause"]
    aborts, = [f for f in client_model.families(get(watching, PROTOBUF)[1]) if f.name == "mysqlconn_aborts_total"]
    shown, = [m.counter.exemplar for m in aborts.metric if m.counter.HasField("exemplar")]
    assert (client_model.labels(shown), shown.value) == ({"event_id": str(event["id"])}, 1)
    began = {s.name: s.value for s in openmetrics(watching) if s.name in ("mysqlconn_error_log_lines_created", "mysqlconn_polls_created")}
    watching.stop()
    again = {s.name: s.value for s in openmetrics(exporter(config, args))}
    assert again["mysqlconn_error_log_lines_created"] == began["mysqlconn_error_log_lines_created"]
    assert again["mysqlconn_polls_created"] > began["mysqlconn_polls_created"]


@pytest.mark.parametrize("accept", [TEXT, OPENMETRICS, PROTOBUF])
def test_gzip_holds_the_same_page(quiet, accept):
    def half(page):
        return page[:len(page) // 2 - 100]

    def look():
        plain, packed, again = get(quiet, accept)[1], get(quiet, accept, "gzip")[1], get(quiet, accept)[1]
        return (plain, packed) if again.startswith(half(plain)) else None
    plain, packed = wait_until(look, 20, "nothing happens between three pages")
    assert len(packed) < len(plain) / 4
    page = gzip.decompress(packed)
    assert page.startswith(half(plain)) and abs(len(page) - len(plain)) < 100


def test_gzip_and_the_page_for_people(quiet):
    request = urllib.request.Request(quiet.url + "/", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert b"</html>" in gzip.decompress(answer.read())


PROMETHEUS = {
    "2, as it asks": (("prometheus",), None, ()),
    "2, native": (("prometheus",), None, ("--enable-feature=native-histograms",)),
    "3, text": (None, {"scrape_protocols": ["PrometheusText0.0.4"]}, ()),
    "3, OpenMetrics": (None, {"scrape_protocols": ["OpenMetricsText1.0.0"]}, ()),
    "3, protobuf": (None, {"scrape_protocols": ["PrometheusProto"]}, ("--enable-feature=native-histograms",)),
}


class Durations:
    """Each probe's phases one by one, by the connection ids of the exemplars."""

    def __init__(self):
        self.seen = {}  # phase -> connection id -> (how many the histogram held when it was first seen, seconds)

    def look(self, watching):
        page = [s for s in openmetrics(watching) if s.name.startswith("mysqlconn_probe_phase_duration_seconds_")]
        counts = {s.labels["phase"]: s.value for s in page if s.name.endswith("_count")}
        for s in page:
            if s.exemplar:
                phase = s.labels["phase"]
                known = self.seen.setdefault(phase, {}).setdefault(s.exemplar.labels["connection_id"], (counts[phase], s.exemplar.value))
                assert known[1] == s.exemplar.value, "another probe's"
        return max(map(len, self.seen.values()), default=0)

    def sorted(self, phase, count):
        """Of the first `count` probes, as far as they were seen."""
        return sorted(seconds for held, seconds in self.seen[phase].values() if held <= count)


def test_an_exemplar_is_of_the_probe_whose_id_it_has(exporter, server):
    """Also while the next one is under way, as it mostly is here."""
    probe = {"interval": "400ms", "timeout": "400ms", "modules": ["held"]}
    watching = exporter({"modules": {"held": {"hold": "300ms"}}, "targets": [{**target(server), "probe": probe}]})
    durations = Durations()
    wait_until(lambda: durations.look(watching) >= 3, 10, "three probes", step=0.02)


@pytest.mark.parametrize("which", PROMETHEUS)
def test_prometheus_stores_it(exporter, server, which, figure):
    command, scrape, args = PROMETHEUS[which]
    watching = exporter({**QUICK, "targets": [target(server, "db1", labels={"env": HOSTILE})]})
    durations = Durations()
    with Prometheus(f"127.0.0.1:{watching.port}", 1, command or prometheus_3(), scrape, args) as prometheus:
        wait_until(lambda: durations.look(watching) >= 30, 30, "30 probes", step=0.03)
        value = 'mysqlconn_probes_total{target="db1"}'
        wait_until(lambda: any(v >= 30 for _, v in prometheus.query(value)), 10, "Prometheus has them", step=0.1)
        (labels, up), = prometheus.query("up")
        (labels, _), = prometheus.query(value)
        assert up == 1 and labels["env"] == HOSTILE
        assert not prometheus.warnings()
        if not args:
            assert prometheus.query('mysqlconn_probe_phase_duration_seconds_bucket{phase="connect"}')
            return
        worst, bounds, now = 1, [], time.time()
        # A scrape that began before `now` may be stored after it: what is asked `@ now` stands still with the next one only.
        wait_until(lambda: prometheus.query(f"timestamp({value})")[0][1] > now, 20, "a scrape that is younger", step=0.1)
        for phase in ("connect", "auth", "query"):
            stored = f'mysqlconn_probe_phase_duration_seconds{{phase="{phase}"}} @ {now:.3f}'
            count = prometheus.query(f"histogram_count({stored})")
            assert count and count[0][1] >= 28, "no native histogram was stored"
            exact = durations.sorted(phase, int(count[0][1]))
            missed = int(count[0][1]) - len(exact)
            assert 0 <= missed <= count[0][1] / 2  # on a busy machine; more of them make the bounds below wider
            # Durations far apart (a busy machine) take more buckets than there may be: then each is twice as wide.
            bounds.append(2 ** 2 ** -native_histograms(client_model.families(get(watching, PROTOBUF)[1]))[phase].schema)
            for q in (0.25, 0.5, 0.9):
                (_, estimate), = prometheus.query(f"histogram_quantile({q}, {stored})")
                at = math.ceil(q * count[0][1]) - 1
                # Of those that were missed all may be smaller, or none: the true one is between these two.
                least = exact[at - missed] if at >= missed else 0
                most = exact[at] if at < len(exact) else math.inf
                off = max(1, least / estimate, estimate / most)
                assert off <= bounds[-1] * (1 + 1e-9), (phase, q, estimate, exact)
                worst = max(worst, off)
        figure(f"{count[0][1]:.0f} probes, {missed} not seen one by one; worst quantile is off by {(worst - 1) * 100:.1f} %"
               f" (schema: {(max(bounds) - 1) * 100:.1f} %)")
