"""Sends results home, in one conversation: lists what there is, and sends what is asked for.

Out go blocks of pieces (blocks.py):
  ENTRIES  number of the first one; a JSON array of entries as listing.py describes them
  CONTENT  number of an entry; content of it, which may take several pieces. No other piece comes between these
  SUM      number of an entry that was listed without a checksum; SHA-256 of its content, which has all been sent
  GONE     number of an entry whose content cannot be sent as it was listed
  END      what is told at the end (listing.py), a JSON object; number: 1 where it goes on in the next piece
In comes a JSON line for each ENTRIES: a list of [number, offset], for what is to be sent from an offset on. Offset -1: list
it again, with a checksum.
"""

import hashlib
import json
import os
import select
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from base.checksum import sha256_of
from base.document import Maybe, takes
from base.files import under_home
from base.secrets import cover_end
from results.blocks import Blocks
from results.listing import Places

ENTRIES, CONTENT, SUM, GONE, END = range(5)
# Lists that wait for an answer: what small files hold is kept so long.
AHEAD = 4
PIECE = 1 << 19
# Of lists whose names are very long.
LONGEST = 4 << 20


# The run's own logs, by their names among the results.
LOGS = ("run/train.log", "run/evaluate.log")


class Questions:
    """Lines of standard input."""

    def __init__(self):
        self.rest = b""

    def is_there(self):
        return b"\n" in self.rest or bool(select.select([0], [], [], 0)[0])

    def next(self):
        parts = [self.rest]
        while b"\n" not in parts[-1]:
            block = os.read(0, 1 << 20)
            if not block:
                raise SystemExit("The other side has ended the conversation.")
            parts.append(block)
        line, _, self.rest = b"".join(parts).partition(b"\n")
        return json.loads(line)


class Sender:
    """`places`: what is listed; `blocks`: where it goes."""

    def __init__(self, places, blocks):
        self.places, self.blocks = places, blocks
        self.questions = Questions()
        # Lists that have not been answered.
        self.asked = deque()
        self.count = 0
        # Where checksums are made, and what is to be listed again when its checksum is known.
        self.hashing = ThreadPoolExecutor(1)
        self.again = deque()

    def run(self):
        lists = self.places.lists()
        more = True
        while more or self.asked or self.again:
            if self.again and (self.again[0][1].done() or not (more or self.asked)):
                item, known = self.again.popleft()
                listed = self.places.with_checksum(item, known)
                if listed is not None:
                    self.tell([listed])
            elif more and (not self.asked or (len(self.asked) < AHEAD and not self.questions.is_there())):
                some = next(lists, None)
                more = some is not None
                if some:
                    self.tell(some)
            else:
                self.answer(self.asked.popleft(), self.questions.next())
        told = json.dumps(self.places.end()).encode()
        for at in range(0, len(told), PIECE):
            self.blocks.add(END, int(at + PIECE < len(told)), told[at : at + PIECE])
        self.blocks.flush()

    def tell(self, items):
        told = json.dumps([item.entry for item in items]).encode()
        if len(told) > LONGEST and len(items) > 1:
            half = len(items) // 2
            self.tell(items[:half])
            return self.tell(items[half:])
        self.blocks.add(ENTRIES, self.count, told)
        self.blocks.flush()
        self.asked.append((self.count, items))
        self.count += len(items)
        return None

    def answer(self, asked, wanted):
        first, items = asked
        for number, offset in wanted:
            item = items[number - first]
            if offset < 0:
                self.again.append((item, self.hashing.submit(sha256_of, item.full, item.size)))
            elif item.content is not None:
                self.blocks.add(CONTENT, number, item.content[offset:])
            else:
                self.send(number, item, offset)
        if not self.asked:
            self.blocks.flush()

    def send(self, number, item, offset):
        try:
            with open(item.full, "rb", buffering=0) as file:
                checksum = None if item.known else Running(self.hashing)
                right = self.send_open(number, item, offset, file, checksum)
        except OSError:
            right = False
        if not right:
            self.blocks.add(GONE, number)
        elif checksum is not None:
            self.blocks.add(SUM, number, self.places.learned(item, checksum.digest()))

    def send_open(self, number, item, offset, file, checksum):
        """Whether all of it was sent, as it was listed."""
        at = 0
        if checksum is None:
            at = file.seek(offset)
        while at < item.size:
            block = file.read(min(PIECE, item.size - at))
            if not block:
                return False
            if checksum is not None:
                checksum.update(block)
            if at + len(block) > offset:
                self.blocks.add(CONTENT, number, block[max(0, offset - at) :])
            at += len(block)
        if checksum is None or os.fstat(file.fileno()).st_mtime_ns == item.mtime:
            return True
        # It was written to meanwhile. A log that grows still begins as it was sent.
        return sha256_of(item.full, item.size) == checksum.digest().hex()


class Running:
    """A checksum that is made while the content is on its way."""

    def __init__(self, pool):
        self.pool, self.sum = pool, hashlib.sha256()
        self.last = None

    def update(self, block):
        self.wait()
        self.last = self.pool.submit(self.sum.update, block)

    def wait(self):
        if self.last is not None:
            self.last.result()

    def digest(self):
        self.wait()
        return self.sum.digest()


@takes(
    places=[{"at": str, "path": str}],
    written=Maybe({"experiment": str, "keys": {"include": [str], "exclude": [str]}}),
    record=Maybe({"experiment": str, "aside": Maybe(str)}),
    unpacks=[str],
)
def send(places, written, record, unpacks):
    """
    Lists what is under the given places, and sends what is asked for. A place is a folder, or one file; one that is not
    there is left out. `written`: also what training wrote elsewhere (see written.py), below beside/. `record`: the end tells
    what ran, or what ran of results that are kept apart. `unpacks`: how blocks may be packed besides zlib: zstd.
    """
    # As deep as a path can be.
    sys.setrecursionlimit(10_000)
    for place in places:
        # Of a run that goes on: what came to its logs a moment ago.
        if place["at"] in LOGS:
            cover_end(under_home(place["path"]))
    Sender(Places(places, written, record), Blocks(sys.stdout.buffer, unpacks)).run()
