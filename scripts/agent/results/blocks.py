"""The stream of results: pieces, put together into blocks, each block packed where that pays.

A block: how it is packed (PLAIN, ZLIB, ZSTD), its bytes in the stream, its bytes unpacked. A piece: its kind, a number, its
bytes. No piece is cut by the end of a block, and no block has more than MOST bytes. remote/transfer/blocks.ts reads them.
"""

import shutil
import struct
import subprocess
import time
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor

BLOCK = struct.Struct(">BII")
PIECE = struct.Struct(">BII")
PLAIN, ZLIB, ZSTD = range(3)
MOST = 8 << 20
# A block goes out when it has so many bytes: short ones keep both ends at work at the same time.
FULL = 1 << 20
# One that is packed: Zstandard's program is started for each.
FULL_PACKED = 4 << 20
# For less, zlib is quicker.
LARGE = 1 << 18
# Blocks that are packed while others are on their way.
AHEAD = 2
SAMPLES, SAMPLE = 8, 8192
WORTH = 0.92


class Blocks:
    """Writes to a file; `unpacks`: what the other side unpacks besides gzip."""

    def __init__(self, file, unpacks):
        self.file = file
        self.zstd = shutil.which("zstd") if "zstd" in unpacks else None
        self.pool = ThreadPoolExecutor(AHEAD)
        self.waiting = deque()
        self.parts = []
        self.size = 0
        self.full = FULL
        # Bytes a second: of the line, and of packing.
        self.line = Rate()
        self.packs = Rate()

    def add(self, kind, number, content=b""):
        size = PIECE.size + len(content)
        if self.size + size > MOST:
            self.close()
        self.parts += [PIECE.pack(kind, number, len(content)), content]
        self.size += size
        if self.size >= self.full:
            self.close()

    def close(self):
        """Ends the block. Those before it are written as far as more are waiting than are packed at a time."""
        if self.parts:
            self.waiting.append(self.pool.submit(self.packed, self.parts, self.size))
            self.parts, self.size = [], 0
        while len(self.waiting) > AHEAD:
            self.write(self.waiting.popleft().result())

    def flush(self):
        """Brings all that was added on its way."""
        self.close()
        while self.waiting:
            self.write(self.waiting.popleft().result())

    def packed(self, parts, size):
        """The parts of a block, its head first."""
        # Where packing is slower than the line, it pays for nothing but what takes no time.
        pays = (size < LARGE or self.packs.value >= self.line.value) and shrinks(parts)
        self.full = FULL_PACKED if pays else FULL
        if not pays:
            return [BLOCK.pack(PLAIN, size, size), *parts]
        how = ZSTD if self.zstd and size >= LARGE else ZLIB
        with self.packs.of(size):
            content = zstd(self.zstd, b"".join(parts)) if how == ZSTD else zlib.compress(b"".join(parts), 1)
        if not 0 < len(content) < size:
            return [BLOCK.pack(PLAIN, size, size), *parts]
        return [BLOCK.pack(how, len(content), size), content]

    def write(self, parts):
        size = sum(map(len, parts))
        with self.line.of(size):
            self.file.writelines(parts)
            self.file.flush()


class Rate:
    """How fast something is, by the last times that it was done. Infinite until then."""

    def __init__(self):
        self.value = float("inf")
        self.known = []

    def of(self, size):
        return Timed(self, size)

    def add(self, size, seconds):
        # What is small tells how long a beginning takes.
        if size < LARGE:
            return
        self.known = [*self.known[-3:], (size, seconds)]
        self.value = sum(size for size, _ in self.known) / max(sum(seconds for _, seconds in self.known), 1e-9)


class Timed:
    def __init__(self, rate, size):
        self.rate, self.size = rate, size

    def __enter__(self):
        self.began = time.monotonic()

    def __exit__(self, *_):
        self.rate.add(self.size, time.monotonic() - self.began)


def shrinks(parts):
    """Whether samples of the pieces' content do."""
    contents = parts[1::2]
    some = contents[:: -(-len(contents) // SAMPLES)]
    sample = b"".join(each[at : at + SAMPLE] for each in some for at in (0, len(each) // 2))
    return len(zlib.compress(sample, 1)) < len(sample) * WORTH


def zstd(program, content):
    """The content, packed; nothing where that fails."""
    words = [program, "-1", "-q", "-c", "--single-thread"]
    return subprocess.run(words, input=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
