#!/usr/bin/env python3
"""Tells what is in folders on this instance, and sends files of it.

Usage:
  remote-manifest.py list [--written EXPERIMENT KEYS] AT PATH [AT PATH]...
      Prints one JSON object a line for each file under the given places: path, size, sha256, executable, link where it is
      a symbolic link, and id to ask for it. A place is a folder, or one file; its files' paths begin with AT (empty: with
      nothing). A place that is not there is left out. Last line: {"end": true, "skipped": [path…], "hollow": [path…]}.
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
import json
import os
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


def shown(name):
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def holders(folder):
    """Paths of a folder and of all that it lies in."""
    return frozenset(map(str, (PurePath(folder), *PurePath(folder).parents)))


def walk(root, relative, above, found, skipped, hollow):
    """Lists files and links below a folder; `above`: real paths of it and of the folders that hold it."""
    with os.scandir(os.path.join(root, relative)) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = os.path.join(relative, entry.name)
            is_link = False
            try:
                is_link = entry.is_symlink()
                if is_link:
                    link = os.readlink(entry.path)
                    if link.startswith(root + "/"):
                        # Absolute, but within the folder: the same link in relative form.
                        link = os.path.relpath(link, os.path.dirname(entry.path))
                    if inside(path, link):
                        found.append((path, None, link))
                        continue
                info = entry.stat()
            except OSError as error:
                (hollow if is_link and error.errno in NOWHERE else skipped).append(path)
                continue
            if stat.S_ISDIR(info.st_mode):
                real = os.path.realpath(entry.path)
                if real in above:
                    hollow.append(path)
                else:
                    try:
                        walk(root, path, above | holders(real), found, skipped, hollow)
                    except FileNotFoundError:
                        pass  # Removed meanwhile, as old checkpoints are.
                    except OSError:
                        skipped.append(path)
            elif stat.S_ISREG(info.st_mode):
                found.append((path, info, None))


def list_places(places, elsewhere):
    cache_file = os.path.join(BASE, "hashes", hashlib.sha256("\0".join(places).encode()).hexdigest()[:32] + ".json")
    known = read_json(cache_file, {})
    fresh = {}
    skipped = []
    hollow = []
    now = time.time_ns()
    lines = []

    def named(at, path):
        return shown("/".join(part for part in (at, path) if part))

    def describe(item):
        root, at, path, info, link = item
        full = os.path.join(root, path) if path else root
        name = named(at, path)
        entry = {"path": name, "id": os.fsencode(full).hex()}
        if link is not None:
            raw = os.fsencode(link)
            entry.update(size=len(raw), sha256=hashlib.sha256(raw).hexdigest(), executable=False, link=shown(link))
            return entry
        key = f"{info.st_size}:{info.st_mtime_ns}:{info.st_ino}:{entry['id']}"
        try:
            checksum = known.get(key) or sha256_of(full, info.st_size)
        except OSError:
            skipped.append(name)
            return None
        if now - info.st_mtime_ns > SETTLED_NS:
            fresh[key] = checksum
        entry.update(size=info.st_size, sha256=checksum, executable=bool(info.st_mode & 0o100))
        return entry

    for at, place in zip(places[::2], places[1::2]):
        root = os.path.realpath(under_home(place))
        found, unread, empty = [], [], []
        if os.path.isdir(root):
            walk(root, "", holders(root), found, unread, empty)
        elif os.path.isfile(root):
            found.append(("", os.stat(root), None))
        skipped += [named(at, path) for path in unread]
        hollow += [named(at, path) for path in empty]
        lines += in_threads(describe, [(root, at, path, info, link) for path, info, link in found])
    told = {}
    if elsewhere:
        items, unread, told["written"] = written.listing(*elsewhere, places[::2])
        lines += in_threads(describe, [(full, at, "", info, link) for at, full, info, link in items])
        skipped += [shown(name) for name in unread]
    out = sys.stdout
    for entry in lines:
        if entry is not None:
            out.write(json.dumps(entry) + "\n")
    if fresh != known:
        try:
            write_json(cache_file, fresh)
        except OSError:
            pass  # The disk is full: the next listing reads more, this one is as good.
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
                    continue
                with file:
                    file.seek(offset)
                    header.size = size
                    tar.addfile(header, Exactly(file, size))


def main():
    mode, *rest = sys.argv[1:] or ["help"]
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
