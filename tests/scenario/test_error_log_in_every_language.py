"""A real server in each of its languages: one aborted connection and one refused login in each give the same events as the
English ones, with the reason in English in the metrics and as the server wrote it in our log."""

import os

import pytest

from lib import clients
from lib.exporter import target
from lib.mariadb import MariaDB

SLOW = {"poll": {"interval": "60s"}, "probe": {"interval": "60s"}}
READ_ERROR = "Got an error reading communication packets"
SHARE = "/usr/share/mysql"
# MariaDB names a language's folder, and takes a locale for it.
LOCALES = {"bulgarian": "bg_BG", "chinese": "zh_CN", "czech": "cs_CZ", "danish": "da_DK", "dutch": "nl_NL", "english": "en_US",
           "estonian": "et_EE", "french": "fr_FR", "georgian": "ka_GE", "german": "de_DE", "greek": "el_GR", "hindi": "hi_IN",
           "hungarian": "hu_HU", "italian": "it_IT", "japanese": "ja_JP", "korean": "ko_KR", "norwegian": "nb_NO",
           "norwegian-ny": None, "polish": "pl_PL", "portuguese": "pt_BR", "romanian": "ro_RO", "russian": "ru_RU",
           "serbian": "sr_RS", "slovak": "sk_SK", "spanish": "es_ES", "swedish": "sv_SE", "ukrainian": "uk_UA"}


@pytest.fixture(scope="module")
def watched():
    with MariaDB() as running:
        yield running


def test_every_language_is_known_to_this_test():
    """A language that a newer server brings is to be added: run tests/lib/make-localized-frames then."""
    shipped = {name for name in os.listdir(SHARE) if os.path.exists(f"{SHARE}/{name}/errmsg.sys")}
    assert shipped and shipped <= set(LOCALES), shipped - set(LOCALES)


def test_events_are_the_same_in_every_language(exporter, watched, figure):
    watching = exporter({**SLOW, "targets": [target(watched, error_log={"file": watched.error_log})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1, 10)
    seen, wordings = {}, set()
    locales = sorted(filter(None, LOCALES.values()))
    for number, locale in enumerate(locales, 1):
        watched.execute(f"SET GLOBAL lc_messages = '{locale}'")
        clients.wrong_password(watched, "nobody")
        # The line after a refused login settles it.
        identifier, = clients.leave_without_quit(watched)
        metrics = watching.wait_for(lambda m, n=number: m.sum("mysqlconn_error_log_aborts_total") >= n, 10,
                                    lambda name=locale: f"the abort in {name}: {watched.error_text()[-600:]}")
        seen[locale] = (dict((l["reason"], v) for l, v in metrics.samples("mysqlconn_error_log_aborts_total", user="app")),
                        metrics.value("mysqlconn_error_log_access_denied_total", user="nobody"))
        assert seen[locale] == ({READ_ERROR: number}, number), (locale, watched.error_text()[-600:])
        wordings |= {line["reason"] for line in watching.log(msg="connection aborted", connection_id=str(identifier))}
    assert metrics.value("mysqlconn_error_log_suspect_lines_total") == 0
    lines = [line for line in watched.error_text().splitlines() if "[Warning]" in line]
    assert sum("Aborted connection" in line for line in lines) < len(locales) / 2, "the server spoke other languages"
    figure(f"{len(locales)} languages, {len(wordings)} wordings of one reason in our log")
