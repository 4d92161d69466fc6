"""Curves that are read point by point, in bounded memory. cli/curves/logged/points.ts does the same at home."""

import math
from array import array

from curves.counters import COUNTERS, EPOCHS, STEPS, by_last_part, last_part
from run.first_step import is_told

# Points of one curve; charts draw fewer.
MOST = 2000
# Curves of one file, of measures and of anything else.
MOST_CURVES, MOST_OTHERS = 200, 60
LONGEST_NAME = 200


class Points:
    """A curve. Where its counter goes back, as after a restart, it goes on from there."""

    def __init__(self):
        self.xs, self.ys = array("d"), array("d")
        self.every, self.count = 1, 0
        # The newest point, where it is none of those that are kept.
        self.last = None

    def add(self, x, y):
        if self.end() is not None and x <= self.end():
            self.purge(x)
        if self.count % self.every == 0:
            self.xs.append(x)
            self.ys.append(y)
            self.last = None
        else:
            self.last = (x, y)
        self.count += 1
        if len(self.xs) >= MOST:
            self.halve()

    def halve(self):
        self.last = (self.xs[-1], self.ys[-1])
        self.xs, self.ys, self.every = self.xs[::2], self.ys[::2], self.every * 2

    def end(self):
        return self.last[0] if self.last else self.xs[-1] if self.xs else None

    def purge(self, x):
        """Forgets what is from there on."""
        if self.last is not None and self.last[0] >= x:
            self.last = None
        length = len(self.xs)
        while length and self.xs[length - 1] >= x:
            length -= 1
        if length < len(self.xs):
            del self.xs[length:], self.ys[length:]
            # The next one is kept.
            self.count = 0

    def told(self, whole=True):
        """(xs, ys)"""
        last = [self.last] if self.last and whole else []
        return [*self.xs, *(x for x, _ in last)], [*self.ys, *(y for _, y in last)]


class Curves:
    """What one file tells: curves by their names; `began`, `ended`: seconds since the epoch, where it says that."""

    def __init__(self):
        self.points, self.others = {}, 0
        self.began = self.ended = self.purged = self.epoch = None
        # Records that were passed over.
        self.damaged = 0

    def add(self, name, x, y, at):
        points = self.points.get(name)
        if points is None:
            if not self.takes(name):
                return
            points = self.points[name] = Points()
        points.add(x, y)
        self.seen(at)

    def add_row(self, row, step, at):
        """Takes numbers by their names; `step` counts where none of these does."""
        by_last = by_last_part(row)
        counter = next((by_last[each] for each in STEPS if each in by_last and is_count(row[by_last[each]])), None)
        x = row[counter] if counter is not None else step
        self.epoch = next((row[by_last[each]] for each in EPOCHS if each in by_last), self.epoch)
        if x is None or not is_count(x):
            return
        for name, value in row.items():
            if last_part(name) not in COUNTERS:
                self.add(name, x, value, at)

    def takes(self, name):
        if not name or len(name) > LONGEST_NAME or len(self.points) >= MOST_CURVES or not name.isprintable():
            return False
        if is_told(name):
            return True
        self.others += 1
        return self.others <= MOST_OTHERS

    def seen(self, at):
        if at is not None and 0 < at < 1e11:
            self.began = at if self.began is None else min(self.began, at)
            self.ended = at if self.ended is None else max(self.ended, at)

    def purge(self, x):
        """What is from there on was written again: here, and in files before this one."""
        self.purged = x if self.purged is None else min(self.purged, x)
        for points in self.points.values():
            points.purge(x)


def is_count(value):
    return math.isfinite(value) and value == int(value)
