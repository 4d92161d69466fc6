"""
A folder on a file system that several machines share, known by the hash of what it holds. `<parent>/<hash>` has that name
only once it is whole; what is known of it lies beside it, in `<parent>/.<hash>`.
"""

import os
import shutil
import stat
import time
from contextlib import contextmanager

from base.batches import batches
from base.checksum import sha256_of
from base.files import now, put, unlink_if_there
from base.locks import lock
from base.threads import in_threads
from cache.lock import SharedLock
from upload.compare import Found
from upload.entries import Lines, line_of, order
from upload.uploads import Stored, is_file, status_of, unchanged

# After so long the checksums are read again. Sizes and times are looked at by each machine.
CHECK_SECONDS = 7 * 24 * 3600


class Cache:
    """`stored`: name of what is known of its files, as of an upload's."""

    def __init__(self, root):
        self.root = os.path.normpath(root)
        self.beside = os.path.join(os.path.dirname(self.root), f".{os.path.basename(self.root)}")
        self.stored = os.path.join(self.beside, "files")
        self.checked = os.path.join(self.beside, "checked")

    @contextmanager
    def held(self, by, on_wait, stalled=None):
        """No other machine changes it meanwhile, nor another process of this one. See `SharedLock`."""
        os.makedirs(self.beside, exist_ok=True)
        # An earlier call from home, whose connection may be gone, must not go on waiting or filling.
        lock(f"cache-{os.path.basename(self.root)[:32]}", take_over=True)
        shared = SharedLock(self.beside, by, stalled)
        shared.take(on_wait)
        try:
            yield self
        finally:
            shared.give_back()

    def found(self):
        """What is there, after a look at the checksums where that is due."""
        os.makedirs(self.beside, exist_ok=True)
        if time.time() - (modified(self.checked) or 0) > CHECK_SECONDS:
            self.forget_damaged()
            self.note_checked()
        return Found(self.stored, self.root)

    def forget_damaged(self):
        """Removes files whose content is not what it was, though their size and time are."""
        records = (
            each for each in Stored(self.stored, self.root).records() if is_file(each) and unchanged(self.root, each)
        )
        for some in batches(records):
            paths = [os.path.join(self.root, each["path"]) for each in some]
            for each, path, digest in zip(some, paths, in_threads(sha256_of, paths)):
                if digest != each["sha256"]:
                    unlink_if_there(path)

    def damaged(self, found, hash):
        """How many files of it are not as they were, where it was whole once."""
        return found.states.count(Found.CHANGED) if found.stored.hash == hash else 0

    def note_checked(self):
        put(self.checked, now())

    def place(self, fresh, hash):
        """
        Puts a folder there that holds all of it: in one step where nothing is there yet. Else only what is not right any
        more, each in one step: others may be reading.
        """
        records = records_of(fresh)
        if os.path.isdir(self.root):
            for record in records:
                if status_of(self.root, record) is None or sha256_at(self.root, record) != record["sha256"]:
                    move(os.path.join(fresh, record["path"]), os.path.join(self.root, record["path"]))
            shutil.rmtree(fresh)
            records = [{**record, **time_in(self.root, record)} for record in records]
        else:
            os.rename(fresh, self.root)
        self.note(records, hash)

    def note(self, records, hash):
        """Writes down that the folder is whole, and what it holds."""
        lines = Lines(f"{self.stored}.json")
        lines.file.write(line_of({"root": self.root, "hash": hash, "count": len(records), "latest": time.time_ns()}))
        lines.file.writelines(map(line_of, records))
        lines.finish()
        self.note_checked()


def modified(path):
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None


def records_of(folder, without=()):
    """
    What a manifest says of each file, link and empty folder below a folder, but for folders of some names. Takes the right
    to write from the files.
    """
    records = []
    for above, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in without]
        links = [name for name in folders if os.path.islink(os.path.join(above, name))]
        for name in files + links:
            records.append(record_of(folder, os.path.join(above, name)))
        if not folders and not files and above != folder:
            records.append(
                {"path": os.path.relpath(above, folder), "size": 0, "folder": True, "sha256": "", "executable": False}
            )
    content = [record for record in records if is_file(record)]
    paths = [os.path.join(folder, record["path"]) for record in content]
    for record, digest in zip(content, in_threads(sha256_of, paths)):
        record["sha256"] = digest
    return sorted(records, key=lambda record: order(record["path"]))


def record_of(folder, path):
    info = os.lstat(path)
    record = {"path": os.path.relpath(path, folder), "size": info.st_size, "sha256": "", "executable": False}
    if stat.S_ISLNK(info.st_mode):
        return {**record, "link": os.readlink(path)}
    os.chmod(path, info.st_mode & 0o555)
    return {**record, "executable": bool(info.st_mode & 0o100), "mtime": info.st_mtime_ns}


def time_in(root, record):
    return {"mtime": os.lstat(os.path.join(root, record["path"])).st_mtime_ns} if is_file(record) else {}


def sha256_at(root, record):
    return sha256_of(os.path.join(root, record["path"])) if is_file(record) else record["sha256"]


def move(source, target):
    """Puts a file, link or empty folder in place of whatever is there."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(target) and not os.path.islink(target):
        shutil.rmtree(target)
    if os.path.isdir(source) and not os.path.islink(source) and os.path.lexists(target):
        os.unlink(target)
    os.replace(source, target)
