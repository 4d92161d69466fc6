"""Reads the copies of checkpoints on a file system (see snapshots.py), and tells which are whole."""

import os

from base.checksum import sha256_of
from base.files import inside, read_json
from base.say import word

FILE = "snapshot.json"


class Damaged(Exception):
    """What of a snapshot is not as it was written."""


def names_in(folder):
    """Of the snapshots, the oldest first."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []


def check(folder):
    """What a snapshot tells of itself, every file checked. @raises Damaged, OSError"""
    told = read_json(os.path.join(folder, FILE), {})
    if not isinstance(told.get("files"), list) or not isinstance(told.get("run"), dict):
        raise Damaged(f"{FILE} is damaged")
    for each in told["files"]:
        path = os.path.join(folder, each["path"])
        if not inside("", each["path"]):
            raise Damaged(f"{each['path']} is no path in it")
        if not os.path.isfile(path) or os.path.getsize(path) != each["size"] or sha256_of(path) != each["sha256"]:
            raise Damaged(f"{each['path']} is damaged")
    return told


def newest_of(folder, hash):
    """Prints the newest one with these settings that is whole, and which newer ones were passed over."""
    found, passed = find_newest(folder, hash)
    if found is not None:
        name, told = found
        # The config's text is long, and nobody here needs it.
        ran = {member: value for member, value in told["run"].items() if member != "config"}
        size = sum(each["size"] for each in told["files"])
        found = {"name": name, "checkpoint": told["checkpoint"], "writtenAt": told["writtenAt"], "run": ran}
        found.update(files=len(told["files"]), bytes=size)
    word({"found": found, "passed": passed})


def find_newest(folder, hash):
    """(Name and what it tells of itself; None where none is whole; and which newer ones were passed over.)"""
    passed = []
    for name in reversed(names_in(folder)):
        path = os.path.join(folder, name)
        if (read_json(os.path.join(path, FILE), {}).get("run") or {}).get("hash") != hash:
            continue
        try:
            return (name, check(path)), passed
        except (Damaged, OSError, KeyError, TypeError) as error:
            passed.append(f"{name}: {error}")
    return None, passed
