"""What of a metrics file curves and scores need: its numbers, without what it says of each sample."""

import json
import os

# What is read as a whole: the memory that it takes is several times as much.
LONGEST = 64 << 20
# Of CSV and JSON lines, which are read line by line.
LONGEST_LINES = 1 << 30
# Rows of a table: charts draw fewer points.
MOST_ROWS = 2000
# A row with more bytes is one of samples.
LONGEST_ROW = 32 << 10
# An object with more members is a table of samples by their names.
MOST_MEMBERS = 200
LONGEST_TEXT = 200
DEEPEST = 3


def digest(path):
    """The text of a file of JSON, JSON lines or CSV in few kilobytes, in the same form. @raises OSError, ValueError"""
    if not has_lines(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            return json.dumps(numbers_of(json.load(file)))
    with open(path, "rb") as file:
        if path.lower().endswith(".csv"):
            return (file.readline(LONGEST_ROW) + b"".join(some_of(file))).decode("utf-8", "replace")
        return "".join(f"{line_of(line)}\n" for line in some_of(file))


def has_lines(path):
    return path.lower().endswith((".jsonl", ".csv"))


def some_of(file):
    """At most MOST_ROWS whole lines, evenly, the last one among them; the file may be of any length."""
    kept, last, every, count, is_long = [], None, 1, 0, False
    while True:
        line = file.readline(LONGEST_ROW)
        if not line.endswith(b"\n"):
            # Half written, or a part of a long one.
            if len(line) < LONGEST_ROW:
                break
            is_long = True
            continue
        if is_long:
            is_long = False
            continue
        if count % every == 0:
            kept.append(line)
        last = (count, line)
        count += 1
        if len(kept) == MOST_ROWS:
            kept, every = kept[::2], every * 2
    if last is not None and last[0] % every != 0:
        kept.append(last[1])
    return kept


def thinned(rows):
    """At most MOST_ROWS of them, evenly, the last one among them."""
    every = -(-len(rows) // MOST_ROWS) or 1
    return [row for at, row in enumerate(rows) if at % every == 0 or at == len(rows) - 1]


def line_of(line):
    try:
        return json.dumps(numbers_of(json.loads(line)))
    except ValueError:
        return ""


def numbers_of(value, depth=0, lists=True):
    """A value without long texts, lists other than tables of numbers, and tables of samples by their names."""
    if isinstance(value, dict):
        long = len(value) > MOST_MEMBERS
        if depth > DEEPEST or (depth > 0 and long):
            return {}
        if long:
            return row_of(value)
        return {name: numbers_of(member, depth + 1, lists) for name, member in value.items() if tells(member, lists)}
    if isinstance(value, list):
        rows = [row_of(row) for row in thinned(value) if isinstance(row, dict)]
        return [row for row in rows if row]
    return value


def tells(value, lists):
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT
    return not isinstance(value, list) or (lists and any(isinstance(row, dict) for row in value[:1]))


def row_of(row):
    return {name: value for name, value in row.items() if isinstance(value, (int, float))}


def scores_of(path):
    """What a JSON file holds besides lists, for people and outputs; None where that is nothing. @raises OSError, ValueError"""
    with open(path, encoding="utf-8", errors="replace") as file:
        content = json.load(file, parse_constant=lambda _: None)
    return None if isinstance(content, list) else numbers_of(content, lists=False)


def left(path, size, why):
    """What is told of a file that was not read."""
    return {"path": path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), "bytes": size, "why": why}


def too_long(size, path=""):
    """Why a file of this size is not read; None where it is."""
    most = LONGEST_LINES if has_lines(path) else LONGEST
    return f"longer than {most >> 20} MiB" if size > most else None


def size_of(path):
    return os.stat(path).st_size
