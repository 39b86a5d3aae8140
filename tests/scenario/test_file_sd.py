"""Targets out of file_sd files, as Prometheus reads them: they come, change and go with their file, a bad one changes nothing,
and /sd gives what is watched in the form of http_sd."""

import json
import os

import pytest

from lib.exporter import target
from lib.process import wait_until
from lib.prometheus import Prometheus


@pytest.fixture
def watching(exporter, server, tmp_path):
    """One whose targets are db1 and those of the files in tmp_path/sd."""
    (tmp_path / "sd").mkdir()
    known = target(server, "db1", labels={"env": "prod"})
    running = exporter({"credentials": known["credentials"], "modules": {"other": {"query": "SELECT 2"}},
                        "auth_modules": {"nobody": {"credentials": {"user": "nobody-knows", "password": "x"}}},
                        "file_sd": {"files": [str(tmp_path / "sd" / "*.yml"), str(tmp_path / "sd" / "*.json")]},
                        "poll": {"interval": "200ms", "timeout": "200ms"}, "targets": [known]})
    running.folder = tmp_path / "sd"
    return running


def put(watching, name, text):
    """As the tools do that write such files: a new one in the old one's place."""
    new = watching.folder / f".{name}.new"
    new.write_text(text if isinstance(text, str) else json.dumps(text, indent="\t"))
    os.rename(new, watching.folder / name)


def up(watching):
    return {labels["target"]: value for labels, value in watching.scrape().samples("mysql_up")}


def test_targets_come_change_and_go_with_their_file(watching, server):
    put(watching, "a.yml", f"- targets: ['{server.address}', '127.0.0.1:1']\n  labels: {{team: shop, job: x, __meta_y: z}}\n")
    metrics = watching.wait_for(lambda m: m.value("mysql_up", target=server.address) == 1 and m.down("127.0.0.1:1", "poll"), 10)
    (labels, _), = metrics.samples("mysql_up", target=server.address)
    assert labels == {"target": server.address, "team": "shop"}
    polls = metrics.value("mysqlconn_polls_total", target="db1")
    put(watching, "b.json", [{"targets": [server.address, "127.0.0.1:2"], "labels": {"team": "other"}}])
    metrics = watching.wait_for(lambda m: m.down("127.0.0.1:2", "poll"), 10)
    assert metrics.samples("mysql_up", target=server.address)[0][0]["team"] == "shop"  # whoever was first
    assert metrics.value("mysqlconn_exporter_file_sd_files") == 2 and metrics.value("mysqlconn_exporter_file_sd_targets") == 4
    assert metrics.value("mysqlconn_polls_total", target="db1") >= polls  # it was not started anew
    put(watching, "b.json", [{"targets": ["127.0.0.1:3"]}])
    watching.wait_for(lambda m: m.down("127.0.0.1:3", "poll") and not m.samples("mysql_up", target="127.0.0.1:2"), 10)
    os.unlink(watching.folder / "b.json")
    os.unlink(watching.folder / "a.yml")
    wait_until(lambda: set(up(watching)) == {"db1"}, 10, "their targets are gone")
    assert server.status("Aborted_clients") == 0


def test_labels_choose_module_and_account(watching, server):
    put(watching, "a.json", [{"targets": [server.address], "labels": {"__param_module": "other", "__param_auth_module": "nobody"}}])
    metrics = watching.wait_for(lambda m: m.down(server.address, "probe"), 10)
    assert metrics.down(server.address, "probe") == ("auth", "access_denied")
    assert metrics.value("mysqlconn_probes_total", target=server.address, module="other") >= 1


@pytest.mark.parametrize("name, text, error", [
    ("a.yml", "- targets: [127.0.0.1:2]\n- targets: [127.0.0.1:x]\n", "a.yml:2:13: the port must be"),
    ("a.yml", "targets: []\n", "a.yml:1:1: the file must be a list"),
    ("a.yml", "- hosts: []\n", "a.yml:1:3: a group has targets and labels only"),
    ("a.yml", "- targets: [a]\n  labels: {le: x}\n", "a.yml:2:12: this label's name is reserved"),
    ("a.yml", "- targets: [a]\n  labels: {__param_module: x}\n", "a.yml:1:13: there is no such module"),
    ("a.yml", "- targets: [a\n", "a.yml:2:1: "),
    ("a.json", '[{"targets": [1,]}', "a.json:1:"),
    ("a.yml", None, "a.yml: "),
], ids=range(8))
def test_a_bad_file_changes_nothing_and_is_said(watching, name, text, error):
    put(watching, name, [{"targets": ["127.0.0.1:1"]}] if name.endswith("json") else "[{targets: ['127.0.0.1:1']}]")
    watching.wait_for(lambda m: m.down("127.0.0.1:1", "poll"), 10)
    put(watching, name, text or 5_000_000 * "x")
    line = watching.wait_for_log(10, level="error", msg="targets not read from the file, those it gave before stay")
    assert error in line["error"] and line["error"].startswith(str(watching.folder))
    assert set(up(watching)) == {"db1", "127.0.0.1:1"}
    assert watching.scrape().value("mysqlconn_exporter_file_sd_read_failures_total") >= 1


def test_http_sd_names_what_is_watched(watching, server):
    put(watching, "a.yml", f"[{{targets: ['{server.address}', '[::1]:1', /tmp/sock], labels: {{x: 'q\"\\'}}}}]")
    wait_until(lambda: len(up(watching)) == 4, 10, "all are tried")
    assert sorted(json.loads(watching.get("/sd")), key=lambda g: g["labels"]["target"]) == [
        {"targets": [server.address], "labels": {"target": server.address, "x": 'q"\\'}},
        {"targets": ["[::1]:1"], "labels": {"target": "[::1]:1", "x": 'q"\\'}},
        {"targets": [server.address], "labels": {"target": "db1", "env": "prod"}}]


def test_prometheus_takes_its_targets_from_sd(exporter, server):
    known = target(server, "db1", labels={"env": "prod"})
    watching = exporter({"credentials": known["credentials"], "allow_targets": ["127.0.0.1:*"], "targets": [known]})
    scrape = {"metrics_path": "/probe", "static_configs": [],
              "http_sd_configs": [{"url": f"http://127.0.0.1:{watching.port}/sd", "refresh_interval": "1s"}],
              "relabel_configs": [{"source_labels": ["__address__"], "target_label": "__param_target"},
                                  {"source_labels": ["__param_target"], "target_label": "instance"},
                                  {"target_label": "__address__", "replacement": f"127.0.0.1:{watching.port}"}]}
    with Prometheus("", 1, scrape=scrape) as prometheus:
        (labels, _), = wait_until(lambda: prometheus.query("mysql_up == 1"), 20, "it was scraped")
        assert labels["target"] == "db1" and labels["env"] == "prod" and labels["instance"] == server.address
