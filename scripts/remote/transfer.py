"""What the scripts share that transfer and extract files. Python 3.8 and later, standard library only."""
import fcntl
import hashlib
import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

BASE = os.environ.get("LAMBDA_TRAIN_BASE") or os.path.join(os.path.expanduser("~"), ".lambda-train")


def sha256_of(path, limit=None):
    """SHA-256 of a file's content, or of its first `limit` bytes."""
    digest = hashlib.sha256()
    left = limit
    with open(path, "rb", buffering=0) as file:
        while left is None or left > 0:
            block = file.read(1 << 20 if left is None else min(left, 1 << 20))
            if not block:
                break
            digest.update(block)
            if left is not None:
                left -= len(block)
    return digest.hexdigest()


def inside(path, target):
    """True where a link at this path (relative) with this target stays below the root."""
    if not target or target.startswith("/"):
        return False
    at = path.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            if not at:
                return False
            at.pop()
        elif part not in ("", "."):
            at.append(part)
    return True


def batches(items, size=1000):
    """Lists of the items, some at a time."""
    items = iter(items)
    while True:
        some = list(islice(items, size))
        if not some:
            return
        yield some


def in_threads(function, items):
    """The function's results in order; hashing leaves the interpreter's lock to others."""
    with ThreadPoolExecutor(min(16, (os.cpu_count() or 1) * 2)) as pool:
        # What waits to be done takes a kilobyte each.
        return [result for some in batches(items) for result in pool.map(function, some)]


def write_json(path, value):
    """Writes a file atomically, readable by its owner only."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_json(path, default):
    """A file's content, or the default where it is missing or damaged."""
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return default


def lock(name, take_over=False, patience=120):
    """
    Holds a lock for the life of this process. A holder whose connection is gone may never end by itself: with
    `take_over` it is ended, otherwise it gets `patience` seconds to finish.
    """
    os.makedirs(os.path.join(BASE, "locks"), exist_ok=True)
    handle = os.open(os.path.join(BASE, "locks", name), os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode().strip()
            if take_over and holder:
                try:
                    os.kill(int(holder), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if time.monotonic() > deadline:
                sys.exit(f"Another transfer of {name} goes on on this instance (process {holder}).")
            time.sleep(0.1)
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    # Also what this process turns into by exec holds it.
    os.set_inheritable(handle, True)


def under_home(path):
    return path if os.path.isabs(path) else os.path.join(os.path.expanduser("~"), path)
