"""
Manifests as files: a line of facts, then one JSON object a line, sorted by path. They are read line by line: the files
of a dataset can be many, and no process holds them all.
"""

import hashlib
import json
import os

# A block of lines ends behind content whose checksum begins with two zeros, or is as long as this. The sender cuts alike
# (remote/transfer/manifest-lines.ts), so that both find the blocks that they have in common.
END = b'"sha256":"00'
LONGEST = 1024
# What a record has and the entry of a manifest has not. No path looks like this: its quotes are escaped.
MTIME = b',"mtime":'


class Lines:
    """A file that is written line by line and gets its name once it is whole; readable by its owner only."""

    def __init__(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path = path
        self.temporary = f"{path}.{os.getpid()}"
        self.file = open(os.open(self.temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "r+b", buffering=1 << 18)

    def finish(self):
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.temporary, self.path)


def line_of(value):
    return json.dumps(value).encode() + b"\n"


def read_lines(path):
    """The values of a file's lines; none of a file that is missing, and of a damaged one those before the damage."""
    try:
        with open(path, "rb") as file:
            yield from map(json.loads, file)
    except (OSError, ValueError):
        return


def values_of(lines):
    """The values of lines of JSON. To read them one by one takes twice as long."""
    return json.loads(b"[%s]" % b",".join(lines))


def blocks_of(lines):
    """Lists of lines that follow each other."""
    some = []
    for line in lines:
        some.append(line)
        if END in line or len(some) == LONGEST:
            yield some
            some = []
    if some:
        yield some


def block_digest(records):
    """What tells a block: the SHA-256 of its entries as the sender writes them."""
    return hashlib.sha256(b"".join(map(entry_of, records))).hexdigest()


def entry_of(record):
    """The line of an entry from that of its record."""
    at = record.rfind(MTIME)
    return record if at < 0 else record[:at] + b"}\n"


def record_of(entry, mtime):
    return b"%s%s%d}\n" % (entry[:-2], MTIME, mtime)


def order(path):
    """What the lines are sorted by: JavaScript compares the same way."""
    return path.encode("utf-16-be", "surrogatepass")
