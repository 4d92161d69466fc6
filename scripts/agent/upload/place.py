"""Puts an upload that has arrived into place."""

import json
import os
import shutil
import sys

from base.batches import batches, in_threads
from base.files import unlink_if_there
from base.locks import lock
from upload.entries import Lines, joined, read_lines
from upload.times import Times, mtime_of
from upload.uploads import Stored, clear, foreign, is_file, manifest_path, staged_right, staging_of, status_of


def apply(name, root):
    lock(f"{name}.apply")
    lock(f"{name}.take", take_over=True)
    facts = next(read_lines(manifest_path(name, ".next")), {})
    if facts.get("root") != root:
        sys.exit(f"No upload of {name} was planned.")
    upload = Upload(name, root, facts)
    if upload.bad:
        print(json.dumps({"removed": 0, "bad": len(upload.bad), "first": upload.bad[0]}))
        return
    removed = upload.place()
    shutil.rmtree(staging_of(name), ignore_errors=True)
    print(json.dumps({"removed": removed, "bad": 0}))


class Upload:
    """What was planned, compared with what has arrived. `bad`: paths whose content has not, or not as it should."""

    def __init__(self, name, root, facts):
        self.name, self.root, self.facts = name, root, facts
        # Also where it became so after the planning: then all must arrive first, and what lies there stays until then.
        self.others = foreign(name, root)
        self.stored = Stored(name, root)
        self.bad = []
        # Which entries, by number, are to be placed.
        self.todo = bytearray()
        # How often each content is to be placed.
        self.left = {}
        # Paths that an upload may have put there and this one does not, and whether they are empty folders.
        self.gone = {}
        if not self.others:
            self.gone = dict.fromkeys(owned(name), False)
        # Before the first file is placed: an apply that is cut must not leave files that nobody knows to be ours.
        self.owned = Lines(manifest_path(name, ".owned"))
        for path in self.gone:
            self.owned.write(path)
        records = iter(()) if self.others else self.stored.records()
        for some in batches(joined(self.entries(), records)):
            self.compare(some)
        if self.bad:
            self.owned.discard()

    def entries(self):
        lines = read_lines(manifest_path(self.name, ".next"))
        next(lines)
        return lines

    def compare(self, pairs):
        unseen = {}
        for entry, record in pairs:
            if entry is None:
                self.gone[record["path"]] = bool(record.get("folder"))
                continue
            path = entry["path"]
            self.gone.pop(path, None)
            if record is None:
                self.owned.write(path)
            elif entry.get("folder") and not record.get("folder"):
                self.gone[path] = False
            placing = self.others or not still_kept(self.root, entry)
            self.todo.append(placing)
            if placing and is_file(entry):
                checksum = bytes.fromhex(entry["sha256"])
                if checksum not in self.left:
                    unseen[entry["sha256"]] = path
                self.left[checksum] = self.left.get(checksum, 0) + 1
        for checksum, right in zip(unseen, in_threads(lambda c: staged_right(self.name, c), unseen)):
            if not right:
                self.bad.append(unseen[checksum])
                unlink_if_there(os.path.join(staging_of(self.name), checksum))

    def place(self):
        """Puts everything into its place. Gives the number of files removed."""
        if self.others:
            clear(self.name, self.root)
        self.owned.finish()
        removed = remove(self.root, self.gone, self.facts["protected"])
        os.makedirs(self.root, exist_ok=True)
        times = Times(self.stored.latest)
        led_to = []
        for number, entry in enumerate(self.entries()):
            # A folder that was there may have gone with the last file in it.
            if self.todo[number] or entry.get("folder"):
                put(self.root, staging_of(self.name), entry, self.left, times)
                if entry.get("link") is not None:
                    led_to.append(os.path.realpath(os.path.join(self.root, entry["path"])))
        self.finish(times, led_to)
        times.pass_by()
        return removed

    def finish(self, times, led_to):
        """
        Writes down what is there now. Files that stay get new times where a link to them is another one now, since what
        is read there has changed, and where an earlier release had placed them without a time.
        """
        # The facts come first and are known last.
        records = Lines(manifest_path(self.name, ".records"))
        top = os.path.realpath(self.root)
        count = 0
        for count, entry in enumerate(self.entries(), 1):
            del entry["kept"]
            path = os.path.join(top, entry["path"])
            if is_file(entry):
                info = os.lstat(path)
                if bool(info.st_mode & 0o100) != entry["executable"]:
                    os.chmod(path, mode_of(entry))
                turned = any(path == place or path.startswith(place + "/") for place in led_to)
                if not self.todo[count - 1] and (turned or info.st_mtime_ns == 0):
                    times.give(path, info.st_mtime_ns)
                    info = os.lstat(path)
                entry["mtime"] = info.st_mtime_ns
            records.write(entry)
        records.finish()
        manifest = Lines(manifest_path(self.name))
        manifest.write({"root": self.root, "hash": self.facts["hash"], "latest": times.latest, "count": count})
        with open(records.path, encoding="utf-8") as lines:
            shutil.copyfileobj(lines, manifest.file, 1 << 20)
        manifest.finish()
        for kind in (".owned", ".next", ".records"):
            unlink_if_there(manifest_path(self.name, kind))


def owned(name):
    """Paths that an apply has put, or was about to put, before it was cut."""
    for value in read_lines(manifest_path(name, ".owned")):
        # Earlier releases wrote one list.
        yield from value if isinstance(value, list) else [value]


def still_kept(root, entry):
    info = status_of(root, entry) if entry["kept"] is not None else None
    return info is not None and (not is_file(entry) or info.st_mtime_ns == entry["kept"])


def remove(root, paths, protected):
    """Removes files that an earlier upload had put, and the folders that this empties or that were put empty."""
    count = 0
    for path in sorted(paths, reverse=True):
        if any(path == folder or path.startswith(folder + "/") for folder in protected):
            continue
        folder = path
        if not paths[path]:
            folder = os.path.dirname(path)
            full = os.path.join(root, path)
            try:
                os.unlink(full)
                count += 1
            except (FileNotFoundError, NotADirectoryError):
                pass
            except (IsADirectoryError, PermissionError):
                if not os.path.isdir(full):
                    raise
        while folder:
            try:
                os.rmdir(os.path.join(root, folder))
            except OSError:
                break
            folder = os.path.dirname(folder)
    return count


def put(root, staging, entry, left, times):
    path = os.path.join(root, entry["path"])
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        sys.exit(f"{os.path.dirname(path)} on the instance is a file, but the upload has a folder there; move it away.")
    if entry.get("folder"):
        if os.path.lexists(path) and not os.path.isdir(path):
            os.unlink(path)
        os.makedirs(path, exist_ok=True)
        return
    if os.path.isdir(path) and not os.path.islink(path):
        try:
            os.rmdir(path)
        except OSError:
            sys.exit(
                f"{path} on the instance is a folder with files that were not uploaded, but the upload has a file of "
                "that name; move them away."
            )
    temporary = os.path.join(os.path.dirname(path), f".lambda-train-{os.getpid()}")
    if entry.get("link") is not None:
        os.symlink(entry["link"], temporary)
        os.replace(temporary, path)
        return
    source = os.path.join(staging, entry["sha256"])
    checksum = bytes.fromhex(entry["sha256"])
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
    os.chmod(path, mode_of(entry))
    times.give(path, old)


def mode_of(entry):
    return 0o755 if entry["executable"] else 0o644
