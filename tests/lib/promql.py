"""Reads PromQL as far as checks of dashboards and rules need it: which series a query selects, and what is done to them. That it
is valid is promtool's to say."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(r'\s*(?:(?P<string>"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\')|(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)|(?P<variable>\$\w+)'
                    r'|(?P<number>[0-9][0-9.]*(?:e[0-9]+)?[a-z]*)|(?P<sign>=~|!~|!=|==|<=|>=|.))', re.S)
_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = _LISTS | {"and", "or", "unless", "bool", "offset", "inf", "nan"}


@dataclass
class Selector:
    """One {…} of a query. `matchers`: [(label, operator, value)]; `range`: what stands in its [], "" none; `inside`: the functions
    and aggregations around it, the innermost last."""
    metric: str
    matchers: list
    range: str
    inside: list

    @property
    def function(self):
        return self.inside[-1] if self.inside else ""


@dataclass
class Query:
    selectors: list
    labels: set  # that by (), on () and the like name


def _tokens(text):
    at, found = 0, []
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def read(text, bare=False):
    """The Query that `text` is; ValueError where it is none. Each metric must have its {}, unless they may be `bare`."""
    tokens = [*_tokens(text), ("end", "")]
    query, around, at = Query([], set()), [], 0
    while tokens[at][0] != "end":
        kind, word = tokens[at]
        following = tokens[at + 1][1]
        at += 1
        if word in _LISTS:
            at = _label_list(tokens, at, query.labels)
        elif kind == "name" and following == "(":
            around.append(word)
            at += 1
        elif kind == "name" and following in ("by", "without"):  # an aggregation whose labels stand before what it is of
            at = _label_list(tokens, at + 1, query.labels)
            if tokens[at][1] != "(":
                raise ValueError(f"{word} of what: {text}")
            around.append(word)
            at += 1
        elif kind == "name" and word.lower() not in _WORDS:
            if following != "{" and not bare:
                raise ValueError(f"{word} without {{}}: {text}")
            at = _selector(tokens, at, word, around, query, text)
        elif word == "(":
            around.append("")
        elif word == ")":
            if not around:
                raise ValueError(f"')' too many: {text}")
            around.pop()
    if around:
        raise ValueError(f"')' is missing: {text}")
    return query


def _label_list(tokens, at, labels):
    if tokens[at][1] != "(":  # group_left without a list
        return at
    at += 1
    while tokens[at][1] != ")":
        if tokens[at][0] == "name":
            labels.add(tokens[at][1])
        at += 1
    return at + 1


def _selector(tokens, at, metric, around, query, text):
    matchers, window = [], ""
    braces = tokens[at][1] == "{"
    at += braces
    while braces and tokens[at][1] != "}":
        (_, label), (_, operator), (kind, value) = tokens[at:at + 3]
        if kind != "string":
            raise ValueError(f"{metric}{{{label}…: {text}")
        matchers.append((label, operator, value[1:-1]))
        at += 3 + (tokens[at + 3][1] == ",")
    at += braces
    if tokens[at][1] == "[":
        end = at + [word for _, word in tokens[at:]].index("]")
        window = "".join(word for _, word in tokens[at + 1:end])
        at = end + 1
    query.selectors.append(Selector(metric, matchers, window, [name for name in around if name]))
    return at
