"""Gives what was uploaded to this machine to another one of the fleet, which has the checksums from home."""

import json
import os
import re
import select
import sys

from base.document import LONGEST, takes
from base.files import BASE
from base.say import die
from upload.entries import order, values_of
from upload.uploads import is_file, manifest_path, open_if_there, unchanged, value_of

# Seconds without a question after which it ends.
PATIENCE = 120
PIECE = 1 << 20
ARCHIVES = os.path.join(BASE, "archives")


@takes(kind=str, name=str, hash=str)
def has(kind, name, hash):
    """Whether an upload is here whole: {"has"}. `kind`: folder or archive, which has no name besides its hash."""
    return {"has": place_of(kind, name, hash) is not None}


def place_of(kind, name, hash):
    """The folder in which an upload lies; None where it isn't here."""
    if kind == "archive":
        known = re.fullmatch(r"[0-9a-f]{64}", hash) and os.path.isfile(os.path.join(ARCHIVES, hash))
        return ARCHIVES if known else None
    # The name of an upload into a cache is a path.
    if "/" in name:
        return None
    with open_if_there(manifest_path(name)) as file:
        facts = value_of(file.readline())
    return facts.get("root") if isinstance(facts, dict) and facts.get("hash") == hash else None


@takes(kind=str, name=str, hash=str)
def give(kind, name, hash):
    """Gives what gives the files of an upload."""
    folder = place_of(kind, name, hash)
    if folder is None:
        die(1, "the upload is not here")
    records = ({"path": hash},) if kind == "archive" else records_of(name)
    return lambda: give_files(Known(folder, iter(records)))


def give_files(known):
    """
    Reads lines {"files": [[path, bytes that are there]]}, by path as the upload has them. Answers for each file with a line
    {"bytes"}, and so many bytes, up to its end; null for one that isn't as it was uploaded.
    """
    out = sys.stdout.buffer
    # Nothing is asked before the answer is there, so that no line is ever read ahead.
    while select.select([sys.stdin], [], [], PATIENCE)[0]:
        line = sys.stdin.buffer.readline(LONGEST)
        if not line.endswith(b"\n"):
            return
        for path, start in json.loads(line)["files"]:
            send(known.open(path), start, out)
        out.flush()


def records_of(name):
    with open(manifest_path(name), "rb") as file:
        file.readline()
        for line in file:
            yield from values_of([line])


class Known:
    """The files of an upload, and no other ones. They are asked for in their order, so that nothing keeps all of them."""

    def __init__(self, folder, records):
        self.folder, self.records, self.record = folder, records, next(records, None)

    def open(self, path):
        """None for one that isn't there, or is another one by now."""
        while self.record is not None and order(self.record["path"]) < order(path):
            self.record = next(self.records, None)
        record = self.record
        if record is None or record["path"] != path:
            return None
        if "mtime" in record and not (is_file(record) and unchanged(self.folder, record)):
            return None
        try:
            return open(os.open(os.path.join(self.folder, path), os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0)
        except OSError:
            return None


def send(file, start, out):
    if file is None:
        out.write(b'{"bytes": null}\n')
        return
    with file:
        left = max(0, os.fstat(file.fileno()).st_size - start)
        out.write(json.dumps({"bytes": left}).encode() + b"\n")
        file.seek(start)
        while left:
            piece = file.read(min(left, PIECE))
            if not piece:
                # It was cut meanwhile: what was told can't be kept.
                sys.exit("A file got shorter while it was sent.")
            out.write(piece)
            left -= len(piece)
