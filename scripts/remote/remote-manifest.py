#!/usr/bin/env python3
"""Tells what is in folders on this instance, and sends files of it.

Usage:
  remote-manifest.py list [--written EXPERIMENT KEYS] AT PATH [AT PATH]...
      Prints one JSON object a line for each file, link and empty folder under the given places: path in its place, at
      where AT is not empty, size, sha256, executable, link where it is a symbolic link, folder where it is an empty one,
      held (bytes on the disk) where a file has holes, and id to ask for it. A place is a folder, or one file. A place that
      is not there is left out. Last line: {"end": true, "skipped": [path…], "hollow": [path…]}.
      --written: also what training wrote elsewhere (see written.py; KEYS: include and exclude as JSON), below beside/;
      the last line tells of it in "written".
      skipped: what cannot be opened. hollow: links that lead nowhere, or to a folder that holds them; they have no content.
  remote-manifest.py send
      Reads JSON lines [id, offset, size], writes a gzipped tar with one entry for each, named by its number in the input.
      A file that has got shorter is filled up with zeros, one that is gone is sent as "NUMBER.gone".
Paths relative to the home folder where they are not absolute. A name that is not UTF-8 is shown with \\xNN for its odd bytes.
Links are kept where they stay inside their place, otherwise what they lead to is listed. A file's size is the one at the
time of listing, and its checksum is of that many bytes: a log that grows stays a true prefix.
Exit codes: 0 done, 1 failed, 2 usage.
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
import tarfile
import time
import zlib
from pathlib import PurePath

import written
from transfer import BASE, in_threads, inside, read_json, sha256_of, under_home, write_json

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
    text = re.sub("[\udc80-\udcff]", lambda odd: f"\\x{ord(odd.group()) - 0xdc00:02x}", text)
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
            some = yield from self.walk("", holders(self.root))
            if not some and self.at:
                yield "", None, None
        elif os.path.isfile(self.root):
            yield "", os.stat(self.root), None

    def walk(self, relative, above):
        """Files, links and empty folders below a folder; `above`: real paths of it and of the folders that hold it."""
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
                    if inside(path, link):
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
                    if not (yield from self.walk(path, above | holders(real))):
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


def list_places(places, elsewhere):
    checksums = Checksums(places)
    skipped = []
    hollow = []
    out = sys.stdout
    for at, place in zip(places[::2], places[1::2]):
        listing = Listing(at, place, skipped, hollow)
        groups = tasks(listing.items())
        while True:
            batch = list(itertools.islice(groups, BATCH_FILES // TASK_FILES))
            if not batch:
                break
            done = in_threads(lambda group: [described(listing, item, checksums) for item in group], batch)
            for line in itertools.chain.from_iterable(done):
                if line is not None:
                    out.write(line + "\n")
    told = {}
    if elsewhere:
        items, unread, told["written"] = written.listing(*elsewhere, places[::2])
        skipped += [shown(name) for name in unread]
        for at, full, info, link in items:
            line = described(SingleFile(shown(at), full, skipped), ("", info, link), checksums)
            if line is not None:
                out.write(line + "\n")
    checksums.save()
    out.write(json.dumps({"end": True, "skipped": skipped, "hollow": hollow, **told}) + "\n")


class Exactly:
    """Reads exactly `size` bytes of a file from an offset on; zeros where it has fewer."""

    def __init__(self, file, size):
        self.file = file
        self.left = size

    def read(self, count):
        count = min(count, self.left)
        block = self.file.read(count)
        self.left -= count
        return block + bytes(count - len(block))


def gzip_level(requests):
    """1 where samples of the files shrink, 0 where they do not: compressing checkpoints is slower than the line."""
    total = sum(size for _, _, size in requests)
    sample = []
    passed = 0
    for name, offset, size in requests:
        passed += size
        if size > 0 and passed >= total * len(sample) / 24 and len(sample) < 24:
            try:
                with open(os.fsdecode(bytes.fromhex(name)), "rb") as file:
                    file.seek(offset)
                    sample.append(file.read(min(size, 65536)))
            except OSError:
                pass
    content = b"".join(sample)
    return 1 if len(zlib.compress(content, 1)) < len(content) * 0.92 else 0


def send():
    requests = [json.loads(line) for line in sys.stdin]
    level = gzip_level(requests)
    with gzip.GzipFile(fileobj=sys.stdout.buffer, mode="wb", compresslevel=level, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 18) as tar:
            tar.copybufsize = 1 << 20
            for number, (name, offset, size) in enumerate(requests):
                header = tarfile.TarInfo(str(number))
                try:
                    file = open(os.fsdecode(bytes.fromhex(name)), "rb")
                except OSError:
                    header.name += ".gone"
                    tar.addfile(header)
                    tar.members = []
                    continue
                with file:
                    file.seek(offset)
                    header.size = size
                    tar.addfile(header, Exactly(file, size))
                # It would remember every file that it has sent.
                tar.members = []


def main():
    mode, *rest = sys.argv[1:] or ["help"]
    # As deep as a path can be.
    sys.setrecursionlimit(10_000)
    elsewhere = rest[1:3] if rest[:1] == ["--written"] else []
    places = rest[3:] if elsewhere else rest
    if mode == "list" and places and len(places) % 2 == 0:
        list_places(places, elsewhere)
    elif mode == "send" and not rest:
        send()
    else:
        print(__doc__, file=sys.stderr)
        sys.exit(2)


main()
