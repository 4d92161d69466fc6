"""The files of loggers, read on as they grow, and told as JSON (cli/curves/logged/told.ts reads it)."""

import json
import time

from curves.files import CurveFile
from curves.join import joined
from results.digest import left
from run.first_step import is_told

# Seconds that one look at all files may take.
PATIENCE = 4
# What is told of one file.
MOST_CURVES, MOST_POINTS = 60, 1000
# Of all of them.
MOST_TOGETHER = 8 << 20


class Logged:
    def __init__(self):
        self.files = {}

    def look(self, paths, seconds=PATIENCE):
        """Reads what is new in these files, the rest at the next look. Gives how far each was read."""
        self.files = {path: self.files.get(path) or CurveFile(path) for path in paths}
        until = time.monotonic() + seconds
        for file in self.files.values():
            try:
                file.look(max(0.0, until - time.monotonic()))
            except OSError:
                pass  # Removed meanwhile, or another user's.
        return [(path, file.at) for path, file in self.files.items()]

    def curves(self, whole=True):
        """{name: (xs, ys)} of all of them. `whole`: with the newest point of each."""
        return joined([(path, file.curves) for path, file in self.files.items()], whole)

    def tell(self, names, files, not_read):
        """Adds what they say, and what was not read of them."""
        together = 0
        for path, file in self.files.items():
            if file.is_behind:
                part = 100 * file.at // max(1, file.size)
                not_read.append(left(names[path], file.size, f"only {part}% of it was read so far"))
            elif file.curves.damaged:
                count = file.curves.damaged
                said = "1 damaged record was" if count == 1 else f"{count} damaged records were"
                not_read.append(left(names[path], file.size, f"{said} passed over"))
            if not file.curves.points:
                continue
            told = told_of(file.curves)
            together += len(told)
            if together <= MOST_TOGETHER:
                files[names[path]] = told
            else:
                not_read.append(left(names[path], file.size, "other files were read first"))


def told_of(curves):
    chosen = sorted(curves.points.items(), key=lambda each: not is_told(each[0]))[:MOST_CURVES]
    series = []
    for name, points in chosen:
        xs, ys = points.told()
        every = -(-len(xs) // MOST_POINTS) or 1
        at = sorted({*range(0, len(xs), every), *([len(xs) - 1] if xs else [])})
        series.append({"name": name, "xs": [whole(xs[each]) for each in at], "ys": [ys[each] for each in at]})
    facts = {"began": curves.began, "ended": curves.ended, "purged": curves.purged, "epoch": curves.epoch}
    given = {name: value for name, value in facts.items() if value is not None}
    return json.dumps({**given, "series": series})


def whole(x):
    return int(x) if x == int(x) else x
