"""Tells what is in folders on this instance.

Paths relative to the home folder where they are not absolute. A name that is not UTF-8 is shown with \\xNN for its odd bytes.
Links are kept where they stay inside their place, otherwise what they lead to is listed. A file's size is the one at the
time of listing, and its checksum is of that many bytes: a log that grows stays a true prefix.
"""

import errno
import hashlib
import itertools
import os
import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath

from base.checksum import sha256_of
from base.files import BASE, inside, read_json, try_write_json, under_home
from results import written
from results.record import kept_record, record_of
from run.state import Run

SETTLED_NS = 2_000_000_000
NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
EMPTY = hashlib.sha256(b"").hexdigest()
LONGEST_NAME = 255
THREADS = min(16, (os.cpu_count() or 1) * 2)
# How much one thread takes at once, and how many of these are one list.
TASK_FILES = 64
TASK_BYTES = 1 << 20
BATCH_TASKS = 16
# Small files are read one after another, since threads take more time from each other than they save; unless one takes
# so many seconds that it must come from a disk, or over a network.
SLOW = 1e-4
# The content of a file of so many bytes is kept until it is asked for; one of more bytes than these is not read before.
KEPT = 64 << 10
HASHED = 4 << 20
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
            path = f"{relative}/{entry.name}" if relative else entry.name
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


class Checksums:
    """Checksums of files that have not changed since the last listing of the same places."""

    def __init__(self, places):
        name = hashlib.sha256("\0".join(places).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self.file = os.path.join(BASE, "hashes", f"{name}.json")
        self.known = read_json(self.file, {})
        self.fresh = {}
        self.changed = False
        self.now = time.time_ns()

    def get(self, key):
        checksum = self.fresh.get(key) or self.known.pop(key, None)
        if checksum is not None:
            self.fresh[key] = checksum
        return checksum

    def put(self, key, checksum, mtime):
        self.changed = True
        if self.now - mtime > SETTLED_NS:
            self.fresh[key] = checksum

    def save(self):
        if self.changed or self.known:
            try_write_json(self.file, self.fresh)


class Item:
    """What was listed of one file, link or folder: its entry, and what it takes to send it."""

    __slots__ = ("at", "content", "entry", "full", "key", "known", "mtime", "path", "size")

    def __init__(self, at, path, entry, full, info):
        self.at, self.path, self.entry, self.full = at, path, entry, full
        self.content = None
        self.known = True
        if info is not None:
            self.size, self.mtime = info.st_size, info.st_mtime_ns
            self.key = key_of(full, info) if info.st_size > KEPT else None


def key_of(full, info):
    """Tells the content of a file from that of others, and from what it was before."""
    facts = f"{info.st_size}:{info.st_mtime_ns}:{info.st_ino}:".encode() + os.fsencode(full)
    return hashlib.blake2b(facts, digest_size=16).hexdigest()


def tasks(items):
    """Items in groups for one thread each: many small files, or a large one."""
    group, size = [], 0
    for item in items:
        group.append(item)
        size += item[2].st_size if item[2] is not None else 0
        if len(group) >= TASK_FILES or size >= TASK_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


class Places:
    """
    All that is listed, a list of items at a time. An entry: path in its place, at where that is not empty, size,
    executable, mtime (of a file, in ms since the epoch), link where it is a symbolic link, folder where it is an empty one, held (bytes on the disk) where a file has
    holes. sha256: not of a large file whose checksum is not known; key: tells content of one from other content.
    """

    def __init__(self, places, elsewhere, record):
        self.places, self.elsewhere, self.record = places, elsewhere, record
        self.checksums = Checksums([word for place in places for word in (place["at"], place["path"])])
        self.skipped = []
        self.hollow = []
        self.told = {}
        self.pool = ThreadPoolExecutor(THREADS)
        self.slow = False

    def lists(self):
        groups = tasks(self.found())
        some = self.begin(groups)
        while some:
            # These are read while those before them are on their way.
            more = self.begin(groups)
            yield [item for group in some for item in group.result() if item is not None]
            some = more

    def begin(self, groups):
        """Starts to read what is one list."""
        some = list(itertools.islice(groups, BATCH_TASKS))
        if not self.slow and all(len(group) == TASK_FILES for group in some):
            some = [[each for group in some for each in group]] if some else []
        return [self.pool.submit(self.described_all, group) for group in some]

    def described_all(self, group):
        began = time.monotonic()
        items = [self.described(*each) for each in group]
        self.slow = self.slow or (len(group) > TASK_FILES and time.monotonic() - began > SLOW * len(group))
        return items

    def found(self):
        """Where it is listed, the path to show, facts of a file, target of a link, and the full path."""
        for place in self.places:
            listing = Listing(place["at"], place["path"], self.skipped, self.hollow)
            for path, info, link in listing.items():
                yield place["at"], path, info, link, f"{listing.root}/{path}" if path else listing.root
        if self.elsewhere is not None:
            ats = [place["at"] for place in self.places]
            items, unread, self.told["written"] = written.listing(self.elsewhere["experiment"], self.elsewhere["keys"], ats)
            self.skipped += [shown(name) for name in unread]
            for at, full, info, link in items:
                yield shown(at), "", info, link, full

    def described(self, at, path, info, link, full):
        """An item, or None where a file cannot be opened."""
        entry = {"path": shown(path), "size": 0, "sha256": EMPTY, "executable": False}
        item = Item(at, path, entry, full, info)
        if at:
            entry["at"] = at
        if link is not None:
            entry["link"] = shown(link)
        elif info is None:
            entry["folder"] = True
        else:
            entry.update(size=info.st_size, executable=bool(info.st_mode & 0o100), mtime=info.st_mtime_ns // 1_000_000)
            held = info.st_blocks * 512
            if held + HOLES < info.st_size:
                entry["held"] = held
            try:
                self.read(item)
            except OSError:
                return self.skip(item)
        return item

    def read(self, item):
        """Reads as much of a file as its entry needs."""
        if item.size <= KEPT:
            file = os.open(item.full, os.O_RDONLY)
            try:
                item.content = os.read(file, item.size)
            finally:
                os.close(file)
            item.entry["size"] = item.size = len(item.content)
            item.entry["sha256"] = hashlib.sha256(item.content).hexdigest()
            return
        checksum = self.checksums.get(item.key)
        if checksum is None and item.size <= HASHED:
            checksum = sha256_of(item.full, item.size)
            self.checksums.put(item.key, checksum, item.mtime)
        elif checksum is None:
            with open(item.full, "rb"):
                item.known = False
        if item.known:
            item.entry["sha256"] = checksum
        else:
            del item.entry["sha256"]
        item.entry["key"] = item.key

    def skip(self, item):
        self.skipped.append(named(item.at, item.path))

    def with_checksum(self, item, known):
        """The same item, with its checksum; None where it cannot be read any more."""
        try:
            self.learned(item, bytes.fromhex(known.result()))
        except OSError:
            return self.skip(item)
        return item

    def learned(self, item, digest):
        """Notes the checksum of an item's content."""
        item.known, item.entry["sha256"] = True, digest.hex()
        self.checksums.put(item.key, digest.hex(), item.mtime)
        return digest

    def end(self):
        """
        What is told at the end. skipped: what cannot be opened. hollow: links that lead nowhere, or to a folder that holds
        them; they have no content.
        """
        self.checksums.save()
        if self.record is not None:
            run, aside = Run(self.record["experiment"]), self.record["aside"]
            self.told["run"] = record_of(run) if aside is None else kept_record(run, aside)
        return {"skipped": self.skipped, "hollow": self.hollow, **self.told}
