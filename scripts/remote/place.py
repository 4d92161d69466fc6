"""Puts an upload that has arrived into place; for receive.py."""
import json
import os
import shutil
import sys

from times import Times, mtime_of
from transfer import in_threads, lock, read_json, write_json
from uploads import clear, foreign, manifest_path, record_of, staged_right, staging_of, stored, unlink_if_there


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
    # Also where it became so after the planning: then all must arrive first, and what lies there stays until then.
    others = foreign(name, root)
    kept = {} if others else wanted["kept"]
    todo = [entry for entry in wanted["files"] if not still_kept(root, entry, kept)]
    missing = {e["sha256"] for e in todo if e.get("link") is None} - set(staged).difference(bad)
    if missing:
        print(json.dumps({"removed": 0, "bad": sorted(missing)}))
        return
    if others:
        clear(name, root)
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
    times = Times(stored(name, root).get("latest", 0))
    for entry in todo:
        place(root, staging, entry, left, times)
    touch_kept(root, wanted["files"], todo, times)
    finish(name, root, wanted, times)
    times.pass_by()
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


def place(root, staging, entry, left, times):
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
    old = mtime_of(path)
    if left[checksum] == 0:
        try:
            ready(source, entry, old, times)
            os.replace(source, path)
            return
        except OSError:
            pass  # Another file system: copy.
    shutil.copyfile(source, temporary)
    ready(temporary, entry, old, times)
    os.replace(temporary, path)


def ready(path, entry, old, times):
    os.chmod(path, 0o755 if entry["executable"] else 0o644)
    times.give(path, old)


def touch_kept(root, files, todo, times):
    """
    Gives new times to files that stay: where a link to them is another one now, what is read there has changed. And to
    those that earlier releases had placed without a time.
    """
    led_to = [os.path.realpath(os.path.join(root, entry["path"])) for entry in todo if entry.get("link") is not None]
    placed = {entry["path"] for entry in todo}
    top = os.path.realpath(root)
    for entry in files:
        if entry["path"] in placed or entry.get("link") is not None:
            continue
        path = os.path.join(top, entry["path"])
        old = mtime_of(path)
        if old == 0 or any(path == place or path.startswith(place + "/") for place in led_to):
            times.give(path, old)


def finish(name, root, wanted, times):
    files = {}
    for entry in wanted["files"]:
        full = os.path.join(root, entry["path"])
        link = entry.get("link")
        if link is None and bool(os.stat(full).st_mode & 0o100) != entry["executable"]:
            os.chmod(full, 0o755 if entry["executable"] else 0o644)
        info = os.lstat(full)
        files[entry["path"]] = [info.st_size, info.st_mtime_ns, entry["sha256"], entry["executable"], link]
    write_json(manifest_path(name), {"root": root, "hash": wanted["hash"], "latest": times.latest, "files": files})
    for kind in (".owned", ".next"):
        unlink_if_there(manifest_path(name, kind))
