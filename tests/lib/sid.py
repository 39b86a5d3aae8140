"""Programs of Debian sid beside this system: fetched once into a cache outside the tree and run from there, through their own
loader, with nothing of them installed."""

import glob
import os
import subprocess

SUITE = "sid"


def fetch(name, *packages):
    """The folder that holds these packages and what they need, fetched if need be: without that, no network and no time is
    taken. `name` names the folder in the cache: another list of packages needs another. RuntimeError says why not."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    root = os.path.join(cache, "mysqlconn_exporter", f"{name}-{SUITE}")
    unpack = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unpack-debs")
    if subprocess.run([unpack, SUITE, root, *packages], stdin=subprocess.DEVNULL, check=False).returncode != 0:
        raise RuntimeError(f"{name} of Debian {SUITE} cannot be fetched into {root}")
    return root


def command(root, program, *folders):
    """The command that runs `program` (its path under `root`) with its own loader and libraries; `folders` has more of them."""
    loader, = glob.glob(f"{root}/usr/lib/*/ld-linux-*.so.*")
    libraries = ":".join([os.path.dirname(loader), *(os.path.join(root, folder) for folder in folders)])
    return [loader, "--library-path", libraries, os.path.join(root, program)]
