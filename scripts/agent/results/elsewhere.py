"""A look at what the training of an experiment has written outside of its outputs folder."""

import os
import stat
import time

from base.files import BASE, BY_HAND, READY, fact, modified, under_home
from results import rules
from run.configuration import own_attempts
from run.output import folders_of, outputs_of
from run.state import runs
from upload.entries import read_lines
from upload.uploads import Stored, unchanged

HOME = os.path.realpath(os.path.expanduser("~"))
# Where people put files besides their home folder.
OTHER_ROOTS = """
/tmp /var/tmp /mnt /data /scratch /workspace /content /opt/ml /checkpoints /ckpts /models /outputs /output
/results /runs /logs
""".split()
SYSTEM = "/proc /sys /dev /run /usr /lib /lib64 /bin /sbin /etc /boot /var/log /var/lib".split()
LASTING = ("nfs", "nfs4", "virtiofs", "cifs", "ceph", "lustre")


def below(path, folder):
    """The path relative to the folder, "" where it is the folder; None where it lies elsewhere."""
    if path == folder:
        return ""
    return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else None


def within(path, folders):
    return any(below(path, folder) is not None for folder in folders)


def lasting_mounts():
    """Where file systems are mounted that outlive the instance."""
    found = {"/lambda/nfs"}
    with open("/proc/self/mountinfo", errors="surrogateescape") as mounts:
        for line in mounts:
            fields = line.split(" ")
            if fields[fields.index("-") + 1] in LASTING:
                found.add(fields[4].replace("\\040", " "))
    return found


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
        self.come_home = {os.path.realpath(each) for each in homes}
        keys = keys or run.keys()
        self.include = rules.Globs(keys.get("include") or [])
        self.exclude = rules.Globs(keys.get("exclude") or [])


class Uploads:
    """What was uploaded. Its records are read only where something below it came or changed: they may be long."""

    def __init__(self, workspace):
        folder = os.path.join(BASE, "manifests")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        roots = {os.path.realpath(fact(folder, name)) for name in names if name.endswith(".extracted")}
        self.known = []
        for name in names:
            if name.endswith(".json") and not name.endswith((".owned.json", ".next.json")):
                upload = name[: -len(".json")]
                root = root_of(os.path.join(folder, name))
                if root is not None:
                    self.known.append((os.path.realpath(root), root, upload))
                    roots.add(os.path.realpath(root))
        self.datasets = {root for root in roots if below(root, workspace)}
        self.records = {}

    def hold(self, full):
        """Whether this file is as it was uploaded."""
        return any(unchanged(root, record) for root, record in self.records_of(full))

    def know(self, full):
        """Whether something was uploaded to this path, whatever is there now."""
        return any(True for _ in self.records_of(full))

    def records_of(self, full):
        for real, root, upload in self.known:
            relative = below(full, real)
            if relative:
                if upload not in self.records:
                    records = Stored(upload, root).records()
                    self.records[upload] = {record.pop("path"): record for record in records}
                record = self.records[upload].get(relative)
                if record is not None:
                    yield root, {**record, "path": relative}


def ready_at():
    """When the environment was ready first, in nanoseconds; None before. An earlier release noted only the last time."""
    ended = os.path.join(BASE, "steps", "setup", "exit")
    return modified(READY) or (modified(ended) if fact(ended) == "0" else None)


def is_first(run, attempts):
    """Whether nothing was ever started here but these attempts of a run."""
    return len(attempts) == run.number() and [each.experiment for each in runs()] == [run.experiment]


def workspace_uploaded():
    """The workspace as the uploads tell it: the folder that lies in no other's; None without one."""
    known = [real for real, _, _ in Uploads("/").known]
    return next((root for root in known if not any(below(root, other) for other in known)), None)


def root_of(manifest):
    """The folder of an upload; its name alone does not tell."""
    facts = next(read_lines(manifest), None)
    return facts.get("root") if isinstance(facts, dict) else None


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
        self.due = None if seconds is None else time.monotonic() + seconds
        self.base = os.path.realpath(BASE)
        self.roots = [HOME, self.scope.workspace]
        self.uploads = Uploads(self.scope.workspace)
        self.mounts = lasting_mounts()
        self.visited = set()
        try:
            self.scan("", self.scope.workspace)
            self.scan("~", HOME)
            for root in dict.fromkeys([*OTHER_ROOTS, *(f"/{each}" for each in self.scope.include.fixed("/"))]):
                # On a machine whose home folder lies in there it is not one of these places.
                if os.path.realpath(root) == root and not within(HOME, [root]) and not within(root, self.roots):
                    self.scan("/", root)
        except TooLong:
            self.whole = False
        self.keep_links()

    def scan(self, kind, root):
        """Looks through one tree. A folder's rule holds for all that it holds."""
        if within(root, self.scope.come_home) or not os.path.isdir(root):
            return
        folders = [(root, root[1:] if kind == "/" else "", rules.WHY_OUTSIDE if kind == "/" else None, "", False)]
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

    def take_file(self, kind, path, full, info, tool, why, place):
        if (
            max(info.st_mtime_ns, info.st_ctime_ns) < self.scope.since
            or full in self.scope.come_home
            or self.uploads.hold(full)
        ):
            return
        if self.scope.include.match(kind, path):
            self.found.append((kind, path, full, info))
            return
        name = os.path.basename(path)
        # Training may run as root, as in a container.
        others = info.st_uid not in (os.getuid(), 0)
        if tool or (kind == "/" and (others or rules.is_temporary(path, name, info.st_size))):
            return
        if kind == "/":
            place = "/".join(path.split("/")[: 3 if path.startswith(("var/", "opt/")) else 2])
        elif within(full, self.uploads.datasets):
            dataset = next(each for each in self.uploads.datasets if within(full, [each]))
            why, place = rules.WHY_DATASET, below(dataset, self.scope.workspace) if kind == "" else place or path
        elif why is None and self.scope.exclude.match(kind, path):
            why, place = rules.WHY_EXCLUDED, path.split("/", 1)[0]
        if why is None:
            self.found.append((kind, path, full, info))
            return
        group = self.left.setdefault((rules.shown(kind, place), why), [0, 0, None])
        group[0] += 1
        group[1] += info.st_size
        if rules.is_checkpoint(name, info.st_size) and (group[2] is None or group[2][1] < info.st_size):
            group[2] = (rules.shown(kind, path), info.st_size)

    def seen(self, info):
        key = (info.st_dev, info.st_ino)
        known = key in self.visited
        self.visited.add(key)
        return known

    def cannot_read(self, kind, path, full, why):
        """What cannot be listed may hold something new only where it was changed itself."""
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
