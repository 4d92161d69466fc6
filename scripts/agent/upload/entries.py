"""
Manifests as files: a line of facts, then one JSON object a line, sorted by path. They are read line by line: the files
of a dataset can be many, and no process holds them all.
"""

import json
import os


class Lines:
    """A file that is written line by line and gets its name once it is whole; readable by its owner only."""

    def __init__(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path = path
        self.temporary = f"{path}.{os.getpid()}"
        self.file = open(os.open(self.temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8")

    def write(self, value):
        self.file.write(json.dumps(value))
        self.file.write("\n")

    def finish(self):
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.temporary, self.path)

    def discard(self):
        self.file.close()
        os.unlink(self.temporary)


def read_lines(path):
    """The values of a file's lines; none of a file that is missing, and of a damaged one those before the damage."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
    except (OSError, ValueError):
        return


def order(path):
    """What the lines are sorted by: JavaScript compares the same way."""
    return path.encode("utf-16-be", "surrogatepass")


def joined(entries, records):
    """Pairs of an entry and the record of the same path, in order; None in place of the one that is missing."""
    entry, record = next(entries, None), next(records, None)
    while entry is not None or record is not None:
        if entry is None or record is None:
            side = 0
        elif entry["path"] == record["path"]:
            yield entry, record
            entry, record = next(entries, None), next(records, None)
            continue
        else:
            side = -1 if order(entry["path"]) < order(record["path"]) else 1
        if record is None or side < 0:
            yield entry, None
            entry = next(entries, None)
        else:
            yield None, record
            record = next(records, None)
