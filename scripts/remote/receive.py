#!/usr/bin/env python3
"""Receives an upload: plans what is needed, takes it into a staging folder by checksum, then puts it into place.

Usage:
  receive.py same NAME ROOT HASH  prints {"same": true} where ROOT holds exactly the manifest with this hash
  receive.py plan NAME ROOT       reads a gzipped manifest, prints {"need": [checksum…]}: content that is not here yet
  receive.py take NAME            reads a gzipped tar of files named by their checksum into the staging folder
  receive.py apply NAME ROOT      checks and places what was planned, removes what an earlier upload had put and this one
                                  has not, prints {"removed": n, "bad": [checksum…]}
  receive.py check NAME ROOT      a line of evidence: are the uploaded files there?
  receive.py size FILE            prints the bytes of FILE that have arrived, and whether it is complete
  receive.py append FILE OFFSET SIZE SHA256  reads the rest of FILE from OFFSET on and completes it
ROOT and FILE relative: below the home folder. What an upload put is kept in ~/.lambda-train/manifests/NAME.json.
Exit codes: 0 done, 1 failed (reason on stderr), 2 usage.
"""
import gzip
import json
import os
import shutil
import stat
import sys

from transfer import BASE, in_threads, lock, read_json, sha256_of, under_home, write_json


def manifest_path(name, kind=""):
    return os.path.join(BASE, "manifests", f"{name}{kind}.json")


def staging_of(name):
    return os.path.join(BASE, "staging", name)


def stored(name, root):
    """What the last complete upload put, path -> [size, mtime_ns, sha256, executable, link]."""
    value = read_json(manifest_path(name), {})
    return value if value.get("root") == root else {}


def record_of(root, path, entry):
    """The record of a file in place as it is now, without its checksum; None where it is not there."""
    try:
        info = os.lstat(os.path.join(root, path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    link = stat.S_ISLNK(info.st_mode)
    if link != (entry.get("link") is not None) or not (link or stat.S_ISREG(info.st_mode)):
        return None
    return info


def unchanged(root, path, record):
    """True where a file is as the last upload left it, told by size and modification time."""
    size, mtime, _, _, link = record
    full = os.path.join(root, path)
    try:
        info = os.lstat(full)
        if link is not None:
            return stat.S_ISLNK(info.st_mode) and os.readlink(full) == link
        return stat.S_ISREG(info.st_mode) and info.st_size == size and info.st_mtime_ns == mtime
    except (FileNotFoundError, NotADirectoryError):
        return False


def same(name, root, wanted):
    last = stored(name, root)
    files = last.get("files", {})
    holds = last.get("hash") == wanted and all(unchanged(root, path, record) for path, record in files.items())
    print(json.dumps({"same": holds and os.path.isdir(root)}))


def plan(name, root):
    lock(f"{name}.apply")
    with gzip.open(sys.stdin.buffer) as stream:
        wanted = json.load(stream)
    records = stored(name, root).get("files", {})
    doubtful = []
    kept = {}
    for entry in wanted["files"]:
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
    need = {e["sha256"] for e in wanted["files"] if e["path"] not in kept and e.get("link") is None}
    staging = staging_of(name)
    os.makedirs(staging, exist_ok=True)
    arrived = os.listdir(staging)
    for checksum, right in zip(arrived, in_threads(lambda c: c in need and staged_right(name, c), arrived)):
        if right:
            need.discard(checksum)
        else:
            os.unlink(os.path.join(staging, checksum))
    wanted["kept"] = kept
    wanted["root"] = root
    write_json(manifest_path(name, ".next"), wanted)
    print(json.dumps({"need": sorted(need)}))


def staged_right(name, checksum):
    return sha256_of(os.path.join(staging_of(name), checksum)) == checksum


def take(name):
    lock(f"{name}.take", take_over=True)
    tar = shutil.which("tar")
    if tar is None:
        sys.exit("There is no tar on the instance: sudo apt-get install tar")
    os.execv(tar, [tar, "-xzf", "-", "-C", staging_of(name), "--no-same-owner", "--no-same-permissions"])


def apply(name, root):
    lock(f"{name}.apply")
    lock(f"{name}.take", take_over=True)
    wanted = read_json(manifest_path(name, ".next"), None)
    if wanted is None or wanted["root"] != root:
        sys.exit(f"No upload of {name} was planned.")
    staging = staging_of(name)
    staged = os.listdir(staging)
    bad = [checksum for checksum, right in zip(staged, in_threads(lambda c: staged_right(name, c), staged)) if not right]
    for checksum in bad:
        os.unlink(os.path.join(staging, checksum))
    todo = [entry for entry in wanted["files"] if not still_kept(root, entry, wanted["kept"])]
    missing = {e["sha256"] for e in todo if e.get("link") is None} - set(staged).difference(bad)
    if missing:
        print(json.dumps({"removed": 0, "bad": sorted(missing)}))
        return
    owned = set(stored(name, root).get("files", {})) | set(read_json(manifest_path(name, ".owned"), []))
    paths = {entry["path"] for entry in wanted["files"]}
    # Before the first file is placed: an apply that is cut must not leave files that nobody knows to be ours.
    write_json(manifest_path(name, ".owned"), sorted(owned | paths))
    removed = remove(root, sorted(owned - paths, reverse=True), wanted["protected"])
    left = {}
    for entry in todo:
        if entry.get("link") is None:
            left[entry["sha256"]] = left.get(entry["sha256"], 0) + 1
    os.makedirs(root, exist_ok=True)
    for entry in todo:
        place(root, staging, entry, left)
    finish(name, root, wanted)
    shutil.rmtree(staging, ignore_errors=True)
    print(json.dumps({"removed": removed, "bad": []}))


def still_kept(root, entry, kept):
    info = record_of(root, entry["path"], entry) if entry["path"] in kept else None
    return info is not None and info.st_mtime_ns == kept[entry["path"]]


def remove(root, paths, protected):
    """Removes files that an earlier upload had put, and the folders that this empties."""
    count = 0
    for path in paths:
        if any(path == folder or path.startswith(folder + "/") for folder in protected):
            continue
        full = os.path.join(root, path)
        try:
            os.unlink(full)
            count += 1
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (IsADirectoryError, PermissionError):
            if not os.path.isdir(full):
                raise
        folder = os.path.dirname(path)
        while folder:
            try:
                os.rmdir(os.path.join(root, folder))
            except OSError:
                break
            folder = os.path.dirname(folder)
    return count


def place(root, staging, entry, left):
    path = os.path.join(root, entry["path"])
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        sys.exit(f"{os.path.dirname(path)} on the instance is a file, but the upload has a folder there; move it away.")
    if os.path.isdir(path) and not os.path.islink(path):
        try:
            os.rmdir(path)
        except OSError:
            sys.exit(f"{path} on the instance is a folder with files that were not uploaded, but the upload has a file of "
                     "that name; move them away.")
    temporary = os.path.join(os.path.dirname(path), f".lambda-train-{os.getpid()}")
    if entry.get("link") is not None:
        os.symlink(entry["link"], temporary)
        os.replace(temporary, path)
        return
    checksum = entry["sha256"]
    source = os.path.join(staging, checksum)
    left[checksum] -= 1
    os.chmod(source, 0o755 if entry["executable"] else 0o644)
    if left[checksum] == 0:
        try:
            os.replace(source, path)
            return
        except OSError:
            pass  # Another file system: copy.
    shutil.copy(source, temporary)
    os.replace(temporary, path)


def finish(name, root, wanted):
    files = {}
    for entry in wanted["files"]:
        full = os.path.join(root, entry["path"])
        link = entry.get("link")
        if link is None and bool(os.stat(full).st_mode & 0o100) != entry["executable"]:
            os.chmod(full, 0o755 if entry["executable"] else 0o644)
        info = os.lstat(full)
        files[entry["path"]] = [info.st_size, info.st_mtime_ns, entry["sha256"], entry["executable"], link]
    write_json(manifest_path(name), {"root": root, "hash": wanted["hash"], "files": files})
    for kind in (".owned", ".next"):
        if os.path.exists(manifest_path(name, kind)):
            os.unlink(manifest_path(name, kind))


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


def size(path):
    lock(lock_name(path), take_over=True)
    part = path + ".part"
    if os.path.exists(path):
        print(json.dumps({"complete": True, "sha256": sha256_of(path), "size": os.path.getsize(path)}))
    else:
        print(json.dumps({"complete": False, "size": os.path.getsize(part) if os.path.exists(part) else 0}))


def append(path, offset, total, checksum):
    lock(lock_name(path), take_over=True)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = path + ".part"
    # Unbuffered: what has arrived when the connection breaks is there for the next try.
    with open(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as file:
        file.truncate(offset)
        file.seek(offset)
        arrived = offset
        while True:
            block = memoryview(os.read(0, 1 << 20))
            if not block:
                break
            while block:
                written = file.write(block)
                arrived += written
                block = block[written:]
        os.fsync(file.fileno())
    if arrived < total:
        sys.exit(f"only {arrived} of {total} bytes arrived")
    right = arrived == total and sha256_of(part) == checksum
    if right:
        os.replace(part, path)
    else:
        os.unlink(part)
    print(json.dumps({"right": right}))


def lock_name(path):
    return "archive-" + path.replace("/", "-")[-100:]


def main():
    mode, *rest = sys.argv[1:] or ["help"]
    try:
        if mode == "same" and len(rest) == 3:
            same(rest[0], under_home(rest[1]), rest[2])
        elif mode in ("plan", "apply", "check") and len(rest) == 2:
            {"plan": plan, "apply": apply, "check": check}[mode](rest[0], under_home(rest[1]))
        elif mode == "take" and len(rest) == 1:
            take(rest[0])
        elif mode == "size" and len(rest) == 1:
            size(under_home(rest[0]))
        elif mode == "append" and len(rest) == 4:
            append(under_home(rest[0]), int(rest[1]), int(rest[2]), rest[3])
        else:
            print(__doc__, file=sys.stderr)
            sys.exit(2)
    except OSError as error:
        sys.exit(f"{error.strerror}: {error.filename or ''}")


main()
