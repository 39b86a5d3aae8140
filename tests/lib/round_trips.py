"""How many round trips each phase of a probe needs, told by a path whose round trip is long beside everything else."""

import json
import subprocess

from .exporter import sanitizer_environment, sanitizer_report
from .relay import Relay

# A busy machine adds its own delay, and can make our clock start late. Where they do not agree, a path that is so much longer tells:
# what takes one trip too many or too few does on any path.
ROUND_TRIPS = (0.040, 0.080, 0.160, 0.320)
ROUNDS = 6  # on each


def probe_json(program, host, user, password, *flags, timeout=60, before=()):
    """The probes that `mysqlconn_exporter probe --json` made, each a dictionary."""
    argv = [*before, program, "probe", host, "--json", "--user", user, *flags]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL,
                          env={**sanitizer_environment(), "MYSQL_PWD": password})
    assert not sanitizer_report(done.stderr), done.stderr
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    return [o for o in objects if o["type"] == "probe"]


class Path:
    """A path to `server`, as long as the first of ROUND_TRIPS; use it in a `with`. The relay answers the SYN itself and lets it travel
    then: connect takes no round trip, greeting takes that of the SYN."""

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
        probe, = probe_json(self._program, self._relay.address, user, password, "--count=1", "--timeout=60s", *flags)
        assert probe["ok"] and probe["close"] == "clean", probe
        return probe

    def agrees(self, figure, what, account, *flags, auth=1, tls=0, prepare=None):
        """Log in as `account` and hold each phase against its number of round trips: never less, and soon no more. Returns a probe."""
        trips = {"connect": 0, "greeting": 1, **({"tls": tls} if tls else {}), "auth": auth, "ping": 1, "query": 1, "quit": 1}
        for round_trip in ROUND_TRIPS:
            self._relay.delay, least = round_trip / 2, {}
            for _ in range(ROUNDS):
                if prepare:
                    prepare()
                probe = self.probe(*account, *flags)
                assert set(probe["phase_seconds"]) - {"resolve"} == set(trips)
                for phase, seconds in probe["phase_seconds"].items():
                    least[phase] = min(seconds / round_trip, least.get(phase, seconds / round_trip))
                wrong = {phase: least[phase] for phase, n in trips.items() if not n - 0.25 <= least[phase] < n + 0.5}
                if not wrong:
                    break
            figure(f"{what + ', ' + probe.get('tls_version', 'no TLS'):52}" +
                   "".join(f"  {phase} {least[phase] * round_trip * 1000:5.1f} ({n})" for phase, n in trips.items()))
            if not wrong:
                return probe
        raise AssertionError(f"{what}: on a path of {round_trip} s these phases take so many round trips: {wrong}, not as in {trips}")
