"""
Writes a git index (format 2 or 3, see gitformat-index): git takes a file for unchanged without reading it if its status is
what the index says.
"""

import hashlib
import os
import stat
import struct
import time

EXTENDED = 0x4000
SKIP_WORKTREE = 0x4000
LOW = 0xFFFFFFFF


def index_of(entries, root, as_uploaded):
    """
    The content of an index, and the latest time of a file in it, in nanoseconds. An entry has `path`, `mode`, `object`,
    `stage`, `same` (the file was as the index has it when it was uploaded) and `skip` (it is not there on purpose).
    """
    written = []
    newest = 0
    version, digest = 2, hashlib.sha1
    for entry in sorted(entries, key=lambda entry: (os.fsencode(entry["path"]), entry["stage"])):
        info = status_of(root, entry) if entry["same"] and entry["path"] in as_uploaded else None
        newest = max(newest, info.st_mtime_ns if info else 0)
        version = 3 if entry["skip"] else version
        digest = hashlib.sha256 if len(entry["object"]) == 64 else digest
        written.append(written_entry(entry, info))
    content = b"".join([struct.pack(">4sII", b"DIRC", version, len(written)), *written])
    return content + digest(content).digest(), newest


def status_of(root, entry):
    try:
        info = os.lstat(os.path.join(root, entry["path"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    kind = stat.S_IFMT(int(entry["mode"], 8))
    # Git compares whole seconds: a change within this one would not show.
    is_young = int(info.st_mtime) >= int(time.time())
    return info if stat.S_IFMT(info.st_mode) == kind and not is_young else None


def written_entry(entry, info):
    """Zeros where nothing is known of the file: git then reads it."""
    mode = int(entry["mode"], 8)
    if info is None:
        facts = (0, 0, 0, 0, 0, 0, mode, 0, 0, 0)
    else:
        facts = (
            *divmod(info.st_ctime_ns, 10**9),
            *divmod(info.st_mtime_ns, 10**9),
            *(info.st_dev, info.st_ino, mode, info.st_uid, info.st_gid, info.st_size),
        )
    path = os.fsencode(entry["path"])
    flags = min(len(path), 0xFFF) | entry["stage"] << 12 | (EXTENDED if entry["skip"] else 0)
    head = struct.pack(">10I", *(value & LOW for value in facts)) + bytes.fromhex(entry["object"])
    head += struct.pack(">HH", flags, SKIP_WORKTREE) if entry["skip"] else struct.pack(">H", flags)
    body = head + path
    return body + b"\0" * (8 - len(body) % 8)
