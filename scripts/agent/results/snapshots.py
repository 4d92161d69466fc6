"""
Copies of a run's newest checkpoint on a file system that outlives the machine (`checkpoints.sync: fileSystem`), or on their
way to a bucket (results/bucket_snapshots.py).

<file system>/checkpoints/<stack>/<experiment>/<time>-<attempt>/
  snapshot.json    the record of what ran (results/record.py), and each file with its size, SHA-256 and time
  workspace/…      the checkpoint and the small files among the outputs, by their paths in the workspace
  run/train.log
A snapshot is written under another name first. Who restores one reads all of it.
"""

import json
import os
import re
import shutil
import time

from base.checksum import sha256_of
from base.document import takes
from base.files import inside, read_json, under_home
from base.locks import hold
from bucket.bucket import BucketError
from results import bucket_snapshots
from results.places import lasting_mounts, within
from results.record import record_of
from results.snapshot_check import FILE, names_in
from run.output import matches, newest, outputs_of
from run.resume import checkpoints_in
from run.soundness import damage_of
from run.state import Run
from run.sweeps import MOVED

# Logs and metrics: what is longer is no small file, and all of them together no more than this.
SMALL, MOST_SMALL = 16 << 20, 256 << 20
# Of a writer that was killed.
STALE = 3600


@takes(experiment=str)
def save(experiment):
    """Copies the newest whole checkpoint, unless that is there, and removes all snapshots but the newest."""
    run = Run(experiment)
    hold(run.path("sync.lock"))
    attempt = run.newest()
    described = attempt.get("description") or {}
    sync = described.get("sync")
    # Another machine has the trial, and copies it under the same name.
    if sync is None or attempt.get("stopReason") == MOVED:
        return
    workspace = os.path.abspath(under_home(described["workspace"]))
    output = attempt.get("outputPath") or os.path.join(outputs_of(described), experiment)
    found = newest_whole(output, sync["checkpoint"])
    if found is None:
        return
    mtime, checkpoint = found
    to = sync["to"]
    if sync.get("bucket") is not None:
        to = os.path.join(bucket_snapshots.FOLDER, experiment)
        os.makedirs(to, exist_ok=True)
    elif not within(os.path.realpath(to), lasting_mounts()):
        attempt.try_put(copied={"to": to, "problem": "the file system is not mounted"})
        return
    path = os.path.relpath(os.path.abspath(checkpoint), workspace)
    last = read_json(os.path.join(to, *names_in(to)[-1:], FILE), {})
    # How the run ended tells whether there is something to go on with.
    told = {"checkpoint": path, "writtenAt": mtime // 1_000_000, "exit": attempt.get("exit")}
    if all(last.get(name) == value for name, value in told.items()) or not inside("", path):
        return
    now = time.time_ns() // 1_000_000
    name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now // 1000))}{now % 1000:03}Z-{attempt.number}"
    partial = os.path.join(to, f".partial-{name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        os.makedirs(partial)
        files = copy_all(run, workspace, output, checkpoint, partial)
        if files is None or newest_time(checkpoint) != mtime:
            return  # It was written anew meanwhile: the next look takes it.
        write(os.path.join(partial, FILE), json.dumps({**told, "run": record_of(run), "files": files}))
        os.rename(partial, os.path.join(to, name))
        if sync.get("bucket") is not None:
            bucket_snapshots.send(to, name, sync)
    except (OSError, BucketError) as error:
        attempt.try_put(copied={"to": sync["to"], "problem": getattr(error, "strerror", None) or str(error)})
        return
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    # No line in the log: it would count as work of training's.
    attempt.try_put(copied={"to": sync["to"], "checkpoint": os.path.basename(path), "at": now // 1000})
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
    """Copies checkpoints, small files and log; what each is. None where a checkpoint changed meanwhile."""
    files = []
    described = run.newest().get("description")
    all_of_them = {path for _, path, _ in checkpoints_in(output, described["sync"]["checkpoint"])}
    units = {checkpoint, *(path for path in all_of_them if is_lasting(path)), *evaluated(described, output)}
    for path in {each for unit in units for each in files_below(unit)}:
        told = copied(path, os.path.relpath(path, workspace), partial)
        if told is None:
            return None
        files.append(told)
    left = MOST_SMALL
    # Metrics and logs go on from what they were.
    for path in files_below(output, all_of_them):
        size = os.path.getsize(path) if os.path.isfile(path) else SMALL + 1
        relative = os.path.relpath(path, workspace)
        if size <= min(SMALL, left) and not any(each["path"] == f"workspace/{relative}" for each in files):
            left -= size
            told = copied(path, relative, partial)
            files += [told] if told is not None else []
    if os.path.isfile(run.log):
        told = copied(run.log, None, partial, "run/train.log")
        files += [told] if told is not None else []
    return files


def is_lasting(path):
    """Whether it is written again and again under one name, as last.pt: training may look for just that."""
    try:
        return not re.search(r"\d", os.path.basename(path)) and damage_of(path) is None
    except OSError:
        return False


def evaluated(described, output):
    """What the evaluation takes: it may stay the best in the end."""
    pattern = (described.get("evaluation") or {}).get("checkpoint")
    name = pattern and newest(output, matches(output, pattern))
    return [os.path.join(output, name)] if name else []


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


def remove_old(folder, keep):
    for name in names_in(folder)[:-keep]:
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name.startswith(".partial-") and time.time() - os.stat(path).st_mtime > STALE:
            shutil.rmtree(path, ignore_errors=True)
