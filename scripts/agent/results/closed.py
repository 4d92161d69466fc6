"""Files in folders that only root can list, as training by `sudo` leaves them."""

import os

from base.processes import fields_of
from results.rules import TOOLS

SECONDS = 20
MOST_FOLDERS = 8


class Closed:
    """Asks root, who need not answer, for no more than a few folders."""

    def __init__(self, since):
        self.since, self.asked = since, 0

    def files(self, folder):
        """(path, size) of what came or changed there, without what tools keep and hidden entries."""
        if self.asked == MOST_FOLDERS:
            return []
        self.asked += 1
        words = ["sudo", "-n", "find", folder, "-xdev", "-name", ".*", "-prune", "-o", "-type", "f"]
        words += ["-newerct", f"@{self.since / 1e9:.9f}", "-printf", "%s\\0%p\\0"]
        fields = fields_of(words, SECONDS)
        found = [(os.fsdecode(path), int(size)) for size, path in zip(fields[::2], fields[1::2])]
        return [each for each in found if not any(map(TOOLS.fullmatch, each[0].split("/")))]
