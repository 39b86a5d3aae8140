"""What reading error logs costs: `explain` with every field parsed, against grep -c and mtail on the same synthetic log, in bytes per
CPU second; and a log of nothing but aborts."""

import os
import random
import re
import subprocess
import tempfile

from verdict import verdict

GIB = 1 << 30
CHUNK = 32 << 20
GREP = ["grep", "-c", "Aborted connection"]
# The equal of what explain counts of an abort, but for its lists of clients and its course over time.
MTAIL = r"""
counter aborts by reason, user
counter hosts by host
counter databases by db
/^(?P<date>\d{4}-\d\d-\d\d +\d+:\d\d:\d\d) \d+ \[Warning\] Aborted connection (?P<id>\d+) to db: '(?P<db>.*)' user: '(?P<user>.*)' host: '(?P<host>[^']*)' \((?P<reason>.*)\)$/ {
  strptime($date, "2006-01-02 15:04:05")
  aborts[$reason][$user]++
  hosts[$host]++
  databases[$db]++
}
"""
REASONS = ["Got an error reading communication packets"] * 6 + ["Got timeout reading communication packets"] * 3 + [
    "Got an error writing communication packets", "Got a packet bigger than 'max_allowed_packet' bytes"]
OTHERS = [
    "0 [Note] InnoDB: page_cleaner: 1000ms intended loop took {n}ms. The settings might not be optimal.",
    "0 [Note] InnoDB: Buffer pool(s) load completed at 261121 {n}",
    "{n} [Note] Event Scheduler: [root@localhost].[shop.clean_up_{n}] event execution successful.",
    "{n} [Warning] Statement is unsafe because it uses a system variable that may have a different value on the replica. "
    "Statement: INSERT INTO audit.log VALUES ({n}, @@hostname, 'a value')",
    "{n} [Note] Start binlog_dump to slave_server({n}), pos(binlog.000{n}, 4), using_gtid(1), gtid('0-1-{n}')",
    "0 [ERROR] mysqld: Table './shop/session_{n}' is marked as crashed and should be repaired",
]


def synthetic_line(dice, number, abort):
    when = f"2026-11-{1 + number // 86400 % 28:02} {number // 3600 % 24:2}:{number // 60 % 60:02}:{number % 60:02}"
    if not abort:
        return f"{when} {dice.choice(OTHERS).format(n=dice.randrange(100, 100000))}\n"
    return (f"{when} {number} [Warning] Aborted connection {number} to db: '{dice.choice(('shop', 'stock', 'unconnected'))}' "
            f"user: 'app{dice.randrange(20)}' host: '10.0.{dice.randrange(4)}.{dice.randrange(250)}' ({dice.choice(REASONS)})\n")


def write_log(folder, name, size, share):
    """`size` bytes, `share` of its lines aborts: pieces of 32 MiB, over and over."""
    dice, lines, length, number = random.Random(4), [], 0, 0
    while length < min(CHUNK, size):
        lines.append(synthetic_line(dice, number, dice.random() < share))
        length += len(lines[-1])
        number += 1
    chunk = "".join(lines).encode()
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        for _ in range(-(-size // len(chunk))):
            f.write(chunk)
        f.flush()
        os.fsync(f.fileno())  # so that the kernel does not write it out while we measure
    return path, number * -(-size // len(chunk))


def cost(build, argv, **env):
    """(CPU milliseconds, resident KB at most, what it wrote)."""
    done = subprocess.run([f"{build}/tests/bench/cost", *argv], capture_output=True, text=True, check=True,
                          env={**os.environ, **env})
    cpu_us, rss = done.stderr.split("\n")[-2].split()
    return int(cpu_us) / 1000, int(rss), done.stdout


def against_grep(build, log, aborts_of, row, rounds, locale):
    rss = 0
    for _ in range(rounds):
        ours, kb, said = cost(build, [f"{build}/mysqlconn_exporter", "explain", log])
        theirs, _, counted = cost(build, [*GREP, log], **({"LC_ALL": locale} if locale else {}))
        if aborts_of(said) != int(counted):
            raise RuntimeError(f"explain counted {aborts_of(said)}, grep {counted}")
        row.add(ours, theirs)
        rss = max(rss, kb)
    return rss


def abort_count(said):
    return int(re.search(r"^aborted +(\d+)", said, re.M).group(1))


def log_bench(build, row_class, rounds, size=GIB):
    """Prints as it goes; `row_class` is bench.py's Row."""
    binary = f"{build}/mysqlconn_exporter"
    with tempfile.TemporaryDirectory() as folder:
        log, lines = write_log(folder, "error.log", size, 0.01)
        bytes_ = os.path.getsize(log)
        what = f"CPU, {bytes_ / GIB:.2g} GiB error log, 1 % aborts"
        rss = 0
        for locale, told in ((None, f"grep -c, LANG={os.environ.get('LANG', '')}"), ("C", "grep -c, LC_ALL=C")):
            row = row_class(what, "ms", 1 / 1.3, told)
            rss = max(rss, against_grep(build, log, abort_count, row, rounds, locale))
            print(row.line(), flush=True)
        program = os.path.join(folder, "aborts.mtail")
        with open(program, "w", encoding="ascii") as f:
            f.write(MTAIL)
        row = row_class(what, "ms", 1 / 60, "mtail")
        ours, _, said = cost(build, [binary, "explain", log])
        theirs, _, counted = cost(build, ["mtail", "-one_shot", "-one_shot_format", "json", "-logs", log, "-progs", program, "-disable_fsnotify"])
        row.add(ours, theirs)
        print(row.line(), flush=True)
        print(f"{'    … ours':<46} {bytes_ / ours / 1e6:>9.2f} {'':>9} GB per CPU second, {lines / ours / 1e3:.1f} million lines; at most "
              f"{rss} KB resident  <= 16384 KB: {verdict('resident memory of explain', rss <= 16384)}", flush=True)
        all_aborts, lines = write_log(folder, "aborts.log", size // 4, 1)
        for flags, told in (([], "summed up"), (["--json", "--events"], "as JSON, each one")):
            spent = min(cost(build, [binary, "explain", *flags, all_aborts])[0] for _ in range(rounds))
            rate = lines / spent / 1e3
            bound = f">= 1.0: {verdict('all aborts, ' + told, rate >= 1, 'BELOW')}" if not flags else ""
            print(f"{'all aborts, ' + told:<46} {rate:>9.2f} {'':>9} million lines per CPU second  {bound}", flush=True)
