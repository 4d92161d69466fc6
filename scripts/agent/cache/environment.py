"""
Environments that lie on a file system for all machines: made once, where they stay, since none can be moved. One counts as
made once the manifest of its files is written.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys

from base.checksum import sha256_of
from base.document import takes
from base.files import fact
from base.say import say
from cache.lock import Waiting
from cache.place import Cache, records_of
from steps import uv
from steps.environment import SETUP, set_up
from steps.making import asked_by

# Python writes its bytecode there as it likes.
BYTECODE = ("__pycache__",)
# Of a file that names what lies on this machine alone, or differs from machine to machine.
LOCAL = re.compile(
    r"(?m)^\s*(?:-\s+)?[\"']?(?:-[ercf]\b|--(?:editable|requirement|constraint|find-links)\b|\.{0,2}/|\.(?:\[|\s|$)|file:)"
    r"|@\s*(?:file:|\.{0,2}/)|\$\{"
)
# What the system's Python has already: a venv over it gets only what is missing.
PACKAGES = (
    "import importlib.metadata as m; print(sorted({f\"{d.metadata['Name']} {d.version}\" for d in m.distributions()}))"
)


@takes(**SETUP)
def setup_now(cache, **told):
    """As `setup-now`."""
    set_up(lambda made, workspace: share(made, workspace, **cache), **told)


def share(made, workspace, folder, by):
    """Gives the shell lines that activate an environment, which is made unless another machine has made it."""
    made.decide(workspace)
    why = own_reason(made)
    if why:
        say(f"environment.cache: {why}. The environment is made for this machine alone.")
    if why is not None:
        return made.build()
    key = key_of(made)
    with Cache(os.path.join(folder, key)).held(by, Waiting()):
        place = usable(folder, key)
        made.place, made.is_shared = place.root, True
        if os.path.isdir(place.root):
            say(f"The environment is in the cache {place.root}")
            return made.activation()
        say(f"The environment goes into the cache {place.root}")
        lines = made.build()
        place.note(records_of(place.root, BYTECODE), key)
        place.note_checked()
        return lines


def own_reason(made):
    """Why a machine needs an environment of its own: None where it doesn't, empty where there is nothing to make."""
    if made.manager == "none":
        return ""
    if made.manager == "uv":
        return f"{made.file} names packages of the workspace" if uv.LOCAL.search(fact(made.file)) else None
    if not made.file.endswith((".txt", ".yml", ".yaml")):
        return f"{made.file} installs the project itself, from the workspace"
    if LOCAL.search(fact(made.file)):
        return f"{made.file} names other files or paths of the workspace"
    if made.manager == "venv":
        made.asked = made.asked or asked_by(made.file)
        if made.asked["project"]:
            return f"the project beside {made.file} is installed from the workspace"
    return None


def key_of(made):
    """All that decides what an environment holds and where it works."""
    release = [line for line in fact("/etc/os-release").split("\n") if line.startswith(("ID=", "VERSION_ID="))]
    system = [platform.machine(), *platform.libc_ver(), sorted(release), fact("/sys/module/nvidia/version")]
    return hashlib.sha256(json.dumps([made.manager, sha256_of(made.file), system, python_of(made)]).encode()).hexdigest()


def python_of(made):
    """The Python that a venv is made over, or of which uv chooses."""
    if made.manager == "conda":
        return []
    if made.manager == "uv":
        project = uv.project_of(made.file)
        return [made.uv, sys.version, *(fact(project, name) for name in ("pyproject.toml", "uv.toml", ".python-version"))]
    told = subprocess.run(["python3", "-c", PACKAGES], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    return [sys.version, told.stdout.decode()]


def usable(folder, key):
    """The place of an environment that is whole, or the first one at which it can be made."""
    number = 1
    while True:
        place = Cache(os.path.join(folder, key if number == 1 else f"{key}-{number}"))
        found = place.found()
        if found.holds(key):
            return place
        if not found.stored.known:
            # Nobody uses what was never finished.
            shutil.rmtree(place.root, ignore_errors=True)
            return place
        say(f"The environment in {place.root} is damaged. Another is made; remove it when no machine uses it any more.")
        number += 1
