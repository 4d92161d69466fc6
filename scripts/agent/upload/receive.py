"""Receives an upload: plans what is needed, takes it into a staging folder by checksum, then puts it into place.

What an upload put is kept in ~/.lambda-train/manifests/NAME.json. `root` relative: below the home folder.
"""

import gzip
import json
import os
import shutil
import sys
import tempfile

from base.batches import batches, in_threads
from base.checksum import sha256_of
from base.document import takes
from base.files import BASE, under_home
from base.locks import lock
from upload import place
from upload.entries import Lines, joined
from upload.uploads import Stored, foreign, is_file, manifest_path, staged_right, staging_of, status_of, unchanged


@takes(name=str, root=str, hash=str)
def same(name, root, hash):
    """Prints {"same": true} where the root holds exactly the manifest with this hash."""
    root = under_home(root)
    last = Stored(name, root)
    holds = last.hash == hash and not foreign(name, root) and os.path.isdir(root)
    print(json.dumps({"same": holds and sum(unchanged(root, record) for record in last.records()) == last.count}))


@takes(name=str, root=str)
def plan(name, root):
    """
    Reads a gzipped manifest, a line of facts and one for each entry; prints {"need": [[first, end]…]}: the entries whose
    content is not here yet, by number.
    """
    root = under_home(root)
    with received() as lines:
        # Not before: where the connection dies silently the manifest never comes, and nobody else would get the lock.
        lock(f"{name}.apply")
        facts = json.loads(next(lines))
        upcoming = Lines(manifest_path(name, ".next"))
        upcoming.write({**facts, "root": root})
        entries = map(json.loads, lines)
        # Nothing is kept of what is not an upload's, however alike: it goes once all has arrived.
        known = ((entry, None) for entry in entries) if foreign(name, root) else examined(name, root, entries)
        need = {}
        size = 0
        for number, (entry, kept) in enumerate(known):
            upcoming.write({**entry, "kept": kept})
            checksum = bytes.fromhex(entry["sha256"])
            if kept is None and is_file(entry) and checksum not in need:
                need[checksum] = number
                size += entry["size"]
        upcoming.finish()
    staging = staging_of(name)
    os.makedirs(staging, exist_ok=True)
    arrived = os.listdir(staging)
    for checksum, right in zip(arrived, in_threads(lambda c: bytes_of(c) in need and staged_right(name, c), arrived)):
        path = os.path.join(staging, checksum)
        if right:
            del need[bytes_of(checksum)]
            size -= os.path.getsize(path)
        else:
            os.unlink(path)
    require_space(staging, size)
    print(json.dumps({"need": ranges(sorted(need.values()))}))


def received():
    """The lines that come over standard input, once all of them have."""
    os.makedirs(os.path.join(BASE, "manifests"), exist_ok=True)
    spool = tempfile.TemporaryFile(dir=os.path.join(BASE, "manifests"))
    shutil.copyfileobj(sys.stdin.buffer, spool, 1 << 20)
    spool.seek(0)
    return gzip.open(spool, "rt", encoding="utf-8", newline="\n")


def bytes_of(checksum):
    """A checksum in half the memory; None for what is none."""
    try:
        return bytes.fromhex(checksum)
    except ValueError:
        return None


def ranges(numbers):
    """Ascending numbers as [first, end) of those that follow each other."""
    found = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1][1] += 1
        else:
            found.append([number, number + 1])
    return found


def examined(name, root, entries):
    """Pairs of an entry and, where it is in place already, its time."""

    # Of the right size, but not known from a finished upload: only the content tells.
    def holds(entry):
        return sha256_of(os.path.join(root, entry["path"])) == entry["sha256"]

    pairs = joined(entries, Stored(name, root).records())
    for some in batches(pair for pair in pairs if pair[0] is not None):
        looks = [look(root, entry, record) for entry, record in some]
        doubtful = [number for number, (_, sure) in enumerate(looks) if not sure]
        right = dict(zip(doubtful, in_threads(lambda number: holds(some[number][0]), doubtful)))
        for number, (moment, sure) in enumerate(looks):
            yield some[number][0], moment if sure or right[number] else None


def look(root, entry, record):
    """The time of what is in place of an entry, or None, and whether that is sure without its content."""
    if record is not None and entry.get("folder") and not record.get("folder"):
        return None, True
    info = status_of(root, entry)
    if info is None:
        return None, True
    known = record is not None and is_file(record) and record["sha256"] == entry["sha256"]
    return info.st_mtime_ns, not is_file(entry) or (known and info.st_mtime_ns == record["mtime"])


def require_space(folder, size):
    """Tar tells of a full disk only that it wrote less than it should."""
    free = shutil.disk_usage(folder).free
    if size > free:
        sys.exit(
            f"No space left on device: {size / 1e6:.1f} MB are to come and {free / 1e6:.1f} MB are free. Free space on "
            "the instance, or choose an instance type with a bigger disk."
        )


@takes(name=str)
def take(name):
    """Reads a gzipped tar of files named by their checksum into the staging folder."""
    lock(f"{name}.take", take_over=True)
    tar = shutil.which("tar")
    if tar is None:
        sys.exit("There is no tar on the instance: sudo apt-get install tar")
    # By this mark an instance that ends itself sees that something is being sent.
    mark = {**os.environ, "LAMBDA_TRAIN_UPLOAD": staging_of(name)}
    os.execve(tar, [tar, "-xzf", "-", "-C", staging_of(name), "--no-same-owner", "--no-same-permissions"], mark)


@takes(name=str, root=str)
def apply(name, root):
    """
    Checks and places what was planned, removes what an earlier upload had put and this one has not, or what the dataset
    step had put there; prints {"removed": n, "bad": n, "first": path}.
    """
    place.apply(name, under_home(root))


@takes(name=str, root=str)
def check(name, root):
    """Prints a line of evidence: are the uploaded files there?"""
    try:
        print(evidence(name, under_home(root)))
    except Missing as error:
        sys.exit(str(error))


class Missing(Exception):
    """What of an upload is not there."""


def evidence(name, root):
    """What is there of an upload, in words. @raises Missing"""
    last = Stored(name, root)
    if not last.known:
        raise Missing(f"no finished upload to {root}")
    count = files = size = 0
    missing, changed = [0, None], [0, None]
    for record in last.records():
        count += 1
        files += not record.get("folder")
        size += record["size"]
        if not unchanged(root, record):
            there = os.path.lexists(os.path.join(root, record["path"]))
            kind = changed if there else missing
            kind[0] += 1
            kind[1] = kind[1] or record["path"]
    if count != last.count:
        raise Missing(f"the manifest of the upload to {root} is damaged")
    if missing[0]:
        raise Missing(f"{missing[0]} of {last.count} files are missing from {root}, the first is {missing[1]}")
    note = f", {changed[0]} changed here since (the first: {changed[1]})" if changed[0] else ""
    return f"{files} files, {size / 1e6:.1f} MB{note}"
