"""The metric of a sweep in the files that a trial writes: CSV, JSON lines, lists in JSON, and those of loggers."""

import csv
import json
import time

from curves.counters import EPOCHS, STEPS, by_last_part
from curves.told import PATIENCE, Logged
from results.beside import beside_of
from results.metric_files import candidates
from sweep.logged import Names

LONGEST = 4 << 20
MOST_POINTS = 900
# Seconds.
BESIDE_EVERY = 10


class TabledMetric:
    """Looks again at those files that have changed."""

    def __init__(self, metric, since, run=None):
        """`run`: what it wrote beside its outputs is looked at too."""
        self.names, self.since, self.run = Names(metric), since, run
        self.beside, self.beside_at = (), float("-inf")
        self.known = {}
        self.logged = Logged()
        self.seen = {}

    def points(self, output, ended=False):
        """
        [(kind, count, value)] of the metric, of the file that tells most of it. Before the end a long curve is told without
        its newest point: trials are compared at the same steps.
        """
        texts, logged = candidates(output, self.found_beside(ended))
        best = self.logged_points([path for written, _, path in logged if written >= self.since], ended)
        for written, size, path in texts:
            if size > LONGEST or written < self.since:
                continue
            key = (written, size)
            if self.known.get(path, (None,))[0] != key:
                self.known[path] = (key, self.read(path))
            found = self.known[path][1]
            best = found if len(found) > len(best) else best
        return best

    def found_beside(self, ended):
        """Which of it counts depends on all other trials: that isn't asked at each look."""
        if self.run is not None and (ended or time.monotonic() - self.beside_at >= BESIDE_EVERY):
            self.beside, self.beside_at = tuple(beside_of(self.run)), time.monotonic()
        return self.beside

    def logged_points(self, paths, ended):
        # A worker has other trials to look after.
        self.logged.look(paths, PATIENCE if ended else 1)
        curves = self.logged.curves(ended)
        for name in curves:
            self.seen.setdefault(name, None)
        wanted = self.names.best(curves)
        if wanted is None:
            return []
        found = [("step", x, y) for x, y in zip(*curves[wanted])]
        every = 1
        while len(found) > every * MOST_POINTS:
            every *= 2
        return [*found[::every], *(found[-1:] if ended else [])]

    def read(self, path):
        best = []
        for rows in tables_of(path):
            names = {name for row in rows for name in row}
            for name in names:
                self.seen.setdefault(name, None)
            wanted = self.names.best(names)
            if wanted is None:
                continue
            kind, counter = counter_of(names)
            found = [
                (kind, number_of(row.get(counter)) if counter else None, number_of(row[wanted]))
                for row in rows
                if number_of(row.get(wanted)) is not None
            ]
            best = found if len(found) > len(best) else best
        return best


def tables_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            if path.lower().endswith(".csv"):
                return [list(csv.DictReader(whole_lines(file.read()).splitlines(), restval=""))]
            text = file.read()
    except (OSError, csv.Error):
        return []
    content = None
    if not path.lower().endswith(".jsonl"):
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            pass
    return [list(json_lines(text))] if content is None else list(tables_in(content))


def whole_lines(text):
    """Without a last line that is being written."""
    return text[: text.rfind("\n") + 1]


def json_lines(text):
    for line in whole_lines(text).splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            yield flat(row)


def tables_in(content):
    """Lists of records, the content itself or a member of it; and lists of numbers by name, as Keras keeps its history."""
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        yield [flat(row) for row in content]
    if isinstance(content, dict):
        for member in content.values():
            yield from tables_in(member) if isinstance(member, list) else []
        for each in (content, *(member for member in content.values() if isinstance(member, dict))):
            lists = {name: values for name, values in each.items() if is_numbers(values)}
            if lists:
                length = min(len(values) for values in lists.values())
                yield [{"epoch": at + 1, **{name: values[at] for name, values in lists.items()}} for at in range(length)]


def is_numbers(values):
    return isinstance(values, list) and values and all(number_of(value) is not None for value in values)


def flat(row, prefix="", depth=1):
    """A record with the members of its members, named `outer/inner`."""
    found = {}
    for name, value in row.items():
        if isinstance(value, dict) and depth < 3:
            found.update(flat(value, f"{prefix}{name}/", depth + 1))
        else:
            found[prefix + name] = value
    return found


def counter_of(names):
    by_last = by_last_part(names)
    for kind, wanted in (("step", STEPS), ("epoch", EPOCHS)):
        for each in wanted:
            if each in by_last:
                return kind, by_last[each]
    return None, None


def number_of(value):
    """A cell's number, also where it was written as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return float(value) if isinstance(value, str) and value.strip() else None
    except ValueError:
        return None
