"""The dashboards hold together: what they ask for is what we have, they ask in the right way, they lead to each other, and they are
what Grafana's classic format is."""

import copy
import glob
import itertools
import json
import os
import re
import subprocess

import jsonschema
import pytest

from lib import catalogue, promql

TOP = catalogue.TOP
UIDS = {"fleet": "mysqlconn-fleet", "target": "mysqlconn-target", "clients": "mysqlconn-clients", "exporter": "mysqlconn-exporter"}
KINDS = {"stat", "timeseries", "table", "state-timeline", "bargauge", "heatmap", "row"}  # Grafana's own, and no old ones
VARIABLES = ["datasource", "job", "instance", "target"]
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# What Prometheus itself knows of each scrape.
OF_PROMETHEUS = {"up", "scrape_duration_seconds", "scrape_samples_scraped"}
FOLLOWS = [("job", "=~", "$job"), ("instance", "=~", "$instance")]
FOLLOWS_TARGET = ("target", "=~", "$target")
RATES = {"rate", "increase"}
OVER_TIME = {"changes", "resets", "last_over_time", "max_over_time"}
# mysqld_exporter calls all of SHOW GLOBAL STATUS untyped; these go up and down.
STATUS_GAUGES = re.compile(r"mysql_global_status_(threads_(connected|running|cached)|threadpool_.*|max_used_connections|uptime.*|"
                           r"global_connection_memory)$")
# A counter that came into being since `offset`, at which its target was watched: it began at zero (source/grafana.py).
BEGAN = re.compile(r"(?P<counter>\w+\{[^}]*\}) unless (?P=counter) offset (?P<window>\S+)"
                   r" and ignoring \((?P<labels>[^)]*)\) mysqlconn_polls_total\{[^}]*\} offset (?P=window)")


@pytest.fixture(scope="module")
def known():
    """{sample name: family}."""
    return catalogue.samples(catalogue.families())


def load():
    found = {}
    for name in UIDS:
        with open(f"{TOP}/dashboards/{name}.json", encoding="utf-8") as f:
            found[name] = json.load(f)
    return found


def panels_of(dashboard):
    """Each with the panels of collapsed rows, which are drawn when they are opened."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


# --- structure -------------------------------------------------------------------------------------------------------

def about_structure(dashboard):
    if not 39 <= dashboard["schemaVersion"] <= 42:
        yield f"schemaVersion {dashboard['schemaVersion']}"
    if not dashboard["title"] or not dashboard["description"] or dashboard.get("id") is not None:
        yield "title, description or id"
    ids = [panel["id"] for panel in panels_of(dashboard)]
    if len(set(ids)) != len(ids):
        yield "ids are not unique"
    for panel in panels_of(dashboard):
        for problem in about_panel(panel):
            yield f"panel {panel['title']!r}: {problem}"
    titles = [panel["title"] for panel in panels_of(dashboard)]
    if len(set(titles)) != len(titles):
        yield "titles are not unique"


def about_panel(panel):
    if panel["type"] not in KINDS:
        yield f"type {panel['type']}"
    if not panel["title"]:
        yield "no title"
    if panel["type"] == "row":
        return
    defaults = panel["fieldConfig"]["defaults"]
    if len(panel["description"]) < 10:
        yield "no description"
    if not defaults.get("unit"):
        yield "no unit"
    if not defaults.get("noValue"):
        yield "says nothing where there is nothing"
    if panel["type"] in ("stat", "timeseries", "bargauge", "state-timeline") and not defaults["thresholds"]["steps"]:
        yield "no thresholds"
    if panel["datasource"] != DATASOURCE or any(target["datasource"] != DATASOURCE for target in panel["targets"]):
        yield "another data source than ${datasource}"
    ids = [target["refId"] for target in panel["targets"]]
    if len(set(ids)) != len(ids) or not ids:
        yield f"refIds {ids}"


def about_grid(panels):
    places = [(panel["title"], panel["gridPos"]) for panel in panels]
    for title, p in places:
        if p["x"] < 0 or p["y"] < 0 or p["w"] < 1 or p["h"] < 1 or p["x"] + p["w"] > 24:
            yield f"panel {title!r} lies outside of 24 columns"
    for (one, a), (other, b) in itertools.combinations(places, 2):
        if a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]:
            yield f"panels {one!r} and {other!r} overlap"


# --- schemas ---------------------------------------------------------------------------------------------------------

def without_nulls(value):
    """Grafana takes null as "not set", except in thresholds."""
    if isinstance(value, list):
        return [without_nulls(v) for v in value]
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None or k == "value"}
    return value


class Schemas:
    """Grafana's types, which refuse what they do not know."""

    def __init__(self):
        with open(f"{TOP}/tests/samples/grafana-schemas.json", encoding="utf-8") as f:
            self._validators = {name: jsonschema.Draft7Validator(schema) for name, schema in json.load(f).items() if name != "about"}

    def _problems(self, name, value):
        return [e.message[:300] for e in self._validators[name].iter_errors(without_nulls(value))]

    def about(self, dashboard):
        yield from self._problems("dashboard.Dashboard", {k: v for k, v in dashboard.items() if k != "panels"})
        for panel in panels_of(dashboard):
            yield from (f"panel {panel['title']!r}: {problem}" for problem in self._about_panel(panel))

    def _about_panel(self, panel):
        if panel["type"] == "row":
            yield from self._problems("dashboard.RowPanel", {k: v for k, v in panel.items() if k != "panels"})
            return
        yield from self._problems("dashboard.Panel", {k: v for k, v in panel.items() if k not in ("targets", "options")})
        for target in panel["targets"]:
            yield from self._problems("prometheus.Dataquery", target)
        kind = panel["type"].replace("-", "")
        yield from self._problems(f"{kind}.Options", panel["options"])
        if "custom" in panel["fieldConfig"]["defaults"]:
            yield from self._problems(f"{kind}.FieldConfig", panel["fieldConfig"]["defaults"]["custom"])
        for prop in (p for o in panel["fieldConfig"]["overrides"] for p in o["properties"]):
            custom = prop["id"].startswith("custom.")
            schema = f"{kind}.FieldConfig" if custom else "dashboard.FieldConfig"
            if not prop["id"].startswith("custom.stacking."):
                yield from self._problems(schema, {prop["id"].removeprefix("custom."): prop["value"]})


# --- queries ---------------------------------------------------------------------------------------------------------

def about_queries(dashboard, known):
    for panel in panels_of(dashboard):
        for target in panel.get("targets", []):
            for problem in about_query(target["expr"], target["instant"], target["legendFormat"], known):
                yield f"panel {panel['title']!r} {target['refId']}: {problem}"
    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation:
            for problem in about_query(annotation["expr"], False, annotation["titleFormat"], known):
                yield f"annotation {annotation['name']!r}: {problem}"


def about_query(expr, instant, legend, known):
    plain = BEGAN.sub(lambda match: f"increase({match['counter']}[{match['window']}])", expr)
    for match in BEGAN.finditer(expr):
        name = match["counter"].partition("{")[0]
        own = known[name].labels - {"target"} | ({"le"} if name.endswith("_bucket") else set()) if name in known else set()
        if set(match["labels"].split(", ")) != own:
            yield f"{name} has besides its target's labels {sorted(own)}"
    if "offset" in plain:
        yield f"offset without need: {plain}"
    query = promql.read(plain)
    labels = {"job", "instance"}
    for selector in query.selectors:
        family = known.get(selector.metric)
        if family is None and selector.metric not in OF_PROMETHEUS:
            yield f"{selector.metric} is not in the catalogue"
            continue
        has = {"job", "instance"} | (family.labels if family else set()) | ({"le"} if selector.metric.endswith("_bucket") else set())
        labels |= has
        yield from about_selector(selector, has)
        yield from about_use(selector, family, instant)
    made = set(re.findall(r'label_replace\(.*?, "(\w+)", "[^"]*", "\w+", "[^"]*"\)', expr))
    for label in sorted((query.labels | set(re.findall(r"\{\{(\w+)\}\}", legend))) - labels - made):
        yield f"no metric of it has the label {label}"


def about_selector(selector, has):
    wanted = FOLLOWS + ([FOLLOWS_TARGET] if "target" in has else [])
    for matcher in wanted:
        if matcher not in selector.matchers:
            yield f"{selector.metric} does not follow ${matcher[0]}"
    values = {"cause": catalogue.causes(), "phase": catalogue.phases(), "rule": catalogue.advice_rules()}
    for label, operator, value in selector.matchers:
        if label not in has:
            yield f"{selector.metric} has no label {label}"
        elif label in values and not value.startswith("$"):
            for one in value.split("|") if "~" in operator else [value]:
                if one not in values[label]:
                    yield f"there is no {label} {one}"


def about_use(selector, family, instant):
    counts = family is not None and (
        family.type == "counter" or selector.metric.startswith("mysql_global_status_") and family.type == "untyped"
        and not STATUS_GAUGES.match(selector.metric)
        or family.type == "histogram" and "without rate()" not in family.meaning)
    if counts and selector.function not in RATES:
        yield f"the counter {selector.metric} without rate() or increase()"
    if not counts and selector.function in RATES:
        yield f"{selector.function}() of {selector.metric}, which is no counter"
    if bool(selector.range) != (selector.function in RATES | OVER_TIME):
        yield f"{selector.metric} with the range [{selector.range}] in {selector.function}()"
    if selector.range and selector.range != "$__rate_interval" and not (
            selector.range == "$__range" and (instant or selector.function == "last_over_time")):
        yield f"{selector.metric} over [{selector.range}]"


def about_processes(dashboard):
    """Metrics that other programs have, too, are taken of those alone that have ours."""
    for panel in panels_of(dashboard):
        for target in panel.get("targets", []):
            if re.search(r"\b(process_\w+|up|scrape_\w+)\{", target["expr"]) and not re.search(
                    r"and on \(job, instance\) (last_over_time\()?mysqlconn_exporter_build_info\{", target["expr"]):
                yield f"panel {panel['title']!r}: also of other programs: {target['expr']}"


# --- variables and ways between --------------------------------------------------------------------------------------

def about_variables(dashboard):
    variables = {v["name"]: v for v in dashboard["templating"]["list"]}
    if list(variables)[:4] != VARIABLES:
        yield f"variables {list(variables)}"
    for name, v in variables.items():
        if name == "datasource":
            if (v["type"], v["query"]) != ("datasource", "prometheus"):
                yield "datasource is not one of Prometheus"
        elif not (v["includeAll"] and v["multi"] and v.get("allValue") and v["refresh"] == 2 and v["datasource"] == DATASOURCE):
            yield f"variable {name}"
        elif not re.fullmatch(rf"label_values\((\w+)(\{{.*\}})?, {name}\)", v["query"]["query"]):
            yield f"variable {name}: {v['query']['query']}"
    annotations = [a["name"] for a in dashboard["annotations"]["list"]]
    for wanted in ("Server restarts", "Exporter restarts", "Configuration reloads"):
        if wanted not in annotations:
            yield f"no annotation {wanted!r}"


def data_links(dashboard):
    for panel in panels_of(dashboard):
        if panel["type"] != "row":
            yield from panel["fieldConfig"]["defaults"].get("links", [])
            for override in panel["fieldConfig"]["overrides"]:
                for prop in override["properties"]:
                    if prop["id"] == "links":
                        yield from prop["value"]


def about_links(dashboard, all_dashboards):
    by_uid = {d["uid"]: d for d in all_dashboards.values()}
    for link in dashboard["links"]:
        if link["url"].removeprefix("/d/") not in by_uid or not link["includeVars"] or not link["keepTime"]:
            yield f"link {link['title']!r}"
    for uid in by_uid:
        if uid != dashboard["uid"] and f"/d/{uid}" not in [link["url"] for link in dashboard["links"]]:
            yield f"no link to {uid}"
    for link in data_links(dashboard):
        match = re.fullmatch(r"/d/([\w-]+)\?(.*)", link["url"])
        if not match or match[1] not in by_uid:
            yield f"link {link['title']!r} leads nowhere: {link['url']}"
            continue
        kept = match[2].split("&")
        there = [v["name"] for v in by_uid[match[1]]["templating"]["list"]]
        for needed in ("${__url_time_range}", "${datasource:queryparam}"):
            if needed not in kept:
                yield f"link {link['title']!r} does not keep {needed}"
        for name in VARIABLES[1:]:
            if f"${{{name}:queryparam}}" not in kept and not any(k.startswith(f"var-{name}=") for k in kept):
                yield f"link {link['title']!r} does not keep {name}"
        for name in re.findall(r"var-(\w+)=", match[2]):
            if name not in there:
                yield f"link {link['title']!r}: {match[1]} has no variable {name}"


def about_colours(all_dashboards):
    """One cause, one phase has one colour wherever it is."""
    colours = {}
    for name, dashboard in all_dashboards.items():
        for panel in panels_of(dashboard):
            legends = [t["legendFormat"] for t in panel.get("targets", [])]
            own = {o["matcher"]["options"]: p["value"].get("fixedColor") for o in panel.get("fieldConfig", {}).get("overrides", [])
                   for p in o["properties"] if p["id"] == "color"}
            for legend, names in (("{{cause}}", catalogue.causes()), ("{{phase}}", catalogue.phases())):
                if legend in legends:
                    for value in names:
                        if value not in own:
                            yield f"{name}, panel {panel['title']!r}: no colour for {value}"
                        elif colours.setdefault((legend, value), own[value]) != own[value]:
                            yield f"{name}, panel {panel['title']!r}: another colour for {value}"


def problems(all_dashboards, known):
    for name, dashboard in all_dashboards.items():
        found = itertools.chain(
            [] if dashboard["uid"] == UIDS[name] else [f"uid {dashboard['uid']}"], about_structure(dashboard),
            about_grid(dashboard["panels"]), *(about_grid(p["panels"]) for p in dashboard["panels"] if p.get("panels")),
            about_variables(dashboard), about_queries(dashboard, known), about_processes(dashboard),
            about_links(dashboard, all_dashboards))
        yield from (f"{name}: {problem}" for problem in found)
    yield from about_colours(all_dashboards)


# --- the tests -------------------------------------------------------------------------------------------------------

def test_they_are_what_their_source_makes():
    done = subprocess.run([f"{TOP}/dashboards/make-dashboards", "--check"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert sorted(os.path.basename(f) for f in glob.glob(f"{TOP}/dashboards/*.json")) == sorted(f"{name}.json" for name in UIDS)


def test_nothing_is_wrong_with_them(known):
    assert not list(problems(load(), known))


def _query(dashboard, change):
    target = next(t for p in panels_of(dashboard) for t in p.get("targets", []) if "rate(" in t["expr"] and not t["instant"])
    target["expr"] = change(target["expr"])


def _panel(dashboard, **change):
    next(p for p in dashboard["panels"] if p["type"] == "timeseries").update(change)


def _link(dashboard, old, new):
    next(data_links(dashboard)).update(url=next(data_links(dashboard))["url"].replace(old, new))


FAULTS = {
    "type graph": lambda d: _panel(d, type="graph"),
    "no description": lambda d: _panel(d, description=""),
    "outside of 24": lambda d: _panel(d, gridPos={"x": 20, "y": 0, "w": 8, "h": 1}),
    "overlap": lambda d: _panel(d, gridPos={"x": 0, "y": 0, "w": 8, "h": 1}),
    "ids are not unique": lambda d: _panel(d, id=1),
    "refIds": lambda d: _panel(d, targets=[]),
    "another data source": lambda d: _panel(d, datasource={"type": "prometheus", "uid": "prometheus"}),
    "no unit": lambda d: _panel(d, fieldConfig={"defaults": {"noValue": "-", "thresholds": {"steps": [1]}}, "overrides": []}),
    "is not in the catalogue": lambda d: _query(d, lambda e: re.sub(r"mysqlconn_(\w+)", r"mysqlcon_\1", e)),
    "no label": lambda d: _query(d, lambda e: e.replace("{", '{colour="red", ')),
    "does not follow $job": lambda d: _query(d, lambda e: e.replace('job=~"$job", ', "")),
    "does not follow $target": lambda d: _query(d, lambda e: e.replace(', target=~"$target"', "")),
    "without rate() or increase()": lambda d: _query(d, lambda e: re.sub(r"rate\((.*?)\[\$__rate_interval\]\)", r"(\1)", e)),
    "besides its target's labels": lambda d: _query(d, lambda e: e.replace("ignoring (counter, cause)", "ignoring (cause)")),
    "over [5m]": lambda d: _query(d, lambda e: e.replace("[$__rate_interval]", "[5m]")),
    "which is no counter": lambda d: _query(d, lambda e: re.sub(r"\w+\{", "mysqlconn_probe_success{", e)),
    "has the label colour": lambda d: _query(d, lambda e: f"sum by (colour) ({e})"),
    "also of other programs": lambda d: _query(d, lambda e: 'up{job=~"$job", instance=~"$instance"}'),
    "leads nowhere": lambda d: _link(d, "/d/mysqlconn", "/d/mysqlcon"),
    "does not keep ${__url_time_range}": lambda d: _link(d, "${__url_time_range}", ""),
    "does not keep job": lambda d: _link(d, "${job:queryparam}", ""),
    "no link to": lambda d: d["links"].pop(),
    "variable target": lambda d: d["templating"]["list"][3].update(allValue=None),
    "no annotation": lambda d: d["annotations"]["list"].pop(),
    "schemaVersion": lambda d: d.update(schemaVersion=16),
}


@pytest.mark.parametrize("told", FAULTS)
def test_a_fault_is_told(known, told):
    changed = copy.deepcopy(load())
    FAULTS[told](changed["target"])
    assert any(told in problem for problem in problems(changed, known)), f"nobody says {told}"


def test_grafanas_types_know_all_of_it():
    schemas = Schemas()
    assert not [f"{name}: {problem}" for name, dashboard in load().items() for problem in schemas.about(dashboard)]
    for change in ({"options": {"legend": {"displayMode": "sheet"}}}, {"colour": "red"}, {"fieldConfig": {"defaults": {"unit": 5}, "overrides": []}},
                   {"fieldConfig": {"defaults": {"custom": {"drawStyle": "curve"}}, "overrides": []}},
                   {"gridPos": {"x": "0", "y": 0, "w": 1, "h": 1}}):
        dashboard = load()["fleet"]
        _panel(dashboard, **change)
        assert list(schemas.about(dashboard)), f"nobody says what is wrong with {change}"


def test_colours_are_looked_at():
    changed = load()
    panel = next(p for p in panels_of(changed["fleet"]) if any(t["legendFormat"] == "{{cause}}" for t in p.get("targets", [])))
    override = next(o for o in panel["fieldConfig"]["overrides"] if o["matcher"]["options"] == "killed")
    override["properties"][0]["value"]["fixedColor"] = "#123456"
    assert any("colour for killed" in problem for problem in about_colours(changed))


VALUES = {"$__rate_interval_ms": "300000", "$__rate_interval": "5m", "$__range": "1h", "$job": ".*", "$instance": ".*", "$target": ".+",
          "$cause": ".*", "$user": ".*"}


def test_prometheus_can_read_every_query(tmp_path):
    queries = [t["expr"] for d in load().values() for p in panels_of(d) for t in p.get("targets", [])]
    queries += [a["expr"] for d in load().values() for a in d["annotations"]["list"] if "expr" in a]
    for name, value in VALUES.items():
        queries = [q.replace(name, value) for q in queries]
    assert not [q for q in queries if re.search(r"\$[a-z_{]", q)], "a variable that nobody has"
    rules = [{"record": f"dashboard:query:{i}", "expr": q} for i, q in enumerate(queries)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout
    assert f"{len(rules)} rules found" in done.stdout, done.stdout
