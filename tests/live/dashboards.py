"""Dashboards as Grafana sees them: which queries they make, and what of them a Prometheus answers with data."""

import dataclasses
import glob
import itertools
import json
import math
import os
import re
import urllib.error
import urllib.parse
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# What panels say so that they show a zero: here there is more to see.
_OR_ZERO = re.compile(r"\s+or\s+(?:on\s*\(\s*\)\s*)?vector\s*\(\s*-?[\d.]+\s*\)")
_SELECTOR = re.compile(r"[a-zA-Z_:][\w:]*\{(?:[^{}\"]|\"(?:[^\"\\]|\\.)*\")*\}")
_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\[\[(\w+)\]\]|\$(\w+)")


class Api:
    """Prometheus' HTTP API, as a data source asks it; an error is a RuntimeError with Prometheus' own words."""

    def __init__(self, url):
        self._url = url

    def _ask(self, path, **parameters):
        data = urllib.parse.urlencode(parameters, doseq=True).encode() or None
        request = urllib.request.Request(f"{self._url}/api/v1/{path}", data=data if path.startswith("query") else None)
        if not path.startswith("query") and data:
            request.full_url += "?" + data.decode()
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as e:
            raise RuntimeError(json.loads(e.read())["error"]) from e

    def instant(self, expression, time):
        """Values now."""
        return [float(r["value"][1]) for r in self._vector(self._ask("query", query=expression, time=time))]

    def range(self, expression, start, end, step):
        """All values of all series."""
        answer = self._ask("query_range", query=expression, start=start, end=end, step=step)
        return [float(v) for r in answer["result"] for _, v in r["values"]]

    @staticmethod
    def _vector(answer):
        return answer["result"] if answer["resultType"] == "vector" else [{"value": answer["result"]}]

    def labels_of(self, expression, time):
        return [r["metric"] for r in self._ask("query", query=expression, time=time)["result"]]

    def label_values(self, label, selector, start, end):
        match = {"match[]": selector} if selector else {}
        return self._ask(f"label/{label}/values", start=start, end=end, **match)

    def label_names(self, start, end):
        return self._ask("labels", start=start, end=end)


@dataclasses.dataclass(frozen=True)
class Query:
    """One that a dashboard makes."""
    where: str       # dashboard, panel, refId
    expression: str  # as it is written
    instant: bool = False

    def __str__(self):
        return f"{self.where}: {self.expression}"


def panels(dashboard):
    """Its panels, those in rows included."""
    for panel in dashboard.get("panels", ()):
        yield panel
        yield from panels(panel)


class Dashboard:
    def __init__(self, path):
        self.name = os.path.basename(path)
        with open(path, encoding="utf-8") as f:
            self.json = json.load(f)
        self.variables = self.json.get("templating", {}).get("list", [])

    def queries(self):
        """Those of panels and annotations."""
        found = []
        for panel in panels(self.json):
            for target in panel.get("targets", ()):
                found.append(Query(f"{self.name}: panel {panel['id']} “{panel.get('title', '')}” {target.get('refId')}",
                                   target["expr"], bool(target.get("instant")) and not target.get("range")))
        for note in self.json.get("annotations", {}).get("list", ()):
            expression = note.get("expr") or (note.get("target") or {}).get("expr")
            if expression:
                found.append(Query(f"{self.name}: annotation “{note['name']}”", expression))
        return found

    def selectors(self):
        """The series that those ask for, one by one: of `a or b` each is there."""
        found = {}
        for query in self.queries():
            for selector in _SELECTOR.findall(query.expression):
                found.setdefault(selector, Query(f"{query.where}, in it", f"count_over_time({selector}[$__range])", True))
        return list(found.values())


def load(folder=os.path.join(TOP, "dashboards")):
    return [Dashboard(path) for path in sorted(glob.glob(os.path.join(folder, "*.json")))]


def _values_of_query(api, text, start, end):
    """The values of a query variable, as Grafana's data source for Prometheus knows its functions."""
    if match := re.fullmatch(r"\s*label_values\(\s*(?:(.+),\s*)?(\w+)\s*\)\s*", text, re.S):
        return api.label_values(match[2], match[1], start, end)
    if match := re.fullmatch(r"\s*metrics\((.*)\)\s*", text, re.S):
        return [v for v in api.label_values("__name__", None, start, end) if re.search(match[1].strip("\"' "), v)]
    if re.fullmatch(r"\s*label_names\(.*\)\s*", text, re.S):
        return api.label_names(start, end)
    if match := re.fullmatch(r"\s*query_result\((.*)\)\s*", text, re.S):
        return [json.dumps(l) for l in api.labels_of(match[1], end)]
    raise ValueError(f"no such query of a variable: {text}")


class View:
    """A dashboard at one Prometheus, over a time."""

    def __init__(self, dashboard, api, start, end, scrape_seconds):
        self.dashboard, self._api, self._start, self._end = dashboard, api, start, end
        # As Grafana has it: a point for each scrape, as long as there are so few.
        self._step = max(scrape_seconds, math.ceil((end - start) / 1000))
        rate_interval = max(self._step + scrape_seconds, 4 * scrape_seconds)
        length = int(end - start)
        self._built_in = {"__range_s": str(length)}
        for name, value in (("__interval", self._step), ("__rate_interval", rate_interval), ("__range", length)):
            self._built_in.update({name: f"{value}s", f"{name}_ms": str(value * 1000)})
        self.empty = []    # variables whose query has no values
        self._choices = {} # variable: its values to try, one after the other

    def prepare(self):
        """Evaluates the variables, in their order: later ones name earlier ones."""
        for variable in self.dashboard.variables:
            self._choices[variable["name"]] = self._choose(variable)
        return self

    def _choose(self, variable):
        kind = variable["type"]
        if kind == "datasource":
            return ["prometheus"]
        if kind in ("custom", "interval"):
            values = [v.split(" : ")[-1].strip() for v in variable["query"].split(",")]
            values = [v for v in values if v not in ("auto",)]
        elif kind in ("constant", "textbox"):
            return [variable.get("query", "")]
        elif kind == "query":
            query = variable["query"]
            text = next(iter(self.substituted(query["query"] if isinstance(query, dict) else query)))
            values = [v for v in _values_of_query(self._api, text, self._start, self._end) if v]
            if pattern := variable.get("regex"):
                found = (re.search(pattern.strip("/"), v) for v in values)
                values = [m[1] if m.groups() else m[0] for m in found if m]
            if not values:
                self.empty.append(f"{self.dashboard.name}: variable {variable['name']}: {text}")
        else:
            raise ValueError(f"{self.dashboard.name}: variable {variable['name']} is of type {kind}, which is not known here")
        if variable.get("includeAll"):
            return [variable.get("allValue") or "(" + "|".join(re.escape(v) for v in values) + ")"]
        return values or [""]

    def substituted(self, text):
        """The text with each combination of the values of variables that have no "All"."""
        names = {next(filter(None, m)) for m in _VARIABLE.findall(text)}
        free = sorted(n for n in names if n in self._choices)
        for combination in itertools.product(*(self._choices[n] for n in free)):
            values = {**self._built_in, **dict(zip(free, combination))}
            yield _VARIABLE.sub(lambda m: values.get(next(filter(None, m.groups())), m[0]), text)

    def has_data(self, query):
        """Whether it returns a number, with any of the values that can be chosen."""
        texts = self.substituted(_OR_ZERO.sub("", query.expression))
        return any(not math.isnan(v) for text in texts for v in self._values(query, text))

    def _values(self, query, text):
        return self._api.instant(text, self._end) if query.instant else self._api.range(text, self._start, self._end, self._step)
