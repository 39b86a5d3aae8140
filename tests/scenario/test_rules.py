"""The rules: Prometheus 2 and 3 take them, each alert fires when it should and not when it should not (tests/rules, `promtool test
rules`), and they ask for nothing that we do not have."""

import functools
import glob
import json
import os
import re
import subprocess

import pytest
import yaml

from lib import catalogue, promql
from lib.prometheus import promtool_3

TOP = catalogue.TOP
RULES = [f"{TOP}/alerts/recording.yml", f"{TOP}/alerts/alerts.yml"]
CASES = sorted(f"{TOP}/tests/rules/{name}" for name in os.listdir(f"{TOP}/tests/rules") if name.endswith(".yml"))
DASHBOARDS = {"mysqlconn-fleet", "mysqlconn-target", "mysqlconn-clients", "mysqlconn-exporter"}
QUERY = re.compile(r"printf `([^`]*)`")


@functools.cache
def load(path):
    with open(path, encoding="utf-8") as f:
        return yaml.load(f, yaml.CSafeLoader)


def all_rules():
    return [rule for path in RULES for group in load(path)["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in all_rules() if "alert" in rule}
RECORDED = {rule["record"]: rule for rule in all_rules() if "record" in rule}


@pytest.fixture(scope="module")
def promtools():
    return {"2": ["promtool"], "3": promtool_3()}


def read(expression):
    """The promql.Query of a rule, or of a query inside a text."""
    return promql.read(expression.replace("%q", '""'), bare=True)


def metrics(expression):
    return {selector.metric for selector in read(expression).selectors}


def queries(rules):
    """(rule, expression) of rules and of what their texts look up."""
    for rule in rules:
        name = rule.get("alert") or rule["record"]
        yield name, rule["expr"]
        for text in rule.get("annotations", {}).values():
            yield from ((name, query) for query in QUERY.findall(text))


def labels_of(metric):
    """The labels of a metric; of a recorded one all that those have which it is made from."""
    family = catalogue.samples(catalogue.families()).get(metric)
    if family or metric == "up":
        return {"job", "instance"} | (family.labels if family else set())
    assert metric in RECORDED, f"{metric} is neither in the catalogue nor recorded"
    return {"job", "instance", "target"}.union(*(labels_of(m) for m in metrics(RECORDED[metric]["expr"])))


def test_both_take_the_rules(promtools):
    for command in promtools.values():
        checked = subprocess.run([*command, "check", "rules", "--lint=all", "--lint-fatal", *RULES], capture_output=True, text=True,
                                 check=False, timeout=60)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def cases():
    """(file, test) of all there are."""
    for path in CASES:
        for case in load(path)["tests"]:
            yield path, case


def needed(case, rules):
    """Of the rules those that the case is about, and what they are made from."""
    by_name = {rule.get("alert") or rule["record"]: rule for group in rules for rule in group["rules"]}
    wanted, found = [check["alertname"] for check in case.get("alert_rule_test", [])], set()
    wanted += [metric for check in case.get("promql_expr_test", []) for metric in metrics(check["expr"])]
    while wanted:
        name = wanted.pop()
        if name in by_name and name not in found:
            found.add(name)
            wanted += [metric for _, query in queries([by_name[name]]) for metric in metrics(query)]
    return [{**group, "rules": [r for r in group["rules"] if (r.get("alert") or r["record"]) in found]} for group in rules]


def run_cases(command, folder, change=lambda rule, case: rule, chosen=None):
    """promtool's output, and whether all is as expected. Each case is run with the rules that it needs only: all of them at each
    minute would take ten times as long."""
    files = []
    for path, case in chosen or cases():
        file = load(path)
        rules = [group for name in file["rule_files"] for group in load(f"{TOP}/alerts/{os.path.basename(name)}")["groups"]]
        rules = [{**group, "rules": [change(dict(rule), case) for rule in group["rules"]]} for group in needed(case, rules)]
        name = f"{len(files)}.yml"
        (folder / f"rules-{name}").write_text(json.dumps({"groups": rules}))
        (folder / f"case-{name}").write_text(json.dumps({**file, "rule_files": [f"rules-{name}"], "tests": [case]}))
        files.append(str(folder / f"case-{name}"))
    ran = subprocess.run([*command, "test", "rules", *files], capture_output=True, text=True, check=False, timeout=300)
    return ran.stdout + ran.stderr, ran.returncode == 0


@pytest.mark.parametrize("version", ["2", "3"])
def test_each_alert_fires_when_it_should_and_only_then(promtools, version, tmp_path):
    output, good = run_cases(promtools[version], tmp_path)
    assert good, output


def checks():
    return [check for _, case in cases() for check in case.get("alert_rule_test", [])]


def test_each_alert_has_cases_of_both_kinds():
    fired = {check["alertname"] for check in checks() if check["exp_alerts"]}
    silent = {check["alertname"] for check in checks() if not check["exp_alerts"]}
    assert fired == set(ALERTS) and silent == set(ALERTS)
    for check in checks():
        for alert in check["exp_alerts"]:
            assert alert.get("exp_annotations", {}).keys() == ALERTS[check["alertname"]]["annotations"].keys(), check


def test_each_alert_would_fire_without_what_holds_it_back(promtools, tmp_path):
    """Without patience and with thresholds that nothing falls short of, each alert fires in one of the cases in which it must not."""
    def unleash(rule, _case):
        rule.pop("for", None)
        if rule.get("record", "").endswith(":threshold"):
            # One day before its end a certificate's alert is another: there its threshold is in between.
            below = {"certificate_expires_seconds": "8e6", "certificate_expires_soon_seconds": "1e12", "connection_lifetime_seconds": "1e12"}
            rule["expr"] = f"vector({below.get(rule['record'].split(':')[1], 0)})"
        rule["expr"] = re.sub(r" > 0$", " >= 0", rule["expr"], flags=re.M)
        return rule

    output, _ = run_cases(promtools["2"], tmp_path, unleash)
    fired = set(re.findall(r"alertname: (\w+), time: \S+,\s+exp:\[\],?\s+got:\[\s+0:", output))
    assert fired == set(ALERTS), set(ALERTS) - fired


def minutes(duration):
    return sum(int(n) * {"d": 1440, "h": 60, "m": 1}[unit] for n, unit in re.findall(r"(\d+)([dhm])", str(duration)))


def keeping():
    """(file, test) for each alert that is kept: it fires, from then on there is no reason for it any more, and it goes on so long."""
    done = set()
    for path, case in cases():
        for check in case.get("alert_rule_test", []):
            name = check["alertname"]
            if check["exp_alerts"] and name not in done and "keep_firing_for" in ALERTS[name]:
                done.add(name)
                ends, step = minutes(check["eval_time"]), minutes(load(path)["evaluation_interval"])
                kept = ends + minutes(ALERTS[name]["keep_firing_for"])
                checks = [{**check, "eval_time": f"{ends}m"}, {**check, "eval_time": f"{kept}m"},
                          {"alertname": name, "eval_time": f"{kept + step}m", "exp_alerts": []}]
                yield path, {**case, "alert_rule_test": checks, "promql_expr_test": []}


@pytest.mark.parametrize("version", ["2", "3"])
def test_each_alert_is_kept_for_a_while(promtools, version, tmp_path):
    """What comes and goes is one alert; only what is told once is not kept."""
    assert {name for name, rule in ALERTS.items() if "keep_firing_for" not in rule} == {"MysqlConnServerRestarted"}
    assert all(minutes(rule["keep_firing_for"]) >= 5 for rule in ALERTS.values() if "keep_firing_for" in rule)
    chosen = list(keeping())
    assert len(chosen) == len(ALERTS) - 1

    def end(rule, case):
        if "alert" in rule:
            last = 60 * minutes(case["alert_rule_test"][0]["eval_time"])
            rule["expr"] = f"({rule['expr']}) and on () (vector(time()) <= {last})"
        return rule

    output, good = run_cases(promtools[version], tmp_path, end, chosen)
    assert good, output


def test_the_form_of_alerts():
    for name, rule in ALERTS.items():
        assert re.fullmatch(r"MysqlConn([A-Z][a-z]+)+", name)
        assert rule["labels"].keys() == {"severity"} and rule["labels"]["severity"] in ("critical", "warning", "info"), name
        texts = rule["annotations"]
        assert list(texts) == ["summary", "description", "runbook_url", "dashboard_url"], name
        assert "{{" not in texts["summary"] and texts["summary"].endswith("."), name
        assert texts["runbook_url"] == f"https://runbooks.example/alerts/runbooks.md#{name.lower()}"
        uid, _, variables = texts["dashboard_url"].removeprefix("https://grafana.example/d/").partition("?")
        assert uid in DASHBOARDS, name
        for variable in variables.split("&") if variables else []:
            assert re.fullmatch(r"var-(target|instance|cause|user)={{ \$labels\.\1 \| urlquery }}", variable), name
        if rule["labels"]["severity"] == "critical":
            assert "for" in rule or "[1h]" in rule["expr"], f"{name} wakes somebody at once"


def test_one_burst_does_not_outlast_the_patience():
    """What counts over a window holds for as long as the window, so that it takes more than one burst."""
    spans = {"5m": 5, "15m": 15, "1h": 60}
    recorded = dict(RECORDED)
    for name, rule in ALERTS.items():
        if name in ("MysqlConnServerRestarted", "MysqlConnServerRestartLoop", "MysqlConnProbeFailing", "MysqlConnLogLosesLines"):
            continue  # information; several of what is none at once; a share of the window; a day, and several
        expressions = [rule["expr"]] + [recorded[m]["expr"] for m in metrics(rule["expr"]) if m in recorded]
        windows = [spans[w] for e in expressions if "_threshold" not in e for w in re.findall(r"increase\([^[]*\[(\w+)\]", e)]
        held = re.fullmatch(r"(\d+)(m|h)", rule.get("for", "0m"))
        assert int(held[1]) * (60 if held[2] == "h" else 1) >= max(windows, default=0), name


def test_thresholds_are_in_one_place_and_used():
    group, = (g for g in load(RULES[0])["groups"] if g["name"] == "mysqlconn-thresholds")
    assert all(re.fullmatch(r"mysqlconn:\w+:threshold", r["record"]) and r["expr"].startswith("vector(") for r in group["rules"])
    listed = {rule["record"] for rule in group["rules"]}
    used = {m for _, e in queries(all_rules()) for m in metrics(e) if m.endswith(":threshold")}
    assert used == listed
    with open(RULES[0], encoding="utf-8") as f:
        text = f.read()
    for name in ALERTS:
        compares = [m for m in metrics(ALERTS[name]["expr"]) if m.endswith(":threshold")]
        if compares and not name.endswith(("Missing", "Absent")):
            assert name in text, f"the comments of the thresholds do not name {name}"
    for name, expression in queries(all_rules()):  # no number is compared with but nothing, all and no
        assert not re.search(r"[<>=]=?\s*(?!0\b|1\b)[\d.]+", re.sub(r'"[^"]*"', "", expression)) or name in listed, name


def test_a_threshold_of_ones_own_for_some_targets(promtools, tmp_path):
    """As README.md has it: ours is dropped for these, and for no others, and the other one is not."""
    with open(f"{TOP}/alerts/README.md", encoding="utf-8") as f:
        blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", f.read(), re.S)]
    own, = (block for block in blocks if "groups" in block)
    config, = (block for block in blocks if "alerting" in block)
    alert, = own["groups"][0]["rules"]
    relabel, = config["alerting"]["alert_relabel_configs"]
    (tmp_path / "own.yml").write_text(json.dumps(own))
    (tmp_path / "prometheus.yml").write_text(json.dumps({**config, "rule_files": ["own.yml"]}))
    for command in promtools.values():
        checked = subprocess.run([*command, "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False,
                                 timeout=60)
        assert checked.returncode == 0 and "1 rules found" in checked.stdout, checked.stdout + checked.stderr
    assert alert["alert"] in ALERTS and relabel["action"] == "drop"
    assert {s.metric for s in read(alert["expr"]).selectors} <= metrics(ALERTS[alert["alert"]]["expr"])

    def dropped(**labels):
        values = {"alertname": alert["alert"], **labels}
        return bool(re.fullmatch(relabel["regex"], ";".join(values.get(name, "") for name in relabel["source_labels"])))
    assert dropped(target="db7") and not dropped(target="db1")
    assert not dropped(target="db7", alertname="MysqlConnTargetDown")
    assert not dropped(target="db7", **{name: value for name, value in alert["labels"].items() if name != "severity"})


def in_runbooks():
    """(section, query) of the runbooks."""
    with open(f"{TOP}/alerts/runbooks.md", encoding="utf-8") as f:
        for section in f.read().split("\n## ")[1:]:
            for block in re.findall(r"```promql\n(.*?)```", section, re.S):
                yield from ((section.split("\n")[0], line) for line in block.splitlines())


def test_queries_of_runbooks_are_some(promtools, tmp_path):
    rules = [{"record": f"runbook:query{i}:x", "expr": query} for i, (_, query) in enumerate(in_runbooks())]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "runbooks", "rules": rules}]}))
    checked = subprocess.run([*promtools["2"], "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, check=False,
                             timeout=60)
    assert checked.returncode == 0 and len(rules) > 60, checked.stdout + checked.stderr


def test_rules_name_only_what_there_is():
    values = {"cause": catalogue.causes(), "rule": catalogue.advice_rules(), "phase": catalogue.phases()}
    said = set()  # what the program can say in other labels
    for path in glob.glob(f"{TOP}/src/*/*.[ch]"):
        with open(path, encoding="utf-8") as f:
            said.update(re.findall(r'"(\w+)"', f.read()))
    for name, expression in [*queries(all_rules()), *in_runbooks()]:
        query, labels = read(expression), set()
        for selector in query.selectors:
            if selector.metric.endswith(":threshold"):
                assert selector.metric in RECORDED, f"{name}: {selector.metric}"
                continue
            has = labels_of(selector.metric)
            labels |= has
            for label, _, value in selector.matchers:
                assert label in has, f"{name}: {selector.metric} has no label {label}"
                if value and label not in ("target", "instance"):
                    assert set(value.split("|")) <= set(values.get(label, said)), f"{name}: {label} {value}"
        assert query.labels <= labels, f"{name}: {query.labels - labels}"
