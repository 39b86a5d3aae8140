"""A local server that is too slow to accept: its unix socket's queue is full. The kernel says so at once instead of letting one
wait, and libmariadb would then sleep on our only thread. The target must be down in phase connect, and everything else go on."""

import socket

from lib.exporter import target


def test_the_others_go_on(exporter, server, tmp_path):
    path = str(tmp_path / "full.sock")
    waiting = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        while True:  # until the queue is full
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            waiting.append(client)
            try:
                client.connect(path)
            except BlockingIOError:
                break
        schedule = {"interval": "500ms", "timeout": "300ms"}
        watching = exporter({"poll": schedule, "probe": {**schedule, "grace": "100ms"},
                             "targets": [target(server, "good", probe={"timeout": "500ms", "grace": "1m"}), target("unix:" + path, "full")]})
        metrics = watching.wait_for(lambda m: m.down("full", "probe") and m.down("full", "poll") and
                                    m.sum("mysqlconn_probes_total", target="good") >= 6 and
                                    m.value("mysqlconn_probe_success", target="good") == 1, 15, "the good target is probed on")
        assert metrics.down("full", "probe") == ("connect", "timeout")
        assert metrics.down("full", "poll") == ("connect", "timeout")
        assert metrics.sum("mysqlconn_self_aborts_total") == 0
        # A place comes free: the next connect gets it, and waits for a greeting that never comes.
        listener.accept()[0].close()
        watching.wait_for(lambda m: m.down("full", "probe") == ("greeting", "timeout") or m.down("full", "poll") == ("greeting", "timeout"),
                          10, "a connect succeeds as soon as there is a place")
        watching.stop()
    for client in waiting:
        client.close()
