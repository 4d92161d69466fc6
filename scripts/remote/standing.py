"""Prints what was started on this instance and on what it stands, as one JSON object: {"experiments": [names],
"code", "dataset", "environment": hashes, each left out where nothing is known}.

Usage: standing.py WORKSPACE
  WORKSPACE  name under which the upload of the code keeps its manifest
"""

import json
import os
import sys

from entries import read_lines
from transfer import BASE
from uploads import manifest_path


def text(*path):
    try:
        with open(os.path.join(BASE, *path), encoding="utf-8") as file:
            return file.read().strip() or None
    except OSError:
        return None


def code(name):
    # While an upload is being put into place the folder is neither the old nor the new one.
    if os.path.exists(manifest_path(name, ".next")):
        return None
    facts = next(read_lines(manifest_path(name)), None)
    return facts.get("hash") if isinstance(facts, dict) else None


def experiments():
    try:
        names = sorted(os.listdir(os.path.join(BASE, "runs")))
    except OSError:
        return []
    return [name for name in names if text("runs", name, "attempt")]


found = {
    "experiments": experiments(),
    "code": code(sys.argv[1]),
    "dataset": text("steps", "dataset", "hash"),
    "environment": text("steps", "setup", "hash"),
}
print(json.dumps({key: value for key, value in found.items() if value is not None}))
