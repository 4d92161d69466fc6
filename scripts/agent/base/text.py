"""Text that others wrote, as people may see it."""

import os

# Tabs and line ends stay.
CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n")


def last_lines(path, count, width=200):
    """
    The last lines that show something; a progress bar's returns count as line ends, lines are cut to so many bytes. What
    tells why something failed may be longer. A log may hold anything: a character that was cut in two is dropped.
    """
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 65536))
            data = file.read(65536)
    except OSError:
        return []
    lines = data.replace(b"\r", b"\n").translate(None, CONTROLS).split(b"\n")
    return [line[:width].decode("utf-8", "ignore") for line in lines if line.strip()][-count:]


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
