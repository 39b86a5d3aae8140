"""A matrix of what was found: for each scenario the cause, how sure, what is known of the client, and the ledger. It is compared
with the committed one of the same column (expected.txt), and may not be worse. A cause that is not true fails, too, unless the very same
row is committed: a fault that is known and not yet mended. What stays unknown has a note that says why.

A row, and each of its cells:
    scenario    its name
    found       the cause, "unexplained" where a counter rose without evidence, "-" where nothing was aborted and none is claimed
    sure        certain, likely, unknown; "-" where there is no event
    known       of id user host db driver (with its version) what the event has right; not-id(…) what it has wrong
    ledger      what rose, each under its cause, "?" where it is unexplained"""

import os
from dataclasses import dataclass

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.txt")
UPDATE = "MATRIX_UPDATE"  # in the environment: write what was found
FIELDS = ("scenario", "found", "sure", "known", "ledger")
SURE = ("-", "unknown", "likely", "certain")
# What says honestly that it does not know.
OPEN = ("before_login", "unknown", "unexplained")


@dataclass(frozen=True)
class Row:
    scenario: str
    found: str
    sure: str
    known: str
    ledger: str

    def cells(self):
        return tuple(getattr(self, field) for field in FIELDS)

    def wrong(self, truth):
        """The causes that it claims and that are not true; "" none."""
        claimed = set() if self.found == "-" else set(self.found.split(", "))
        if self.ledger != "-":
            claimed |= {part.rpartition(" ")[2] for part in self.ledger.split(", ")} - {"?"}
        claimed |= {word for word in self.known.split() if word.startswith("not-")}
        return ", ".join(sorted(claimed - set(truth) - set(OPEN)))

    def worse_than(self, other):
        """In which fields."""
        def opens(row):
            return row.ledger.count("?") + sum(row.ledger.count(cause) for cause in OPEN)
        worse = []
        if set(self.found.split(", ")) & {*OPEN, "-"} and self.found != other.found and other.found not in ("-", *OPEN):
            worse.append("found")
        if SURE.index(self.sure) < SURE.index(other.sure):
            worse.append("sure")
        if set(other.known.split()) - set(self.known.split()) - {"-"}:
            worse.append("known")
        if opens(self) > opens(other):
            worse.append("ledger")
        return worse


FIELD_NAMES = {"connection_id": "id", "user": "user", "host": "host", "db": "db", "driver": "driver"}


def what_is_known(who, event):
    """The names of the fields that the event has right, "not" before those that it has wrong."""
    known = []
    told = {**event, "driver": (event["driver"], event["driver_version"] or "") if event["driver"] else None}
    for field, right in who.items():
        if right is not None and told[field]:
            known.append(FIELD_NAMES[field] if told[field] == right else f"not-{FIELD_NAMES[field]}({told[field]})")
    return " ".join(known) or "-"


def make_row(scenario, who, counts, books, events):
    """What was found of one scenario. `books` is {(counter, cause): n}, cause None for what is unexplained."""
    causes = {e["cause"] for e in events} | {"unexplained" for _, cause in books if cause is None}
    found = ", ".join(sorted(causes)) or "-"
    wanted = max(counts.values(), default=1 if scenario.truth else 0)
    total = sum(e["n"] for e in events)
    if total > wanted and not scenario.step:
        found += f" x{total}"
    sure = min((e["confidence"] for e in events), key=SURE.index, default="-")
    known = what_is_known(who, events[-1]) if events else "-"
    ledger = [f"{counter}{'' if n == 1 else f' {n}'} {cause or '?'}" for (counter, cause), n in sorted(books.items(), key=str)]
    return Row(scenario.name, found, sure, known, ", ".join(ledger) or "-")


def table(rows):
    """Aligned text."""
    cells = [FIELDS, *(row.cells() for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(FIELDS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]


def read_expected(column):
    """{scenario: Row} of one column; {} where there is none."""
    rows, current = {}, None
    try:
        with open(EXPECTED, encoding="utf-8") as f:
            lines = f.read().splitlines()
    except FileNotFoundError:
        return {}
    for line in lines:
        if line.startswith("# "):
            current = line[2:]
        elif current == column and line.strip() and not line.startswith(FIELDS[0]):
            parts = [part.strip() for part in line.split("  ") if part.strip()]
            rows[parts[0]] = Row(*parts)
    return rows


def hopeless(column):
    """The scenarios of which nothing told when it was written down. While that is done anew there is hope."""
    if os.environ.get(UPDATE):
        return set()
    return {name for name, row in read_expected(column).items() if "?" in row.ledger or row.found == "-"}


def write_expected(column, rows):
    """Its column anew, the others as they were."""
    try:
        with open(EXPECTED, encoding="utf-8") as f:
            text = f.read()
    except FileNotFoundError:
        text = ""
    columns = {part.split("\n", 1)[0]: part.split("\n", 1)[1].strip() for part in ("\n" + text).split("\n# ")[1:]}
    columns[column] = "\n".join(table(rows))
    with open(EXPECTED, "w", encoding="utf-8") as f:
        f.write("\n\n".join(f"# {name}\n{body}" for name, body in sorted(columns.items())) + "\n")


def judge(column, rows, truths, notes, figure):
    """Prints the matrix; AssertionError where a cause is wrong, or a row worse than expected."""
    expected = read_expected(column)
    figure(f"{column}:")
    for line, row in zip(table(rows), [None, *rows]):
        note = notes.get(row.scenario) if row and row.wrong(truths[row.scenario]) == "" and row.sure != "certain" else None
        figure("  " + line + (f"   ({note})" if note else ""))
    if os.environ.get(UPDATE):
        write_expected(column, rows)
        expected = read_expected(column)
    faults, changed, known_wrong = [], [], []
    for row in rows:
        wrong = row.wrong(truths[row.scenario])
        old = expected.get(row.scenario)
        if wrong and row == old:
            known_wrong.append(row.scenario)
        elif wrong:
            faults.append(f"{row.scenario}: {wrong} is wrong, the truth is {truths[row.scenario] or 'no abort'}: {row.cells()}")
        elif old is None:
            faults.append(f"{row.scenario}: not in {os.path.basename(EXPECTED)}: {row.cells()}")
        elif worse := row.worse_than(old):
            faults.append(f"{row.scenario}: worse in {', '.join(worse)}: {row.cells()}, not {old.cells()}")
        elif row != old:
            changed.append(row.scenario)
        if (row.sure == "unknown" or "?" in row.ledger) and not notes.get(row.scenario):
            faults.append(f"{row.scenario}: unknown, and its scenario has no note that says why")
    faults += [f"{name}: did not run" for name in expected if name not in {row.scenario for row in rows}]
    if changed:
        figure(f"  other than expected, not worse ({UPDATE}=1 writes it down): {', '.join(changed)}")
    if known_wrong:
        figure(f"  WRONG, and known to be: {', '.join(known_wrong)}")
    assert not faults, f"{column}:\n" + "\n".join(faults)
