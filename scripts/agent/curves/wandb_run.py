"""
W&B's runs (`run-<id>.wandb`): a header, then blocks of 32 KiB with pieces of records, as in the log of LevelDB; each record a
protocol buffer. Those of a run's history are read. cli/curves/logged/wandb-run.ts reads the same at home.
"""

import json
import struct
import zlib

from curves.protobuf import BYTES, VARINT, Damaged, fields, signed, text

BEGIN = b":W&B"
FILE_HEADER = 7
BLOCK = 32 << 10
HEADER = 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
MOST_RECORD = 8 << 20
HISTORY, STEP = 2, 2
# How many members of members are values.
DEEPEST = 3


def read(file, at, size, curves, is_due):
    """Takes the records from a place on. Gives where it came to: the last one may be half written."""
    if at == 0:
        file.seek(0)
        if size < FILE_HEADER:
            return 0
        if file.read(FILE_HEADER)[:4] != BEGIN:
            curves.damaged += 1
            return size
        at = FILE_HEADER
    # Where the record begins whose pieces are collected, and these; None while a damaged one is passed over.
    place, parts = at, []
    file.seek(at)
    while not is_due():
        left = BLOCK - place % BLOCK
        if left < HEADER:
            place = file.seek(place + left)
            continue
        header = file.read(HEADER) if place + HEADER <= size else b""
        if len(header) < HEADER:
            break
        checksum, length, kind = struct.unpack("<IHB", header)
        if kind == 0 or kind > LAST or length > left - HEADER:
            # Nothing more is in this block.
            if place + left > size:
                break
            curves.damaged += int(kind != 0 or length != 0)
            place = at = file.seek(place + left)
            parts = None
            continue
        content = file.read(length) if place + HEADER + length <= size else b""
        if len(content) < length:
            break
        place += HEADER + length
        if zlib.crc32(content, zlib.crc32(header[6:])) != checksum:
            curves.damaged += 1
            parts = None
        elif kind in (FULL, FIRST):
            parts = [content]
        elif parts is not None:
            parts.append(content)
        if kind in (FULL, LAST):
            take(b"".join(parts or []), curves)
            parts, at = [], place
        elif parts is None or sum(map(len, parts)) > MOST_RECORD:
            parts, at = None, place
    return at


def take(content, curves):
    try:
        for number, wire, at, end in fields(content, 0, len(content)):
            if number == HISTORY and wire == BYTES:
                take_row(content, at, end, curves)
    except Damaged:
        curves.damaged += 1


def take_row(content, at, end, curves):
    row, step = {}, None
    for number, wire, start, stop in fields(content, at, end):
        if number == 1 and wire == BYTES:
            name, value = item(content, start, stop)
            row.update(numbers(name, value))
        elif number == STEP and wire == BYTES:
            step = next(
                (signed(found) for field, kind, found, _ in fields(content, start, stop) if (field, kind) == (1, VARINT)), 0
            )
    curves.add_row(row, row.get("_step", step), row.get("_timestamp"))


def item(content, at, end):
    """A value of a row with its name, whose parts are joined by /."""
    names, told = [], None
    for number, wire, start, stop in fields(content, at, end):
        if wire == BYTES and number in (1, 2):
            names.append(text(content, start, stop))
        elif wire == BYTES and number == 16:
            told = content[start:stop]
    try:
        return "/".join(names), None if told is None else json.loads(told)
    except (ValueError, RecursionError):
        return "", None


def numbers(name, value, depth=1):
    """The numbers in a value by their names."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {name: float(value)}
    if not isinstance(value, dict) or depth > DEEPEST or "_type" in value:
        return {}
    found = {}
    for member, inner in value.items():
        found.update(numbers(f"{name}/{member}", inner, depth + 1))
    return found
