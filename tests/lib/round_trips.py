"""How many round trips each phase of a probe needs, told by a path whose round trip is long beside everything else."""

import json
import subprocess

from .exporter import sanitizer_environment, sanitizer_report
from .relay import Relay

ROUND_TRIP = 0.040
SOONER = 0.010  # a busy machine can make our clock start late
ROUNDS_MAX = 20


def probe_json(program, host, user, password, *flags, timeout=60, before=()):
    """The probes that `mysqlconn_exporter probe --json` made, each a dictionary."""
    argv = [*before, program, "probe", host, "--json", "--user", user, *flags]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL,
                          env={**sanitizer_environment(), "MYSQL_PWD": password})
    assert not sanitizer_report(done.stderr), done.stderr
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    return [o for o in objects if o["type"] == "probe"]


class Path:
    """A path to `server` of ROUND_TRIP; use it in a `with`. The relay answers the SYN itself and lets it travel then: connect
    takes no round trip, greeting takes that of the SYN."""

    def __init__(self, program, server):
        self._program = program
        self._relay = Relay(server.port, delay=ROUND_TRIP / 2)

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
        machine adds it does not add each time.) Returns a probe."""
        trips = {"connect": 0, "greeting": 1, "auth": auth, "ping": 1, "query": 1, "quit": 1, **({"tls": tls} if tls else {})}
        least = {}
        for _ in range(ROUNDS_MAX):
            if prepare:
                prepare()
            probe = self.probe(*account, *flags)
            for phase, seconds in probe["phase_seconds"].items():
                least[phase] = min(seconds, least.get(phase, seconds))
            if all(least.get(phase, 0) < (n + 0.5) * ROUND_TRIP for phase, n in trips.items()):
                break
        figure(f"{what + ', ' + probe.get('tls_version', 'no TLS'):52}" +
               "".join(f"  {phase} {least[phase] * 1000:5.1f} ({trips[phase]})" for phase in least if phase in trips))
        assert set(least) - {"resolve"} == set(trips)
        for phase, n in trips.items():
            assert n * ROUND_TRIP - SOONER <= least[phase] < (n + 0.5) * ROUND_TRIP, (what, phase, n, least)
        return probe
