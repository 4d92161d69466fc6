"""Text that others wrote, as people may see it."""

import os
import re

# Tabs and line ends stay.
CONTROLS = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\n")
# What would steer a terminal: see remote/log-text.ts.
SEQUENCES = re.compile(
    rb"\x1b\[[0-?]{0,64}[ -/]{0,4}[@-~]|\x1b[\]PX^_][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)?|\x1b[ -/]{0,4}[0-~]|\xc2[\x80-\x9f]"
)


def shown(data):
    """Bytes that others wrote, without what would steer a terminal; a progress bar's returns are line ends."""
    return SEQUENCES.sub(b"", data.replace(b"\r", b"\n")).translate(None, CONTROLS)


def last_lines(path, count, width=200):
    """
    The last lines that show something; a progress bar's returns count as line ends, lines are cut to so many bytes. What
    tells why something failed may be longer. A log may hold anything: a character that was cut in two is dropped.
    """
    lines = shown(tail_of(path)).split(b"\n")
    return [line[:width].decode("utf-8", "ignore") for line in lines if line.strip()][-count:]


def tail_of(path):
    """The last bytes of a file, up to 64 KiB; none where it cannot be read."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 65536))
            return file.read(65536)
    except OSError:
        return b""


def last_line(path):
    return "".join(last_lines(path, 1))


def is_plain(*names):
    """Whether names can stand in lines and in JSON as they are."""
    try:
        text = "".join(names)
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return not any(ord(letter) < 32 or ord(letter) == 127 for letter in text)
