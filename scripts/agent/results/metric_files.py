"""The files of an output folder that may hold metrics: JSON, JSON lines, CSV."""

import hashlib
import os

MOST_BYTES = 2 << 20
MOST_TOGETHER = 8 << 20
MOST_FILES = 60
MOST_ENTRIES = 20_000


def candidates(output):
    found, seen = [], 0
    for folder, folders, names in os.walk(output):
        folders.sort()
        for name in names:
            seen += 1
            if not name.lower().endswith((".json", ".jsonl", ".csv")):
                continue
            path = os.path.join(folder, name)
            try:
                status = os.stat(path)
            except OSError:
                continue
            if status.st_size <= MOST_BYTES:
                found.append((-status.st_mtime_ns, status.st_size, path))
        if seen > MOST_ENTRIES:
            break
    chosen, together = [], 0
    for entry in sorted(found)[:MOST_FILES]:
        together += entry[1]
        if together > MOST_TOGETHER:
            break
        chosen.append(entry)
    return chosen


def read_since(output, known):
    """
    `known`: what the last look gave as "mark", or an empty word. Gives {"mark": text} where nothing has changed since, else
    {"mark": text, "files": {path: content}}: the newest, together no longer than MOST_TOGETHER; what is longer is left out.
    """
    chosen = candidates(output)
    mark = hashlib.sha256(repr(chosen).encode("utf-8", "surrogateescape")).hexdigest()
    answer = {"mark": mark}
    if mark != known:
        answer["files"] = {}
        for _, _, path in chosen:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    answer["files"][os.path.relpath(path, output)] = file.read(MOST_BYTES)
            except OSError:
                continue
    return answer
