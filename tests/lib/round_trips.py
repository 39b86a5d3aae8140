"""How many round trips each phase of a probe needs, told by a path whose round trip is long beside everything else: on a machine that
has much else to do, a longer one."""

import json
import subprocess

from .exporter import sanitizer_environment, sanitizer_report
from .relay import Relay

ROUND_TRIPS = (0.040, 0.080, 0.160, 0.320)
SOONER = 0.25  # of a round trip: a busy machine can make our clock start late
ROUNDS_MAX = 10


def probe_json(program, host, user, password, *flags, timeout=60, before=()):
    """The probes that `mysqlconn_exporter probe --json` made, each a dictionary."""
    argv = [*before, program, "probe", host, "--json", "--user", user, *flags]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL,
                          env={**sanitizer_environment(), "MYSQL_PWD": password})
    assert not sanitizer_report(done.stderr), done.stderr
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    return [o for o in objects if o["type"] == "probe"]


class Path:
    """A path to `server` of the first of ROUND_TRIPS; use it in a `with`. The relay answers the SYN itself and lets it travel then:
    connect takes no round trip, greeting takes that of the SYN."""

    def __init__(self, program, server):
        self._program = program
        self._relay = Relay(server.port, delay=ROUND_TRIPS[0] / 2)

    def __enter__(self):
        self._relay.__enter__()
        return self

    def __exit__(self, *args):
        self._relay.__exit__(*args)

    def probe(self, user, password, *flags):
        """One probe over it, which must go well."""
        probe, = probe_json(self._program, self._relay.address, user, password, "--count=1", *flags)
        assert probe["ok"] and probe["close"] == "clean", probe
        return probe

    def agrees(self, figure, what, account, *flags, auth=1, tls=0, prepare=None):
        """Log in as `account` and hold each phase against its number of round trips: never less, and soon no more. (What a busy
        machine adds it does not add each time, nor is it as long as a longer round trip.) Returns a probe."""
        trips = {"connect": 0, "greeting": 1, "auth": auth, "ping": 1, "query": 1, "quit": 1, **({"tls": tls} if tls else {})}
        for round_trip in ROUND_TRIPS:
            self._relay.delay = round_trip / 2
            probe, least = self._least(account, flags, prepare, {phase: (n + 0.5) * round_trip for phase, n in trips.items()})
            wrong = [phase for phase, n in trips.items() if not n - SOONER <= least.get(phase, -1) / round_trip < n + 0.5]
            if not wrong:
                break
        figure(f"{what + ', ' + probe.get('tls_version', 'no TLS'):52}" +
               "".join(f"  {phase} {least[phase] * 1000:5.1f} ({trips[phase]})" for phase in least if phase in trips))
        assert set(least) - {"resolve"} == set(trips)
        assert not wrong, (what, wrong, least, f"of {round_trip}")
        return probe

    def _least(self, account, flags, prepare, bounds):
        """The last of some probes, and the least that each phase took: until all are within these bounds."""
        least = {}
        for _ in range(ROUNDS_MAX):
            if prepare:
                prepare()
            probe = self.probe(*account, *flags)
            for phase, seconds in probe["phase_seconds"].items():
                least[phase] = min(seconds, least.get(phase, seconds))
            if all(least.get(phase, 0) < bound for phase, bound in bounds.items()):
                break
        return probe, least
