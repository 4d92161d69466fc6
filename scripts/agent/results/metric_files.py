"""The files of an output folder that may hold metrics: JSON, JSON lines, CSV."""

import hashlib
import os
import re

from results.digest import digest, left, too_long
from run.state import Run

# What is told as it is; of longer files what curves and scores need.
SHORT = 256 << 10
# What is told, and what is read for that, at one look.
MOST_TOGETHER = 8 << 20
MOST_READ = 128 << 20
MOST_FILES = 60
MOST_ENTRIES = 20_000
# Beside these, what may be one of thousands: predictions, a file a sample.
TELLING = re.compile(r"eval|test|metric|result|score|history|trainer_state|progress|summary|log", re.IGNORECASE)
# Each holds what those before it held.
CHECKPOINT = re.compile(r"(?:checkpoint|ckpt|step|epoch|global_step)[-_]?\d+", re.IGNORECASE)

# Of long files, by their path, time and size: a look follows the other.
known_digests = {}


def candidates(output):
    """(time of writing, size, path) of each, those first that are told first."""
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
            found.append((max(status.st_mtime_ns, status.st_ctime_ns), status.st_size, path))
        if seen > MOST_ENTRIES:
            break
    found.sort(reverse=True)
    return sorted(newest_copies(found), key=lambda each: TELLING.search(os.path.basename(each[2])) is None)[:MOST_FILES]


def newest_copies(found):
    """Of files with the same name in the checkpoints' folders the newest."""
    seen = set()
    for each in found:
        folder, name = os.path.split(each[2])
        if CHECKPOINT.fullmatch(os.path.basename(folder)):
            key = (os.path.dirname(folder), name)
            if key in seen:
                continue
            seen.add(key)
        yield each


def read_since(output, known, experiment):
    """
    `known`: what the last look gave as "mark", or an empty word. Gives {"mark": text} where nothing has changed since, else
    {"mark": text, "files": {path: content}, "left": [{path, bytes, why}], "earlier": [path]}. `left`: what was not read;
    `earlier`: what was written before the newest attempt of the experiment began.
    """
    chosen = candidates(output)
    began = began_at(experiment)
    mark = hashlib.sha256(repr((chosen, began)).encode("utf-8", "surrogateescape")).hexdigest()
    answer = {"mark": mark}
    if mark != known:
        answer["files"], answer["left"] = told_of(output, chosen)
        answer["earlier"] = [os.path.relpath(path, output) for written, _, path in chosen if written < began]
    return answer


def began_at(experiment):
    attempt = Run(experiment).newest() if experiment else None
    return attempt.get("mark", 0) if attempt else 0


def told_of(output, chosen):
    files, not_read, together, read = {}, [], 0, 0
    for written, size, path in chosen:
        name = os.path.relpath(path, output)
        why = too_long(size)
        key = (path, written, size)
        if why is None and key not in known_digests:
            read += size
            why = "other files were read first" if read > MOST_READ else None
        try:
            content = content_of(path, size, key) if why is None else ""
        except (OSError, ValueError, RecursionError):
            continue  # Half written, or no JSON.
        together += len(content)
        if together > MOST_TOGETHER:
            why, together = "other files were read first", together - len(content)
        if why is None:
            files[name] = content
        else:
            not_read.append(left(name, size, why))
    for key in set(known_digests) - {(path, written, size) for written, size, path in chosen}:
        del known_digests[key]
    return files, not_read


def content_of(path, size, key):
    if size <= SHORT:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    if key not in known_digests:
        known_digests[key] = digest(path)
    return known_digests[key]
