"""
Checkpoints that pass between the machines of one training. Most workloads let rank 0 alone write them, and read them on every
machine to go on.
"""

import os
import re
import time

from base.document import takes
from base.files import BASE, unlink_if_there
from base.say import die
from fleet.link import Refused, Unreachable, ask, take
from machine.look import checkpoints
from run.configuration import since
from run.output import outputs_of
from run.state import Run

ANSWER = 20
# A checkpoint of many files is a folder of its own.
FOLDER = re.compile(r"(^|/)(?:[^/]*checkpoint[-_]?\d+|global_step\d+|[^/]+\.ckpt|[^/]*(?:step|epoch)[-_=]?\d+[^/]*)/")
# How many of the newest ones are enough, one of which may be damaged or half written.
NEWEST = 3
# A file beside them that says which is the newest, as `latest`.
SMALL = 1 << 20
SECONDS = 3600


def folder_of(attempt):
    return attempt.get("outputPath") or os.path.join(outputs_of(attempt.get("description")), attempt.run.experiment)


def copies_of(attempt):
    """Where another rank keeps copies of rank 0's: outside of the outputs, since they are no results of its own."""
    return os.path.join(BASE, "nodes", attempt.run.experiment)


def place_on(attempt):
    """The folder of a machine's checkpoints that the others may take."""
    follows = attempt.get("description")["node"]["rank"] > 0
    return copies_of(attempt) if follows else folder_of(attempt)


@takes(experiment=str, hash=str)
def known_here(experiment, hash):
    """
    The newest checkpoints that a run with these settings has on this machine: {"files": [{"path", "bytes", "writtenAt"}]},
    paths in its outputs.
    """
    attempt = Run(experiment).newest()
    if attempt is None or attempt.asked_hash() != hash or (attempt.get("description") or {}).get("node") is None:
        return {"files": []}
    return {"files": newest_in(place_on(attempt), since(attempt.run) / 1e9)}


def newest_in(folder, since_then, most=NEWEST):
    found = [each for each in checkpoints(folder) if each["writtenAt"] >= since_then]
    units = {}
    for each in found:
        units.setdefault(unit_of(each["path"]), []).append(each)
    ranked = sorted(units.values(), key=lambda files: -max(each["writtenAt"] for each in files))
    chosen = [each for files in ranked[:most] for each in files]
    small = [each for files in ranked[most:] for each in files if each["bytes"] <= SMALL]
    return chosen + small


def unit_of(path):
    """What a file is a part of: the folder of a checkpoint of many files, or itself."""
    found = FOLDER.search(path)
    return path[: found.end()] if found else path


@takes(experiment=str, path=str)
def send(experiment, path):
    """A file among those that `known_here` tells, for `take`."""
    attempt = Run(experiment).newest()
    folder = os.path.realpath(place_on(attempt)) if attempt else "/nowhere"
    place = os.path.realpath(os.path.join(folder, path))
    if not place.startswith(f"{folder}{os.sep}") or not os.path.isfile(place):
        die(1, f"there is no file {path} among the checkpoints of {experiment}")
    return place


def take_newest(attempt, machine):
    """Takes another machine's copies where they are newer than this one's checkpoints."""
    theirs = files_on(attempt, machine)
    if latest(theirs) <= latest(newest_in(folder_of(attempt), 0)):
        return
    try:
        take_files(attempt, machine, theirs, folder_of(attempt))
    except (Unreachable, Refused) as error:
        attempt.run.note(f"=== lambda-train: couldn't take the checkpoints of {machine}: {error}")


def take_from(attempt, machine):
    """Takes rank 0's checkpoints: all machines go on from the same."""
    take_files(attempt, machine, files_on(attempt, machine), folder_of(attempt))


def copy_from(attempt, machine):
    """Keeps a copy of rank 0's newest checkpoints, for the case that its machine is lost. Fails quietly: it comes again."""
    folder, files = copies_of(attempt), files_on(attempt, machine)
    try:
        take_files(attempt, machine, files, folder, quietly=True)
    except (Unreachable, Refused, OSError):
        return
    kept = {each["path"] for each in files}
    for each in checkpoints(folder):
        if kept and each["path"] not in kept:
            unlink_if_there(os.path.join(folder, each["path"]))


def files_on(attempt, machine):
    asked = {"experiment": attempt.run.experiment, "hash": attempt.asked_hash()}
    try:
        return ask(machine, "node-checkpoints", asked, ANSWER)["files"]
    except (Unreachable, Refused):
        return []


def latest(files):
    return max((each["writtenAt"] for each in files), default=0)


def take_files(attempt, machine, files, folder, quietly=False):
    began, size, count = time.monotonic(), 0, 0
    for each in files:
        place = os.path.normpath(os.path.join(folder, each["path"]))
        if not place.startswith(f"{os.path.normpath(folder)}{os.sep}") or is_same(place, each):
            continue
        os.makedirs(os.path.dirname(place), exist_ok=True)
        part = f"{place}.partial"
        try:
            at = take(machine, "node-file", {"experiment": attempt.run.experiment, "path": each["path"]}, SECONDS, part)
            os.utime(part, (at, at))
            os.replace(part, place)
        finally:
            unlink_if_there(part)
        size, count = size + each["bytes"], count + 1
    if count and not quietly:
        attempt.run.note(
            f"=== lambda-train: took {count} checkpoint files ({size / 1e6:.1f} MB) from {machine} in "
            f"{time.monotonic() - began:.1f} s"
        )


def is_same(place, file):
    try:
        seen = os.stat(place)
    except OSError:
        return False
    return seen.st_size == file["bytes"] and abs(seen.st_mtime - file["writtenAt"]) < 0.001
