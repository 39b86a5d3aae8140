"""How the demo looks: a live screen on a terminal, lines in a pipe, and the summary of both."""

import os
import shutil

PHASES = ("resolve", "connect", "greeting", "tls", "auth", "ping", "query", "quit")
PHASE_COLOURS = {"resolve": 95, "connect": 94, "greeting": 96, "tls": 93, "auth": 92, "ping": 91, "query": 95, "quit": 90}
BLOCKS = " ▁▂▃▄▅▆▇█"
BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "91", "92", "93", "96"


class Line:
    """A line of styled pieces that can be cut to a width."""

    def __init__(self, *pieces):
        self.pieces = [p if isinstance(p, tuple) else (p, None) for p in pieces]

    def add(self, text, style=None):
        self.pieces.append((text, style))
        return self

    def render(self, width, colour=True):
        out, left = [], width
        for text, style in self.pieces:
            text = text[:left]
            left -= len(text)
            out.append(f"\x1b[{style}m{text}\x1b[0m" if style and colour and text else text)
        return "".join(out).rstrip(" ") if not colour else "".join(out)


def milliseconds(seconds):
    ms = seconds * 1000
    return f"{ms:.2f}" if ms < 10 else f"{ms:.1f}" if ms < 100 else f"{ms:.0f}"


def describe(event):
    """(who, connection, what, detail) of an event."""
    who = f"{event['user'] or '?'}@{event['host'] or '?'}"
    connection = f"#{event['connection_id']}" if event["connection_id"] else ""
    return who, connection, event["cause"].replace("_", " "), f"db {event['db']}" if event["db"] else ""


def sparkline(values, width):
    """The increase in each of the last `width` seconds, as blocks."""
    steps = [max(0, b - a) for a, b in zip(values, values[1:])][-width:]
    top = max(steps + [3])
    return "".join(BLOCKS[min(8, (s * 8 + top - 1) // top)] for s in steps)


def phases_of(metrics):
    """[(phase, seconds)] of the last probe, in order; without the resolving of an address that needs none."""
    last = {l["phase"]: v for l, v in metrics.samples("mysqlconn_probe_last_phase_duration_seconds")}
    return [(p, last[p]) for p in PHASES if p in last and not (p == "resolve" and last[p] < 1e-5)]


def closes_of(metrics):
    """"14 clean, 1 reset"."""
    found = [(l["outcome"], int(v)) for l, v in metrics.samples("mysqlconn_probe_closes_total") if v]
    return ", ".join(f"{v} {outcome}" for outcome, v in found) or "none yet"


def verdict(row):
    if row.good:
        return ("✓ none", GREEN) if row.counted == 0 else (f"✗ {row.counted} seen", RED)
    if row.provoked == 0:
        return ("", None)
    return ("✓", GREEN) if row.settled else ("…", YELLOW)


def behaviour_lines(demo, final=False):
    yield Line((f"  {'client':17}{'what it does':32}{'provoked':>9}{'seen':>7}", DIM))
    for row in demo.rows:
        mark, style = verdict(row)
        if final and mark in ("…", ""):
            mark, style = "✗ not all was seen" if row.provoked else "✗ never played", RED
        name = "(never logs in)" if row.user == "unauthenticated" else row.user
        line = Line(f"  {name:17}", f"{row.title:32}", f"{row.provoked:9}", (f"{row.counted:7}", BOLD), "  ")
        yield line.add(mark, style)


def harm_line(demo):
    harm = int(demo.metrics.sum("mysqlconn_self_aborts_total"))
    probes = int(demo.metrics.sum("mysqlconn_probes_total"))
    return Line("  our own ", f"{probes} probes closed: ", (closes_of(demo.metrics), GREEN), "; connections that we aborted: ",
                (str(harm), RED if harm else GREEN))


class View:
    """Prints to `out`; used in a `with`."""

    colour = True

    def __init__(self, out):
        self.out = out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def write(self, line=None, width=200):
        print(line.render(width, self.colour) if line else "", file=self.out)

    def summary(self, demo, complete):
        """What it came to; a verdict only on a demo that ran to its end."""
        self.write()
        self.write(Line((f"mysqlconn_exporter's demo: {demo.elapsed:.0f} s", BOLD)))
        for line in behaviour_lines(demo, final=complete):
            self.write(line)
        clients, connects = (demo.counter(n) for n in ("aborted_clients", "aborted_connects"))
        self.write(Line(f"  the server's own counters say Aborted_clients {clients}, Aborted_connects {connects}: ",
                        "how many, not who or why"))
        self.write(harm_line(demo))
        done = demo.success()
        if complete:
            self.write(Line(("everything that was provoked was seen" if done else "NOT everything that was provoked was seen",
                             GREEN if done else RED)))
        self.out.flush()


class PlainView(View):
    """Lines, for a pipe or a terminal that cannot do more."""

    colour = False

    def __init__(self, out):
        super().__init__(out)
        self._said = -1e9

    def __enter__(self):
        return self

    def show(self, demo, new):
        if demo.elapsed - self._said > 5:
            if self._said < 0:
                self.write(Line(f"metrics: {demo.exporter.url}/metrics   status page: {demo.exporter.url}/"))
            self._said = demo.elapsed
            phases = "  ".join(f"{p} {milliseconds(s)}" for p, s in phases_of(demo.metrics))
            self.write(Line(f"{demo.elapsed:6.1f} s  Aborted_clients {demo.counter('aborted_clients')}  "
                            f"Aborted_connects {demo.counter('aborted_connects')}"))
            self.write(Line(f"{'':10}probe, in ms: {phases}; closes: {closes_of(demo.metrics)}"))
        for event in new:
            who, connection, what, detail = describe(event)
            self.write(Line(f"{demo.elapsed:6.1f} s  {who:26} {connection:7} {what}{'; ' + detail if detail else ''}"))
        self.out.flush()


class ScreenView(View):
    """The whole terminal, drawn anew at each show(). What was on it comes back at the end."""

    def __init__(self, out):
        super().__init__(out)
        self.colour = "NO_COLOR" not in os.environ

    @staticmethod
    def fits(out):
        size = shutil.get_terminal_size()
        return out.isatty() and os.environ.get("TERM", "dumb") != "dumb" and size.columns >= 72 and size.lines >= 22

    def __enter__(self):
        self.out.write("\x1b[?1049h\x1b[?25l")  # the alternate screen, no cursor
        return self

    def __exit__(self, *_):
        self.out.write("\x1b[?25h\x1b[?1049l")
        self.out.flush()

    def show(self, demo, _new):
        size = shutil.get_terminal_size()
        lines = list(self.frame(demo, size.columns, size.lines))[:size.lines]
        text = "\x1b[K\r\n".join(line.render(size.columns, self.colour) for line in lines)
        self.out.write(f"\x1b[H{text}\x1b[K\x1b[J")
        self.out.flush()

    def frame(self, demo, width, height):
        gap = [Line()] if height >= 30 else []
        top = [*self.head(demo, width), *gap, *self.counters(demo, width), *gap, *self.behaviours(demo), *gap]
        bottom = [*gap, *self.probe(demo, width), *gap, self.foot(demo)]
        yield from top
        yield Line(("WHO AND WHY", BOLD), ("   the exporter reads the error log; newest last", DIM))
        room = max(height - len(top) - len(bottom) - 1, 0)
        events = demo.events[-room:] if room else []
        for event in events:
            yield self.event(event)
        for _ in range(room - len(events)):
            yield Line()
        yield from bottom

    @staticmethod
    def event(event):
        who, connection, what, detail = describe(event)
        line = Line(("  " + event["seen"][11:19] + "  ", DIM), (f"{who:25.25} ", CYAN), (f"{connection:<6} ", DIM))
        return line.add(what, YELLOW if event["cause"] == "access_denied" else RED).add("  " + detail, DIM)

    @staticmethod
    def counters(demo, width):
        yield Line(("WHAT THE SERVER COUNTS", BOLD), ("   how many, not who or why", DIM))
        for name, values in demo.history.items():
            value = demo.counter(name)
            yield Line(f"  {name.capitalize():17}", (f"{'–' if value is None else value:>5}   ", BOLD),
                       (sparkline(values, max(10, width - 40)), RED))

    @staticmethod
    def behaviours(demo):
        yield Line(("WHAT WAS PROVOKED, AND WHAT THE EXPORTER SAW", BOLD))
        yield from behaviour_lines(demo)

    @staticmethod
    def head(demo, width):
        memory = demo.metrics.sum("process_resident_memory_bytes") / 1e6
        version = next((l["version"] for l, _ in demo.metrics.samples("mysql_version_info")), "")
        clock = f"{demo.elapsed:.0f} s" + (f" of {demo.seconds:.0f}" if demo.seconds is not None else "")
        left = f"mysqlconn_exporter  watches MariaDB {version.split('-')[0]} on {demo.server.address}"
        right = f"{memory:.1f} MB   {clock}"
        yield Line((left, BOLD), " " * max(1, width - len(left) - len(right)), (right, DIM))
        yield Line(("metrics  ", DIM), (f"{demo.exporter.url}/metrics", CYAN), ("   status page  ", DIM), (f"{demo.exporter.url}/", CYAN))

    @staticmethod
    def probe(demo, width):
        phases = phases_of(demo.metrics)
        total = sum(s for _, s in phases) or 1
        yield Line(("THE PROBE", BOLD), (f"   {milliseconds(total)} ms: one connection, timed phase by phase", DIM))
        room = width - 4
        bar = Line("  ")
        for phase, seconds in phases:
            bar.add("█" * max(1, round(seconds / total * (room - len(phases)))), PHASE_COLOURS[phase])
        yield bar
        legend = Line("  ")
        for phase, seconds in phases:
            legend.add(phase, PHASE_COLOURS[phase]).add(" " + milliseconds(seconds) + "  ")
        yield legend
        yield harm_line(demo)

    @staticmethod
    def foot(demo):
        if demo.seconds is not None and demo.elapsed > demo.seconds:
            return Line(("waiting until all of it is seen …", DIM))
        return Line(("Ctrl-C ends it and leaves nothing behind", DIM))
