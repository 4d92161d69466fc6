"""
Takes from another machine of the fleet, the giver, what an upload needs. The checksums are those from home: what is wrong or
missing comes from there. Words tell of it, each a line of JSON: {"taken": bytes, "of": all}, {"took": {"files",
"wrong", "bytes", "seconds", "from"}} at the end, and {"lost": why} where the giver can't go on.
"""

import hashlib
import os
import time

from base.batches import batches
from base.checksum import digest_of
from base.document import takes
from base.files import unlink_if_there, write_all
from base.say import word
from fleet.link import Refused, Unreachable, ask
from fleet.stream import Stream
from upload.compare import COMES

# Files that are asked for at a time.
ASKED = 500
ANSWER = 20
# Seconds between words.
TELL = 1


@takes(giver=str, uploaded={"kind": str, "name": str, "hash": str})
def look(giver, uploaded):
    """Whether another machine has an upload: {"has"}, and {"error"} where it can't be asked."""
    try:
        word(ask(giver, "upload-has", uploaded, ANSWER))
    except (Unreachable, Refused) as error:
        word({"has": False, "error": str(error)})


def tree(giver, plan, hash):
    """What a plan needs of content."""
    taking = Taking(giver, plan.bytes)
    uploaded = {"kind": "folder", "name": plan.found.name, "hash": hash}
    with taking, Stream(giver, "upload-give", uploaded) as stream:
        for some in batches(plan.entries(COMES), ASKED):
            parts = [plan.begun.get(number) or (hashlib.sha256(), 0) for number, _, _ in some]
            stream.ask({"files": [[entry["path"], size] for (_, _, entry), (_, size) in zip(some, parts)]})
            for (number, _, entry), (digest, size) in zip(some, parts):
                path = f"{plan.fresh}/{entry['path']}"
                is_right = False
                try:
                    is_right = taking.file(stream, path, entry, digest.copy(), size)
                finally:
                    if is_right:
                        plan.has_arrived(number, entry)
                    elif size:
                        os.truncate(path, size)
                    else:
                        unlink_if_there(path)


def archive(giver, path, size, sha256):
    """An archive, into the file in which it arrives; under its name once it is whole and right."""
    part = f"{path}.part"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    there = os.path.getsize(part) if os.path.exists(part) else 0
    if there > size:
        os.truncate(part, 0)
        there = 0
    taking = Taking(giver, size - there)
    with taking, Stream(giver, "upload-give", {"kind": "archive", "name": "", "hash": sha256}) as stream:
        digest = digest_of(part) if there else hashlib.sha256()
        stream.ask({"files": [[sha256, there]]})
        if taking.file(stream, part, {"size": size, "sha256": sha256}, digest, there):
            os.replace(part, path)
        else:
            unlink_if_there(part)


class Taking:
    """Takes file after file, and tells of it. The loss of the giver ends it, and no more."""

    def __init__(self, giver, of):
        self.giver, self.of = giver, of
        self.files = self.bytes = self.wrong = 0
        self.began = self.told = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, _kind, error, _trace):
        is_lost = isinstance(error, (Unreachable, Refused))
        told = {"files": self.files, "wrong": self.wrong, "bytes": self.bytes}
        word({"took": {**told, "seconds": time.monotonic() - self.began, "from": self.giver}})
        if is_lost:
            word({"lost": str(error)})
        return is_lost

    def file(self, stream, path, wanted, digest, there):
        """
        Writes what a file lacks behind what is there of it, and tells whether that makes it right. @raises Unreachable,
        Refused
        """
        left = stream.told().get("bytes")
        if left is None:
            self.wrong += 1
            return False
        if left != wanted["size"] - there:
            # It would fill the disk.
            raise Refused(f"{self.giver} has a file of another size than {os.path.basename(path)}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.lseek(file, there, os.SEEK_SET)
            while left:
                piece = stream.some(left)
                write_all(file, piece)
                digest.update(piece)
                left -= len(piece)
                self.tell(len(piece))
        finally:
            os.close(file)
        is_right = digest.hexdigest() == wanted["sha256"]
        self.files += is_right
        self.wrong += not is_right
        return is_right

    def tell(self, size):
        self.bytes += size
        if time.monotonic() - self.told > TELL:
            self.told = time.monotonic()
            word({"taken": self.bytes, "of": self.of})
