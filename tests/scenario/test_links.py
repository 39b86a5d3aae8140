"""What we write leads somewhere: each link inside the tree, each alert's link to its runbook, and from the runbooks to each cause and
each rule of advice."""

import functools
import glob
import os
import re
import subprocess

import pytest
import yaml

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCUMENTS = [f"{TOP}/README.md", f"{TOP}/src/README.md", *sorted(glob.glob(f"{TOP}/alerts/*.md") + glob.glob(f"{TOP}/dashboards/*.md"))]
RUNBOOKS = f"{TOP}/alerts/runbooks.md"
FENCE = re.compile(r"^ *```.*?^ *```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PARTS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]


@functools.cache
def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def slug(heading):
    """The anchor that GitHub and GitLab make of a heading."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


@functools.cache
def anchors(path):
    text = FENCE.sub("", read(path))
    found = [slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.M)] + re.findall(r'<a id="([^"]+)"', text)
    assert len(set(found)) == len(found), f"{path} has the same anchor twice: {sorted(a for a in found if found.count(a) > 1)}"
    return set(found)


def problem(document, link):
    """Why the link leads nowhere; None where it does not."""
    path, _, anchor = link.partition("#")
    path = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
    if not os.path.exists(path):
        return f"{link}: no such file"
    if anchor and (not path.endswith(".md") or anchor not in anchors(path)):
        return f"{link}: no such place"
    return None


@pytest.mark.parametrize("document", [os.path.relpath(path, TOP) for path in DOCUMENTS])
def test_each_link_leads_somewhere(document):
    path = f"{TOP}/{document}"
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", read(path)))
    links = [link for link in LINK.findall(text) if not re.match(r"[a-z]+:", link)]
    problems = [why for why in (problem(path, link) for link in links) if why]
    assert not problems, problems


def sections():
    """{heading: text} of the runbooks' second level."""
    return dict(re.findall(r"^## (.*)\n((?:(?!^#{1,2} ).*\n)*)", read(RUNBOOKS), re.M))


def alerts():
    groups = yaml.safe_load(read(f"{TOP}/alerts/alerts.yml"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_each_alert_leads_to_its_runbook():
    for name, rule in alerts().items():
        path, _, anchor = rule["annotations"]["runbook_url"].removeprefix("https://runbooks.example/").partition("#")
        assert anchor in anchors(f"{TOP}/{path}"), name
    written = sections()
    assert list(written) == list(alerts())
    for name, text in written.items():
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.M) == PARTS, name
        diagnosis = text.split("**Diagnosis.**")[1].split("**Mitigation.**")[0]
        assert "```promql" in diagnosis and "```sh" in diagnosis and "mysqlconn_exporter doctor db1" in text, name


@pytest.mark.parametrize("option, prefix", [("--print-causes", "cause-"), ("--print-advice", "advice-")])
def test_the_runbooks_lead_to_each_cause_and_each_rule_of_advice(program, option, prefix):
    table = subprocess.run([program, option], capture_output=True, text=True, check=True, timeout=60).stdout
    wanted = re.findall(rf'<a id="{prefix}([^"]+)"', table)
    assert len(wanted) == len(table.splitlines()) - 2 > 20
    rows = re.findall(rf"^\| \[`(\w+)`\]\(\.\./README\.md#{prefix}(\w+)\) \|", read(RUNBOOKS), re.M)
    assert rows == [(name, name) for name in wanted]


def test_links_that_lead_nowhere_are_found():
    assert problem(RUNBOOKS, "../README.md#metrics") is None
    assert problem(RUNBOOKS, "../README.md#no-such-place") and problem(RUNBOOKS, "nothing.md") and problem(RUNBOOKS, "#nowhere")
