"""What a trial comes to: the metric's values while it trains, and its last word."""

import glob
import json
import math
import os

from results.digest import LONGEST
from run.log import beginning
from sweep.logged import LoggedMetric, Names, plain
from sweep.tables import TabledMetric

# Values of one trial that the study is told: it keeps each.
MOST = 1000
MOST_FILES = 100


class TrialMetric:
    """The metric of one attempt of a trial."""

    def __init__(self, attempt, metric, evaluation):
        """`evaluation`: glob of the evaluation's JSON files in the output folder; None without one."""
        self.attempt, self.metric, self.evaluation = attempt, metric, evaluation
        self.logged = LoggedMetric(attempt.run.log, beginning(attempt), metric)
        self.tabled = TabledMetric(metric, attempt.get("mark", 0), attempt.run)
        self.kind, self.source = None, None
        self.series, self.told, self.last = {}, set(), None

    def look(self, ended=False):
        """Takes what is new."""
        found = self.logged.new(ended)
        if found and self.source is None:
            self.source = "log"
        output = self.attempt.get("outputPath") or ""
        if self.source != "log":
            # Without an output folder a logger may have written beside it.
            points = self.tabled.points(output, ended)
            if points:
                self.source, found = "file", points
                self.series, self.kind = {}, None
        for kind, count, value in found:
            self.add(kind, count, value)

    def add(self, kind, count, value):
        self.last = value
        # Steps of one kind alone can be compared. Whatever isn't counted is counted here.
        is_counted = kind is not None and count is not None and float(count).is_integer()
        self.kind = self.kind or (kind if is_counted else "reading")
        if self.kind == "reading":
            count = len(self.series) + 1
        elif kind != self.kind or not is_counted:
            return
        if len(self.series) < MOST:
            self.series[int(count)] = value

    def news(self):
        """[[step, value]] that the study doesn't know yet; told again until `heard`."""
        return [[step, value] for step, value in sorted(self.series.items()) if step not in self.told]

    def heard(self, values):
        self.told.update(step for step, _ in values)

    def final(self):
        """
        (value, None), or (None, reason) where there is none: the evaluation's, else the last one that training has told.
        """
        self.look(ended=True)
        evaluated, names = self.evaluated()
        value = self.last if evaluated is None else evaluated
        if value is None:
            return None, self.missing([*names, *self.logged.seen, *self.tabled.seen])
        if math.isnan(value):
            return None, f"{self.metric} is nan"
        return value, None

    def missing(self, names):
        shown = ", ".join(list(dict.fromkeys(map(str, names)))[:30])
        found = f"Found: {shown}" if shown else "No metric was found there at all"
        return f"sweep.metric: {self.metric} was found neither in the evaluation's JSON nor in the log or metric files. {found}"

    def evaluated(self):
        """The metric in the evaluation's files, the newest first; and all names there."""
        output = self.attempt.get("outputPath")
        if not output or self.evaluation is None or self.attempt.get("evaluationExit") != 0:
            return None, []
        paths = glob.glob(os.path.join(glob.escape(output), self.evaluation), recursive=True)[:MOST_FILES]
        names, found = [], None
        for _, path in sorted(filter(None, map(seen_at, paths)), reverse=True):
            numbers = numbers_of(path)
            names += [name for name in numbers if name not in names]
            name = named(numbers, self.metric)
            if found is None and name is not None:
                found = numbers[name]
        return found, names


def seen_at(path):
    try:
        info = os.stat(path)
    except OSError:
        return None
    return (info.st_mtime_ns, path) if info.st_size <= LONGEST else None


def numbers_of(path):
    """The numbers of a JSON file by dotted names."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    found = {}

    def walk(value, name):
        if isinstance(value, dict) and len(found) < 1000:
            for key, member in value.items():
                walk(member, f"{name}.{key}" if name else str(key))
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and name:
            found[name] = float(value)

    walk(content, "")
    return found


def named(numbers, metric):
    """The name of a metric: as it stands there, or else written in another way, or the last part of a dotted name."""
    best = Names(metric).best(numbers)
    if best is not None:
        return best
    return next((name for name in numbers if plain(name.rpartition(".")[2]) == plain(metric)), None)
