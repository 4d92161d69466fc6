"""Tells what is in folders on this instance.

Paths relative to the home folder where they are not absolute. A name that is not UTF-8 is shown with \\xNN for its odd bytes.
Links are kept where they stay inside their place, otherwise what they lead to is listed. A file's size is the one at the
time of listing, and its checksum is of that many bytes: a log that grows stays a true prefix.
"""

import errno
import gzip
import hashlib
import itertools
import json
import os
import re
import stat
import sys
import time
from pathlib import PurePath

from base.batches import in_threads
from base.checksum import sha256_of
from base.document import Maybe, takes
from base.files import BASE, inside, read_json, under_home, write_json
from results import written
from results.record import kept_record, record_of
from run.state import Run

SETTLED_NS = 2_000_000_000
NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
EMPTY = hashlib.sha256(b"").hexdigest()
LONGEST_NAME = 255
# Files that are listed at the same time, and how much one thread takes at once.
BATCH_FILES = 4096
TASK_FILES = 64
TASK_BYTES = 4 << 20
# A file whose blocks are fewer than its size by this much has holes.
HOLES = 1 << 20


def shown(name):
    """
    A name or path as text that no other name has: its odd bytes as \\xNN, and so a backslash that would read like that.
    What gets too long for a disk by this is cut, with a checksum of all of it.
    """
    try:
        name.encode("utf-8")
        odd = False
    except UnicodeEncodeError:
        odd = True
    if not odd and "\\x" not in name:
        return name
    return "/".join(shown_part(part) for part in name.split("/"))


def shown_part(part):
    text = re.sub(r"\\(?=x[0-9a-f]{2})", r"\\x5c", part)
    text = re.sub("[\udc80-\udcff]", lambda odd: f"\\x{ord(odd.group()) - 0xDC00:02x}", text)
    if len(text.encode("utf-8")) <= LONGEST_NAME:
        return text
    head = text.encode("utf-8")[: LONGEST_NAME - 40].decode("utf-8", "ignore")
    return f"{head}~{hashlib.sha256(os.fsencode(part)).hexdigest()[:32]}"


def named(at, path):
    return shown("/".join(part for part in (at, path) if part))


def holders(folder):
    """Paths of a folder and of all that it lies in."""
    return frozenset(map(str, (PurePath(folder), *PurePath(folder).parents)))


class Listing:
    """What is in one place: a folder, or one file."""

    def __init__(self, at, place, skipped, hollow):
        self.at = at
        self.root = os.path.realpath(under_home(place))
        self.skipped = skipped
        self.hollow = hollow

    def items(self):
        """Everything in it: path, facts of a file, target of a link; neither for an empty folder."""
        if os.path.isdir(self.root):
            some = yield from self.walk("", holders(self.root), False)
            if not some and self.at:
                yield "", None, None
        elif os.path.isfile(self.root):
            yield "", os.stat(self.root), None

    def walk(self, relative, above, moved):
        """
        Files, links and empty folders below a folder; `above`: real paths of it and of the folders that hold it; `moved`:
        a link has led here, so that what relative links lead to depends on where they are read.
        """
        some = False
        with os.scandir(os.path.join(self.root, relative)) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            path = os.path.join(relative, entry.name)
            is_link = False
            try:
                is_link = entry.is_symlink()
                if is_link:
                    link = os.readlink(entry.path)
                    if link.startswith(self.root + "/"):
                        # Absolute, but within the folder: the same link in relative form.
                        link = os.path.relpath(link, os.path.dirname(entry.path))
                    if inside(path, link) and not (moved and self.leads_elsewhere(path, link)):
                        some = True
                        yield path, None, link
                        continue
                info = entry.stat()
            except OSError as error:
                (self.hollow if is_link and error.errno in NOWHERE else self.skipped).append(named(self.at, path))
                continue
            if stat.S_ISDIR(info.st_mode):
                real = os.path.realpath(entry.path)
                if real in above:
                    self.hollow.append(named(self.at, path))
                    continue
                try:
                    if not (yield from self.walk(path, above | holders(real), moved or is_link)):
                        yield path, None, None
                    some = True
                except FileNotFoundError:
                    pass  # Removed meanwhile, as old checkpoints are.
                except OSError:
                    self.skipped.append(named(self.at, path))
            elif stat.S_ISREG(info.st_mode):
                some = True
                yield path, info, None
        return some

    def leads_elsewhere(self, path, link):
        """Whether a relative link leads to something else from its place in the listing than where it really lies."""
        full = os.path.join(self.root, path)
        here = os.path.normpath(os.path.join(os.path.dirname(full), link))
        return os.path.realpath(full) != os.path.realpath(here)


class SingleFile:
    """A place that is one file, as what training wrote elsewhere is listed."""

    def __init__(self, at, root, skipped):
        self.at = at
        self.root = root
        self.skipped = skipped


class Checksums:
    """Checksums of files that have not changed since the last listing of the same places."""

    def __init__(self, places):
        name = hashlib.sha256("\0".join(places).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self.file = os.path.join(BASE, "hashes", f"{name}.json")
        self.known = read_json(self.file, {})
        self.fresh = {}
        self.changed = False
        self.now = time.time_ns()

    def of(self, full, info):
        facts = f"{info.st_size}:{info.st_mtime_ns}:{info.st_ino}:".encode() + os.fsencode(full)
        key = hashlib.blake2b(facts, digest_size=16).hexdigest()
        checksum = self.fresh.get(key) or self.known.pop(key, None)
        if checksum is None:
            checksum = sha256_of(full, info.st_size)
            self.changed = True
        if self.now - info.st_mtime_ns > SETTLED_NS:
            self.fresh[key] = checksum
        return checksum

    def save(self):
        if self.changed or self.known:
            try:
                write_json(self.file, self.fresh)
            except OSError:
                pass  # The disk is full: the next listing reads more, this one is as good.


def described(listing, item, checksums):
    """A line of the listing, or None where the file cannot be opened."""
    path, info, link = item
    full = os.path.join(listing.root, path) if path else listing.root
    entry = {"path": shown(path), "id": os.fsencode(full).hex(), "size": 0, "sha256": EMPTY, "executable": False}
    if listing.at:
        entry["at"] = listing.at
    if link is not None:
        entry["link"] = shown(link)
    elif info is None:
        entry["folder"] = True
    else:
        try:
            entry["sha256"] = checksums.of(full, info)
        except OSError:
            listing.skipped.append(named(listing.at, path))
            return None
        entry.update(size=info.st_size, executable=bool(info.st_mode & 0o100))
        held = info.st_blocks * 512
        if held + HOLES < info.st_size:
            entry["held"] = held
    return json.dumps(entry)


def tasks(items):
    """Items in groups for one thread each: many small files, or a large one."""
    group, size = [], 0
    for item in items:
        group.append(item)
        size += item[1].st_size if item[1] is not None else 0
        if len(group) >= TASK_FILES or size >= TASK_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


@takes(
    places=[{"at": str, "path": str}],
    written=Maybe({"experiment": str, "keys": {"include": [str], "exclude": [str]}}),
    record=Maybe({"experiment": str, "aside": Maybe(str)}),
)
def list_places(places, written, record):
    """
    Prints one JSON object a line, all packed, for each file, link and empty folder under the given places: path in its
    place, at where that is not empty, size, sha256, executable, link where it is a symbolic link, folder where it is an
    empty one, held (bytes on the disk) where a file has holes, and id to ask for it. A place is a folder, or one file; one
    that is not there is left out. Last line: {"end": true, "skipped": [path…], "hollow": [path…]}.
    `written`: also what training wrote elsewhere (see written.py), below beside/; the last line tells of it in "written".
    `record`: the last line tells in "run" what ran, or what ran of results that are kept apart.
    skipped: what cannot be opened. hollow: links that lead nowhere, or to a folder that holds them; they have no content.
    """
    # As deep as a path can be.
    sys.setrecursionlimit(10_000)
    with gzip.GzipFile(fileobj=sys.stdout.buffer, mode="wb", compresslevel=1, mtime=0) as packed:
        for line in lines_of(places, written, record):
            packed.write(f"{line}\n".encode())


def lines_of(places, elsewhere, record):
    checksums = Checksums([word for place in places for word in (place["at"], place["path"])])
    skipped = []
    hollow = []
    for place in places:
        listing = Listing(place["at"], place["path"], skipped, hollow)
        groups = tasks(listing.items())
        while True:
            batch = list(itertools.islice(groups, BATCH_FILES // TASK_FILES))
            if not batch:
                break
            done = in_threads(lambda group: [described(listing, item, checksums) for item in group], batch)
            yield from (line for line in itertools.chain.from_iterable(done) if line is not None)
    told = {}
    if elsewhere is not None:
        ats = [place["at"] for place in places]
        items, unread, told["written"] = written.listing(elsewhere["experiment"], elsewhere["keys"], ats)
        skipped += [shown(name) for name in unread]
        for at, full, info, link in items:
            line = described(SingleFile(shown(at), full, skipped), ("", info, link), checksums)
            if line is not None:
                yield line
    if record is not None:
        run, aside = Run(record["experiment"]), record["aside"]
        told["run"] = record_of(run) if aside is None else kept_record(run, aside)
    checksums.save()
    yield json.dumps({"end": True, "skipped": skipped, "hollow": hollow, **told})
