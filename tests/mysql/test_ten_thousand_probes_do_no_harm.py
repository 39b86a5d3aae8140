"""10,000 probes and 500 polls of a MySQL and of a MariaDB, plain, over TLS and over the socket, and the end of the exporter after
them, leave every counter of aborted connections and the error log as they were."""
# runs alone

import time

import pytest

from lib.certificates import Authority
from lib.exporter import target
from lib.mariadb import MariaDB
from lib.mysql import MySQL

PROBES, POLLS = 10000, 500
COMMON = ("Aborted_clients", "Aborted_connects", "Connection_errors_accept", "Connection_errors_internal",
          "Connection_errors_max_connections", "Connection_errors_peer_address", "Connection_errors_select",
          "Connection_errors_tcpwrap")


class WatchedMySQL(MySQL):
    counters = (*COMMON, "Locked_connects")

    def harm(self):
        """All that a bad client would move. The summary knows what no other counter tells: 1158 to 1161, 1043, 4031 and so on. Not
        3554, which the server itself raises and handles, six times, with anybody's query of information_schema.COLUMNS."""
        errors = self.execute("SELECT error_number, sum_error_raised FROM performance_schema.events_errors_summary_global_by_error "
                              "WHERE sum_error_raised > 0 AND error_number < 10000 AND error_number <> 3554")
        return self.status(*self.counters), dict(errors), self.error_text()


class WatchedMariaDB(MariaDB):
    counters = (*COMMON, "Aborted_connects_preauth", "Access_denied_errors")

    def harm(self):
        return self.status(*self.counters), {}, self.error_text()


def mysql(_):
    return WatchedMySQL(["--log-error-verbosity=3"])


def mariadb(folder):
    authority = Authority(folder)
    # At level 4 the server also says what it otherwise forgives.
    running = WatchedMariaDB(["--log-warnings=4"]).use_certificate(*authority.sign("server"))
    running.ca = authority.ca
    return running


@pytest.mark.parametrize("make", [mysql, mariadb])
def test_ten_thousand_probes_and_five_hundred_polls(exporter, make, tmp_path, figure):
    with make(tmp_path) as server:
        ways = [{"tls": {"mode": "disabled"}, "get_server_public_key": True}, {"tls": {"mode": "preferred"}},
                {"tls": {"mode": "verify-ca", "ca": server.ca}}, {"address": f"unix:{server.socket}"}]
        targets = [target(server, f"db{i}", **way) for i, way in enumerate(ways * 2)]
        before, connections = server.harm(), server.status("Connections")
        started = time.monotonic()
        watching = exporter({"poll": {"interval": "200ms", "timeout": "200ms"}, "probe": {"interval": "10ms", "timeout": "10ms"},
                             "targets": targets})
        done = watching.wait_for(lambda m: m.sum("mysqlconn_probe_closes_total", outcome="clean") >= PROBES
                                 and m.sum("mysqlconn_polls_total") >= POLLS, 150, f"{PROBES} probes and {POLLS} polls")
        took = time.monotonic() - started
        watching.stop()

        assert server.harm() == before
        probes, polls = done.sum("mysqlconn_probes_total"), done.sum("mysqlconn_polls_total")
        late = done.sum("mysqlconn_probe_failed_total")
        assert server.status("Connections") - connections >= PROBES, "they were real connections"
        assert done.sum("mysqlconn_self_aborts_total") == 0
        for outcome in ("reset", "unexpected_data", "timeout", "peer_gone"):
            assert done.sum("mysqlconn_probe_closes_total", outcome=outcome) == 0, outcome
        for i in range(len(targets)):
            assert done.value("mysqlconn_poll_connects_total", target=f"db{i}") == 1
        figure(f"{server.name}: {probes:.0f} probes ({late:.0f} out of time), {polls:.0f} polls in {took:.0f} s: "
               "no counter moved, no log line")
