"""Whether each bound is met: the word for its row, and all of them in one line at the end."""

_met, _missed = 0, []


def verdict(row, met, otherwise="ABOVE"):
    global _met
    _met += met
    if not met:
        _missed.append(" ".join(row.split()))
    return "ok" if met else otherwise


def summary():
    return f"bounds: {_met} met, {len(_missed)} not met" + (": " + "; ".join(_missed) if _missed else "")
