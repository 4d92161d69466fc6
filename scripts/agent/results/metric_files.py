"""
The files that may hold metrics: JSON, JSON lines and CSV, and those of loggers (curves/files.py). They lie in the output
folder, or were found beside it.
"""

import hashlib
import os
import re
import stat

from curves.files import reader_of
from curves.told import Logged
from results.beside import beside_of
from results.digest import digest, has_lines, left, too_long
from run.state import Run

# What is told as it is; of longer files what curves and scores need.
SHORT = 256 << 10
# What is told, and what is read for that, at one look.
MOST_TOGETHER = 8 << 20
MOST_READ = 128 << 20
MOST_FILES = 60
# MLflow has one for each metric.
MOST_LOGGED = 200
MOST_ENTRIES = 20_000
# Beside these, what may be one of thousands: predictions, a file a sample.
TELLING = re.compile(r"eval|test|metric|result|score|history|trainer_state|progress|summary|log", re.IGNORECASE)
# Each holds what those before it held.
CHECKPOINT = re.compile(r"(?:checkpoint|ckpt|step|epoch|global_step)[-_]?\d+", re.IGNORECASE)

# Of long files, by their path, time and size: a look follows the other.
known_digests = {}
logged_files = Logged()


def candidates(output, beside=()):
    """
    (time of writing, size, path) of each: of texts, those first that are told first, and of the files of loggers. `beside`:
    paths of what was written elsewhere.
    """
    texts, logged = [], []
    for path in (*paths_in(output), *beside):
        kind = logged if reader_of(path) else texts
        try:
            status = os.stat(path)
        except OSError:
            continue
        # Nobody may ever write to a pipe, and a device has no end.
        if not stat.S_ISREG(status.st_mode):
            continue
        kind.append((max(status.st_mtime_ns, status.st_ctime_ns), status.st_size, path))
    texts.sort(reverse=True)
    logged.sort(reverse=True)
    telling_first = sorted(newest_copies(texts), key=lambda each: TELLING.search(os.path.basename(each[2])) is None)
    return telling_first[:MOST_FILES], logged[:MOST_LOGGED]


def paths_in(output):
    seen = 0
    for folder, folders, names in os.walk(output):
        folders.sort()
        for name in names:
            seen += 1
            path = os.path.join(folder, name)
            if is_text(name) or reader_of(path):
                yield path
        if seen > MOST_ENTRIES:
            break


def is_text(name):
    return name.lower().endswith((".json", ".jsonl", ".csv"))


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
    beside = beside_of(Run(experiment)) if experiment else {}
    texts, logged = candidates(output, beside)
    began = began_at(experiment)
    names = {path: beside.get(path) or os.path.relpath(path, output) for _, _, path in (*texts, *logged)}
    at = logged_files.look([path for _, _, path in logged])
    mark = hashlib.sha256(repr((texts, logged, at, began)).encode("utf-8", "surrogateescape")).hexdigest()
    answer = {"mark": mark}
    if mark != known:
        answer["files"], answer["left"] = told_of(texts, names)
        logged_files.tell(names, answer["files"], answer["left"])
        answer["earlier"] = [names[path] for written, _, path in texts if written < began]
    return answer


def began_at(experiment):
    attempt = Run(experiment).newest() if experiment else None
    return attempt.get("mark", 0) if attempt else 0


def told_of(chosen, names):
    files, not_read, together, read = {}, [], 0, 0
    for written, size, path in chosen:
        name = names[path]
        why = too_long(size, path)
        key = (path, written, size)
        if why is None and key not in known_digests:
            # Lines are looked at, but not parsed.
            read += size // 8 if has_lines(path) else size
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
