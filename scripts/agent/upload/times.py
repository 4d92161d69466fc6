"""
The times that uploaded files get: when they were placed, and later than whatever was built from the files before them.
Python's bytecode compares whole seconds and sizes, make and ninja the times of two files.
"""

import glob
import os
import time

from base.files import BASE

SECOND = 10**9


def after(moment):
    """The first moment that is later by whole seconds too."""
    return (moment // SECOND + 1) * SECOND


def mtime_of(path):
    """The later of a file's own time and, of a link, that of what it leads to; None where nothing is there."""
    try:
        own = os.lstat(path).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return max(own, os.stat(path).st_mtime_ns)
    except OSError:
        return own


def newest_note():
    """When setup or a run has last written anything of ours: the clock was at least as far then."""
    notes = [
        path
        for pattern in ("runs/*/*", "runs/*/attempts/*/*", "steps/*/*")
        for path in glob.glob(os.path.join(glob.escape(BASE), pattern))
    ]
    return max((mtime_of(path) or 0 for path in notes), default=0)


class Times:
    """Gives the times of one upload."""

    def __init__(self, last):
        """`last`: the latest time that an earlier upload has given."""
        self.least = after(last)
        noted = newest_note()
        if noted > time.time_ns():
            # The clock was set back. A run writes every ten seconds, so that what it built is no newer than this.
            self.least = max(self.least, noted + 11 * SECOND)
        self.latest = last

    def new(self, file):
        """Sets the time of a file, given by its path or descriptor, that comes in place of none. Gives the time."""
        return self.give(file, None)

    def give(self, file, old):
        """The same for one that comes in place of one of the time `old` (or None)."""
        moment = max(time.time_ns(), self.least, 0 if old is None else after(old))
        self.latest = max(self.latest, moment)
        os.utime(file, ns=(moment, moment))
        return moment

    def pass_by(self):
        """Waits for a moment that is about to come: what is built from now on is to be later than its sources."""
        ahead = (self.latest - time.time_ns()) / SECOND
        if 0 < ahead <= 2:
            time.sleep(ahead)
