"""The catalogue of metrics, causes, rules of advice and phases, from the README's generated tables."""

import functools
import os
import re
from dataclasses import dataclass

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@dataclass
class Family:
    name: str
    type: str  # gauge, counter, histogram, untyped
    labels: set
    meaning: str


def _readme():
    with open(f"{TOP}/README.md", encoding="utf-8") as f:
        return f.read()


def _rows(table):
    text = re.search(rf"<!-- {table}:begin -->\n(.*?)<!-- {table}:end -->", _readme(), re.S)[1]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines()[2:]]


@functools.cache
def families():
    """{name: Family}."""
    return {name.strip("`"): Family(name.strip("`"), kind, {l.strip() for l in labels.split(",") if l.strip()}, meaning)
            for name, kind, labels, _, meaning in _rows("metrics")}


@functools.cache
def causes():
    return [re.search(r"`(\w+)`", row[0])[1] for row in _rows("causes")]


@functools.cache
def advice_rules():
    return [re.search(r"`(\w+)`", row[0])[1] for row in _rows("advice")]


@functools.cache
def phases():
    with open(f"{TOP}/src/observe/phase.h", encoding="utf-8") as f:
        return re.findall(r'^    X\(\w+, "(\w+)",', f.read().split("enum phase")[0], re.M)


def samples(known):
    """{sample name: its family}: a histogram has three."""
    found = dict(known)
    for family in known.values():
        if family.type == "histogram":
            found.update({family.name + end: family for end in ("_bucket", "_sum", "_count")})
    return found
