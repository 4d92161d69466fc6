"""
TensorBoard's event files: TFRecords (length, its checksum, content, its checksum), each an Event as a protocol buffer. Scalars
are read, written either as such or as tensors with one element. cli/curves/logged/events.ts reads the same at home.
"""

import struct

from curves.crc32c import masked
from curves.protobuf import BYTES, EIGHT, FOUR, VARINT, Damaged, fields, signed, text, varint

# A record with more bytes is passed over: it holds pictures.
MOST_RECORD = 8 << 20
HEADER, FOOTER = 12, 4
# After a damaged length, the next record is looked for in so many bytes.
FAR = 64 << 10
FLOAT, DOUBLE, INT32, INT64, HALF = 1, 2, 3, 9, 19
FORMATS = {FLOAT: "f", DOUBLE: "d", INT32: "i", INT64: "q", HALF: "e"}
# Where a tensor keeps its numbers, besides as bytes: field -> format.
LISTS = {5: "f", 6: "d"}
START = 1


def read(file, at, size, curves, is_due):
    """Takes the records from a place on. Gives where it came to: the last one may be half written."""
    file.seek(at)
    while at + HEADER <= size and not is_due():
        header = file.read(HEADER)
        if len(header) < HEADER:
            break
        (length, checksum) = struct.unpack("<QI", header)
        if masked(header[:8]) != checksum:
            found = next_record(file, at, size)
            if found is None:
                break
            curves.damaged += 1
            at = file.seek(found)
            continue
        end = at + HEADER + length + FOOTER
        if end > size:
            break
        if length > MOST_RECORD:
            at = file.seek(end)
            continue
        content = file.read(length + FOOTER)
        if len(content) < length + FOOTER:
            break
        try:
            take(content, length, curves)
        except (Damaged, struct.error):
            curves.damaged += 1
        at = end
    return at


def next_record(file, at, size):
    """Where the next whole header is; None where none is near, or not yet."""
    file.seek(at + 1)
    part = file.read(min(FAR, size - at - 1))
    for offset in range(len(part) - HEADER + 1):
        if masked(part[offset : offset + 8]) == int.from_bytes(part[offset + 8 : offset + 12], "little"):
            return at + 1 + offset
    return at + 1 + FAR if len(part) == FAR else None


def take(content, length, curves):
    """Of most records nothing is wanted, such as pictures: the checksum of these is not looked at."""
    wall, step, found, starts = None, 0, [], False
    for number, wire, at, end in fields(content, 0, length):
        if number == 1 and wire == EIGHT:
            (wall,) = struct.unpack_from("<d", content, at)
        elif number == 2 and wire == VARINT:
            step = signed(at)
        elif number == 5 and wire == BYTES:
            found += scalars_in(content, at, end)
        elif number == 7 and wire == BYTES:
            starts = any(field[:3] == (1, VARINT, START) for field in fields(content, at, end))
    if not found and not starts:
        return
    if masked(content[:length]) != int.from_bytes(content[length:], "little"):
        raise Damaged
    if starts:
        curves.purge(step)
    for name, value in found:
        curves.add(name, step, value, wall)


def scalars_in(content, at, end):
    """(tag, value) of each scalar in a summary."""
    for number, wire, start, stop in fields(content, at, end):
        if number != 1 or wire != BYTES:
            continue
        name = value = None
        for field, kind, begins, ends in fields(content, start, stop):
            if field == 1 and kind == BYTES:
                name = text(content, begins, ends)
            elif field == 2 and kind == FOUR:
                (value,) = struct.unpack_from("<f", content, begins)
            elif field == 8 and kind == BYTES:
                value = tensor_value(content, begins, ends)
        if name is not None and value is not None and not name.startswith("_hparams_/"):
            yield name, value


def tensor_value(content, at, end):
    """The number in a tensor that holds one; None for any other."""
    kind, numbers = None, None
    for number, wire, start, stop in fields(content, at, end):
        if number == 1 and wire == VARINT:
            kind = start
        elif number == 2 and wire == BYTES and not is_single(content, start, stop):
            return None
        elif number == 4 and wire == BYTES and start < stop and kind in FORMATS:
            numbers = one(FORMATS[kind], content[start:stop])
        elif number in LISTS and wire in (BYTES, FOUR, EIGHT):
            numbers = one(LISTS[number], content[start:stop])
        elif number in (7, 10):
            numbers = whole(content, wire, start, stop)
    return numbers if kind in FORMATS else None


def is_single(content, at, end):
    """Whether a shape has no size but 1."""
    for number, wire, start, stop in fields(content, at, end):
        sizes = (
            [value for field, kind, value, _ in fields(content, start, stop) if field == 1 and kind == VARINT]
            if number == 2 and wire == BYTES
            else []
        )
        if number == 2 and sizes != [1]:
            return False
    return True


def one(form, content):
    return float(struct.unpack(f"<{form}", content)[0]) if len(content) == struct.calcsize(form) else None


def whole(content, wire, start, stop):
    if wire == VARINT:
        return float(signed(start))
    if wire != BYTES or start == stop:
        return None
    value, end = varint(content, start, stop)
    return float(signed(value)) if end == stop else None
