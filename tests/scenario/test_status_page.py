"""The pages for people in a real browser, over a real server with hostile clients: what they say, that nothing in them runs, that
they can be read in both themes, at every width and without a script, and that they keep themselves up to date."""

import json
import urllib.parse

import pytest

from lib import clients
from lib.browser import Browser
from lib.exporter import Exporter, target
from lib.mariadb import APP, MariaDB, close
from lib.process import free_port, wait_until
from lib.web_client import ask

# MariaDB writes no more than 48 characters of a user's name to its log.
EVIL = "<script>document.title='ran'</script>\"'&</td>"
EVIL_DB = "<img src=x onerror=alert(1)>"
LONG = "x" * 48
BIDI = "abc\u202egnp.exe"
FAST = {"poll": {"interval": "500ms", "timeout": "500ms"}, "probe": {"interval": "500ms", "timeout": "500ms"}}

# How elements lie that stick out of the section they are in.
STICK_OUT = """[...document.querySelectorAll('section *, header *')].filter(e => {
  const inner = e.getBoundingClientRect(), outer = e.closest('section, header').getBoundingClientRect();
  return inner.width > 2 && (inner.right > outer.right + 1 || inner.left < outer.left - 1) && !e.closest('.skip, thead');
}).map(e => e.outerHTML.slice(0, 120))"""

# The least contrast (WCAG 2) of a text with what is behind it, and which text that is.
CONTRAST = """(() => {
  const parts = c => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
  let least = [99, ''], texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode());) {
    if (!node.data.trim() || node.parentElement.closest('svg, title, option, script')) continue;
    const a = light(parts(getComputedStyle(node.parentElement).color)), b = light(behind(node.parentElement));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    texts++;
    if (contrast < least[0]) least = [contrast, node.data.trim().slice(0, 60)];
  }
  return [...least, texts];
})()"""


@pytest.fixture(scope="module")
def stage(program):
    """A server whose clients have hostile names and behave badly, one that is down, and who watches them."""
    with MariaDB(["--log-warnings=2"]) as server:
        administrator = server.connect("root", "")
        with administrator.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{EVIL_DB}`")
            for name in (EVIL, LONG, BIDI):
                cursor.execute("CREATE USER %s@'%%' IDENTIFIED BY 'x'", (name,))
                cursor.execute("GRANT ALL ON *.* TO %s@'%%'", (name,))
        close(administrator)
        labels = {"env": EVIL, "note": BIDI}
        watched = [target(server, "db1", error_log={"file": server.error_log}, labels=labels),
                   target(server, "quiet"), target(f"127.0.0.1:{free_port()}", "down-b")]
        with Exporter(program, {**FAST, "targets": watched}) as running:
            running.server = server
            running.wait_for(lambda m: m.value("mysqlconn_error_log_readable", target="db1") == 1 and m.down("down-b", "probe")
                             and m.samples("mysqlconn_ledger_begin_timestamp_seconds", target="db1"), 20)
            for name in (EVIL, LONG, BIDI):
                clients.leave_without_quit(server, name, "x", database=EVIL_DB)
            clients.leave_without_quit(server, count=2)
            clients.wrong_password(server)
            running.wait_for_events(lambda events: len(events) == 6, target="db1")
            running.wait_for(lambda m: m.value("mysqlconn_probes_total", target="db1") > 5, 20)
            yield running


@pytest.fixture(scope="module")
def browser():
    with Browser() as running:
        yield running


def path_of(name, **parameters):
    return "/target?" + urllib.parse.urlencode({"target": name, **parameters})


def assert_nothing_ran(page):
    page.hear()
    assert not page.said, json.dumps(page.said, indent=1)[:3000]
    assert page.run("document.title") != "ran"
    assert page.run("document.querySelectorAll('main script, main img, main style, [onerror], [style]').length") == 0


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_hostile_names_are_text(stage, browser, scripts):
    page = browser.page(scripts=scripts)
    for path in ("/", path_of("db1"), "/?" + urllib.parse.urlencode({"find": EVIL, "user": EVIL, "host": EVIL})):
        page.open(stage.url + path)
        text = page.run("document.body.innerText")
        assert_nothing_ran(page)
        if "find" in path:
            assert page.run("document.getElementById('find').value") == EVIL
            continue
        shown = BIDI.replace("\u202e", "\ufffd")
        for name in (EVIL, LONG, shown, EVIL_DB):
            assert name in text, name
        assert "\u202e" not in text


def test_the_policy_would_stop_a_script(stage, browser):
    """That nothing ran is not for want of a browser that tells."""
    page = browser.page().open(stage.url + "/")
    page.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\"><p style=\"color:red\">')")

    def told():
        page.hear()
        return any("Content Security Policy" in json.dumps(said) for said in page.said)
    wait_until(told, 10, lambda: f"the browser tells of it: {page.said}")
    assert page.run("document.title") != "1"
    for path in ("/", path_of("db1"), path_of("nothing")):
        policy = dict(part.strip().split(" ", 1) for part in ask(stage.port, path).headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'", policy


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_read(stage, browser, dark, figure):
    """Contrast, no horizontal scrolling at any width, nothing that sticks out, headings in their order, tables that say what
    they are."""
    least = []
    page = browser.page(dark=dark)
    for path in ("/", path_of("db1"), path_of("down-b"), path_of("nothing")):
        page.open(stage.url + path)
        page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.run("matchMedia('(prefers-color-scheme: dark)').matches") == dark
        for width in (320, 390, 700, 900, 1100, 1260, 1920):
            page.size(width)
            assert page.run("document.documentElement.scrollWidth") <= width, (path, width)
            assert page.run(STICK_OUT) == [], (path, width)
        contrast, text, texts = page.run(CONTRAST)
        assert contrast >= 4.5 and texts > 10, (path, contrast, text)
        least.append(contrast)
        levels = page.run("[...document.querySelectorAll('h1, h2, h3, h4')].map(h => +h.tagName[1])")
        assert levels.count(1) == 1 and all(b <= a + 1 for a, b in zip([0, *levels], levels)), levels
        assert page.run("[...document.querySelectorAll('table')].every(t => t.caption && t.querySelector('th[scope=col]'))")
        assert page.run("[...document.querySelectorAll('tbody th')].every(t => t.scope === 'row')")
        assert page.run("[...document.querySelectorAll('input:not([type=hidden]), select')].every(i => i.labels.length === 1)")
        assert page.run("[...document.querySelectorAll('svg')].every(s => s.getAttribute('aria-label') || s.ariaHidden)")
        assert page.run("['header', 'main', 'footer', 'nav'].every(n => document.querySelector(n))")
        ids = page.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids)), ids
    figure(f"least contrast {min(least):.1f}")


def test_the_keyboard_is_enough(stage, browser):
    page = browser.page().open(stage.url + "/")
    seen = []
    for _ in range(25):
        for kind in ("keyDown", "keyUp"):
            page.ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        seen.append(page.run("[document.activeElement.outerHTML.slice(0, 60),"
                             " getComputedStyle(document.activeElement).outlineStyle]"))
    assert "skip" in seen[0][0] and all(outline != "none" for _, outline in seen), seen
    for wanted in ("/metrics", "id=\"find\"", "/target?target=down-b"):
        assert any(wanted in html for html, _ in seen), (wanted, seen)


def test_what_is_said(stage, browser):
    page, row = browser.page(scripts=False), {}

    def all_is_said():  # a busy machine's answers may be late once
        page.open(stage.url + "/")
        row.clear()
        row.update(page.run("[...document.querySelectorAll('#targets tbody tr')].map(r => [r.querySelector('a').innerText, r.innerText])"))
        return (list(row)[0] == "down-b" and set(row) == {"db1", "quiet", "down-b"} and "refused in connect" in row["down-b"]
                and "up" in row["db1"] and "151" in row["db1"] and "client_vanished" in row["db1"])
    wait_until(all_is_said, 10, lambda: f"{row}")
    assert page.run("document.querySelectorAll('#targets svg.bars path').length") > 3
    page.run("document.querySelector('#targets a[href*=db1]').click()")
    page.wait("document.readyState === 'complete' && document.querySelector('h1')?.innerText === 'db1'")
    text = page.run("document.body.innerText")
    for wanted in ("wait_timeout", "28800", "no_privilege", "GRANT PROCESS", "Aborted_clients", "client_vanished", "greeting",
                   stage.server.error_log, "What to change", "access_denied"):
        assert wanted in text, wanted
    missing = ask(stage.port, path_of("nothing"))
    assert missing.status == 404 and "No such target" in missing.text


@pytest.mark.parametrize("query, count", [
    ("cause=client_vanished", 5), ("cause=access_denied&target=db1", 1), ("target=quiet&cause=client_vanished", 0),
    ("user=" + urllib.parse.quote(EVIL), 1), ("user=&host=&cause=&confidence=&target=db1", 6), ("user=nobody", 0),
    ("confidence=certain&user=app&target=db1", 3), ("limit=2&target=db1", 2)])
def test_events_are_filtered_without_a_script(stage, query, count):
    """By the same parameters as the API's, but that an empty one is none."""
    answer = ask(stage.port, "/?" + query)
    assert (answer.status, answer.text.count("<details id=event-")) == (200, count)
    api = ask(stage.port, "/api/v1/events?" + "&".join(p for p in query.split("&") if not p.endswith("=")))
    assert len(json.loads(api.text)["data"]["events"]) == count


@pytest.mark.parametrize("query, wrong", [("cause=nonsense", "cause"), ("page=0", "page"), ("nonsense=1", "nonsense"),
                                          ("user=a&user=b", "user"), ("target=nothing", "target"), ("cursor=x", "cursor")])
def test_a_wrong_parameter_is_named(stage, query, wrong):
    answer = ask(stage.port, "/?" + query)
    assert answer.status == 400 and f"Parameter &#39;{wrong}&#39;" in answer.text and "<details id=event-" not in answer.text


def test_a_form_without_a_script(stage, browser):
    page = browser.page(scripts=False).open(stage.url + "/?find=db1")
    assert page.run("document.querySelectorAll('#targets tbody tr').length") == 1
    page.run("document.getElementById('filter-cause').value = 'access_denied'; document.querySelector('button[form=filter]').click()")
    page.wait("document.readyState === 'complete' && location.search.includes('cause=access_denied')")
    assert page.run("document.querySelectorAll('#events tbody tr').length") == 1
    assert page.run("document.querySelectorAll('#targets tbody tr').length") == 1
    assert page.run("document.getElementById('filter-cause').value") == "access_denied"


def test_it_keeps_itself_up_to_date(stage, browser):
    """It shows what is new, and leaves alone what is being read: focus, filter, what is open; it filters while one types."""
    page = browser.page()
    page.ask("Page.addScriptToEvaluateOnNewDocument",
             source="const later = setTimeout; window.setTimeout = (f, ms) => later(f, ms / 10)")
    page.open(stage.url + "/")
    page.run("document.querySelector('#events details').open = true; document.querySelector('#targets a[href*=db1]').focus();"
             "window.first = document.querySelector('#events details').id; window.same = document.getElementById('filter')")
    before = page.run("document.querySelector('#summary time').dateTime")
    clients.leave_without_quit(stage.server, APP[0])
    page.wait(f"document.querySelector('#summary time').dateTime > '{before}' && document.querySelector('#events details').id !== first")
    assert page.run("document.getElementById(first).open && !document.querySelector('#events details').open")
    assert "db1" in page.run("document.activeElement.href") and page.run("document.getElementById('filter') === same")
    page.run("document.getElementById('filter-user').focus()")
    page.ask("Input.insertText", text=EVIL)
    page.wait("document.querySelectorAll('#events tbody tr').length === 1")
    assert page.run("document.activeElement.id") == "filter-user" and page.run("document.activeElement.value") == EVIL
    assert page.run("new URLSearchParams(location.search).get('user')") == EVIL
    assert_nothing_ran(page)
    page.run("document.getElementById('pause').click()")
    assert page.run("document.getElementById('pause').getAttribute('aria-pressed')") == "true"


def test_it_says_when_nobody_answers(program, browser):
    with Exporter(program, {**FAST, "targets": [target(f"127.0.0.1:{free_port()}", "down-b")]}) as running:
        page = browser.page().open(running.url + "/")
        assert page.run("document.getElementById('trouble').innerText") == ""
        asked = "performance.getEntriesByType('resource').length"
        page.ask("Emulation.setFocusEmulationEnabled", enabled=True)
        before = page.run(asked)
        page.run("Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
                 "document.dispatchEvent(new Event('visibilitychange'))")
        running.stop()
        page.run("Object.defineProperty(document, 'hidden', {value: false});"
                 "document.dispatchEvent(new Event('visibilitychange'))")
        page.wait("document.getElementById('trouble').innerText.includes('does not answer')")
        assert "down-b" in page.run("document.getElementById('targets').innerText") and before > 0
        running.start()


def test_behind_a_prefix(program, browser):
    config = {**FAST, "targets": [target(f"127.0.0.1:{free_port()}", "down-b")]}
    with Exporter(program, config, ["--web.external-url=http://ops.test/db/conn"]) as running:
        page = browser.page().open(running.url + "/db/conn/")
        assert page.run("getComputedStyle(document.querySelector('section')).borderRadius") != "0px"
        page.run("document.querySelector('#targets a').click()")
        page.wait("document.readyState === 'complete' && document.querySelector('h1')?.innerText === 'down-b'")
        assert page.run("location.pathname") == "/db/conn/target" and page.run("!!document.getElementById('pause')")
        assert_nothing_ran(page)


def test_many_targets(program, browser, figure):
    """In pages of fifty, each found by its name."""
    port = free_port()
    slow = {"poll": {"interval": "1h", "timeout": "1s"}, "probe": {"interval": "1h", "timeout": "1s"}}
    with Exporter(program, {**slow, "targets": [target(f"127.0.0.1:{port}", f"db{i:03}") for i in range(300)]}) as running:
        page = browser.page(scripts=False).open(running.url + "/")
        names = "[...document.querySelectorAll('#targets tbody th a')].map(a => a.innerText)"
        next_page = "[...document.querySelectorAll('.pager a')].filter(a => a.innerText === 'Next').map(a => a.href)[0]"
        assert len(page.run(names)) == 50
        page.open(page.run(next_page))
        assert len(page.run(names)) == 50 and "page=2" in page.run("location.search") and "51 to 100 of 300" in page.run(
            "document.querySelector('.pager').innerText")
        page.open(running.url + "/?find=DB277")
        assert page.run(names) == ["db277"]
        size = len(running.get("/"))
        figure(f"{size / 1000:.0f} kB")
        assert size < 500_000
