"""
What is known of uploads: their manifests, their staging folders, and how their files are told again. The name of an upload
into a cache is a path: what is known of it lies there, for all machines.
"""

import io
import json
import os
import shutil
import stat
from itertools import takewhile

from base.batches import batches
from base.files import BASE, unlink_if_there
from upload.entries import line_of, order, values_of


def manifest_path(name, kind=""):
    return os.path.join(BASE, "manifests", f"{name}{kind}.json")


def staging_of(name):
    return os.path.join(BASE, "staging", name)


class Stored:
    """What the last complete upload put: entries as in a manifest, with the `mtime` that they got."""

    def __init__(self, name, root):
        self.file = open_if_there(manifest_path(name))
        facts = value_of(self.file.readline())
        self.known = isinstance(facts, dict) and facts.get("root") == root
        facts = facts if self.known else {}
        self.hash = facts.get("hash")
        # The latest time that an upload has given a file.
        self.latest = facts.get("latest", 0)
        early = facts.get("files")
        if early is not None:
            self.file = lines_of_early(early)
        self.begin = self.file.tell()
        self.count = facts.get("count", len(early or {}))

    def lines(self):
        """The records as lines."""
        if self.known:
            self.file.seek(self.begin)
            yield from self.file

    def part(self, start, length):
        """Some of the lines, as one text; `start` counts from the first."""
        self.file.seek(self.begin + start)
        return self.file.read(length)

    def records(self):
        """Those before the damage, where there is any."""
        for some in batches(self.lines()):
            try:
                yield from values_of(some)
            except ValueError:
                yield from takewhile(lambda record: record is not None, map(value_of, some))
                return


def open_if_there(path):
    try:
        return open(path, "rb")
    except OSError:
        return io.BytesIO()


def value_of(line):
    """None for a damaged line."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def lines_of_early(files):
    """Earlier releases wrote one object of all files: path -> [size, mtime, sha256, executable, link]."""
    lines = []
    for path in sorted(files, key=order):
        size, mtime, checksum, executable, link = files[path]
        record = {"path": path, "size": size, "sha256": checksum, "executable": executable}
        lines.append(line_of({**record, "mtime": mtime} if link is None else {**record, "link": link}))
    return io.BytesIO(b"".join(lines))


def is_file(entry):
    """True for an entry that has content; links and empty folders have none, whatever their checksum."""
    return entry.get("link") is None and not entry.get("folder")


def foreign(name, root):
    """
    True where what lies at the root is no upload's: a link, or what the dataset step has put there and left its mark of. A
    workspace itself may be a link that somebody made on purpose.
    """
    root = os.path.normpath(root)
    if os.path.dirname(root) == os.path.normpath(os.path.expanduser("~")):
        return False
    return os.path.islink(root) or extracted(name) == root


def extracted(name):
    """The folder that the dataset step last filled or linked in place of this upload, or None."""
    try:
        with open(mark_path(name)) as file:
            return os.path.normpath(file.read().rstrip("\n"))
    except FileNotFoundError:
        return None


def mark_path(name):
    return os.path.join(BASE, "manifests", f"{name}.extracted")


def clear(name, root):
    """Removes what is foreign at the root: of a link only the link. Cut anywhere, the next call begins again."""
    root = os.path.normpath(root)
    # What earlier uploads had put is gone: removing it again would remove what others put at the same paths.
    for kind in ("", ".owned"):
        unlink_if_there(manifest_path(name, kind))
    if os.path.islink(root):
        os.unlink(root)
    elif os.path.isdir(root):
        shutil.rmtree(root)
    unlink_if_there(mark_path(name))


def status_of(root, entry):
    """The status of what is in place of an entry, if that is of the same nature; None where it is not."""
    path = f"{root}/{entry['path']}"
    try:
        # A folder may be a link that somebody made on purpose, as to a bigger disk.
        info = os.stat(path) if entry.get("folder") else os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if entry.get("folder"):
        return info if stat.S_ISDIR(info.st_mode) else None
    if entry.get("link") is not None:
        return info if stat.S_ISLNK(info.st_mode) and os.readlink(path) == entry["link"] else None
    return info if stat.S_ISREG(info.st_mode) and info.st_size == entry["size"] else None


def unchanged(root, record):
    """True where an entry is as the last upload left it, told by size and modification time."""
    info = status_of(root, record)
    return info is not None and (not is_file(record) or info.st_mtime_ns == record["mtime"])
