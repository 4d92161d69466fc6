"""
Curves of several files as one: where a training was restarted, the later file goes on from its first point. Folders that were
written at the same time are of several trainings, or of training and validation: their names tell them apart.
cli/curves/logged/join.ts does the same at home.
"""

import os
import re
from bisect import bisect_left

from curves.files import MLFLOW
from run.first_step import EVALUATES, TRAINS


class Part:
    """What the files of one folder tell."""

    def __init__(self, folder):
        self.folder, self.curves = folder, {}
        self.began, self.ended = float("inf"), float("-inf")

    def take(self, curves, whole):
        if curves.purged is not None:
            for xs, ys in self.curves.values():
                cut(xs, ys, curves.purged)
        for name, points in curves.points.items():
            append(self.curves.setdefault(name, ([], [])), points.told(whole))
        self.began = min(self.began, curves.began if curves.began is not None else self.began)
        self.ended = max(self.ended, curves.ended if curves.ended is not None else self.ended)


def append(known, more):
    if more[0]:
        cut(*known, more[0][0])
    known[0].extend(more[0])
    known[1].extend(more[1])


def cut(xs, ys, x):
    at = bisect_left(xs, x)
    del xs[at:], ys[at:]


def folder_of(path):
    metric = MLFLOW.search(path)
    return path[: metric.start(1) - len("/metrics/")] if metric else os.path.dirname(path)


def joined(files, whole=True):
    """{name: (xs, ys)} of (path, Curves). `whole`: with the newest point of each, though it is no regular one."""
    parts = {}
    for path, curves in sorted(files, key=lambda each: (each[1].began or 0, each[0])):
        folder = folder_of(path)
        parts.setdefault(folder, Part(folder)).take(curves, whole)
    ordered = sorted(parts.values(), key=lambda part: (part.began, part.folder))
    found = {}
    for name in dict.fromkeys(name for part in ordered for name in part.curves):
        of = [part for part in ordered if part.curves.get(name, ((), ()))[0]]
        if len(of) > 1 and are_apart(of):
            root = os.path.commonpath([part.folder for part in of])
            for part in of:
                found[apart(os.path.relpath(part.folder, root), name)] = part.curves[name]
        elif of:
            found[name] = ([], [])
            for part in of:
                append(found[name], part.curves[name])
    return found


def are_apart(parts):
    if any(is_split(os.path.basename(part.folder)) for part in parts):
        return True
    return any(after.began < before.ended for before, after in zip(parts, parts[1:]))


def is_split(name):
    return any(TRAINS.match(part) or EVALUATES.match(part) for part in re.split(r"[_.-]", name.lower()))


def apart(folder, name):
    """The name with its folder's. Of `add_scalars("loss", {"val": …})` the folder is loss_val."""
    begin = name.replace("/", "_") + "_"
    if folder.startswith(begin) and len(folder) > len(begin):
        folder = folder[len(begin) :]
    return name if folder == "." else f"{folder}/{name}"
