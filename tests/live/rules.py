"""The rules of the tree, quick: the same expressions, their durations shortened as one table says, so that what takes days or
minutes happens in seconds."""

import glob
import os
import re

import yaml

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Ranges and offsets: up to so much becomes so many seconds. The order stays, "an hour ago" is before "5 minutes ago"; the
# shortest still holds ten scrapes, and what is tried again each 5 s, as state files are, is in 15 minutes three times.
RANGES = (("5m", 10), ("10m", 12), ("15m", 19), ("1h", 20), ("1d", 25), ("2d", 30), ("1y", 40))
# for and keep_firing_for.
PATIENCE = (("5m", 2), ("15m", 3), ("1y", 5))

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_PART = r"\d+(?:ms|[smhdwy])"
_TEXT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`")
# [5m], [1h:1m], offset 1w
_IN_EXPRESSION = re.compile(rf"(?P<open>\[\s*)(?P<range>(?:{_PART})+)(?P<step>\s*:\s*(?:{_PART})*)?(?P<close>\s*\])"
                            rf"|(?P<offset>\boffset\s+-?)(?P<by>(?:{_PART})+)")


def seconds(text):
    """The seconds of a duration of Prometheus'."""
    return sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", text))


def _quick(text, table):
    return next(f"{quick}s" for upto, quick in table if seconds(text) <= seconds(upto))


def quicken_expression(expression):
    """The expression with its ranges and offsets shortened; what stands in quotes is left alone."""
    def replace(match):
        if match["offset"]:
            return match["offset"] + _quick(match["by"], RANGES)
        return match["open"] + _quick(match["range"], RANGES) + (":1s" if match["step"] else "") + match["close"]

    out, at = [], 0
    for text in [*_TEXT.finditer(expression), None]:
        end = text.start() if text else len(expression)
        out.append(_IN_EXPRESSION.sub(replace, expression[at:end]))
        if text:
            out.append(text[0])
            at = text.end()
    return "".join(out)


def quicken(rules):
    """A parsed rule file, quick, in place."""
    for group in rules["groups"]:
        group.pop("interval", None)  # each with each evaluation
        for rule in group["rules"]:
            rule["expr"] = quicken_expression(str(rule["expr"]))
            for key in ("for", "keep_firing_for"):
                if key in rule:
                    rule[key] = _quick(str(rule[key]), PATIENCE)
    return rules


def load(paths=(), scaled=True):
    """{file name: text} of these rule files, the tree's where none is given."""
    texts = {}
    for path in paths or sorted(glob.glob(os.path.join(TOP, "alerts", "*.yml"))):
        with open(path, encoding="utf-8") as f:
            rules = yaml.safe_load(f)
        texts[os.path.basename(path)] = yaml.safe_dump(quicken(rules) if scaled else rules, width=10000)
    return texts
