"""The exporter as a user who may do no more than everybody."""

import os
import shlex
import shutil
import subprocess

USER = 65533  # an account that nothing belongs to


def wrap(program, folder, groups=(), within=()):
    """A program that becomes the exporter under USER, in these groups besides; `within` is a command in front of that, such as
    nsenter's. Only for root. `folder`, a test's own, is opened to everybody, and holds the copies that USER may read."""
    wrapper, config = os.path.join(folder, "wrapper"), os.path.join(folder, "config-to-read.yml")
    for path in [folder, *folder.parents][:3]:
        os.chmod(path, 0o755)
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
