#!/usr/bin/env python3
"""Receives an upload: plans what is needed, takes it into a staging folder by checksum, then puts it into place.

Usage:
  receive.py same NAME ROOT HASH  prints {"same": true} where ROOT holds exactly the manifest with this hash
  receive.py plan NAME ROOT       reads a gzipped manifest, a line of facts and one for each entry; prints
                                  {"need": [[first, end]…]}: the entries whose content is not here yet, by number
  receive.py take NAME            reads a gzipped tar of files named by their checksum into the staging folder
  receive.py apply NAME ROOT      checks and places what was planned, removes what an earlier upload had put and this one
                                  has not, or what extract.sh had put there; prints {"removed": n, "bad": n, "first": path}
  receive.py check NAME ROOT      a line of evidence: are the uploaded files there?
ROOT relative: below the home folder. What an upload put is kept in ~/.lambda-train/manifests/NAME.json.
Exit codes: 0 done, 1 failed (reason on stderr), 2 usage.
"""
import gzip
import json
import os
import shutil
import sys
import tempfile

from entries import Lines, joined
from place import apply
from transfer import BASE, batches, in_threads, lock, sha256_of, under_home
from uploads import Stored, foreign, is_file, manifest_path, staged_right, staging_of, status_of, unchanged


def same(name, root, wanted):
    last = Stored(name, root)
    holds = last.hash == wanted and not foreign(name, root) and os.path.isdir(root)
    print(json.dumps({"same": holds and sum(unchanged(root, record) for record in last.records()) == last.count}))


def plan(name, root):
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


def take(name):
    lock(f"{name}.take", take_over=True)
    tar = shutil.which("tar")
    if tar is None:
        sys.exit("There is no tar on the instance: sudo apt-get install tar")
    # By this mark self-terminate.py sees that something is being sent.
    mark = {**os.environ, "LAMBDA_TRAIN_UPLOAD": staging_of(name)}
    os.execve(tar, [tar, "-xzf", "-", "-C", staging_of(name), "--no-same-owner", "--no-same-permissions"], mark)


def check(name, root):
    last = Stored(name, root)
    if not last.known:
        sys.exit(f"no finished upload to {root}")
    seen = files = size = 0
    missing, changed = [0, None], [0, None]
    for seen, record in enumerate(last.records(), 1):
        files += not record.get("folder")
        size += record["size"]
        if not unchanged(root, record):
            there = os.path.lexists(os.path.join(root, record["path"]))
            count = changed if there else missing
            count[0] += 1
            count[1] = count[1] or record["path"]
    if seen != last.count:
        sys.exit(f"the manifest of the upload to {root} is damaged")
    if missing[0]:
        sys.exit(f"{missing[0]} of {last.count} files are missing from {root}, the first is {missing[1]}")
    note = f", {changed[0]} changed here since (the first: {changed[1]})" if changed[0] else ""
    print(f"{files} files, {size / 1e6:.1f} MB{note}")


def main():
    mode, *rest = sys.argv[1:] or ["help"]
    try:
        if mode == "same" and len(rest) == 3:
            same(rest[0], under_home(rest[1]), rest[2])
        elif mode in ("plan", "apply", "check") and len(rest) == 2:
            {"plan": plan, "apply": apply, "check": check}[mode](rest[0], under_home(rest[1]))
        elif mode == "take" and len(rest) == 1:
            take(rest[0])
        else:
            print(__doc__, file=sys.stderr)
            sys.exit(2)
    except OSError as error:
        sys.exit(f"{error.strerror}: {error.filename}" if error.filename else error.strerror)


main()
