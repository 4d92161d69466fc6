#!/usr/bin/env python3
"""Receives an archive: a single file, from where it broke.

Usage:
  receive-archive.py size FILE    prints the bytes of FILE that have arrived, and whether it is complete
  receive-archive.py append FILE OFFSET SIZE SHA256  reads the rest of FILE from OFFSET on and completes it
FILE relative: below the home folder.
Exit codes: 0 done, 1 failed (reason on stderr), 2 usage.
"""
import json
import os
import sys

from transfer import lock, sha256_of, under_home


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
        if mode == "size" and len(rest) == 1:
            size(under_home(rest[0]))
        elif mode == "append" and len(rest) == 4:
            append(under_home(rest[0]), int(rest[1]), int(rest[2]), rest[3])
        else:
            print(__doc__, file=sys.stderr)
            sys.exit(2)
    except OSError as error:
        sys.exit(f"{error.strerror}: {error.filename or ''}")


main()
