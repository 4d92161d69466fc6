"""A look at what the training of an experiment has written outside of its outputs folder."""

import math
import os
import stat
import time

from base.files import BASE, BY_HAND, READY, fact, modified, under_home
from base.shell import workplace
from jobs.list import jobs
from results import rules
from results.closed import Closed
from results.places import SYSTEM, below, lasting_mounts, other_roots, within
from results.uploaded import COPIES, Uploads, workspace_uploaded
from run.configuration import own_attempts
from run.output import folders_of, outputs_of
from run.state import Run, runs
from run.sweeps import folders_of_others, is_worker, sweep_of
from run.writers import written_by

HOME = os.path.realpath(os.path.expanduser("~"))
# What commands write by hand that run on changed code.
BY_COMMANDS = f"{COPIES}/dev"


class Scope:
    """What an experiment's own facts tell: since when, and which places come home anyway."""

    def __init__(self, run, keys=None):
        attempts, newest = own_attempts(run), run.newest()
        self.since = min((attempt.get("mark") for attempt in attempts if attempt.has("mark")), default=None)
        described = newest.get("description") if newest else None
        self.workspace = os.path.realpath(under_home(described["workspace"])) if described else None
        if newest is None and not runs():
            # Somebody may have trained there by hand: what came since the environment was ready is theirs.
            self.since, self.workspace = ready_at(), workspace_uploaded()
        elif self.since is not None and is_first(run, attempts) and modified(BY_HAND) is not None:
            # What they had trained before the first start comes home with what that run writes.
            self.since = min(self.since, max(modified(BY_HAND), ready_at() or 0))
        self.directory = os.path.normpath(described["directory"]) if described else "."
        homes = folders_of(attempts)
        if described and not newest.has("outputPath"):
            homes.add(os.path.join(outputs_of(described), run.experiment))
        # Those of other trials are looked through with them. The configs that the worker writes are none of a trial's.
        if sweep_of(described):
            homes.update(os.path.join(outputs_of(described), name) for name in folders_of_others(run, described))
            homes.add(os.path.join(workplace(described), ".lambda-train"))
            # That of commands comes home with the worker, which outlives its trials.
            homes.update([] if is_worker(run, described) else [os.path.join(HOME, BY_COMMANDS)])
        homes.update(workspaces_beside(run, described))
        self.come_home = {os.path.realpath(each) for each in homes}
        # What comes after a trial's end is of the trials after it, but for what its own evaluation writes.
        self.until = newest.get("closedAt", math.inf) if newest else math.inf
        self.evaluating = newest.get("evaluatingAt", math.inf) if newest else math.inf
        self.evaluated = newest.get("evaluatedAt", math.inf) if newest else math.inf
        self.is_worker = bool(described) and is_worker(run, described)
        keys = keys or run.keys()
        self.include = rules.Globs(keys.get("include") or [])
        self.exclude = rules.Globs(keys.get("exclude") or [])


def workspaces_beside(run, described):
    """Where jobs run, and what this one runs beside: what is written there comes home with its own run."""
    if described is None:
        return []
    job = described.get("job")
    others = [*(each for each in jobs() if each.experiment != run.experiment), *([Run(job)] if job else [])]
    known = [attempt.get("description") for attempt in (each.newest() for each in others) if attempt is not None]
    return [under_home(each["workspace"]) for each in known if each is not None]


def ready_at():
    """When the environment was ready first, in nanoseconds; None before. An earlier release noted only the last time."""
    ended = os.path.join(BASE, "steps", "setup", "exit")
    return modified(READY) or (modified(ended) if fact(ended) == "0" else None)


def is_first(run, attempts):
    """Whether nothing was ever started here but these attempts of a run."""
    return len(attempts) == run.number() and [each.experiment for each in runs()] == [run.experiment]


def shown_place(path):
    """Of a file outside of workspace and home folder, the folder by which people know it."""
    return "/".join(
        path.split("/")[: 3 if path.startswith(("var/", "opt/", "usr/", "dev/", "home/", "root/", "run/")) else 2]
    )


class TooLong(Exception):
    """A look has used up its time."""


class Look:
    """
    found: (kind, path, full path, stat) of each file; kind is "" for the workspace, "~" for the home folder and "/" for
    elsewhere. links: (kind, path, full path, real path). left: what rules leave out, (place, why) -> [files, bytes, its
    biggest checkpoint or None]. unread: (kind, path) of what cannot be listed. whole: False where the time was too short.
    """

    def __init__(self, run, seconds=None, keys=None):
        self.scope = Scope(run, keys)
        self.found, self.links, self.left, self.unread, self.whole = [], [], {}, [], True
        if self.scope.since is None or self.scope.workspace is None:
            return
        if self.scope.is_worker and not os.path.isdir(os.path.join(HOME, BY_COMMANDS)):
            return
        self.due = None if seconds is None else time.monotonic() + seconds
        self.base = os.path.realpath(BASE)
        self.roots = [HOME, self.scope.workspace]
        self.uploads = Uploads(self.scope.workspace)
        self.mounts, self.closed = lasting_mounts(), Closed(self.scope.since)
        # Folders in which processes of the run were seen to write.
        self.writers = written_by(run)
        self.visited = set()
        try:
            if self.scope.is_worker:
                # All else is its trials'.
                self.scan("~", os.path.join(HOME, BY_COMMANDS), path=BY_COMMANDS)
            else:
                self.scan_all()
        except TooLong:
            self.whole = False
        self.keep_links()

    def scan_all(self):
        self.scan("", self.scope.workspace)
        self.scan("~", HOME)
        others = other_roots(HOME, [f"/{each}" for each in self.scope.include.fixed("/")])
        for root in others:
            if not within(root, self.roots) and not within(root, self.mounts):
                self.scan("/", root)
        for folder in self.writers:
            if not within(folder, [*others, *self.roots, *self.mounts, *self.scope.come_home]):
                self.scan("/", folder, deep=False)

    def scan(self, kind, root, deep=True, path=""):
        """
        Looks through one tree, or one folder alone. A folder's rule holds for all that it holds. `path`: of the tree, below
        the folder that its kind stands for.
        """
        if within(root, self.scope.come_home) or not os.path.isdir(root):
            return
        folders = [(root, root[1:] if kind == "/" else path, rules.WHY_OUTSIDE if kind == "/" else None, "", False)]
        while folders:
            if self.due is not None and time.monotonic() > self.due:
                raise TooLong
            full, path, why, place, linked = folders.pop()
            try:
                with os.scandir(full) as listed:
                    entries = list(listed)
                if linked and self.seen(os.stat(full)):
                    continue
            except OSError:
                self.cannot_read(kind, path, full, why)
                continue
            if full != root and self.is_tools(kind, path, entries):
                continue
            for entry in entries:
                try:
                    if not deep and entry.is_dir(follow_symlinks=False):
                        continue
                    self.take(kind, entry, (full, path, why, place, linked), folders)
                except FileNotFoundError:
                    pass  # Removed meanwhile, as old checkpoints are.
                except OSError:
                    self.cannot_read(kind, f"{path}/{entry.name}", entry.path, why)

    def is_tools(self, kind, path, entries):
        marked = any(entry.name in rules.TOOL_MARKS for entry in entries)
        return marked and not self.scope.include.may_match_below(kind, path)

    def take(self, kind, entry, folder, folders):
        full, above, why, place, linked = folder
        info = entry.stat(follow_symlinks=False)
        regular = stat.S_ISREG(info.st_mode)
        # Most are not new: nothing else is worth knowing of them.
        if regular and info.st_mtime_ns < self.scope.since and info.st_ctime_ns < self.scope.since:
            return
        path = f"{above}/{entry.name}" if above else entry.name
        tool = rules.is_tools(kind, above, entry.name, path)
        if why is None:
            why = rules.why_left(kind, above, entry.name, self.scope.directory)
            place = path if why is not None else place
        full = f"{full}/{entry.name}"
        if regular:
            self.take_file(kind, path, full, info, tool, why, place)
        elif stat.S_ISDIR(info.st_mode):
            if not self.is_other(kind, full) and (not tool or self.scope.include.may_match_below(kind, path)):
                folders.append((full, path, why, place, linked))
        elif stat.S_ISLNK(info.st_mode) and not tool:
            self.take_link(kind, path, full, (why, place), folders)

    def is_other(self, kind, full):
        """Whether a folder comes home by another way, is looked at by itself, or stays when the instance ends."""
        if full in self.scope.come_home or full == self.base or full in self.mounts:
            return True
        return full == (HOME if kind == "" else self.scope.workspace)

    def take_link(self, kind, path, full, rule, folders):
        real = os.path.realpath(full)
        if not os.path.exists(real) or within(real, SYSTEM) or any(within(root, [real]) for root in self.roots):
            return
        if within(real, self.roots):
            # Seen under its own name; the link is worth something only where that comes home.
            self.links.append((kind, path, full, real))
        elif kind != "/" and not within(real, self.mounts) and not within(real, self.scope.come_home):
            info = os.stat(real)
            if stat.S_ISDIR(info.st_mode):
                folders.append((real, path, *rule, True))
            elif stat.S_ISREG(info.st_mode):
                self.take_file(kind, path, real, info, False, *rule)

    def is_later(self, time):
        """Whether something was written when what is looked for had ended."""
        scope = self.scope
        return time > scope.until and not scope.evaluating <= time <= scope.evaluated

    def take_file(self, kind, path, full, info, tool, why, place):
        if (
            max(info.st_mtime_ns, info.st_ctime_ns) < self.scope.since
            or self.is_later(info.st_mtime_ns)
            or full in self.scope.come_home
            or self.uploads.hold(full)
        ):
            return
        if self.scope.include.match(kind, path):
            self.found.append((kind, path, full, info))
            return
        name = os.path.basename(path)
        # Training may run as root, as in a container; whose files others are is known by who was seen to write there.
        others = info.st_uid not in (os.getuid(), 0) and os.path.dirname(full) not in self.writers
        if tool or (kind == "/" and (others or rules.is_temporary(path, name, info.st_size))):
            return
        if kind == "/":
            place = shown_place(path)
        elif within(full, self.uploads.datasets):
            dataset = next(each for each in self.uploads.datasets if within(full, [each]))
            why, place = rules.WHY_DATASET, below(dataset, self.scope.workspace) if kind == "" else place or path
        elif why is None and self.scope.exclude.match(kind, path):
            why, place = rules.WHY_EXCLUDED, path.split("/", 1)[0]
        if why is None:
            self.found.append((kind, path, full, info))
            return
        self.leave(kind, path, info.st_size, why, place)

    def leave(self, kind, path, size, why, place):
        group = self.left.setdefault((rules.shown(kind, place), why), [0, 0, None])
        group[0] += 1
        group[1] += size
        if rules.is_checkpoint(path, size) and (group[2] is None or group[2][1] < size):
            group[2] = (rules.shown(kind, path), size)

    def seen(self, info):
        key = (info.st_dev, info.st_ino)
        known = key in self.visited
        self.visited.add(key)
        return known

    def cannot_read(self, kind, path, full, why):
        """What cannot be listed may hold something new only where it was changed itself; elsewhere root may tell."""
        if kind == "/":
            for file, size in self.closed.files(full):
                if not rules.is_temporary(file[1:], file, size):
                    self.leave(kind, file[1:], size, rules.WHY_CLOSED, shown_place(file[1:]))
            return
        try:
            info = os.lstat(full)
            if why is None and max(info.st_mtime_ns, info.st_ctime_ns) >= self.scope.since:
                self.unread.append((kind, path))
        except OSError:
            pass

    def keep_links(self):
        """Of the links only those count that lead to something that comes home from here."""
        held = set()
        for _, _, full, _ in self.found:
            while full not in held and full != "/":
                held.add(full)
                full = os.path.dirname(full)
        self.links = [link for link in self.links if link[3] in held]

    def checkpoints(self):
        """How many of the files found look like checkpoints, and when the newest was written, in seconds since the epoch."""
        times = [info.st_mtime_ns for _, path, _, info in self.found if rules.CHECKPOINT.search(path)]
        return {"files": len(times), "newest": max(times, default=0) // 10**9}

    def biggest_checkpoint(self):
        """Path of the biggest file found that looks like a checkpoint, as people know it; None without one."""
        sizes = [
            (info.st_size, rules.shown(kind, path))
            for kind, path, _, info in self.found
            if rules.is_checkpoint(os.path.basename(path), info.st_size)
        ]
        return max(sizes)[1] if sizes else None

    def groups(self):
        """What was found, as people know it: the folder or file right below its root -> [files, bytes]."""
        groups = {}
        for kind, path, _, info in self.found:
            parts = path.split("/")
            depth = 2 if kind == "/" else 1
            top = "/".join(parts[:depth]) + ("/" if len(parts) > depth else "")
            group = groups.setdefault(rules.shown(kind, top), [0, 0])
            group[0] += 1
            group[1] += info.st_size
        return groups
