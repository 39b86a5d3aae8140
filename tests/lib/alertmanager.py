"""A real Alertmanager in a folder of its own, which sends all that it gets to a receiver of ours, each alert by itself."""

import http.server
import json
import os
import tempfile
import threading
import urllib.error
import urllib.request

from .process import PATIENCE, Process, free_port, unprivileged_user, wait_until


class Alertmanager:
    """Debian's; use it in a `with`. `alerts` grows with what arrives: dictionaries as the webhook of Alertmanager has them (status,
    labels, annotations, startsAt, generatorURL, fingerprint)."""

    def __init__(self):
        self._user = unprivileged_user()
        self._folder = tempfile.TemporaryDirectory(prefix="mysqlconn-alertmanager-")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.alerts = []
        self._receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._receiver.serve_forever, daemon=True)
        self.process = None

    def _handler(self):
        alerts = self.alerts

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                alerts.extend(body["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass
        return Handler

    def __enter__(self):
        self._thread.start()
        url = f"http://127.0.0.1:{self._receiver.server_port}/"
        # As little patience as it can have: an alert is sent on as it comes, and again, for its text may be another one then.
        config = {"route": {"receiver": "us", "group_by": ["..."], "group_wait": "10ms", "group_interval": "1s",
                            "repeat_interval": "15s"},
                  "receivers": [{"name": "us", "webhook_configs": [{"url": url, "send_resolved": True}]}]}
        path = os.path.join(self._folder.name, "alertmanager.yml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f)
        if self._user:
            os.chown(self._folder.name, *self._user)
        # Without a listener for a cluster it speaks to nobody but us.
        self.process = Process(["prometheus-alertmanager", f"--config.file={path}", f"--storage.path={self._folder.name}/data",
                                "--log.level=warn", f"--web.listen-address={self.address}", "--cluster.listen-address="],
                               user=self._user, cwd=self._folder.name)
        wait_until(self._ready, 30, lambda: f"Alertmanager is ready:\n{self.process.output()}")
        return self

    def __exit__(self, *_):
        self.process.end()
        self._receiver.shutdown()
        self._receiver.server_close()
        self._folder.cleanup()

    def _ready(self):
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=PATIENCE) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def fired(self):
        """The alerts that arrived as firing, so far."""
        return [a for a in list(self.alerts) if a["status"] == "firing"]
