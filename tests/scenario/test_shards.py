"""--shard: exporters with one configuration watch each target once, also after a reload."""

import zlib

from lib.exporter import target


def names(watching):
    return {labels["target"] for labels, _ in watching.scrape().samples("mysqlconn_polls_total")}


def test_each_target_is_watched_once(exporter, server):
    targets = [target(server, f"db{i}") for i in range(20)]
    three = [exporter({"targets": targets}, args=[f"--shard={i}/3"]) for i in range(3)]
    for i, watching in enumerate(three):
        assert names(watching) == {f"db{k}" for k in range(20) if zlib.crc32(f"db{k}".encode()) % 3 == i}
        assert watching.scrape().value("mysqlconn_exporter_shard_info", shard=f"{i}/3") == 1
    assert set().union(*map(names, three)) == {t["name"] for t in targets}
    more = targets + [target(server, "new")]
    for watching in three:
        watching.reload({"targets": more})
    owners = [i for i, watching in enumerate(three) if "new" in names(watching)]
    assert owners == [zlib.crc32(b"new") % 3]

