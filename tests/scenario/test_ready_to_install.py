"""What config/ has for Prometheus, Alertmanager, Grafana, systemd and Kubernetes is right: by the tools of these where they are here, by its
structure where they are not; and a real Prometheus gets what each scrape configuration promises. (The objects for Kubernetes were compared
with its OpenAPI and the operator's CRDs when they were written; what is not here to do so again is looked at by hand below.)"""

import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import urllib.request

import pytest
import yaml

from lib.exporter import target
from lib.mariadb import APP, MONITOR
from lib.process import PATIENCE, Process, free_port, wait_until
from lib.prometheus import Prometheus, promtool_3

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONFIG = os.path.join(TOP, "config")
SCRAPES = ("static", "file_sd", "probe", "http_sd")


def read(*path):
    with open(os.path.join(CONFIG, *path), encoding="utf-8") as f:
        return f.read()


def run(*argv, **settings):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300, **settings)
    return done.returncode, done.stdout + done.stderr


def replaced(text, *pairs):
    """Each of the texts must be there: what is replaced by nothing would be tested by nothing."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


# --- Prometheus -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("promtool", [("promtool",), None], ids=["2", "3"])
def test_prometheus_takes_the_scrape_configurations(promtool, open_folder):
    promtool = promtool or promtool_3()
    path = os.path.join(str(open_folder), "rules.yml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("groups: []\n")
    for name in SCRAPES:
        text = re.sub(r"/etc/prometheus/mysqlconn/\w+\.yml", path, read("prometheus", f"{name}.yml"))
        config = os.path.join(str(open_folder), f"{name}.yml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(text)
        status, said = run(*promtool, "check", "config", config)
        assert status == 0 and "SUCCESS" in said, said
    for rules in glob.glob(os.path.join(TOP, "alerts", "*.yml")):
        assert os.path.basename(rules) in read("prometheus", "static.yml"), f"static.yml does not load {rules}"


def scrape_config(name, exporter_port, *more):
    """One of config/prometheus/, for an interval of two seconds and our addresses; without rules and Alertmanager."""
    text = re.sub(r"(?s)^rule_files:\n.*?\n\n", "", read("prometheus", f"{name}.yml"), flags=re.M)
    text = re.sub(r"(?s)^alerting:\n.*?\n\n", "", text, flags=re.M)
    text = re.sub(r"(scrape_interval|scrape_timeout|refresh_interval|evaluation_interval): \w+", r"\1: 2s", text)
    return replaced(text, ("exporter.example:9704", f"127.0.0.1:{exporter_port}"), *more)


class Configured(Prometheus):
    """With a whole configuration, as text."""

    def __init__(self, text):
        super().__init__("")
        with open(self._config, "w", encoding="utf-8") as f:
            f.write(text)


def test_prometheus_gets_what_they_promise(exporter, server, open_folder, figure):
    server.execute(f"GRANT PROCESS ON *.* TO '{MONITOR[0]}'@'%'")
    address = f"127.0.0.1:{server.port}"
    watching = exporter({
        "credentials": target(server)["credentials"], "allow_targets": ["127.0.0.1:*"],
        "auth_modules": {"shop": {"credentials": {"user": APP[0], "password": APP[1]},
                                  "allow_targets": ["localhost:*", "127.0.0.0/8:*", "[::1]:*"]}},
        "poll": {"interval": "500ms", "timeout": "500ms"},
        "targets": [{"name": "db1", "address": address, "labels": {"env": "prod"}}]})
    targets = os.path.join(str(open_folder), "targets.yml")
    with open(targets, "w", encoding="utf-8") as f:
        f.write(replaced(read("prometheus", "targets.example.yml"), ('"db1.example:3306", "db2.example:3306"', f'"{address}"'),
                         ("shop.example:3307", f"localhost:{server.port}")))
    port = watching.port
    files = ("/etc/prometheus/mysqlconn/targets/*.yml", targets)
    configs = {"static": scrape_config("static", port), "file_sd": scrape_config("file_sd", port, files),
               "probe": scrape_config("probe", port, ('"db1.example:3306", "db2.example:3306"', f'"{address}"')),
               "http_sd": scrape_config("http_sd", port)}
    exporter_address = f"127.0.0.1:{port}"
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(Configured(text)) for name, text in configs.items()}

        def up(name, job):
            return {(l["instance"], l["target"], l.get("env")): v for l, v in running[name].query(f'mysql_up{{job="{job}"}}')}

        def seen(name, job, expected):
            wait_until(lambda: up(name, job) == {key: 1 for key in expected}, 30,
                       lambda: f"{name}: {up(name, job)}, not {expected}; {running[name].targets()}")

        seen("static", "mysqlconn", {(exporter_address, "db1", "prod")})
        seen("probe", "mysqlconn-probe", {(address, address, "prod")})
        seen("http_sd", "mysqlconn-probe", {(address, "db1", "prod")})
        # Two names of one server, the second with an account of its own.
        shop = f"localhost:{server.port}"
        seen("file_sd", "mysqlconn-probe", {(address, address, "prod"), (shop, shop, "prod")})
        # (What is not scraped in time is not there until the next time.)
        wait_until(lambda: running["file_sd"].query('mysql_up{team="shop"}'), 30, "with its team")
        for name in ("file_sd", "probe", "http_sd"):
            wait_until(lambda n=name: running[n].query('mysqlconn_exporter_build_info{job="mysqlconn"}'), 30, name)
        assert not up("http_sd", "mysqlconn"), "what the exporter watches itself is dropped there"
        said = {name: p.warnings() for name, p in running.items() if p.warnings()}
        assert not said, said
        figure(f"{len(running)} scrape configurations give samples with their labels")


# --- Alertmanager ---------------------------------------------------------------------------------------------------------
ROUTING = os.path.join(CONFIG, "alertmanager", "alertmanager.yml")


def test_alertmanager_takes_its_configuration_and_routes_by_severity():
    status, said = run("amtool", "check-config", ROUTING)
    assert status == 0 and "SUCCESS" in said, said
    for severity, receiver in (("critical", "pager"), ("warning", "tickets"), ("info", "digest")):
        status, said = run("amtool", "config", "routes", "test", f"--config.file={ROUTING}", f"severity={severity}", "target=db1")
        assert status == 0 and said.splitlines()[0] == receiver, said
    with open(os.path.join(TOP, "alerts", "alerts.yml"), encoding="utf-8") as f:
        known = {rule["alert"] for group in yaml.safe_load(f)["groups"] for rule in group["rules"]}
    named = set(re.findall(r"MysqlConn[A-Z]\w+", read("alertmanager", "alertmanager.yml")))
    assert named <= known, named - known


def test_what_follows_from_a_server_that_is_down_is_not_told(tmp_path):
    port = free_port()
    folder = tmp_path / "am"
    folder.mkdir()
    with open(ROUTING, encoding="utf-8") as f:
        config = yaml.safe_load(f)
    for receiver in config["receivers"]:  # nobody is told anything: this is about what would be
        receiver.pop("webhook_configs")
    (folder / "alertmanager.yml").write_text(json.dumps(config), encoding="utf-8")
    url = f"http://127.0.0.1:{port}/api/v2/alerts"
    process = Process(["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data",
                       f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=warn"], cwd=str(folder))

    def alert(name, **labels):
        return {"labels": {"alertname": name, "job": "mysqlconn", "instance": "e:9704", **labels}}

    def told():
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return {(a["labels"]["alertname"], a["labels"].get("target")) for a in json.load(answer)
                    if a["status"]["state"] == "active"}
        return None

    try:
        wait_until(lambda: told() is not None, 30, process.output)
        sent = [alert("MysqlConnTargetDown", target="db1", severity="critical"),
                alert("MysqlConnProbeFailing", target="db1", severity="critical"),
                alert("MysqlConnProbeFailing", target="db2", severity="critical"),
                alert("MysqlConnHostBlocked", target="db2", severity="critical"),
                alert("MysqlConnHostNearBlocked", target="db2", severity="warning"),
                alert("MysqlConnSelfAborts", severity="warning")]
        request = urllib.request.Request(url, json.dumps(sent).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=PATIENCE).close()
        wanted = {("MysqlConnTargetDown", "db1"), ("MysqlConnProbeFailing", "db2"), ("MysqlConnHostBlocked", "db2"),
                  ("MysqlConnSelfAborts", None)}
        wait_until(lambda: told() == wanted, 20, lambda: f"{told()}, not {wanted}")
    finally:
        process.end()


# --- Grafana --------------------------------------------------------------------------------------------------------------
def test_grafanas_provisioning_is_as_it_reads_it():
    sources = yaml.safe_load(read("grafana", "provisioning", "datasources", "prometheus.yml"))
    source, = sources["datasources"]
    assert sources["apiVersion"] == 1 and source["type"] == "prometheus" and source["access"] == "proxy"
    assert re.fullmatch(r"https?://[\w.]+:\d+", source["url"]) and source["uid"] and source["name"]
    providers = yaml.safe_load(read("grafana", "provisioning", "dashboards", "mysqlconn.yml"))
    provider, = providers["providers"]
    assert providers["apiVersion"] == 1 and provider["type"] == "file" and os.path.isabs(provider["options"]["path"])
    scrape = yaml.safe_load(read("prometheus", "static.yml"))
    assert source["jsonData"]["timeInterval"] == scrape["global"]["scrape_interval"]


# --- systemd --------------------------------------------------------------------------------------------------------------
def test_systemd_takes_the_units(program, tmp_path):
    variant, _, compiler = os.path.basename(os.path.dirname(program)).partition("-")
    status, said = run("make", "-s", "-C", TOP, "install", f"VARIANT={variant}", f"CC={compiler or 'gcc'}", f"PREFIX={tmp_path}")
    assert status == 0, said
    units = [f"{tmp_path}/lib/systemd/system/mysqlconn_exporter.{kind}" for kind in ("service", "socket")]
    for unit in units:
        with open(unit, encoding="utf-8") as f:
            assert "@" + "PREFIX@" not in f.read()
    status, said = run("systemd-analyze", "verify", "--man=no", *units)
    # Of the system's own units it may have something to say.
    assert status == 0 and "mysqlconn" not in said, said


# --- Kubernetes -----------------------------------------------------------------------------------------------------------
# Beside the real ones: what is hard to put into YAML.
SAMPLE_RULES = """# A comment first.
groups:
  - name: sample

    rules:
      - alert: Sample
        expr: |-
          up == 0

            unless on (job) up{a="b: c"} == 1
        annotations: {summary: 'it''s', description: "\\"x\\": {{ $value }}"}
"""
SAMPLE_DASHBOARD = {"title": "a: b # c", "text": "line\nline", "panels": [{"expr": "up{a=\"b\"}"}, "---", "ä"]}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A tree with our rules and dashboards, and the sample ones."""
    top = tmp_path_factory.mktemp("tree")
    for folder, ending in (("alerts", "yml"), ("dashboards", "json"), ("config/kubernetes", "*")):
        (top / folder).mkdir(parents=True)
        for path in glob.glob(os.path.join(TOP, folder, f"*.{ending}")):
            shutil.copy(path, top / folder)
    shutil.copy(os.path.join(CONFIG, "kubernetes", "generate"), top / "config" / "kubernetes")
    (top / "alerts" / "sample.yml").write_text(SAMPLE_RULES, encoding="utf-8")
    (top / "dashboards" / "sample.json").write_text(json.dumps(SAMPLE_DASHBOARD, indent=1, ensure_ascii=False), encoding="utf-8")
    return str(top)


@pytest.fixture(scope="module")
def made(tree, tmp_path_factory):
    """By kind and name: what kubectl would be given, and the secret."""
    folder = tmp_path_factory.mktemp("kubernetes")
    status, said = run(os.path.join(tree, "config", "kubernetes", "generate"), str(folder))
    assert status == 0, said
    objects = {}
    for path in glob.glob(os.path.join(CONFIG, "kubernetes", "*.yaml")) + glob.glob(f"{folder}/*.yaml"):
        with open(path, encoding="utf-8") as f:
            for found in yaml.safe_load_all(f):
                key = found["kind"], found["metadata"]["name"]
                assert key not in objects, key
                objects[key] = found
    return objects


NAME = "mysqlconn-exporter"


def test_each_object_is_of_its_version(made):
    versions = {"ConfigMap": "v1", "Secret": "v1", "Service": "v1", "Deployment": "apps/v1",
                "NetworkPolicy": "networking.k8s.io/v1", "ServiceMonitor": "monitoring.coreos.com/v1",
                "Probe": "monitoring.coreos.com/v1", "PrometheusRule": "monitoring.coreos.com/v1"}
    for (kind, name), found in made.items():
        assert found["apiVersion"] == versions[kind], (kind, name)
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
        assert found["metadata"]["labels"]["app.kubernetes.io/name"] == NAME
    assert {kind for kind, name in made if name == NAME} >= set(versions) - {"PrometheusRule"}


def test_what_belongs_together_fits_together(made):
    deployment = made["Deployment", NAME]["spec"]
    pod = deployment["template"]["spec"]
    container, = pod["containers"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"].items() <= labels.items()
    assert made["Service", NAME]["spec"]["selector"].items() <= labels.items()
    assert made["NetworkPolicy", NAME]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert made["ServiceMonitor", NAME]["spec"]["selector"]["matchLabels"].items() <= made["Service", NAME]["metadata"]["labels"].items()
    port, = container["ports"]
    service_port, = made["Service", NAME]["spec"]["ports"]
    endpoint, = made["ServiceMonitor", NAME]["spec"]["endpoints"]
    assert service_port["targetPort"] == port["name"] and endpoint["port"] == service_port["name"]
    allowed, = made["NetworkPolicy", NAME]["spec"]["ingress"][0]["ports"]
    assert allowed["port"] == port["containerPort"] == service_port["port"]
    assert f"--web.listen-address=:{port['containerPort']}" in container["args"]
    assert made["Probe", NAME]["spec"]["prober"]["url"].startswith(NAME + ".")
    assert {v["name"] for v in pod["volumes"]} == {m["name"] for m in container["volumeMounts"]}
    for volume in pod["volumes"]:
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in made
        if "secret" in volume:
            assert ("Secret", volume["secret"]["secretName"]) in made
    for probe in ("readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]


def test_it_runs_with_no_privileges(made):
    pod = made["Deployment", NAME]["spec"]["template"]["spec"]
    container, = pod["containers"]
    own = container["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["readOnlyRootFilesystem"] and own["allowPrivilegeEscalation"] is False and own["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod) and "privileged" not in own
    assert "env" not in container and not [a for a in container["args"] if "password" in a], "the password is in a file only"


def test_the_exporter_takes_its_configuration_as_kubernetes_mounts_it(made, program, tmp_path):
    """Files are links to links there; the arguments are those of the container."""
    mounts = {}
    for path, what, key in (("/etc/mysqlconn_exporter", "ConfigMap", "data"), ("/run/secrets/mysqlconn_exporter", "Secret", "stringData")):
        mounts[path] = folder = tmp_path / what
        (folder / "..1").mkdir(parents=True)
        (folder / "..data").symlink_to("..1")
        for name, text in made[what, NAME][key].items():
            for old, new in mounts.items():
                text = text.replace(old, str(new)).replace("/run/secrets/mysqlconn_exporter", str(tmp_path / "Secret"))
            (folder / "..1" / name).write_text(text)
            (folder / "..1" / name).chmod(0o440)
            (folder / name).symlink_to(f"..data/{name}")
    container, = made["Deployment", NAME]["spec"]["template"]["spec"]["containers"]
    args = [a.replace("/etc/mysqlconn_exporter", str(mounts["/etc/mysqlconn_exporter"]))
            .replace("/var/lib/mysqlconn_exporter", str(tmp_path / "state")) for a in container["args"]]
    (tmp_path / "state").mkdir()
    status, said = run(program, *args, "--config.check")
    assert status == 0, said
    assert "level=warn" not in said, said


def test_rules_and_dashboards_are_the_same_files(made, tree):
    rules = glob.glob(os.path.join(tree, "alerts", "*.yml"))
    for path in rules:
        with open(path, encoding="utf-8") as f:
            spec = yaml.safe_load(f)
        assert made["PrometheusRule", f"{NAME}-{os.path.basename(path)[:-4]}"]["spec"] == spec
    dashboards = glob.glob(os.path.join(tree, "dashboards", "*.json"))
    for path in dashboards:
        found = made["ConfigMap", f"{NAME}-dashboard-{os.path.basename(path)[:-5]}"]
        (text,), labels = found["data"].values(), found["metadata"]["labels"]
        with open(path, encoding="utf-8") as f:
            assert json.loads(text) == json.load(f)
        assert labels["grafana_dashboard"] == "1"
        assert len(text.encode()) < 1000000, "a ConfigMap has at most 1 MiB"
    assert len([k for k, _ in made if k == "PrometheusRule"]) == len(rules)


def test_the_image_has_the_libraries(program):
    containerfile = read("kubernetes", "Containerfile")
    run_time = containerfile.rpartition("FROM ")[2]
    status, said = run("readelf", "-d", program)
    assert status == 0, said
    needed = [l for l in re.findall(r"NEEDED.*\[(.*)\]", said) if not re.match(r"lib(c|m|asan|ubsan|gcc_s)\.so", l)]
    assert len(needed) >= 8, needed
    for library in needed:
        status, owner = run("dpkg-query", "-S", f"*/{library}")
        packages = {line.partition(":")[0] for line in owner.splitlines()}
        assert packages & set(re.findall(r"[\w.+-]+", run_time)), f"{library} is in {packages}, which the image has not"
    # What it is built with is what `make` needs.
    with open(os.path.join(TOP, "tests", "lib", "install-packages"), encoding="utf-8") as f:
        wanted = re.search(r'\[build\]="([^"]*)"', f.read()).group(1).split()
    assert set(wanted) <= set(re.findall(r"[\w.+-]+", containerfile))
