"""The ledger of one exporter, as its page tells it, against the counters of the server."""

from .process import wait_until

COUNTERS = ("Aborted_clients", "Aborted_connects", "Aborted_connects_preauth", "Connection_errors_max_connections",
            "Connection_errors_peer_address", "Connection_errors_accept", "Connection_errors_internal", "Connection_errors_select",
            "Connection_errors_tcpwrap")


def counters_of(server):
    """Those of COUNTERS that the server has."""
    rows = dict(server.execute("SHOW GLOBAL STATUS"))
    return {name: int(rows[name]) for name in COUNTERS if name in rows}


class Ledger:
    """From a moment at which nothing is pending: what has been added to the books since then."""

    def __init__(self, watching, server):
        self.watching, self.server = watching, server
        self.begin()

    def begin(self):
        """Anew, from now on."""
        self.since, = wait_until(lambda: [books for books in [self._read()] if books is not None], 20,
                                 "the ledger has begun and nothing is pending")
        self.counters = counters_of(self.server)

    def _read(self):
        """{(counter, cause): n}, cause None for what is unexplained; None while something is pending."""
        metrics = self.watching.scrape()
        if not metrics.samples("mysqlconn_aborts_pending") or metrics.sum("mysqlconn_aborts_pending"):
            return None
        books = {(l["counter"], l["cause"]): int(v) for l, v in metrics.samples("mysqlconn_aborts_total")}
        for l, v in metrics.samples("mysqlconn_aborts_unexplained_total"):
            books[(l["counter"], None)] = int(v)
        for l, v in metrics.samples("mysqlconn_ledger_increase_total"):
            parts = sum(n for (counter, _), n in books.items() if counter == l["counter"])
            assert parts == v, f"{l['counter']} rose by {v}, and its parts are {parts}: {books}"
        return books

    def added(self):
        """What was added to the books since begin(); None while something is pending."""
        now = self._read()
        if now is None:
            return None
        return {key: n - self.since.get(key, 0) for key, n in now.items() if n != self.since.get(key, 0)}

    def rise(self):
        """What the server's own counters gained since begin()."""
        now = counters_of(self.server)
        return {name: value - self.counters[name] for name, value in now.items() if value != self.counters[name]}

    def wait_for(self, wanted, timeout=25):
        """The books gain exactly `wanted`, and that is what the server's counters gained, to the last unit."""
        sums = {}
        for (counter, _), n in wanted.items():
            sums[counter] = sums.get(counter, 0) + n
        wait_until(lambda: self.rise() == sums, 10, lambda: f"the server counts {sums}: {self.rise()}")
        wait_until(lambda: self.added() == wanted, timeout,
                   lambda: f"the books gain\n{wanted}\nnot\n{self.added()}\n{self.server.error_text()[-3000:]}")
        assert self.rise() == sums

    def unmatched(self):
        found = self.watching.scrape().samples("mysqlconn_ledger_unmatched_total")
        return {(l["counter"], l["cause"]): int(v) for l, v in found}

    def steps(self):
        return {l["step"]: int(v) for l, v in self.watching.scrape().samples("mysqlconn_ledger_steps_total")}
