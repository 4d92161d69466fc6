"""
Reads a tar from beginning to end. Python's own module takes longer for a small file than the disk does; it is left what is
rare: sparse files, and what extended headers say besides names and times.
"""

import contextlib
import shutil
import subprocess
from collections import namedtuple
from zlib import adler32

BLOCK = 512
ADLER_PRIME = 65521
PIECE = 1 << 20
# The most that an extended header has.
LONGEST = 1 << 20
FILE, FOLDER, LINK, HARD_LINK, OTHER = range(5)
KINDS = {b"0": FILE, b"\0": FILE, b"5": FOLDER, b"2": LINK, b"1": HARD_LINK, b"3": OTHER, b"4": OTHER, b"6": OTHER}
# What of an extended header changes nothing of what is extracted.
HARMLESS = ("mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment")
OF_OTHER_SYSTEMS = ("LIBARCHIVE.", "SCHILY.xattr.", "SCHILY.fflags", "SCHILY.dev", "SCHILY.ino", "SCHILY.nlink")
PROGRAMS = (
    (b"\x1f\x8b", ("pigz", "gzip")),
    (b"\x28\xb5\x2f\xfd", ("zstd",)),
    (b"BZh", ("lbzip2", "bzip2")),
    (b"\xfd7zXZ\0", ("xz",)),
)

Member = namedtuple("Member", "kind name target executable content")


class Unusual(Exception):
    """Something that is left to Python's module."""


class Damaged(Exception):
    pass


@contextlib.contextmanager
def unpacked(path, head):
    """The bytes of a tar that may be packed, by the program that packs so. @raises Unusual where it is not there"""
    names = next((names for start, names in PROGRAMS if head.startswith(start)), None)
    if names is None:
        with open(path, "rb", buffering=PIECE) as file:
            yield file
        return
    program = next(filter(shutil.which, names), None)
    if program is None:
        raise Unusual()
    command = [program, "-dc", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=PIECE) as process:
        try:
            yield process.stdout
            # Only at its end does it tell that all of it was right.
            while process.stdout.read(PIECE):
                pass
        except Damaged:
            # How the program ends tells more.
            while process.stdout.read(PIECE):
                pass
            if process.wait() == 0:
                raise
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise Damaged(f"{program} could not read it to its end")


class Content:
    """The content of one member."""

    def __init__(self, source, size):
        self.source, self.left = source, size

    def read(self, size=PIECE):
        piece = self.source.read(min(size, self.left))
        if len(piece) < min(size, self.left):
            raise Damaged("it ends in the middle of a file")
        self.left -= len(piece)
        return piece


def members(source):
    """The members, one by one; the content of each must be read before the next one is asked for, or is passed over."""
    first = True
    long = {}
    while True:
        header = source.read(BLOCK)
        if first and not is_header(header) and header != bytes(BLOCK):
            raise Unusual()
        first = False
        if not header.strip(b"\0"):
            return
        if not is_header(header):
            raise Damaged("a header in it is damaged")
        size, kind = number(header[124:136]), header[156:157]
        if size < 0:
            raise Damaged("a header in it is damaged")
        content = Content(source, size)
        if kind in (b"L", b"K", b"x", b"g"):
            if size > LONGEST:
                raise Damaged("a header in it is damaged")
            said = extended(kind, content.read(size))
            if kind == b"g" and said:
                raise Unusual()
            long.update(said)
        elif kind in KINDS:
            name = long.get("path") or name_in(header)
            # Before there were kinds, a folder was told by the slash at its end.
            is_old_folder = kind == b"\0" and name.endswith("/")
            content.left = size = size if KINDS[kind] == FILE else 0
            yield Member(
                FOLDER if is_old_folder else KINDS[kind],
                name,
                long.get("linkpath") or text(header[157:257]),
                bool(number(header[100:108]) & 0o100),
                content,
            )
            long = {}
            while content.left:
                content.read()
        else:
            raise Unusual()
        source.read(-size % BLOCK)


def is_header(block):
    if len(block) != BLOCK:
        return False
    told = number(block[148:156])
    # The lower half of an Adler-32 is one more than the sum of the bytes, modulo a prime; `sum` takes ten times as long.
    summed = (adler32(block) & 0xFFFF) - 1 - sum(block[148:156]) + 8 * ord(" ")
    return told >= 0 and (told - summed) % ADLER_PRIME == 0


def number(field):
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0") or b"0"
    return int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else -1


def text(field):
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def name_in(header):
    name = text(header[:100])
    prefix = text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def extended(kind, content):
    """What a header says of the next member."""
    if kind in (b"L", b"K"):
        return {"path" if kind == b"L" else "linkpath": text(content)}
    found = {}
    while content.strip(b"\0"):
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or not len(length) < int(length) <= len(content):
            raise Damaged("a header in it is damaged")
        name, _, value = content[len(length) + 1 : int(length) - 1].decode("utf-8", "surrogateescape").partition("=")
        content = content[int(length) :]
        if name in ("path", "linkpath"):
            found[name] = value
        elif name not in HARMLESS and not name.startswith(OF_OTHER_SYSTEMS):
            raise Unusual()
    return found
