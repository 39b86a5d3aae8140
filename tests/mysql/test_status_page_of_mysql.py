"""The pages for people over a real MySQL whose clients have hostile names: what is there is text, fits and can be read."""

from lib import clients
from lib.browser import Browser
from lib.exporter import target
from lib.mysql import close
from scenario.test_sessions import granted
from scenario.test_status_page import CONTRAST, FAST, STICK_OUT, assert_nothing_ran, path_of

EVIL = "</td><script>alert(1)</script>\"'"  # a user's name has 32 characters at most
EVIL_DB = "<img src=x onerror=alert(1)>"
LONG = "W" * 32
BIDI = "abc\u202egnp.exe"


def misbehave(server):
    """Four clients that leave without a word, and one that may not come in. Returns how many events that is."""
    administrator = server.connect("root", "")
    with administrator.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{EVIL_DB}`")
        for name in (EVIL, LONG, BIDI):
            cursor.execute("CREATE USER %s@'%%' IDENTIFIED BY 'x'", (name,))
            cursor.execute("GRANT ALL ON *.* TO %s@'%%'", (name,))
    close(administrator)
    for name in (EVIL, LONG, BIDI, EVIL):
        clients.leave_without_quit(server, name, "x", database=EVIL_DB)
    clients.wrong_password(server, EVIL)
    return 5


def test_hostile_names_are_text_that_fits(exporter, server):
    watching = exporter({**FAST, "targets": [target(granted(server), "db1", error_log={"file": server.error_log},
                                                    labels={"env": EVIL, "note": BIDI})]})
    watching.wait_for(lambda m: m.value("mysqlconn_error_log_readable") == 1
                      and m.samples("mysqlconn_ledger_begin_timestamp_seconds"), 20)
    wanted = misbehave(server)
    watching.wait_for_events(lambda events: sum(e["n"] for e in events) == wanted)
    with Browser() as browser:
        for path, dark in (("/", False), ("/", True), (path_of("db1"), True), (path_of("db1"), False)):
            page = browser.page(dark=dark).open(watching.url + path)
            text = page.run("document.body.innerText")
            assert_nothing_ran(page)
            for name in (EVIL, LONG, BIDI.replace("\u202e", "\ufffd"), EVIL_DB):
                assert name in text, (path, name)
            assert "\u202e" not in text and "client_vanished" in text and "access_denied" in text
            page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
            for width in (320, 390, 1280):
                page.size(width)
                assert page.run("document.documentElement.scrollWidth") <= width, (path, width)
                assert page.run(STICK_OUT) == [], (path, width)
            contrast, words, _ = page.run(CONTRAST)
            assert contrast >= 4.5, (path, dark, words)
        top = page.run("[...document.querySelectorAll('table.clients tbody tr')].map(r => [...r.cells].map(c => c.innerText))")
        who = "{}@127.0.0.1\ndriver unknown".format
        assert top[0] == [who(EVIL), "client_vanished", "2"], top
        assert sorted(top[1:]) == sorted([[who(LONG), "client_vanished", "1"], [who(EVIL), "access_denied", "1"],
                                          [who(BIDI.replace("\u202e", "\ufffd")), "client_vanished", "1"]]), top
