"""The same on a real MySQL, which has more kinds of errors."""

import pymysql
import pytest

from lib.mysql import MySQL
from scenario.test_host_cache import (HOSTS, Refusing, errors, pytestmark, test_a_host_comes_near_and_is_blocked,  # noqa: F401
                                      test_a_server_that_resolves_no_names_has_none,
                                      test_errors_by_kind_and_host, test_hosts_in_labels_are_bounded,
                                      test_what_cannot_be_seen_is_said_and_does_no_harm,
                                      test_what_the_cache_forgets_takes_nothing_from_the_counts, watchable, watching)


@pytest.fixture(scope="module")
def refusing():
    with Refusing(MySQL) as running:
        watchable(running.server)
        yield running


def test_locked_accounts(watching, refusing):  # noqa: F811
    refusing.server.execute("ALTER USER app@'%' ACCOUNT LOCK")
    with pytest.raises(pymysql.err.OperationalError, match="locked"):
        refusing.connect(HOSTS[0])
    refusing.server.execute("ALTER USER app@'%' ACCOUNT UNLOCK")
    watching.wait_for(lambda m: errors(m, "account_locked") == 1, 10)
