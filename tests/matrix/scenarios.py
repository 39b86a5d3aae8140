"""The scenarios: what a client does, what that truly is, and what the server counts for it. See run.py and matrix.py."""

from dataclasses import dataclass, field

from lib.netns import NEAR, NEAR_TOO

from . import between, logged_in, refused
from .stage import PROXIED

CLIENTS, CONNECTS, PREAUTH = "Aborted_clients", "Aborted_connects", "Aborted_connects_preauth"
FULL = "Connection_errors_max_connections"


@dataclass(frozen=True)
class Scenario:
    name: str
    act: callable
    truth: tuple               # the causes that are right, the first being the best; () where nothing was aborted
    counts: dict               # what the server's counters rise by: {counter: n}, or that for each server
    who: dict = field(default_factory=dict)  # other than APP of this host in DATABASE; None what nobody can know
    settings: dict = field(default_factory=dict)
    late: tuple = ()           # the servers, or columns, whose evidence comes, or is believed, after a second or more
    step: str = ""             # the step of the ledger that this is; the server's counters begin anew with it
    only: str = ""             # the one server that can do it
    note: dict = field(default_factory=dict)  # for each server that gives nothing to tell by: why

    def counts_of(self, flavour):
        return self.counts.get(flavour, self.counts) if set(self.counts) & set(BOTH) else self.counts

    def note_of(self, flavour):
        return self.note.get(flavour, "")


NOBODY = {"user": None, "db": None, "driver": None}
ONE = {CLIENTS: 1}
REFUSED = {CONNECTS: 1}
BEFORE = {"MariaDB": {CONNECTS: 1, PREAUTH: 1}, "MySQL": {CONNECTS: 1}}
BOTH = ("MariaDB", "MySQL")
SAME_LINE = {"MariaDB": "one line for all that ends before login"}
NO_LINE = {"MariaDB": "no line, no counter of its own"}
LEVEL_2 = "MySQL, level 2"  # the column
NO_LINE_BELOW_4 = {"MariaDB": "no line below log_warnings=4", "MySQL": "no line at any level"}

CANNOT_TELL = dict.fromkeys(BOTH, "to the server it is an idle client")

SCENARIOS = (
    Scenario("clean quit", logged_in.quit_and_wait, (), {}),
    Scenario("quit and close at once, idle", logged_in.quit_and_close, (), {}),
    Scenario("quit and close mid-result", logged_in.leave_mid_result, ("left_mid_result",), ONE),
    Scenario("close mid-result, no quit", logged_in.leave_mid_result_silently, ("left_mid_result", "client_vanished"), ONE),
    Scenario("close without quit", logged_in.leave, ("client_vanished",), ONE),
    Scenario("close without quit, TLS", logged_in.leave_in_tls, ("client_vanished",), ONE),
    Scenario("close while a query runs", logged_in.leave_mid_query, ("client_vanished", "left_mid_result"), ONE),
    Scenario("client killed -9", logged_in.kill_client, ("client_vanished",), ONE),
    Scenario("reset", logged_in.leave_by_reset, ("client_vanished",), ONE),
    Scenario("idle past wait_timeout", logged_in.idle_past_wait_timeout, ("idle_timeout",), ONE),
    Scenario("idle past interactive_timeout", logged_in.idle_past_interactive_timeout, ("idle_timeout",), ONE,
             settings={"interactive_timeout": 1}),
    Scenario("KILL CONNECTION, idle", logged_in.killed, ("killed",), ONE, only="MySQL", note=NO_LINE_BELOW_4),
    Scenario("KILL CONNECTION, in a query", logged_in.killed_in_query, ("killed",), ONE, only="MySQL", note=NO_LINE_BELOW_4),
    Scenario("KILL CONNECTION, idle and in a query", logged_in.two_killed, ("killed",), {CLIENTS: 2}, late=("MariaDB",),
             only="MariaDB", note=NO_LINE_BELOW_4),
    Scenario("KILL QUERY", logged_in.kill_query, (), {}),
    Scenario("packet above max_allowed_packet", logged_in.too_large, ("packet_too_large",), ONE,
             settings={"max_allowed_packet": 1048576}),
    Scenario("half a packet, then silence", logged_in.half_packet, ("read_timeout", "idle_timeout"), ONE,
             note={"MariaDB": "the server applies wait_timeout, and says so"}),
    Scenario("LOAD DATA LOCAL, then silence", logged_in.silent_upload, ("read_timeout",), ONE),
    Scenario("result not read", logged_in.result_not_read, ("write_timeout",), ONE, settings={"net_write_timeout": 1}),
    Scenario("packets out of order", logged_in.out_of_order, ("protocol_error",), {},
             note=dict.fromkeys(BOTH, "not counted, no line")),
    Scenario("broken compression", logged_in.broken_compression, ("protocol_error",), ONE, only="MariaDB", who={"driver": None}),
    Scenario("COMMIT RELEASE", logged_in.release, ("released",), ONE, note=NO_LINE_BELOW_4),
    Scenario("init_connect fails", logged_in.init_connect, ("init_connect",), ONE, who={"driver": None}),
    Scenario("binlog dump, quit and close", logged_in.replication_client, ("replication_client",), ONE,
             who={"user": "replica", "db": None}),
    Scenario("connect, look and leave", refused.look, ("health_check",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("connect and leave at once", refused.look_at_once, ("health_check",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("connect, look and reset", refused.look_and_reset, ("health_check",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("half a handshake, then silence", refused.half_handshake, ("handshake_timeout",), BEFORE, NOBODY,
             {"connect_timeout": 2}, note=SAME_LINE),
    Scenario("silence after the greeting", refused.silence, ("handshake_timeout",), BEFORE, NOBODY, {"connect_timeout": 2},
             note=SAME_LINE),
    Scenario("TLS begun, then silence", refused.half_tls, ("handshake_timeout",), BEFORE, NOBODY, {"connect_timeout": 2},
             only="MariaDB", note=SAME_LINE),  # MySQL waits for ever
    Scenario("garbage instead of a handshake", refused.garbage, ("protocol_error",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("TLS wanted, none offered", refused.tls_not_offered, ("health_check", "tls_failure"), BEFORE, NOBODY,
             note=SAME_LINE),
    Scenario("client with an untrusting CA", refused.untrusting, ("tls_failure",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("no TLS version in common", refused.old_tls, ("tls_failure",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("plaintext where TLS is required", refused.plaintext_where_tls_is_required, ("tls_required", "access_denied"),
             REFUSED, note={"MariaDB": "the line of a wrong password"}),
    Scenario("plaintext, the account requires TLS", refused.plaintext_where_the_account_requires_tls,
             ("tls_required", "access_denied"), REFUSED, who={"user": "tls"}),
    Scenario("COM_CHANGE_USER refused", logged_in.change_user, ("access_denied",), {"MariaDB": {}, "MySQL": ONE}),
    Scenario("wrong password", refused.wrong_password, ("access_denied",), REFUSED),
    Scenario("unknown user", refused.unknown_user, ("access_denied",), REFUSED, who={"user": "nobody", "db": None}),
    Scenario("database not allowed", refused.database_not_allowed, ("access_denied",), REFUSED, who={"db": "mysql"},
             late=("MariaDB", LEVEL_2)),
    Scenario("locked account", refused.locked, ("account_locked", "access_denied"), REFUSED, {"user": "locked", "db": None},
             note=NO_LINE),
    Scenario("unknown database", refused.unknown_database, ("unknown_database",), REFUSED, {"user": "reader", "db": "nonesuch"},
             late=(LEVEL_2,), note=NO_LINE),
    Scenario("host not allowed", refused.host_not_allowed, ("host_not_allowed",), BEFORE, {**NOBODY, "host": "127.0.0.2"},
             note=SAME_LINE),
    Scenario("MAX_USER_CONNECTIONS of the account", refused.account_limit, ("user_limit",), REFUSED, who={"user": "limited"},
             note=NO_LINE),
    Scenario("max_user_connections", refused.user_limit, ("user_limit",), REFUSED, note=NO_LINE),
    Scenario("server restarted, then one leaves", logged_in.server_restarted, ("server_restart", "client_vanished"), ONE,
             step="restart"),
    Scenario("max_connections, at login", refused.too_many, ("too_many_connections",),
             {"MariaDB": {CONNECTS: 1}, "MySQL": {CONNECTS: 1, FULL: 1}}, late=("MySQL",), note=NO_LINE),
    Scenario("max_connections, at accept", refused.too_many_at_accept, ("too_many_connections",),
             {"MariaDB": {CONNECTS: 1, FULL: 1}, "MySQL": {FULL: 1}}, NOBODY),
    Scenario("HAProxy's timeout client", between.haproxy_timeout, ("client_vanished",), ONE),
    Scenario("HAProxy killed", between.haproxy_killed, ("client_vanished",), ONE),
    Scenario("PROXY protocol, close without quit", between.proxy_protocol, ("client_vanished",), ONE, {"host": PROXIED},
             only="MariaDB"),
    Scenario("PROXY header not expected", between.proxy_protocol_misunderstood, ("protocol_error",), BEFORE,
             {**NOBODY, "host": None}, note=SAME_LINE),
    Scenario("FLUSH STATUS in between", logged_in.flush_status, ("client_vanished",), {CLIENTS: 2}, step="flush_status"),
    Scenario("server killed -9, then one leaves", logged_in.server_killed, ("server_restart", "client_vanished"), ONE,
             step="restart"),
)

FAR = (
    Scenario("silent vanish, idle", between.vanish, ("idle_timeout",), ONE, note=CANNOT_TELL),
    Scenario("silent vanish mid-result", between.vanish_mid_result, ("write_timeout",), ONE, settings={"net_write_timeout": 1}),
    Scenario("reverse DNS fails", between.no_name, ("dns",), {}, {**NOBODY, "host": NEAR_TOO},
             note=dict.fromkeys(BOTH, "a line, nothing counted")),
    Scenario("health check from afar", refused.look, ("health_check",), BEFORE, NOBODY, note=SAME_LINE),
    Scenario("host blocked by max_connect_errors", between.host_blocked, ("host_blocked",), BEFORE, {**NOBODY, "host": NEAR}),
)
