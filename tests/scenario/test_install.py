"""make install puts what belongs together under DESTDIR and PREFIX, and make uninstall takes all of it away."""

import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def make(goal, program, folder):
    """`make goal` of the build that is being tested, whose folder tells its variant and compiler: nothing is built for this."""
    variant, _, compiler = os.path.basename(os.path.dirname(program)).partition("-")
    done = subprocess.run(["make", "-s", "-C", TOP, goal, f"VARIANT={variant}", f"CC={compiler or 'gcc'}", f"DESTDIR={folder}",
                           "PREFIX=/opt/x", "GRAFANA_URL=https://g.test/x", "RUNBOOK_URL=https://r.test"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def files(folder):
    return {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names}


def test_install_and_uninstall(program, tmp_path):
    make("install", program, tmp_path)
    assert {"opt/x/bin/mysqlconn_exporter", "opt/x/lib/systemd/system/mysqlconn_exporter.service",
            "opt/x/lib/systemd/system/mysqlconn_exporter.socket",
            "opt/x/share/doc/mysqlconn_exporter/README.md",
            "opt/x/share/doc/mysqlconn_exporter/mysqlconn_exporter.example.yml"} <= files(tmp_path)
    share = tmp_path / "opt/x/share/mysqlconn_exporter"
    ours = {path for folder in ("config/prometheus", "config/alertmanager", "config/grafana", "config/kubernetes", "dashboards")
            for path in files(os.path.join(TOP, folder))}
    assert {os.path.basename(path) for path in ours if path.endswith((".yml", ".yaml", ".json"))} <= {
        os.path.basename(path) for path in files(share)}
    unit = (tmp_path / "opt/x/lib/systemd/system/mysqlconn_exporter.service").read_text(encoding="utf-8")
    assert "ExecStart=/opt/x/bin/mysqlconn_exporter " in unit and "@" + "PREFIX@" not in unit
    alerts = (tmp_path / "opt/x/share/mysqlconn_exporter/alerts/alerts.yml").read_text(encoding="utf-8")
    assert "https://g.test/x/d/mysqlconn-target" in alerts and "https://r.test/alerts/runbooks.md#mysqlconntargetdown" in alerts
    assert ".example" not in alerts
    version = subprocess.run([tmp_path / "opt/x/bin/mysqlconn_exporter", "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("mysqlconn_exporter ")
    make("uninstall", program, tmp_path)
    assert files(tmp_path) == set()
