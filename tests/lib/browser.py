"""A headless Chromium, driven over a pipe by the DevTools protocol. It resolves no names and reaches no other machine."""

import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

from .process import PATIENCE

_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
          "--disable-dev-shm-usage", "--hide-scrollbars", "--no-proxy-server", "--remote-debugging-pipe",
          "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
_TOLD = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening")


class NavigatedError(Exception):
    """The page that was asked is gone for another."""


class Browser:
    """Use it in a `with`. page() opens a tab."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="mysqlconn-browser-", ignore_cleanup_errors=True)
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def place():
            # The protocol's pipes are descriptors 3 and 4, which ours may be themselves.
            a, b = os.dup(theirs_in), os.dup(theirs_out)
            high_a, high_b = os.dup2(a, 100), os.dup2(b, 101)
            os.dup2(high_a, 3)
            os.dup2(high_b, 4)

        self._process = subprocess.Popen(
            [shutil.which("chromium") or "chromium", *_FLAGS, f"--user-data-dir={self._folder.name}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False,
            preexec_fn=place, start_new_session=True, env={**os.environ, "HOME": self._folder.name})
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out = os.fdopen(ours_in, "rb", buffering=0), os.fdopen(ours_out, "wb", buffering=0)
        self._answers, self._ids, self._pages = {}, 0, {}
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_):
        try:
            self.ask("Browser.close", timeout=10)
            self._process.wait(10)
        except (TimeoutError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._out.close()
        self._reader.join(5)
        self._in.close()
        self._folder.cleanup()

    def _read(self):
        rest = b""
        while True:
            some = self._in.read(1 << 16)
            if not some:
                return
            *messages, rest = (rest + some).split(b"\0")
            for message in map(json.loads, messages):
                with self._came:
                    if "id" in message:
                        self._answers[message["id"]] = message
                        self._came.notify_all()
                    elif message.get("sessionId") in self._pages:
                        self._pages[message["sessionId"]].events.put(message)

    def ask(self, method, session=None, timeout=PATIENCE, **parameters):
        """The result of one command."""
        with self._came:
            self._ids += 1
            number = self._ids
            message = {"id": number, "method": method, "params": parameters}
            if session:
                message["sessionId"] = session
        self._out.write(json.dumps(message).encode() + b"\0")
        with self._came:
            if not self._came.wait_for(lambda: number in self._answers, timeout):
                raise TimeoutError(f"the browser did not answer {method} within {timeout} s")
            answer = self._answers.pop(number)
        if "navigated" in answer.get("error", {}).get("message", ""):
            raise NavigatedError(answer["error"])
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def page(self, width=1280, height=900, dark=False, scripts=True):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        self._pages[session] = page
        for domain in ("Page", "Runtime", "Log", "Audits"):
            page.ask(domain + ".enable")
        page.size(width, height)
        page.dark(dark)
        page.ask("Emulation.setScriptExecutionDisabled", value=not scripts)
        return page


class Page:
    """One tab. `said` is what its console got: errors, violations of its policy, and the like."""

    def __init__(self, browser, session):
        self._browser, self._session = browser, session
        self.events = queue.Queue()
        self.said = []

    def ask(self, method, **parameters):
        return self._browser.ask(method, session=self._session, **parameters)

    def size(self, width, height=900):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def dark(self, dark=True):
        self.ask("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url, timeout=PATIENCE):
        """Go there and wait until it is loaded."""
        self.hear()
        self.ask("Page.navigate", url=url)
        deadline = time.monotonic() + timeout
        while not self.hear("Page.loadEventFired", deadline - time.monotonic()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} was not loaded within {timeout} s")
        return self

    def hear(self, wanted=None, timeout=0.0):
        """Take the events that have come; with `wanted`, until that one did: then True."""
        while True:
            try:
                event = self.events.get(block=timeout > 0, timeout=max(timeout, 0.01))
            except queue.Empty:
                return False
            issue = event["params"].get("issue", {}).get("code")
            if event["method"] in _TOLD or issue == "ContentSecurityPolicyIssue":
                self.said.append(event)
            if event["method"] == wanted:
                return True

    def run(self, expression):
        """The value of a JavaScript expression; a promise is awaited."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait(self, expression, timeout=PATIENCE):
        """Until an expression is true; its value."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                value = self.run(expression)
            except NavigatedError:
                value = None
            if value:
                return value
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout} s: {expression}")
            time.sleep(0.05)

    def picture(self, path, whole=True):
        data = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))
