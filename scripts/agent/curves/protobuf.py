"""Protocol buffers, as far as event files and W&B's runs need them."""

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
LONGEST_VARINT = 10


class Damaged(Exception):
    """What was read is no message."""


def varint(data, at, end):
    """(value, where it ends)."""
    value = shift = 0
    while at < end and shift < 7 * LONGEST_VARINT:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise Damaged


def fields(data, at, end):
    """
    (number, wire type, value or where the content begins, where it ends) of each field of a message. Only a varint comes
    with its value.
    """
    while at < end:
        key, at = varint(data, at, end)
        wire = key & 7
        if wire == VARINT:
            value, at = varint(data, at, end)
            yield key >> 3, wire, value, at
            continue
        length = 8 if wire == EIGHT else 4 if wire == FOUR else None
        if wire == BYTES:
            length, at = varint(data, at, end)
        if length is None or at + length > end:
            raise Damaged
        yield key >> 3, wire, at, at + length
        at += length


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def text(data, at, end):
    return bytes(data[at:end]).decode("utf-8", "replace")
