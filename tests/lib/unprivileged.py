"""The exporter as a user who may do no more than everybody."""

import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

USER = 65533  # an account that nothing belongs to


class OpenFolder:
    """A folder of the test's own that everybody may enter; use it in a `with`. (pytest closes its own, again and again.)"""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="mysqlconn-open-")
        os.chmod(self.path, 0o755)
        return pathlib.Path(self.path)

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def wrap(program, folder, groups=(), within=()):
    """A program that becomes the exporter under USER, in these groups besides; `within` is a command in front of that, such as
    nsenter's. Only for root. `folder`, an OpenFolder, holds the copies that USER may read."""
    wrapper, config = os.path.join(folder, "wrapper"), os.path.join(folder, "config-to-read.yml")
    command = [*within, "setpriv", "--pdeathsig=KILL", f"--reuid={USER}", f"--regid={USER}",
               f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups", "--",
               shutil.copy(program, folder), f"--config.file={config}"]
    with open(wrapper, "w", encoding="utf-8") as f:
        f.write(f'#!/bin/sh\ninstall -m 400 -o {USER} "${{1#--config.file=}}" {shlex.quote(config)} || exit 77\nshift\n'
                f'exec {shlex.join(map(str, command))} "$@"\n')
    os.chmod(wrapper, 0o755)
    return wrapper


def why_not():
    """Why this cannot be had here; "" where it can."""
    if os.geteuid() != 0:
        return "needs root: to become somebody else"
    done = subprocess.run(["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "true"], check=False)
    return "" if done.returncode == 0 else "nobody else can be become here"
