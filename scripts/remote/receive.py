#!/usr/bin/env python3
"""Receives an upload: plans what is needed, takes it into a staging folder by checksum, then puts it into place.

Usage:
  receive.py same NAME ROOT HASH  prints {"same": true} where ROOT holds exactly the manifest with this hash
  receive.py plan NAME ROOT       reads a gzipped manifest, prints {"need": [checksum…]}: content that is not here yet
  receive.py take NAME            reads a gzipped tar of files named by their checksum into the staging folder
  receive.py apply NAME ROOT      checks and places what was planned, removes what an earlier upload had put and this one
                                  has not, or what extract.sh had put there; prints {"removed": n, "bad": [checksum…]}
  receive.py check NAME ROOT      a line of evidence: are the uploaded files there?
ROOT relative: below the home folder. What an upload put is kept in ~/.lambda-train/manifests/NAME.json.
Exit codes: 0 done, 1 failed (reason on stderr), 2 usage.
"""
import gzip
import json
import os
import shutil
import sys

from place import apply
from transfer import in_threads, lock, sha256_of, under_home, write_json
from uploads import foreign, manifest_path, record_of, staged_right, staging_of, stored, unchanged


def same(name, root, wanted):
    last = stored(name, root)
    files = last.get("files", {})
    known = last.get("hash") == wanted and not foreign(name, root)
    holds = known and all(unchanged(root, path, record) for path, record in files.items())
    print(json.dumps({"same": holds and os.path.isdir(root)}))


def plan(name, root):
    with gzip.open(sys.stdin.buffer) as stream:
        wanted = json.load(stream)
    # Not before: where the connection dies silently the manifest never comes, and nobody else would get the lock.
    lock(f"{name}.apply")
    # Nothing is kept of what is not an upload's, however alike: it goes once all has arrived.
    kept = {} if foreign(name, root) else kept_of(name, root, wanted["files"])
    need = {e["sha256"] for e in wanted["files"] if e["path"] not in kept and e.get("link") is None}
    staging = staging_of(name)
    os.makedirs(staging, exist_ok=True)
    arrived = os.listdir(staging)
    for checksum, right in zip(arrived, in_threads(lambda c: c in need and staged_right(name, c), arrived)):
        if right:
            need.discard(checksum)
        else:
            os.unlink(os.path.join(staging, checksum))
    require_space(staging, sum({e["sha256"]: e["size"] for e in wanted["files"] if e["sha256"] in need}.values()))
    wanted["kept"] = kept
    wanted["root"] = root
    write_json(manifest_path(name, ".next"), wanted)
    print(json.dumps({"need": sorted(need)}))


def kept_of(name, root, files):
    """Which of the files are in place already, path -> mtime_ns."""
    records = stored(name, root).get("files", {})
    doubtful = []
    kept = {}
    for entry in files:
        path = entry["path"]
        record = records.get(path)
        if record is not None and record[2] == entry["sha256"] and record[4] == entry.get("link"):
            if unchanged(root, path, record):
                kept[path] = record[1]
                continue
        info = record_of(root, path, entry)
        if info is None:
            continue
        if entry.get("link") is not None:
            if os.readlink(os.path.join(root, path)) == entry["link"]:
                kept[path] = info.st_mtime_ns
        elif info.st_size == entry["size"]:
            doubtful.append((entry, info.st_mtime_ns))

    # Of the right size, but not known from a finished upload: only the content tells.
    def holds(item):
        entry, mtime = item
        return sha256_of(os.path.join(root, entry["path"])) == entry["sha256"]

    for (entry, mtime), right in zip(doubtful, in_threads(holds, doubtful)):
        if right:
            kept[entry["path"]] = mtime
    return kept


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
    files = stored(name, root).get("files")
    if files is None:
        sys.exit(f"no finished upload to {root}")
    missing = [path for path in files if not os.path.lexists(os.path.join(root, path))]
    if missing:
        sys.exit(f"{len(missing)} of {len(files)} files are missing from {root}, the first is {missing[0]}")
    changed = [path for path, record in files.items() if not unchanged(root, path, record)]
    note = f", {len(changed)} changed here since (the first: {changed[0]})" if changed else ""
    print(f"{len(files)} files, {sum(record[0] for record in files.values()) / 1e6:.1f} MB{note}")


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
