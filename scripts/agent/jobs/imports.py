"""
Python packages that setup has installed from the workspace itself (`pip install -e .`): a command in a copy of the
workspace is to import the copy's.
"""

import json
import os
import subprocess

from base.files import under_home
from base.shell import environment_with, with_environment

FIND = 'exec "$(command -v python || command -v python3)" -c "$1"'
# Paths that lead to packages, and folders of packages that an import hook of setuptools knows by name.
PROBE = """
import json, os, sys
found = [path for path in sys.path if path]
for hook in sys.meta_path:
    known = getattr(sys.modules.get(getattr(hook, "__module__", None)), "MAPPING", {})
    found += [os.path.dirname(path) for path in known.values()]
print(json.dumps(found))
"""
SECONDS = 30


def with_imports(variables, workspace, copy):
    """The variables with a PYTHONPATH that has the copy's packages before those of the workspace."""
    paths = paths_in(os.path.realpath(under_home(workspace)), os.path.realpath(under_home(copy)))
    if not paths:
        return variables
    return {**variables, "PYTHONPATH": ":".join([*paths, variables.get("PYTHONPATH", "$PYTHONPATH")])}


def paths_in(workspace, copy):
    found = []
    for path in imported_from():
        relative = os.path.relpath(os.path.realpath(path), workspace)
        there = os.path.normpath(os.path.join(copy, relative))
        # A virtual environment below the workspace is linked, and so the same in both.
        if (
            not relative.startswith("..")
            and os.path.isdir(there)
            and os.path.realpath(there) == there
            and there not in found
        ):
            found.append(there)
    return found


def imported_from():
    try:
        told = subprocess.run(
            with_environment(["bash", "-c", FIND, "imports", PROBE]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment_with(),
            timeout=SECONDS,
            check=True,
        ).stdout
        return json.loads(told)
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
