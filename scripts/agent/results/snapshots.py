"""
Copies of a run's newest checkpoint on a file system that outlives the machine: `checkpoints.sync: fileSystem`.

<file system>/checkpoints/<stack>/<experiment>/<time>-<attempt>/
  snapshot.json    the record of what ran (results/record.py), and each file with its size, SHA-256 and time
  workspace/…      the checkpoint and the small files among the outputs, by their paths in the workspace
  run/train.log
A snapshot is written under another name first. Who restores one reads all of it.
"""

import json
import os
import shutil
import time

from base.checksum import sha256_of
from base.document import takes
from base.files import inside, read_json, under_home
from base.locks import hold
from base.say import word
from results.places import lasting_mounts, within
from results.record import record_of
from run.output import matches, newest, outputs_of
from run.resume import checkpoints_in
from run.soundness import damage_of
from run.state import Run

# Logs and metrics: what is longer is no small file, and all of them together no more than this.
SMALL, MOST_SMALL = 16 << 20, 256 << 20
FILE = "snapshot.json"
# Of a writer that was killed.
STALE = 3600


class Damaged(Exception):
    """What of a snapshot is not as it was written."""


@takes(experiment=str)
def save(experiment):
    """Copies the newest whole checkpoint, unless that is there, and removes all snapshots but the newest."""
    run = Run(experiment)
    hold(run.path("sync.lock"))
    attempt = run.newest()
    described = attempt.get("description") or {}
    sync = described.get("sync")
    if sync is None:
        return
    workspace = os.path.realpath(under_home(described["workspace"]))
    output = attempt.get("outputPath") or os.path.join(outputs_of(described), experiment)
    found = newest_whole(output, sync["checkpoint"])
    if found is None:
        return
    mtime, checkpoint = found
    to = sync["to"]
    if not within(os.path.realpath(to), lasting_mounts()):
        run.note(f"=== lambda-train: no checkpoint was copied to {to}: the file system is not mounted")
        return
    path = os.path.relpath(os.path.realpath(checkpoint), workspace)
    last = read_json(os.path.join(to, *names_in(to)[-1:], FILE), {})
    # How the run ended tells whether there is something to go on with.
    told = {"checkpoint": path, "writtenAt": mtime // 1_000_000, "exit": attempt.get("exit")}
    if all(last.get(name) == value for name, value in told.items()) or not inside("", path):
        return
    name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{attempt.number}"
    partial = os.path.join(to, f".partial-{name}")
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    try:
        files = copy_all(run, workspace, output, checkpoint, partial)
        if files is None or newest_time(checkpoint) != mtime:
            return  # It was written anew meanwhile: the next look takes it.
        write(os.path.join(partial, FILE), json.dumps({**told, "run": record_of(run), "files": files}))
        os.rename(partial, os.path.join(to, name))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    run.note(f"=== lambda-train: copied {path} to {os.path.join(to, name)}")
    remove_old(to, sync["keep"])


def newest_whole(output, pattern):
    for mtime, path, _ in sorted(checkpoints_in(output, pattern), reverse=True):
        try:
            if damage_of(path) is None:
                return mtime, path
        except OSError:
            continue
    return None


def newest_time(path):
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def copy_all(run, workspace, output, checkpoint, partial):
    """Copies checkpoint, small files and log; what each is. None where the checkpoint changed meanwhile."""
    files = []
    best = ((run.newest().get("description") or {}).get("evaluation") or {}).get("checkpoint")
    name = best and newest(output, matches(output, best))
    # What is evaluated in the end may be the last machine's.
    for path in {*files_below(checkpoint), *(files_below(os.path.join(output, name)) if name else ())}:
        told = copied(path, os.path.relpath(path, workspace), partial)
        if told is None:
            return None
        files.append(told)
    is_taken = {each["path"] for each in files}
    # Of other checkpoints, which are as long, nothing is copied: metrics and logs go on from what they were.
    others = {path for _, path, _ in checkpoints_in(output, None)}
    left = MOST_SMALL
    for path in files_below(output, others):
        size = os.path.getsize(path) if os.path.isfile(path) else SMALL + 1
        relative = os.path.relpath(path, workspace)
        if size <= min(SMALL, left) and f"workspace/{relative}" not in is_taken:
            left -= size
            told = copied(path, relative, partial)
            if told is not None:
                files.append(told)
    if os.path.isfile(run.log):
        told = copied(run.log, None, partial, "run/train.log")
        files += [told] if told is not None else []
    return files


def files_below(path, without=()):
    if not os.path.isdir(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in without]
        for name in names:
            if os.path.join(folder, name) not in without:
                yield os.path.join(folder, name)


def copied(path, relative, partial, name=None):
    """Copies a file as long as it is now; what it is. None where it is gone, lies elsewhere, or was replaced meanwhile."""
    name = name or f"workspace/{relative}"
    # Outside of the workspace it has no place to go back to.
    if relative is not None and not inside("", relative):
        return None
    target = os.path.join(partial, name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        with open(path, "rb") as source, open(target, "wb") as copy:
            before = os.fstat(source.fileno())
            left = before.st_size
            while left > 0:
                block = source.read(min(left, 1 << 20))
                if not block:
                    return None
                copy.write(block)
                left -= len(block)
            copy.flush()
            os.fsync(copy.fileno())
        # A log that grew is a true beginning of itself; read again, since a disk elsewhere may not hold what was written.
        checksum = sha256_of(path, before.st_size)
    except OSError:
        return None
    if sha256_of(target) != checksum:
        return None
    return {"path": name, "size": before.st_size, "sha256": checksum, "mtime": before.st_mtime_ns // 1_000_000}


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def names_in(folder):
    """Of the snapshots, the oldest first."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []


def remove_old(folder, keep):
    for name in names_in(folder)[:-keep]:
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name.startswith(".partial-") and time.time() - os.stat(path).st_mtime > STALE:
            shutil.rmtree(path, ignore_errors=True)


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
    passed = []
    for name in reversed(names_in(folder)):
        path = os.path.join(folder, name)
        if (read_json(os.path.join(path, FILE), {}).get("run") or {}).get("hash") != hash:
            continue
        try:
            told = check(path)
        except (Damaged, OSError, KeyError, TypeError) as error:
            passed.append(f"{name}: {error}")
            continue
        # The config's text is long, and nobody here needs it.
        ran = {member: value for member, value in told["run"].items() if member != "config"}
        size = sum(each["size"] for each in told["files"])
        found = {"name": name, "checkpoint": told["checkpoint"], "writtenAt": told["writtenAt"], "run": ran}
        word({"found": {**found, "files": len(told["files"]), "bytes": size}, "passed": passed})
        return
    word({"found": None, "passed": passed})
