"""Grafana's classic dashboard JSON out of few words: panels of each kind, how they flow into rows, links and variables.

In queries `<target>` stands for the matchers that follow the dashboard's variables, `<exporter>` for those of metrics without
the label `target`."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
MATCHERS = {"<target>": 'job=~"$job", instance=~"$instance", target=~"$target"',
            "<exporter>": 'job=~"$job", instance=~"$instance"'}
DASHBOARDS = {"mysqlconn-fleet": "Fleet", "mysqlconn-target": "Target", "mysqlconn-clients": "Clients",
              "mysqlconn-exporter": "Exporter"}
FULL = 24  # columns

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "#56A64B", "#E0B400", "#FF780A", "#E02F44", "#5794F2", "#8E96A3"

# One colour for a cause, in all panels: who left red to yellow, before the login blue, refused green, full pink, ours grey.
CAUSES = {
    "client_vanished": "#F2495C", "left_mid_result": "#FF9830", "idle_timeout": "#E0B400", "read_timeout": "#B08500",
    "write_timeout": "#8A6A2F", "packet_too_large": "#C471ED", "protocol_error": "#9B5DE5", "killed": "#C4162A",
    "server_restart": "#8F6FD6", "init_connect": "#E05F9C", "replication_client": "#96D98D", "released": "#B8D9A0",
    "health_check": "#6FA3F0", "handshake_timeout": "#3274D9", "tls_failure": "#4D8DFF", "tls_required": "#7F8FE8", "before_login": "#4A7FDB",
    "access_denied": "#2AA198", "unknown_database": "#6FC7C0", "too_many_connections": "#E02F8C", "user_limit": "#FF85C8",
    "host_blocked": "#9C2A6F", "host_not_allowed": "#37872D", "dns": "#CA95E5", "peer_address": "#B0C8EE",
    "server_resources": "#8B3A2B", "self": "#8E8E8E", "no_abort": "#B8B8B8", "unknown": "#6E7580",
    "unexplained": "#A8B0BC", "pending": "#7B8494"}
PHASES = {"resolve": "#B877D9", "connect": "#5794F2", "greeting": "#73BF69", "tls": "#F2CC0C", "auth": "#FF9830",
          "ping": "#2AA198", "query": "#F2495C", "hold": "#8E8E8E", "quit": "#8AB8FF"}
OUTCOMES = {"clean": GREEN, "confirmed_clean": GREEN, "survived": GREEN, "reset": RED, "logged_as_aborted": RED,
            "unexpected_data": "#A352CC", "timeout": YELLOW, "peer_gone": ORANGE, "not_watched": GREY, "unknown": GREY}
CONFIDENCES = {"certain": GREEN, "likely": YELLOW, "unknown": GREY}


# --- queries ---------------------------------------------------------------------------------------------------------

# What these counters, which are there once something has happened, have besides the target's labels.
BORN_LATE = {"mysqlconn_aborts_total": "counter, cause", "mysqlconn_abort_events_total": "cause, confidence",
             "mysqlconn_client_aborts_total": "user, host, driver, cause", "mysqlconn_poll_failures_total": "phase, reason",
             "mysqlconn_probe_failures_total": "module, close, phase, reason", "mysqlconn_probe_holds_total": "module, close, how, by",
             "mysqlconn_aborted_sessions_idle_seconds_bucket": "cause, le"}


def _began(selector, window):
    """What a counter counts that came into being within `window` while its target was already watched: it began at zero, which
    rate() and increase() do not know, so that they would not show what happened once."""
    labels = BORN_LATE[selector.partition("{")[0]]
    return (f"({selector} unless {selector} offset {window}"
            f" and ignoring ({labels}) mysqlconn_polls_total{{<target>}} offset {window})")


def per_minute(selector):
    """The rate of a counter that is there once something has happened, its beginning included."""
    return (f"({_began(selector, '$__rate_interval')} * 60000 / $__rate_interval_ms"
            f" or rate({selector}[$__rate_interval]) * 60)")


def in_range(selector):
    """How much such a counter rose in the dashboard's time range, its beginning included."""
    return f"({_began(selector, '$__range')} or increase({selector}[$__range]))"


def query(expr, legend="", instant=False, table=False):
    """`legend` names the series, as in "{{cause}}"; `table`: each series is a row."""
    for name, matchers in MATCHERS.items():
        expr = expr.replace(name, matchers)
    instant = instant or table
    return {"datasource": DATASOURCE, "editorMode": "code", "expr": expr, "format": "table" if table else "time_series",
            "instant": instant, "range": not instant, "legendFormat": legend or "__auto"}


# --- parts of panels -------------------------------------------------------------------------------------------------

def thresholds(*steps):
    """("green", (80, "orange"), …): the first colour holds from below."""
    first, *rest = steps or (GREEN,)
    return {"mode": "absolute", "steps": [{"color": first, "value": None}] + [{"color": c, "value": v} for v, c in rest]}


def words(mapping):
    """Texts (and colours) for values: {0: ("down", RED)}."""
    return [{"type": "value", "options": {str(value): {"text": text, "color": colour, "index": i}
                                          for i, (value, (text, colour)) in enumerate(mapping.items())}}]


def override(name, regex=False, **properties):
    """Of the field or series `name`; a property is written with `_` for each `.`: custom_width."""
    return {"matcher": {"id": "byRegexp" if regex else "byName", "options": name},
            "properties": [{"id": i if i in ("displayName", "noValue") else i.replace("_", "."), "value": v}
                           for i, v in properties.items()]}


def texts(mapping):
    """Texts of a column and their colours: {"fine": GREEN}."""
    return words({text: (text, colour) for text, colour in mapping.items()})


def colours(palette):
    return [override(name, color={"mode": "fixed", "fixedColor": colour}) for name, colour in palette.items()]


def link_to(uid, title, **variables):
    """A data link to another dashboard that keeps the time and the variables; `variables` are set to what was clicked."""
    given = "".join(f"&var-{name}=${{{value}:percentencode}}" for name, value in variables.items())
    kept = "".join(f"&${{{name}:queryparam}}" for name in ("job", "instance", "target") if name not in variables)
    return {"title": title, "url": f"/d/{uid}?${{__url_time_range}}&${{datasource:queryparam}}{kept}{given}",
            "targetBlank": False}


def _panel(kind, title, description, queries, width, height, defaults, options, overrides=(), **more):
    unit = defaults.pop("unit")
    panel = {"type": kind, "title": title, "description": description, "datasource": DATASOURCE, "pluginVersion": "11.0.0",
             "gridPos": {"w": width, "h": height},
             "targets": [{**q, "refId": chr(ord("A") + i)} for i, q in enumerate(queries)],
             "fieldConfig": {"defaults": {"unit": unit, **{k: v for k, v in defaults.items() if v is not None}},
                             "overrides": list(overrides)},
             "options": options, **more}
    return panel


# --- panels ----------------------------------------------------------------------------------------------------------

def stat(title, description, expr, unit="short", steps=(BLUE,), width=3, height=4, legend="", mappings=None, decimals=None,
         no_value="no data", background=False, links=None, text=None, graph=False, instant=True):
    """One number. `text`: show the label of that name instead."""
    defaults = {"unit": unit, "color": {"mode": "thresholds"}, "thresholds": thresholds(*steps), "mappings": mappings or [],
                "decimals": decimals, "noValue": no_value, "links": links}
    options = {"colorMode": "background_solid" if background else "value", "graphMode": "area" if graph else "none",
               "justifyMode": "center", "orientation": "auto", "textMode": "name" if text else "value", "wideLayout": True,
               "showPercentChange": False,
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return _panel("stat", title, description, [query(expr, text or legend, instant=instant and not graph)], width, height,
                  defaults, options)


def timeseries(title, description, *queries, unit="short", width=12, height=8, stack=False, bars=False, palette=None,
               overrides=(), legend="right", calcs=("lastNotNull", "max"), steps=None, fill=None, points=False, maximum=None,
               links=None, no_value="no data", decimals=None, minimum=0, sort="Max"):
    """`legend`: right or bottom (tables), list, or none. `steps`: thresholds that are drawn as lines."""
    custom = {"drawStyle": "bars" if bars else "line", "lineInterpolation": "linear", "lineWidth": 0 if bars else 1,
              "fillOpacity": fill if fill is not None else 80 if bars else 60 if stack else 8, "gradientMode": "none",
              "showPoints": "always" if points else "never", "pointSize": 4, "spanNulls": False, "axisPlacement": "auto",
              "axisLabel": "", "axisSoftMin": 0, **({"axisSoftMax": 1} if unit in ("short", "percentunit") and maximum is None else {}),
              "scaleDistribution": {"type": "linear"},
              "stacking": {"mode": "normal" if stack else "none", "group": "A"},
              "thresholdsStyle": {"mode": "dashed" if steps else "off"}, "barAlignment": 0,
              "hideFrom": {"legend": False, "tooltip": False, "viz": False}}
    defaults = {"unit": unit, "custom": custom, "color": {"mode": "palette-classic"}, "min": minimum, "max": maximum,
                "thresholds": thresholds(*(steps or (GREEN,))), "mappings": [], "noValue": no_value, "links": links,
                "decimals": decimals}
    table = legend in ("right", "bottom")
    options = {"legend": {"displayMode": "table" if table else "list", "placement": legend if table else "bottom",
                          "showLegend": legend != "none", "calcs": list(calcs) if table else [],
                          **({"sortBy": sort, "sortDesc": True} if table else {})},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    return _panel("timeseries", title, description, queries, width, height, defaults, options,
                  colours(palette or {}) + list(overrides))


def table(title, description, *queries, columns, unit="short", hide=(), sort=None, width=24, height=9, transformations=(),
          no_value="no data", rows_sorted_by=None, filterable=False):
    """`columns`: {field: (title, {property: value})}, in their order; other fields are left out. `sort`: the title of the column
    to sort by, from the top down. `rows_sorted_by`: a field that need not be shown. `no_value`: said where there is no row."""
    # A label is a text, even where it is a number.
    overrides = [override(shown, noValue="–", **({} if field.startswith("Value") else {"unit": "string"}), **properties)
                 for field, (shown, properties) in columns.items()]
    order = transformations or [{"id": "merge", "options": {}}]
    if rows_sorted_by:
        order = [*order, {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": rows_sorted_by, "desc": True}]}}]
    # Fields are chosen by name, so that labels of a target's own do not become columns.
    order = [*order, {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
             {"id": "organize", "options": {"excludeByName": {}, "indexByName": {f: i for i, f in enumerate(columns)},
                                            "renameByName": {f: shown for f, (shown, _) in columns.items()}}}]
    defaults = {"unit": unit, "color": {"mode": "thresholds"}, "thresholds": thresholds(BLUE), "mappings": [], "noValue": no_value,
                "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": filterable, "minWidth": 60}}
    options = {"showHeader": True, "cellHeight": "sm",
               "sortBy": [{"displayName": sort, "desc": True}] if sort else []}
    return _panel("table", title, description, queries, width, height, defaults, options, overrides, transformations=order)


def state_timeline(title, description, *queries, mapping, width=24, height=8, links=None, no_value="no data"):
    defaults = {"unit": "short", "color": {"mode": "thresholds"}, "thresholds": thresholds(GREY), "mappings": words(mapping),
                "noValue": no_value, "links": links,
                "custom": {"fillOpacity": 80, "lineWidth": 0,
                           "hideFrom": {"legend": False, "tooltip": False, "viz": False}}}
    options = {"mergeValues": True, "showValue": "auto", "alignValue": "left", "rowHeight": 0.85,
               "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
               "tooltip": {"mode": "single", "sort": "none"}}
    return _panel("state-timeline", title, description, queries, width, height, defaults, options)


def bargauge(title, description, expr, legend, unit="short", width=12, height=8, steps=(BLUE,), palette=None, links=None,
             no_value="none", maximum=None, decimals=None):
    """A bar for each series, of one moment; the longest first where the query sorts them."""
    defaults = {"unit": unit, "color": {"mode": "thresholds"}, "thresholds": thresholds(*steps), "mappings": [], "min": 0,
                "max": maximum, "noValue": no_value, "links": links, "decimals": decimals}
    options = {"displayMode": "basic", "orientation": "horizontal", "showUnfilled": True, "valueMode": "text", "namePlacement": "left",
               "sizing": "manual", "minVizHeight": 16, "minVizWidth": 8, "maxVizHeight": 24,
               "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return _panel("bargauge", title, description, [query(expr, legend, instant=True)], width, height, defaults, options,
                  colours(palette or {}))


def heatmap(title, description, expr, unit="s", width=12, height=8, no_value="no data", scheme="Oranges"):
    """`expr` has a series for each bucket, with the label le."""
    defaults = {"unit": "short", "noValue": no_value,
                "custom": {"scaleDistribution": {"type": "linear"}, "hideFrom": {"legend": False, "tooltip": False, "viz": False}}}
    options = {"calculate": False, "cellGap": 1, "rowsFrame": {"layout": "auto"},
               "color": {"mode": "scheme", "scheme": scheme, "steps": 64, "exponent": 0.5, "scale": "exponential", "fill": "dark-blue",
                         "reverse": False},
               "yAxis": {"axisPlacement": "left", "unit": unit, "reverse": False}, "filterValues": {"le": 1e-9},
               "cellValues": {"unit": "short"}, "legend": {"show": True}, "exemplars": {"color": "rgba(255,0,255,0.7)"},
               "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False}}
    heat = query(expr, "{{le}}")
    heat["format"] = "heatmap"
    return _panel("heatmap", title, description, [heat], width, height, defaults, options)


# --- dashboards ------------------------------------------------------------------------------------------------------

def row(title, *panels, collapsed=False):
    return {"title": title, "panels": panels, "collapsed": collapsed}


def _flow(panels, top):
    """Panels from left to right, and into a new line where the width is used up; each line as high as its highest."""
    left = line = 0
    for panel in panels:
        place = panel["gridPos"]
        if left + place["w"] > FULL:
            left, top, line = 0, top + line, 0
        place.update(x=left, y=top)
        left, line = left + place["w"], max(line, place["h"])
    return top + line


def _place(rows):
    top, number, placed = 0, 0, []
    for r in rows:
        panels = list(r["panels"])
        if r["title"]:
            number += 1
            head = {"type": "row", "id": number, "title": r["title"], "collapsed": r["collapsed"], "panels": [],
                    "gridPos": {"x": 0, "y": top, "w": FULL, "h": 1}}
            placed.append(head)
            top += 1
        end = _flow(panels, top)
        for panel in panels:
            number += 1
            panel["id"] = number
        if r["collapsed"]:
            head["panels"] = panels
        else:
            placed += panels
            top = end
    return placed


def variable(name, label, expr, description, all_value=".*"):
    for short, matchers in MATCHERS.items():
        expr = expr.replace(short, matchers)
    return {"type": "query", "name": name, "label": label, "description": description, "datasource": DATASOURCE,
            "definition": expr, "query": {"query": expr, "refId": f"Variable-{name}", "qryType": 1}, "refresh": 2, "regex": "", "sort": 5,
            "multi": True, "includeAll": True, "allValue": all_value, "hide": 0, "skipUrlSync": False, "options": [],
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


def _variables(more):
    exporters = "mysqlconn_exporter_build_info"
    return [{"type": "datasource", "name": "datasource", "label": "Data source", "description": "The Prometheus that scrapes the exporters.",
             "query": "prometheus", "regex": "", "refresh": 1, "multi": False, "includeAll": False, "hide": 0, "skipUrlSync": False,
             "options": [], "current": {}},
            variable("job", "Job", f"label_values({exporters}, job)", "Scrape jobs of mysqlconn_exporter."),
            variable("instance", "Exporter", f'label_values({exporters}{{job=~"$job"}}, instance)', "The exporters, as Prometheus calls them."),
            # mysqld_exporter's metrics, some of which have our names, have no label `target`.
            variable("target", "Target", "label_values(mysqlconn_polls_total{<exporter>}, target)", "The servers that they watch.", ".+"),
            *more]


def _annotation(name, colour, expr, title, text):
    for short, matchers in MATCHERS.items():
        expr = expr.replace(short, matchers)
    return {"name": name, "enable": True, "hide": False, "iconColor": colour, "datasource": DATASOURCE, "expr": expr,
            "titleFormat": title, "textFormat": text, "tagKeys": "", "step": "", "useValueForTime": False}


ANNOTATIONS = (
    _annotation("Server restarts", ORANGE, "increase(mysqlconn_server_restarts_total{<target>}[$__rate_interval]) > 0",
                "{{target}} restarted", "its start time moved (mysqlconn_server_restarts_total)"),
    # However long it was away.
    _annotation("Exporter restarts", GREY, "(time() - process_start_time_seconds{<exporter>}) * 1000 < $__rate_interval_ms"
                " and on (job, instance) mysqlconn_exporter_build_info{<exporter>}",
                "exporter {{instance}} restarted", "process_start_time_seconds"),
    _annotation("Configuration reloads", BLUE,
                "changes(mysqlconn_exporter_config_last_reload_success_timestamp_seconds{<exporter>}[$__rate_interval]) > 0",
                "configuration of {{instance}} loaded", "mysqlconn_exporter_config_last_reload_success_timestamp_seconds moved"))


def dashboard(uid, description, rows, variables=(), refresh="30s", time="now-3h"):
    name = DASHBOARDS[uid]
    links = [{"title": title, "type": "link", "url": f"/d/{other}", "includeVars": True, "keepTime": True, "targetBlank": False,
              "asDropdown": False, "icon": "dashboard", "tags": [], "tooltip": f"{title}, with the same time and variables"}
             for other, title in DASHBOARDS.items() if other != uid]
    return {"uid": uid, "title": f"MySQL connections: {name}", "description": description, "tags": ["mysql", "mysqlconn"],
            "schemaVersion": 39, "version": 1, "editable": True, "graphTooltip": 1, "fiscalYearStartMonth": 0, "liveNow": False,
            "weekStart": "", "timezone": "browser", "refresh": refresh, "time": {"from": time, "to": "now"},
            "timepicker": {}, "id": None, "links": links,
            "annotations": {"list": [{"builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True,
                                      "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard"},
                                     *ANNOTATIONS]},
            "templating": {"list": _variables(variables)}, "panels": _place(rows)}
