"""Receives an archive: a single file, from where it broke. `file` relative: below the home folder."""

import json
import os
import sys

from base.checksum import sha256_of
from base.document import takes
from base.files import under_home
from base.locks import lock


@takes(file=str)
def size(file):
    """Prints how many bytes of it have arrived, and whether it is complete."""
    path = under_home(file)
    lock(lock_name(path), take_over=True)
    part = path + ".part"
    if os.path.exists(path):
        print(json.dumps({"complete": True, "sha256": sha256_of(path), "size": os.path.getsize(path)}))
    else:
        print(json.dumps({"complete": False, "size": os.path.getsize(part) if os.path.exists(part) else 0}))


@takes(file=str, offset=int, size=int, sha256=str)
def append(file, offset, size, sha256):
    """Reads the rest of it from an offset on, and completes it."""
    path = under_home(file)
    lock(lock_name(path), take_over=True)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = path + ".part"
    # Unbuffered: what has arrived when the connection breaks is there for the next try.
    with open(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as arriving:
        arriving.truncate(offset)
        arriving.seek(offset)
        arrived = offset
        while True:
            block = memoryview(os.read(0, 1 << 20))
            if not block:
                break
            while block:
                written = arriving.write(block)
                arrived += written
                block = block[written:]
        os.fsync(arriving.fileno())
    if arrived < size:
        sys.exit(f"only {arrived} of {size} bytes arrived")
    right = arrived == size and sha256_of(part) == sha256
    if right:
        os.replace(part, path)
    else:
        os.unlink(part)
    print(json.dumps({"right": right}))


def lock_name(path):
    return "archive-" + path.replace("/", "-")[-100:]
